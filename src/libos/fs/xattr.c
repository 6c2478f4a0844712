/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/xattr.h"

#include <linux/xattr.h>

#include "libos/lib/str.h"
#include "libos/mm/kmem.h"

struct xattr {
    struct xattr *next;
    size_t size;
    size_t name_size; /* with the terminator */
    char data[];      /* name, then value */
};

struct xattrs {
    struct mutex lock;
    struct xattr *first;
    size_t total;
};

void xattrs_free(struct xattrs *x)
{
    if (x == NULL) {
        return;
    }
    while (x->first != NULL) {
        struct xattr *a = x->first;

        x->first = a->next;
        kfree(a);
    }
    kfree(x);
}

/* Which names exist here, and who may touch them. -EOPNOTSUPP: not such a name. */
static int check_name(struct inode *inode, const char *name, bool write)
{
    if (str_starts(name, XATTR_TRUSTED_PREFIX)) {
        if (!capable_root()) {
            return write ? -EPERM : -ENODATA;
        }
        return 0;
    }
    if (str_starts(name, XATTR_SECURITY_PREFIX)) {
        return write && !capable_root() ? -EPERM : 0;
    }
    if (!str_starts(name, XATTR_USER_PREFIX)) {
        return -EOPNOTSUPP;
    }
    if (name[sizeof(XATTR_USER_PREFIX) - 1] == '\0') {
        return -EINVAL;
    }
    if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode)) {
        return write ? -EPERM : -ENODATA;
    }
    if (S_ISDIR(inode->mode) && (inode->mode & S_ISVTX) != 0 && write &&
        !inode_owner_or_capable(inode)) {
        return -EPERM;
    }
    return inode_permission(inode, write ? MAY_WRITE : MAY_READ, /*real=*/false);
}

static struct xattrs *get_set(struct inode *inode, bool create)
{
    struct xattrs *x = __atomic_load_n(&inode->xattrs, __ATOMIC_ACQUIRE);

    if (x != NULL || !create) {
        return x;
    }
    x = kzalloc(sizeof(*x));
    if (x == NULL) {
        return NULL;
    }
    spin_lock(&inode->meta);
    if (inode->xattrs == NULL) {
        __atomic_store_n(&inode->xattrs, x, __ATOMIC_RELEASE);
        x = NULL;
    }
    spin_unlock(&inode->meta);
    kfree(x);
    return inode->xattrs;
}

static struct xattr **find(struct xattrs *x, const char *name)
{
    struct xattr **link = &x->first;

    while (*link != NULL && !str_equal((*link)->data, name)) {
        link = &(*link)->next;
    }
    return link;
}

int64_t xattr_get(struct inode *inode, const char *name, void *dst, size_t size)
{
    int r = check_name(inode, name, /*write=*/false);
    int64_t n = -ENODATA;

    if (r < 0) {
        return r;
    }
    struct xattrs *x = get_set(inode, /*create=*/false);

    if (x != NULL) {
        mutex_lock(&x->lock);
        const struct xattr *a = *find(x, name);

        if (a != NULL) {
            n = (int64_t)a->size;
            if (size != 0) {
                if (a->size > size) {
                    n = -ERANGE;
                } else {
                    __builtin_memcpy(dst, a->data + a->name_size, a->size);
                }
            }
        }
        mutex_unlock(&x->lock);
    }
    if (n == -ENODATA && inode->ops->getxattr != NULL) {
        return inode->ops->getxattr(inode, name, dst, size);
    }
    return n;
}

int64_t xattr_list(struct inode *inode, char *dst, size_t size)
{
    struct xattrs *x = get_set(inode, /*create=*/false);
    size_t n = 0;

    if (x == NULL) {
        return inode->ops->listxattr == NULL ? 0 : inode->ops->listxattr(inode, dst, size);
    }
    mutex_lock(&x->lock);
    for (const struct xattr *a = x->first; a != NULL; a = a->next) {
        if (str_starts(a->data, XATTR_TRUSTED_PREFIX) && !capable_root()) {
            continue;
        }
        if (size != 0 && n + a->name_size <= size) {
            __builtin_memcpy(dst + n, a->data, a->name_size);
        }
        n += a->name_size;
    }
    mutex_unlock(&x->lock);
    return size != 0 && n > size ? -ERANGE : (int64_t)n;
}

static int set_locked(struct xattrs *x, const char *name, const void *src, size_t size, int flags)
{
    struct xattr **link = find(x, name);
    struct xattr *old = *link;
    size_t name_size = str_len(name) + 1;

    if (old != NULL && (flags & XATTR_CREATE) != 0) {
        return -EEXIST;
    }
    if (old == NULL && (flags & XATTR_REPLACE) != 0) {
        return -ENODATA;
    }
    if (x->total + name_size + size > XATTRS_TOTAL_MAX) {
        return -ENOSPC;
    }
    struct xattr *a = kmalloc(sizeof(*a) + name_size + size);

    if (a == NULL) {
        return -ENOMEM;
    }
    a->size = size;
    a->name_size = name_size;
    __builtin_memcpy(a->data, name, name_size);
    __builtin_memcpy(a->data + name_size, src, size);
    a->next = old == NULL ? NULL : old->next;
    *link = a;
    x->total += name_size + size;
    if (old != NULL) {
        x->total -= old->name_size + old->size;
        kfree(old);
    }
    return 0;
}

int xattr_set(struct inode *inode, const char *name, const void *src, size_t size, int flags)
{
    int r = check_name(inode, name, /*write=*/true);

    if (r < 0) {
        return r;
    }
    if ((inode->sb->flags & SB_RDONLY) != 0) {
        return -EROFS;
    }
    if (inode->ops->setxattr != NULL) {
        return inode->ops->setxattr(inode, name, src, size, flags);
    }
    struct xattrs *x = get_set(inode, /*create=*/true);

    if (x == NULL) {
        return -ENOMEM;
    }
    mutex_lock(&x->lock);
    r = set_locked(x, name, src, size, flags);
    mutex_unlock(&x->lock);
    if (r == 0) {
        inode_touch_ctime(inode);
        if (inode->ops->pin != NULL) {
            inode->ops->pin(inode);
        }
    }
    return r;
}

int xattr_remove(struct inode *inode, const char *name)
{
    int r = check_name(inode, name, /*write=*/true);

    if (r < 0) {
        return r;
    }
    if ((inode->sb->flags & SB_RDONLY) != 0) {
        return -EROFS;
    }
    if (inode->ops->removexattr != NULL) {
        return inode->ops->removexattr(inode, name);
    }
    struct xattrs *x = get_set(inode, /*create=*/false);

    if (x == NULL) {
        return -ENODATA;
    }
    mutex_lock(&x->lock);
    struct xattr **link = find(x, name);
    struct xattr *a = *link;

    if (a == NULL) {
        r = -ENODATA;
    } else {
        *link = a->next;
        x->total -= a->name_size + a->size;
        kfree(a);
    }
    mutex_unlock(&x->lock);
    if (r == 0) {
        inode_touch_ctime(inode);
        if (inode->ops->pin != NULL) {
            inode->ops->pin(inode);
        }
    }
    return r;
}
