/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* What a child of vfork changes about itself before it executes a program is the program's, and
 * never its parent's: user, groups, limits, capabilities, directory, mask, prctl. */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "app.h"

static void show(const char *who)
{
    gid_t groups[8];
    const int count = getgroups(8, groups);
    struct rlimit files;
    struct rlimit core;
    sigset_t set;
    char cwd[64];
    const mode_t mask = umask(0);

    (void)umask(mask);
    getrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_FSIZE, &core);
    sigprocmask(SIG_BLOCK, NULL, &set);
    printf("%s: uid %d %d gid %d %d groups %d", who, getuid(), geteuid(), getgid(), getegid(),
           count);
    for (int i = 0; i < count; i++) {
        printf(" %d", groups[i]);
    }
    printf("\n%s: files %lu size %lu mask %o usr1 %d cwd %s\n", who, (unsigned long)files.rlim_cur,
           (unsigned long)core.rlim_cur, mask, sigismember(&set, SIGUSR1),
           getcwd(cwd, sizeof(cwd)));
    printf("%s: no new privileges %d keep %d persona %x slack %d\n", who,
           prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_KEEPCAPS), personality(0xffffffff),
           prctl(PR_GET_TIMERSLACK));
    fflush(stdout);
}

static pid_t spawn(char *const argv[], int run)
{
    static const gid_t groups[] = {7, 9, 11};
    static const struct rlimit files = {77, 99};
    static const struct rlimit size = {1 << 20, 1 << 20};
    static sigset_t set;
    pid_t pid;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pid = vfork();
    if (pid == 0) {
        int bad = 0;

        bad += setgroups(3, groups) < 0;
        bad += setrlimit(RLIMIT_NOFILE, &files) < 0;
        bad += setrlimit(RLIMIT_FSIZE, &size) < 0;
        bad += prctl(PR_SET_TIMERSLACK, 70000) < 0;
        bad += personality(ADDR_NO_RANDOMIZE) == -1;
        bad += prctl(PR_SET_CHILD_SUBREAPER, 1) < 0;
        bad += prctl(PR_SET_PDEATHSIG, SIGUSR2) < 0;
        (void)umask(0117);
        bad += chdir("/proc") < 0;
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        bad += setresgid(33, 33, 33) < 0;
        bad += setresuid(33, 33, 33) < 0;
        bad += prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0;
        if (run && bad == 0) {
            execv(argv[0], argv);
        }
        _exit(bad);
    }
    return pid;
}

int main(int argc, char **argv)
{
    char self[256] = "";
    char *const args[] = {self, "again", NULL};
    int reaper = -1;
    int death = -1;
    int st;

    if (argc > 1) {
        show("program");
        prctl(PR_GET_CHILD_SUBREAPER, &reaper);
        prctl(PR_GET_PDEATHSIG, &death);
        printf("program: reaper %d death signal %d\n", reaper, death);
        return 5;
    }
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0) {
        return 1;
    }
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){512, 512});
    (void)umask(022);
    setgroups(1, (gid_t[]){3});
    prctl(PR_SET_TIMERSLACK, 50000);
    show("parent");
    waitpid(spawn(args, 0), &st, 0);
    printf("child: status %d\n", WEXITSTATUS(st));
    show("parent");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    waitpid(spawn(args, 1), &st, 0);
    printf("child: status %d\n", WEXITSTATUS(st));
    show("parent");
    const pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_GET_CHILD_SUBREAPER, &reaper);
        printf("forked: reaper %d\n", reaper);
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, &st, 0);
    prctl(PR_GET_CHILD_SUBREAPER, &reaper);
    printf("parent: reaper %d\n", reaper);
    OK(getrlimit(RLIMIT_NOFILE, &(struct rlimit){0}));
    return 0;
}
