/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* getrandom and the random devices: flags, sizes, and that bytes differ. */
#include <sys/random.h>
#include <sys/syscall.h>

#include "app.h"

static int differs(const unsigned char *a, const unsigned char *b, size_t n)
{
    int zeros = 0;

    for (size_t i = 0; i < n; i++) {
        zeros += a[i] == 0;
    }
    return memcmp(a, b, n) != 0 && zeros < (int)n / 8;
}

int main(void)
{
    static unsigned char a[100000];
    static unsigned char b[100000];
    const char *devices[] = {"/dev/urandom", "/dev/random"};
    long ones = 0;

    SHOW(getrandom(a, 256, 0));
    SHOW(getrandom(b, 256, GRND_NONBLOCK));
    printf("differ %d\n", differs(a, b, 256));
    SHOW(getrandom(a, 256, GRND_RANDOM));
    SHOW(getrandom(a, 256, GRND_INSECURE));
    SHOW(getrandom(a, 256, GRND_INSECURE | GRND_RANDOM));
    SHOW(getrandom(a, 256, 64));
    SHOW(getrandom(a, 0, 0));
    SHOW(syscall(SYS_getrandom, NULL, 16, 0));
    SHOW(getrandom(a, sizeof(a), 0));
    SHOW(getrandom(b, sizeof(b), 0));
    printf("differ %d\n", differs(a, b, sizeof(a)));
    for (size_t i = 0; i < sizeof(a); i++) {
        ones += __builtin_popcount(a[i]);
    }
    printf("bits are even %d\n", ones > 396000 && ones < 404000);
    SHOW(getentropy(a, 256));
    SHOW(getentropy(a, 257));
    for (int i = 0; i < 2; i++) {
        int fd = open(devices[i], O_RDWR);

        SHOW(read(fd, a, 512));
        SHOW(pread(fd, b, 512, 1000));
        printf("%s differ %d\n", devices[i], differs(a, b, 512));
        SHOW(write(fd, a, 10));
        SHOW(lseek(fd, 5, SEEK_SET) >= 0);
        close(fd);
    }
    return 0;
}
