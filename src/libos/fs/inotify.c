/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * inotify(7) over changes made in here. One mutex guards all watches and queues; it is taken inside
 * the namespace lock. Inode references are dropped outside of it.
 */

#include <linux/inotify.h>

#include <asm/ioctls.h>

#include "libos/fs/fd_table.h"
#include "libos/fs/notify.h"
#include "libos/fs/poll.h"
#include "libos/mm/kmem.h"
#include "libos/sys/path_arg.h"
#include "libos/sys/syscall.h"

#define QUEUE_MAX   16384u
#define WATCHES_MAX 65536u

struct instance {
    struct list events;  /* struct event.node */
    struct list watches; /* struct watch.in_instance */
    struct waitq readers;
    uint32_t queued;
    uint32_t watch_count;
    int32_t next_wd;
};

struct watch {
    struct list in_inode;
    struct list in_instance;
    struct instance *instance;
    struct inode *inode; /* a reference */
    uint32_t mask;
    int32_t wd;
};

struct event {
    struct list node;
    int32_t wd;
    uint32_t mask;
    uint32_t cookie;
    uint32_t len; /* of name with padding; 0: none */
    char name[];
};

static struct mutex g_mutex;
static uint32_t g_watches; /* of all instances, atomically */
static uint32_t g_cookie;

bool notify_active(void)
{
    return __atomic_load_n(&g_watches, __ATOMIC_RELAXED) != 0;
}

uint32_t notify_cookie(void)
{
    return __atomic_add_fetch(&g_cookie, 1, __ATOMIC_RELAXED);
}

static bool same_as_last(const struct instance *in, int32_t wd, uint32_t mask, uint32_t cookie,
                         const char *name, size_t len)
{
    if (list_empty(&in->events)) {
        return false;
    }
    const struct event *e = list_entry(in->events.prev, struct event, node);

    if (e->wd != wd || e->mask != mask || e->cookie != cookie || (e->len == 0) != (len == 0)) {
        return false;
    }
    return len == 0 || (__builtin_memcmp(e->name, name, len) == 0 && e->name[len] == '\0');
}

static void enqueue(struct instance *in, int32_t wd, uint32_t mask, uint32_t cookie,
                    const char *name, size_t len)
{
    if (in->queued > QUEUE_MAX || same_as_last(in, wd, mask, cookie, name, len)) {
        return;
    }
    if (in->queued == QUEUE_MAX) {
        wd = -1;
        mask = IN_Q_OVERFLOW;
        len = 0;
    }
    size_t padded = len == 0 ? 0 : (len + 1 + 15) & ~(size_t)15;
    struct event *e = kzalloc(sizeof(*e) + padded);

    if (e == NULL) {
        return; /* as Linux: lost without memory */
    }
    e->wd = wd;
    e->mask = mask;
    e->cookie = cookie;
    e->len = (uint32_t)padded;
    if (len > 0) {
        __builtin_memcpy(e->name, name, len);
    }
    list_insert(&in->events, &e->node);
    in->queued++;
    waitq_wake_all(&in->readers, EV_READ);
}

/* Unlinks a watch; the inode reference goes to the caller. */
static struct inode *unlink_watch(struct watch *w)
{
    struct inode *inode = w->inode;

    list_remove(&w->in_inode);
    list_remove(&w->in_instance);
    w->instance->watch_count--;
    (void)__atomic_sub_fetch(&g_watches, 1, __ATOMIC_RELAXED);
    kfree(w);
    return inode;
}

static void tell(struct inode *inode, uint32_t mask, uint32_t cookie, const char *name, size_t len)
{
    struct inode *drop[8];
    size_t drops = 0;

    mutex_lock(&g_mutex);
    list_for_each_safe (it, &inode->watches) {
        struct watch *w = list_entry(it, struct watch, in_inode);
        uint32_t bits = mask & IN_ALL_EVENTS;

        if ((w->mask & bits) == 0) {
            continue;
        }
        enqueue(w->instance, w->wd, mask, cookie, name, len);
        if ((w->mask & IN_ONESHOT) != 0 && drops < ARRAY_COUNT(drop)) {
            enqueue(w->instance, w->wd, IN_IGNORED, 0, NULL, 0);
            drop[drops++] = unlink_watch(w);
        }
    }
    mutex_unlock(&g_mutex);
    while (drops > 0) {
        inode_put(drop[--drops]);
    }
}

