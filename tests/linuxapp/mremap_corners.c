/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* mremap: growth in place and by moving, MREMAP_FIXED onto others, its errors. */
#include <sys/mman.h>

#include "app.h"

#define P 4096ul

static char *map(size_t pages, int prot)
{
    return mmap(NULL, pages * P, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void show(const char *what, const char *p, const char *old)
{
    printf("%s: %s\n", what, p == MAP_FAILED ? strerrorname_(errno) : p == old ? "same" : "moved");
}

int main(void)
{
    char *a = map(16, PROT_READ | PROT_WRITE); /* the second half keeps others away */
    char *b;
    char *c;

    for (int i = 0; i < 8; i++) {
        a[i * P] = (char)('a' + i);
    }
    munmap(a + 8 * P, 4 * P);
    show("shrink", mremap(a, 8 * P, 4 * P, 0), a);
    show("grow where it was", mremap(a, 4 * P, 8 * P, 0), a);
    printf("old kept %c, new empty %d\n", a[3 * P], a[4 * P]);
    show("no room", mremap(a, 8 * P, 13 * P, 0), a);
    b = mremap(a, 8 * P, 64 * P, MREMAP_MAYMOVE);
    show("may move", b, a);
    printf("content %c%c %d\n", b[0], b[3 * P], b[63 * P]);
    c = map(4, PROT_READ | PROT_WRITE);
    memset(c, 'c', 4 * P);
    show("fixed over another", mremap(b, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, c), c);
    printf("content %c %c\n", c[0], c[2 * P]);
    show("fixed, unaligned", mremap(c, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, c + 5), c);
    show("fixed, overlapping", mremap(c, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, c + P), c);
    show("fixed without maymove", mremap(c, P, P, MREMAP_FIXED, b), c);
    show("unknown flag", mremap(c, P, P, 0x40), c);
    show("zero", mremap(c, P, 0, 0), c);
    show("unaligned", mremap(c + 1, P, P, 0), c);
    show("not mapped", mremap(b, P, 2 * P, MREMAP_MAYMOVE), b);
    show("over two mappings", mremap(b + P, 3 * P, 8 * P, MREMAP_MAYMOVE), b);
    a = map(4, PROT_READ | PROT_WRITE);
    b = map(6, PROT_NONE) + P; /* a mapping of its own, between guards */
    mprotect(b, 4 * P, PROT_READ | PROT_WRITE);
    memset(b, 'k', 4 * P);
    /* a piece out of the middle takes its protection along */
    mprotect(b + P, P, PROT_READ);
    c = mremap(b + P, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, a + 2 * P);
    show("a read-only piece", c, a + 2 * P);
    printf("content %c, neighbours %c %d\n", c[0], b[2 * P], a[P]);
    printf("written by the kernel: %zd\n", read(open("/dev/zero", O_RDONLY), c, 1));
    return 0;
}
