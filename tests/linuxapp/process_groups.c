/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Groups, sessions, orphans. */

#define SHOW(what, r) printf("%s: %s\n", what, (r) < 0 ? strerror(errno) : "ok")

static void sleep_for_ever(void)
{
    for (;;) {
        pause();
    }
}

static pid_t in_group(pid_t group)
{
    const pid_t pid = fork();

    if (pid == 0) {
        sleep_for_ever();
    }
    SHOW("setpgid of a child", setpgid(pid, group == 0 ? pid : group));
    return pid;
}

static void groups(void)
{
    const pid_t a = in_group(0);
    const pid_t b = in_group(a);
    int st;

    printf("one group %d, not ours %d\n", getpgid(b) == a, getpgrp() != a);
    SHOW("kill of the group", kill(-a, SIGUSR1));
    for (int i = 0; i < 2; i++) {
        const pid_t pid = waitpid(-a, &st, 0);

        printf("of the group %d, signal %d\n", pid == a || pid == b, WTERMSIG(st));
    }
    printf("group is gone: %d\n", waitpid(-a, &st, 0));
    SHOW("kill of the gone group", kill(-a, 0));
    SHOW("setpgid of nobody", setpgid(31999, 0));
    SHOW("negative group", setpgid(0, -5));
}

static void sessions(void)
{
    const pid_t pid = fork();
    int st;

    if (pid == 0) {
        const pid_t sid = setsid();

        printf("new session %d group %d\n", sid == getpid() && getsid(0) == sid,
               getpgrp() == getpid());
        SHOW("setsid again", setsid());
        SHOW("a leader cannot move", setpgid(0, 0));
        _exit(0);
    }
    waitpid(pid, &st, 0);
    SHOW("session of nobody", getsid(31999));
}

/* The reaper gets the grandchild when the child is gone. */
static void orphans(void)
{
    pid_t child;
    int st;

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    child = fork();
    if (child == 0) {
        const pid_t parent = getppid();

        if (fork() == 0) {
            const pid_t self_parent = getppid();

            while (getppid() == self_parent) {
                usleep(1000);
            }
            _exit(getppid() == parent ? 40 : 41);
        }
        usleep(200000); /* until the grandchild has looked */
        _exit(4);
    }
    waitpid(child, &st, 0);
    printf("child %d\n", WEXITSTATUS(st));
    child = wait(&st);
    printf("grandchild %d\n", child > 0 ? WEXITSTATUS(st) : -1);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void death_signal(void)
{
    int st;

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (fork() == 0) {
        const pid_t grandchild = fork();

        if (grandchild == 0) {
            prctl(PR_SET_PDEATHSIG, SIGUSR2);
            sleep_for_ever();
        }
        usleep(200000);
        _exit(0);
    }
    for (int i = 0; i < 2; i++) {
        wait(&st);
        printf("%s %d\n", WIFSIGNALED(st) ? "killed by" : "exited",
               WIFSIGNALED(st) ? WTERMSIG(st) : WEXITSTATUS(st));
    }
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    groups();
    sessions();
    orphans();
    death_signal();
    return 0;
}
