/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* nice: 0 */
/* not: musl its sched_* functions refuse without asking the kernel */
/* Identity, limits, prctl and scheduling calls answer as a plain Linux process gets them. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

int main(void)
{
    int r;
    struct sched_param param;
    struct utsname u;
    struct rlimit limit;
    char name[16];
    cpu_set_t set;

    printf("pid positive %d, tid is pid %d\n", getpid() > 0, (int)syscall(SYS_gettid) == getpid());
    printf("ids equal %d %d\n", getuid() == geteuid(), getgid() == getegid());
    uname(&u);
    printf("%s %s\n", u.sysname, u.machine);
    prctl(PR_SET_NAME, "a-name-that-is-too-long");
    prctl(PR_GET_NAME, name);
    printf("name %s\n", name);
    printf("no_new_privs %d\n", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    printf("no_new_privs is %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    r = prctl(99999);
    printf("unknown prctl %d %s\n", r, strerror(errno));
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 256;
    printf("lower a limit %d\n", setrlimit(RLIMIT_NOFILE, &limit));
    getrlimit(RLIMIT_NOFILE, &limit);
    printf("limit %lu\n", (unsigned long)limit.rlim_cur);
    limit.rlim_cur = limit.rlim_max + 1;
    r = setrlimit(RLIMIT_NOFILE, &limit);
    printf("above the maximum %d %s\n", r, strerror(errno));
    r = sched_getaffinity(0, sizeof(set), &set);
    printf("affinity %d, some %d\n", r, CPU_COUNT(&set) > 0);
    printf("policy %d\n", sched_getscheduler(0));
    sched_getparam(0, &param);
    printf("priority %d range %d..%d\n", param.sched_priority, sched_get_priority_min(SCHED_FIFO),
           sched_get_priority_max(SCHED_FIFO));
    r = sched_getscheduler(0x7ffffff0);
    printf("nobody %d %s\n", r, strerror(errno));
    printf("yield %d\n", sched_yield());
    printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
    return 0;
}
