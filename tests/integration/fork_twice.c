/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Forks twice and says what became of it (test_fork_attacks.py); with `row N` N times in a row,
 * with `alive N` until N are alive at once (test_fork_many.py).
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (d != NULL && readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n;
}

static int row(int count)
{
    const int before = descriptors();

    for (int i = 0; i < count; i++) {
        const pid_t pid = fork();
        int st = 0;

        if (pid == 0) {
            _exit(i % 100);
        }
        if (pid < 0 || waitpid(pid, &st, 0) != pid || WEXITSTATUS(st) != i % 100) {
            printf("fork %d: %s, status %x\n", i, strerror(errno), (unsigned)st);
            return 1;
        }
    }
    printf("%d in a row, %d descriptors more\n", count, descriptors() - before);
    return 0;
}

static int alive(int count)
{
    int good = 0;

    setpgid(0, 0);
    for (int i = 0; i < count; i++) {
        const pid_t pid = fork();

        if (pid == 0) {
            for (;;) {
                pause();
            }
        }
        good += pid > 0;
    }
    printf("%d alive\n", good);
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    for (good = 0; wait(NULL) > 0; good++) {
    }
    printf("%d ended\n", good);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        const int number = (int)strtol(argv[2], NULL, 10);

        return strcmp(argv[1], "row") == 0 ? row(number) : alive(number);
    }
    for (int i = 1; i <= 2; i++) {
        const pid_t pid = fork();
        int st = 0;

        if (pid == 0) {
            printf("child %d runs\n", i);
            fflush(stdout);
            _exit(i);
        }
        if (pid < 0) {
            printf("fork %d: %s\n", i, errno == EAGAIN ? "EAGAIN" : strerror(errno));
        } else {
            waitpid(pid, &st, 0);
            printf("fork %d: exit %d\n", i, WEXITSTATUS(st));
        }
        fflush(stdout);
    }
    return 0;
}
