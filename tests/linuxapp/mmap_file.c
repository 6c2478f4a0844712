/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Files through memory: private and shared. */
#include <sys/mman.h>

#include "app.h"

int main(void)
{
    scratch();
    make("f", "mapped file content");
    int fd = open("f", O_RDWR);
    char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

    printf("%.6s\n", p);
    memcpy(p, "PRIVAT", 6);
    show_file("f");
    char *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    memcpy(s, "SHARED", 6);
    SHOW(msync(s, 4096, MS_SYNC));
    show_file("f");
    SHOW(munmap(s, 4096));
    SHOW(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED);
    int ro = open("f", O_RDONLY);
    SHOW(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED);
    SHOW(mmap(NULL, 0, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED);
    return 0;
}
