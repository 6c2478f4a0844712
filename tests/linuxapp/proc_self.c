/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* What programs read about themselves. */
#include "app.h"

int main(void)
{
    scratch();
    char buf[4096] = {0}, link[64];
    FILE *f = fopen("/proc/self/status", "r");
    int pid = 0, threads = 0;

    while (fgets(buf, sizeof(buf), f) != NULL) {
        sscanf(buf, "Pid: %d", &pid);
        sscanf(buf, "Threads: %d", &threads);
    }
    SHOW(pid == getpid());
    SHOW(threads);
    fclose(f);
    snprintf(link, sizeof(link), "%d", getpid());
    memset(buf, 0, sizeof(buf));
    SHOW(readlink("/proc/self", buf, sizeof(buf)) > 0 && strcmp(buf, link) == 0);
    memset(buf, 0, sizeof(buf));
    SHOW(readlink("/proc/self/cwd", buf, sizeof(buf)) > 0);
    char cwd[4096];
    SHOW(strcmp(buf, getcwd(cwd, sizeof(cwd))));
    make("f", "by fd");
    int fd = open("f", O_RDONLY);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    show_file(link);
    unlink("f");
    memset(buf, 0, sizeof(buf));
    readlink(link, buf, sizeof(buf));
    puts(strrchr(buf, '/'));
    show_file(link);
    f = fopen("/proc/self/comm", "r");
    fgets(buf, sizeof(buf), f);
    fputs(buf, stdout);
    SHOW(access("/proc/self/task", F_OK));
    OK(open("/proc/999999/status", O_RDONLY));
    OK(open("/proc/version", O_WRONLY));
    show_file("/proc/sys/kernel/ostype");
    return 0;
}
