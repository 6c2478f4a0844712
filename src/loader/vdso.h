/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Finding a function in the kernel's vDSO, an ELF image the kernel maps into every process. It is
 * the kernel's, but it is parsed as any other ELF file: bounded, every offset checked. */

#include "core/types.h"

#define VDSO_SIZE_MAX ((size_t)1 << 20)

/* How many bytes of the image are mapped, told by its first page. -EINVAL. */
[[nodiscard]] int vdso_size(const uint8_t *first_page, size_t *ret);

/* Offset of the function `name` from the start of the image. -ENOENT: it has none; -EINVAL: the
 * image makes no sense. */
[[nodiscard]] int vdso_find(const uint8_t *image, size_t size, const char *name, uint64_t *ret);
