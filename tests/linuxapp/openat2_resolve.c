/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* openat2 and its rules. */
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "app.h"

static int o2(int dirfd, const char *path, unsigned long resolve)
{
    struct open_how how = {.flags = O_RDONLY, .resolve = resolve};
    long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

    if (fd >= 0) {
        close((int)fd);
        return 0;
    }
    return -1;
}

int main(void)
{
    scratch();
    mkdir("d", 0755);
    make("d/f", "x");
    symlink("../d/f", "d/up");
    symlink("/etc", "d/abs");
    symlink("f", "d/l");
    make("out", "x");
    int d = open("d", O_RDONLY | O_DIRECTORY);

    SHOW(o2(d, "f", 0));
    SHOW(o2(d, "../out", 0));
    SHOW(o2(d, "../out", RESOLVE_BENEATH));
    SHOW(o2(d, "up", RESOLVE_BENEATH));
    SHOW(o2(d, "abs/hostname", RESOLVE_BENEATH));
    SHOW(o2(d, "/f", RESOLVE_IN_ROOT));
    SHOW(o2(d, "../../f", RESOLVE_IN_ROOT));
    SHOW(o2(d, "l", RESOLVE_NO_SYMLINKS));
    SHOW(o2(AT_FDCWD, "/proc/self/status", RESOLVE_NO_XDEV));
    SHOW(o2(AT_FDCWD, "/proc/self/cwd", RESOLVE_NO_MAGICLINKS));
    SHOW(o2(d, "f", 1 << 20));
    SHOW(o2(d, "f", RESOLVE_BENEATH | RESOLVE_IN_ROOT));
    return 0;
}
