/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* MAP_FIXED_NOREPLACE and MAP_FIXED over, beside and between mappings; hints; bad arguments. */
#include <sys/mman.h>

#include "app.h"

#define P 4096ul

static char *g_base;

static void show(const char *what, void *p)
{
    if (p == MAP_FAILED) {
        printf("%s: %s\n", what, strerrorname_(errno));
    } else {
        printf("%s: at %+ld pages\n", what, ((char *)p - g_base) / (long)P);
    }
}

static void *map(void *at, size_t n, int flags)
{
    return mmap(at, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

int main(void)
{
    g_base = map(NULL, 16 * P, 0);
    memset(g_base, 'a', 16 * P);
    show("over itself", map(g_base, P, MAP_FIXED_NOREPLACE));
    show("over its end", map(g_base + 15 * P, 4 * P, MAP_FIXED_NOREPLACE));
    munmap(g_base + 4 * P, 4 * P);
    show("into the hole", map(g_base + 5 * P, 2 * P, MAP_FIXED_NOREPLACE));
    show("a page too long", map(g_base + 4 * P, 2 * P, MAP_FIXED_NOREPLACE));
    show("the first page of the hole", map(g_base + 4 * P, P, MAP_FIXED_NOREPLACE));
    show("unaligned", map(g_base + 7 * P + 1, P, MAP_FIXED_NOREPLACE));
    printf("old content %c%c, new %d\n", g_base[0], g_base[8 * P], g_base[5 * P]);
    show("fixed over the middle", map(g_base + 2 * P, 8 * P, MAP_FIXED));
    printf("content %c %d %d %c\n", g_base[2 * P - 1], g_base[2 * P], g_base[10 * P - 1],
           g_base[10 * P]);
    /* a hint that is taken is only a hint */
    show("hint on a used page is moved", map(g_base, P, 0) == g_base ? g_base : MAP_FAILED);
    munmap(g_base + 12 * P, 4 * P);
    show("hint on a free page", map(g_base + 13 * P, P, 0));
    show("length zero", map(NULL, 0, 0));
    show("length too big", map(NULL, (size_t)1 << 62, 0));
    show("fixed, wraps", map((void *)-P, 2 * P, MAP_FIXED));
    errno = 0;
    show("no type", mmap(NULL, P, PROT_READ, MAP_ANONYMOUS, -1, 0));
    show("both types", mmap(NULL, P, PROT_READ, MAP_ANONYMOUS | 0x0f, -1, 0));
    show("no descriptor", mmap(NULL, P, PROT_READ, MAP_PRIVATE, -1, 0));
    show("odd offset", mmap(NULL, P, PROT_READ, MAP_PRIVATE, 0, 100));
    return 0;
}
