/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Who and where the process is: ids, names, limits, capabilities, prctl. Nothing leaves the
 * enclave. */

#include <linux/capability.h>
#include <linux/personality.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>

#include "libos/family/rpc.h"
#include "libos/lib/strbuf.h"
#include "libos/libos.h"
#include "libos/mm/page.h"
#include "libos/mm/user.h"
#include "libos/proc/family_process.h"
#include "libos/sys/capability.h"
#include "libos/sys/limits.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

#define KERNEL_RELEASE "6.1.0-nacre"
#define KERNEL_VERSION "#1 SMP nacre"
#define NO_CHANGE      UINT32_MAX
#define GROUPS_MAX     IDENTITY_GROUPS

_Static_assert(IDENTITY_LIMITS == RLIM_NLIMITS, "limits of a process");

/* Of the container, not of a process. */
static struct {
    struct spinlock lock;
    char hostname[65];
    char domainname[65];
} g_names = {.hostname = "nacre", .domainname = "(none)"};

#define NO_LIMIT                         \
    {                                    \
        RLIM64_INFINITY, RLIM64_INFINITY \
    }
const struct identity identity_initial = {
    .limits =
        {
            [RLIMIT_CPU] = NO_LIMIT,
            [RLIMIT_FSIZE] = NO_LIMIT,
            [RLIMIT_DATA] = NO_LIMIT,
            [RLIMIT_STACK] = {8ull << 20, RLIM64_INFINITY},
            [RLIMIT_CORE] = {0, RLIM64_INFINITY},
            [RLIMIT_RSS] = NO_LIMIT,
            [RLIMIT_NPROC] = {65536, 65536},
            [RLIMIT_NOFILE] = {1048576, 1048576},
            [RLIMIT_MEMLOCK] = {64ull << 20, 64ull << 20},
            [RLIMIT_AS] = NO_LIMIT,
            [RLIMIT_LOCKS] = NO_LIMIT,
            [RLIMIT_SIGPENDING] = {1024, 1024},
            [RLIMIT_MSGQUEUE] = {819200, 819200},
            [RLIMIT_NICE] = {0, 0},
            [RLIMIT_RTPRIO] = {0, 0},
            [RLIMIT_RTTIME] = NO_LIMIT,
        },
    .timer_slack = IDENTITY_SLACK,
    .dumpable = true,
};

static struct identity *own(void)
{
    return &process_current()->identity;
}

uint64_t limit_current(int resource)
{
    return __atomic_load_n(&own()->limits[resource].current, __ATOMIC_RELAXED);
}

uint64_t limit_maximum(int resource)
{
    return __atomic_load_n(&own()->limits[resource].maximum, __ATOMIC_RELAXED);
}

/* How many. */
static uint32_t copy_groups(uint32_t ret[static GROUPS_MAX])
{
    uint32_t count;

    spin_lock(&own()->lock);
    count = own()->group_count;
    __builtin_memcpy(ret, own()->groups, count * sizeof(*ret));
    spin_unlock(&own()->lock);
    return count;
}

bool ident_no_new_privs(void)
{
    return own()->no_new_privs;
}

bool ident_in_group(uint32_t gid)
{
    uint32_t groups[GROUPS_MAX];
    const uint32_t count = copy_groups(groups);

    for (uint32_t i = 0; i < count; i++) {
        if (groups[i] == gid) {
            return true;
        }
    }
    return false;
}

void ident_format_groups(struct strbuf *out)
{
    uint32_t groups[GROUPS_MAX];
    const uint32_t count = copy_groups(groups);

    for (uint32_t i = 0; i < count; i++) {
        strbuf_printf(out, i == 0 ? "%u" : " %u", groups[i]);
    }
}

const char *ident_hostname(void)
{
    return g_names.hostname;
}

const char *ident_release(void)
{
    return KERNEL_RELEASE;
}

const char *ident_version(void)
{
    return KERNEL_VERSION;
}

void ident_set_hostname(const char *name)
{
    (void)kprintf(g_names.hostname, sizeof(g_names.hostname), "%s", name);
}

