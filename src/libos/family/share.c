/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The child's memory is a copy of its parent's, addresses included, taken after share_begin() wrote
 * a handle into every object that the child needs (inode->family_handle, file->family_handle). The
 * child finds the objects by the same way and turns each into a remote one with that handle.
 *
 * A parent that is a member has remote objects already: the owner copies its handles for the child.
 * Only files whose position is its own until now get one at the owner's first.
 */

#include "libos/family/share.h"

#include "libos/family/home.h"
#include "libos/family/remote.h"
#include "libos/family/rpc.h"
#include "libos/fs/epoll.h"
#include "libos/fs/fd_table.h"
#include "libos/fs/fs_context.h"
#include "libos/fs/memfs/memfs.h"
#include "libos/fs/mount.h"
#include "libos/fs/overlay/overlay.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/net/socket.h"

/* A walk over everything a process refers to by names and descriptors. */
struct walk {
    int (*dentry)(struct dentry *d, void *arg);
    int (*file)(struct file *f, void *arg);
    void *arg;
    int error;
};

/* A dentry and the directories above it. */
static void walk_dentry(struct walk *w, struct dentry *d)
{
    while (d != NULL && w->error == 0) {
        if (d->inode != NULL && (d->inode->sb->flags & SB_SHARED) != 0) {
            w->error = w->dentry(d, w->arg);
        }
        if (d->parent == d) {
            return;
        }
        d = d->parent;
    }
}

static void walk_file(struct file *f, void *arg)
{
    struct walk *w = arg;

    walk_dentry(w, f->path.dentry);
    if (w->error == 0) {
        w->error = w->file(f, w->arg);
    }
}

static void walk_mount(struct mount *m, void *arg)
{
    walk_dentry(arg, m->root);
    walk_dentry(arg, m->mountpoint);
}

static int walk_all(const struct process *p, struct walk *w)
{
    ns_lock();
    mount_for_each_writable(walk_mount, w);
    walk_dentry(w, p->fs->cwd.dentry);
    walk_dentry(w, p->fs->root.dentry);
    fd_table_for_each(p->files, walk_file, w);
    ns_unlock();
    return w->error;
}

/* Is an open file one object for parent and child? Directories and devices are not (a position
 * nobody shares), files without a name that say so are. */
static bool is_shared(const struct file *f)
{
    if ((f->mode & FILE_PATH) != 0 || f->inode == NULL) {
        return false;
    }
    if (f->ops->shared || S_ISFIFO(f->inode->mode)) {
        return true;
    }
    if (sock_of(f) != NULL) {
        return sock_of(f)->family == AF_UNIX_; /* others are the host's, and inherited there */
    }
    return S_ISREG(f->inode->mode) && (f->inode->sb->flags & SB_SHARED) != 0;
}

/* ---- the parent is the owner ---- */

static int grant_dentry(struct dentry *d, void *arg)
{
    const uint32_t member = *(const uint32_t *)arg;

    return home_grant_inode_once(member, d->inode, &d->inode->family_handle);
}

static int grant_file(struct file *f, void *arg)
{
    const uint32_t member = *(const uint32_t *)arg;

    return is_shared(f) ? home_grant_file_once(member, f, &f->family_handle) : 0;
}

/* ---- the parent is a member ---- */

static int nothing_to_do(struct dentry *d, void *arg)
{
    return 0;
}

/* A regular file opened here: its position moves to the owner, so that the child shares it. So does
 * an object without a name. */
static int move_to_owner(struct file *f, void *arg)
{
    uint32_t handle;

    if (f->ops->pack != NULL) {
        return remote_object_move(f);
    }
    return is_shared(f) && remote_sock_handle(f) == 0 && !remote_is_file(f) &&
                   remote_is_super(f->inode->sb)
               ? remote_share_file(f, &handle)
               : 0;
}

int share_begin(const struct process *p, uint32_t member)
{
    struct walk w = {.arg = &member};
    int r;

    if (family_role() != FAMILY_MEMBER) {
        w.dentry = grant_dentry;
        w.file = grant_file;
        return walk_all(p, &w);
    }
    w.dentry = nothing_to_do;
    w.file = move_to_owner;
    r = walk_all(p, &w);
    if (r == 0) {
        epoll_files_turned();
    }
    return r < 0 ? r : (int)remote_ask(FAMILY_OP_clone, &member, sizeof(member), NULL, 0, NULL);
}

