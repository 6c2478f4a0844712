/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Making, linking, moving and removing names. Each runs under the namespace lock from the walk to
 * the change, so nothing moves in between. */

#include "libos/fs/names.h"

#include <linux/inotify.h>

#include "libos/fs/fs_context.h"
#include "libos/fs/mount.h"
#include "libos/fs/notify.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"
#include "libos/proc/thread.h"
#include "libos/time/clock.h"

/* May entries of this directory come and go? */
static int may_change(const struct path *dir)
{
    struct inode *inode = path_inode(dir);

    if (mount_read_only(dir->mnt)) {
        return -EROFS;
    }
    return inode_permission(inode, MAY_WRITE | MAY_EXEC, /*real=*/false);
}

static int may_create(const struct path *dir)
{
    int r = may_change(dir);

    if (r == 0 && (path_inode(dir)->flags & INODE_DEAD_DIR) != 0) {
        return -ENOENT;
    }
    return r;
}

/* Removing or renaming away: the sticky bit protects others' entries. */
static int may_remove(const struct path *dir, const struct dentry *victim)
{
    const struct inode *d = path_inode(dir);
    int r = may_change(dir);

    if (r < 0) {
        return r;
    }
    if ((d->mode & S_ISVTX) != 0 && !capable_root() &&
        process_current()->fsuid != victim->inode->uid && process_current()->fsuid != d->uid) {
        return -EPERM;
    }
    return 0;
}

static void inherit_group(const struct inode *dir, struct inode_new *what)
{
    if ((dir->mode & S_ISGID) != 0) {
        what->gid = dir->gid;
        if (S_ISDIR(what->mode)) {
            what->mode |= S_ISGID;
        }
    }
}

static int create_locked(struct name_walk *w, struct inode_new *what, struct path *ret)
{
    struct inode *dir = path_inode(&w->cur);
    struct inode *inode = NULL;
    struct dentry *d = NULL;

    if (w->type != LAST_NORM) {
        return -EEXIST;
    }
    int r = path_child(w, &d);

    if (r < 0) {
        return r;
    }
    if (d->inode != NULL) {
        return -EEXIST;
    }
    if (w->trailing_slash && !S_ISDIR(what->mode)) {
        return -ENOENT;
    }
    r = may_create(&w->cur);
    if (r < 0) {
        return r;
    }
    if (dir->ops->create == NULL) {
        return -EPERM;
    }
    inherit_group(dir, what);
    r = dir->ops->create(dir, &w->last, what, &inode);
    if (r < 0) {
        return r;
    }
    dentry_fill(d, inode);
    if (notify_active()) {
        notify_entry(dir, d->name, d->name_len,
                     IN_CREATE | (S_ISDIR(what->mode) ? (uint32_t)IN_ISDIR : 0), 0);
    }
    if (ret != NULL) {
        *ret = (struct path){.mnt = w->cur.mnt, .dentry = d};
        path_get(ret);
    }
    return 0;
}

int name_create(int dirfd, const char *name, struct inode_new *what, struct path *ret)
{
    struct name_walk w;
    int r = path_parent_begin(&w, dirfd, name, 0);

    if (r < 0) {
        return r;
    }
    if (!S_ISLNK(what->mode)) {
        what->mode &= ~fs_umask();
    }
    what->uid = process_current()->fsuid;
    what->gid = process_current()->fsgid;
    r = create_locked(&w, what, ret);
    path_parent_end(&w);
    return r;
}

/* After an entry went: inotify and, with the last link, the end of the inode's watches. */
static void entry_gone(struct inode *dir, const struct dentry *d, const char *name, size_t len)
{
    struct inode *victim = d->inode;
    uint32_t is_dir = S_ISDIR(victim->mode) ? IN_ISDIR : 0;

    if (!notify_active()) {
        return;
    }
    if (is_dir == 0) {
        notify_inode(victim, IN_ATTRIB); /* its link count */
    }
    notify_entry(dir, name, len, IN_DELETE | is_dir, 0);
    if (victim->nlink == 0 || is_dir != 0) {
        notify_inode(victim, IN_DELETE_SELF | is_dir);
        notify_gone(victim);
    }
}

