/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * /dev/nacre. The device is in no tree but the agent's, and every call looks at the state of the
 * start as well: a descriptor that lived on would be good for nothing.
 */

#include "libos/boot/protected_internal.h"

#include "core/ct.h"
#include "libos/attest/report.h"
#include "libos/boot/boot.h"
#include "libos/lib/str.h"
#include "libos/lib/strbuf.h"
#include "libos/mm/kmem.h"
#include "libos/mm/user.h"

/* Gives `size` bytes to the agent, or tells how many there are. */
static int64_t put_buffer(uint64_t user, const struct agent_buffer *room, const void *data,
                          size_t size)
{
    const struct agent_buffer answer = {.data = room->data, .size = size};
    int r = size > room->size ? -ENOSPC : user_copy_out(room->data, data, size);
    int told = user_put(user, &answer);

    return r < 0 ? r : told;
}

static int64_t get_manifest(uint64_t arg)
{
    struct agent_buffer room;
    int r = user_get(&room, arg);

    return r < 0 ? r : put_buffer(arg, &room, g_protected.bytes, g_protected.size);
}

/* ---- hints ---- */

static void add_hint(struct strbuf *out, const char *key, const char *value, size_t len)
{
    strbuf_puts(out, key);
    strbuf_add(out, "=", 1);
    strbuf_add(out, value, len);
    strbuf_add(out, "", 1);
}

static void add_environment(struct strbuf *out)
{
    for (size_t i = 0; i < g_boot.envc; i++) {
        const char *s = g_boot.envp[i];
        const char *end = str_chr(s, '=');

        if (end != NULL && manifest_allows_name(&g_protected.manifest, s, (size_t)(end - s))) {
            add_hint(out, "env", s, str_len(s));
        }
    }
}

static int64_t get_hints(uint64_t arg)
{
    static const char *const passed[] = {"cas", "config-id", "cas-timeout", "cas-note"};
    struct strbuf out = {0};
    struct agent_buffer room;
    int64_t r = user_get(&room, arg);

    if (r < 0) {
        return r;
    }
    for (size_t k = 0; k < ARRAY_COUNT(passed); k++) {
        const char *v;

        for (size_t i = 0; (v = protected_option(passed[k], i)) != NULL; i++) {
            add_hint(&out, passed[k], v, str_len(v));
        }
    }
    for (size_t i = 0;; i++) {
        const char *v = protected_option("volume", i);
        const char *name;
        int fd;

        if (v == NULL) {
            break;
        }
        name = protected_descriptor(v, &fd);
        if (name != NULL) {
            add_hint(&out, "volume", name, str_len(name));
        }
    }
    add_environment(&out);
    r = out.failed ? -ENOMEM : put_buffer(arg, &room, out.s, out.len);
    strbuf_free(&out);
    return r;
}

/* ---- the rest ---- */

static int64_t get_quote(uint64_t arg)
{
    const uint64_t at = arg + offsetof(struct agent_quote, out);
    struct agent_quote q;
    uint8_t *quote;
    size_t size;
    int64_t r = user_get(&q, arg);

    if (r == 0 && !report_data_reserved(q.report_data)) {
        r = -EINVAL; /* the agent speaks as the agent */
    }
    if (r == 0) {
        r = attest_quote(q.report_data, &quote, &size);
    }
    if (r < 0) {
        return r;
    }
    r = put_buffer(at, &q.out, quote, size);
    kfree(quote);
    return r;
}

static int64_t start(uint64_t arg)
{
    char message[AGENT_MESSAGE_SIZE] = "";
    struct agent_start s;
    size_t pages;
    uint8_t *copy;
    int r = user_get(&s, arg);

    if (r < 0) {
        return r;
    }
    if (s.size > AGENT_RECORD_MAX) {
        return -E2BIG;
    }
    pages = MAX(page_align_up(s.size), (uint64_t)NACRE_PAGE_SIZE) >> NACRE_PAGE_SHIFT;
    copy = kpages_alloc(pages);
    if (copy == NULL) {
        return -ENOMEM;
    }
    r = user_copy_in(copy, s.record, s.size);
    if (r == 0) {
        r = provision_start(copy, s.size, message);
    }
    ct_wipe(copy, s.size);
    kpages_free(copy, pages);
    if (r < 0 &&
        user_copy_out(arg + offsetof(struct agent_start, message), message, sizeof(message)) < 0) {
        return -EFAULT;
    }
    return r;
}

static int64_t device_ioctl(struct file *f, uint32_t request, uint64_t arg)
{
    if (g_protected.state != AGENT_RUNS) {
        return g_protected.state == AGENT_FAILED ? -EPERM : -ENODEV;
    }
    switch (request) {
    case AGENT_GET_MANIFEST: return get_manifest(arg);
    case AGENT_GET_HINTS: return get_hints(arg);
    case AGENT_GET_QUOTE: return get_quote(arg);
    case AGENT_START: return start(arg);
    default: return -ENOTTY;
    }
}

static int64_t device_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    return -EINVAL;
}

static int64_t device_write(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    return -EINVAL;
}

static uint32_t device_poll(struct file *f, struct poll_table *pt)
{
    return 0;
}

const struct file_ops g_agent_device_ops = {
    .name = "/dev/nacre",
    .read = device_read,
    .write = device_write,
    .poll = device_poll,
    .ioctl = device_ioctl,
};