/* ---- the child ---- */

#define SUPERS_MAX 64u
struct turn {
    struct {
        struct superblock *from, *to;
    } supers[SUPERS_MAX];
    size_t count;
};

static int super_for(struct turn *t, struct superblock *sb, struct superblock **ret)
{
    int r;

    for (size_t i = 0; i < t->count; i++) {
        if (t->supers[i].from == sb) {
            *ret = t->supers[i].to;
            return 0;
        }
    }
    if (t->count == SUPERS_MAX) {
        return -ENFILE;
    }
    r = remote_super(sb, ret);
    if (r == 0) {
        t->supers[t->count].from = sb;
        t->supers[t->count++].to = *ret;
    }
    return r;
}

/* The old inode keeps the reference the dentry had: what else leads to it (a mapping) goes on
 * seeing what it was at the fork. */
static int turn_dentry(struct dentry *d, void *arg)
{
    struct superblock *sb;
    struct inode *inode;
    int r;

    /* Without a handle: made by a parent that is a member, for an open file that is remote itself
     * (a pipe of its). What fstat says of it the child has by the copy. */
    if (remote_is_super(d->inode->sb) || d->inode->family_handle == 0) {
        return 0;
    }
    r = super_for(arg, d->inode->sb, &sb);
    r = r < 0 ? r
              : remote_inode_adopt(sb, d->inode->family_handle, d->inode,
                                   overlay_is(d->inode->sb) ? overlay_untouched(d->inode) : NULL,
                                   &inode);
    if (r < 0) {
        return r;
    }
    d->inode = inode;
    d->sb = sb;
    if (S_ISDIR(inode->mode)) {
        inode->alias = d;
    }
    return 0;
}

static int turn_file(struct file *f, void *arg)
{
    if (f->inode != NULL && f->path.dentry != NULL) {
        f->inode = f->path.dentry->inode;
    }
    if (!is_shared(f) || remote_is_file(f) || remote_sock_handle(f) != 0) {
        return 0;
    }
    return sock_of(f) != NULL ? remote_sock_turn(f, f->family_handle)
                              : remote_file_turn(f, f->family_handle);
}

static void turn_mount(struct mount *m, void *arg)
{
    struct turn *t = arg;
    struct superblock *sb;

    if ((m->sb->flags & SB_SHARED) != 0 && !remote_is_super(m->sb) &&
        super_for(t, m->sb, &sb) == 0) {
        m->sb = sb;
        sb->root = inode_get(m->root->inode);
    }
}

/* What changed while we were made. */
static void sync_mount(struct mount *m, void *arg)
{
    int *r = arg;

    if (*r == 0 && remote_is_super(m->sb)) {
        *r = remote_super_sync(m->sb);
    }
}

int share_join(const struct process *p)
{
    struct turn *t = kzalloc(sizeof(*t));
    struct walk w = {.dentry = turn_dentry, .file = turn_file, .arg = t};
    int r;

    if (t == NULL) {
        return -ENOMEM;
    }
    home_after_fork();
    r = walk_all(p, &w);
    if (r == 0) {
        ns_lock();
        mount_for_each_writable(turn_mount, t);
        mount_for_each_writable(sync_mount, &r);
        ns_unlock();
        epoll_files_turned();
        dcache_shrink(NULL); /* what is not in use is asked for again, at the owner's */
    }
    kfree(t);
    return r;
}

void share_start(void)
{
    remote_start();
}

static void say_away(uint32_t away)
{
    if (family_is_member()) {
        (void)!remote_ask(FAMILY_OP_away, &away, sizeof(away), NULL, 0, NULL);
    }
}

void share_prepare(void)
{
    say_away(1);
}

void share_done(void)
{
    say_away(0);
}

void share_end(void)
{
    say_away(0);
    if (family_is_member()) {
        family_hear_pending();
    }
}
