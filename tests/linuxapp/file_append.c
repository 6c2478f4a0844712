/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* O_APPEND on two descriptors, and fcntl turning it on. */
#include "app.h"

int main(void)
{
    scratch();
    int a = open("f", O_CREAT | O_WRONLY | O_APPEND, 0600);
    int b = open("f", O_WRONLY);

    SHOW(write(a, "one", 3));
    SHOW(write(b, "TWO", 3));
    SHOW(fcntl(b, F_SETFL, O_APPEND));
    SHOW(write(b, "three", 5));
    SHOW(pwrite(a, "x", 1, 0));
    show_file("f");
    SHOW((fcntl(b, F_GETFL) & (O_ACCMODE | O_APPEND)) == (O_WRONLY | O_APPEND));
    return 0;
}
