/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* POSIX and OFD record locks. */
#include "app.h"

int main(void)
{
    scratch();
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
    int a = open("f", O_CREAT | O_RDWR, 0600);
    int b = open("f", O_RDWR);

    SHOW(fcntl(a, F_SETLK, &fl));
    SHOW(fcntl(b, F_SETLK, &fl));
    SHOW(fcntl(b, F_OFD_SETLK, &fl));
    fl.l_start = 20;
    SHOW(fcntl(b, F_OFD_SETLK, &fl));
    fl.l_type = F_RDLCK;
    fl.l_start = 5;
    fl.l_len = 1;
    SHOW(fcntl(b, F_OFD_GETLK, &fl));
    printf("%d %ld %ld\n", fl.l_type, fl.l_start, fl.l_len);
    fl = (struct flock){.l_type = F_UNLCK, .l_start = 3, .l_len = 4};
    SHOW(fcntl(a, F_SETLK, &fl));
    fl = (struct flock){.l_type = F_WRLCK, .l_start = 4, .l_len = 2};
    SHOW(fcntl(b, F_OFD_SETLK, &fl));
    fl = (struct flock){.l_type = F_WRLCK, .l_start = 8, .l_len = 1};
    SHOW(fcntl(b, F_OFD_SETLK, &fl));
    close(open("f", O_RDONLY)); /* drops the process's locks */
    SHOW(fcntl(b, F_OFD_SETLK, &fl));
    fl.l_start = -1;
    SHOW(fcntl(a, F_SETLK, &fl));
    fl.l_type = 9;
    SHOW(fcntl(a, F_SETLK, &fl));
    return 0;
}
