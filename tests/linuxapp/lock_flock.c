/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* flock between open files. */
#include <sys/file.h>

#include "app.h"

int main(void)
{
    scratch();
    int a = open("f", O_CREAT | O_RDWR, 0600);
    int b = open("f", O_RDWR);
    int c = dup(a);

    SHOW(flock(a, LOCK_EX));
    SHOW(flock(b, LOCK_EX | LOCK_NB));
    SHOW(flock(c, LOCK_EX | LOCK_NB));
    SHOW(flock(a, LOCK_SH));
    SHOW(flock(b, LOCK_SH | LOCK_NB));
    SHOW(flock(a, LOCK_EX | LOCK_NB));
    SHOW(flock(b, LOCK_UN));
    SHOW(flock(a, LOCK_EX | LOCK_NB));
    close(a);
    SHOW(flock(b, LOCK_SH | LOCK_NB));
    close(c);
    SHOW(flock(b, LOCK_SH | LOCK_NB));
    SHOW(flock(b, 77));
    return 0;
}
