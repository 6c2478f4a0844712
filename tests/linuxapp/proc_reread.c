/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* /proc files can be read again and in pieces. */
#include "app.h"

int main(void)
{
    scratch();
    char a[4096] = {0}, b[4096] = {0};
    int fd = open("/proc/filesystems", O_RDONLY);
    ssize_t n = read(fd, a, sizeof(a));
    ssize_t got = 0, r;

    SHOW(n > 0);
    lseek(fd, 0, SEEK_SET);
    while ((r = read(fd, b + got, 3)) > 0) {
        got += r;
    }
    SHOW(got == n && memcmp(a, b, (size_t)n) == 0);
    SHOW(pread(fd, b, 4, 2) == 4 && memcmp(a + 2, b, 4) == 0);
    struct stat st;
    fstat(fd, &st);
    SHOW(st.st_size);
    SHOW(S_ISREG(st.st_mode));
    return 0;
}
