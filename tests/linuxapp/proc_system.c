/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Files of /proc and /sys that runtimes parse: their form, and figures that agree with system
 * calls. */
#include <sched.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>

#include "app.h"

static char g_buf[262144];

static int slurp(const char *name)
{
    FILE *f = fopen(name, "r");
    size_t n;

    if (f == NULL) {
        printf("%s: %s\n", name, strerrorname_(errno));
        g_buf[0] = '\0';
        return -1;
    }
    n = fread(g_buf, 1, sizeof(g_buf) - 1, f);
    g_buf[n] = '\0';
    (void)fclose(f);
    return (int)n;
}

static long field(const char *key)
{
    const char *p = strstr(g_buf, key);

    return p == NULL ? -1 : strtol(p + strlen(key), NULL, 10);
}

static int close_to(long a, long b, long by)
{
    return labs(a - b) <= by;
}

int main(void)
{
    struct sysinfo si;
    struct utsname u;
    double up = 0;
    double idle = 0;
    double load[3] = {0};
    int running = -1;
    int all = -1;
    int last = -1;
    int cpus = 0;

    sysinfo(&si);
    uname(&u);
    slurp("/proc/meminfo");
    printf("MemTotal as sysinfo %d\n",
           close_to(field("MemTotal:"), (long)(si.totalram * si.mem_unit / 1024), 8));
    printf("MemFree, MemAvailable, SwapTotal there %d %d %d\n", field("MemFree:") >= 0,
           field("MemAvailable:") >= 0, field("SwapTotal:") >= 0);
    printf("free is not more than all %d\n", field("MemFree:") <= field("MemTotal:"));
    slurp("/proc/uptime");
    printf("uptime form %d\n", sscanf(g_buf, "%lf %lf", &up, &idle));
    printf("as sysinfo %d\n", close_to((long)up, si.uptime, 2));
    slurp("/proc/loadavg");
    printf("loadavg form %d\n", sscanf(g_buf, "%lf %lf %lf %d/%d %d", &load[0], &load[1], &load[2],
                                       &running, &all, &last));
    slurp("/proc/cpuinfo");
    for (const char *p = g_buf; (p = strstr(p, "processor\t:")) != NULL; p++) {
        cpus++;
    }
    printf("cpuinfo has the online processors %d\n", cpus == sysconf(_SC_NPROCESSORS_ONLN));
    printf("flags, model, MHz %d %d %d\n", strstr(g_buf, "\nflags\t") != NULL,
           strstr(g_buf, "model name") != NULL, strstr(g_buf, "cpu MHz") != NULL);
    printf("sse2 shown %d\n", strstr(g_buf, " sse2 ") != NULL);
    slurp("/proc/stat");
    cpus = 0;
    for (const char *p = g_buf; (p = strstr(p, "\ncpu")) != NULL; p++) {
        cpus++;
    }
    printf("stat has them, too %d\n", cpus == sysconf(_SC_NPROCESSORS_ONLN));
    printf("btime in the past %d\n", field("btime ") > 0 && field("btime ") <= time(NULL));
    slurp("/proc/version");
    printf("version says Linux %d and the release %d\n", strncmp(g_buf, "Linux version ", 14) == 0,
           strstr(g_buf, u.release) != NULL);
    slurp("/proc/sys/kernel/osrelease");
    printf("osrelease %d\n", strncmp(g_buf, u.release, strlen(u.release)) == 0);
    slurp("/proc/sys/kernel/hostname");
    printf("hostname %d\n", strncmp(g_buf, u.nodename, strlen(u.nodename)) == 0);
    printf("pid_max %d\n", slurp("/proc/sys/kernel/pid_max") > 1 && strtol(g_buf, NULL, 10) > 1000);
    printf("overcommit %d\n", slurp("/proc/sys/vm/overcommit_memory") == 2);
    printf("random %d\n", slurp("/proc/sys/kernel/random/boot_id") == 37);
    printf("uuid %d\n", slurp("/proc/sys/kernel/random/uuid") == 37);
    printf("somaxconn %d\n", slurp("/proc/sys/net/core/somaxconn") > 1);
    printf("cap_last_cap %d\n", slurp("/proc/sys/kernel/cap_last_cap") >= 2);
    slurp("/proc/filesystems");
    printf("filesystems know tmpfs and proc %d %d\n", strstr(g_buf, "tmpfs") != NULL,
           strstr(g_buf, "proc") != NULL);
    slurp("/proc/self/mounts");
    printf("mounts: / %d /proc %d\n", strstr(g_buf, " / ") != NULL,
           strstr(g_buf, " /proc ") != NULL);
    slurp("/sys/devices/system/cpu/online");
    printf("sys online starts with 0 %d\n", g_buf[0] == '0');
    if (slurp("/sys/devices/system/cpu/cpu0/topology/core_siblings") >= 2) {
        printf("sys cpu0 has siblings, itself among them %d\n",
               (strtoul(g_buf + strlen(g_buf) - 2, NULL, 16) & 1) == 1);
    }
    SHOW(open("/proc/self/nothing", O_RDONLY));
    SHOW(open("/proc/self/stat", O_WRONLY | O_CREAT, 0600) < 0);
    SHOW(mkdir("/proc/x", 0700) < 0);
    SHOW(open("/proc/999999999", O_RDONLY));
    return 0;
}
