/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* open(2) in all its forms. */

#include <linux/inotify.h>

#include "libos/fs/fs_context.h"
#include "libos/fs/mount.h"
#include "libos/fs/names.h"
#include "libos/fs/notify.h"
#include "libos/libos.h"
#include "libos/proc/thread.h"
#include "libos/time/clock.h"

#define RACES_MAX 64 /* names that come and go while they are opened */

static uint32_t wanted(uint32_t flags)
{
    uint32_t may = 0;

    switch (flags & O_ACCMODE) {
    case O_RDONLY: may = MAY_READ; break;
    case O_WRONLY: may = MAY_WRITE; break;
    default: may = MAY_READ | MAY_WRITE; break;
    }
    return (flags & O_TRUNC) != 0 ? may | MAY_WRITE : may;
}

static int check_type(const struct inode *inode, uint32_t flags)
{
    if (S_ISLNK(inode->mode)) {
        return -ELOOP;
    }
    if (S_ISDIR(inode->mode)) {
        return (wanted(flags) & MAY_WRITE) != 0 || (flags & O_CREAT) != 0 ? -EISDIR : 0;
    }
    if ((flags & O_DIRECTORY) != 0) {
        return -ENOTDIR;
    }
    if (S_ISSOCK(inode->mode)) {
        return -ENXIO;
    }
    if ((S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) && (inode->sb->flags & SB_NODEV) != 0) {
        return -EACCES;
    }
    return 0;
}

/* May the process open this existing object so? */
static int may_open(const struct path *p, uint32_t flags)
{
    struct inode *inode = path_inode(p);
    uint32_t may = wanted(flags);
    int r = check_type(inode, flags);

    if (r < 0) {
        return r;
    }
    if ((may & MAY_WRITE) != 0 && mount_read_only(p->mnt) &&
        (S_ISREG(inode->mode) || S_ISDIR(inode->mode))) {
        return -EROFS;
    }
    r = inode_permission(inode, may, /*real=*/false);
    if (r < 0) {
        return r;
    }
    if ((inode->flags & INODE_APPEND_ONLY) != 0 && (may & MAY_WRITE) != 0 &&
        ((flags & O_APPEND) == 0 || (flags & O_TRUNC) != 0)) {
        return -EPERM;
    }
    if ((flags & O_NOATIME) != 0 && !inode_owner_or_capable(inode)) {
        return -EPERM;
    }
    return 0;
}

static int open_checked(const struct path *p, uint32_t flags, bool created, struct file **ret)
{
    int r = created ? 0 : may_open(p, flags);

    if (r < 0) {
        return r;
    }
    struct file *f = NULL;

    r = file_open_path(p, flags & ~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC),
                       &f);
    if (r < 0) {
        return r;
    }
    if ((flags & O_TRUNC) != 0 && !created && S_ISREG(f->inode->mode)) {
        r = file_truncate(f->inode, 0);
        if (r < 0) {
            file_put(f);
            return r;
        }
        if (notify_active()) {
            notify_path(&f->path, IN_MODIFY);
        }
    }
    *ret = f;
    return 0;
}

static int open_o_path(int dirfd, const char *name, uint32_t flags, uint32_t lookup,
                       struct file **ret)
{
    struct path p = {0};

    if ((flags & O_NOFOLLOW) == 0) {
        lookup |= LOOKUP_FOLLOW;
    }
    if ((flags & O_DIRECTORY) != 0) {
        lookup |= LOOKUP_DIRECTORY;
    }
    int r = path_lookup(dirfd, name, lookup, &p);

    if (r < 0) {
        return r;
    }
    r = file_open_path(&p, flags & (uint32_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW), ret);
    path_put(&p);
    return r;
}

static int open_tmpfile(int dirfd, const char *name, uint32_t flags, uint32_t mode, uint32_t lookup,
                        struct file **ret)
{
    struct path dir = {0};
    struct inode *inode = NULL;
    struct path p = {0};

    if ((flags & O_ACCMODE) == O_RDONLY) {
        return -EINVAL;
    }
    int r = path_lookup(dirfd, name, lookup | LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &dir);

    if (r < 0) {
        return r;
    }
    struct inode_new what = {
        .mode = S_IFREG | (mode & 07777 & ~fs_umask()),
        .uid = process_current()->fsuid,
        .gid = process_current()->fsgid,
    };

    r = mount_read_only(dir.mnt) ? -EROFS
                                 : inode_permission(path_inode(&dir), MAY_WRITE | MAY_EXEC, false);
    if (r == 0 && path_inode(&dir)->ops->tmpfile == NULL) {
        r = -EOPNOTSUPP;
    }
    if (r == 0) {
        ns_lock();
        r = path_inode(&dir)->ops->tmpfile(path_inode(&dir), &what, &inode);
        ns_unlock();
    }
    if (r == 0) {
        char label[32];

        /* its name in /proc, as Linux shows it */
        (void)kprintf(label, sizeof(label), "/#%lu (deleted)", inode->ino);
        p.mnt = dir.mnt;
        r = dentry_anonymous(inode, label, &p.dentry);
        if (r < 0) {
            inode_put(inode);
        }
    }
    if (r == 0) {
        r = open_checked(&p, flags & ~(uint32_t)(O_TMPFILE | O_TRUNC), /*created=*/true, ret);
    }
    path_put(&p);
    path_put(&dir);
    return r;
}

