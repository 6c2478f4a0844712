/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* One ENCLU leaf that stays inside (boot/entry.S); RAX as the processor left it. `rbx` must be
 * aligned as the leaf demands. */

#include "core/types.h"

uint64_t enclu(uint64_t leaf, const void *rbx, uint64_t rcx, uint64_t rdx);
