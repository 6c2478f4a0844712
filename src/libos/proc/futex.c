/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * One waiter structure lives on the waiting thread's kernel stack. `queued` tells it whether a
 * waker took it out; it is changed under the bucket's lock only, and a requeue moves it to another
 * bucket by changing `bucket` under both locks.
 *
 * Application words are only touched by instructions with a fixup (mm/user_raw.h): a page that is
 * not there, or that another thread takes away meanwhile, gives -EFAULT, never a fault of ours.
 * They are read before a bucket is locked, which brings the page in, and once more under the lock.
 */

#include "libos/proc/futex.h"

#include <linux/futex.h>

#include "core/overflow.h"
#include "libos/libos.h"
#include "libos/mm/user.h"
#include "libos/mm/user_raw.h"
#include "libos/proc/futex_family.h"
#include "libos/proc/thread_list.h"
#include "libos/shm/local.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

#define BUCKETS         1024u
#define ROBUST_LIST_MAX 2048 /* as ROBUST_LIST_LIMIT of Linux */
#define BITSET_ANY      0xffffffffu
#define WAKE_BATCH      32u
#define FUTEX_TID_BITS  ((uint32_t)FUTEX_TID_MASK)

struct futex_waiter {
    struct list node;
    struct futex_bucket *bucket;
    struct thread *thread;
    uint64_t address;
    uint32_t bits;
    uint32_t queued;
    bool pi; /* waits in FUTEX_LOCK_PI: woken as the owner */
};

struct futex_bucket {
    struct spinlock lock;
    struct list waiters;
} _aligned_(64);

static struct futex_bucket g_buckets[BUCKETS];
static uint32_t g_ready;

static struct futex_bucket *bucket_of(uint64_t address)
{
    uint64_t h = (address >> 2) * 0x9e3779b97f4a7c15ull;

    return &g_buckets[h >> 54];
}
_Static_assert(BUCKETS == 1u << (64 - 54), "bucket_of takes the top bits");

static void init_once(void)
{
    uint32_t expected = 0;

    if (likely(__atomic_load_n(&g_ready, __ATOMIC_ACQUIRE) == 2)) {
        return;
    }
    if (__atomic_compare_exchange_n(&g_ready, &expected, 1, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        for (size_t i = 0; i < BUCKETS; i++) {
            list_init(&g_buckets[i].waiters);
        }
        __atomic_store_n(&g_ready, 2, __ATOMIC_RELEASE);
        return;
    }
    while (__atomic_load_n(&g_ready, __ATOMIC_ACQUIRE) != 2) {
        __builtin_ia32_pause();
    }
}

static int check_address(uint64_t address)
{
    if (address % sizeof(uint32_t) != 0) {
        return -EINVAL;
    }
    return user_check(address, sizeof(uint32_t));
}

/* The word, or -EFAULT. Its address was checked. */
static int word_load(uint64_t address, uint32_t *ret)
{
    return user_raw_load32((const uint32_t *)(uintptr_t)address, ret) == 0 ? 0 : -EFAULT;
}

/* 1: exchanged; 0: it was *expected no more, which now is what it was; -EFAULT: no access, also
 * where another thread took the page away this very moment. */
static int word_cmpxchg(uint64_t address, uint32_t *expected, uint32_t desired)
{
    switch (user_raw_cmpxchg32((uint32_t *)(uintptr_t)address, expected, desired)) {
    case 0: return 1;
    case 2: return 0;
    default: return -EFAULT;
    }
}

/* Whatever it was: 0 or -EFAULT. */
static int word_store(uint64_t address, uint32_t value)
{
    uint32_t old = 0;
    int r;

    do {
        r = word_cmpxchg(address, &old, value);
    } while (r == 0);
    return r < 0 ? r : 0;
}

static void enqueue(struct futex_bucket *b, struct futex_waiter *w)
{
    w->bucket = b;
    __atomic_store_n(&w->queued, 1, __ATOMIC_RELEASE);
    list_insert(&b->waiters, &w->node);
}

/* Threads to wake once the lock is open again: waking is a host call, and the woken thread would
 * spin on the very lock. */
struct wake_batch {
    size_t count;
    struct thread *threads[WAKE_BATCH]; /* references */
};

static void wake_flush(struct wake_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        thread_wake(batch->threads[i]);
        thread_put(batch->threads[i]);
    }
    batch->count = 0;
}

