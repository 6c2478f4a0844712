/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* System V shared memory and semaphores: calls to the owner (shm/sysv.h). */

#include <linux/ipc.h>
#include <linux/mman.h>
#include <linux/sem.h>
#include <linux/shm.h>

#include "libos/boot/boot.h"
#include "libos/family/rpc.h"
#include "libos/mm/kmem.h"
#include "libos/mm/mm.h"
#include "libos/mm/user.h"
#include "libos/proc/futex_family.h"
#include "libos/proc/thread.h"
#include "libos/shm/link.h"
#include "libos/shm/sysv.h"
#include "libos/sys/syscall.h"
#include "libos/sys/sysv_ipc.h"
#include "libos/time/clock.h"

#define SEMTIMEDOP_MAX SYSV_SEMOPS_MAX

static uint32_t g_used; /* semaphores: there may be something to undo */
static int64_t g_next_token;

static int64_t ask(struct sysv_request *r, const void *payload, size_t size, void *answer,
                   size_t cap)
{
    const struct process *p = process_current();
    const struct channel_part parts[] = {{r, sizeof(*r)}, {payload, size}};
    struct family_message m = {.op = FAMILY_OP_sysv,
                               .parts = parts,
                               .part_count = ARRAY_COUNT(parts),
                               .answer = answer,
                               .cap = cap,
                               .steady = true};

    sysv_start();
    r->uid = p->euid;
    r->gid = p->egid;
    r->pid = p->pid;
    return family_exchange(&m);
}

/* ---- shared memory ---- */

SYSCALL_3(shmget, int32_t, key, uint64_t, size, int32_t, flags)
{
    struct sysv_request r = {
        .what = SYSV_SHMGET, .a = key, .b = (int64_t)MIN(size, (uint64_t)INT64_MAX), .c = flags};

    if ((flags & SHM_HUGETLB) != 0) {
        return -ENOMEM; /* as MAP_HUGETLB */
    }
    return ask(&r, NULL, 0, NULL, 0);
}

static uint32_t prot_of(int32_t flags)
{
    return PROT_READ | ((flags & SHM_RDONLY) != 0 ? 0 : PROT_WRITE) |
           ((flags & SHM_EXEC) != 0 ? PROT_EXEC : 0);
}

static int place_of(uint64_t *address, int32_t flags, uint32_t *ret)
{
    *ret = 0;
    if (*address == 0) {
        return (flags & SHM_REMAP) != 0 ? -EINVAL : 0;
    }
    if (!is_page_aligned(*address)) {
        if ((flags & SHM_RND) == 0) {
            return -EINVAL;
        }
        *address = page_align_down(*address);
    }
    *ret = (flags & SHM_REMAP) != 0 ? MAP_FIXED : MAP_FIXED_NOREPLACE;
    return 0;
}

SYSCALL_3(shmat, int32_t, id, uint64_t, address, int32_t, flags)
{
    struct sysv_request r = {.what = SYSV_SHMAT, .a = id, .c = (flags & SHM_RDONLY) != 0 ? 0 : 1};
    struct sysv_attached out = {0};
    uint32_t place;
    int64_t n = place_of(&address, flags, &place);

    if (n == 0 && family_role() == FAMILY_MEMBER) {
        n = shm_link_start();
    }
    n = n < 0 ? n : ask(&r, NULL, 0, &out, sizeof(out));
    if (n < 0) {
        return n;
    }
    n = mm_map_object(address, out.size, prot_of(flags), place, out.object);
    return n == -EEXIST || n == -EPERM ? -EINVAL : n;
}

SYSCALL_1(shmdt, uint64_t, address)
{
    struct sysv_request r = {.what = SYSV_SHMDT};
    uint64_t object = 0;
    const int e = mm_unmap_object(address, &object);

    if (e < 0) {
        return e;
    }
    r.a = (int64_t)object;
    return ask(&r, NULL, 0, NULL, 0);
}

