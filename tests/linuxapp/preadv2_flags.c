/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* preadv2 and pwritev2: RWF_* flags, offset -1, iovec limits. */
/* not: musl it has no RWF_APPEND */
#include <sys/uio.h>

#include "app.h"

static ssize_t wr(int fd, const char *s, off_t at, int flags)
{
    struct iovec v[2] = {{(char *)s, strlen(s) / 2},
                         {(char *)s + strlen(s) / 2, strlen(s) - strlen(s) / 2}};

    return pwritev2(fd, v, 2, at, flags);
}

int main(void)
{
    char buf[64] = "";
    struct iovec v = {buf, 8};
    struct iovec many[1025];
    struct iovec bad = {buf, (size_t)-1};
    int fd;
    int ro;
    int p[2];

    scratch();
    fd = open("f", O_CREAT | O_RDWR, 0600);
    SHOW(wr(fd, "0123456789", 0, 0));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(wr(fd, "abcd", -1, 0));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(wr(fd, "END", 2, RWF_APPEND));
    show_file("f");
    SHOW(wr(fd, "S", 1, RWF_DSYNC));
    SHOW(wr(fd, "S", 2, RWF_SYNC | RWF_HIPRI));
    SHOW(wr(fd, "x", 3, 0x4000));
    SHOW(preadv2(fd, &v, 1, 4, 0));
    puts(buf);
    SHOW(preadv2(fd, &v, 1, 4, RWF_NOWAIT) >= 0 || errno == EAGAIN || errno == EOPNOTSUPP);
    SHOW(preadv2(fd, &v, 1, -2, 0));
    SHOW(preadv2(fd, &v, 1, 0, 0x4000));
    SHOW(preadv2(fd, &v, -1, 0, 0));
    SHOW(preadv(fd, &v, 0, 0));
    SHOW(preadv(fd, &bad, 1, 0));
    for (int i = 0; i < 1025; i++) {
        many[i] = (struct iovec){buf, 0};
    }
    SHOW(preadv(fd, many, 1024, 0));
    SHOW(preadv(fd, many, 1025, 0));
    ro = open("f", O_RDONLY | O_APPEND);
    SHOW(wr(ro, "x", 0, 0));
    (void)!pipe(p);
    SHOW(preadv(p[0], &v, 1, 0));
    SHOW(preadv2(p[0], &v, 1, 0, 0));
    SHOW(wr(p[1], "pipe", -1, 0));
    SHOW(preadv2(p[0], &v, 1, -1, 0));
    SHOW(fcntl(p[0], F_SETFL, O_NONBLOCK));
    SHOW(preadv2(p[0], &v, 1, -1, RWF_NOWAIT));
    show_file("f");
    return 0;
}