/* Caller holds the bucket's lock. The waiter's stack may vanish as soon as `queued` is 0. */
static void release_waiter(struct futex_waiter *w, struct wake_batch *batch)
{
    struct thread *t = w->thread;

    if (batch->count == WAKE_BATCH) {
        wake_flush(batch);
    }
    list_remove(&w->node);
    ref_get(&t->refs);
    batch->threads[batch->count++] = t;
    __atomic_store_n(&w->queued, 0, __ATOMIC_RELEASE);
}

/* Takes a waiter out after a time-out or a signal. False when a waker was faster. */
static bool cancel(struct futex_waiter *w)
{
    for (;;) {
        struct futex_bucket *b = __atomic_load_n(&w->bucket, __ATOMIC_ACQUIRE);

        spin_lock(&b->lock);
        if (b != w->bucket) {
            spin_unlock(&b->lock); /* requeued meanwhile */
            continue;
        }
        if (w->queued == 0) {
            spin_unlock(&b->lock);
            return false;
        }
        list_remove(&w->node);
        w->queued = 0;
        spin_unlock(&b->lock);
        return true;
    }
}

/* Sleeps until a waker took the waiter out. */
static int sleep_queued(struct futex_waiter *w, uint64_t deadline)
{
    int r = 0;

    while (__atomic_load_n(&w->queued, __ATOMIC_ACQUIRE) != 0) {
        r = thread_wait(deadline);
        if (r < 0) {
            return cancel(w) ? r : 0;
        }
    }
    return 0;
}

/* Words of memory that processes share are the owner's to queue on, private futexes or not: there
 * is no harm in waking too many. */
static bool is_shared(uint64_t address, struct futex_key *ret)
{
    return shm_key(address, &ret->object, &ret->offset);
}

int futex_wait(uint64_t address, uint32_t expected, uint64_t deadline, uint32_t bits)
{
    struct futex_key key;
    struct futex_waiter w = {.thread = thread_current(), .address = address, .bits = bits};
    struct futex_bucket *b = bucket_of(address);
    uint32_t value;
    int r = check_address(address);

    if (r < 0) {
        return r;
    }
    if (is_shared(address, &key)) {
        return futex_family_wait(key, address, expected, deadline, bits);
    }
    init_once();
    if (word_load(address, &value) < 0) {
        return -EFAULT;
    }
    if (value != expected) {
        return -EAGAIN;
    }
    list_init(&w.node);
    spin_lock(&b->lock);
    r = word_load(address, &value);
    if (r < 0 || value != expected) {
        spin_unlock(&b->lock);
        return r < 0 ? r : -EAGAIN;
    }
    enqueue(b, &w);
    spin_unlock(&b->lock);
    return sleep_queued(&w, deadline);
}

int futex_wake(uint64_t address, uint32_t count, uint32_t bits)
{
    struct futex_bucket *b = bucket_of(address);
    struct wake_batch batch = {0};
    struct futex_key key;
    int woken = 0;

    if (is_shared(address, &key)) {
        return futex_family_wake(key, count, bits);
    }
    init_once();
    spin_lock(&b->lock);
    list_for_each_safe (it, &b->waiters) {
        struct futex_waiter *w = list_entry(it, struct futex_waiter, node);

        if ((uint32_t)woken >= count) {
            break;
        }
        if (w->address == address && (w->bits & bits) != 0) {
            release_waiter(w, &batch);
            woken++;
        }
    }
    spin_unlock(&b->lock);
    wake_flush(&batch);
    return woken;
}

