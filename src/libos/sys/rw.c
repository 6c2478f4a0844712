/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* read, write and their kin, lseek, fsync, truncate, fallocate, fadvise, readahead. */

#include <linux/falloc.h>
#include <linux/inotify.h>
#include <linux/resource.h>

#include "libos/fs/fs_context.h"
#include "libos/fs/names.h"
#include "libos/fs/notify.h"
#include "libos/sys/limits.h"
#include "libos/sys/path_arg.h"
#include "libos/sys/syscall.h"

typedef int64_t transfer_fn(struct file *f, struct iter *it, uint64_t *pos, uint32_t flags);

/* At the file's own position. Positions of shared files move once per call, as Linux has it. */
static int64_t at_own_position(int fd, struct iter *it, uint32_t flags, transfer_fn *transfer)
{
    _cleanup_file_ struct file *f = fd_get(fd);

    if (f == NULL) {
        return -EBADF;
    }
    if ((f->mode & (FILE_STREAM | FILE_REMOTE)) != 0) {
        return transfer(f, it, NULL, flags);
    }
    mutex_lock(&f->pos_lock);
    uint64_t pos = f->pos;
    int64_t n = transfer(f, it, &pos, flags);

    if (n > 0) {
        f->pos = pos;
    }
    mutex_unlock(&f->pos_lock);
    return n;
}

static int64_t at_position(int fd, struct iter *it, int64_t offset, uint32_t flags,
                           transfer_fn *transfer)
{
    if (offset < 0) {
        return -EINVAL;
    }
    _cleanup_file_ struct file *f = fd_get(fd);
    uint64_t pos = (uint64_t)offset;

    if (f == NULL) {
        return -EBADF;
    }
    if ((f->mode & FILE_STREAM) != 0) {
        return -ESPIPE;
    }
    return transfer(f, it, &pos, flags);
}

SYSCALL_3(read, int, fd, uint64_t, buf, uint64_t, size)
{
    struct iter it;

    iter_init_user(&it, buf, size);
    return at_own_position(fd, &it, 0, file_read_iter);
}

SYSCALL_3(write, int, fd, uint64_t, buf, uint64_t, size)
{
    struct iter it;

    iter_init_user(&it, buf, size);
    return at_own_position(fd, &it, 0, file_write_iter);
}

SYSCALL_4(pread64, int, fd, uint64_t, buf, uint64_t, size, int64_t, offset)
{
    struct iter it;

    iter_init_user(&it, buf, size);
    return at_position(fd, &it, offset, 0, file_read_iter);
}

SYSCALL_4(pwrite64, int, fd, uint64_t, buf, uint64_t, size, int64_t, offset)
{
    struct iter it;

    iter_init_user(&it, buf, size);
    return at_position(fd, &it, offset, 0, file_write_iter);
}

/* preadv2 and pwritev2: offset -1 means the file's own position. */
static int64_t vectored(int fd, uint64_t user_iov, uint64_t count, const int64_t *offset,
                        uint32_t flags, transfer_fn *transfer)
{
    struct user_iov iov;
    struct iter it;
    int r = user_get_iov(&iov, user_iov, count);

    if (r < 0) {
        return r;
    }
    iter_init_iov(&it, &iov);
    int64_t n = offset == NULL ? at_own_position(fd, &it, flags, transfer)
                               : at_position(fd, &it, *offset, flags, transfer);

    user_iov_free(&iov);
    return n;
}

SYSCALL_3(readv, int, fd, uint64_t, iov, uint64_t, count)
{
    return vectored(fd, iov, count, NULL, 0, file_read_iter);
}

SYSCALL_3(writev, int, fd, uint64_t, iov, uint64_t, count)
{
    return vectored(fd, iov, count, NULL, 0, file_write_iter);
}

/* The high half of the offset is for 32-bit callers; on x86-64 the low word has it all. */
SYSCALL_4(preadv, int, fd, uint64_t, iov, uint64_t, count, int64_t, offset)
{
    return vectored(fd, iov, count, &offset, 0, file_read_iter);
}

SYSCALL_4(pwritev, int, fd, uint64_t, iov, uint64_t, count, int64_t, offset)
{
    return vectored(fd, iov, count, &offset, 0, file_write_iter);
}

SYSCALL_6(preadv2, int, fd, uint64_t, iov, uint64_t, count, int64_t, offset, uint64_t, high, int,
          flags)
{
    return vectored(fd, iov, count, offset == -1 ? NULL : &offset, (uint32_t)flags, file_read_iter);
}

SYSCALL_6(pwritev2, int, fd, uint64_t, iov, uint64_t, count, int64_t, offset, uint64_t, high, int,
          flags)
{
    return vectored(fd, iov, count, offset == -1 ? NULL : &offset, (uint32_t)flags,
                    file_write_iter);
}

SYSCALL_3(lseek, int, fd, int64_t, offset, int, whence)
{
    _cleanup_file_ struct file *f = fd_get(fd);

    if (f == NULL) {
        return -EBADF;
    }
    if (f->ops->seek == NULL) {
        return -ESPIPE;
    }
    mutex_lock(&f->pos_lock);
    int64_t r = f->ops->seek(f, offset, whence);

    mutex_unlock(&f->pos_lock);
    return r;
}

