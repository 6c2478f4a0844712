/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define P 4096ul

static const char *err(void *p)
{
    return p == MAP_FAILED ? strerror(errno) : "mapped";
}

int main(void)
{
    char *a = mmap(NULL, 8 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *b;
    int fd = open("/proc/self/exe", O_RDONLY);
    int r;

    memset(a, 1, 8 * P);
    printf("anonymous %s\n", err(a));
    b = mmap(a + 2 * P, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("fixed %d fresh %d neighbours %d %d\n", b == a + 2 * P, b[0], a[2 * P - 1], a[3 * P]);
    b = mmap(a + 3 * P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    printf("noreplace on mapped: %s\n", err(b));
    munmap(a + 4 * P, P);
    b = mmap(a + 4 * P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    printf("noreplace on free: %s %d\n", err(b), b == a + 4 * P);
    b = mmap(a + 1, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("unaligned fixed: %s\n", err(b));
    b = mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("no size: %s\n", err(b));
    b = mmap(NULL, P, PROT_READ, MAP_ANONYMOUS, -1, 0);
    printf("no type: %s\n", err(b));
    b = mmap(NULL, P, PROT_READ, MAP_PRIVATE, -1, 0);
    printf("no file: %s\n", err(b));
    b = mmap(NULL, P, PROT_READ, MAP_PRIVATE, fd, 17);
    printf("unaligned offset: %s\n", err(b));
    b = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    printf("shared write of read-only: %s\n", err(b));
    b = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    printf("private file: %s %d\n", err(b), memcmp(b, "\177ELF", 4) == 0);
    b[0] = 'x';
    b = mmap(NULL, P, PROT_READ, MAP_PRIVATE, fd, 0);
    printf("copy on write kept the file: %d\n", b[0] == '\177');
    b = mmap(NULL, ~0ul & ~(P - 1), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("impossible size: %s\n", err(b));
    b = mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    printf("32bit below 2G %d\n", (unsigned long)b < 1ul << 31);
    b = mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    printf("populate %s %d\n", err(b), b[1 << 20]);
    r = munmap(a + 1, P);
    printf("munmap unaligned %d %s\n", r, strerror(errno));
    printf("munmap nothing %d\n", munmap(a, 16 * P));
    r = munmap(a, 0);
    printf("munmap zero %d %s\n", r, strerror(errno));
    return 0;
}