/* --- ids --- */

SYSCALL_0(getpid)
{
    return process_current()->pid;
}

SYSCALL_0(gettid)
{
    return thread_current()->tid;
}

/* What the family's table says of a process: 0 is the caller. */
static int describe(int32_t pid, struct pids_info *ret)
{
    if (pid < 0) {
        return -ESRCH;
    }
    return family_process_describe(pid == 0 ? process_current()->pid : pid, ret);
}

SYSCALL_0(getppid)
{
    struct pids_info info;

    /* The parent may have ended: the table knows who has taken its place. */
    if (family_role() == FAMILY_ALONE || describe(0, &info) < 0) {
        return process_current()->ppid;
    }
    return info.ppid;
}

SYSCALL_1(getpgid, int32_t, pid)
{
    struct pids_info info;
    const int r = describe(pid, &info);

    return r < 0 ? r : info.pgid;
}

SYSCALL_0(getpgrp)
{
    return do_getpgid(0);
}

SYSCALL_1(getsid, int32_t, pid)
{
    struct pids_info info;
    const int r = describe(pid, &info);

    return r < 0 ? r : info.sid;
}

SYSCALL_2(setpgid, int32_t, pid, int32_t, pgid)
{
    return pid < 0 ? -EINVAL : family_process_setpgid(process_current()->pid, pid, pgid);
}

SYSCALL_0(setsid)
{
    return family_process_setsid(process_current()->pid);
}

SYSCALL_0(getuid)
{
    return process_current()->uid;
}

SYSCALL_0(geteuid)
{
    return process_current()->euid;
}

SYSCALL_0(getgid)
{
    return process_current()->gid;
}

SYSCALL_0(getegid)
{
    return process_current()->egid;
}

/* A privileged process may take any id, another one those it already has in some form. The ids live
 * inside only: they steer the library OS's own permission checks. */
static bool may_take(bool privileged, uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
    return privileged || id == NO_CHANGE || id == a || id == b || id == c;
}

/* Who becomes somebody else is no longer to die with its parent (prctl(2), PR_SET_PDEATHSIG). */
static void forget_death_signal(struct process *p)
{
    if (p->death_signal != 0) {
        p->death_signal = 0;
        (void)!family_process_set(p->pid, PIDS_DEATH_SIGNAL, 0);
    }
}

SYSCALL_3(setresuid, uint32_t, r, uint32_t, e, uint32_t, s)
{
    struct process *p = process_current();
    const uint32_t old[3] = {p->uid, p->euid, p->suid};
    const bool root = capable(CAP_SETUID);

    if (!may_take(root, r, p->uid, p->euid, p->suid) ||
        !may_take(root, e, p->uid, p->euid, p->suid) ||
        !may_take(root, s, p->uid, p->euid, p->suid)) {
        return -EPERM;
    }
    p->uid = r != NO_CHANGE ? r : p->uid;
    p->euid = e != NO_CHANGE ? e : p->euid;
    p->suid = s != NO_CHANGE ? s : p->suid;
    p->fsuid = p->euid;
    capability_ids_changed(old[0], old[1], old[2]);
    if (p->euid != old[1]) {
        forget_death_signal(p);
    }
    return family_process_set(p->pid, PIDS_UID, (uint64_t)p->uid << 32 | p->euid);
}

SYSCALL_3(setresgid, uint32_t, r, uint32_t, e, uint32_t, s)
{
    struct process *p = process_current();
    const bool root = capable(CAP_SETGID);
    const uint32_t old = p->egid;

    if (!may_take(root, r, p->gid, p->egid, p->sgid) ||
        !may_take(root, e, p->gid, p->egid, p->sgid) ||
        !may_take(root, s, p->gid, p->egid, p->sgid)) {
        return -EPERM;
    }
    p->gid = r != NO_CHANGE ? r : p->gid;
    p->egid = e != NO_CHANGE ? e : p->egid;
    p->sgid = s != NO_CHANGE ? s : p->sgid;
    p->fsgid = p->egid;
    if (p->egid != old) {
        forget_death_signal(p);
    }
    return 0;
}

