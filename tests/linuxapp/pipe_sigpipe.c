/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* SIGPIPE and EPIPE. */
#include <signal.h>

#include "app.h"

static volatile int g_count;

static void handler(int s)
{
    g_count++;
}

int main(void)
{
    scratch();
    int fds[2];

    signal(SIGPIPE, handler);
    SHOW(pipe(fds));
    close(fds[0]);
    SHOW(write(fds[1], "x", 1));
    SHOW(g_count);
    signal(SIGPIPE, SIG_IGN);
    SHOW(write(fds[1], "x", 1));
    SHOW(g_count);
    return 0;
}
