/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Unaligned loads and stores of fixed endianness. */

#include "core/types.h"

#define LE_DEFINE_(bits)                                           \
    static inline uint##bits##_t le##bits##_load(const void *p)    \
    {                                                              \
        uint##bits##_t v;                                          \
        __builtin_memcpy(&v, p, sizeof(v));                        \
        return v;                                                  \
    }                                                              \
    static inline void le##bits##_store(void *p, uint##bits##_t v) \
    {                                                              \
        __builtin_memcpy(p, &v, sizeof(v));                        \
    }                                                              \
    static inline uint##bits##_t be##bits##_load(const void *p)    \
    {                                                              \
        return __builtin_bswap##bits(le##bits##_load(p));          \
    }                                                              \
    static inline void be##bits##_store(void *p, uint##bits##_t v) \
    {                                                              \
        le##bits##_store(p, __builtin_bswap##bits(v));             \
    }

LE_DEFINE_(16)
LE_DEFINE_(32)
LE_DEFINE_(64)
#undef LE_DEFINE_
