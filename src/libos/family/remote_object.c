/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* A member's side of objects without a name: eventfd, timerfd, inotify. Reading, writing and
 * polling them is remote_file.c's; here is how they get to the owner, and their own calls. */

#include <linux/inotify.h>

#include "libos/family/remote.h"
#include "libos/family/rpc.h"
#include "libos/fs/notify.h"
#include "libos/fs/shared.h"
#include "libos/sys/syscall.h"

int remote_object_move(struct file *f)
{
    struct shared_state s = {.flags = f->flags & (uint32_t)O_NONBLOCK};
    int64_t handle;
    int r;

    f->ops->pack(f, &s);
    handle = remote_ask(FAMILY_OP_object, &s, sizeof(s), NULL, 0, NULL);
    if (handle <= 0 || handle > UINT32_MAX) {
        return handle < 0 ? (int)handle : -EIO;
    }
    r = remote_file_turn(f, (uint32_t)handle);
    if (r < 0) {
        remote_drop((uint32_t)handle);
    }
    return r;
}

/* ---- timerfd ---- */

static int take_setting(int64_t r, size_t size)
{
    return r < 0 ? (int)r : size == sizeof(struct itimerspec64) ? 0 : -EIO;
}

int remote_timer_set(struct file *f, int flags, uint64_t value, uint64_t interval,
                     struct itimerspec64 *ret_old)
{
    const struct wire_timer w = {.handle = remote_file_handle(f),
                                 .flags = (uint32_t)flags,
                                 .value = value,
                                 .interval = interval};
    size_t size = 0;
    const int64_t r =
        remote_ask(FAMILY_OP_timer_set, &w, sizeof(w), ret_old, sizeof(*ret_old), &size);

    return take_setting(r, size);
}

int remote_timer_get(struct file *f, struct itimerspec64 *ret)
{
    const uint32_t handle = remote_file_handle(f);
    size_t size = 0;
    const int64_t r =
        remote_ask(FAMILY_OP_timer_get, &handle, sizeof(handle), ret, sizeof(*ret), &size);

    return take_setting(r, size);
}

/* ---- inotify ---- */

static uint32_t handle_of(struct inode *inode)
{
    return remote_is_super(inode->sb) ? remote_inode_handle(inode) : 0;
}

int remote_inotify_watch(struct file *f, struct inode *inode, uint32_t mask)
{
    const struct wire_watch w = {
        .handle = remote_file_handle(f), .inode = handle_of(inode), .mask = mask};

    remote_notify_hint(true);
    return (int)remote_ask(FAMILY_OP_inotify_add, &w, sizeof(w), NULL, 0, NULL);
}

int remote_inotify_unwatch(struct file *f, int32_t wd)
{
    const struct wire_file_word w = {.handle = remote_file_handle(f), .word = (uint32_t)wd};

    return (int)remote_ask(FAMILY_OP_inotify_remove, &w, sizeof(w), NULL, 0, NULL);
}

static bool g_wanted;

bool remote_notify_wanted(void)
{
    return __atomic_load_n(&g_wanted, __ATOMIC_RELAXED);
}

void remote_notify_hint(bool wanted)
{
    __atomic_store_n(&g_wanted, wanted, __ATOMIC_RELAXED);
}

void remote_notify(const struct path *p, uint32_t mask)
{
    struct dentry *d = p->dentry;
    struct wire_notify w = {.mask = mask};
    struct inode *dir = NULL;
    struct inode *inode;
    char name[NAME_MAX + 1];
    size_t size = 0;

    ns_lock();
    inode = inode_get(d->inode);
    if (d->parent != d && d->hashed && d->name_len <= NAME_MAX) {
        dir = inode_get(d->parent->inode);
        size = d->name_len;
        __builtin_memcpy(name, d->name, size);
    }
    ns_unlock();
    w.inode = handle_of(inode);
    w.dir = dir == NULL ? 0 : handle_of(dir);
    if (w.inode != 0) {
        const struct channel_part parts[] = {{&w, sizeof(w)}, {name, w.dir == 0 ? 0 : size}};
        struct family_message m = {.op = FAMILY_OP_notify,
                                   .parts = parts,
                                   .part_count = ARRAY_COUNT(parts),
                                   .steady = true};

        (void)!family_exchange(&m);
    }
    inode_put(inode);
    inode_put(dir);
}
