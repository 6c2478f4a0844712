/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* statx: masks and fields. */
/* not: musl it has no statx */
#include "app.h"

int main(void)
{
    scratch();
    struct statx sx;

    make("f", "12345");
    SHOW(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &sx));
    SHOW(sx.stx_size);
    SHOW(sx.stx_nlink);
    printf("%o\n", sx.stx_mode);
    SHOW((sx.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
    int fd = open("f", O_RDONLY);
    SHOW(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &sx));
    SHOW(statx(fd, "", 0, STATX_SIZE, &sx));
    SHOW(statx(AT_FDCWD, "f", 0x80, STATX_SIZE, &sx));
    SHOW(statx(AT_FDCWD, "f", 0, 0x80000000u, &sx));
    SHOW(statx(99, "f", 0, STATX_SIZE, &sx));
    return 0;
}
