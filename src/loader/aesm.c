/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/aesm.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/cursor.h"
#include "core/le.h"

/* Field numbers of aesm.message.Request and Response: the same for a request and its answer. */
enum aesm_call {
    AESM_INIT_QUOTE_EX = 15,
    AESM_QUOTE_SIZE_EX = 16,
    AESM_QUOTE_EX = 17,
    AESM_KEY_ID_COUNT = 21,
    AESM_KEY_IDS = 22,
};

#define WIRE_VARINT  0u
#define WIRE_BYTES   2u
#define WIRE_FIXED64 1u
#define WIRE_FIXED32 5u

/* sgx_att_key_id_ext_t: 256 bytes, the algorithm at 154. */
#define KEY_ID_SIZE         256u
#define KEY_ID_ALGORITHM_AT 154u
#define ALGORITHM_ECDSA     2u /* ECDSA-256 with curve P-256 */
#define KEY_IDS_MAX         32u
#define QUOTE_MAX           ((size_t)64 << 10)

/* --- writing: the largest request is a report, a key id and a few numbers --- */

struct message {
    uint8_t data[sizeof(struct sgx_report) + KEY_ID_SIZE + 64];
    size_t size;
};

static void put_varint(struct message *m, uint64_t v)
{
    while (v >= 0x80) {
        m->data[m->size++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    m->data[m->size++] = (uint8_t)v;
}

static void put_number(struct message *m, uint32_t field, uint64_t v)
{
    put_varint(m, field << 3 | WIRE_VARINT);
    put_varint(m, v);
}

static void put_bytes(struct message *m, uint32_t field, const void *p, size_t size)
{
    put_varint(m, field << 3 | WIRE_BYTES);
    put_varint(m, size);
    memcpy(m->data + m->size, p, size);
    m->size += size;
}

/* --- reading --- */

static int get_varint(struct cursor *c, uint64_t *ret)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b;

        if (cursor_u8(c, &b) < 0) {
            return -EBADMSG;
        }
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *ret = v;
            return 0;
        }
    }
    return -EBADMSG;
}

/* One field; bytes in *ret_bytes or a number in *ret_number. */
static int next_field(struct cursor *c, uint32_t *ret_field, uint64_t *ret_number,
                      struct cursor *ret_bytes)
{
    uint64_t key;
    uint64_t size;

    if (get_varint(c, &key) < 0 || key >> 3 == 0 || key >> 3 > UINT32_MAX) {
        return -EBADMSG;
    }
    *ret_field = (uint32_t)(key >> 3);
    *ret_number = 0;
    *ret_bytes = (struct cursor){};
    switch (key & 7) {
    case WIRE_VARINT: return get_varint(c, ret_number);
    case WIRE_FIXED64: return cursor_skip(c, 8);
    case WIRE_FIXED32: return cursor_skip(c, 4);
    case WIRE_BYTES: return get_varint(c, &size) < 0 ? -EBADMSG : cursor_sub(c, size, ret_bytes);
    default: return -EBADMSG;
    }
}

/* What an answer may hold: errorCode is field 1 of each; the others by number. */
struct answer {
    uint8_t *data; /* malloc'd */
    uint64_t error;
    bool have_error;
    uint64_t number2, number3;
    struct cursor bytes2;
};

static int parse_answer(enum aesm_call call, size_t size, struct answer *a)
{
    struct cursor outer = cursor_make(a->data, size);
    struct cursor inner = {};
    struct cursor bytes;
    uint64_t number;
    uint32_t field;

    while (outer.left > 0) {
        if (next_field(&outer, &field, &number, &bytes) < 0) {
            return -EBADMSG;
        }
        if (field == (uint32_t)call) {
            inner = bytes;
        }
    }
    while (inner.left > 0) {
        if (next_field(&inner, &field, &number, &bytes) < 0) {
            return -EBADMSG;
        }
        if (field == 1) {
            a->error = number;
            a->have_error = true;
        } else if (field == 2) {
            a->number2 = number;
            a->bytes2 = bytes;
        } else if (field == 3) {
            a->number3 = number;
        }
    }
    return a->have_error ? 0 : -EBADMSG;
}

static void answer_free(struct answer *a)
{
    free(a->data);
}

/* Sends `m` as the body of `call`. */
static int ask(aesm_exchange exchange, enum aesm_call call, const struct message *body,
               struct answer *ret, struct error **err)
{
    uint8_t request[sizeof(body->data) + 16];
    struct message head = {};
    size_t size;
    int r;

    put_varint(&head, (uint64_t)call << 3 | WIRE_BYTES);
    put_varint(&head, body->size);
    memcpy(request, head.data, head.size);
    memcpy(request + head.size, body->data, body->size);
    r = exchange(request, head.size + body->size, &ret->data, &size);
    if (r < 0) {
        return error_set_errno(
            err, -r,
            "asking AESM at %s (is the aesmd service of Intel's SGX PSW running, "
            "with its quote-ex plug-in?)",
            AESM_SOCKET);
    }
    r = parse_answer(call, size, ret);
    if (r < 0) {
        return error_set(err, EBADMSG, "AESM's answer to call %d cannot be read", call);
    }
    if (ret->error != 0) {
        return error_set(err, EIO, "AESM refused call %d with its error %ju", call,
                         (uintmax_t)ret->error);
    }
    return 0;
}

