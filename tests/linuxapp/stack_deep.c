/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <stdio.h>
#include <string.h>

static int deep(int n)
{
    char frame[8000];

    memset(frame, n, sizeof(frame));
    return n == 0 ? frame[100] : deep(n - 1) + (frame[7999] == (char)n);
}

int main(void)
{
    printf("depth %d\n", deep(900)); /* about 7.2 MiB */
    return 0;
}