static int64_t stat_to(struct sysv_request *r, uint64_t user, void *buffer, size_t size)
{
    const int64_t n = ask(r, NULL, 0, buffer, size);

    if (n < 0) {
        return n;
    }
    return user_copy_out(user, buffer, size) < 0 ? -EFAULT : n;
}

static int64_t set_from(struct sysv_request *r, const struct ipc64_perm *p)
{
    const struct sysv_set set = {.uid = p->uid, .gid = p->gid, .mode = p->mode};

    return ask(r, &set, sizeof(set), NULL, 0);
}

#define SHM_LOCK_   11
#define SHM_UNLOCK_ 12

SYSCALL_3(shmctl, int32_t, id, int32_t, command, uint64_t, user)
{
    struct sysv_request r = {.what = SYSV_SHMSTAT, .a = id};
    struct shmid64_ds ds;

    switch (command) {
    case IPC_STAT: return stat_to(&r, user, &ds, sizeof(ds));
    case SHM_STAT:
    case SHM_STAT_ANY: r.c = 1; return stat_to(&r, user, &ds, sizeof(ds));
    case IPC_SET:
        r.what = SYSV_SHMSET;
        return user_get(&ds, user) < 0 ? -EFAULT : set_from(&r, &ds.shm_perm);
    case IPC_RMID: r.what = SYSV_SHMRM; return ask(&r, NULL, 0, NULL, 0);
    case SHM_LOCK_:
    case SHM_UNLOCK_: /* enclave pages are never swapped in clear */
        r.c = 0;
        return ask(&r, NULL, 0, &ds, sizeof(ds));
    default: return -EINVAL;
    }
}

/* ---- semaphores ---- */

SYSCALL_3(semget, int32_t, key, int32_t, count, int32_t, flags)
{
    struct sysv_request r = {.what = SYSV_SEMGET, .a = key, .b = count, .c = flags};

    return ask(&r, NULL, 0, NULL, 0);
}

/* Queued before it is tried, so that no change goes unnoticed; every change wakes all. */
static int64_t wait_and_try(struct sysv_request *r, const struct sembuf *ops, size_t size,
                            uint64_t deadline)
{
    const struct futex_key key = {SYSV_SEM_OBJECT, SYSV_INDEX(r->a) * sizeof(uint32_t)};
    int64_t n;

    do {
        struct futex_sleeper s;
        int e = futex_family_enter(&s, key);

        if (e < 0) {
            return e;
        }
        r->what = SYSV_SEMOP;
        r->c = 1;
        n = ask(r, ops, size, NULL, 0);
        e = n == -EINPROGRESS ? futex_family_sleep(&s, deadline) : 0;
        futex_family_leave(&s, key);
        if (e < 0) {
            r->what = SYSV_SEMQUIT;
            (void)ask(r, NULL, 0, NULL, 0);
            return e == -ETIMEDOUT ? -EAGAIN : e;
        }
    } while (n == -EINPROGRESS);
    return n == -EINVAL ? -EIDRM : n; /* it was there a moment ago */
}

static int64_t semop_until(int32_t id, uint64_t user, uint64_t count, uint64_t deadline)
{
    _cleanup_kfree_ struct sembuf *ops = NULL;
    const size_t size = count * sizeof(*ops);
    struct sysv_request r = {.what = SYSV_SEMOP, .a = id};
    int64_t n;

    if (count == 0 || id < 0) {
        return -EINVAL;
    }
    if (count > SEMTIMEDOP_MAX) {
        return -E2BIG;
    }
    ops = kmalloc(size);
    if (ops == NULL) {
        return -ENOMEM;
    }
    if (user_copy_in(ops, user, size) < 0) {
        return -EFAULT;
    }
    r.b = __atomic_add_fetch(&g_next_token, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&g_used, 1, __ATOMIC_RELAXED);
    n = ask(&r, ops, size, NULL, 0);
    if (n == -EINPROGRESS && family_role() == FAMILY_MEMBER) {
        n = shm_link_start();
        n = n < 0 ? n : -EINPROGRESS;
    }
    return n == -EINPROGRESS ? wait_and_try(&r, ops, size, deadline) : n;
}

