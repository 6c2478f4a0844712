/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "core/types.h"

/* The program break: moves it if it can, returns where it is. */
uint64_t mm_brk(uint64_t wanted);
/* Where the heap of a program begins (page aligned). */
void mm_brk_set(uint64_t start);
