/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Hard links: counts, content, limits. */
#include "app.h"

int main(void)
{
    scratch();
    struct stat a, b;

    make("f", "x");
    mkdir("d", 0755);
    SHOW(link("f", "g"));
    SHOW(link("f", "g"));
    SHOW(link("d", "e"));
    SHOW(link("none", "h"));
    stat("f", &a);
    stat("g", &b);
    SHOW(a.st_ino == b.st_ino && a.st_nlink == 2);
    make("g", "changed");
    show_file("f");
    SHOW(unlink("f"));
    stat("g", &b);
    SHOW(b.st_nlink);
    SHOW(b.st_ino == a.st_ino);
    SHOW(link("/proc/version", "v"));
    symlink("g", "s");
    SHOW(linkat(AT_FDCWD, "s", AT_FDCWD, "s2", 0));
    lstat("s2", &b);
    SHOW(S_ISLNK(b.st_mode));
    SHOW(linkat(AT_FDCWD, "s", AT_FDCWD, "g2", AT_SYMLINK_FOLLOW));
    lstat("g2", &b);
    SHOW(S_ISREG(b.st_mode));
    return 0;
}
