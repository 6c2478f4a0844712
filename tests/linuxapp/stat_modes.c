/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Modes, umask, chmod, setgid directories. */
#include "app.h"

int main(void)
{
    scratch();
    struct stat st;

    umask(027);
    SHOW(close(open("f", O_CREAT | O_WRONLY, 0666)));
    stat("f", &st);
    printf("%o\n", st.st_mode);
    SHOW(mkdir("d", 0777));
    stat("d", &st);
    printf("%o\n", st.st_mode);
    SHOW(chmod("f", 04755));
    stat("f", &st);
    printf("%o\n", st.st_mode);
    SHOW(chmod("none", 0));
    SHOW(fchmod(99, 0));
    SHOW(chmod("d", 02755));
    mkdir("d/sub", 0755);
    stat("d/sub", &st);
    printf("%o\n", st.st_mode);
    symlink("f", "l");
    lstat("l", &st);
    printf("%o\n", st.st_mode);
    SHOW(st.st_size);
    printf("%o\n", umask(0));
    return 0;
}
