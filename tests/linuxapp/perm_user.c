/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Permissions of another user. */
#include "app.h"

int main(void)
{
    scratch();
    make("own", "root");
    chmod("own", 0600);
    make("all", "all");
    chmod("all", 0644);
    mkdir("locked", 0700);
    make("locked/in", "x");
    mkdir("sticky", 01777);
    make("sticky/theirs", "x");
    chmod(".", 0777);
    SHOW(setresgid(1234, 1234, 1234));
    SHOW(setresuid(1234, 1234, 1234));
    OK(open("own", O_RDONLY));
    OK(open("all", O_RDONLY));
    OK(open("all", O_WRONLY));
    OK(open("locked/in", O_RDONLY));
    SHOW(chmod("all", 0777));
    SHOW(chown("all", 1234, 1234));
    SHOW(unlink("sticky/theirs"));
    SHOW(rename("sticky/theirs", "sticky/x"));
    OK(open("mine", O_CREAT | O_RDWR, 0200));
    OK(open("mine", O_RDONLY));
    SHOW(chmod("mine", 0600));
    SHOW(chown("mine", 0, -1));
    SHOW(access("own", R_OK));
    SHOW(unlink("mine"));
    SHOW(mkdir("/nacre-x", 0755));
    SHOW(link("own", "own2") == 0 || errno == EPERM);
    return 0;
}
