/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* utimensat and friends. */
#include "app.h"

int main(void)
{
    scratch();
    struct timespec ts[2] = {{1000000000, 123456789}, {-5, 999999999}};
    struct stat st;

    make("f", "x");
    SHOW(utimensat(AT_FDCWD, "f", ts, 0));
    stat("f", &st);
    printf("%ld.%09ld %ld.%09ld\n", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec,
           st.st_mtim.tv_nsec);
    ts[0].tv_nsec = UTIME_OMIT;
    ts[1].tv_sec = 8589934592;
    ts[1].tv_nsec = 0;
    SHOW(utimensat(AT_FDCWD, "f", ts, 0));
    stat("f", &st);
    printf("%ld %ld\n", st.st_atim.tv_sec, st.st_mtim.tv_sec);
    ts[1].tv_nsec = 1000000000;
    SHOW(utimensat(AT_FDCWD, "f", ts, 0));
    SHOW(utimensat(AT_FDCWD, "none", NULL, 0));
    symlink("f", "l");
    ts[0] = ts[1] = (struct timespec){77, 0};
    SHOW(utimensat(AT_FDCWD, "l", ts, AT_SYMLINK_NOFOLLOW));
    lstat("l", &st);
    SHOW(st.st_mtim.tv_sec);
    int fd = open("f", O_RDONLY);
    SHOW(futimens(fd, ts));
    stat("f", &st);
    SHOW(st.st_mtim.tv_sec);
    return 0;
}
