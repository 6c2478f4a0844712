/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* A thousand files in a tree, walked with nftw. */
#include <ftw.h>

#include "app.h"

static int g_files, g_dirs;
static long g_bytes;

static int visit(const char *path, const struct stat *st, int type, struct FTW *f)
{
    g_files += type == FTW_F;
    g_dirs += type == FTW_D;
    g_bytes += type == FTW_F ? st->st_size : 0;
    return 0;
}

int main(void)
{
    scratch();
    char name[64];

    for (int d = 0; d < 10; d++) {
        snprintf(name, sizeof(name), "d%d", d);
        mkdir(name, 0755);
        for (int i = 0; i < 100; i++) {
            snprintf(name, sizeof(name), "d%d/f%d", d, i);
            make(name, name);
        }
    }
    SHOW(nftw(".", visit, 16, FTW_PHYS));
    SHOW(g_files);
    SHOW(g_dirs);
    SHOW(g_bytes);
    return 0;
}
