/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Files of the host. What it may lie about in general: everything it says about names, sizes and
 * contents is its own word (host directories are plainly unprotected); what it must not do is make
 * us read or write memory we did not mean to, loop, or mix up descriptors.
 */

#include <asm/stat.h>

#include "libos/fs/iter.h"
#include "libos/host/host.h"
#include "libos/host/host_io.h"
#include "libos/host/host_mem.h"
#include "libos/lib/str.h"
#include "libos/lib/uapi.h"

#define NSEC_MAX 999999999

/* A path in the bounce area. p == NULL: no room (paths are at most PATH_MAX). */
static struct bounce put_path(const char *path)
{
    size_t size = str_len(path) + 1;
    struct bounce b = bounce_take(size, size);

    if (b.p != NULL) {
        host_copy_out(b.p, path, size);
    }
    return b;
}

/* The host may answer with any number: it must be a descriptor we do not hold yet. That it leads
 * to another file than asked is within what an unprotected host file can do. */
int host_openat(int dirfd, const char *path, int flags, uint32_t mode)
{
    _cleanup_bounce_ struct bounce b = put_path(path);

    if (b.p == NULL) {
        return -ENAMETOOLONG;
    }
    return host_fd_opened(host_call(HOSTCALL_openat, (uint64_t)(int64_t)dirfd, (uintptr_t)b.p,
                                    (uint64_t)(int64_t)flags, mode, 0, 0));
}

/* Whatever the host says, the descriptor is gone for us (as after Linux's close). */
int host_close(int fd)
{
    host_fd_closed(fd);
    return host_status(host_call(HOSTCALL_close, (uint64_t)(int64_t)fd, 0, 0, 0, 0, 0));
}

/* One host call that fills the bounce area; the count must not exceed what was asked. */
int64_t host_read_iter(int fd, struct iter *to, const uint64_t *offset)
{
    _cleanup_bounce_ struct bounce b = bounce_take(MIN(to->left, HOSTCALL_BUFFER_SIZE), 1);

    if (to->left == 0) {
        return 0;
    }
    if (b.p == NULL) {
        return -ENOMEM;
    }
    int64_t r = offset == NULL ? host_call(HOSTCALL_read, (uint64_t)(int64_t)fd, (uintptr_t)b.p,
                                           b.size, 0, 0, 0)
                               : host_call(HOSTCALL_pread, (uint64_t)(int64_t)fd, (uintptr_t)b.p,
                                           b.size, *offset, 0, 0);

    r = host_count(r, b.size);
    if (r <= 0) {
        return r;
    }
    int64_t copied = (int64_t)iter_from_bounce(to, b.p, (size_t)r);

    return copied > 0 ? copied : -EFAULT;
}

/* The count written must not exceed what was given; a host that claims to have written more would
 * make the application skip data. */
int64_t host_write_iter(int fd, struct iter *from, const uint64_t *offset)
{
    _cleanup_bounce_ struct bounce b = bounce_take(MIN(from->left, HOSTCALL_BUFFER_SIZE), 1);
    struct iter saved = *from;

    if (from->left == 0) {
        return 0;
    }
    if (b.p == NULL) {
        return -ENOMEM;
    }
    size_t n = iter_to_bounce(from, b.p, b.size);

    if (n == 0) {
        return -EFAULT;
    }
    int64_t r =
        offset == NULL
            ? host_call(HOSTCALL_write, (uint64_t)(int64_t)fd, (uintptr_t)b.p, n, 0, 0, 0)
            : host_call(HOSTCALL_pwrite, (uint64_t)(int64_t)fd, (uintptr_t)b.p, n, *offset, 0, 0);

    r = host_count(r, n);
    iter_restore(from, &saved);
    if (r > 0) {
        iter_skip(from, (uint64_t)r);
    }
    return r;
}

/* Repeats the call until everything is moved, it moves nothing, or fails. At most one turn per
 * byte: each turn that goes on moved at least one. */
static int64_t whole(int64_t (*f)(int, struct iter *, const uint64_t *), int fd, struct iter *it,
                     const uint64_t *offset)
{
    int64_t done = 0;

    while (it->left > 0) {
        uint64_t at = offset == NULL ? 0 : *offset + (uint64_t)done;
        int64_t r = f(fd, it, offset == NULL ? NULL : &at);

        if (r < 0) {
            return done > 0 ? done : r;
        }
        if (r == 0 || offset == NULL) { /* a stream gives what it has */
            return done + r;
        }
        done += r;
    }
    return done;
}

