/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
    char *start = (char *)syscall(SYS_brk, 0);
    char *end;

    end = (char *)syscall(SYS_brk, start + 100000);
    printf("grown by what was asked %d\n", end == start + 100000);
    memset(start, 7, 100000);
    end = (char *)syscall(SYS_brk, start + 5000);
    printf("shrunk %d\n", end == start + 5000);
    end = (char *)syscall(SYS_brk, start + 100000);
    printf("fresh after shrinking %d kept %d\n", start[90000], start[4000]);
    end = (char *)syscall(SYS_brk, start - 4096 * 1000);
    printf("below the start refused %d\n", end == start + 100000);
    end = (char *)syscall(SYS_brk, (void *)(uintptr_t)0x7fffffffffff);
    printf("too much refused %d\n", end == start + 100000);
    return 0;
}
