/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* stat and its kin, access, statfs. */

#include <asm/stat.h>
#include <asm/statfs.h>

#include "libos/sys/path_arg.h"
#include "libos/sys/syscall.h"

#define STATX_KNOWN_AT                                                             \
    (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_FORCE_SYNC | \
     AT_STATX_DONT_SYNC)

static int put_stat(uint64_t user, const struct kstat *k)
{
    struct stat st = {
        .st_dev = k->dev,
        .st_ino = k->ino,
        .st_nlink = k->nlink,
        .st_mode = k->mode,
        .st_uid = k->uid,
        .st_gid = k->gid,
        .st_rdev = k->rdev,
        .st_size = (long)k->size,
        .st_blksize = (long)k->blksize,
        .st_blocks = (long)k->blocks,
        .st_atime = (unsigned long)k->atime.sec,
        .st_atime_nsec = k->atime.nsec,
        .st_mtime = (unsigned long)k->mtime.sec,
        .st_mtime_nsec = k->mtime.nsec,
        .st_ctime = (unsigned long)k->ctime.sec,
        .st_ctime_nsec = k->ctime.nsec,
    };

    return user_put(user, &st);
}

static int get_kstat(int dirfd, uint64_t user_path, int at_flags, struct kstat *ret)
{
    struct path p = {0};
    int r = path_arg(dirfd, user_path, at_flags, /*follow=*/true, &p);

    if (r < 0) {
        return r;
    }
    r = inode_getattr(path_inode(&p), ret);
    path_put(&p);
    return r;
}

static int64_t stat_common(int dirfd, uint64_t user_path, uint64_t user_stat, int at_flags)
{
    struct kstat k;
    int r = get_kstat(dirfd, user_path, at_flags, &k);

    return r < 0 ? r : put_stat(user_stat, &k);
}

SYSCALL_2(stat, uint64_t, path, uint64_t, user_stat)
{
    return stat_common(AT_FDCWD, path, user_stat, 0);
}

SYSCALL_2(lstat, uint64_t, path, uint64_t, user_stat)
{
    return stat_common(AT_FDCWD, path, user_stat, AT_SYMLINK_NOFOLLOW);
}

SYSCALL_4(newfstatat, int, dirfd, uint64_t, path, uint64_t, user_stat, int, flags)
{
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT)) != 0) {
        return -EINVAL;
    }
    return stat_common(dirfd, path, user_stat, flags);
}

SYSCALL_2(fstat, int, fd, uint64_t, user_stat)
{
    _cleanup_file_ struct file *f = fd_get_path(fd);
    struct kstat k;

    if (f == NULL) {
        return -EBADF;
    }
    int r = file_stat(f, &k);

    return r < 0 ? r : put_stat(user_stat, &k);
}

static struct statx_timestamp statx_time(struct timestamp t)
{
    return (struct statx_timestamp){.tv_sec = t.sec, .tv_nsec = t.nsec};
}

static int put_statx(uint64_t user, const struct kstat *k, bool mount_root)
{
    struct statx sx = {
        .stx_mask = STATX_BASIC_STATS | STATX_BTIME,
        .stx_blksize = (uint32_t)k->blksize,
        .stx_attributes = mount_root ? STATX_ATTR_MOUNT_ROOT : 0,
        .stx_attributes_mask = STATX_ATTR_MOUNT_ROOT,
        .stx_nlink = k->nlink,
        .stx_uid = k->uid,
        .stx_gid = k->gid,
        .stx_mode = (uint16_t)k->mode,
        .stx_ino = k->ino,
        .stx_size = k->size,
        .stx_blocks = k->blocks,
        .stx_atime = statx_time(k->atime),
        .stx_btime = statx_time(k->btime),
        .stx_ctime = statx_time(k->ctime),
        .stx_mtime = statx_time(k->mtime),
        .stx_rdev_major = (uint32_t)(k->rdev >> 8),
        .stx_rdev_minor = (uint32_t)(k->rdev & 0xff),
        .stx_dev_major = (uint32_t)(k->dev >> 8),
        .stx_dev_minor = (uint32_t)(k->dev & 0xff),
    };

    return user_put(user, &sx);
}

