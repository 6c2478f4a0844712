/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* truncate and ftruncate, up and down. */
#include "app.h"

int main(void)
{
    scratch();
    char buf[8];
    int fd = open("f", O_CREAT | O_RDWR, 0600);

    SHOW(write(fd, "abcdefgh", 8));
    SHOW(ftruncate(fd, 3));
    SHOW(ftruncate(fd, 6));
    SHOW(pread(fd, buf, 8, 0));
    SHOW(buf[3] + buf[4] + buf[5]);
    SHOW(truncate("f", 100000));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(truncate("f", -1));
    SHOW(truncate("none", 1));
    SHOW(truncate("/", 1));
    int ro = open("f", O_RDONLY);
    SHOW(ftruncate(ro, 0));
    return 0;
}
