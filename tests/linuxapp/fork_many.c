/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* args: 40 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Many at once, and a bomb that meets RLIMIT_NPROC. */

static int many(int count)
{
    pid_t *pids = calloc((size_t)count, sizeof(*pids));
    int good = 0;

    for (int i = 0; i < count; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            pause();
            _exit(1);
        }
        if (pids[i] < 0) {
            printf("fork %d: %s\n", i, strerror(errno));
            count = i;
        }
    }
    for (int i = 0; i < count; i++) {
        good += kill(pids[i], 0) == 0;
    }
    printf("alive at once: %d\n", good);
    for (int i = 0; i < count; i++) {
        kill(pids[i], SIGTERM);
    }
    good = 0;
    for (int i = 0; i < count; i++) {
        int st;

        good += waitpid(pids[i], &st, 0) == pids[i] && WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM;
    }
    free(pids);
    printf("ended as told: %d\n", good);
    return good;
}

static void bomb(void)
{
    const struct rlimit limit = {.rlim_cur = 12, .rlim_max = 12};
    int made = 0;
    int st;

    if (fork() == 0) {
        setrlimit(RLIMIT_NPROC, &limit);
        if (setuid(54321) < 0) {
            _exit(99);
        }
        for (int i = 0; i < 50; i++) {
            const pid_t pid = fork();

            if (pid == 0) {
                pause();
                _exit(0);
            }
            if (pid < 0) {
                printf("the bomb meets %s after %d\n", strerror(errno), made);
                break;
            }
            made++;
        }
        signal(SIGTERM, SIG_IGN);
        kill(0, SIGTERM);
        while (wait(&st) > 0) {
        }
        _exit(made);
    }
    signal(SIGTERM, SIG_IGN);
    wait(&st);
    printf("made %d\n", WEXITSTATUS(st));
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    setpgid(0, 0);
    many(argc > 1 ? (int)strtol(argv[1], NULL, 10) : 20);
    bomb();
    return 0;
}
