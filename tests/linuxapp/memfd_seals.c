/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* memfd_create and seals. */
#include <sys/mman.h>

#include "app.h"

int main(void)
{
    scratch();
    int fd = memfd_create("m", MFD_ALLOW_SEALING | MFD_CLOEXEC);

    SHOW(write(fd, "data", 4));
    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
    SHOW(ftruncate(fd, 2));
    SHOW(ftruncate(fd, 8));
    SHOW(pwrite(fd, "DATA", 4, 0));
    SHOW(pwrite(fd, "more", 4, 4));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    SHOW(pwrite(fd, "x", 1, 0));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    SHOW(fcntl(fd, F_GET_SEALS));
    int plain = memfd_create("p", 0);
    SHOW(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE));
    SHOW(fcntl(plain, F_GET_SEALS));
    char path[64], text[64] = {0};
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    readlink(path, text, 63);
    puts(text);
    int f = open("f", O_CREAT | O_RDWR, 0600);
    SHOW(fcntl(f, F_GETFL) >= 0);
    SHOW(memfd_create("x", 0x8000));
    return 0;
}
