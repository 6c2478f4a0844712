/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* O_DIRECT pipes keep packets. */
#include "app.h"

int main(void)
{
    scratch();
    int fds[2];
    char buf[16];

    SHOW(pipe2(fds, O_DIRECT));
    SHOW(write(fds[1], "first", 5));
    SHOW(write(fds[1], "second", 6));
    SHOW(read(fds[0], buf, 3));
    SHOW(read(fds[0], buf, 16));
    return 0;
}
