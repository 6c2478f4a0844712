/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A bounded read position over foreign bytes: the only way parsers look at them. Every read either
 * succeeds and advances, or returns -EBADMSG and moves nothing. Finish with cursor_done(): trailing
 * data is an error.
 */

#include "core/types.h"

struct cursor {
    const uint8_t *p; /* borrowed */
    size_t left;      /* bytes from p to the end */
};

static inline struct cursor cursor_make(const void *p, size_t size)
{
    return (struct cursor){.p = p, .left = size};
}

/* Points *ret_p at the next `size` bytes and steps over them. */
[[nodiscard]] int cursor_bytes(struct cursor *c, size_t size, const uint8_t **ret_p);
[[nodiscard]] int cursor_copy(struct cursor *c, void *dst, size_t size);
[[nodiscard]] int cursor_skip(struct cursor *c, size_t size);
/* Cuts the next `size` bytes off into a cursor of their own. */
[[nodiscard]] int cursor_sub(struct cursor *c, size_t size, struct cursor *ret);

[[nodiscard]] int cursor_u8(struct cursor *c, uint8_t *ret);
[[nodiscard]] int cursor_u16le(struct cursor *c, uint16_t *ret);
[[nodiscard]] int cursor_u32le(struct cursor *c, uint32_t *ret);
[[nodiscard]] int cursor_u64le(struct cursor *c, uint64_t *ret);
[[nodiscard]] int cursor_u16be(struct cursor *c, uint16_t *ret);
[[nodiscard]] int cursor_u32be(struct cursor *c, uint32_t *ret);
[[nodiscard]] int cursor_u64be(struct cursor *c, uint64_t *ret);

/* 0 when everything was consumed, else -EBADMSG. */
[[nodiscard]] int cursor_done(const struct cursor *c);
