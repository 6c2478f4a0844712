/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Scheduling calls. The host schedules; what is reported is what it says, checked for sense. */

#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>

#include "libos/host/host.h"
#include "libos/mm/user.h"
#include "libos/proc/thread_list.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

#define PRIORITY_MIN 1
#define PRIORITY_MAX 99

SYSCALL_0(sched_yield)
{
    host_yield();
    return 0;
}

static int check_thread(int32_t pid)
{
    struct thread *t;

    if (pid < 0) {
        return -EINVAL;
    }
    if (pid == 0) {
        return 0;
    }
    t = thread_find(process_current(), pid);
    if (t == NULL) {
        return -ESRCH;
    }
    thread_put(t);
    return 0;
}

/* The thread `pid` names, with a reference. The affinity calls know no invalid id, only absent
 * ones. */
static struct thread *affinity_thread(int32_t pid)
{
    return thread_find(process_current(), pid == 0 ? thread_current()->tid : pid);
}

/* What the host allows, narrowed to the thread's wish where the two meet. Returns the bytes the
 * host gave. */
static int read_affinity(const struct thread *t, uint8_t mask[static CPU_MASK_SIZE])
{
    uint8_t both[CPU_MASK_SIZE];
    bool meet = false;
    const int r = host_getaffinity(mask, CPU_MASK_SIZE);

    for (size_t i = 0; r >= 0 && i < CPU_MASK_SIZE; i++) {
        both[i] = mask[i] & t->affinity[i];
        meet = meet || both[i] != 0;
    }
    if (meet) {
        __builtin_memcpy(mask, both, CPU_MASK_SIZE);
    }
    return r;
}

SYSCALL_3(sched_getaffinity, int32_t, pid, uint64_t, size, uint64_t, user_mask)
{
    uint8_t mask[CPU_MASK_SIZE] = {0};
    struct thread *t;
    size_t n;
    int r;

    if (size % sizeof(uint64_t) != 0) {
        return -EINVAL;
    }
    t = affinity_thread(pid);
    if (t == NULL) {
        return -ESRCH;
    }
    r = read_affinity(t, mask);
    thread_put(t);
    if (r < 0) {
        return r;
    }
    n = MIN((size_t)r, (size_t)size);
    for (size_t i = n; i < sizeof(mask); i++) {
        if (mask[i] != 0) {
            return -EINVAL; /* the caller's mask is too small */
        }
    }
    r = user_copy_out(user_mask, mask, n);
    return r < 0 ? r : (int64_t)n;
}

/* Remembered when it names at least one processor we may use: a wish the host is not bound by. */
SYSCALL_3(sched_setaffinity, int32_t, pid, uint64_t, size, uint64_t, user_mask)
{
    uint8_t wish[CPU_MASK_SIZE] = {0};
    uint8_t have[CPU_MASK_SIZE] = {0};
    struct thread *t;
    bool any = false;
    int r;

    if (user_copy_in(wish, user_mask, MIN(size, (uint64_t)sizeof(wish))) < 0) {
        return -EFAULT;
    }
    t = affinity_thread(pid);
    if (t == NULL) {
        return -ESRCH;
    }
    r = host_getaffinity(have, sizeof(have));
    for (size_t i = 0; r >= 0 && i < sizeof(wish); i++) {
        wish[i] &= have[i];
        any = any || wish[i] != 0;
    }
    if (r >= 0 && any) {
        __builtin_memcpy(t->affinity, wish, sizeof(wish));
    }
    thread_put(t);
    return r < 0 ? r : any ? 0 : -EINVAL;
}

/* --- niceness: of one thread, or of all there are (group and user name the whole process) --- */

#define NICE_LEAST (-20)
#define NICE_MOST  19

/* Whether `who` under `which` names thread t. */
static bool priority_names(int which, int32_t who, const struct thread *t)
{
    const struct process *p = t->process;

    switch (which) {
    case PRIO_PROCESS: return t->tid == (who == 0 ? thread_current()->tid : who);
    case PRIO_PGRP: return who == 0 || who == p->pid;
    default: return who == 0 ? p->uid == process_current()->uid : p->uid == (uint32_t)who;
    }
}

SYSCALL_2(getpriority, int, which, int32_t, who)
{
    struct process *p = process_current();
    int64_t best = -ESRCH;

    if (which < PRIO_PROCESS || which > PRIO_USER) {
        return -EINVAL;
    }
    mutex_lock(&p->threads_lock);
    list_for_each (it, &p->threads) {
        const struct thread *t = list_entry(it, struct thread, node);

        if (priority_names(which, who, t)) {
            best = MAX(best, (int64_t)(20 - t->nice)); /* the raw call answers 20 - nice */
        }
    }
    mutex_unlock(&p->threads_lock);
    return best;
}

