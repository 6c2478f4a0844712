/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The application of the provisioning tests: looks at what it got, and for what it must not get. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/agent_device.h"

static int g_found;

static void found(const char *what)
{
    printf("FOUND %s\n", what);
    g_found++;
}

/* Every ioctl of the private interface on every descriptor there could be. */
static void try_descriptors(void)
{
    static const unsigned long requests[] = {AGENT_GET_MANIFEST, AGENT_GET_HINTS, AGENT_GET_QUOTE,
                                             AGENT_START};
    static union {
        struct agent_buffer buffer;
        struct agent_quote quote;
        struct agent_start start;
    } arg;

    for (int fd = 0; fd < 4096; fd++) {
        for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
            memset(&arg, 0, sizeof(arg));
            if (ioctl(fd, requests[i], &arg) == 0 || (errno != EBADF && errno != ENOTTY)) {
                found("an answer to a private ioctl");
            }
        }
        if (fd > 2 && fcntl(fd, F_GETFD) >= 0) {
            found("a descriptor left by the agent");
        }
    }
}

static void try_names(void)
{
    static const char *const names[] = {AGENT_DEVICE_PATH, "/agent", "/proc/1/root/agent",
                                        "/proc/self/root/dev/nacre"};
    DIR *dev = opendir("/dev");
    struct dirent *e;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        /* Another process's root is refused whatever lies there. */
        const bool others = getpid() != 1 && strncmp(names[i], "/proc/1/", 8) == 0;

        if (open(names[i], O_RDWR) >= 0 ||
            (errno != ENOENT && errno != ENXIO && !(others && errno == EACCES))) {
            printf("%s: %s\n", names[i], strerror(errno));
            found("a name that opens");
        }
    }
    while (dev != NULL && (e = readdir(dev)) != NULL) {
        if (strcmp(e->d_name, "nacre") == 0) {
            found("the device in a listing");
        }
    }
    if (dev != NULL) {
        closedir(dev);
    }
    /* the same numbers under another name */
    (void)mknod("/tmp/again", S_IFCHR | 0600, makedev(10, 255));
    if (open("/tmp/again", O_RDWR) >= 0) {
        found("the device through a node of the application's");
    }
    (void)unlink("/tmp/again");
}

/* The agent's file name must not be in any mapping, nor its text in /proc. */
static void try_maps(void)
{
    char line[512];
    FILE *f = fopen("/proc/self/maps", "re");

    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strstr(line, "agent (deleted)") != NULL || strstr(line, "/agent\n") != NULL) {
            found("the agent in the memory map");
        }
    }
    if (f != NULL) {
        fclose(f);
    }
}

static int closed(const char *self, int again)
{
    pid_t child;
    int status = 0;

    try_descriptors();
    try_names();
    try_maps();
    fflush(stdout);
    child = fork();
    if (child == 0) {
        g_found = 0;
        try_descriptors();
        try_names();
        fflush(stdout);
        _exit(g_found != 0);
    }
    if (child < 0) {
        printf("fork: %s\n", strerror(errno));
    } else if (waitpid(child, &status, 0) != child || status != 0) {
        found("something in a forked child");
    } else {
        printf("a forked child found nothing\n");
    }
    fflush(stdout);
    if (again > 0) {
        execl(self, self, "closed", "0", NULL);
        return 1;
    }
    printf("closed: %d found\n", g_found);
    return g_found != 0;
}

static int show(const char *path)
{
    struct stat st;
    char data[256];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof(data));

    if (n < 0 || fstat(fd, &st) < 0) {
        printf("%s: %s\n", path, strerror(errno));
        return 1;
    }
    printf("%s %03o %u %u %.*s\n", path, st.st_mode & 07777, st.st_uid, st.st_gid, (int)n, data);
    return 0;
}

static int what_i_got(char **argv)
{
    char cwd[4096];
    gid_t groups[64];
    int count = getgroups(64, groups);

    for (char **e = environ; *e != NULL; e++) {
        printf("env %s\n", *e);
    }
    for (char **a = argv; *a != NULL; a++) {
        printf("arg %s\n", *a);
    }
    printf("cwd %s\nuser %u %u", getcwd(cwd, sizeof(cwd)), getuid(), getgid());
    for (int i = 0; i < count; i++) {
        printf(" %u", groups[i]);
    }
    printf("\npid %d\n", getpid());
    return 0;
}

/* The files an application attests with, in hexadecimal. */
static int attest(void)
{
    static const char *const names[] = {"quote",
                                        "report",
                                        "my_target_info",
                                        "attestation_type",
                                        "keys/_sgx_mrenclave",
                                        "keys/_sgx_mrsigner"};
    int fd = open("/dev/attestation/user_report_data", O_WRONLY);

    if (write(fd, "application's own", 17) != 17) {
        return 1;
    }
    close(fd);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsigned char data[16384];
        char path[64];
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/dev/attestation/%s", names[i]);
        fd = open(path, O_RDONLY);
        n = read(fd, data, sizeof(data));
        printf("%s ", names[i]);
        for (ssize_t k = 0; k < n; k++) {
            printf("%02x", data[k]);
        }
        printf("%s\n", n < 0 ? strerror(errno) : "");
        close(fd);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "closed") == 0) {
        return closed(argv[0], argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1);
    }
    if (strcmp(what, "show") == 0) {
        int r = 0;

        for (int i = 2; i < argc; i++) {
            r |= show(argv[i]);
        }
        return r;
    }
    if (strcmp(what, "exit") == 0) {
        return (int)strtol(argv[2], NULL, 10);
    }
    if (strcmp(what, "write") == 0) {
        int fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);

        printf("write %s\n", fd >= 0 && write(fd, "w\n", 2) == 2 ? "ok" : strerror(errno));
        return 0;
    }
    if (strcmp(what, "attest") == 0) {
        return attest();
    }
    if (strcmp(what, "wait") == 0) {
        printf("ready\n");
        fflush(stdout);
        pause();
        return 0;
    }
    if (strcmp(what, "crash") == 0) {
        raise(SIGSEGV);
    }
    return what_i_got(argv);
}
