/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* How a root process gives up its user and keeps or loses its capabilities: what setpriv, gosu and
 * servers do at their start. Shown are those every container has, so that it does not matter which
 * others the machine the test runs on has. */
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "app.h"

#define BIT(cap) (1u << (cap))
static const unsigned g_common = BIT(CAP_CHOWN) | BIT(CAP_SETGID) | BIT(CAP_SETUID) |
                                 BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_KILL);

static void show(const char *when)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2];

    syscall(SYS_capget, &h, d);
    printf("%s: effective %x permitted %x inheritable %x\n", when, d[0].effective & g_common,
           d[0].permitted & g_common, d[0].inheritable & g_common);
}

static int set(unsigned effective, unsigned permitted, unsigned inheritable)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2] = {{effective, permitted, inheritable}};

    return (int)syscall(SYS_capset, &h, d);
}

static void status(void)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");

    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        unsigned long value;

        if (sscanf(line, "Cap%*3s%*c %lx", &value) == 1) {
            printf("%.6s %lx\n", line, value & g_common);
        } else if (strncmp(line, "NoNewPrivs", 10) == 0) {
            fputs(line, stdout);
        }
    }
    fclose(f);
}

int main(int argc, char **argv)
{
    if (getuid() != 0) {
        puts("not root");
        show("exec");
        status();
        return 0;
    }
    show("root");
    status();
    SHOW(prctl(PR_CAPBSET_READ, CAP_SETUID));
    SHOW(prctl(PR_SET_KEEPCAPS, 1));
    SHOW(setresuid(1000, 1000, 1000));
    show("kept");
    SHOW(setgroups(0, NULL));
    SHOW(set(BIT(CAP_SETGID), BIT(CAP_SETGID) | BIT(CAP_NET_BIND_SERVICE),
             BIT(CAP_NET_BIND_SERVICE)));
    show("raised");
    SHOW(setgroups(0, NULL));
    SHOW(setresgid(1000, 1000, 1000));
    SHOW(setresuid(0, 0, 0));
    SHOW(set(BIT(CAP_CHOWN), BIT(CAP_CHOWN), 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_BIND_SERVICE, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 999, 0, 0));
    SHOW(prctl(PR_CAPBSET_DROP, CAP_CHOWN));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    fflush(stdout);
    execl("/proc/self/exe", argv[0], NULL);
    return 1;
}
