/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* What an ELF file asks the dynamic linker for. The file is foreign. */

#include "core/types.h"

#define ELF_NEEDS_MAX 512u

struct elf_needs {
    const char *names[ELF_NEEDS_MAX]; /* DT_NEEDED; borrowed from the file's bytes, as all texts */
    size_t count;
    const char *rpath;   /* or NULL */
    const char *runpath; /* or NULL */
    const char *interpreter;
    bool audited; /* DT_AUDIT, DT_DEPAUDIT, DT_AUXILIARY or DT_FILTER: names more than is listed */
};

/* -ENOEXEC: not an ELF file for x86-64 or one that contradicts itself. A file without a dynamic
 * section needs nothing. */
[[nodiscard]] int elf_needs_read(const void *data, size_t size, struct elf_needs *ret);
