/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* A child has stored to shared memory, and the host kills it: what it held alone is lost. Whoever
 * touches it gets SIGBUS, never what stood there before; the rest is as it was. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

static sigjmp_buf g_back;

static void bus(int signo)
{
    siglongjmp(g_back, signo);
}

/* What reading a byte gives: its value, or -signal. */
static int look(const volatile char *p)
{
    const int signo = sigsetjmp(g_back, 1);

    return signo != 0 ? -signo : *p;
}

int main(void)
{
    char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int fds[2];
    int status = 0;
    pid_t pid;

    if (p == MAP_FAILED || pipe(fds) < 0 || signal(SIGBUS, bus) == SIG_ERR) {
        return 1;
    }
    memset(p, 1, 3 * PAGE);
    pid = fork();
    if (pid == 0) {
        p[0] = 2;
        (void)!look(p + PAGE); /* a copy to read */
        puts("ready");
        fflush(stdout);
        for (;;) {
            pause();
        }
    }
    waitpid(pid, &status, 0);
    printf("killed by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    printf("held: %s\n", look(p) == -SIGBUS ? "SIGBUS" : "no error");
    printf("again: %s\n", look(p + 8) == -SIGBUS ? "SIGBUS" : "no error");
    printf("write: %s\n", write(fds[1], p, 1) < 0 && errno == EFAULT ? "EFAULT" : "no error");
    printf("read by it: %d, never touched by it: %d\n", look(p + PAGE), look(p + 2 * PAGE));
    pid = fork();
    if (pid == 0) {
        _exit(look(p) == -SIGBUS && look(p + PAGE) == 1 ? 5 : 6);
    }
    waitpid(pid, &status, 0);
    printf("another child: %d\n", WEXITSTATUS(status));
    return 0;
}
