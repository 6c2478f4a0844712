/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The library OS's own heap. NULL when memory is exhausted: every caller turns that into -ENOMEM.
 */

#include "core/types.h"

void *kmalloc(size_t size); /* 16-byte aligned; not cleared */
void *kzalloc(size_t size);
void *krealloc(void *p, size_t size);
void kfree(void *p); /* NULL is fine */
char *kstrdup(const char *s);
char *kstrndup(const char *s, size_t max);
/* Page-aligned memory of whole pages. */
void *kpages_alloc(size_t pages);
void kpages_free(void *p, size_t pages);

static inline void kfreep(void *p)
{
    void *v;

    __builtin_memcpy(&v, p, sizeof(v));
    kfree(v);
}
#define _cleanup_kfree_ _cleanup_(kfreep)
