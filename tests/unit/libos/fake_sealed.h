/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include <stdint.h>

/* From the n-th copy out of a mapped sealed image on (1: the next), the host has cut the file and
 * copies fault; 0: never. */
void fake_sealed_cut_at(uint64_t n);
/* The n-th copy from now on finds one bit changed that was right before and is right again
 * afterwards; 0: none does. Ends what fake_sealed_cut_at() began, and the other way round. */
void fake_sealed_change_at(uint64_t n);