static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
    spin_lock(a < b ? &a->lock : &b->lock);
    if (a != b) {
        spin_lock(a < b ? &b->lock : &a->lock);
    }
}

static void unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
    spin_unlock(&a->lock);
    if (a != b) {
        spin_unlock(&b->lock);
    }
}

/* Both words in shared memory, or (-EINVAL) neither. The comparison is not one step with the rest
 * here; the callers there are look at the word again. */
static int64_t requeue_shared(struct futex_key from, uint64_t word, uint64_t to, uint32_t wake,
                              uint32_t move, bool compare, uint32_t expected)
{
    struct futex_key there;
    uint32_t value = expected;
    uint32_t moved = 0;
    int64_t r;

    if (!is_shared(to, &there)) {
        return -EINVAL;
    }
    if (compare && word_load(word, &value) < 0) {
        return -EFAULT;
    }
    if (value != expected) {
        return -EAGAIN;
    }
    r = futex_family_requeue(from, there, wake, move, &moved);
    return r < 0 || !compare ? r : r + moved;
}

static int64_t requeue(uint64_t from, uint64_t to, uint32_t wake, uint32_t move, bool compare,
                       uint32_t expected)
{
    struct futex_bucket *a = bucket_of(from);
    struct futex_bucket *b = bucket_of(to);
    struct wake_batch batch = {0};
    struct futex_key key;
    uint32_t value = expected;
    uint32_t woken = 0;
    uint32_t moved = 0;

    if ((int32_t)wake < 0 || (int32_t)move < 0) {
        return -EINVAL;
    }
    if (is_shared(from, &key)) {
        return requeue_shared(key, from, to, wake, move, compare, expected);
    }
    if (compare && word_load(from, &value) < 0) {
        return -EFAULT;
    }
    lock_two(a, b);
    if (compare && (word_load(from, &value) < 0 || value != expected)) {
        unlock_two(a, b);
        return value != expected ? -EAGAIN : -EFAULT;
    }
    list_for_each_safe (it, &a->waiters) {
        struct futex_waiter *w = list_entry(it, struct futex_waiter, node);

        if (w->address != from || w->pi) {
            continue;
        }
        if (woken < wake) {
            release_waiter(w, &batch);
            woken++;
        } else if (moved < move) {
            list_remove(&w->node);
            w->address = to;
            enqueue(b, w);
            moved++;
        } else {
            break;
        }
    }
    unlock_two(a, b);
    wake_flush(&batch);
    return (int64_t)woken + (compare ? moved : 0);
}

/* FUTEX_WAKE_OP: op, oparg, cmp and cmparg are packed in one word (futex(2)). */
static int64_t wake_op(uint64_t first, uint64_t second, uint32_t wake1, uint32_t wake2, uint32_t op)
{
    const uint32_t kind = op >> 28 & 7;
    const uint32_t compare = op >> 24 & 15;
    int32_t argument = (int32_t)(op << 8) >> 20;
    const int32_t against = (int32_t)(op << 20) >> 20;
    uint32_t old;
    uint32_t fresh;
    bool holds;
    int r;

    if ((op >> 28 & 8) != 0) {
        if (argument < 0 || argument > 31) {
            argument &= 31;
        }
        argument = (int32_t)(1u << argument);
    }
    if (word_load(second, &old) < 0) {
        return -EFAULT;
    }
    do {
        switch (kind) {
        case FUTEX_OP_SET: fresh = (uint32_t)argument; break;
        case FUTEX_OP_ADD: fresh = old + (uint32_t)argument; break;
        case FUTEX_OP_OR: fresh = old | (uint32_t)argument; break;
        case FUTEX_OP_ANDN: fresh = old & ~(uint32_t)argument; break;
        case FUTEX_OP_XOR: fresh = old ^ (uint32_t)argument; break;
        default: return -ENOSYS;
        }
        r = word_cmpxchg(second, &old, fresh);
    } while (r == 0);
    if (r < 0) {
        return r;
    }
    switch (compare) {
    case FUTEX_OP_CMP_EQ: holds = (int32_t)old == against; break;
    case FUTEX_OP_CMP_NE: holds = (int32_t)old != against; break;
    case FUTEX_OP_CMP_LT: holds = (int32_t)old < against; break;
    case FUTEX_OP_CMP_LE: holds = (int32_t)old <= against; break;
    case FUTEX_OP_CMP_GT: holds = (int32_t)old > against; break;
    case FUTEX_OP_CMP_GE: holds = (int32_t)old >= against; break;
    default: return -ENOSYS;
    }
    r = futex_wake(first, wake1, BITSET_ANY);
    return r + (holds ? futex_wake(second, wake2, BITSET_ANY) : 0);
}

