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
    struct lock_owner owner;
    int32_t pid;
};

struct inode_locks {
    struct list held;
    struct waitq changed;
};

/* A blocked POSIX request: who waits for whom. */
struct blocked {
    struct list node;
    struct lock_owner owner;
    struct lock_owner by;
    bool remote; /* of a member of the family: kmalloc'd */
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

static bool same_owner(struct lock_owner a, struct lock_owner b)
{
    return a.id == b.id && a.member == b.member;
}

struct lock_owner lock_owner_file(const struct file *f)
{
    return (struct lock_owner){.id = (uintptr_t)f};
}

static struct lock_owner owner_of(struct file *f, enum lock_kind kind)
{
    return kind == LOCK_KIND_POSIX ? (struct lock_owner){.id = (uintptr_t)process_current()}
                                   : lock_owner_file(f);
}

static bool overlap(const struct file_lock *l, uint64_t start, uint64_t end)
{
    return l->start <= end && start <= l->end;
}

/* POSIX and OFD locks exclude each other; flock is a world of its own. */
static bool conflicts(const struct file_lock *l, const struct lock_request *req,
                      struct lock_owner owner)
{
    if ((l->kind == LOCK_KIND_FLOCK) != (req->kind == LOCK_KIND_FLOCK)) {
        return false;
    }
    if (l->kind == req->kind && same_owner(l->owner, owner)) {
        return false;
    }
    return overlap(l, req->start, req->end) && (l->type == F_WRLCK || req->type == F_WRLCK);
}

static struct file_lock *find_conflict(struct inode_locks *l, const struct lock_request *req,
                                       struct lock_owner owner)
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
static bool would_deadlock(struct lock_owner owner, struct lock_owner by)
{
    for (bool moved = true; moved;) {
        moved = false;
        if (same_owner(by, owner)) {
            return true;
        }
        list_for_each (it, &g_blocked) {
            const struct blocked *b = list_entry(it, struct blocked, node);

            if (same_owner(b->owner, by)) {
                by = b->by;
                moved = true;
                break;
            }
        }
    }
    return false;
}

static struct file_lock *lock_new(const struct lock_request *req, struct lock_owner owner)
{
    struct file_lock *l = kzalloc(sizeof(*l));

