/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "core/types.h"

/* Maps the vDSO into the application: a page of data ([vvar]) and behind it the object itself
 * ([vdso]), whose address goes into AT_SYSINFO_EHDR. 0 or -Exxx. */
[[nodiscard]] int vdso_map(uint64_t *ret);

/* The address space goes: nothing is written to the old data page any more. */
void vdso_forget(void);
