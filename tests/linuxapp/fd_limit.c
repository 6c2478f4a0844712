/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* RLIMIT_NOFILE is honoured. */
#include <sys/resource.h>

#include "app.h"

int main(void)
{
    scratch();
    struct rlimit r = {20, 20};
    int n = 0;

    getrlimit(RLIMIT_NOFILE, &r);
    r.rlim_cur = 20;
    SHOW(setrlimit(RLIMIT_NOFILE, &r));
    int last = 0;
    while ((last = open("/dev/null", O_RDONLY)) >= 0 && n < 100) {
        n = last;
    }
    SHOW(n);
    SHOW(errno == EMFILE);
    SHOW(dup2(0, 20));
    SHOW(dup2(0, 19));
    return 0;
}
