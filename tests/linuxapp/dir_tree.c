/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* mkdir, rmdir, and what stands in their way. */
#include "app.h"

int main(void)
{
    scratch();
    SHOW(mkdir("a", 0755));
    SHOW(mkdir("a", 0755));
    SHOW(mkdir("a/b", 0700));
    SHOW(mkdir("x/y", 0700));
    SHOW(rmdir("a"));
    make("a/f", "");
    SHOW(rmdir("a/f"));
    SHOW(unlink("a/b"));
    SHOW(rmdir("a/b/."));
    SHOW(rmdir("a/b/.."));
    SHOW(rmdir("a/b/"));
    SHOW(rmdir("/"));
    SHOW(unlink("a/f"));
    SHOW(rmdir("a"));
    SHOW(mkdir("c/", 0755));
    SHOW(mkdirat(open("c", O_RDONLY), "d", 0755));
    SHOW(unlinkat(AT_FDCWD, "c/d", 0));
    SHOW(unlinkat(AT_FDCWD, "c/d", AT_REMOVEDIR));
    return 0;
}
