/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Where the files that were built or installed with this program are. */

#include "base/error.h"

/* The folder this program lies in, malloc'd. */
[[nodiscard]] int install_folder(char **ret, struct error **err);

enum install_file { INSTALL_LIBOS, INSTALL_LOADER, INSTALL_AGENT };

/* `given` when not NULL, else the environment's NACRE_LIBOS, NACRE_LOADER, NACRE_AGENT, else beside
 * this program in a build tree or where `meson install` puts it. malloc'd. -ENOENT names the
 * option.
 */
[[nodiscard]] int install_find(enum install_file which, const char *given, char **ret,
                               struct error **err);