/* --- priority-inheriting locks: the ownership protocol without priorities, as SCHED_OTHER threads
 * see it. The word holds the owner's tid and FUTEX_WAITERS. --- */

/* Sets FUTEX_WAITERS in the word, as it is now: what was seen before the bucket's lock was taken
 * may have had the bit for waiters that are gone. Caller holds that lock, which keeps the owner
 * from handing over meanwhile. 1: the owner will find us; 0: there is none any more; -EFAULT. */
static int announce_waiter(uint64_t address)
{
    uint32_t value;
    int r = word_load(address, &value);

    while (r == 0) {
        if ((value & FUTEX_TID_BITS) == 0) {
            return 0;
        }
        if ((value & FUTEX_WAITERS) != 0) {
            return 1;
        }
        r = word_cmpxchg(address, &value, value | FUTEX_WAITERS);
    }
    return r;
}

static int lock_pi(uint64_t address, uint64_t deadline, bool try)
{
    struct thread *self = thread_current();
    struct futex_bucket *b = bucket_of(address);
    struct futex_key key;

    if (is_shared(address, &key)) {
        libos_log(LOG_WARNING, "futex: priority-inheriting locks between processes are not "
                               "supported (docs/processes.md)");
        return -ENOSYS;
    }

    for (;;) {
        struct futex_waiter w = {
            .thread = self, .address = address, .bits = BITSET_ANY, .pi = true};
        uint32_t value = 0;
        int r = word_cmpxchg(address, &value, (uint32_t)self->tid);

        if (r != 0) {
            return r < 0 ? r : 0;
        }
        if ((value & FUTEX_TID_BITS) == (uint32_t)self->tid) {
            return -EDEADLK;
        }
        if ((value & FUTEX_TID_BITS) == 0) {
            /* Dead owner or only flags left: take it, keep the flags for the robust protocol. */
            r = word_cmpxchg(address, &value, value | (uint32_t)self->tid);
            if (r != 0) {
                return r < 0 ? r : 0;
            }
            continue;
        }
        if (try) {
            return -EAGAIN;
        }
        list_init(&w.node);
        spin_lock(&b->lock);
        r = announce_waiter(address);
        if (r > 0) {
            enqueue(b, &w);
        }
        spin_unlock(&b->lock);
        if (r < 0) {
            return r;
        }
        if (r == 0) {
            continue;
        }
        r = sleep_queued(&w, deadline);
        if (r < 0) {
            return r == -EINTR ? -ERESTARTNOINTR : r;
        }
        /* The unlocker made us the owner before it let us go. */
        r = word_load(address, &value);
        if (r < 0 || (value & FUTEX_TID_BITS) == (uint32_t)self->tid) {
            return r;
        }
    }
}

/* Hands the lock to the first waiter. Caller holds the bucket's lock. 1: done, 0: nobody waits,
 * -EFAULT: the word is gone, and the waiters stay as they would on Linux. */