SYSCALL_5(statx, int, dirfd, uint64_t, user_path, int, flags, uint32_t, mask, uint64_t, user_statx)
{
    struct path p = {0};
    struct kstat k;

    if ((flags & ~STATX_KNOWN_AT) != 0 || (mask & STATX__RESERVED) != 0 ||
        (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE) {
        return -EINVAL;
    }
    int r = path_arg(dirfd, user_path, flags, /*follow=*/true, &p);

    if (r < 0) {
        return r;
    }
    bool mount_root = p.mnt != NULL && p.dentry == p.mnt->root;

    r = inode_getattr(path_inode(&p), &k);
    path_put(&p);
    return r < 0 ? r : put_statx(user_statx, &k, mount_root);
}

/* ---- access ---- */

static int64_t access_common(int dirfd, uint64_t user_path, uint32_t mode, int flags)
{
    struct path p = {0};

    if ((mode & ~7u) != 0 || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) {
        return -EINVAL;
    }
    int r = path_arg(dirfd, user_path, flags & ~AT_EACCESS, /*follow=*/true, &p);

    if (r < 0) {
        return r;
    }
    struct inode *inode = path_inode(&p);

    if ((mode & MAY_EXEC) != 0 && S_ISREG(inode->mode) &&
        (((inode->sb->flags | (p.mnt == NULL ? 0 : p.mnt->flags)) & SB_NOEXEC) != 0)) {
        r = -EACCES;
    } else if (mode != 0) {
        r = inode_permission(inode, mode, /*real=*/(flags & AT_EACCESS) == 0);
        if (r == 0 && (mode & MAY_WRITE) != 0 && mount_read_only(p.mnt) &&
            (S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISLNK(inode->mode))) {
            r = -EROFS;
        }
    }
    path_put(&p);
    return r;
}

SYSCALL_2(access, uint64_t, path, uint32_t, mode)
{
    return access_common(AT_FDCWD, path, mode, 0);
}

SYSCALL_3(faccessat, int, dirfd, uint64_t, path, uint32_t, mode)
{
    return access_common(dirfd, path, mode, 0);
}

SYSCALL_4(faccessat2, int, dirfd, uint64_t, path, uint32_t, mode, int, flags)
{
    return access_common(dirfd, path, mode, flags);
}

/* ---- statfs ---- */

static int put_statfs(uint64_t user, const struct path *p)
{
    struct superblock *sb = path_inode(p)->sb;
    struct kstatfs k = {.magic = sb->magic, .bsize = NACRE_PAGE_SIZE, .namelen = 255};
    int r = sb->ops == NULL || sb->ops->statfs == NULL ? 0 : sb->ops->statfs(sb, &k);

    if (r < 0) {
        return r;
    }
    uint32_t flags = sb->flags | (p->mnt == NULL ? 0 : p->mnt->flags);
    struct statfs st = {
        .f_type = (long)k.magic,
        .f_bsize = (long)k.bsize,
        .f_blocks = (long)k.blocks,
        .f_bfree = (long)k.bfree,
        .f_bavail = (long)k.bavail,
        .f_files = (long)k.files,
        .f_ffree = (long)k.ffree,
        .f_fsid = {.val = {(int)sb->dev, 0}},
        .f_namelen = (long)k.namelen,
        .f_frsize = (long)k.bsize,
        /* ST_VALID, ST_RELATIME, ST_RDONLY, ST_NOSUID, ST_NODEV, ST_NOEXEC */
        .f_flags = 0x1020 | ((flags & SB_RDONLY) != 0 ? 1 : 0) |
                   ((flags & SB_NOSUID) != 0 ? 2 : 0) | ((flags & SB_NODEV) != 0 ? 4 : 0) |
                   ((flags & SB_NOEXEC) != 0 ? 8 : 0),
    };

    return user_put(user, &st);
}

SYSCALL_2(statfs, uint64_t, user_path, uint64_t, user_statfs)
{
    struct path p = {0};
    int r = path_arg(AT_FDCWD, user_path, 0, /*follow=*/true, &p);

    if (r < 0) {
        return r;
    }
    r = put_statfs(user_statfs, &p);
    path_put(&p);
    return r;
}

SYSCALL_2(fstatfs, int, fd, uint64_t, user_statfs)
{
    _cleanup_file_ struct file *f = fd_get_path(fd);

    return f == NULL ? -EBADF : put_statfs(user_statfs, &f->path);
}
