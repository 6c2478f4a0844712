/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* rename in every combination that matters. */
/* not: musl it has no renameat2 */
#include "app.h"

int main(void)
{
    scratch();
    make("a", "a");
    make("b", "b");
    mkdir("d", 0755);
    mkdir("e", 0755);
    make("e/x", "x");
    SHOW(rename("a", "b"));
    show_file("b");
    SHOW(rename("a", "c"));
    SHOW(rename("b", "d"));
    SHOW(rename("d", "b"));
    SHOW(rename("d", "e"));
    SHOW(rename("e", "d"));
    show_file("d/x");
    SHOW(rename("d", "d/sub"));
    SHOW(rename("d", "d"));
    SHOW(rename("d/.", "q"));
    SHOW(rename("b", "none/b"));
    make("n", "n");
    SHOW(renameat2(AT_FDCWD, "n", AT_FDCWD, "b", RENAME_NOREPLACE));
    SHOW(renameat2(AT_FDCWD, "n", AT_FDCWD, "d", RENAME_EXCHANGE));
    show_file("d");
    show_file("n/x");
    SHOW(renameat2(AT_FDCWD, "n", AT_FDCWD, "zz", RENAME_EXCHANGE));
    SHOW(renameat2(AT_FDCWD, "n", AT_FDCWD, "zz", RENAME_EXCHANGE | RENAME_NOREPLACE));
    link("b", "b2");
    SHOW(rename("b", "b2"));
    show_file("b");
    return 0;
}