SYSCALL_1(setuid, uint32_t, id)
{
    const bool root = capable(CAP_SETUID);

    if (id == NO_CHANGE) {
        return -EINVAL;
    }
    return do_setresuid(root ? id : NO_CHANGE, id, root ? id : NO_CHANGE);
}

SYSCALL_1(setgid, uint32_t, id)
{
    const bool root = capable(CAP_SETGID);

    if (id == NO_CHANGE) {
        return -EINVAL;
    }
    return do_setresgid(root ? id : NO_CHANGE, id, root ? id : NO_CHANGE);
}

SYSCALL_2(setreuid, uint32_t, r, uint32_t, e)
{
    const struct process *p = process_current();
    const bool saved = r != NO_CHANGE || (e != NO_CHANGE && e != p->uid);

    return do_setresuid(r, e, saved ? (e != NO_CHANGE ? e : p->euid) : NO_CHANGE);
}

SYSCALL_2(setregid, uint32_t, r, uint32_t, e)
{
    const struct process *p = process_current();
    const bool saved = r != NO_CHANGE || (e != NO_CHANGE && e != p->gid);

    return do_setresgid(r, e, saved ? (e != NO_CHANGE ? e : p->egid) : NO_CHANGE);
}

static int64_t put_three(uint64_t user_r, uint32_t r, uint64_t user_e, uint32_t e, uint64_t user_s,
                         uint32_t s)
{
    if (user_put(user_r, &r) < 0 || user_put(user_e, &e) < 0 || user_put(user_s, &s) < 0) {
        return -EFAULT;
    }
    return 0;
}

SYSCALL_3(getresuid, uint64_t, r, uint64_t, e, uint64_t, s)
{
    const struct process *p = process_current();

    return put_three(r, p->uid, e, p->euid, s, p->suid);
}

SYSCALL_3(getresgid, uint64_t, r, uint64_t, e, uint64_t, s)
{
    const struct process *p = process_current();

    return put_three(r, p->gid, e, p->egid, s, p->sgid);
}

SYSCALL_1(setfsuid, uint32_t, id)
{
    struct process *p = process_current();
    const uint32_t old = p->fsuid;

    if (id != NO_CHANGE && (may_take(p->euid == 0, id, p->uid, p->euid, p->suid) || id == old)) {
        p->fsuid = id;
    }
    return old;
}

SYSCALL_1(setfsgid, uint32_t, id)
{
    struct process *p = process_current();
    const uint32_t old = p->fsgid;

    if (id != NO_CHANGE && (may_take(p->euid == 0, id, p->gid, p->egid, p->sgid) || id == old)) {
        p->fsgid = id;
    }
    return old;
}

SYSCALL_2(getgroups, int, size, uint64_t, user_list)
{
    uint32_t groups[GROUPS_MAX];
    const int count = (int)copy_groups(groups);

    if (size < 0 || (size != 0 && size < count)) {
        return -EINVAL;
    }
    if (size != 0 && user_copy_out(user_list, groups, (size_t)count * sizeof(uint32_t)) < 0) {
        return -EFAULT;
    }
    return count;
}

/* Linux keeps them in order, and shows them so. */
static void sort_groups(uint32_t *v, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        const uint32_t x = v[i];
        uint32_t k = i;

        for (; k > 0 && v[k - 1] > x; k--) {
            v[k] = v[k - 1];
        }
        v[k] = x;
    }
}

int ident_set_groups(const uint32_t *groups, size_t count)
{
    uint32_t fresh[GROUPS_MAX];

    if (count > GROUPS_MAX) {
        return -EINVAL;
    }
    __builtin_memcpy(fresh, groups, count * sizeof(uint32_t));
    sort_groups(fresh, (uint32_t)count);
    spin_lock(&own()->lock);
    __builtin_memcpy(own()->groups, fresh, count * sizeof(uint32_t));
    own()->group_count = (uint32_t)count;
    spin_unlock(&own()->lock);
    return 0;
}

