/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* eventfd: counter and semaphore. */
#include <sys/eventfd.h>

#include "app.h"

int main(void)
{
    scratch();
    uint64_t v = 0;
    int e = eventfd(2, EFD_NONBLOCK);
    int s = eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);

    SHOW(read(e, &v, 8));
    SHOW(v);
    SHOW(read(e, &v, 8));
    SHOW(read(s, &v, 8));
    SHOW(v);
    SHOW(read(s, &v, 8));
    SHOW(read(s, &v, 8));
    v = 0xffffffffffffffff;
    SHOW(write(e, &v, 8));
    v--;
    SHOW(write(e, &v, 8));
    v = 1;
    SHOW(write(e, &v, 8));
    SHOW(write(e, &v, 4));
    SHOW(lseek(e, 0, SEEK_SET));
    return 0;
}
