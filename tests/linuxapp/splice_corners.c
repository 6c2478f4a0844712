/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* tee, splice and vmsplice where they end: offsets, ends of pipes, one pipe for both, errors. */
#include <sys/socket.h>
#include <sys/uio.h>

#include "app.h"

static void drain(const char *what, int fd)
{
    char buf[256];
    ssize_t n = read(fd, buf, sizeof(buf) - 1);

    buf[n < 0 ? 0 : n] = '\0';
    printf("%s: %zd [%s]\n", what, n, buf);
}

int main(void)
{
    struct iovec v[3] = {{"vector ", 7}, {NULL, 0}, {"of three", 8}};
    loff_t in = 3;
    loff_t out = 1;
    int a[2];
    int b[2];
    int s[2];
    int f;

    scratch();
    (void)!pipe2(a, O_NONBLOCK);
    (void)!pipe2(b, O_NONBLOCK);
    (void)!socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    make("f", "0123456789");
    f = open("f", O_RDWR);
    SHOW(splice(f, &in, a[1], NULL, 4, 0));
    printf("offset %ld, position %ld\n", (long)in, (long)lseek(f, 0, SEEK_CUR));
    SHOW(tee(a[0], b[1], 100, 0));
    drain("the copy", b[0]);
    drain("the original", a[0]);
    SHOW(tee(a[0], b[1], 100, SPLICE_F_NONBLOCK));
    SHOW(tee(a[0], a[1], 1, 0));
    SHOW(tee(f, b[1], 1, 0));
    SHOW(vmsplice(a[1], v, 3, 0));
    SHOW(splice(a[0], NULL, f, &out, 100, SPLICE_F_MOVE));
    printf("offset %ld\n", (long)out);
    show_file("f");
    SHOW(vmsplice(a[1], v, 1, 0));
    SHOW(splice(a[0], NULL, b[1], NULL, 3, 0));
    drain("moved", b[0]);
    drain("left", a[0]);
    SHOW(write(a[1], "to a socket", 11));
    SHOW(splice(a[0], NULL, s[0], NULL, 100, 0));
    drain("from it", s[1]);
    SHOW(write(s[1], "and back", 8));
    SHOW(splice(s[0], NULL, b[1], NULL, 100, 0));
    drain("pipe", b[0]);
    SHOW(splice(f, NULL, f, NULL, 1, 0));
    SHOW(splice(f, &in, s[0], NULL, 1, 0));
    SHOW(splice(a[0], &in, f, NULL, 1, 0));
    SHOW(splice(a[0], NULL, a[1], NULL, 1, 0));
    SHOW(splice(a[0], NULL, f, NULL, 1, 0x100));
    SHOW(splice(a[0], NULL, f, NULL, 0, 0));
    SHOW(splice(a[0], NULL, f, NULL, 1, SPLICE_F_NONBLOCK));
    SHOW(splice(f, &(loff_t){1000}, a[1], NULL, 10, 0)); /* the end */
    SHOW(close(a[1]));
    SHOW(splice(a[0], NULL, f, NULL, 10, 0)); /* no writer: the end */
    SHOW(vmsplice(f, v, 1, 0));
    SHOW(fcntl(f, F_SETFL, O_APPEND));
    SHOW(write(b[1], "x", 1));
    SHOW(splice(b[0], NULL, f, NULL, 1, 0)); /* not to append */
    return 0;
}
