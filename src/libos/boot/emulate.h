/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "libos/proc/thread.h"

/* Instructions an enclave may not execute and programs do: CPUID. True: done, rip moved on. */
bool emulate_instruction(struct cpu_context *ctx);

/* What CPUID answers here: eax, ebx, ecx, edx. */
void emulate_cpuid(uint32_t leaf, uint32_t sub, uint32_t ret[4]);
