/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Release by scope for hosted code: `_cleanup_free_ char *s = …;` and friends. */

#include "core/types.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void freep(void *p)
{
    void *v;

    __builtin_memcpy(&v, p, sizeof(v));
    free(v);
}

static inline void closep(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static inline void fclosep(FILE **f)
{
    if (*f != NULL) {
        (void)fclose(*f);
    }
}

#define _cleanup_free_   _cleanup_(freep)
#define _cleanup_close_  _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

/* Hands a descriptor over: yields it and leaves -1 behind. */
#define TAKE_FD(fd)              \
    ({                           \
        int *take_fd_ = &(fd);   \
        int take_v_ = *take_fd_; \
        *take_fd_ = -1;          \
        take_v_;                 \
    })
