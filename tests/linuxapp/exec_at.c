/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* execveat: from a directory, by descriptor, of a symlink, of a script, of a memfd; and running
 * files that writers have open. The program calls itself round by round. */
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

#include "app.h"

static int at(int fd, const char *path, const char *round, int flags)
{
    char *args[] = {"exec_at", (char *)round, NULL};
    char *env[] = {"E=1", NULL};

    (void)fflush(stdout);
    return (int)syscall(SYS_execveat, fd, path, args, env, flags);
}

static void whoami(const char *round)
{
    const char *fn = (const char *)getauxval(AT_EXECFN);
    char exe[256] = "";
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    printf("round %s by %s, exe %s\n", round, strrchr(fn, '/') != NULL ? strrchr(fn, '/') : fn,
           n > 0 && strrchr(exe, '/') != NULL ? strrchr(exe, '/') : "none");
}

static int self_dir(void)
{
    char exe[512] = "";

    if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0) {
        perror("readlink");
    }
    *strrchr(exe, '/') = '\0';
    return open(exe, O_PATH | O_DIRECTORY);
}

static void refused(int dir)
{
    int plain;
    int writer;

    SHOW(at(-1, "exec_at", "x", 0));
    SHOW(at(dir, "", "x", 0));
    SHOW(at(dir, "", "x", AT_EMPTY_PATH));
    SHOW(at(dir, "not-there", "x", 0));
    SHOW(at(dir, "exec_at", "x", 0x40));
    SHOW(at(dir, "exec_at/x", "x", 0));
    SHOW(at(0, "exec_at", "x", 0));
    scratch();
    SHOW(symlink("nothing", "dangling"));
    SHOW(at(AT_FDCWD, "dangling", "x", AT_SYMLINK_NOFOLLOW));
    SHOW(at(AT_FDCWD, "dangling", "x", 0));
    make("plain", "#!/bin/true\n");
    plain = open("plain", O_RDONLY);
    SHOW(at(plain, "", "x", AT_EMPTY_PATH));
    SHOW(fchmod(plain, 0755));
    SHOW(fcntl(plain, F_SETFD, FD_CLOEXEC));
    SHOW(at(plain, "", "x", AT_EMPTY_PATH)); /* a script that would be gone */
    writer = open("plain", O_WRONLY);
    make("text", "no program");
    SHOW(chmod("text", 0755));
    SHOW(at(AT_FDCWD, "text", "x", 0));
    SHOW(close(writer));
    writer = open("text", O_WRONLY);
    SHOW(at(AT_FDCWD, "text", "x", 0));
    SHOW(close(writer));
    SHOW(close(plain));
    scratch_leave();
}

/* A memfd may run while it is open for writing, but not be opened for writing while it runs. */
static int memfd_self(void)
{
    int in = open("/proc/self/exe", O_RDONLY);
    int fd = memfd_create("self", MFD_CLOEXEC);
    struct stat st;

    if (fstat(in, &st) < 0 || fchmod(fd, 0755) < 0) {
        perror("memfd");
    }
    while (sendfile(fd, in, NULL, (size_t)st.st_size) > 0) {
    }
    close(in);
    return fd;
}

int main(int argc, char **argv)
{
    const int round = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
    int dir;

    if (round == 4) {
        printf("round 4, argument %s, %s\n", argv[1], getenv("E"));
        SHOW(open("/proc/self/exe", O_WRONLY));
        return 0;
    }
    whoami(argc > 1 ? argv[1] : "0");
    dir = self_dir();
    SHOW(dup2(dir, 77));
    close(dir);
    switch (round) {
    case 0:
        refused(77);
        SHOW(open("/proc/self/exe", O_WRONLY));
        at(77, "exec_at", "1", 0);
        break;
    case 1: at(open("/proc/self/exe", O_PATH), "", "2", AT_EMPTY_PATH); break;
    case 2: at(77, "exec_at", "3", AT_SYMLINK_NOFOLLOW); break;
    default: at(memfd_self(), "", "4", AT_EMPTY_PATH); break;
    }
    perror("execveat");
    return 1;
}
