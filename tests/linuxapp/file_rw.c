/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* read, write, pread, pwrite, lseek. */
#include "app.h"

int main(void)
{
    scratch();
    char buf[32] = {0};
    int fd = open("f", O_CREAT | O_RDWR, 0600);

    SHOW(write(fd, "hello world", 11));
    SHOW(lseek(fd, -5, SEEK_END));
    SHOW(read(fd, buf, 5));
    puts(buf);
    SHOW(pwrite(fd, "HE", 2, 0));
    SHOW(pread(fd, buf, 11, 0));
    puts(buf);
    SHOW(lseek(fd, -100, SEEK_SET));
    SHOW(pread(fd, buf, 4, -1));
    SHOW(read(fd, buf, 0));
    SHOW(read(fd, (void *)8, 4));
    SHOW(write(fd, (void *)8, 4));
    SHOW(close(fd));
    SHOW(read(fd, buf, 1));
    return 0;
}
