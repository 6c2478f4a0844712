/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* readv, writev, preadv2, pwritev2. */
/* not: musl it has no RWF_APPEND */
#include <sys/uio.h>

#include "app.h"

int main(void)
{
    scratch();
    char a[4] = {0}, b[8] = {0};
    struct iovec out[3] = {{"one", 3}, {"", 0}, {"twothree", 8}};
    struct iovec in[2] = {{a, 3}, {b, 7}};
    int fd = open("f", O_CREAT | O_RDWR, 0600);

    SHOW(writev(fd, out, 3));
    SHOW(preadv(fd, in, 2, 1));
    printf("%s %s\n", a, b);
    SHOW(pwritev2(fd, out, 1, 2, 0));
    SHOW(pwritev2(fd, out, 1, -1, RWF_APPEND));
    show_file("f");
    SHOW(readv(fd, in, -1));
    SHOW(preadv2(fd, in, 2, 0, 0x4000));
    return 0;
}
