/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child of fork has of its parent: memory of every kind, registers, nothing of its changes.
 */

static int g_data = 5;
static int g_bss[5000];
static _Thread_local int t_value = 11;

static void check(const char *what, int ok)
{
    if (!ok) {
        printf("WRONG: %s\n", what);
        fflush(stdout);
    }
}

static int in_child(char *heap, char *map, char *hidden, const char *wiped, volatile double *d)
{
    check("data", g_data == 5);
    check("bss", g_bss[4999] == 7);
    check("tls", t_value == 12);
    check("heap", strcmp(heap, "on the heap") == 0);
    check("mapping", map[0] == 'm' && map[(32 << 20) - 1] == 'e');
    check("untouched part", map[1 << 20] == 0);
    check("wiped", wiped[0] == 0);
    check("protection", mprotect(hidden, 4096, PROT_READ) == 0 && hidden[0] == 'h');
    check("floats", *d == 0.5);
    check("rounding", fegetround() == FE_DOWNWARD);
    g_data = 6;
    g_bss[0] = 1;
    map[0] = 'x';
    heap[0] = 'x';
    return 33;
}

static int fork_once(char *heap, char *map, char *hidden, const char *wiped, volatile double *d)
{
    const pid_t pid = fork();
    int status = 0;

    if (pid < 0) {
        perror("fork");
        return 1;
    }
    if (pid == 0) {
        _exit(in_child(heap, map, hidden, wiped, d));
    }
    check("waitpid", waitpid(pid, &status, 0) == pid);
    printf("exited %d with %d\n", WIFEXITED(status), WEXITSTATUS(status));
    return 0;
}

int main(void)
{
    char *heap = malloc(200000);
    char *map = mmap(NULL, 32 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *hidden = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *wiped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile double d = 0.5;

    setvbuf(stdout, NULL, _IOLBF, 0);
    g_bss[4999] = 7;
    t_value = 12;
    memcpy(heap, "on the heap", sizeof("on the heap"));
    map[0] = 'm';
    map[(32 << 20) - 1] = 'e';
    hidden[0] = 'h';
    wiped[0] = 'w';
    mprotect(hidden, 4096, PROT_NONE);
    madvise(wiped, 4096, MADV_WIPEONFORK);
    fesetround(FE_DOWNWARD);
    for (int i = 0; i < 3; i++) {
        if (fork_once(heap, map, hidden, wiped, &d) != 0) {
            return 1;
        }
        check("data of the parent", g_data == 5 && g_bss[0] == 0);
        check("memory of the parent", map[0] == 'm' && heap[0] == 'o');
    }
    return 0;
}