/* The attestation key that makes ECDSA quotes, among those the service offers. */
static int choose_key(aesm_exchange exchange, uint8_t ret_key[static KEY_ID_SIZE],
                      struct error **err)
{
    _cleanup_(answer_free) struct answer count = {};
    _cleanup_(answer_free) struct answer ids = {};
    struct message m = {};
    int r = ask(exchange, AESM_KEY_ID_COUNT, &m, &count, err);

    if (r < 0) {
        return r;
    }
    if (count.number2 == 0 || count.number2 > KEY_IDS_MAX) {
        return error_set(err, EBADMSG, "AESM offers %ju attestation keys, not 1 to %u",
                         (uintmax_t)count.number2, KEY_IDS_MAX);
    }
    put_number(&m, 1, count.number2 * KEY_ID_SIZE);
    r = ask(exchange, AESM_KEY_IDS, &m, &ids, err);
    if (r < 0) {
        return r;
    }
    while (ids.bytes2.left >= KEY_ID_SIZE) {
        const uint8_t *id;

        if (cursor_bytes(&ids.bytes2, KEY_ID_SIZE, &id) == 0 &&
            le32_load(id + KEY_ID_ALGORITHM_AT) == ALGORITHM_ECDSA) {
            memcpy(ret_key, id, KEY_ID_SIZE);
            return 0;
        }
    }
    return error_set(err, ENOENT, "AESM offers no ECDSA P-256 attestation key (only EPID?)");
}

/* First asked without, then with room for the key's public identity: that is what certifies it. */
static int init_key(aesm_exchange exchange, const uint8_t *key, struct sgx_targetinfo *ret,
                    struct error **err)
{
    _cleanup_(answer_free) struct answer first = {};
    _cleanup_(answer_free) struct answer second = {};
    struct message m = {};
    int r;

    put_bytes(&m, 1, key, KEY_ID_SIZE);
    put_number(&m, 3, 0);
    r = ask(exchange, AESM_INIT_QUOTE_EX, &m, &first, err);
    if (r < 0) {
        return r;
    }
    if (first.number3 == 0 || first.number3 > AESM_MESSAGE_MAX) {
        return error_set(err, EBADMSG, "AESM says the key's identity has %ju bytes",
                         (uintmax_t)first.number3);
    }
    m.size = 0;
    put_bytes(&m, 1, key, KEY_ID_SIZE);
    put_number(&m, 3, 1);
    put_number(&m, 4, first.number3);
    r = ask(exchange, AESM_INIT_QUOTE_EX, &m, &second, err);
    if (r < 0) {
        return r;
    }
    if (cursor_copy(&second.bytes2, ret, sizeof(*ret)) < 0 || cursor_done(&second.bytes2) < 0) {
        return error_set(err, EBADMSG, "AESM's target info is not %zu bytes", sizeof(*ret));
    }
    return 0;
}

int aesm_quote_target(aesm_exchange exchange, struct sgx_targetinfo *ret, struct error **err)
{
    uint8_t key[KEY_ID_SIZE];
    int r = choose_key(exchange, key, err);

    return r < 0 ? r : init_key(exchange, key, ret, err);
}

int aesm_quote(aesm_exchange exchange, const struct sgx_report *report, uint8_t **ret_quote,
               size_t *ret_size, struct error **err)
{
    _cleanup_(answer_free) struct answer size = {};
    _cleanup_(answer_free) struct answer quote = {};
    uint8_t key[KEY_ID_SIZE];
    struct message m = {};
    uint8_t *copy;
    int r = choose_key(exchange, key, err);

    if (r < 0) {
        return r;
    }
    put_bytes(&m, 1, key, KEY_ID_SIZE);
    r = ask(exchange, AESM_QUOTE_SIZE_EX, &m, &size, err);
    if (r < 0) {
        return r;
    }
    if (size.number2 == 0 || size.number2 > QUOTE_MAX) {
        return error_set(err, EBADMSG, "AESM says a quote has %ju bytes", (uintmax_t)size.number2);
    }
    m.size = 0;
    put_bytes(&m, 1, report, sizeof(*report));
    put_bytes(&m, 2, key, KEY_ID_SIZE);
    put_number(&m, 4, size.number2);
    r = ask(exchange, AESM_QUOTE_EX, &m, &quote, err);
    if (r < 0) {
        return r;
    }
    if (quote.bytes2.left == 0 || quote.bytes2.left > size.number2) {
        return error_set(err, EBADMSG, "AESM's quote has %zu bytes, up to %ju were announced",
                         quote.bytes2.left, (uintmax_t)size.number2);
    }
    copy = malloc(quote.bytes2.left);
    if (copy == NULL) {
        return error_set_errno(err, ENOMEM, "keeping the quote");
    }
    memcpy(copy, quote.bytes2.p, quote.bytes2.left);
    *ret_quote = copy;
    *ret_size = quote.bytes2.left;
    return 0;
}