static int unlink_locked(struct name_walk *w)
{
    struct inode *dir = path_inode(&w->cur);
    struct dentry *d = NULL;

    if (w->type != LAST_NORM) {
        return -EISDIR;
    }
    int r = path_child(w, &d);

    if (r < 0) {
        return r;
    }
    if (d->inode == NULL) {
        return -ENOENT;
    }
    if (w->trailing_slash) {
        return S_ISDIR(d->inode->mode) ? -EISDIR : -ENOTDIR;
    }
    r = may_remove(&w->cur, d);
    if (r < 0) {
        return r;
    }
    if (S_ISDIR(d->inode->mode)) {
        return -EISDIR;
    }
    if (d->mounted != NULL) {
        return -EBUSY;
    }
    if (dir->ops->unlink == NULL) {
        return -EPERM;
    }
    struct inode *victim = inode_get(d->inode);

    r = dir->ops->unlink(dir, &w->last, victim);
    if (r == 0) {
        entry_gone(dir, d, w->last.s, w->last.len);
        dentry_gone(d);
    }
    inode_put(victim);
    return r;
}

int name_unlink(int dirfd, const char *name)
{
    struct name_walk w;
    int r = path_parent_begin(&w, dirfd, name, 0);

    if (r < 0) {
        return r;
    }
    r = unlink_locked(&w);
    path_parent_end(&w);
    return r;
}

static int rmdir_locked(struct name_walk *w)
{
    struct inode *dir = path_inode(&w->cur);
    struct dentry *d = NULL;

    switch (w->type) {
    case LAST_DOT: return -EINVAL;
    case LAST_DOTDOT: return -ENOTEMPTY;
    case LAST_ROOT: return -EBUSY;
    case LAST_NORM: break;
    }
    int r = path_child(w, &d);

    if (r < 0) {
        return r;
    }
    if (d->inode == NULL) {
        return -ENOENT;
    }
    r = may_remove(&w->cur, d);
    if (r < 0) {
        return r;
    }
    if (!S_ISDIR(d->inode->mode)) {
        return -ENOTDIR;
    }
    if (d->mounted != NULL) {
        return -EBUSY;
    }
    if (dir->ops->rmdir == NULL) {
        return -EPERM;
    }
    struct inode *victim = inode_get(d->inode);

    r = dir->ops->rmdir(dir, &w->last, victim);
    if (r == 0) {
        entry_gone(dir, d, w->last.s, w->last.len);
        dentry_gone(d);
    }
    inode_put(victim);
    return r;
}

int name_rmdir(int dirfd, const char *name)
{
    struct name_walk w;
    int r = path_parent_begin(&w, dirfd, name, 0);

    if (r < 0) {
        return r;
    }
    r = rmdir_locked(&w);
    path_parent_end(&w);
    return r;
}

static int link_locked(struct name_walk *w, const struct path *target)
{
    struct inode *dir = path_inode(&w->cur);
    struct inode *inode = path_inode(target);
    struct dentry *d = NULL;

    if (w->type != LAST_NORM) {
        return -EEXIST;
    }
    int r = path_child(w, &d);

    if (r < 0) {
        return r;
    }
    if (d->inode != NULL) {
        return -EEXIST;
    }
    if (w->trailing_slash) {
        return -ENOENT;
    }
    if (target->mnt != w->cur.mnt) {
        return -EXDEV;
    }
    r = may_create(&w->cur);
    if (r < 0) {
        return r;
    }
    if (S_ISDIR(inode->mode) || dir->ops->link == NULL) {
        return -EPERM;
    }
    r = dir->ops->link(dir, &w->last, inode);
    if (r == 0) {
        dentry_fill(d, inode_get(inode));
        if (notify_active()) {
            notify_inode(inode, IN_ATTRIB);
            notify_entry(dir, d->name, d->name_len, IN_CREATE, 0);
        }
    }
    return r;
}