SYSCALL_3(semop, int32_t, id, uint64_t, user, uint64_t, count)
{
    return semop_until(id, user, count, WAIT_FOREVER);
}

SYSCALL_4(semtimedop, int32_t, id, uint64_t, user, uint64_t, count, uint64_t, timeout)
{
    struct kernel_timespec64 ts;
    uint64_t deadline = WAIT_FOREVER;
    uint64_t ns;

    if (timeout != 0) {
        if (user_get(&ts, timeout) < 0) {
            return -EFAULT;
        }
        if (timespec_to_ns(&ts, &ns) < 0 ||
            clock_deadline(1 /* CLOCK_MONOTONIC */, /*absolute=*/false, ns, &deadline) < 0) {
            return -EINVAL;
        }
    }
    return semop_until(id, user, count, deadline);
}

/* How many semaphores a set has. */
static int64_t size_of(int32_t id)
{
    struct sysv_request r = {.what = SYSV_SEMSTAT, .a = id};
    struct semid64_ds ds = {0};
    const int64_t n = ask(&r, NULL, 0, &ds, sizeof(ds));

    return n < 0 ? n : (int64_t)ds.sem_nsems;
}

static int64_t all_values(int32_t id, uint64_t user, bool put)
{
    struct sysv_request r = {.what = put ? SYSV_SEMPUT : SYSV_SEMALL, .a = id, .b = -1};
    _cleanup_kfree_ uint16_t *values = NULL;
    int64_t n = size_of(id);
    size_t size;

    if (n < 0) {
        return n;
    }
    size = (size_t)n * sizeof(*values);
    values = kzalloc(size);
    if (values == NULL) {
        return -ENOMEM;
    }
    if (!put) {
        n = ask(&r, NULL, 0, values, size);
        return n < 0 ? n : user_copy_out(user, values, size);
    }
    if (user_copy_in(values, user, size) < 0) {
        return -EFAULT;
    }
    for (size_t i = 0; i < (size_t)n; i++) {
        if (values[i] > SYSV_SEM_MAX) {
            return -ERANGE;
        }
    }
    return ask(&r, values, size, NULL, 0);
}

SYSCALL_4(semctl, int32_t, id, int32_t, which, int32_t, command, uint64_t, arg)
{
    struct sysv_request r = {.what = SYSV_SEMSTAT, .a = id, .b = which};
    struct semid64_ds ds;
    uint16_t value;

    switch (command) {
    case IPC_STAT: return stat_to(&r, arg, &ds, sizeof(ds));
    case SEM_STAT:
    case SEM_STAT_ANY: r.c = 1; return stat_to(&r, arg, &ds, sizeof(ds));
    case IPC_SET:
        r.what = SYSV_SEMSET;
        return user_get(&ds, arg) < 0 ? -EFAULT : set_from(&r, &ds.sem_perm);
    case IPC_RMID: r.what = SYSV_SEMRM; return ask(&r, NULL, 0, NULL, 0);
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT:
        r.what = SYSV_SEMREAD;
        r.c = command;
        return ask(&r, NULL, 0, NULL, 0);
    case GETALL: return all_values(id, arg, /*put=*/false);
    case SETALL: return all_values(id, arg, /*put=*/true);
    case SETVAL:
        if ((int32_t)arg < 0 || (int32_t)arg > SYSV_SEM_MAX) {
            return -ERANGE;
        }
        if (which < 0) {
            return -EINVAL;
        }
        value = (uint16_t)arg;
        r.what = SYSV_SEMPUT;
        return ask(&r, &value, sizeof(value), NULL, 0);
    default: return -EINVAL;
    }
}

void sysv_ipc_exit(void)
{
    struct sysv_request r = {.what = SYSV_LEAVE};

    if (g_used != 0 && family_role() == FAMILY_MEMBER) {
        (void)ask(&r, NULL, 0, NULL, 0);
    }
}

void sysv_ipc_after_fork(void)
{
    g_used = 0;
}
