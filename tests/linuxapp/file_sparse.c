/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Holes: SEEK_DATA, SEEK_HOLE, block counts, punching. */
#include "app.h"

int main(void)
{
    scratch();
    struct stat st;
    char c = 1;
    int fd = open("/dev/shm/nacre-sparse", O_CREAT | O_RDWR | O_TRUNC, 0600);

    unlink("/dev/shm/nacre-sparse");
    SHOW(pwrite(fd, "x", 1, 40960));
    SHOW(pwrite(fd, "y", 1, 81920));
    SHOW(lseek(fd, 0, SEEK_DATA));
    SHOW(lseek(fd, 40960, SEEK_HOLE));
    SHOW(lseek(fd, 50000, SEEK_DATA));
    SHOW(lseek(fd, 81921, SEEK_DATA));
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 40960, 4096));
    SHOW(lseek(fd, 0, SEEK_DATA));
    SHOW(pread(fd, &c, 1, 40960));
    SHOW(c);
    fstat(fd, &st);
    SHOW(st.st_size);
    SHOW(st.st_blocks);
    SHOW(fallocate(fd, 0, 0, 8192));
    SHOW(fallocate(fd, 0, -1, 8192));
    SHOW(fallocate(fd, 0, 0, 0));
    return 0;
}