int name_link(int from_dirfd, const char *from, int to_dirfd, const char *to, int flags)
{
    uint32_t lookup = (flags & AT_SYMLINK_FOLLOW) != 0 ? LOOKUP_FOLLOW : 0;
    struct path target = {0};
    struct name_walk w;

    if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0) {
        return -EINVAL;
    }
    if ((flags & AT_EMPTY_PATH) != 0) {
        lookup |= LOOKUP_EMPTY;
    }
    int r = path_lookup(from_dirfd, from, lookup, &target);

    if (r < 0) {
        return r;
    }
    r = path_parent_begin(&w, to_dirfd, to, 0);
    if (r == 0) {
        r = link_locked(&w, &target);
        path_parent_end(&w);
    }
    path_put(&target);
    return r;
}

/* Checks of rename(2) in Linux's order, with both walks done. */
static int rename_check(const struct name_walk *a, const struct name_walk *b, struct dentry *source,
                        struct dentry *target, uint32_t flags)
{
    bool source_dir = S_ISDIR(source->inode->mode);

    if ((flags & RENAME_NOREPLACE) != 0 && target->inode != NULL) {
        return -EEXIST;
    }
    if ((flags & RENAME_EXCHANGE) != 0 && target->inode == NULL) {
        return -ENOENT;
    }
    if (!source_dir &&
        (a->trailing_slash || ((flags & RENAME_EXCHANGE) == 0 && b->trailing_slash))) {
        return -ENOTDIR;
    }
    if ((flags & RENAME_EXCHANGE) != 0 && b->trailing_slash && !S_ISDIR(target->inode->mode)) {
        return -ENOTDIR;
    }
    if (dentry_is_ancestor(source, b->cur.dentry)) {
        return -EINVAL;
    }
    if (dentry_is_ancestor(target, a->cur.dentry)) {
        return (flags & RENAME_EXCHANGE) != 0 ? -EINVAL : -ENOTEMPTY;
    }
    int r = may_remove(&a->cur, source);

    if (r < 0) {
        return r;
    }
    r = target->inode == NULL ? may_create(&b->cur) : may_remove(&b->cur, target);
    if (r < 0) {
        return r;
    }
    if (target->inode != NULL && (flags & RENAME_EXCHANGE) == 0) {
        bool target_dir = S_ISDIR(target->inode->mode);

        if (source_dir != target_dir) {
            return source_dir ? -ENOTDIR : -EISDIR;
        }
    }
    if (source->mounted != NULL || target->mounted != NULL) {
        return -EBUSY;
    }
    return 0;
}

static void rename_notify(struct inode *from, const struct qstr *from_name, struct inode *to,
                          const struct qstr *to_name, struct inode *moved, struct inode *replaced)
{
    uint32_t is_dir = S_ISDIR(moved->mode) ? IN_ISDIR : 0;
    uint32_t cookie = notify_cookie();

    notify_entry(from, from_name->s, from_name->len, IN_MOVED_FROM | is_dir, cookie);
    notify_entry(to, to_name->s, to_name->len, IN_MOVED_TO | is_dir, cookie);
    notify_inode(moved, IN_MOVE_SELF);
    if (replaced != NULL) {
        notify_inode(replaced, replaced->nlink == 0 ? IN_DELETE_SELF : IN_ATTRIB);
        if (replaced->nlink == 0) {
            notify_gone(replaced);
        }
    }
}

static int rename_do(struct name_walk *a, struct name_walk *b, struct dentry *source,
                     struct dentry *target, uint32_t flags)
{
    struct inode *from = path_inode(&a->cur);
    struct inode *to = path_inode(&b->cur);
    struct inode *moved = source->inode;
    struct inode *replaced = target->inode == NULL ? NULL : inode_get(target->inode);

    if (from->ops->rename == NULL) {
        inode_put(replaced);
        return -EPERM;
    }
    int r =
        from->ops->rename(from, &a->last, moved, to, &b->last, replaced, flags & RENAME_EXCHANGE);

    if (r == 0) {
        if (notify_active()) {
            rename_notify(from, &a->last, to, &b->last, moved,
                          (flags & RENAME_EXCHANGE) != 0 ? NULL : replaced);
        }
        if ((flags & RENAME_EXCHANGE) != 0) {
            dentry_swap(source, target);
        } else if (dentry_move(source, b->cur.dentry, &b->last) < 0) {
            dentry_gone(source); /* both are asked for again at the next walk */
            dentry_gone(target);
        }
    }
    inode_put(replaced);
    return r;
}

