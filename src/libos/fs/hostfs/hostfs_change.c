/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Changes to a pass-through directory: each is one host call, and the host's answer is the truth.
 */

#include "libos/fs/hostfs/hostfs_internal.h"
#include "libos/mm/kmem.h"

int hostfs_create_in(struct inode *dir, const struct qstr *name, const struct inode_new *what,
                     struct inode **ret)
{
    struct hostfs_super *s = hostfs_super_of(dir);
    _cleanup_kfree_ char *path = NULL;
    int r = hostfs_path(hostfs_of(dir), name, &path);

    if (r < 0) {
        return r;
    }
    switch (what->mode & S_IFMT) {
    case S_IFREG:
        r = host_openat(s->root_fd, path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW,
                        what->mode & 07777);
        if (r >= 0) {
            (void)host_close(r);
            r = 0;
        }
        break;
    case S_IFDIR: r = host_mkdirat(s->root_fd, path, what->mode & 07777); break;
    case S_IFLNK: r = host_symlinkat(what->target, s->root_fd, path); break;
    default: return -EPERM; /* no pipes, sockets or devices in host directories */
    }
    return r < 0 ? r : hostfs_lookup(dir, name, ret);
}

int hostfs_link(struct inode *dir, const struct qstr *name, struct inode *target)
{
    struct hostfs_super *s = hostfs_super_of(dir);
    _cleanup_kfree_ char *from = NULL;
    _cleanup_kfree_ char *to = NULL;
    int r = hostfs_path(hostfs_of(target), NULL, &from);

    if (r == 0) {
        r = hostfs_path(hostfs_of(dir), name, &to);
    }
    return r < 0 ? r : host_linkat(s->root_fd, from, s->root_fd, to, 0);
}

static int remove_name(struct inode *dir, const struct qstr *name, int flags)
{
    _cleanup_kfree_ char *path = NULL;
    int r = hostfs_path(hostfs_of(dir), name, &path);

    return r < 0 ? r : host_unlinkat(hostfs_super_of(dir)->root_fd, path, flags);
}

int hostfs_unlink(struct inode *dir, const struct qstr *name, struct inode *victim)
{
    struct hostfs_inode *h = hostfs_of(victim);

    /* unlinked while open: the descriptor is the only way to it from now on */
    if (S_ISREG(victim->mode) && victim->write_count > 0) {
        mutex_lock(&victim->lock);
        (void)hostfs_fd(h, /*write=*/true);
        mutex_unlock(&victim->lock);
    }
    int r = remove_name(dir, name, 0);

    if (r == 0 && victim->nlink > 0) {
        victim->nlink--;
    }
    return r;
}

int hostfs_rmdir(struct inode *dir, const struct qstr *name, struct inode *victim)
{
    int r = remove_name(dir, name, AT_REMOVEDIR);

    if (r == 0) {
        victim->flags |= INODE_DEAD_DIR;
        victim->nlink = 0;
    }
    return r;
}

/* The moved inode gets its new parent and name before the host is asked, since that can fail here;
 * and back when it was the host that failed. */
static int adopt(struct hostfs_inode *h, struct hostfs_inode *parent, const struct qstr *name)
{
    char *copy = kstrndup(name->s, name->len);

    if (copy == NULL) {
        return -ENOMEM;
    }
    (void)inode_get(&parent->inode);
    if (h->parent != NULL) {
        inode_put(&h->parent->inode);
    }
    kfree(h->name);
    h->name = copy;
    h->parent = parent;
    return 0;
}

int hostfs_rename(struct inode *from, const struct qstr *from_name, struct inode *source,
                  struct inode *to, const struct qstr *to_name, struct inode *target,
                  uint32_t flags)
{
    struct hostfs_super *s = hostfs_super_of(from);
    _cleanup_kfree_ char *a = NULL;
    _cleanup_kfree_ char *b = NULL;
    int r = hostfs_path(hostfs_of(from), from_name, &a);

    if (r == 0) {
        r = hostfs_path(hostfs_of(to), to_name, &b);
    }
    if (r == 0) {
        r = host_renameat(s->root_fd, a, s->root_fd, b, flags);
    }
    if (r < 0) {
        return r;
    }
    r = adopt(hostfs_of(source), hostfs_of(to), to_name);
    if (r == 0 && target != NULL && (flags & RENAME_EXCHANGE) != 0) {
        r = adopt(hostfs_of(target), hostfs_of(from), from_name);
    } else if (target != NULL && target->nlink > 0) {
        target->nlink = S_ISDIR(target->mode) ? 0 : target->nlink - 1;
    }
    return r;
}

int hostfs_setattr(struct inode *inode, const struct iattr *attr)
{
    struct hostfs_inode *h = hostfs_of(inode);
    struct hostfs_super *s = hostfs_super_of(inode);
    _cleanup_kfree_ char *path = NULL;
    int r = hostfs_path(h, NULL, &path);

    if (r == 0 && (((attr->valid & ATTR_UID) != 0 && attr->uid != inode->uid) ||
                   ((attr->valid & ATTR_GID) != 0 && attr->gid != inode->gid))) {
        return -EPERM; /* owners of host files are the host's affair */
    }
    if (r == 0 && (attr->valid & ATTR_SIZE) != 0) {
        mutex_lock(&inode->lock);
        int fd = hostfs_fd(h, /*write=*/true);

        r = fd < 0 ? fd : host_ftruncate(fd, attr->size);
        if (r == 0) {
            inode->size = attr->size;
        }
        mutex_unlock(&inode->lock);
    }
    if (r == 0 && (attr->valid & ATTR_MODE) != 0) {
        r = host_fchmodat(s->root_fd, path, attr->mode & 07777);
    }
    if (r == 0 && (attr->valid & (ATTR_ATIME | ATTR_MTIME)) != 0 &&
        (attr->valid & ATTR_SIZE) == 0) {
        const int64_t omit = 0x3ffffffe;
        int64_t times[4] = {
            attr->atime.sec, (attr->valid & ATTR_ATIME) != 0 ? (int64_t)attr->atime.nsec : omit,
            attr->mtime.sec, (attr->valid & ATTR_MTIME) != 0 ? (int64_t)attr->mtime.nsec : omit};

        r = host_utimensat(s->root_fd, path, times, AT_SYMLINK_NOFOLLOW);
    }
    return r;
}
