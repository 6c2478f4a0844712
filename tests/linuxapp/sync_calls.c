/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* fsync and friends. */
#include "app.h"

int main(void)
{
    scratch();
    int fds[2];
    int fd = open("f", O_CREAT | O_RDWR | O_SYNC, 0600);

    SHOW(write(fd, "x", 1));
    SHOW(fsync(fd));
    SHOW(fdatasync(fd));
    SHOW(syncfs(fd));
    sync();
    SHOW(fsync(99));
    pipe(fds);
    SHOW(fsync(fds[0]));
    int d = open(".", O_RDONLY);
    SHOW(fsync(d));
    SHOW(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    SHOW(posix_fadvise(fds[0], 0, 0, POSIX_FADV_NORMAL));
    SHOW(readahead(fd, 0, 100));
    return 0;
}
