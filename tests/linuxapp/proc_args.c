/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* What /proc/self says about how the program was started, and what it says after changes. */
/* args: one two\ three - */
/* env: PROC_ARGS=yes */
#include <grp.h>
#include <sys/auxv.h>
#include <sys/times.h>
#include <time.h>

#include "app.h"

static char g_buf[65536];

static ssize_t slurp(const char *name)
{
    int fd = open(name, O_RDONLY);
    ssize_t n = 0;
    ssize_t r;

    if (fd < 0) {
        return -1;
    }
    while ((r = read(fd, g_buf + n, sizeof(g_buf) - 1 - (size_t)n)) > 0) {
        n += r;
    }
    close(fd);
    g_buf[n] = '\0';
    return n;
}

static void strings(const char *name, const char *only)
{
    ssize_t n = slurp(name);

    for (ssize_t at = 0; at < n; at += (ssize_t)strlen(g_buf + at) + 1) {
        const char *s = g_buf + at;

        if (only == NULL || strstr(s, only) != NULL) {
            printf("%s: [%s]\n", name, strrchr(s, '/') != NULL ? strrchr(s, '/') : s);
        }
    }
    printf("%s ends with NUL: %d\n", name, n > 0 && g_buf[n - 1] == '\0');
}

static void auxv(void)
{
    ssize_t n = slurp("/proc/self/auxv");
    int same = 0;
    int other = 0;

    for (ssize_t at = 0; at + 16 <= n; at += 16) {
        unsigned long v[2];

        memcpy(v, g_buf + at, sizeof(v));
        if (v[0] == 0) {
            printf("AT_NULL last %d\n", at + 16 == n);
        } else if (getauxval(v[0]) == v[1]) {
            same++;
        } else {
            other++;
        }
    }
    printf("auxv agrees %d, differs %d\n", same > 10, other);
}

static void status_line(const char *key)
{
    (void)slurp("/proc/self/status");
    char *line = strstr(g_buf, key);
    char *end = line == NULL ? NULL : strchr(line, '\n');

    if (end != NULL) {
        *end = '\0';
        printf("%s|\n", line);
    }
}

static unsigned long utime(void)
{
    unsigned long user = 0;
    unsigned long system = 0;
    const char *p;

    (void)slurp("/proc/self/stat");
    p = strrchr(g_buf, ')');
    if (p == NULL ||
        sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) {
        puts("stat is malformed");
    }
    return user + system;
}

int main(int argc, char **argv)
{
    const gid_t groups[] = {7, 3, 100};
    struct tms t;

    strings("/proc/self/cmdline", NULL);
    strings("/proc/self/environ", "PROC_ARGS");
    auxv();

    /* A shorter argument stays in place. */
    memset(argv[1], 'X', strlen(argv[1]));
    strings("/proc/self/cmdline", NULL);
    /* A title over all arguments and into the environment. */
    char *start = argv[0];
    char *end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;

    memset(start, 'T', (size_t)(end - start) + 2);
    start[end - start + 2] = '\0';
    printf("title %zd more than the arguments\n", slurp("/proc/self/cmdline") - (end - start));

    if (geteuid() == 0) {
        SHOW(setgroups(3, groups));
        status_line("Groups:");
        SHOW(setgroups(0, NULL));
        status_line("Groups:");
    } else {
        puts("setgroups(3, groups): 0\nGroups:\t3 7 100 |\nsetgroups(0, NULL): 0\nGroups:\t |");
    }
    while (clock() < CLOCKS_PER_SEC / 20) {
    }
    times(&t);
    printf("cpu time is shown %d\n", utime() >= 3);
    printf("not more than times() says %d\n", utime() <= (unsigned long)times(&t));
    return 0;
}
