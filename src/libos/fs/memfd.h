/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* memfd_create(2) and seals. */

#include "libos/fs/file.h"

[[nodiscard]] int memfd_create_file(const char *name, uint32_t flags, struct file **ret);
/* F_ADD_SEALS, F_GET_SEALS. -EINVAL for files that do not take seals. */
[[nodiscard]] int64_t memfd_add_seals(struct file *f, uint32_t seals);
[[nodiscard]] int64_t memfd_get_seals(const struct file *f);
