/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* RLIMIT_NPROC: a fork bomb of a user meets it, by fork, vfork and thread-less clone; what ended
 * and was waited for makes room again; root is not limited by it. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "app.h"

#define LIMIT 12

static int g_tell;

/* Everybody forks until nobody can, and tells of each child and of the refusal. */
static void bomb(void)
{
    for (;;) {
        const pid_t pid = fork();

        if (pid < 0) {
            (void)!write(g_tell, errno == EAGAIN ? "E" : "?", 1);
            return;
        }
        (void)!write(g_tell, pid == 0 ? "c" : "", pid == 0 ? 1 : 0);
    }
}

/* A user nobody else has, so that only ours are counted. */
static void become(void)
{
    const uid_t uid = 54000 + (uid_t)(getpid() % 10000);

    if (setresgid(54000, 54000, 54000) < 0 || setresuid(uid, uid, uid) < 0) {
        perror("setresuid");
        exit(93);
    }
}

static void explode(void)
{
    int tell[2];
    int children = 0;
    int refused = 0;
    int other = 0;
    int st;
    char c;

    OK(pipe(tell));
    g_tell = tell[1];
    const pid_t first = fork();

    if (first == 0) {
        setpgid(0, 0);
        become();
        setrlimit(RLIMIT_NPROC, &(struct rlimit){LIMIT, LIMIT});
        bomb();
        pause();
        _exit(0);
    }
    close(tell[1]);
    while (refused < LIMIT && read(tell[0], &c, 1) == 1) {
        children += c == 'c';
        refused += c == 'E';
        other += c == '?';
    }
    printf("bomb: %d children, %d were refused, %d otherwise\n", children, refused, other);
    OK(kill(-first, SIGKILL));
    waitpid(first, &st, 0);
    close(tell[0]);
}

static void room_again(void)
{
    pid_t pids[LIMIT];
    int made = 0;
    int st;

    become();
    setrlimit(RLIMIT_NPROC, &(struct rlimit){4, 4});
    while (made < LIMIT && (pids[made] = fork()) > 0) {
        made++;
    }
    if (made < LIMIT && pids[made] == 0) {
        pause();
        _exit(0);
    }
    printf("made %d, then %s\n", made, errno == EAGAIN ? "EAGAIN" : "another error");
    fflush(stdout);
    pid_t pid = vfork();

    if (pid == 0) {
        _exit(9);
    }
    printf("vfork: %s\n", pid < 0 && errno == EAGAIN ? "EAGAIN" : "made");
    kill(pids[0], SIGKILL);
    waitpid(pids[0], &st, 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    printf("after one was waited for: %s\n", pid > 0 ? "made" : "refused");
    for (int i = 1; i < made; i++) {
        kill(pids[i], SIGKILL);
    }
    while (wait(&st) > 0) {
    }
    setrlimit(RLIMIT_NPROC, &(struct rlimit){0, 4});
    pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    printf("limit 0: %s\n", pid < 0 && errno == EAGAIN ? "EAGAIN" : "made");
    fflush(stdout);
}

int main(void)
{
    int st;

    setvbuf(stdout, NULL, _IOLBF, 0);
    explode();
    const pid_t pid = fork();

    if (pid == 0) {
        room_again();
        _exit(0);
    }
    waitpid(pid, &st, 0);
    printf("status %d\n", st);
    setrlimit(RLIMIT_NPROC, &(struct rlimit){1, 1});
    const pid_t root = fork();

    if (root == 0) {
        _exit(0);
    }
    printf("root: %s\n", root > 0 && waitpid(root, &st, 0) == root ? "made" : "refused");
    return 0;
}
