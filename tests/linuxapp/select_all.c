/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* select and pselect. */
#include <sys/select.h>

#include "app.h"

int main(void)
{
    scratch();
    int fds[2];
    fd_set rd, wr;
    struct timeval tv = {0, 10000};

    pipe(fds);
    FD_ZERO(&rd);
    FD_ZERO(&wr);
    FD_SET(fds[0], &rd);
    FD_SET(fds[1], &wr);
    SHOW(select(fds[1] + 1, &rd, &wr, NULL, &tv));
    SHOW(FD_ISSET(fds[0], &rd) != 0);
    SHOW(FD_ISSET(fds[1], &wr) != 0);
    FD_ZERO(&rd);
    FD_SET(fds[0], &rd);
    tv = (struct timeval){0, 10000};
    SHOW(select(fds[1] + 1, &rd, NULL, NULL, &tv));
    SHOW(tv.tv_usec);
    write(fds[1], "x", 1);
    FD_SET(fds[0], &rd);
    SHOW(pselect(fds[1] + 1, &rd, NULL, NULL, NULL, NULL));
    FD_ZERO(&rd);
    FD_SET(60, &rd);
    SHOW(select(61, &rd, NULL, NULL, &tv));
    SHOW(select(-1, NULL, NULL, NULL, &tv));
    return 0;
}
