/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define P 4096ul

int main(void)
{
    char *a = mmap(NULL, 64 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char vec[64];
    int present = 0;
    int r;

    memset(a, 5, 64 * P);
    printf("dontneed %d: %d %d %d\n", madvise(a + 8 * P, 8 * P, MADV_DONTNEED), a[7 * P], a[8 * P],
           a[16 * P]);
    printf("free %d\n", madvise(a, 64 * P, MADV_FREE));
    memset(a, 6, 64 * P);
    printf("written after free %d\n", a[63 * P]);
    printf("hints %d %d %d %d\n", madvise(a, 64 * P, MADV_WILLNEED),
           madvise(a, 64 * P, MADV_SEQUENTIAL), madvise(a, 64 * P, MADV_DONTFORK),
           madvise(a, 64 * P, MADV_DONTDUMP));
    printf("kept %d\n", a[P]);
    r = madvise(a, P, 12345);
    printf("unknown %d %s\n", r, strerror(errno));
    r = madvise(a + 1, P, MADV_DONTNEED);
    printf("unaligned %d %s\n", r, strerror(errno));
    munmap(a + 32 * P, P);
    r = madvise(a, 64 * P, MADV_DONTNEED);
    printf("hole %d %s\n", r, strerror(errno));
    printf("done around it %d %d\n", a[0], a[63 * P]);
    memset(a, 1, 4 * P);
    printf("mincore %d\n", mincore(a, 4 * P, vec));
    for (int i = 0; i < 4; i++) {
        present += vec[i] & 1;
    }
    printf("present %d\n", present);
    r = mincore(a, 64 * P, vec);
    printf("mincore hole %d %s\n", r, strerror(errno));
    return 0;
}