void notify_entry(struct inode *dir, const char *name, size_t len, uint32_t mask, uint32_t cookie)
{
    if (!list_empty(&dir->watches)) {
        tell(dir, mask, cookie, name, len);
    }
}

void notify_inode(struct inode *inode, uint32_t mask)
{
    if (!list_empty(&inode->watches)) {
        tell(inode, mask, 0, NULL, 0);
    }
}

void notify_path(const struct path *p, uint32_t mask)
{
    struct dentry *d = p->dentry;

    if (d == NULL || d->inode == NULL) {
        return;
    }
    ns_lock();
    struct inode *inode = inode_get(d->inode);
    uint32_t is_dir = S_ISDIR(inode->mode) ? IN_ISDIR : 0;

    if (d->parent != d && d->hashed) {
        notify_entry(d->parent->inode, d->name, d->name_len, mask | is_dir, 0);
    }
    notify_inode(inode, mask | is_dir);
    ns_unlock();
    inode_put(inode);
}

void notify_gone(struct inode *inode)
{
    while (!list_empty(&inode->watches)) {
        struct inode *drop = NULL;

        mutex_lock(&g_mutex);
        if (!list_empty(&inode->watches)) {
            struct watch *w = list_entry(inode->watches.next, struct watch, in_inode);

            enqueue(w->instance, w->wd, IN_IGNORED, 0, NULL, 0);
            drop = unlink_watch(w);
        }
        mutex_unlock(&g_mutex);
        inode_put(drop);
    }
}

/* ---- the file ---- */

static int64_t put_event(struct iter *to, const struct event *e)
{
    struct inotify_event head = {.wd = e->wd, .mask = e->mask, .cookie = e->cookie, .len = e->len};
    size_t want = sizeof(head) + e->len;

    if (to->left < want) {
        return -EINVAL;
    }
    if (iter_put(to, &head, sizeof(head)) < sizeof(head) ||
        iter_put(to, e->name, e->len) < e->len) {
        return -EFAULT;
    }
    return (int64_t)want;
}

static int64_t take_events(struct instance *in, struct iter *to)
{
    int64_t done = 0;

    mutex_lock(&g_mutex);
    while (!list_empty(&in->events)) {
        struct event *e = list_entry(in->events.next, struct event, node);
        int64_t n = put_event(to, e);

        if (n < 0) {
            done = done > 0 ? done : n;
            break;
        }
        done += n;
        list_remove(&e->node);
        in->queued--;
        kfree(e);
    }
    mutex_unlock(&g_mutex);
    return done;
}

static int64_t inotify_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    for (;;) {
        int64_t n = take_events(f->priv, to);

        if (n != 0) {
            return n;
        }
        if (file_nonblock(f)) {
            return -EAGAIN;
        }
        int r = file_wait(f, EV_IN, WAIT_FOREVER);

        if (r < 0) {
            return r;
        }
    }
}

static uint32_t inotify_poll(struct file *f, struct poll_table *pt)
{
    struct instance *in = f->priv;

    poll_queue(pt, &in->readers);
    return __atomic_load_n(&in->queued, __ATOMIC_ACQUIRE) > 0 ? EV_READ : 0;
}

static int64_t inotify_ioctl(struct file *f, uint32_t request, uint64_t arg)
{
    struct instance *in = f->priv;
    int32_t n = 0;

    if (request != FIONREAD) {
        return -ENOTTY;
    }
    mutex_lock(&g_mutex);
    list_for_each (it, &in->events) {
        n += (int32_t)(sizeof(struct inotify_event) + list_entry(it, struct event, node)->len);
    }
    mutex_unlock(&g_mutex);
    return user_put(arg, &n);
}

static void inotify_release(struct file *f)
{
    struct instance *in = f->priv;

    for (;;) {
        struct inode *drop = NULL;

        mutex_lock(&g_mutex);
        if (!list_empty(&in->watches)) {
            drop = unlink_watch(list_entry(in->watches.next, struct watch, in_instance));
        }
        mutex_unlock(&g_mutex);
        if (drop == NULL) {
            break;
        }
        inode_put(drop);
    }
    list_for_each_safe (it, &in->events) {
        kfree(list_entry(it, struct event, node));
    }
    kfree(in);
}

static const struct file_ops g_inotify_ops = {
    .name = "anon_inode:inotify",
    .read = inotify_read,
    .poll = inotify_poll,
    .seek = file_seek_nothing,
    .ioctl = inotify_ioctl,
    .release = inotify_release,
};