SYSCALL_3(setpriority, int, which, int32_t, who, int, nice)
{
    struct process *p = process_current();
    int64_t r = -ESRCH;

    if (which < PRIO_PROCESS || which > PRIO_USER) {
        return -EINVAL;
    }
    nice = MIN(MAX(nice, NICE_LEAST), NICE_MOST);
    mutex_lock(&p->threads_lock);
    list_for_each (it, &p->threads) {
        struct thread *t = list_entry(it, struct thread, node);

        if (!priority_names(which, who, t)) {
            continue;
        }
        if (nice < t->nice && p->euid != 0) {
            r = -EACCES;
        } else {
            t->nice = nice;
            r = r == -ESRCH ? 0 : r;
        }
    }
    mutex_unlock(&p->threads_lock);
    return r;
}

SYSCALL_3(getcpu, uint64_t, user_cpu, uint64_t, user_node, uint64_t, unused)
{
    uint32_t cpu;
    uint32_t node;
    int r = host_getcpu(&cpu, &node);

    if (r < 0) {
        return r;
    }
    if ((user_cpu != 0 && user_put(user_cpu, &cpu) < 0) ||
        (user_node != 0 && user_put(user_node, &node) < 0)) {
        return -EFAULT;
    }
    return 0;
}

SYSCALL_1(sched_getscheduler, int32_t, pid)
{
    const int r = check_thread(pid);

    return r < 0 ? r : SCHED_NORMAL;
}

SYSCALL_2(sched_getparam, int32_t, pid, uint64_t, user_param)
{
    const int32_t priority = 0;
    const int r = check_thread(pid);

    return r < 0 ? r : user_put(user_param, &priority);
}

/* Ordinary policies all mean the same here; real-time ones need a privilege nobody has. */
static int64_t set_policy(int32_t pid, int policy, int32_t priority)
{
    const int r = check_thread(pid);

    if (r < 0) {
        return r;
    }
    switch (policy & ~(int)SCHED_RESET_ON_FORK) {
    case SCHED_NORMAL:
    case SCHED_BATCH:
    case SCHED_IDLE: return priority == 0 ? 0 : -EINVAL;
    case SCHED_FIFO:
    case SCHED_RR: return priority < PRIORITY_MIN || priority > PRIORITY_MAX ? -EINVAL : -EPERM;
    default: return -EINVAL;
    }
}

SYSCALL_3(sched_setscheduler, int32_t, pid, int, policy, uint64_t, user_param)
{
    int32_t priority;

    if (user_get(&priority, user_param) < 0) {
        return -EFAULT;
    }
    return set_policy(pid, policy, priority);
}

SYSCALL_2(sched_setparam, int32_t, pid, uint64_t, user_param)
{
    int32_t priority;

    if (user_get(&priority, user_param) < 0) {
        return -EFAULT;
    }
    return set_policy(pid, SCHED_NORMAL, priority);
}

SYSCALL_1(sched_get_priority_max, int, policy)
{
    return set_policy(0, policy, 0) == 0                ? 0
           : policy == SCHED_FIFO || policy == SCHED_RR ? PRIORITY_MAX
                                                        : -EINVAL;
}

SYSCALL_1(sched_get_priority_min, int, policy)
{
    return set_policy(0, policy, 0) == 0                ? 0
           : policy == SCHED_FIFO || policy == SCHED_RR ? PRIORITY_MIN
                                                        : -EINVAL;
}

SYSCALL_2(sched_rr_get_interval, int32_t, pid, uint64_t, user_ts)
{
    const struct kernel_timespec64 ts = ns_to_timespec(4000000);
    const int r = check_thread(pid);

    return r < 0 ? r : user_put(user_ts, &ts);
}

SYSCALL_4(sched_getattr, int32_t, pid, uint64_t, user_attr, uint32_t, size, uint32_t, flags)
{
    struct sched_attr attr = {.size = sizeof(attr), .sched_policy = SCHED_NORMAL};
    const int r = check_thread(pid);

    if (r < 0) {
        return r;
    }
    if (flags != 0 || size < SCHED_ATTR_SIZE_VER0) {
        return -EINVAL;
    }
    attr.size = (uint32_t)MIN((size_t)size, sizeof(attr));
    return user_copy_out(user_attr, &attr, attr.size);
}
