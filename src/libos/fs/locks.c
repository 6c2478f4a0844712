/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Advisory locks. One lock guards all of them: they are rare, and looking for POSIX deadlocks needs
 * a view of all waiters anyway. An owner's locks of one kind never overlap on an inode: setting one
 * cuts and joins what was there.
 */

#include "libos/fs/locks.h"

#include "libos/fs/file.h"
#include "libos/mm/kmem.h"
#include "libos/proc/thread.h"
#include "libos/sys/syscall.h"

struct file_lock {
    struct list node;
    enum lock_kind kind;
    int16_t type;
    uint64_t start, end;
    const void *owner; /* struct process or struct file */
    int32_t pid;
};

struct inode_locks {
    struct list held;
    struct waitq changed;
};

/* A blocked POSIX request: who waits for whom. */
struct blocked {
    struct list node;
    const void *owner;
    const void *by;
};

static struct mutex g_locks_mutex;
static struct list g_blocked;

void locks_free(struct inode_locks *l)
{
    if (l == NULL) {
        return;
    }
    list_for_each_safe (it, &l->held) {
        kfree(list_entry(it, struct file_lock, node));
    }
    kfree(l);
}

static struct inode_locks *locks_of(struct inode *inode, bool create)
{
    struct inode_locks *l = __atomic_load_n(&inode->locks, __ATOMIC_ACQUIRE);

    if (l != NULL || !create) {
        return l;
    }
    l = kzalloc(sizeof(*l));
    if (l == NULL) {
        return NULL;
    }
    list_init(&l->held);
    waitq_init(&l->changed);
    spin_lock(&inode->meta);
    if (inode->locks == NULL) {
        __atomic_store_n(&inode->locks, l, __ATOMIC_RELEASE);
        l = NULL;
    }
    spin_unlock(&inode->meta);
    kfree(l);
    return inode->locks;
}

static const void *owner_of(struct file *f, enum lock_kind kind)
{
    return kind == LOCK_KIND_POSIX ? (const void *)process_current() : (const void *)f;
}

static bool overlap(const struct file_lock *l, uint64_t start, uint64_t end)
{
    return l->start <= end && start <= l->end;
}

/* POSIX and OFD locks exclude each other; flock is a world of its own. */
static bool conflicts(const struct file_lock *l, const struct lock_request *req, const void *owner)
{
    if ((l->kind == LOCK_KIND_FLOCK) != (req->kind == LOCK_KIND_FLOCK)) {
        return false;
    }
    if (l->kind == req->kind && l->owner == owner) {
        return false;
    }
    return overlap(l, req->start, req->end) && (l->type == F_WRLCK || req->type == F_WRLCK);
}

static struct file_lock *find_conflict(struct inode_locks *l, const struct lock_request *req,
                                       const void *owner)
{
    list_for_each (it, &l->held) {
        struct file_lock *held = list_entry(it, struct file_lock, node);

        if (conflicts(held, req, owner)) {
            return held;
        }
    }
    return NULL;
}

/* Would waiting for `by` close a circle back to `owner`? */
static bool would_deadlock(const void *owner, const void *by)
{
    for (bool moved = true; moved;) {
        moved = false;
        if (by == owner) {
            return true;
        }
        list_for_each (it, &g_blocked) {
            const struct blocked *b = list_entry(it, struct blocked, node);

            if (b->owner == by) {
                by = b->by;
                moved = true;
                break;
            }
        }
    }
    return false;
}

static struct file_lock *lock_new(const struct lock_request *req, const void *owner)
{
    struct file_lock *l = kzalloc(sizeof(*l));

    if (l != NULL) {
        l->kind = req->kind;
        l->type = req->type;
        l->start = req->start;
        l->end = req->end;
        l->owner = owner;
        l->pid = req->kind == LOCK_KIND_OFD ? -1 : process_current()->pid;
    }
    return l;
}

/* Takes [req->start, req->end] out of the owner's locks. `spare` serves the one case that needs a
 * new lock: a hole in the middle of one. */
static void cut_out(struct inode_locks *l, const struct lock_request *req, const void *owner,
                    struct file_lock **spare)
{
    list_for_each_safe (it, &l->held) {
        struct file_lock *old = list_entry(it, struct file_lock, node);

        if (old->kind != req->kind || old->owner != owner || !overlap(old, req->start, req->end)) {
            continue;
        }
        if (old->start < req->start && old->end > req->end) {
            struct file_lock *tail = TAKE_PTR(*spare);
            struct list node = tail->node;

            *tail = *old;
            tail->node = node;
            tail->start = req->end + 1;
            old->end = req->start - 1;
            list_insert(old->node.next, &tail->node);
            return;
        }
        if (old->start < req->start) {
            old->end = req->start - 1;
        } else if (old->end > req->end) {
            old->start = req->end + 1;
        } else {
            list_remove(&old->node);
            kfree(old);
        }
    }
}

