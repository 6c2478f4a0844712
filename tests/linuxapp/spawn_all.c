/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* not: musl natively the signal of the child of vfork ends the parent */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* vfork and posix_spawn: the child's changes to descriptors, directory and signals are its own, its
 * errors arrive, the program it becomes is another process. */

extern char **environ;

static volatile int g_seen;

static int reap(pid_t pid)
{
    int st = -1;

    if (waitpid(pid, &st, 0) != pid) {
        return -1;
    }
    return WIFEXITED(st) ? WEXITSTATUS(st) : 1000 + WTERMSIG(st);
}

static void by_vfork(char *self)
{
    char *args[] = {self, "child", "7", NULL};
    pid_t pid = vfork();

    if (pid == 0) {
        g_seen = getpid() != 1;
        _exit(6);
    }
    printf("vfork and exit: %d, memory shared %d\n", reap(pid), g_seen);
    pid = vfork();
    if (pid == 0) {
        chdir("/tmp");
        close(0);
        execv(self, args);
        _exit(100);
    }
    printf("vfork and execv: %d\n", reap(pid));
    printf("descriptor 0 is still open %d\n", fcntl(0, F_GETFD) >= 0);
    pid = vfork();
    if (pid == 0) {
        execv("/nowhere", args);
        _exit(errno == ENOENT ? 101 : 102);
    }
    printf("vfork and no program: %d\n", reap(pid));
    pid = vfork();
    if (pid == 0) {
        raise(SIGTERM);
        _exit(1);
    }
    printf("vfork and a signal: %d\n", reap(pid));
}

static void by_spawn(char *self)
{
    char *args[] = {self, "child", "8", NULL};
    char *cat[] = {"cat", NULL};
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    sigset_t set;
    pid_t pid;
    char name[] = "/tmp/nacre-spawn-XXXXXX";
    int fd = mkstemp(name);
    int r = posix_spawn(&pid, self, NULL, NULL, args, environ);

    printf("spawn: %d", r);
    printf(" %d\n", reap(pid));
    r = posix_spawn(&pid, "/nowhere", NULL, NULL, args, environ);
    printf("no program: %s\n", strerror(r));
    r = posix_spawn(&pid, "/etc/passwd", NULL, NULL, args, environ);
    printf("not a program: %s\n", strerror(r));
    r = posix_spawnp(&pid, "true", NULL, NULL, args, environ);
    printf("by PATH: %d", r);
    printf(" %d\n", reap(pid));

    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 0, "/etc/hostname", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
    r = posix_spawnp(&pid, "cat", &fa, NULL, cat, environ);
    printf("actions: %d", r);
    printf(" %d\n", reap(pid));
    posix_spawn_file_actions_destroy(&fa);

    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attr, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    posix_spawnattr_setsigdefault(&attr, &set);
    args[2] = "9";
    r = posix_spawn(&pid, self, NULL, &attr, args, environ);
    printf("attributes: %d", r);
    printf(" %d\n", reap(pid));
    posix_spawnattr_destroy(&attr);
    printf("system: %d\n", WEXITSTATUS(system("exit 13")));
    close(fd);
    unlink(name);
}

int main(int argc, char **argv)
{
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 2) {
        if (strcmp(argv[2], "9") == 0) {
            printf("leads a group %d, default %d\n", getpgrp() == getpid(),
                   signal(SIGUSR1, SIG_DFL) == SIG_DFL);
        }
        return (int)strtol(argv[2], NULL, 10) + 10;
    }
    path[n > 0 ? n : 0] = '\0';
    signal(SIGUSR1, SIG_IGN);
    by_vfork(path);
    by_spawn(path);
    return 0;
}
