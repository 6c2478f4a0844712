/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* The devices in /dev. */
#include "app.h"

int main(void)
{
    scratch();
    char buf[64];
    int fd = open("/dev/zero", O_RDWR);

    memset(buf, 1, sizeof(buf));
    SHOW(read(fd, buf, 64));
    SHOW(buf[0] + buf[63]);
    SHOW(write(fd, buf, 64));
    fd = open("/dev/null", O_RDWR);
    SHOW(read(fd, buf, 64));
    SHOW(write(fd, buf, 64));
    fd = open("/dev/full", O_RDWR);
    SHOW(write(fd, buf, 1));
    fd = open("/dev/urandom", O_RDONLY);
    SHOW(read(fd, buf, 64));
    int same = 0;
    for (int i = 1; i < 64; i++) {
        same += buf[i] == buf[0];
    }
    SHOW(same < 20);
    struct stat st;
    stat("/dev/null", &st);
    printf("%o %lx\n", st.st_mode, (long)st.st_rdev);
    SHOW(readlink("/dev/fd", buf, 64));
    OK(open("/dev/none", O_RDONLY));
    return 0;
}
