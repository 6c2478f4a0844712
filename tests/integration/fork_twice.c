/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Forks twice and says what became of it: for test_fork_attacks.py. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
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
