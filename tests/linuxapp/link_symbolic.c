/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Symbolic links: chains, loops, lengths. */
#include "app.h"

int main(void)
{
    scratch();
    char buf[300];
    char name[16], to[16];

    make("f", "end");
    symlink("f", "l0");
    for (int i = 1; i < 45; i++) {
        snprintf(name, sizeof(name), "l%d", i);
        snprintf(to, sizeof(to), "l%d", i - 1);
        symlink(to, name);
    }
    show_file("l10");
    show_file("l39");
    show_file("l40");
    symlink("loop", "loop");
    OK(open("loop", O_RDONLY));
    SHOW(readlink("l1", buf, sizeof(buf)));
    SHOW(readlink("l1", buf, 1));
    SHOW(readlink("f", buf, 1));
    SHOW(readlink("none", buf, 1));
    SHOW(symlink("", "e"));
    SHOW(symlink("x", "f"));
    mkdir("d", 0755);
    symlink("d", "dl");
    make("dl/in", "inside");
    show_file("d/in");
    OK(open("f/../f", O_RDONLY));
    return 0;
}