    if (l != NULL) {
        l->kind = req->kind;
        l->type = req->type;
        l->start = req->start;
        l->end = req->end;
        l->owner = owner;
        l->pid = req->kind == LOCK_KIND_OFD ? -1 : req->pid;
    }
    return l;
}

/* Takes [req->start, req->end] out of the owner's locks. `spare` serves the one case that needs a
 * new lock: a hole in the middle of one. */
static void cut_out(struct inode_locks *l, const struct lock_request *req, struct lock_owner owner,
                    struct file_lock **spare)
{
    list_for_each_safe (it, &l->held) {
        struct file_lock *old = list_entry(it, struct file_lock, node);

        if (old->kind != req->kind || !same_owner(old->owner, owner) ||
            !overlap(old, req->start, req->end)) {
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

        if (old == fresh || old->kind != fresh->kind || !same_owner(old->owner, fresh->owner) ||
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
static int apply(struct inode_locks *l, const struct lock_request *req, struct lock_owner owner)
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
static int wait_change(struct inode_locks *l, const struct lock_request *req,
                       struct lock_owner owner, struct lock_owner by)
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

static void init_once(void)
{
    if (g_blocked.next == NULL) {
        list_init(&g_blocked);
    }
}

int locks_set(struct file *f, const struct lock_request *request, bool wait)
{
    struct lock_request own = *request;
    const struct lock_request *req = &own;
    struct inode_locks *l;
    struct lock_owner owner = owner_of(f, req->kind);
    int r = 0;

    if (f->inode->ops->lock != NULL) {
        return f->inode->ops->lock(f, request, wait);
    }
    l = locks_of(f->inode, /*create=*/req->type != F_UNLCK);
    if (l == NULL) {
        return req->type == F_UNLCK ? 0 : -ENOMEM;
    }
    own.pid = process_current()->pid;
    mutex_lock(&g_locks_mutex);
    init_once();
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

static void put_test(const struct file_lock *by, struct lock_request *req)
{
    if (by == NULL) {
        req->type = F_UNLCK;
    } else {
        req->type = by->type;
        req->start = by->start;
        req->end = by->end;
        req->pid = by->pid;
    }
}

int locks_test(struct file *f, struct lock_request *req)
{
    struct inode_locks *l;

    if (f->inode->ops->lock_test != NULL) {
        return f->inode->ops->lock_test(f, req);
    }
    l = locks_of(f->inode, /*create=*/false);
    mutex_lock(&g_locks_mutex);
    put_test(l == NULL ? NULL : find_conflict(l, req, owner_of(f, req->kind)), req);
    mutex_unlock(&g_locks_mutex);
    return 0;
}

/* Drops the locks for which `mine` says so. */
static void drop_if(struct inode *inode, bool (*mine)(const struct file_lock *l, const void *arg),
                    const void *arg)
{
    struct inode_locks *l = locks_of(inode, /*create=*/false);
    bool changed = false;

    if (l == NULL) {
        return;
    }
    mutex_lock(&g_locks_mutex);
    list_for_each_safe (it, &l->held) {
        struct file_lock *held = list_entry(it, struct file_lock, node);

        if (mine(held, arg)) {
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

struct owned {
    enum lock_kind kind;
    struct lock_owner owner;
};

static bool is_owned(const struct file_lock *l, const void *arg)
{
    const struct owned *o = arg;

    return l->kind == o->kind && same_owner(l->owner, o->owner);
}

void locks_drop_owner(struct inode *inode, enum lock_kind kind, struct lock_owner owner)
{
    drop_if(inode, is_owned, &(struct owned){.kind = kind, .owner = owner});
}

void locks_closed(struct file *f)
{
    if (f->inode == NULL) {
        return;
    }
    if (f->inode->ops->lock_closed != NULL) {
        f->inode->ops->lock_closed(f, /*last=*/false);
    } else if (f->inode->locks != NULL) {
        locks_drop_owner(f->inode, LOCK_KIND_POSIX, owner_of(f, LOCK_KIND_POSIX));
    }
}

void locks_released(struct file *f)
{
    if (f->inode->ops->lock_closed != NULL) {
        f->inode->ops->lock_closed(f, /*last=*/true);
    } else if (f->inode->locks != NULL) {
        locks_drop_owner(f->inode, LOCK_KIND_OFD, lock_owner_file(f));
        locks_drop_owner(f->inode, LOCK_KIND_FLOCK, lock_owner_file(f));
    }
}

/* ---- for members of the family ---- */

/* Its owner asks for something: it waits no more. Under g_locks_mutex. */
static void forget_blocked(struct lock_owner owner)
{
    init_once();
    list_for_each_safe (it, &g_blocked) {
        struct blocked *b = list_entry(it, struct blocked, node);

        if (b->remote && same_owner(b->owner, owner)) {
            list_remove(&b->node);
            kfree(b);
        }
    }
}

static int remember_blocked(struct lock_owner owner, struct lock_owner by)
{
    struct blocked *b = kzalloc(sizeof(*b));

    if (b == NULL) {
        return -ENOMEM;
    }
    *b = (struct blocked){.owner = owner, .by = by, .remote = true};
    list_insert(&g_blocked, &b->node);
    return -EAGAIN;
}

int locks_set_for(struct inode *inode, struct lock_owner owner, int32_t pid,
                  const struct lock_request *req, bool waits)
{
    struct inode_locks *l = locks_of(inode, /*create=*/req->type != F_UNLCK);
    const struct file_lock *by = NULL;
    struct lock_request own = *req;
    int r = 0;

    if (l == NULL) {
        return req->type == F_UNLCK ? 0 : -ENOMEM;
    }
    if (req->type != F_UNLCK && req->type != F_RDLCK && req->type != F_WRLCK) {
        return -EINVAL;
    }
    own.pid = pid;
    mutex_lock(&g_locks_mutex);
    forget_blocked(owner);
    if (req->type != F_UNLCK) {
        by = find_conflict(l, req, owner);
    }
    if (by == NULL) {
        r = apply(l, &own, owner);
    } else if (!waits || req->kind != LOCK_KIND_POSIX || by->kind != LOCK_KIND_POSIX) {
        r = -EAGAIN;
    } else {
        r = would_deadlock(owner, by->owner) ? -EDEADLK : remember_blocked(owner, by->owner);
    }
    mutex_unlock(&g_locks_mutex);
    return r;
}

int locks_test_for(struct inode *inode, struct lock_owner owner, struct lock_request *req)
{
    struct inode_locks *l = locks_of(inode, /*create=*/false);

    mutex_lock(&g_locks_mutex);
    forget_blocked(owner);
    put_test(l == NULL ? NULL : find_conflict(l, req, owner), req);
    mutex_unlock(&g_locks_mutex);
    return 0;
}

static bool is_members(const struct file_lock *l, const void *arg)
{
    return l->owner.member == *(const uint32_t *)arg;
}

void locks_drop_member(struct inode *inode, uint32_t member)
{
    if (inode == NULL || inode->locks == NULL) {
        return;
    }
    drop_if(inode, is_members, &member);
    mutex_lock(&g_locks_mutex);
    init_once();
    list_for_each_safe (it, &g_blocked) {
        struct blocked *b = list_entry(it, struct blocked, node);

        if (b->remote && b->owner.member == member) {
            list_remove(&b->node);
            kfree(b);
        }
    }
    mutex_unlock(&g_locks_mutex);
}

struct waitq *locks_queue(struct inode *inode)
{
    struct inode_locks *l = locks_of(inode, /*create=*/true);

    return l == NULL ? NULL : &l->changed;
}
