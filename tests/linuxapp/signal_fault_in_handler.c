/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* A second fault while SIGSEGV is blocked ends the process. */
#include <signal.h>
#include <unistd.h>

static void handler(int signo)
{
    (void)!write(1, "first\n", 6);
    *(volatile int *)0 = 1;
    (void)!write(1, "never\n", 6);
}

int main(void)
{
    signal(SIGSEGV, handler);
    *(volatile int *)0 = 1;
    return 0;
}
