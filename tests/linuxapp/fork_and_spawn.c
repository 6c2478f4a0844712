/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Threads that fork while others run children on their own thread (posix_spawn), and a process
 * group that is signalled meanwhile: whoever looks at a child must find it, or nobody. */

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS   8
#define SPAWNERS 2

extern char **environ;
static atomic_int g_spawned, g_forked, g_bad;
static atomic_bool g_done;

static int result_of(pid_t pid)
{
    int status = -1;

    while (waitpid(pid, &status, 0) < 0) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void *spawn(void *arg)
{
    char *argv[] = {"fork_and_spawn", "child", NULL};

    for (int i = 0; i < ROUNDS; i++) {
        pid_t pid;

        if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) != 0 ||
            result_of(pid) != 7) {
            g_bad++;
        }
        g_spawned++;
    }
    return NULL;
}

static void *fork_some(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        const pid_t pid = fork();

        if (pid == 0) {
            _exit(9);
        }
        if (pid < 0 || result_of(pid) != 9) {
            g_bad++;
        }
        g_forked++;
    }
    return NULL;
}

/* SIGWINCH is ignored by default: nobody notices, but everybody is looked for. */
static void *signal_group(void *arg)
{
    while (!g_done) {
        if (kill(0, SIGWINCH) != 0) {
            g_bad++;
        }
        usleep(2000);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t spawners[SPAWNERS];
    pthread_t forker;
    pthread_t signaller;

    if (argc > 1 && strcmp(argv[1], "child") == 0) {
        return 7;
    }
    setpgid(0, 0);
    pthread_create(&signaller, NULL, signal_group, NULL);
    pthread_create(&forker, NULL, fork_some, NULL);
    for (int i = 0; i < SPAWNERS; i++) {
        pthread_create(&spawners[i], NULL, spawn, NULL);
    }
    for (int i = 0; i < SPAWNERS; i++) {
        pthread_join(spawners[i], NULL);
    }
    pthread_join(forker, NULL);
    g_done = true;
    pthread_join(signaller, NULL);
    printf("spawned %d, forked %d, bad %d\n", g_spawned, g_forked, g_bad);
    return 0;
}
