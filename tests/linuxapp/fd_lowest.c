/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Descriptors are always the lowest free ones. */
#include "app.h"

int main(void)
{
    scratch();
    int a = open("/dev/null", O_RDONLY);
    int b = open("/dev/null", O_RDONLY);
    int c = open("/dev/null", O_RDONLY);

    SHOW(b - a);
    SHOW(c - b);
    close(b);
    SHOW(open("/dev/null", O_RDONLY) - a);
    close(a);
    close(c);
    SHOW(open("/dev/zero", O_RDONLY) - a);
    SHOW(open("/dev/zero", O_RDONLY) - a);
    return 0;
}