int64_t host_read(int fd, void *dst, size_t size)
{
    struct iter it;

    iter_init_kernel(&it, dst, size);
    return whole(host_read_iter, fd, &it, NULL);
}

int64_t host_write(int fd, const void *src, size_t size)
{
    struct iter it;

    iter_init_kernel(&it, src, size);
    return whole(host_write_iter, fd, &it, NULL);
}

int64_t host_pread(int fd, void *dst, size_t size, uint64_t offset)
{
    struct iter it;

    iter_init_kernel(&it, dst, size);
    return whole(host_read_iter, fd, &it, &offset);
}

static bool type_known(uint32_t mode)
{
    uint32_t type = mode & S_IFMT;

    return type == S_IFREG || type == S_IFDIR || type == S_IFLNK || type == S_IFIFO ||
           type == S_IFSOCK || type == S_IFCHR || type == S_IFBLK;
}

/* Copies a struct stat once and checks that its fields are possible: a type that exists, no
 * negative size, nanoseconds below a second. Their truth is the host's affair. */
static int take_stat(const void *untrusted, struct host_stat *ret)
{
    struct stat st;

    host_copy_in(&st, untrusted, sizeof(st));
    if (!type_known(st.st_mode) || st.st_size < 0 || st.st_blocks < 0 ||
        st.st_atime_nsec > NSEC_MAX || st.st_mtime_nsec > NSEC_MAX || st.st_ctime_nsec > NSEC_MAX) {
        return -EIO;
    }
    *ret = (struct host_stat){
        .dev = st.st_dev,
        .ino = st.st_ino,
        .nlink = st.st_nlink,
        .mode = st.st_mode,
        .uid = st.st_uid,
        .gid = st.st_gid,
        .rdev = st.st_rdev,
        .size = st.st_size,
        .blksize = st.st_blksize,
        .blocks = st.st_blocks,
        .atime = (int64_t)st.st_atime,
        .atime_ns = (int64_t)st.st_atime_nsec,
        .mtime = (int64_t)st.st_mtime,
        .mtime_ns = (int64_t)st.st_mtime_nsec,
        .ctime = (int64_t)st.st_ctime,
        .ctime_ns = (int64_t)st.st_ctime_nsec,
    };
    return 0;
}

int host_fstat(int fd, struct host_stat *ret)
{
    _cleanup_bounce_ struct bounce b = bounce_take(sizeof(struct stat), sizeof(struct stat));

    if (b.p == NULL) {
        return -ENOMEM;
    }
    int r =
        host_status(host_call(HOSTCALL_fstat, (uint64_t)(int64_t)fd, (uintptr_t)b.p, 0, 0, 0, 0));

    return r < 0 ? r : take_stat(b.p, ret);
}

int host_fstatat(int dirfd, const char *path, int flags, struct host_stat *ret)
{
    _cleanup_bounce_ struct bounce p = put_path(path);
    _cleanup_bounce_ struct bounce b = bounce_take(sizeof(struct stat), sizeof(struct stat));

    if (p.p == NULL || b.p == NULL) {
        return p.p == NULL ? -ENAMETOOLONG : -ENOMEM;
    }
    int r = host_status(host_call(HOSTCALL_fstatat, (uint64_t)(int64_t)dirfd, (uintptr_t)p.p,
                                  (uintptr_t)b.p, (uint64_t)(int64_t)flags, 0, 0));

    return r < 0 ? r : take_stat(b.p, ret);
}

/* Records must lie inside what was returned, be terminated inside themselves, and be the name of
 * one component. Checked on our copy. */
static bool dirents_well_formed(const uint8_t *p, size_t size)
{
    const size_t head = 19; /* d_ino, d_off, d_reclen, d_type */

    while (size > 0) {
        uint16_t reclen;

        if (size < head + 2) {
            return false;
        }
        __builtin_memcpy(&reclen, p + 16, sizeof(reclen));
        if (reclen < head + 2 || reclen > size || reclen % 8 != 0) {
            return false;
        }
        const char *name = (const char *)p + head;
        size_t len = 0;

        while (len < reclen - head && name[len] != '\0') {
            if (name[len] == '/') {
                return false;
            }
            len++;
        }
        if (len == 0 || len == reclen - head || len > NAME_MAX) {
            return false;
        }
        p += reclen;
        size -= reclen;
    }
    return true;
}

