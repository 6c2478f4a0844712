/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* O_TMPFILE, and giving it a name. */
#include "app.h"

int main(void)
{
    scratch();
    char path[64];
    struct stat st;
    int fd = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);

    SHOW(write(fd, "secret", 6));
    fstat(fd, &st);
    SHOW(st.st_nlink);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    unlink("/dev/shm/nacre-named");
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "/dev/shm/nacre-named", AT_SYMLINK_FOLLOW));
    fstat(fd, &st);
    SHOW(st.st_nlink);
    show_file("/dev/shm/nacre-named");
    SHOW(unlink("/dev/shm/nacre-named"));
    OK(open("/dev/shm", O_TMPFILE | O_RDONLY, 0600));
    return 0;
}