/* Joins `fresh` with neighbours of the same type. */
static void join(struct inode_locks *l, struct file_lock *fresh)
{
    list_for_each_safe (it, &l->held) {
        struct file_lock *old = list_entry(it, struct file_lock, node);

        if (old == fresh || old->kind != fresh->kind || old->owner != fresh->owner ||
            old->type != fresh->type) {
            continue;
        }
        if (old->end != UINT64_MAX && old->end + 1 == fresh->start) {
            fresh->start = old->start;
        } else if (fresh->end != UINT64_MAX && fresh->end + 1 == old->start) {
            fresh->end = old->end;
        } else {
            continue;
        }
        list_remove(&old->node);
        kfree(old);
    }
}

/* Applies a request that nothing stands in the way of. Under g_locks_mutex. */
static int apply(struct inode_locks *l, const struct lock_request *req, const void *owner)
{
    struct file_lock *spare = lock_new(req, owner);
    struct file_lock *fresh = req->type == F_UNLCK ? NULL : lock_new(req, owner);

    if (spare == NULL || (req->type != F_UNLCK && fresh == NULL)) {
        kfree(spare);
        kfree(fresh);
        return -ENOMEM;
    }
    list_init(&spare->node);
    cut_out(l, req, owner, &spare);
    if (fresh != NULL) {
        list_insert(&l->held, &fresh->node);
        join(l, fresh);
    }
    kfree(spare);
    waitq_wake_all(&l->changed, 0);
    return 0;
}

/* Waits until the locks of this inode change. g_locks_mutex is dropped meanwhile. */
static int wait_change(struct inode_locks *l, const struct lock_request *req, const void *owner,
                       const void *by)
{
    struct blocked b = {.owner = owner, .by = by};
    struct waiter w;

    if (req->kind == LOCK_KIND_POSIX) {
        list_insert(&g_blocked, &b.node);
    }
    waiter_init(&w);
    waitq_add(&l->changed, &w);
    mutex_unlock(&g_locks_mutex);
    int r = thread_wait(WAIT_FOREVER);

    waitq_remove(&w);
    mutex_lock(&g_locks_mutex);
    if (req->kind == LOCK_KIND_POSIX) {
        list_remove(&b.node);
    }
    return r == -EINTR ? -ERESTARTSYS : 0;
}

int locks_set(struct file *f, const struct lock_request *req, bool wait)
{
    struct inode_locks *l = locks_of(f->inode, /*create=*/req->type != F_UNLCK);
    const void *owner = owner_of(f, req->kind);
    int r = 0;

    if (l == NULL) {
        return req->type == F_UNLCK ? 0 : -ENOMEM;
    }
    mutex_lock(&g_locks_mutex);
    if (g_blocked.next == NULL) {
        list_init(&g_blocked);
    }
    while (req->type != F_UNLCK) {
        const struct file_lock *by = find_conflict(l, req, owner);

        if (by == NULL) {
            break;
        }
        if (!wait) {
            r = -EAGAIN;
        } else if (req->kind == LOCK_KIND_POSIX && by->kind == LOCK_KIND_POSIX &&
                   would_deadlock(owner, by->owner)) {
            r = -EDEADLK;
        } else {
            r = wait_change(l, req, owner, by->owner);
        }
        if (r < 0) {
            break;
        }
    }
    if (r == 0) {
        r = apply(l, req, owner);
    }
    mutex_unlock(&g_locks_mutex);
    return r;
}

int locks_test(struct file *f, struct lock_request *req)
{
    struct inode_locks *l = locks_of(f->inode, /*create=*/false);
    const struct file_lock *by = NULL;

    mutex_lock(&g_locks_mutex);
    if (l != NULL) {
        by = find_conflict(l, req, owner_of(f, req->kind));
    }
    if (by == NULL) {
        req->type = F_UNLCK;
    } else {
        req->type = by->type;
        req->start = by->start;
        req->end = by->end;
        req->pid = by->pid;
    }
    mutex_unlock(&g_locks_mutex);
    return 0;
}

static void drop_owned(struct inode *inode, enum lock_kind kind, const void *owner)
{
    struct inode_locks *l = locks_of(inode, /*create=*/false);
    bool changed = false;

    if (l == NULL) {
        return;
    }
    mutex_lock(&g_locks_mutex);
    list_for_each_safe (it, &l->held) {
        struct file_lock *held = list_entry(it, struct file_lock, node);

        if (held->kind == kind && held->owner == owner) {
            list_remove(&held->node);
            kfree(held);
            changed = true;
        }
    }
    if (changed) {
        waitq_wake_all(&l->changed, 0);
    }
    mutex_unlock(&g_locks_mutex);
}

void locks_closed(struct file *f)
{
    if (f->inode != NULL && f->inode->locks != NULL) {
        drop_owned(f->inode, LOCK_KIND_POSIX, process_current());
    }
}

void locks_released(struct file *f)
{
    if (f->inode->locks != NULL) {
        drop_owned(f->inode, LOCK_KIND_OFD, f);
        drop_owned(f->inode, LOCK_KIND_FLOCK, f);
    }
}
