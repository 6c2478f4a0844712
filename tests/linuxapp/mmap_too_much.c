/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* More than any machine has: an error, not death. */
int main(void)
{
    void *p = mmap(NULL, 1ul << 46, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    printf("64 TiB: %s\n", p == MAP_FAILED ? strerror(errno) : "mapped");
    p = mmap(NULL, 1ul << 62, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    printf("4 EiB: %s\n", p == MAP_FAILED ? strerror(errno) : "mapped");
    return 0;
}