static int rename_locked(struct name_walk *a, struct name_walk *b, uint32_t flags)
{
    struct dentry *source = NULL;
    struct dentry *target = NULL;

    if (a->cur.mnt != b->cur.mnt) {
        return -EXDEV;
    }
    if (a->type != LAST_NORM || b->type != LAST_NORM) {
        return a->type == LAST_NORM && (flags & RENAME_NOREPLACE) != 0 ? -EEXIST : -EBUSY;
    }
    int r = path_child(a, &source);

    if (r == 0) {
        struct path keep = {.dentry = source};

        path_get(&keep); /* a volatile file system may drop it when the other is looked up */
        if (source->inode == NULL) {
            r = -ENOENT;
        } else {
            r = path_child(b, &target);
        }
        if (r == 0) {
            r = rename_check(a, b, source, target, flags);
        }
        if (r == 0 && source->inode != target->inode) {
            r = rename_do(a, b, source, target, flags);
        } /* two names of one file: nothing happens, says POSIX */
        path_put(&keep);
    }
    return r;
}

int name_rename(int from_dirfd, const char *from, int to_dirfd, const char *to, uint32_t flags)
{
    struct name_walk a;
    struct name_walk b;

    if ((flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0 ||
        (flags & (RENAME_NOREPLACE | RENAME_EXCHANGE)) == (RENAME_NOREPLACE | RENAME_EXCHANGE)) {
        return -EINVAL;
    }
    int r = path_parent_begin(&a, from_dirfd, from, 0);

    if (r < 0) {
        return r;
    }
    struct path keep = a.cur; /* a volatile file system may drop it during the second walk */

    path_get(&keep);
    r = path_parent_begin(&b, to_dirfd, to, 0);
    if (r == 0) {
        r = rename_locked(&a, &b, flags);
        path_parent_end(&b);
    }
    path_put(&keep);
    path_parent_end(&a);
    return r;
}

int name_setattr(const struct path *p, struct iattr *attr)
{
    struct inode *inode = path_inode(p);

    if (mount_read_only(p->mnt)) {
        return -EROFS;
    }
    int r = inode_setattr(inode, attr);

    if (r == 0 && notify_active()) {
        notify_path(p, (attr->valid & ATTR_SIZE) != 0 ? IN_MODIFY : IN_ATTRIB);
    }
    return r;
}

int name_chmod(const struct path *p, uint32_t mode)
{
    struct inode *inode = path_inode(p);
    struct iattr attr = {.valid = ATTR_MODE, .mode = mode & 07777};

    if (S_ISLNK(inode->mode)) {
        return -EOPNOTSUPP;
    }
    if (mount_read_only(p->mnt)) {
        return -EROFS;
    }
    if (!inode_owner_or_capable(inode)) {
        return -EPERM;
    }
    if (!capable_root() && !in_group(inode->gid)) {
        attr.mode &= ~(uint32_t)S_ISGID;
    }
    return name_setattr(p, &attr);
}

int name_chown(const struct path *p, uint32_t uid, uint32_t gid)
{
    struct inode *inode = path_inode(p);
    struct iattr attr = {.uid = uid, .gid = gid};

    if (mount_read_only(p->mnt)) {
        return -EROFS;
    }
    if (uid != UINT32_MAX) {
        attr.valid |= ATTR_UID;
    }
    if (gid != UINT32_MAX) {
        attr.valid |= ATTR_GID;
    }
    if (!capable_root()) {
        if (uid != UINT32_MAX && (uid != inode->uid || process_current()->fsuid != inode->uid)) {
            return -EPERM;
        }
        if (gid != UINT32_MAX && gid != inode->gid &&
            (process_current()->fsuid != inode->uid || !in_group(gid))) {
            return -EPERM;
        }
    }
    if (!S_ISDIR(inode->mode) && (inode->mode & (S_ISUID | S_ISGID)) != 0 && attr.valid != 0) {
        attr.valid |= ATTR_MODE;
        attr.mode = inode->mode & 07777 & ~(uint32_t)S_ISUID;
        if ((inode->mode & 0010) != 0) {
            attr.mode &= ~(uint32_t)S_ISGID;
        }
    }
    return attr.valid == 0 ? 0 : name_setattr(p, &attr);
}
