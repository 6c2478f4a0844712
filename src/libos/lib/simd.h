/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The library OS leaves vector registers alone: they hold the application's state through a system
 * call. Code that calls into files built with SIMD (SHA-256, AES-GCM) puts the call between
 * simd_begin and simd_end, which save and restore the whole of it. Not nested; no wait and no host
 * call in between.
 */

#include "core/types.h"

struct simd_state {
    uint8_t area[3072] _aligned_(64);
};

void simd_begin(struct simd_state *s);
void simd_end(struct simd_state *s);
