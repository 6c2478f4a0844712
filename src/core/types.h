/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The vocabulary every component shares. Freestanding: no libc header may appear here, because the
 * trusted build has none. Error numbers are Linux's own (the kernel's UAPI header, not libc's).
 */

#include <asm/errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NACRE_PAGE_SIZE  4096u
#define NACRE_PAGE_SHIFT 12
#define NACRE_PAGE_MASK  (~(uint64_t)(NACRE_PAGE_SIZE - 1))

#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define CONCAT_(a, b) a##b
#define CONCAT(a, b)  CONCAT_(a, b)

/* Evaluated once each; the counter keeps nested uses apart. */
#define MIN(a, b) MIN_(a, b, CONCAT(min_a_, __COUNTER__), CONCAT(min_b_, __COUNTER__))
#define MIN_(a, b, x, y)     \
    ({                       \
        __auto_type x = (a); \
        __auto_type y = (b); \
        x < y ? x : y;       \
    })
#define MAX(a, b) MAX_(a, b, CONCAT(max_a_, __COUNTER__), CONCAT(max_b_, __COUNTER__))
#define MAX_(a, b, x, y)     \
    ({                       \
        __auto_type x = (a); \
        __auto_type y = (b); \
        x > y ? x : y;       \
    })

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define _packed_       __attribute__((packed))
#define _aligned_(n)   __attribute__((aligned(n)))
#define _noinline_     __attribute__((noinline))
#define _noreturn_     __attribute__((noreturn))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _cleanup_(f)   __attribute__((cleanup(f)))

/* Hands a pointer over: yields its value and leaves NULL behind, so that _cleanup_ frees nothing.
 */
#define TAKE_PTR(p)                      \
    ({                                   \
        __auto_type take_pp_ = &(p);     \
        __auto_type take_v_ = *take_pp_; \
        *take_pp_ = NULL;                \
        take_v_;                         \
    })

static inline uint64_t page_align_down(uint64_t v)
{
    return v & NACRE_PAGE_MASK;
}

/* Wraps to 0 for values within a page of 2^64: check with overflow helpers first if foreign. */
static inline uint64_t page_align_up(uint64_t v)
{
    return (v + NACRE_PAGE_SIZE - 1) & NACRE_PAGE_MASK;
}

static inline bool is_page_aligned(uint64_t v)
{
    return (v & (NACRE_PAGE_SIZE - 1)) == 0;
}
