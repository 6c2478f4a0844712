/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Content and attributes of overlay files: the lower's until the first change. */

#include "libos/fs/memfs/memfs.h"
#include "libos/fs/overlay/overlay_internal.h"
#include "libos/mm/kmem.h"

#define COPY_CHUNK 65536u

void ovl_pin(struct inode *inode)
{
    (void)!ovl_touch(inode); /* extended attributes come here after their change */
    struct ovl_inode *o = ovl_of(inode);

    spin_lock(&inode->meta);
    bool first = !o->pinned && o->lower != NULL && inode->nlink > 0;

    o->pinned = o->pinned || first;
    spin_unlock(&inode->meta);
    if (first) {
        (void)inode_get(inode);
    }
}

static bool all_zero(const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Pages of zeros become holes. */
static int copy_chunk(struct inode *upper, const uint8_t *buf, size_t size, uint64_t offset)
{
    for (size_t at = 0; at < size; at += NACRE_PAGE_SIZE) {
        size_t n = MIN(size - at, NACRE_PAGE_SIZE);
        uint64_t where = offset + at;
        struct iter it;

        if (all_zero(buf + at, n)) {
            continue;
        }
        iter_init_kernel(&it, buf + at, n);
        int64_t r = upper->ops->write(upper, &it, &where, /*append=*/false);

        if (r != (int64_t)n) {
            return r < 0 ? (int)r : -EIO;
        }
    }
    return 0;
}

static int copy_content(struct inode *lower, struct inode *upper, uint64_t size)
{
    uint8_t *buf = kpages_alloc(COPY_CHUNK >> NACRE_PAGE_SHIFT);
    int r = buf == NULL ? -ENOMEM : 0;

    for (uint64_t at = 0; r == 0 && at < size;) {
        struct iter it;
        size_t want = MIN(size - at, COPY_CHUNK);

        iter_init_kernel(&it, buf, want);
        int64_t n = lower->ops->read(lower, &it, at);

        if (n <= 0) {
            r = n < 0 ? (int)n : -EIO; /* shorter than it said: never wrong data */
            break;
        }
        r = copy_chunk(upper, buf, (size_t)n, at);
        at += (uint64_t)n;
    }
    if (buf != NULL) {
        kpages_free(buf, COPY_CHUNK >> NACRE_PAGE_SHIFT);
    }
    return r;
}

int ovl_copy_up(struct ovl_inode *o, uint64_t keep)
{
    struct inode *upper = NULL;

    if (ovl_upper(o) != NULL) {
        return 0;
    }
    int r = memfs_new_inode(ovl_super_of(&o->inode)->upper,
                            &(struct inode_new){.mode = S_IFREG | 0600}, &upper);

    if (r < 0) {
        return r;
    }
    keep = MIN(keep, o->inode.size);
    r = copy_content(o->lower, upper, keep);
    if (r == 0) {
        r = upper->ops->setattr(upper, &(struct iattr){.valid = ATTR_SIZE, .size = keep});
    }
    if (r < 0) {
        inode_put(upper);
        return r;
    }
    __atomic_store_n(&o->upper, upper, __ATOMIC_RELEASE);
    ovl_pin(&o->inode);
    return 0;
}

/* The overlay's own size and block count follow the upper file's. */
static void take_size(struct ovl_inode *o)
{
    struct inode *upper = ovl_upper(o);

    mutex_lock(&o->inode.lock);
    o->inode.size = upper->size;
    o->inode.blocks = upper->blocks;
    mutex_unlock(&o->inode.lock);
}

int64_t ovl_read(struct inode *inode, struct iter *to, uint64_t offset)
{
    struct inode *real = ovl_real(ovl_of(inode));

    return real->ops->read(real, to, offset);
}

int64_t ovl_write(struct inode *inode, struct iter *from, uint64_t *offset, bool append)
{
    struct ovl_inode *o = ovl_of(inode);

    mutex_lock(&inode->write_lock);
    int r = ovl_touch(inode);

    r = r < 0 ? r : ovl_copy_up(o, UINT64_MAX);
    int64_t n = r;

    if (r == 0) {
        struct inode *upper = ovl_upper(o);

        n = upper->ops->write(upper, from, offset, append);
        take_size(o);
    }
    mutex_unlock(&inode->write_lock);
    if (n > 0) {
        inode_touch(inode, /*atime=*/false, /*mtime=*/true);
    }
    return n;
}

int ovl_fallocate(struct inode *inode, int mode, uint64_t offset, uint64_t size)
{
    struct ovl_inode *o = ovl_of(inode);

    mutex_lock(&inode->write_lock);
    int r = ovl_touch(inode);

    r = r < 0 ? r : ovl_copy_up(o, UINT64_MAX);
    if (r == 0) {
        struct inode *upper = ovl_upper(o);

        r = upper->ops->fallocate(upper, mode, offset, size);
        take_size(o);
    }
    mutex_unlock(&inode->write_lock);
    if (r == 0) {
        inode_touch(inode, /*atime=*/false, /*mtime=*/true);
    }
    return r;
}

int64_t ovl_seek_data(struct inode *inode, uint64_t offset, bool hole)
{
    struct inode *real = ovl_real(ovl_of(inode));

    if (real->ops->seek_data != NULL) {
        return real->ops->seek_data(real, offset, hole);
    }
    return hole ? (int64_t)inode->size : (int64_t)offset;
}

static int resize(struct inode *inode, uint64_t size)
{
    struct ovl_inode *o = ovl_of(inode);

    mutex_lock(&inode->write_lock);
    int r = ovl_copy_up(o, size);

    if (r == 0) {
        struct inode *upper = ovl_upper(o);

        r = upper->ops->setattr(upper, &(struct iattr){.valid = ATTR_SIZE, .size = size});
        take_size(o);
    }
    mutex_unlock(&inode->write_lock);
    return r;
}

int ovl_setattr(struct inode *inode, const struct iattr *attr)
{
    int touch = ovl_touch(inode);

    if (touch < 0) {
        return touch;
    }
    if ((attr->valid & ATTR_SIZE) != 0) {
        int r = resize(inode, attr->size);

        if (r < 0) {
            return r;
        }
    }
    inode_setattr_copy(inode, attr);
    ovl_pin(inode);
    return 0;
}

/* Attributes set here come first (inode->xattrs); the rest are the lower's. */
int64_t ovl_getxattr(struct inode *inode, const char *name, void *dst, size_t size)
{
    struct inode *lower = ovl_of(inode)->lower;

    if (lower == NULL || lower->ops->getxattr == NULL) {
        return -ENODATA;
    }
    return lower->ops->getxattr(lower, name, dst, size);
}

int64_t ovl_listxattr(struct inode *inode, char *dst, size_t size)
{
    struct inode *lower = ovl_of(inode)->lower;

    return lower == NULL || lower->ops->listxattr == NULL ? 0
                                                          : lower->ops->listxattr(lower, dst, size);
}