static int64_t inotify_init_common(int flags)
{
    struct file *f = NULL;

    if ((flags & ~(IN_CLOEXEC | IN_NONBLOCK)) != 0) {
        return -EINVAL;
    }
    struct instance *in = kzalloc(sizeof(*in));

    if (in == NULL) {
        return -ENOMEM;
    }
    list_init(&in->events);
    list_init(&in->watches);
    waitq_init(&in->readers);
    in->next_wd = 1;
    int r = file_anonymous(&g_inotify_ops, 0, O_RDONLY | ((uint32_t)flags & O_NONBLOCK),
                           FILE_READ | FILE_STREAM, in, &f);

    if (r < 0) {
        kfree(in);
        return r;
    }
    r = fd_install(f, (flags & IN_CLOEXEC) != 0, 0);
    if (r < 0) {
        file_put(f);
    }
    return r;
}

SYSCALL_0(inotify_init)
{
    return inotify_init_common(0);
}

SYSCALL_1(inotify_init1, int, flags)
{
    return inotify_init_common(flags);
}

static int add_watch(struct instance *in, struct inode *inode, uint32_t mask)
{
    struct watch *fresh = kzalloc(sizeof(*fresh));
    int r = -ENOMEM;

    mutex_lock(&g_mutex);
    list_for_each (it, &inode->watches) {
        struct watch *w = list_entry(it, struct watch, in_inode);

        if (w->instance == in) {
            r = w->wd;
            if ((mask & IN_MASK_CREATE) != 0) {
                r = -EEXIST;
            } else {
                w->mask = (mask & IN_MASK_ADD) != 0 ? w->mask | mask : mask;
            }
            goto out;
        }
    }
    if (fresh == NULL || in->watch_count >= WATCHES_MAX) {
        r = fresh == NULL ? -ENOMEM : -ENOSPC;
        goto out;
    }
    *fresh = (struct watch){
        .instance = in, .inode = inode_get(inode), .mask = mask, .wd = in->next_wd++};
    list_insert(&inode->watches, &fresh->in_inode);
    list_insert(&in->watches, &fresh->in_instance);
    in->watch_count++;
    (void)__atomic_add_fetch(&g_watches, 1, __ATOMIC_RELAXED);
    r = fresh->wd;
    fresh = NULL;
out:
    mutex_unlock(&g_mutex);
    kfree(fresh);
    return r;
}

SYSCALL_3(inotify_add_watch, int, fd, uint64_t, user_path, uint32_t, mask)
{
    struct path p = {0};

    if ((mask & IN_ALL_EVENTS) == 0 ||
        (mask & (IN_MASK_ADD | IN_MASK_CREATE)) == (IN_MASK_ADD | IN_MASK_CREATE)) {
        return -EINVAL;
    }
    _cleanup_file_ struct file *f = fd_get(fd);

    if (f == NULL) {
        return -EBADF;
    }
    if (f->ops != &g_inotify_ops) {
        return -EINVAL;
    }
    int r = path_arg(AT_FDCWD, user_path, 0, /*follow=*/(mask & IN_DONT_FOLLOW) == 0, &p);

    if (r < 0) {
        return r;
    }
    if ((mask & IN_ONLYDIR) != 0 && !S_ISDIR(path_inode(&p)->mode)) {
        r = -ENOTDIR;
    } else {
        r = inode_permission(path_inode(&p), MAY_READ, /*real=*/false);
    }
    if (r == 0) {
        r = add_watch(f->priv, path_inode(&p), mask);
    }
    path_put(&p);
    return r;
}

SYSCALL_2(inotify_rm_watch, int, fd, int32_t, wd)
{
    _cleanup_file_ struct file *f = fd_get(fd);
    struct inode *drop = NULL;

    if (f == NULL) {
        return -EBADF;
    }
    if (f->ops != &g_inotify_ops) {
        return -EINVAL;
    }
    struct instance *in = f->priv;

    mutex_lock(&g_mutex);
    list_for_each (it, &in->watches) {
        struct watch *w = list_entry(it, struct watch, in_instance);

        if (w->wd == wd) {
            enqueue(in, wd, IN_IGNORED, 0, NULL, 0);
            drop = unlink_watch(w);
            break;
        }
    }
    mutex_unlock(&g_mutex);
    inode_put(drop);
    return drop == NULL ? -EINVAL : 0;
}
