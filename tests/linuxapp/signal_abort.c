/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* abort() with a handler that returns still ends the process by SIGABRT. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void handler(int signo)
{
    (void)!write(1, "handler\n", 8);
}

int main(void)
{
    signal(SIGABRT, handler);
    abort();
}
