/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* chdir, fchdir, getcwd, and a directory removed from under us. */
#include "app.h"

int main(void)
{
    scratch();
    char buf[4096];

    mkdir("a", 0755);
    mkdir("a/b", 0755);
    int top = open(".", O_RDONLY);

    SHOW(chdir("a/b"));
    puts(strrchr(getcwd(buf, sizeof(buf)), '/'));
    SHOW(chdir(".."));
    puts(strrchr(getcwd(buf, sizeof(buf)), '/'));
    errno = 0;
    SHOW(getcwd(buf, 3) == NULL && errno == ERANGE);
    SHOW(chdir("b"));
    SHOW(rmdir("../b"));
    errno = 0;
    SHOW(getcwd(buf, sizeof(buf)) == NULL && errno == ENOENT);
    SHOW(open("new", O_CREAT | O_WRONLY, 0600));
    SHOW(fchdir(top));
    SHOW(chdir("none"));
    make("f", "");
    SHOW(chdir("f"));
    SHOW(chdir("/"));
    puts(getcwd(buf, sizeof(buf)));
    return 0;
}
