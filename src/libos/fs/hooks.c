/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/hooks.h"

static struct fs_hooks g_hooks;

struct fs_hooks *fs_hooks(void)
{
    return &g_hooks;
}
