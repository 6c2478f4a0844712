/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* /proc/PID of other processes: what everybody may see, what only its user may, and when it ended.
 */
#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "app.h"

static void line_of(pid_t pid, const char *file, const char *key)
{
    char path[64];
    char text[4096] = "";

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    FILE *f = fopen(path, "r");

    if (f == NULL) {
        printf("%s: %s\n", file, strerrorname_(errno));
        return;
    }
    while (fgets(text, sizeof(text), f) != NULL) {
        if (strncmp(text, key, strlen(key)) == 0) {
            printf("%s: %s", file, text);
            break;
        }
    }
    fclose(f);
}

static void numbers(pid_t pid)
{
    char path[64];
    char comm[64];
    char state;
    int ppid;
    int pgid;
    int sid;
    int n;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");

    if (f == NULL || fscanf(f, "%d %63s %c %d %d %d", &n, comm, &state, &ppid, &pgid, &sid) != 6) {
        printf("stat: %s\n", strerrorname_(errno));
    } else {
        printf("stat: %d %s parent %d group %d session %d zombie %d\n", n == pid, comm,
               ppid == getpid(), pgid == getpgid(pid), sid == getsid(pid), state == 'Z');
    }
    if (f != NULL) {
        fclose(f);
    }
}

static void may_read(pid_t pid, const char *file)
{
    char path[64];
    char c;

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    const int fd = open(path, O_RDONLY);
    const ssize_t r = fd < 0 ? -1 : read(fd, &c, 1);

    printf("%s: %s\n", file, r < 0 ? strerrorname_(errno) : r == 0 ? "empty" : "readable");
    if (fd >= 0) {
        close(fd);
    }
}

static void link_of(pid_t pid, const char *file)
{
    char path[64];
    char text[256] = "";

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    const ssize_t n = readlink(path, text, sizeof(text) - 1);

    printf("%s: %s\n", file, n < 0 ? strerrorname_(errno) : strrchr(text, '/') + 1);
}

static void stranger(pid_t of)
{
    static const char *const open_to_all[] = {"status", "stat", "cmdline", "comm", "statm"};
    static const char *const hidden[] = {"environ", "maps", "smaps", "mem"};
    char path[64];

    if (setresgid(54000, 54000, 54000) < 0 || setresuid(54000, 54000, 54000) < 0) {
        _exit(92);
    }
    for (size_t i = 0; i < 5; i++) {
        may_read(of, open_to_all[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        may_read(of, hidden[i]);
    }
    link_of(of, "exe");
    link_of(of, "cwd");
    link_of(of, "root");
    snprintf(path, sizeof(path), "/proc/%d/fd", of);
    DIR *d = opendir(path);

    printf("fd: %s\n", d == NULL ? strerrorname_(errno) : "open");
    snprintf(path, sizeof(path), "/proc/%d/cmdline", of);
    printf("write: %s\n", open(path, O_WRONLY) < 0 ? strerrorname_(errno) : "open");
    fflush(stdout);
    _exit(0);
}

static int listed(pid_t pid)
{
    char name[16];
    int found = 0;
    DIR *d = opendir("/proc");

    snprintf(name, sizeof(name), "%d", pid);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        found |= strcmp(e->d_name, name) == 0;
    }
    closedir(d);
    return found;
}

/* Its own name as a child of vfork's program sees it: nobody has asked for a process before. */
static void parent_of_a_vfork(void)
{
    char self[32];
    int st;

    snprintf(self, sizeof(self), "/proc/%d/comm", getpid());
    const pid_t pid = vfork();

    if (pid == 0) {
        execlp("cat", "cat", self, NULL);
        _exit(90);
    }
    waitpid(pid, &st, 0);
    scratch();
    make("script-name", "#!/bin/sh\nread name < /proc/$$/comm; echo $name; cat /proc/$$/comm\n");
    chmod("script-name", 0755);
    const pid_t script = fork();

    if (script == 0) {
        execl("./script-name", "another", NULL);
        _exit(89);
    }
    waitpid(script, &st, 0);
    printf("script: %d\n", WEXITSTATUS(st));
}

int main(void)
{
    siginfo_t info;
    char path[64];
    char text[64] = "";
    int st;

    setvbuf(stdout, NULL, _IOLBF, 0);
    parent_of_a_vfork();
    pid_t pid = fork();

    if (pid == 0) {
        execlp("sleep", "sleep", "100", NULL);
        _exit(91);
    }
    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    while (strcmp(text, "sleep\n") != 0) { /* until it is what it executes */
        FILE *f = fopen(path, "r");

        if (f == NULL || fgets(text, sizeof(text), f) == NULL) {
            return 1;
        }
        fclose(f);
        usleep(1000);
    }
    printf("listed: %d\n", listed(pid));
    numbers(pid);
    line_of(pid, "status", "Name:");
    line_of(pid, "status", "Uid:");
    line_of(pid, "cmdline", "sleep");
    puts("");
    link_of(pid, "exe");
    const pid_t other = fork();

    if (other == 0) {
        stranger(pid);
    }
    waitpid(other, &st, 0);
    printf("stranger: %d\n", WEXITSTATUS(st));
    kill(pid, SIGKILL);
    (void)waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    puts("a zombie");
    numbers(pid);
    line_of(pid, "status", "State:");
    may_read(pid, "cmdline");
    link_of(pid, "exe");
    printf("listed: %d\n", listed(pid));
    waitpid(pid, &st, 0);
    puts("gone");
    may_read(pid, "status");
    link_of(pid, "exe");
    printf("listed: %d\n", listed(pid));
    return 0;
}
