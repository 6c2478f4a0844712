/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* A child waits in a read, or in a write, while its parent makes more children: these do not answer
 * for the parent, whether they start a program or end as they are. */
#include <spawn.h>

#include "app.h"

extern char **environ;

static void wait_in_read(const int *p)
{
    char c = '-';

    (void)!read(p[0], &c, 1);
    _exit(c);
}

static void wait_in_write(const int *p)
{
    static char block[1 << 17]; /* more than a pipe takes */

    _exit(write(p[1], block, sizeof(block)) == (ssize_t)sizeof(block) ? 7 : 8);
}

static void more_children(void)
{
    char *argv[] = {(char *)"true", NULL};
    pid_t pid;

    for (int i = 0; i < 2; i++) {
        OK(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ));
        reap(pid);
        pid = start();
        if (pid == 0) {
            _exit(3); /* with all descriptors open */
        }
        reap(pid);
    }
}

int main(void)
{
    char buf[4096];
    size_t got = 0;
    int in[2];
    int out[2];
    pid_t reader;
    pid_t writer;

    OK(pipe2(in, O_CLOEXEC));
    OK(pipe2(out, O_CLOEXEC));
    reader = start();
    if (reader == 0) {
        close(in[1]); /* so that its end is the parent's doing, or seems a child's */
        close(out[0]);
        wait_in_read(in);
    }
    writer = start();
    if (writer == 0) {
        close(in[1]);
        close(out[0]);
        wait_in_write(out);
    }
    usleep(100000); /* so that they do wait */
    more_children();
    OK(write(in[1], "A", 1) - 1);
    reap(reader);
    close(out[1]);
    for (ssize_t n; (n = read(out[0], buf, sizeof(buf))) > 0;) {
        got += (size_t)n;
    }
    reap(writer);
    printf("got %zu\n", got);
    return 0;
}