int64_t host_getdents(int fd, void *dst, size_t size)
{
    _cleanup_bounce_ struct bounce b = bounce_take(MIN(size, HOSTCALL_BUFFER_SIZE), 1);

    if (b.p == NULL) {
        return -ENOMEM;
    }
    int64_t r = host_count(
        host_call(HOSTCALL_getdents, (uint64_t)(int64_t)fd, (uintptr_t)b.p, b.size, 0, 0, 0),
        b.size);

    if (r <= 0) {
        return r;
    }
    host_copy_in(dst, b.p, (size_t)r);
    return dirents_well_formed(dst, (size_t)r) ? r : -EIO;
}

/* Any position the host likes, but not a negative one passed off as success. */
int64_t host_lseek(int fd, int64_t offset, int whence)
{
    return host_call(HOSTCALL_lseek, (uint64_t)(int64_t)fd, (uint64_t)offset,
                     (uint64_t)(int64_t)whence, 0, 0, 0);
}

int host_ftruncate(int fd, uint64_t size)
{
    return host_status(host_call(HOSTCALL_ftruncate, (uint64_t)(int64_t)fd, size, 0, 0, 0, 0));
}

/* The host may say "done" without having done it: durability on it is its promise, not ours. */
int host_fsync(int fd, bool data_only)
{
    return host_status(host_call(HOSTCALL_fsync, (uint64_t)(int64_t)fd, data_only, 0, 0, 0, 0));
}

int host_mkdirat(int dirfd, const char *path, uint32_t mode)
{
    _cleanup_bounce_ struct bounce b = put_path(path);

    return b.p == NULL ? -ENAMETOOLONG
                       : host_status(host_call(HOSTCALL_mkdirat, (uint64_t)(int64_t)dirfd,
                                               (uintptr_t)b.p, mode, 0, 0, 0));
}

int host_unlinkat(int dirfd, const char *path, int flags)
{
    _cleanup_bounce_ struct bounce b = put_path(path);

    return b.p == NULL ? -ENAMETOOLONG
                       : host_status(host_call(HOSTCALL_unlinkat, (uint64_t)(int64_t)dirfd,
                                               (uintptr_t)b.p, (uint64_t)(int64_t)flags, 0, 0, 0));
}

int host_renameat(int from_dirfd, const char *from, int to_dirfd, const char *to, uint32_t flags)
{
    _cleanup_bounce_ struct bounce a = put_path(from);
    _cleanup_bounce_ struct bounce b = put_path(to);

    if (a.p == NULL || b.p == NULL) {
        return -ENAMETOOLONG;
    }
    return host_status(host_call(HOSTCALL_renameat, (uint64_t)(int64_t)from_dirfd, (uintptr_t)a.p,
                                 (uint64_t)(int64_t)to_dirfd, (uintptr_t)b.p, flags, 0));
}

int host_linkat(int from_dirfd, const char *from, int to_dirfd, const char *to, int flags)
{
    _cleanup_bounce_ struct bounce a = put_path(from);
    _cleanup_bounce_ struct bounce b = put_path(to);

    if (a.p == NULL || b.p == NULL) {
        return -ENAMETOOLONG;
    }
    return host_status(host_call(HOSTCALL_linkat, (uint64_t)(int64_t)from_dirfd, (uintptr_t)a.p,
                                 (uint64_t)(int64_t)to_dirfd, (uintptr_t)b.p,
                                 (uint64_t)(int64_t)flags, 0));
}

int host_symlinkat(const char *target, int dirfd, const char *path)
{
    _cleanup_bounce_ struct bounce a = put_path(target);
    _cleanup_bounce_ struct bounce b = put_path(path);

    if (a.p == NULL || b.p == NULL) {
        return -ENAMETOOLONG;
    }
    return host_status(host_call(HOSTCALL_symlinkat, (uintptr_t)a.p, (uint64_t)(int64_t)dirfd,
                                 (uintptr_t)b.p, 0, 0, 0));
}

