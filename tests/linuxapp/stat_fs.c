/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* statfs knows its file systems. */
#include <sys/vfs.h>

#include "app.h"

int main(void)
{
    scratch();
    struct statfs s;

    SHOW(statfs("/proc", &s));
    SHOW(s.f_type);
    SHOW(statfs("/dev/shm", &s));
    SHOW(s.f_type);
    SHOW(s.f_bsize);
    SHOW(s.f_namelen);
    SHOW(statfs("/none", &s));
    SHOW(fstatfs(99, &s));
    return 0;
}