SYSCALL_2(setgroups, uint64_t, size, uint64_t, user_list)
{
    uint32_t fresh[GROUPS_MAX];

    if (!capable(CAP_SETGID)) {
        return -EPERM;
    }
    if (size > GROUPS_MAX) {
        return -EINVAL;
    }
    if (user_copy_in(fresh, user_list, size * sizeof(uint32_t)) < 0) {
        return -EFAULT;
    }
    return ident_set_groups(fresh, size);
}

/* --- names --- */

SYSCALL_1(uname, uint64_t, user_name)
{
    struct new_utsname u = {.sysname = "Linux",
                            .release = KERNEL_RELEASE,
                            .version = KERNEL_VERSION,
                            .machine = "x86_64"};

    spin_lock(&g_names.lock);
    __builtin_memcpy(u.nodename, g_names.hostname, sizeof(u.nodename));
    __builtin_memcpy(u.domainname, g_names.domainname, sizeof(u.domainname));
    spin_unlock(&g_names.lock);
    if ((own()->persona & UNAME26) != 0) {
        (void)kprintf(u.release, sizeof(u.release), "2.6.61");
    }
    return user_put(user_name, &u);
}

static int64_t set_name(char dst[static 65], uint64_t user_name, uint64_t size)
{
    char fresh[65] = {0};

    if (process_current()->euid != 0) {
        return -EPERM;
    }
    if (size > 64) {
        return -EINVAL;
    }
    if (user_copy_in(fresh, user_name, size) < 0) {
        return -EFAULT;
    }
    spin_lock(&g_names.lock);
    __builtin_memcpy(dst, fresh, sizeof(fresh));
    spin_unlock(&g_names.lock);
    return 0;
}

SYSCALL_2(sethostname, uint64_t, user_name, uint64_t, size)
{
    return set_name(g_names.hostname, user_name, size);
}

SYSCALL_2(setdomainname, uint64_t, user_name, uint64_t, size)
{
    return set_name(g_names.domainname, user_name, size);
}

SYSCALL_1(personality, uint32_t, persona)
{
    const uint32_t old = own()->persona;

    if (persona != 0xffffffff) {
        if ((persona & PER_MASK) != PER_LINUX) {
            return -EINVAL;
        }
        own()->persona = persona;
    }
    return old;
}

SYSCALL_1(sysinfo, uint64_t, user_info)
{
    struct sysinfo info = {.mem_unit = 1};
    struct page_counters pages;

    page_counters(&pages);
    info.uptime = (int64_t)(clock_boottime() / NS_PER_S);
    info.totalram = pages.limit;
    info.freeram = page_available();
    info.procs = (uint16_t)MIN(process_current()->thread_count, (size_t)UINT16_MAX);
    return user_put(user_info, &info);
}

/* --- limits --- */

static int64_t do_limits(int32_t pid, uint32_t resource, uint64_t user_new, uint64_t user_old)
{
    struct limit *limit;
    struct rlimit64 fresh;
    struct rlimit64 old;

    if (resource >= RLIM_NLIMITS) {
        return -EINVAL;
    }
    if (pid != 0 && pid != process_current()->pid) {
        struct pids_info info;

        return describe(pid, &info) < 0 ? -ESRCH : -EPERM; /* another enclave's */
    }
    limit = &own()->limits[resource];
    if (user_new != 0 && user_get(&fresh, user_new) < 0) {
        return -EFAULT;
    }
    spin_lock(&own()->lock);
    old = (struct rlimit64){limit->current, limit->maximum};
    if (user_new != 0) {
        if (fresh.rlim_cur > fresh.rlim_max) {
            spin_unlock(&own()->lock);
            return -EINVAL;
        }
        if (fresh.rlim_max > old.rlim_max && process_current()->euid != 0) {
            spin_unlock(&own()->lock);
            return -EPERM;
        }
        *limit = (struct limit){fresh.rlim_cur, fresh.rlim_max};
    }
    spin_unlock(&own()->lock);
    return user_old != 0 ? user_put(user_old, &old) : 0;
}

