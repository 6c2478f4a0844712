/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *sleeper(void *arg)
{
    for (;;) {
        pause();
    }
    return NULL;
}

static void handler(int sig)
{
}

/* Becomes itself, with other arguments, from a second thread's company. */
int main(int argc, char **argv)
{
    char *none[] = {NULL};
    char *args[] = {argv[0], "again", "with arguments", NULL};
    char *env[] = {"ONLY=this", NULL};
    struct sigaction sa;
    pthread_t t;
    int marked;
    int kept;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) {
        sigaction(SIGUSR1, NULL, &sa);
        printf("again: %d %s, ONLY %s, HOME %d\n", argc, argv[2], getenv("ONLY"),
               getenv("HOME") != NULL);
        printf("handler gone %d, ignored kept %d\n", sa.sa_handler == SIG_DFL,
               signal(SIGUSR2, SIG_DFL) == SIG_IGN);
        printf("marked closed %d, other open %d\n", fcntl(20, F_GETFD) < 0,
               fcntl(21, F_GETFD) == 0);
        return 9;
    }
    if (execve("/nowhere/at/all", none, env) < 0) {
        printf("missing: %s\n", strerror(errno));
    }
    if (execve("/etc/passwd", args, env) < 0) {
        printf("not executable: %s\n", strerror(errno));
    }
    if (execve("/", args, env) < 0) {
        printf("directory: %s\n", strerror(errno));
    }
    marked = open("/dev/null", O_RDONLY | O_CLOEXEC);
    kept = open("/dev/null", O_RDONLY);
    dup3(marked, 20, O_CLOEXEC);
    dup2(kept, 21);
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    pthread_create(&t, NULL, sleeper, NULL);
    execve(argv[0], args, env);
    printf("failed: %s\n", strerror(errno));
    return 1;
}
