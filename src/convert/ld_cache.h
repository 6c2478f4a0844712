/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* /etc/ld.so.cache of glibc, the format since 2.2 ("glibc-ld.so.cache1.1"), alone or behind the old
 * one. The file is foreign. */

#include "core/types.h"

/* Calls `found` with every path the cache has for `name`, in its order. A cache that is none, or
 * contradicts itself, has nothing. Returns what `found` returned when that was not 0. */
int ld_cache_find(const void *data, size_t size, const char *name,
                  int (*found)(void *ctx, const char *path), void *ctx);
