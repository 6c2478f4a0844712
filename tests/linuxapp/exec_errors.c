/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* execve of what cannot be executed, by every way to make a process: Linux's errno where the caller
 * looks for it, and everybody goes on. */
#include <elf.h>
#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>

#include "app.h"

extern char **environ;

static int by_exec(const char *path)
{
    char *argv[] = {(char *)path, "again", NULL};

    execve(path, argv, environ);
    return errno;
}

static int by_fork(const char *path)
{
    int st = 0;
    const pid_t pid = fork();

    if (pid == 0) {
        _exit(by_exec(path));
    }
    return waitpid(pid, &st, 0) == pid && WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static int by_vfork(const char *path)
{
    volatile int error = 0;
    int st = 0;
    const pid_t pid = vfork();

    if (pid == 0) {
        error = by_exec(path);
        _exit(0);
    }
    return waitpid(pid, &st, 0) == pid && WIFEXITED(st) ? error : -1;
}

static int by_spawn(const char *path)
{
    char *argv[] = {(char *)path, "again", NULL};
    int st = 0;
    pid_t pid;
    const int r = posix_spawn(&pid, path, NULL, NULL, argv, environ);

    if (r == 0) {
        waitpid(pid, &st, 0);
        return 1000 + WEXITSTATUS(st);
    }
    return r;
}

static void try(const char *path)
{
    printf("%s: exec %d", path, by_exec(path));
    fflush(stdout);
    const int forked = by_fork(path);
    const int vforked = by_vfork(path);

    printf(" fork %d vfork %d spawn %d\n", forked, vforked, by_spawn(path));
    fflush(stdout);
}

static void copy_elf(const char *to, int machine, int type)
{
    Elf64_Ehdr h;
    char buf[4096];
    const int in = open("/proc/self/exe", O_RDONLY);
    const int out = open(to, O_CREAT | O_WRONLY | O_TRUNC, 0755);
    ssize_t n = read(in, &h, sizeof(h));

    if (n != (ssize_t)sizeof(h)) {
        exit(94);
    }
    h.e_machine = machine == 0 ? h.e_machine : (Elf64_Half)machine;
    h.e_type = type == 0 ? h.e_type : (Elf64_Half)type;
    (void)!write(out, &h, sizeof(h));
    while ((n = read(in, buf, sizeof(buf))) > 0) {
        (void)!write(out, buf, (size_t)n);
    }
    close(in);
    close(out);
}

static void executable(const char *name, const char *text)
{
    make(name, text);
    chmod(name, 0755);
}

/* A file that was removed after it was opened runs all the same. */
static void deleted(void)
{
    char *argv[] = {"deleted", "gone", NULL};
    int st;

    copy_elf("deleted", 0, 0);
    const int fd = open("deleted", O_RDONLY | O_CLOEXEC);

    OK(unlink("deleted"));
    try("deleted");
    const pid_t pid = fork();

    if (pid == 0) {
        fexecve(fd, argv, environ);
        _exit(errno);
    }
    waitpid(pid, &st, 0);
    printf("deleted but open: %d\n", WEXITSTATUS(st));
    close(fd);
}

int main(int argc, char **argv)
{
    char path[5000];

    if (argc > 1) {
        return 42;
    }
    scratch();
    try("missing");
    try("missing/missing");
    make("plain", "#!/bin/sh\nexit 3\n");
    try("plain"); /* no x anywhere: not even root may */
    executable("empty", "");
    try("empty");
    executable("text", "no magic here\n");
    try("text");
    executable("one", "#");
    try("one");
    executable("bang", "#!\n");
    try("bang");
    executable("nowhere", "#!/nowhere/at/all\n");
    try("nowhere");
    executable("itself", "#!./itself\n");
    try("itself");
    executable("directory", "#!/\n");
    try("directory");
    executable("through", "#!plain\n");
    try("through");
    OK(mkdir("dir", 0755));
    try("dir");
    OK(symlink("loop", "loop"));
    try("loop");
    OK(mkfifo("fifo", 0755));
    try("fifo");
    try("/dev/null");
    copy_elf("arm", EM_AARCH64, 0);
    try("arm");
    copy_elf("core", 0, ET_CORE);
    try("core");
    copy_elf("cut", 0, 0);
    OK(truncate("cut", 100));
    try("cut");
    OK(truncate("cut", 40));
    try("cut");
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    printf("long: %d\n", by_vfork(path));
    path[300] = '\0';
    printf("long name: %d\n", by_vfork(path));
    try("");
    deleted();
    return 0;
}
