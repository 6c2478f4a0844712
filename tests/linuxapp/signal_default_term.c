/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* The default action ends the process; the exit status names the signal. */
#include <signal.h>
#include <stdio.h>

int main(void)
{
    printf("before\n");
    fflush(stdout);
    raise(SIGTERM);
    printf("after\n");
    return 0;
}
