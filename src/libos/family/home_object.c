/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Requests about objects without a name: eventfd, timerfd, inotify (fs/shared.h). */

#include <linux/inotify.h>

#include "libos/family/home.h"
#include "libos/fs/notify.h"
#include "libos/fs/shared.h"

static int64_t serve_object(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct shared_state s;
    uint32_t handle;
    int r;

    if (HOME_TAKE(q, &s) < 0) {
        return -EBADMSG;
    }
    r = shared_make(&s, &f);
    r = r < 0 ? r : home_grant_file(q->member, f, &handle);
    return r < 0 ? r : (int64_t)handle;
}

/* ---- timerfd ---- */

static int64_t answer_setting(struct family_request *q, const struct itimerspec64 *setting)
{
    __builtin_memcpy(q->answer, setting, sizeof(*setting));
    q->answer_size = sizeof(*setting);
    return 0;
}

static int64_t serve_timer_set(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct itimerspec64 old;
    struct wire_timer w;
    int r = HOME_TAKE_FILE(q, &w, &f);

    r = r < 0 ? r : timerfd_set(f, (int)w.flags, w.value, w.interval, &old);
    return r < 0 ? r : answer_setting(q, &old);
}

static int64_t serve_timer_get(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct itimerspec64 setting;
    uint32_t handle;
    int r = HOME_TAKE_FILE(q, &handle, &f);

    r = r < 0 ? r : timerfd_get(f, &setting);
    return r < 0 ? r : answer_setting(q, &setting);
}

/* ---- inotify ---- */

static int64_t serve_inotify_add(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    _cleanup_inode_ struct inode *inode = NULL;
    struct wire_watch w;
    int r = HOME_TAKE_FILE(q, &w, &f);

    if (r == 0 && w.inode != 0) {
        inode = home_inode(q->member, w.inode);
        r = inode == NULL ? -EBADF : 0;
    }
    return r < 0 ? r : inotify_watch(f, inode, w.mask);
}

static int64_t serve_inotify_remove(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct wire_file_word w;
    const int r = HOME_TAKE_FILE(q, &w, &f);

    return r < 0 ? r : inotify_unwatch(f, (int32_t)w.word);
}

/* What can only be seen where it happens; all else the owner does itself and tells then. */
#define TOLD_BY_MEMBERS (IN_ACCESS | IN_MODIFY | IN_ATTRIB | IN_OPEN | IN_CLOSE)

static int64_t serve_notify(struct family_request *q)
{
    struct inode *dir = NULL;
    struct inode *inode;
    struct wire_notify w;

    if (HOME_TAKE(q, &w) < 0 || (w.mask & ~(uint32_t)TOLD_BY_MEMBERS) != 0) {
        return -EBADMSG;
    }
    inode = home_inode(q->member, w.inode);
    if (w.dir != 0) {
        dir = home_inode(q->member, w.dir);
    }
    if (inode != NULL) {
        const uint32_t mask = w.mask | (S_ISDIR(inode->mode) ? (uint32_t)IN_ISDIR : 0);

        ns_lock();
        if (dir != NULL && q->body.left > 0) {
            notify_entry(dir, (const char *)q->body.p, q->body.left, mask, 0);
        }
        notify_inode(inode, mask);
        ns_unlock();
    }
    inode_put(inode);
    inode_put(dir);
    return 0;
}

void home_object_start(void)
{
    family_serve(FAMILY_OP_object, serve_object);
    family_serve(FAMILY_OP_timer_set, serve_timer_set);
    family_serve(FAMILY_OP_timer_get, serve_timer_get);
    family_serve(FAMILY_OP_inotify_add, serve_inotify_add);
    family_serve(FAMILY_OP_inotify_remove, serve_inotify_remove);
    family_serve(FAMILY_OP_notify, serve_notify);
}
