/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "core/cursor.h"

#include "core/le.h"

int cursor_bytes(struct cursor *c, size_t size, const uint8_t **ret_p)
{
    if (size > c->left) {
        return -EBADMSG;
    }
    *ret_p = c->p;
    c->p += size;
    c->left -= size;
    return 0;
}

int cursor_copy(struct cursor *c, void *dst, size_t size)
{
    const uint8_t *p;
    int r = cursor_bytes(c, size, &p);

    if (r < 0) {
        return r;
    }
    if (size > 0) {
        __builtin_memcpy(dst, p, size);
    }
    return 0;
}

int cursor_skip(struct cursor *c, size_t size)
{
    const uint8_t *p;

    return cursor_bytes(c, size, &p);
}

int cursor_sub(struct cursor *c, size_t size, struct cursor *ret)
{
    const uint8_t *p;
    int r = cursor_bytes(c, size, &p);

    if (r < 0) {
        return r;
    }
    *ret = cursor_make(p, size);
    return 0;
}

int cursor_u8(struct cursor *c, uint8_t *ret)
{
    return cursor_copy(c, ret, 1);
}

#define CURSOR_DEFINE_(bits, order)                                  \
    int cursor_u##bits##order(struct cursor *c, uint##bits##_t *ret) \
    {                                                                \
        const uint8_t *p;                                            \
        int r = cursor_bytes(c, bits / 8, &p);                       \
                                                                     \
        if (r < 0) {                                                 \
            return r;                                                \
        }                                                            \
        *ret = order##bits##_load(p);                                \
        return 0;                                                    \
    }

CURSOR_DEFINE_(16, le)
CURSOR_DEFINE_(32, le)
CURSOR_DEFINE_(64, le)
CURSOR_DEFINE_(16, be)
CURSOR_DEFINE_(32, be)
CURSOR_DEFINE_(64, be)

int cursor_done(const struct cursor *c)
{
    return c->left == 0 ? 0 : -EBADMSG;
}
