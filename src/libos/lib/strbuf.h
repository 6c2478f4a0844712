/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Text that grows (the files of /proc). After a failed allocation it stays as it was and `failed`
 * tells. */

#include "libos/libos.h"

struct strbuf {
    char *s; /* kmalloc'd; terminated when len > 0 */
    size_t len;
    size_t cap;
    bool failed;
};

/* Room for at least `more` chars and a terminator behind the end. */
bool strbuf_reserve(struct strbuf *b, size_t more);
void strbuf_add(struct strbuf *b, const void *s, size_t len);
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_free(struct strbuf *b);

/* kprintf at the end of the buffer. A macro because kprintf has no va_list form. */
#define strbuf_printf(b, ...)                                                                 \
    do {                                                                                      \
        struct strbuf *sb_ = (b);                                                             \
        if (strbuf_reserve(sb_, 128)) {                                                       \
            int sb_n_ = kprintf(sb_->s + sb_->len, sb_->cap - sb_->len, __VA_ARGS__);         \
            if ((size_t)sb_n_ >= sb_->cap - sb_->len && strbuf_reserve(sb_, (size_t)sb_n_)) { \
                sb_n_ = kprintf(sb_->s + sb_->len, sb_->cap - sb_->len, __VA_ARGS__);         \
            }                                                                                 \
            if ((size_t)sb_n_ < sb_->cap - sb_->len) {                                        \
                sb_->len += (size_t)sb_n_;                                                    \
            }                                                                                 \
        }                                                                                     \
    } while (0)
