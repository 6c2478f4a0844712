/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* A process that is killed lets go of what it shared: the end of its pipe, its locks, a removed
 * file it had open. */

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "app.h"

int main(void)
{
    int p[2];
    int status = 0;
    char byte;

    scratch();
    int fd = open("locked", O_CREAT | O_RDWR, 0644);

    SHOW(pipe(p));
    (void)fflush(stdout);
    pid_t pid = fork();

    if (pid == 0) {
        int own = open("locked", O_RDWR);

        (void)flock(own, LOCK_EX);
        (void)!write(p[1], "x", 1);
        for (;;) {
            (void)pause();
        }
    }
    (void)close(p[1]);
    SHOW(read(p[0], &byte, 1));
    SHOW(flock(fd, LOCK_EX | LOCK_NB));
    SHOW(unlink("locked"));
    SHOW(kill(pid, SIGKILL));
    SHOW(read(p[0], &byte, 1));
    (void)waitpid(pid, &status, 0);
    printf("status %x\n", status);
    SHOW(flock(fd, LOCK_EX | LOCK_NB));
    (void)close(fd);
    return 0;
}