/* The text is cut where the host put a NUL: no path contains one. */
int64_t host_readlinkat(int dirfd, const char *path, char *dst, size_t size)
{
    _cleanup_bounce_ struct bounce p = put_path(path);
    _cleanup_bounce_ struct bounce b = bounce_take(MIN(size, (size_t)PATH_MAX), 1);

    if (p.p == NULL || b.p == NULL) {
        return -ENAMETOOLONG;
    }
    int64_t r = host_count(host_call(HOSTCALL_readlinkat, (uint64_t)(int64_t)dirfd, (uintptr_t)p.p,
                                     (uintptr_t)b.p, b.size, 0, 0),
                           b.size);

    if (r <= 0) {
        return r == 0 ? -EIO : r; /* Linux has no empty links */
    }
    host_copy_in(dst, b.p, (size_t)r);
    for (int64_t i = 0; i < r; i++) {
        if (dst[i] == '\0') {
            return i == 0 ? -EIO : i;
        }
    }
    return r;
}

int host_fchmodat(int dirfd, const char *path, uint32_t mode)
{
    _cleanup_bounce_ struct bounce b = put_path(path);

    return b.p == NULL ? -ENAMETOOLONG
                       : host_status(host_call(HOSTCALL_fchmodat, (uint64_t)(int64_t)dirfd,
                                               (uintptr_t)b.p, mode, 0, 0, 0));
}

int host_utimensat(int dirfd, const char *path, const int64_t times[4], int flags)
{
    _cleanup_bounce_ struct bounce p = put_path(path);
    _cleanup_bounce_ struct bounce t = bounce_take(4 * sizeof(times[0]), 4 * sizeof(times[0]));

    if (p.p == NULL || t.p == NULL) {
        return -ENAMETOOLONG;
    }
    host_copy_out(t.p, times, 4 * sizeof(times[0]));
    return host_status(host_call(HOSTCALL_utimensat, (uint64_t)(int64_t)dirfd, (uintptr_t)p.p,
                                 (uintptr_t)t.p, (uint64_t)(int64_t)flags, 0, 0));
}

int host_fallocate(int fd, int mode, uint64_t offset, uint64_t size)
{
    return host_status(host_call(HOSTCALL_fallocate, (uint64_t)(int64_t)fd, (uint64_t)(int64_t)mode,
                                 offset, size, 0, 0));
}

/* The address must lie wholly outside the enclave, or reading "the file" would read our memory. */
int host_map_file(int fd, uint64_t offset, uint64_t size, const void **ret)
{
    int64_t r = host_call(HOSTCALL_map_file, (uint64_t)(int64_t)fd, offset, size, 0, 0, 0);

    if (r < 0) {
        return (int)r;
    }
    const void *p = (const void *)(uintptr_t)r; /* a claim, checked next */

    if (!host_range_outside(p, size) || !is_page_aligned((uint64_t)r)) {
        return -EIO;
    }
    *ret = p;
    return 0;
}

void host_unmap(const void *p, uint64_t size)
{
    (void)host_call(HOSTCALL_unmap, (uintptr_t)p, size, 0, 0, 0, 0);
}

/* `size` bytes go out and come back: the caller knows the argument's size for each request it lets
 * through. A positive result has no meaning for any of them. */
int64_t host_ioctl(int fd, uint64_t request, void *inout, size_t size)
{
    _cleanup_bounce_ struct bounce b = bounce_take(MAX(size, (size_t)8), MAX(size, (size_t)8));

    if (b.p == NULL) {
        return -ENOMEM;
    }
    host_copy_out(b.p, inout, size);
    int64_t r = host_call(HOSTCALL_ioctl, (uint64_t)(int64_t)fd, request, (uintptr_t)b.p, 0, 0, 0);

    if (r == 0) {
        host_copy_in(inout, b.p, size);
    }
    return r > 0 ? -EIO : r;
}

/* struct statfs has no field that could do harm; it is copied once. */
int host_fstatfs(int fd, struct host_statfs *ret)
{
    _cleanup_bounce_ struct bounce b = bounce_take(sizeof(*ret), sizeof(*ret));

    if (b.p == NULL) {
        return -ENOMEM;
    }
    int r =
        host_status(host_call(HOSTCALL_fstatfs, (uint64_t)(int64_t)fd, (uintptr_t)b.p, 0, 0, 0, 0));

    if (r == 0) {
        host_copy_in(ret, b.p, sizeof(*ret));
    }
    return r;
}
