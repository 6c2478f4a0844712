/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define P 4096ul

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

int main(void)
{
    char *a = mmap(NULL, 16 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *b;
    char *to;

    for (int i = 0; i < 16; i++) {
        a[i * P] = (char)i;
    }
    b = mremap(a, 16 * P, 8 * P, 0);
    printf("shrink in place %d\n", b == a);
    b = mremap(a, 8 * P, 12 * P, 0);
    printf("grow in place %d fresh %d kept %d\n", b == a, a[10 * P], a[7 * P]);
    b = mmap(a + 12 * P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    b = mremap(a, 12 * P, 20 * P, 0);
    printf("blocked: %s\n", b == MAP_FAILED ? strerror(errno) : "moved");
    b = mremap(a, 12 * P, 20 * P, MREMAP_MAYMOVE);
    printf("moved %d kept %d %d fresh %d\n", b != a, b[P], b[7 * P], b[19 * P]);
    to = mmap(NULL, 32 * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    a = mremap(b, 20 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, to + 4 * P);
    printf("fixed %d kept %d\n", a == to + 4 * P, a[3 * P]);
    b = mremap(a, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    printf("dontunmap moved %d kept %d source empty %d\n", b != a, b[2 * P], a[2 * P]);
    a[0] = 1;
    b = mremap(a + 1, P, P, MREMAP_MAYMOVE);
    printf("unaligned: %s\n", b == MAP_FAILED ? strerror(errno) : "moved");
    b = mremap(a, P, 0, MREMAP_MAYMOVE);
    printf("to nothing: %s\n", b == MAP_FAILED ? strerror(errno) : "moved");
    munmap(to, 32 * P);
    b = mremap(to, P, 2 * P, MREMAP_MAYMOVE);
    printf("unmapped: %s\n", b == MAP_FAILED ? strerror(errno) : "moved");
    return 0;
}