static int hand_over(struct futex_bucket *b, uint64_t address, uint32_t flags,
                     struct wake_batch *batch)
{
    struct futex_waiter *first = NULL;
    uint32_t more = 0;
    int r;

    list_for_each (it, &b->waiters) {
        struct futex_waiter *w = list_entry(it, struct futex_waiter, node);

        if (w->address == address && w->pi) {
            if (first != NULL) {
                more = FUTEX_WAITERS;
                break;
            }
            first = w;
        }
    }
    if (first == NULL) {
        return 0;
    }
    r = word_store(address, (uint32_t)first->thread->tid | more | flags);
    if (r < 0) {
        return r;
    }
    release_waiter(first, batch);
    return 1;
}

static int unlock_pi(uint64_t address)
{
    struct futex_bucket *b = bucket_of(address);
    struct wake_batch batch = {0};
    uint32_t value;
    int r = word_load(address, &value);

    if (r < 0) {
        return r;
    }
    if ((value & FUTEX_TID_BITS) != (uint32_t)thread_current()->tid) {
        return -EPERM;
    }
    spin_lock(&b->lock);
    r = hand_over(b, address, 0, &batch);
    if (r == 0) {
        r = word_store(address, 0);
    }
    spin_unlock(&b->lock);
    wake_flush(&batch);
    return MIN(r, 0);
}

/* --- robust lists (get_robust_list(2)): the application's own list of locks it holds --- */

/* Linux's handle_futex_death. `pi`: bit 0 of the list pointer. */
static void robust_death(const struct thread *t, uint64_t address, bool pi)
{
    struct futex_bucket *b = bucket_of(address);
    uint32_t value;

    if (check_address(address) < 0 || word_load(address, &value) < 0) {
        return;
    }
    while ((value & FUTEX_TID_BITS) == (uint32_t)t->tid) {
        const uint32_t dead = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
        int r;

        if (pi) {
            struct wake_batch batch = {0};
            int handed;

            spin_lock(&b->lock);
            handed = hand_over(b, address, FUTEX_OWNER_DIED, &batch);
            spin_unlock(&b->lock);
            wake_flush(&batch);
            if (handed != 0) {
                return;
            }
        }
        r = word_cmpxchg(address, &value, dead);
        if (r < 0) {
            return;
        }
        if (r > 0) {
            if (!pi && (value & FUTEX_WAITERS) != 0) {
                (void)futex_wake(address, 1, BITSET_ANY);
            }
            return;
        }
    }
}

static void robust_list_exit(const struct thread *t)
{
    struct {
        uint64_t next;
        int64_t offset;
        uint64_t pending;
    } head;
    uint64_t entry;
    int left = ROBUST_LIST_MAX;

    if (t->robust_list == 0 || user_get(&head, t->robust_list) < 0) {
        return;
    }
    entry = head.next;
    while ((entry & ~1ull) != t->robust_list && left-- > 0) {
        uint64_t next;
        const bool last = user_get(&next, entry & ~1ull) < 0;

        if (entry != head.pending) {
            robust_death(t, (entry & ~1ull) + (uint64_t)head.offset, (entry & 1) != 0);
        }
        if (last) {
            return;
        }
        entry = next;
    }
    if (head.pending != 0) {
        robust_death(t, (head.pending & ~1ull) + (uint64_t)head.offset, (head.pending & 1) != 0);
    }
}

void futex_thread_exit(struct thread *t)
{
    init_once();
    robust_list_exit(t);
    if (t->clear_child_tid != 0) {
        const uint32_t zero = 0;

        if (user_put(t->clear_child_tid, &zero) == 0) {
            (void)futex_wake(t->clear_child_tid, 1, BITSET_ANY);
        }
        t->clear_child_tid = 0;
    }
}

/* --- the system calls --- */

