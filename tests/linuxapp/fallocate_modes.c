/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* fallocate in its modes: sizes, holes, zeros, errors. */
#include <linux/falloc.h>

#include "app.h"

static void content(int fd)
{
    char buf[20000];
    ssize_t n = pread(fd, buf, sizeof(buf), 0);
    long sum = 0;
    long zeros = 0;

    for (ssize_t i = 0; i < n; i++) {
        sum += buf[i];
        zeros += buf[i] == 0;
    }
    printf("size %zd sum %ld zeros %ld\n", n, sum, zeros);
}

int main(void)
{
    char block[12288];
    int fd;
    int ro;
    int p[2];

    scratch();
    memset(block, 1, sizeof(block));
    fd = open("f", O_CREAT | O_RDWR, 0600);
    SHOW(write(fd, block, sizeof(block)));
    SHOW(fallocate(fd, 0, 0, 4096));
    content(fd);
    SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE, 12288, 8192));
    content(fd);
    SHOW(fallocate(fd, 0, 12288, 100));
    content(fd);
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096));
    content(fd);
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 50));
    content(fd);
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 12000, 100000));
    content(fd);
    SHOW(fallocate(fd, 0, 0, 0));
    SHOW(fallocate(fd, 0, -1, 10));
    SHOW(fallocate(fd, 0, 0x7fffffffffffffff, 10));
    SHOW(fallocate(fd, 0x1000, 0, 10));
    SHOW(posix_fallocate(fd, 0, 16000));
    content(fd);
    ro = open("f", O_RDONLY);
    SHOW(fallocate(ro, 0, 0, 10));
    (void)!pipe(p);
    SHOW(fallocate(p[1], 0, 0, 10));
    SHOW(fallocate(open(".", O_RDONLY), 0, 0, 10));
    SHOW(fallocate(-1, 0, 0, 10));
    return 0;
}
