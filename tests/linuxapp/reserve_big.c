/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int main(void)
{
    const size_t size = 1ul << 30;
    char *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char *huge =
        mmap(NULL, size * 200, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    printf("1 GiB reserved %d, 200 GiB reserved %d\n", p != MAP_FAILED, huge != MAP_FAILED);
    for (size_t at = 0; at < size; at += size / 64) {
        if (mprotect(p + at, 65536, PROT_READ | PROT_WRITE) != 0) {
            return 1;
        }
        memset(p + at, (int)(at >> 24), 65536);
    }
    printf("middle %d last %d\n", p[size / 2], p[size - size / 64 + 65535]);
    printf("gone %d %d\n", munmap(p, size), munmap(huge, size * 200));
    return 0;
}
