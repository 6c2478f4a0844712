/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* mincore and the mlock family: results and errors, not what the kernel decides. */
#include <sys/mman.h>
#include <sys/resource.h>

#include "app.h"

#define P 4096ul

int main(void)
{
    unsigned char vec[16];
    char *a = mmap(NULL, 16 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    memset(a, 1, 4 * P);
    SHOW(mincore(a, 4 * P, vec));
    printf("touched pages %d%d%d%d\n", vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1);
    SHOW(mincore(a + 1, P, vec));
    SHOW(mincore(a, 0, vec));
    SHOW(mincore(a, P, NULL));
    SHOW(mlock(a, 2 * P));
    SHOW(mlock(a + 100, 1));
    SHOW(munlock(a, 2 * P));
    SHOW(mlock2(a, P, 0));
    SHOW(mlock2(a, P, MLOCK_ONFAULT));
    SHOW(mlock2(a, P, 8));
    SHOW(munlock(a, P));
    munmap(a + 8 * P, P);
    SHOW(mincore(a, 16 * P, vec));
    SHOW(mlock(a + 7 * P, 3 * P));
    SHOW(munlock(a + 7 * P, 3 * P));
    SHOW(mlockall(0));
    SHOW(mlockall(99));
    SHOW(mlockall(MCL_CURRENT));
    SHOW(munlockall());
    SHOW(msync(a, P, MS_SYNC));
    SHOW(msync(a, P, MS_SYNC | MS_ASYNC));
    SHOW(msync(a + 1, P, MS_ASYNC));
    SHOW(msync(a, P, 64));
    SHOW(msync(a + 8 * P, P, MS_SYNC));
    return 0;
}
