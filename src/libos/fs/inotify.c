/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * inotify(7) over changes made in here. One mutex guards all watches and queues; it is taken inside
 * the namespace lock. Inode references are dropped outside of it.
 */

#include <linux/inotify.h>

#include <asm/ioctls.h>

#include "libos/family/remote.h"
#include "libos/family/rpc.h"
#include "libos/fs/fd_table.h"
#include "libos/fs/notify.h"
#include "libos/fs/poll.h"
#include "libos/fs/shared.h"
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
    struct inode *inode; /* a reference, or NULL */
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
    return family_is_member() ? remote_notify_wanted()
                              : __atomic_load_n(&g_watches, __ATOMIC_RELAXED) != 0;
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
    if (family_is_member()) {
        remote_notify(p, mask);
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
        if (file_nonblock(f) || (flags & RWF_NOWAIT) != 0) {
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

/* FIONREAD */
static int32_t pending(struct instance *in)
{
    int32_t n = 0;

    mutex_lock(&g_mutex);
    list_for_each (it, &in->events) {
        n += (int32_t)(sizeof(struct inotify_event) + list_entry(it, struct event, node)->len);
    }
    mutex_unlock(&g_mutex);
    return n;
}

static int64_t inotify_ioctl(struct file *f, uint32_t request, uint64_t arg)
{
    const int32_t n = request == FIONREAD ? pending(f->priv) : 0;

    return request == FIONREAD ? user_put(arg, &n) : -ENOTTY;
}

static void inotify_release(struct file *f)
{
    struct instance *in = f->priv;
    bool more = true;

    while (more) {
        struct inode *drop = NULL;

        mutex_lock(&g_mutex);
        more = !list_empty(&in->watches);
        if (more) {
            drop = unlink_watch(list_entry(in->watches.next, struct watch, in_instance));
        }
        mutex_unlock(&g_mutex);
        inode_put(drop);
    }
    list_for_each_safe (it, &in->events) {
        kfree(list_entry(it, struct event, node));
    }
    kfree(in);
}

static void inotify_pack(struct file *f, struct shared_state *ret)
{
    ret->kind = SHARED_INOTIFY;
}

static const struct file_ops g_inotify_ops = {
    .name = "anon_inode:inotify",
    .shared = true,
    .read = inotify_read,
    .poll = inotify_poll,
    .seek = file_seek_nothing,
    .ioctl = inotify_ioctl,
    .pack = inotify_pack,
    .release = inotify_release,
};

int inotify_make(const struct shared_state *s, struct file **ret)
{
    struct instance *in = kzalloc(sizeof(*in));
    int r;

    if (in == NULL) {
        return -ENOMEM;
    }
    list_init(&in->events);
    list_init(&in->watches);
    waitq_init(&in->readers);
    in->next_wd = 1;
    r = file_anonymous(&g_inotify_ops, 0, O_RDONLY | s->flags, FILE_READ | FILE_STREAM, in, ret);
    if (r < 0) {
        kfree(in);
    }
    return r;
}

static int64_t inotify_init_common(int flags)
{
    const struct shared_state s = {.kind = SHARED_INOTIFY, .flags = (uint32_t)flags & O_NONBLOCK};
    struct file *f = NULL;
    int r;

    if ((flags & ~(IN_CLOEXEC | IN_NONBLOCK)) != 0) {
        return -EINVAL;
    }
    r = inotify_make(&s, &f);
    if (r < 0) {
        return r;
    }
    if (family_is_member()) {
        /* What it is to hear of happens at the owner's. */
        r = remote_object_move(f);
        if (r < 0) {
            file_put(f);
            return r;
        }
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

static struct watch *find_watch(const struct instance *in, const struct inode *inode)
{
    list_for_each (it, &inode->watches) {
        struct watch *w = list_entry(it, struct watch, in_inode);

        if (w->instance == in) {
            return w;
        }
    }
    return NULL;
}

static int add_watch(struct instance *in, struct inode *inode, uint32_t mask)
{
    struct watch *fresh = kzalloc(sizeof(*fresh));
    struct watch *w;
    int r = -ENOMEM;

    mutex_lock(&g_mutex);
    w = inode == NULL ? NULL : find_watch(in, inode);
    if (w != NULL) {
        r = w->wd;
        if ((mask & IN_MASK_CREATE) != 0) {
            r = -EEXIST;
        } else {
            w->mask = (mask & IN_MASK_ADD) != 0 ? w->mask | mask : mask;
        }
        goto out;
    }
    if (fresh == NULL || in->watch_count >= WATCHES_MAX) {
        r = fresh == NULL ? -ENOMEM : -ENOSPC;
        goto out;
    }
    *fresh = (struct watch){.instance = in, .inode = inode, .mask = mask, .wd = in->next_wd++};
    list_init(&fresh->in_inode);
    if (inode != NULL) {
        (void)inode_get(inode);
        list_insert(&inode->watches, &fresh->in_inode);
    }
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

int inotify_watch(struct file *f, struct inode *inode, uint32_t mask)
{
    if (f->ops != &g_inotify_ops) {
        return remote_is_file(f) ? remote_inotify_watch(f, inode, mask) : -EINVAL;
    }
    return add_watch(f->priv, inode, mask);
}

int inotify_unwatch(struct file *f, int32_t wd)
{
    struct inode *drop = NULL;
    struct instance *in = f->priv;
    bool found = false;

    if (f->ops != &g_inotify_ops) {
        return remote_is_file(f) ? remote_inotify_unwatch(f, wd) : -EINVAL;
    }
    mutex_lock(&g_mutex);
    list_for_each (it, &in->watches) {
        struct watch *w = list_entry(it, struct watch, in_instance);

        if (w->wd == wd) {
            enqueue(in, wd, IN_IGNORED, 0, NULL, 0);
            drop = unlink_watch(w);
            found = true;
            break;
        }
    }
    mutex_unlock(&g_mutex);
    inode_put(drop);
    return found ? 0 : -EINVAL;
}

int32_t inotify_pending(const struct file *f)
{
    return f->ops == &g_inotify_ops ? pending(f->priv) : -ENOTTY;
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
    if (f->ops != &g_inotify_ops && !remote_is_file(f)) {
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
        r = inotify_watch(f, path_inode(&p), mask);
    }
    path_put(&p);
    return r;
}

SYSCALL_2(inotify_rm_watch, int, fd, int32_t, wd)
{
    _cleanup_file_ struct file *f = fd_get(fd);

    return f == NULL ? -EBADF : inotify_unwatch(f, wd);
}
