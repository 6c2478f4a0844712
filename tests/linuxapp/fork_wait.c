/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* wait4 and waitid, every option that has children to look at. */

static pid_t child(int code)
{
    const pid_t pid = fork();

    if (pid == 0) {
        _exit(code);
    }
    return pid;
}

static pid_t sleeper(void)
{
    const pid_t pid = fork();

    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    return pid;
}

#define show(what, call, st)             \
    do {                                 \
        const int show_r_ = (int)(call); \
        show_(what, show_r_, st);        \
    } while (0)

static void show_(const char *what, int r, int status)
{
    if (r < 0) {
        printf("%s: %s\n", what, strerror(errno));
    } else if (r == 0) {
        printf("%s: nobody yet\n", what);
    } else if (WIFEXITED(status)) {
        printf("%s: exit %d\n", what, WEXITSTATUS(status));
    } else if (WIFSIGNALED(status)) {
        printf("%s: signal %d\n", what, WTERMSIG(status));
    } else if (WIFSTOPPED(status)) {
        printf("%s: stopped by %d\n", what, WSTOPSIG(status));
    } else if (WIFCONTINUED(status)) {
        printf("%s: continued\n", what);
    }
}

static void show_info(const char *what, int r, const siginfo_t *si, pid_t pid)
{
    if (r < 0) {
        printf("%s: %s\n", what, strerror(errno));
    } else {
        printf("%s: signo %d code %d status %d, pid right %d\n", what, si->si_signo, si->si_code,
               si->si_status, si->si_pid == pid);
    }
}

int main(void)
{
    siginfo_t si;
    struct rusage ru;
    int st = 0;
    pid_t a;
    pid_t b;

    setvbuf(stdout, NULL, _IOLBF, 0);
    show("no children", waitpid(-1, &st, 0), st);
    show("no such child", waitpid(4242, &st, 0), st);
    show("bad options", waitpid(-1, &st, 0x4000), st);
    show("bad type", waitid((idtype_t)77, 1, &si, WEXITED), 0);
    show("no kind", waitid(P_ALL, 0, &si, 0), 0);

    a = child(1);
    b = child(2);
    show("the second first", waitpid(b, &st, 0), st);
    show("then any", waitpid(-1, &st, 0), st);
    show("none left", waitpid(a, &st, 0), st);

    a = sleeper();
    show("not yet", waitpid(a, &st, WNOHANG), st);
    memset(&si, 0x55, sizeof(si));
    show_info("not yet, waitid", waitid(P_PID, (id_t)a, &si, WEXITED | WNOHANG), &si, 0);
    kill(a, SIGSTOP);
    show("stopped", waitpid(a, &st, WUNTRACED), st);
    show("told once", waitpid(a, &st, WUNTRACED | WNOHANG), st);
    kill(a, SIGCONT);
    show("continued", waitpid(a, &st, WCONTINUED), st);
    kill(a, SIGTERM);
    show_info("kept", waitid(P_PID, (id_t)a, &si, WEXITED | WNOWAIT), &si, a);
    show("still there", waitpid(a, &st, 0), st);

    a = sleeper();
    kill(a, SIGKILL);
    show("killed", wait4(a, &st, 0, &ru), st);
    printf("usage sane %d\n", ru.ru_utime.tv_sec < 60);

    a = child(77);
    show("by group", waitpid(0, &st, 0), st);
    a = child(78);
    show_info("group by waitid", waitid(P_PGID, (id_t)getpgrp(), &si, WEXITED), &si, a);
    a = fork();
    if (a == 0) {
        abort();
    }
    waitpid(a, &st, 0);
    printf("aborted %d signal %d\n", WIFSIGNALED(st), WTERMSIG(st));
    show("none left", waitpid(-1, &st, WNOHANG), st);
    return 0;
}
