/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Resource limits: prlimit and its order of checks, and what descriptors, files and stacks make of
 * them. */
#include <signal.h>
#include <sys/resource.h>

#include "app.h"

static volatile sig_atomic_t g_xfsz;

static void on_xfsz(int sig)
{
    g_xfsz++;
}

int main(void)
{
    struct rlimit r = {20, 30};
    struct rlimit old;
    struct rlimit bad = {31, 30};
    char block[4096] = "";
    int fd;
    int n = 0;

    SHOW(getrlimit(RLIMIT_STACK, &old));
    printf("stack limited %d\n", old.rlim_cur == RLIM_INFINITY || old.rlim_cur >= 1 << 20);
    SHOW(getrlimit(99, &old));
    SHOW(setrlimit(RLIMIT_NOFILE, &bad));
    SHOW(prlimit(0, RLIMIT_NOFILE, &r, &old));
    SHOW(prlimit(getpid(), RLIMIT_NOFILE, NULL, &old));
    printf("%lu %lu\n", (unsigned long)old.rlim_cur, (unsigned long)old.rlim_max);
    printf("sysconf %ld\n", sysconf(_SC_OPEN_MAX));
    while ((fd = dup(1)) >= 0) {
        n++;
    }
    printf("at the limit: %s, highest below 20 %d\n", strerrorname_(errno), n > 0);
    SHOW(dup2(1, 25));
    SHOW(fcntl(1, F_DUPFD, 20));
    r.rlim_cur = 30;
    SHOW(setrlimit(RLIMIT_NOFILE, &r));
    SHOW(dup2(1, 25));
    SHOW(pipe((int *)block) < 0 ? -1 : 0);
    for (fd = 3; fd < 30; fd++) {
        close(fd);
    }
    scratch();
    signal(SIGXFSZ, on_xfsz);
    r = (struct rlimit){6000, RLIM_INFINITY};
    SHOW(setrlimit(RLIMIT_FSIZE, &r));
    fd = open("f", O_CREAT | O_RDWR, 0600);
    SHOW(write(fd, block, 4096));
    SHOW(write(fd, block, 4096)); /* up to the limit */
    SHOW(write(fd, block, 4096));
    SHOW(ftruncate(fd, 7000));
    SHOW(pwrite(fd, block, 10, 5995));
    SHOW(pwrite(fd, block, 10, 6000));
    SHOW(posix_fallocate(fd, 0, 9000));
    printf("SIGXFSZ came %d\n", (int)g_xfsz);
    SHOW(prlimit(0x3ffffff, RLIMIT_CPU, NULL, &old));
    SHOW(prlimit(0, 77, NULL, &old));
    SHOW(prlimit(0, RLIMIT_CORE, &(struct rlimit){0, 0}, NULL));
    SHOW(prlimit(0, RLIMIT_CORE, NULL, NULL));
    return 0;
}
