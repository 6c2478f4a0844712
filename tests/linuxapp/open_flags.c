/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* What open(2) answers to its flags. */
#include "app.h"

int main(void)
{
    scratch();
    make("f", "text");
    mkdir("d", 0755);
    symlink("f", "l");
    symlink("none", "dangling");
    OK(open("f", O_CREAT | O_EXCL, 0600));
    OK(open("none", O_RDONLY));
    OK(open("d", O_WRONLY));
    OK(open("d", O_RDONLY | O_DIRECTORY));
    OK(open("f", O_RDONLY | O_DIRECTORY));
    OK(open("l", O_RDONLY | O_NOFOLLOW));
    OK(open("l", O_PATH | O_NOFOLLOW));
    OK(open("f/", O_RDONLY));
    OK(open("f/x", O_RDONLY));
    OK(open("dangling", O_RDONLY));
    OK(open("dangling", O_CREAT | O_EXCL, 0600));
    OK(open("dangling", O_CREAT | O_WRONLY, 0600));
    OK(access("none", F_OK));
    OK(open("d/new/", O_CREAT | O_WRONLY, 0600));
    OK(open("", O_RDONLY));
    return 0;
}
