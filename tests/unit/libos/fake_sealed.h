/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include <stdint.h>

/* From the n-th copy out of a mapped sealed image on (1: the next), the host has cut the file and
 * copies fault; 0: never. */
void fake_sealed_cut_at(uint64_t n);
