/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/inode.h"

#include "libos/fs/hooks.h"
#include "libos/fs/locks.h"
#include "libos/fs/pipe.h"
#include "libos/fs/xattr.h"
#include "libos/mm/kmem.h"
#include "libos/proc/thread.h"
#include "libos/time/clock.h"

void inode_init(struct inode *inode, struct superblock *sb, const struct inode_ops *ops,
                uint64_t ino, const struct inode_new *what)
{
    *inode = (struct inode){
        .ops = ops,
        .sb = sb,
        .ino = ino,
        .mode = what->mode,
        .uid = what->uid,
        .gid = what->gid,
        .rdev = what->rdev,
        .nlink = 1,
    };
    ref_init(&inode->refs);
    list_init(&inode->watches);
    clock_timestamp(&inode->ctime);
    inode->atime = inode->ctime;
    inode->mtime = inode->ctime;
    inode->btime = inode->ctime;
}

void inode_destroy(struct inode *inode)
{
    locks_free(inode->locks);
    xattrs_free(inode->xattrs);
    if (S_ISFIFO(inode->mode)) {
        pipe_inode_free(inode->object);
    }
}

void inode_put(struct inode *inode)
{
    if (inode != NULL && ref_put(&inode->refs)) {
        inode->ops->evict(inode);
    }
}

void inode_stat(const struct inode *inode, struct kstat *ret)
{
    *ret = (struct kstat){
        .dev = inode->sb->dev,
        .ino = inode->ino,
        .rdev = inode->rdev,
        .size = inode->size,
        .blksize = NACRE_PAGE_SIZE,
        .blocks = inode->blocks,
        .mode = inode->mode,
        .nlink = inode->nlink,
        .uid = inode->uid,
        .gid = inode->gid,
        .atime = inode->atime,
        .mtime = inode->mtime,
        .ctime = inode->ctime,
        .btime = inode->btime,
    };
}

void inode_adopt_stat(struct inode *inode, const struct kstat *st)
{
    inode->size = st->size;
    inode->blocks = st->blocks;
    inode->nlink = st->nlink;
    inode->atime = st->atime;
    inode->mtime = st->mtime;
    inode->ctime = st->ctime;
    inode->btime = st->btime;
}

int inode_getattr(struct inode *inode, struct kstat *ret)
{
    if (inode->ops->getattr != NULL) {
        return inode->ops->getattr(inode, ret);
    }
    mutex_lock(&inode->lock);
    inode_stat(inode, ret);
    mutex_unlock(&inode->lock);
    return 0;
}

void inode_setattr_copy(struct inode *inode, const struct iattr *attr)
{
    mutex_lock(&inode->lock);
    if ((attr->valid & ATTR_MODE) != 0) {
        inode->mode = (inode->mode & S_IFMT) | (attr->mode & 07777);
    }
    if ((attr->valid & ATTR_UID) != 0) {
        inode->uid = attr->uid;
    }
    if ((attr->valid & ATTR_GID) != 0) {
        inode->gid = attr->gid;
    }
    clock_timestamp(&inode->ctime);
    if ((attr->valid & ATTR_ATIME) != 0) {
        inode->atime = attr->atime;
    }
    if ((attr->valid & ATTR_MTIME) != 0) {
        inode->mtime = attr->mtime;
    }
    mutex_unlock(&inode->lock);
}

int inode_setattr(struct inode *inode, const struct iattr *attr)
{
    if ((inode->sb->flags & SB_RDONLY) != 0) {
        return -EROFS;
    }
    if (inode->ops->setattr != NULL) {
        return inode->ops->setattr(inode, attr);
    }
    if ((attr->valid & ATTR_SIZE) != 0) {
        return -EINVAL;
    }
    inode_setattr_copy(inode, attr);
    return 0;
}

void inode_touch(struct inode *inode, bool atime, bool mtime)
{
    struct timestamp now;

    clock_timestamp(&now);
    mutex_lock(&inode->lock);
    if (atime) {
        inode->atime = now;
    }
    if (mtime) {
        inode->mtime = now;
        inode->ctime = now;
    }
    mutex_unlock(&inode->lock);
}

void inode_touch_ctime(struct inode *inode)
{
    struct timestamp now;

    clock_timestamp(&now);
    mutex_lock(&inode->lock);
    inode->ctime = now;
    mutex_unlock(&inode->lock);
}

bool capable_root(void)
{
    /* a thread of ours acts for a member of the family, which checked for itself */
    return process_current()->euid == 0 || thread_current()->service != NULL ||
           thread_current()->hasty;
}

bool in_group(uint32_t gid)
{
    const struct process *p = process_current();

    return p->fsgid == gid || p->egid == gid ||
           (fs_hooks()->in_group != NULL && fs_hooks()->in_group(gid));
}

bool inode_owner_or_capable(const struct inode *inode)
{
    return process_current()->fsuid == inode->uid || capable_root();
}

int inode_permission(struct inode *inode, uint32_t may, bool real)
{
    const struct process *p = process_current();
    uint32_t uid = real ? p->uid : p->fsuid;
    uint32_t gid = real ? p->gid : p->fsgid;
    uint32_t bits = inode->mode & 0777;

    if ((may & MAY_WRITE) != 0 && (inode->sb->flags & SB_RDONLY) != 0 &&
        (S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISLNK(inode->mode))) {
        return -EROFS;
    }
    if (uid == 0) { /* CAP_DAC_OVERRIDE: everything, but no execution where nobody may */
        if ((may & MAY_EXEC) != 0 && !S_ISDIR(inode->mode) && (bits & 0111) == 0) {
            return -EACCES;
        }
        return 0;
    }
    if (inode->uid == uid) {
        bits >>= 6;
    } else if (inode->gid == gid || (!real && in_group(inode->gid))) {
        bits >>= 3;
    }
    return (bits & may) == may ? 0 : -EACCES;
}

uint64_t super_new_dev(void)
{
    static uint32_t g_next_minor; /* anonymous devices are 0:N, as in Linux */

    return MAKEDEV(0, __atomic_add_fetch(&g_next_minor, 1, __ATOMIC_RELAXED) + 20);
}

struct superblock *super_alloc(const char *type, const struct super_ops *ops, uint32_t flags)
{
    struct superblock *sb = kzalloc(sizeof(*sb));

    if (sb != NULL) {
        sb->ops = ops;
        sb->type = type;
        sb->flags = flags;
        sb->dev = super_new_dev();
        sb->next_ino = 1;
    }
    return sb;
}

void super_free(struct superblock *sb)
{
    if (sb == NULL) {
        return;
    }
    inode_put(TAKE_PTR(sb->root));
    if (sb->ops->free != NULL) {
        sb->ops->free(sb);
    }
    kfree(sb);
}