static int get_deadline(uint64_t user_timeout, uint32_t op, uint64_t *ret)
{
    const uint32_t command = op & (uint32_t)FUTEX_CMD_MASK;
    struct kernel_timespec64 ts;
    uint64_t ns;
    bool absolute;
    int id;

    *ret = WAIT_FOREVER;
    if (user_timeout == 0) {
        return 0;
    }
    if (user_get(&ts, user_timeout) < 0) {
        return -EFAULT;
    }
    if (timespec_to_ns(&ts, &ns) < 0) {
        return -EINVAL;
    }
    absolute = command != FUTEX_WAIT;
    id = command == FUTEX_LOCK_PI || (op & FUTEX_CLOCK_REALTIME) != 0 ? 0 /* CLOCK_REALTIME */
                                                                      : 1 /* CLOCK_MONOTONIC */;
    return clock_deadline(id, absolute, ns, ret);
}

/* A timed wait is over once a handler ran, SA_RESTART or not. */
static int64_t wait_result(int r, bool timed)
{
    if (r == -EINTR) {
        return timed ? -ERESTART_RESTARTBLOCK : -ERESTARTSYS;
    }
    return r;
}

SYSCALL_6(futex, uint64_t, address, uint32_t, op, uint32_t, value, uint64_t, timeout, uint64_t,
          second, uint32_t, value3)
{
    const uint32_t command = op & (uint32_t)FUTEX_CMD_MASK;
    uint64_t deadline = WAIT_FOREVER;
    int r = check_address(address);

    if (r < 0) {
        return r;
    }
    init_once();
    switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
        r = get_deadline(timeout, op, &deadline);
        if (r < 0) {
            return r;
        }
        break;
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
    case FUTEX_WAKE_OP:
        r = check_address(second);
        if (r < 0) {
            return r;
        }
        break;
    default: break;
    }
    switch (command) {
    case FUTEX_WAIT:
        return wait_result(futex_wait(address, value, deadline, BITSET_ANY), timeout != 0);
    case FUTEX_WAIT_BITSET:
        if (value3 == 0) {
            return -EINVAL;
        }
        return wait_result(futex_wait(address, value, deadline, value3), timeout != 0);
    case FUTEX_WAKE: return futex_wake(address, MAX(value, 1u), BITSET_ANY);
    case FUTEX_WAKE_BITSET:
        return value3 == 0 ? -EINVAL : futex_wake(address, MAX(value, 1u), value3);
    case FUTEX_REQUEUE: return requeue(address, second, value, (uint32_t)timeout, false, 0);
    case FUTEX_CMP_REQUEUE: return requeue(address, second, value, (uint32_t)timeout, true, value3);
    case FUTEX_WAKE_OP: return wake_op(address, second, value, (uint32_t)timeout, value3);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2: return lock_pi(address, deadline, /*try=*/false);
    case FUTEX_TRYLOCK_PI: return lock_pi(address, deadline, /*try=*/true);
    case FUTEX_UNLOCK_PI: return unlock_pi(address);
    default: return -ENOSYS; /* FUTEX_FD, *_REQUEUE_PI: glibc has not used them since 2.25 */
    }
}

SYSCALL_2(set_robust_list, uint64_t, head, uint64_t, size)
{
    if (size != 24) {
        return -EINVAL;
    }
    thread_current()->robust_list = head;
    thread_current()->robust_list_size = size;
    return 0;
}

SYSCALL_3(get_robust_list, int32_t, tid, uint64_t, user_head, uint64_t, user_size)
{
    struct thread *t = tid == 0 ? NULL : thread_find(process_current(), tid);
    const struct thread *of = tid == 0 ? thread_current() : t;
    const uint64_t size = 24;
    int r;

    if (of == NULL) {
        return -ESRCH;
    }
    r = user_put(user_head, &of->robust_list);
    if (r == 0) {
        r = user_put(user_size, &size);
    }
    if (t != NULL) {
        thread_put(t);
    }
    return r;
}

SYSCALL_1(set_tid_address, uint64_t, address)
{
    thread_current()->clear_child_tid = address;
    return thread_current()->tid;
}