static int64_t sync_file(int fd, bool data_only)
{
    _cleanup_file_ struct file *f = fd_get(fd);

    if (f == NULL) {
        return -EBADF;
    }
    return f->ops->fsync == NULL ? -EINVAL : f->ops->fsync(f, data_only);
}

SYSCALL_1(fsync, int, fd)
{
    return sync_file(fd, /*data_only=*/false);
}

SYSCALL_1(fdatasync, int, fd)
{
    return sync_file(fd, /*data_only=*/true);
}

/* Nothing is held back from the host longer than one call: there is nothing to flush. */
SYSCALL_0(sync)
{
    return 0;
}

SYSCALL_1(syncfs, int, fd)
{
    struct file *f = fd_get(fd);

    if (f == NULL) {
        return -EBADF;
    }
    file_put(f);
    return 0;
}

SYSCALL_4(sync_file_range, int, fd, int64_t, offset, int64_t, size, uint32_t, flags)
{
    if (offset < 0 || size < 0 || (flags & ~7u) != 0) {
        return -EINVAL;
    }
    _cleanup_file_ struct file *f = fd_get(fd);

    if (f == NULL) {
        return -EBADF;
    }
    return S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode) ? 0 : -ESPIPE;
}

SYSCALL_2(ftruncate, int, fd, int64_t, size)
{
    _cleanup_file_ struct file *f = fd_get(fd);

    if (f == NULL) {
        return -EBADF;
    }
    if (size < 0 || !S_ISREG(f->inode->mode) || (f->mode & FILE_WRITE) == 0) {
        return -EINVAL;
    }
    if ((f->inode->flags & INODE_APPEND_ONLY) != 0) {
        return -EPERM;
    }
    int r = file_truncate(f->inode, (uint64_t)size);

    if (r == 0 && notify_active() && (f->mode & FILE_ANON) == 0) {
        notify_path(&f->path, IN_MODIFY);
    }
    return r;
}

SYSCALL_2(truncate, uint64_t, path, int64_t, size)
{
    struct path p = {0};

    if (size < 0) {
        return -EINVAL;
    }
    int r = path_arg(AT_FDCWD, path, 0, /*follow=*/true, &p);

    if (r < 0) {
        return r;
    }
    struct inode *inode = path_inode(&p);

    if (S_ISDIR(inode->mode)) {
        r = -EISDIR;
    } else if (!S_ISREG(inode->mode)) {
        r = -EINVAL;
    } else if (mount_read_only(p.mnt)) {
        r = -EROFS;
    } else if (inode->write_count < 0) {
        r = -ETXTBSY;
    } else {
        r = inode_permission(inode, MAY_WRITE, /*real=*/false);
        r = r < 0 ? r : file_truncate(inode, (uint64_t)size);
    }
    if (r == 0 && notify_active()) {
        notify_path(&p, IN_MODIFY);
    }
    path_put(&p);
    return r;
}

SYSCALL_4(fallocate, int, fd, int, mode, int64_t, offset, int64_t, size)
{
    const int known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |
                      FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE;
    _cleanup_file_ struct file *f = fd_get(fd);

    if (f == NULL) {
        return -EBADF;
    }
    if (offset < 0 || size <= 0) {
        return -EINVAL;
    }
    if ((mode & ~known) != 0) {
        return -EOPNOTSUPP;
    }
    if ((f->mode & FILE_WRITE) == 0) {
        return -EBADF;
    }
    if (S_ISFIFO(f->inode->mode)) {
        return -ESPIPE;
    }
    if (S_ISDIR(f->inode->mode)) {
        return -EISDIR;
    }
    if (!S_ISREG(f->inode->mode)) {
        return -ENODEV;
    }
    if (f->inode->ops->fallocate == NULL) {
        return -EOPNOTSUPP;
    }
    if (offset > INT64_MAX - size) {
        return -EFBIG;
    }
    if ((mode & ~FALLOC_FL_UNSHARE_RANGE) == 0 &&
        (uint64_t)(offset + size) > MAX(limit_current(RLIMIT_FSIZE), f->inode->size)) {
        return file_too_big();
    }
    return f->inode->ops->fallocate(f->inode, mode, (uint64_t)offset, (uint64_t)size);
}

/* Advice about a cache that decides for itself. */
SYSCALL_4(fadvise64, int, fd, int64_t, offset, int64_t, size, int, advice)
{
    _cleanup_file_ struct file *f = fd_get(fd);

    if (f == NULL) {
        return -EBADF;
    }
    if (S_ISFIFO(f->inode->mode)) {
        return -ESPIPE;
    }
    return size < 0 || advice < 0 || advice > 5 ? -EINVAL : 0;
}

SYSCALL_3(readahead, int, fd, int64_t, offset, uint64_t, size)
{
    _cleanup_file_ struct file *f = fd_get(fd);

    if (f == NULL || (f->mode & FILE_READ) == 0) {
        return -EBADF;
    }
    return S_ISREG(f->inode->mode) ? 0 : -EINVAL;
}