/* Under the namespace lock: makes a regular file for the negative dentry `d` of w->cur. */
static int create_regular(struct name_walk *w, struct dentry *d, uint32_t mode)
{
    struct inode *dir = w->cur.dentry->inode;
    struct inode *inode = NULL;

    if (mount_read_only(w->cur.mnt)) {
        return -EROFS;
    }
    if ((dir->flags & INODE_DEAD_DIR) != 0) {
        return -ENOENT;
    }
    int r = inode_permission(dir, MAY_WRITE | MAY_EXEC, /*real=*/false);

    if (r < 0) {
        return r;
    }
    if (dir->ops->create == NULL) {
        return -EACCES;
    }
    struct inode_new what = {
        .mode = S_IFREG | (mode & 07777 & ~fs_umask()),
        .uid = process_current()->fsuid,
        .gid = (dir->mode & S_ISGID) != 0 ? dir->gid : process_current()->fsgid,
    };

    r = dir->ops->create(dir, &w->last, &what, &inode);
    if (r < 0) {
        return r;
    }
    dentry_fill(d, inode);
    if (notify_active()) {
        notify_entry(dir, d->name, d->name_len, IN_CREATE, 0);
    }
    return 0;
}

/* Under the namespace lock: the object w names, made if it is not there. */
static int lookup_or_create(struct name_walk *w, uint32_t flags, uint32_t mode, struct path *ret,
                            bool *ret_created)
{
    int raced = 0;

    for (;;) {
        struct dentry *d = NULL;

        if (w->type != LAST_NORM) {
            if ((flags & O_EXCL) != 0) {
                return -EEXIST;
            }
            return -EISDIR;
        }
        if (w->trailing_slash) { /* whatever is there */
            return -EISDIR;
        }
        int r = path_child(w, &d);

        if (r < 0) {
            return r;
        }
        if (d->inode == NULL) {
            r = create_regular(w, d, mode);
            if (r == -EEXIST && (flags & O_EXCL) == 0 && ++raced < RACES_MAX) {
                continue; /* another process of the family was faster: it is there now */
            }
            if (r < 0) {
                return r;
            }
            *ret_created = true;
            *ret = (struct path){.mnt = w->cur.mnt, .dentry = d};
            path_get(ret);
            return 0;
        }
        if ((flags & O_EXCL) != 0) {
            return -EEXIST;
        }
        if (S_ISLNK(d->inode->mode) && (flags & O_NOFOLLOW) == 0) {
            r = path_follow_last(w, d);
            if (r < 0) {
                return r;
            }
            if (w->type == LAST_ROOT) { /* a magic link, or a link to "/", refused as a directory */
                *ret = w->cur;
                path_get(ret);
                return 0;
            }
            continue;
        }
        struct path p = {.mnt = w->cur.mnt, .dentry = d};

        mount_cross(&p);
        *ret = p;
        path_get(ret);
        return 0;
    }
}

static int open_create(int dirfd, const char *name, uint32_t flags, uint32_t mode, uint32_t lookup,
                       struct file **ret)
{
    struct name_walk w;
    struct path p = {0};
    bool created = false;
    int r = path_parent_begin(&w, dirfd, name, lookup);

    if (r < 0) {
        return r;
    }
    r = lookup_or_create(&w, flags, mode, &p, &created);
    path_parent_end(&w);
    if (r == 0) {
        r = open_checked(&p, flags, created, ret);
        path_put(&p);
    }
    return r;
}

int name_open(int dirfd, const char *name, uint32_t flags, uint32_t mode, uint32_t lookup,
              struct file **ret)
{
    struct path p = {0};

    if ((flags & O_PATH) != 0) {
        return open_o_path(dirfd, name, flags, lookup, ret);
    }
    if ((flags & __O_TMPFILE) != 0) {
        if ((flags & O_DIRECTORY) == 0) {
            return -EINVAL;
        }
        return open_tmpfile(dirfd, name, flags, mode, lookup, ret);
    }
    if ((flags & O_CREAT) != 0) {
        if ((flags & O_DIRECTORY) != 0) {
            return -EINVAL;
        }
        return open_create(dirfd, name, flags, mode, lookup, ret);
    }
    if ((flags & O_NOFOLLOW) == 0) {
        lookup |= LOOKUP_FOLLOW;
    }
    if ((flags & O_DIRECTORY) != 0) {
        lookup |= LOOKUP_DIRECTORY;
    }
    int r = path_lookup(dirfd, name, lookup, &p);

    if (r < 0) {
        return r;
    }
    r = open_checked(&p, flags, /*created=*/false, ret);
    path_put(&p);
    return r;
}

int file_open_kernel(const char *path, int flags, struct file **ret)
{
    return name_open(AT_FDCWD, path, (uint32_t)flags, 0, 0, ret);
}