SYSCALL_4(prlimit64, int32_t, pid, uint32_t, resource, uint64_t, user_new, uint64_t, user_old)
{
    return do_limits(pid, resource, user_new, user_old);
}

SYSCALL_2(getrlimit, uint32_t, resource, uint64_t, user_limit)
{
    return user_limit == 0 ? -EFAULT : do_limits(0, resource, 0, user_limit);
}

SYSCALL_2(setrlimit, uint32_t, resource, uint64_t, user_limit)
{
    return user_limit == 0 ? -EFAULT : do_limits(0, resource, user_limit, 0);
}

/* --- prctl --- */

static int64_t prctl_name(int option, uint64_t user_name)
{
    struct thread *t = thread_current();
    char name[16] = {0};
    int r;

    if (option == PR_GET_NAME) {
        return user_copy_out(user_name, t->comm, sizeof(t->comm));
    }
    r = user_copy_string(name, sizeof(name), user_name);
    if (r == -EFAULT) {
        return r;
    }
    if (r == -ENAMETOOLONG && user_copy_in(name, user_name, sizeof(name) - 1) < 0) {
        return -EFAULT; /* longer names are cut */
    }
    name[sizeof(name) - 1] = '\0';
    __builtin_memcpy(t->comm, name, sizeof(name));
    return 0;
}

static int64_t prctl_flag(bool *flag, uint64_t value)
{
    if (value > 1) {
        return -EINVAL;
    }
    *flag = value != 0;
    return 0;
}

SYSCALL_5(prctl, int, option, uint64_t, a, uint64_t, b, uint64_t, c, uint64_t, d)
{
    switch (option) {
    case PR_SET_NAME:
    case PR_GET_NAME: return prctl_name(option, a);
    case PR_GET_DUMPABLE: return own()->dumpable;
    case PR_SET_DUMPABLE: return prctl_flag(&own()->dumpable, a);
    case PR_GET_KEEPCAPS:
    case PR_SET_KEEPCAPS:
    case PR_CAPBSET_READ:
    case PR_CAPBSET_DROP:
    case PR_CAP_AMBIENT: return capability_prctl(option, a, b, c, d);
    case PR_GET_NO_NEW_PRIVS: return (b | c | d) != 0 ? -EINVAL : own()->no_new_privs;
    case PR_SET_NO_NEW_PRIVS:
        return a != 1 || (b | c | d) != 0 ? -EINVAL : prctl_flag(&own()->no_new_privs, 1);
    case PR_SET_CHILD_SUBREAPER:
        own()->child_subreaper = a != 0;
        return family_process_set(process_current()->pid, PIDS_SUBREAPER, a != 0);
    case PR_GET_CHILD_SUBREAPER: {
        const int32_t v = own()->child_subreaper;

        return user_put(a, &v);
    }
    case PR_SET_PDEATHSIG:
        if (a > 64) {
            return -EINVAL;
        }
        process_current()->death_signal = (uint32_t)a;
        return family_process_set(process_current()->pid, PIDS_DEATH_SIGNAL, a);
    case PR_GET_PDEATHSIG: return user_put(a, &process_current()->death_signal);
    case PR_GET_TIMERSLACK: return (int64_t)own()->timer_slack;
    case PR_SET_TIMERSLACK:
        /* Remembered: wake-ups are the host's to delay anyway. */
        own()->timer_slack = (int64_t)a <= 0 ? IDENTITY_SLACK : a;
        return 0;
    case PR_GET_TIMING: return 0;
    case PR_SET_TIMING: return a == 0 ? 0 : -EINVAL;
    case PR_GET_SECCOMP: return 0;
    case PR_SET_PTRACER: return 0;
    case PR_GET_SECUREBITS: return 0;
    case PR_GET_TID_ADDRESS: return user_put(a, &thread_current()->clear_child_tid);
    case PR_SET_VMA: return 0; /* names of anonymous mappings: accepted, not shown */
    case PR_SET_THP_DISABLE: return 0;
    case PR_GET_THP_DISABLE: return 0;
    case PR_MCE_KILL_GET: return PR_MCE_KILL_DEFAULT;
    default: return -EINVAL;
    }
}
