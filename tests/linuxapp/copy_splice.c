/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* splice, tee, vmsplice. */
#include <sys/uio.h>

#include "app.h"

int main(void)
{
    scratch();
    int a[2], b[2];
    char buf[16] = {0};
    loff_t off = 2;
    struct iovec iov = {"vmspliced", 9};

    pipe(a);
    pipe(b);
    make("f", "0123456789");
    int f = open("f", O_RDWR);
    SHOW(splice(f, &off, a[1], NULL, 4, 0));
    SHOW(off);
    SHOW(tee(a[0], b[1], 16, 0));
    SHOW(read(a[0], buf, 16));
    puts(buf);
    memset(buf, 0, sizeof(buf));
    SHOW(splice(b[0], NULL, f, NULL, 4, 0));
    show_file("f");
    SHOW(vmsplice(a[1], &iov, 1, 0));
    SHOW(read(a[0], buf, 16));
    puts(buf);
    SHOW(splice(a[0], NULL, b[1], NULL, 4, SPLICE_F_NONBLOCK));
    SHOW(splice(f, NULL, f, NULL, 4, 0));
    SHOW(splice(a[0], &off, b[1], NULL, 4, 0));
    return 0;
}
