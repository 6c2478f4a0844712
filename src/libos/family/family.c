/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* What owner and members have in common: tables, registration, which way a call goes. */

#include "core/ct.h"
#include "core/hmac.h"
#include "libos/family/home.h"
#include "libos/family/rpc_internal.h"
#include "libos/family/share.h"
#include "libos/lib/simd.h"
#include "libos/shm/link.h"
#include "libos/shm/sysv.h"

enum family_role g_family_role;

const struct family_bounds g_family_ops[FAMILY_OP_COUNT] = {
#define X(name, least, most, description) [FAMILY_OP_##name] = {#name, least, most},
#include "libos/family/ops.tbl.h"
#undef X
};
#define X(name, least, most, description)                                            \
    _Static_assert((least) <= (most) &&                                              \
                       (most) + sizeof(struct call_head) <= CHANNEL_PAYLOAD_MAX + 8, \
                   "op " #name);
#include "libos/family/ops.tbl.h"
#undef X

const struct family_bounds g_family_events[FAMILY_EVENT_COUNT] = {
#define X(name, least, most, description) [FAMILY_EVENT_##name] = {#name, least, most},
#include "libos/family/events.tbl.h"
#undef X
};

family_handler g_family_handlers[FAMILY_OP_COUNT];
family_listener g_family_listeners[FAMILY_EVENT_COUNT];

void family_serve(enum family_op op, family_handler handler)
{
    __atomic_store_n(&g_family_handlers[op], handler, __ATOMIC_RELEASE);
}

void family_hear(enum family_event event, family_listener listener)
{
    __atomic_store_n(&g_family_listeners[event], listener, __ATOMIC_RELEASE);
}

int family_check_request(uint32_t op, size_t size)
{
    if (op >= FAMILY_OP_COUNT ||
        __atomic_load_n(&g_family_handlers[op], __ATOMIC_ACQUIRE) == NULL) {
        return -ENOSYS;
    }
    return size < g_family_ops[op].least || size > g_family_ops[op].most ? -EBADMSG : 0;
}

void family_pages_key(const uint8_t key[static CHANNEL_KEY_SIZE],
                      uint8_t ret[static CHANNEL_KEY_SIZE])
{
    static const char info[] = "nacre family key of pages";
    struct simd_state simd;

    simd_begin(&simd);
    /* Only an impossible size makes it fail. */
    (void)!hkdf_sha256(NULL, 0, key, CHANNEL_KEY_SIZE, info, sizeof(info) - 1, ret,
                       CHANNEL_KEY_SIZE);
    simd_end(&simd);
}

void family_address(const uint8_t name[static FAMILY_NAME_SIZE], struct family_address *ret)
{
    static const char digits[] = "0123456789abcdef";

    *ret = (struct family_address){.family = 1 /* AF_UNIX */};
    __builtin_memcpy(ret->path + 1, "nacre-f", 7); /* path[0] stays NUL: the abstract name space */
    for (size_t i = 0; i < FAMILY_NAME_SIZE; i++) {
        ret->path[8 + 2 * i] = digits[name[i] >> 4];
        ret->path[9 + 2 * i] = digits[name[i] & 15];
    }
}

int64_t family_exchange(struct family_message *m)
{
    m->ret_size = 0;
    m->ret_to = 0;
    return family_role() == FAMILY_MEMBER ? member_call(m) : owner_local_call(m);
}

int64_t family_call(enum family_op op, const void *request, size_t size, void *answer, size_t cap,
                    size_t *ret_size)
{
    const struct channel_part part = {.p = request, .size = size};
    struct family_message m = {
        .op = op, .parts = &part, .part_count = 1, .answer = answer, .cap = cap};
    int64_t r = family_exchange(&m);

    if (ret_size != NULL) {
        *ret_size = m.ret_size;
    }
    return r;
}

/* ---- places for children ---- */

static int64_t serve_ping(struct family_request *q)
{
    q->answer_size = MIN(q->body.left, q->cap);
    __builtin_memcpy(q->answer, q->body.p, q->answer_size);
    return (int64_t)q->answer_size;
}

static int64_t serve_new_member(struct family_request *q)
{
    struct family_ticket t;
    int r = owner_new_member(&t);

    if (r == 0) {
        __builtin_memcpy(q->answer, &t, sizeof(t));
        q->answer_size = sizeof(t);
    }
    ct_wipe(&t, sizeof(t));
    return r;
}

static int64_t serve_forget_member(struct family_request *q)
{
    uint32_t id;

    if (cursor_u32le(&q->body, &id) < 0) {
        return -EBADMSG;
    }
    owner_forget_member(id);
    return 0;
}

int family_become_owner(void)
{
    if (family_role() != FAMILY_ALONE) {
        return 0;
    }
    family_serve(FAMILY_OP_ping, serve_ping);
    family_serve(FAMILY_OP_new_member, serve_new_member);
    family_serve(FAMILY_OP_forget_member, serve_forget_member);
    home_start();
    share_start();
    shm_link_serve();
    sysv_start();
    return owner_start();
}

int family_new_member(struct family_ticket *ret)
{
    struct family_ticket t = {0};
    size_t size = 0;
    int64_t r = family_call(FAMILY_OP_new_member, NULL, 0, &t, sizeof(t), &size);

    if (r == 0 && (size != sizeof(t) || t.member == FAMILY_OWNER_ID)) {
        r = -EBADMSG;
    }
    if (r == 0) {
        *ret = t;
    }
    ct_wipe(&t, sizeof(t));
    return (int)r;
}

void family_forget_member(uint32_t member)
{
    (void)!family_call(FAMILY_OP_forget_member, &member, sizeof(member), NULL, 0, NULL);
}

void family_after_fork(void)
{
    owner_after_fork();
    member_after_fork();
    work_after_fork();
    g_family_role = FAMILY_ALONE;
}

void family_reset(void)
{
    owner_reset();
    member_reset();
    g_family_role = FAMILY_ALONE;
}
