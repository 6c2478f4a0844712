/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Pipes by other ways than their descriptors: opened again by /dev/fd with nobody at the other end
 * (what bash's <(…) comes to), and looked at by the child of a child, whose parent made them. */
#include <signal.h>
#include <sys/wait.h>

#include "app.h"

static void again(int fd, int flags)
{
    char name[32];
    char buf[16] = {0};

    (void)snprintf(name, sizeof(name), "/dev/fd/%d", fd);
    int f = open(name, flags);

    OK(f);
    if (f >= 0 && (flags & O_ACCMODE) == O_RDONLY) {
        SHOW(read(f, buf, sizeof(buf) - 1));
        puts(buf);
        SHOW(read(f, buf, 1));
    } else if (f >= 0) {
        (void)signal(SIGPIPE, SIG_IGN);
        SHOW(write(f, "x", 1));
    }
    close(f);
}

static void alone(void)
{
    int p[2];

    SHOW(pipe(p));
    SHOW(write(p[1], "left", 4));
    close(p[1]);
    again(p[0], O_RDONLY);
    close(p[0]);
    SHOW(pipe(p));
    close(p[0]);
    again(p[1], O_WRONLY);
    again(p[1], O_WRONLY | O_NONBLOCK);
    close(p[1]);
}

static int look(int fd)
{
    struct stat st;
    int r = fstat(fd, &st);

    printf("fstat %d %s\n", r, r == 0 && S_ISFIFO(st.st_mode) ? "fifo" : "");
    fflush(stdout);
    return r;
}

static void end(int (*child)(void))
{
    int status = 0;

    fflush(stdout);
    pid_t pid = fork();

    if (pid == 0) {
        _exit(child());
    }
    waitpid(pid, &status, 0);
    SHOW(WEXITSTATUS(status));
}

static int g_pipe[2];

static int grandchild(void)
{
    look(g_pipe[0]);
    look(g_pipe[1]);
    return write(g_pipe[1], "deep", 4) == 4 ? 7 : 1;
}

static int reader(void)
{
    again(g_pipe[0], O_RDONLY);
    fflush(stdout);
    return 8;
}

/* A process that is not the first, with a pipe it made: by /dev/fd while both ends are there, from
 * its child as well, and the end of file when the last writer is gone. */
static int maker(void)
{
    char name[32];
    char buf[8] = {0};
    int p[2];

    SHOW(pipe(p));
    SHOW(write(p[1], "one", 3));
    (void)snprintf(name, sizeof(name), "/dev/fd/%d", p[0]);
    int rd = open(name, O_RDONLY);

    OK(rd);
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", p[1]);
    int wr = open(name, O_WRONLY | O_NONBLOCK);

    OK(wr);
    SHOW(fcntl(wr, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
    SHOW(fcntl(p[1], F_GETFL) & (O_ACCMODE | O_NONBLOCK));
    SHOW(read(rd, buf, 3));
    puts(buf);
    close(p[1]);
    fflush(stdout);
    if (fork() == 0) {
        (void)snprintf(name, sizeof(name), "/dev/fd/%d", wr);
        int deep = open(name, O_WRONLY);

        _exit(write(deep, "two", 3) == 3 ? 5 : 6);
    }
    int status = 0;

    wait(&status);
    SHOW(WEXITSTATUS(status));
    SHOW(read(p[0], buf, 3));
    puts(buf);
    (void)snprintf(name, sizeof(name), "/dev/fd/%d", rd);
    int again_rd = open(name, O_RDONLY);

    OK(again_rd);
    close(wr);
    SHOW(read(again_rd, buf, 3));
    fflush(stdout);
    return 10;
}

static int child(void)
{
    char buf[8] = {0};

    SHOW(pipe(g_pipe));
    end(grandchild);
    SHOW(read(g_pipe[0], buf, 4));
    puts(buf);
    fflush(stdout);
    return 9;
}

int main(void)
{
    alone();
    SHOW(pipe(g_pipe));
    SHOW(write(g_pipe[1], "given", 5));
    close(g_pipe[1]);
    end(reader);
    close(g_pipe[0]);
    end(child);
    end(maker);
    return 0;
}
