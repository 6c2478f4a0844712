/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Extended attributes. */
#include <sys/xattr.h>

#include "app.h"

int main(void)
{
    scratch();
    char buf[64] = {0};
    int fd = open("/dev/shm/nacre-x", O_CREAT | O_RDWR, 0600);

    SHOW(setxattr("/dev/shm/nacre-x", "trusted.a", "1", 1, 0));
    SHOW(fsetxattr(fd, "trusted.b", "22", 2, XATTR_CREATE));
    SHOW(fsetxattr(fd, "trusted.b", "22", 2, XATTR_CREATE));
    SHOW(fsetxattr(fd, "trusted.c", "3", 1, XATTR_REPLACE));
    SHOW(fgetxattr(fd, "trusted.b", buf, 64));
    puts(buf);
    SHOW(fgetxattr(fd, "trusted.b", buf, 1));
    SHOW(fgetxattr(fd, "trusted.b", buf, 0));
    SHOW(fgetxattr(fd, "trusted.none", buf, 64));
    SHOW(fremovexattr(fd, "trusted.a"));
    SHOW(fremovexattr(fd, "trusted.a"));
    SHOW(fsetxattr(fd, "nonsense", "1", 1, 0));
    SHOW(unlink("/dev/shm/nacre-x"));
    return 0;
}
