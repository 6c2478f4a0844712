/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Changing attributes: chmod, chown, utimensat, extended attributes. */

#include <linux/xattr.h>

#include "libos/fs/names.h"
#include "libos/fs/xattr.h"
#include "libos/sys/path_arg.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

#define UTIME_NOW_  0x3fffffff
#define UTIME_OMIT_ 0x3ffffffe

static int64_t chmod_common(int dirfd, uint64_t user_path, uint32_t mode, int flags)
{
    struct path p = {0};
    int r = path_arg(dirfd, user_path, flags, /*follow=*/true, &p);

    if (r < 0) {
        return r;
    }
    r = name_chmod(&p, mode);
    path_put(&p);
    return r;
}

SYSCALL_2(chmod, uint64_t, path, uint32_t, mode)
{
    return chmod_common(AT_FDCWD, path, mode, 0);
}

SYSCALL_3(fchmodat, int, dirfd, uint64_t, path, uint32_t, mode)
{
    return chmod_common(dirfd, path, mode, 0);
}

SYSCALL_2(fchmod, int, fd, uint32_t, mode)
{
    _cleanup_file_ struct file *f = fd_get(fd);

    return f == NULL ? -EBADF : name_chmod(&f->path, mode);
}

static int64_t chown_common(int dirfd, uint64_t user_path, uint32_t uid, uint32_t gid, int flags)
{
    struct path p = {0};

    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) {
        return -EINVAL;
    }
    int r = path_arg(dirfd, user_path, flags, /*follow=*/true, &p);

    if (r < 0) {
        return r;
    }
    r = name_chown(&p, uid, gid);
    path_put(&p);
    return r;
}

SYSCALL_3(chown, uint64_t, path, uint32_t, uid, uint32_t, gid)
{
    return chown_common(AT_FDCWD, path, uid, gid, 0);
}

SYSCALL_3(lchown, uint64_t, path, uint32_t, uid, uint32_t, gid)
{
    return chown_common(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

SYSCALL_5(fchownat, int, dirfd, uint64_t, path, uint32_t, uid, uint32_t, gid, int, flags)
{
    return chown_common(dirfd, path, uid, gid, flags);
}

SYSCALL_3(fchown, int, fd, uint32_t, uid, uint32_t, gid)
{
    _cleanup_file_ struct file *f = fd_get(fd);

    return f == NULL ? -EBADF : name_chown(&f->path, uid, gid);
}

/* ---- times ---- */

/* From two timespecs: what to set, and whether only "now" was asked for (which writers may do). */
static int times_to_attr(const struct kernel_timespec64 ts[2], struct iattr *attr, bool *ret_now)
{
    static const uint32_t bit[2] = {ATTR_ATIME, ATTR_MTIME};

    *ret_now = true;
    for (int i = 0; i < 2; i++) {
        struct timestamp *to = i == 0 ? &attr->atime : &attr->mtime;

        if (ts[i].nsec == UTIME_OMIT_) {
            *ret_now = false;
            continue;
        }
        attr->valid |= bit[i];
        if (ts[i].nsec == UTIME_NOW_) {
            clock_timestamp(to);
            continue;
        }
        if (ts[i].nsec < 0 || ts[i].nsec >= (int64_t)NS_PER_S) {
            return -EINVAL;
        }
        *ret_now = false;
        *to = (struct timestamp){.sec = ts[i].sec, .nsec = (uint32_t)ts[i].nsec};
    }
    return 0;
}

static int set_times(const struct path *p, const struct kernel_timespec64 ts[2])
{
    struct inode *inode = path_inode(p);
    struct iattr attr = {0};
    bool now = false;
    int r = times_to_attr(ts, &attr, &now);

    if (r < 0 || attr.valid == 0) {
        return r;
    }
    if (mount_read_only(p->mnt)) {
        return -EROFS;
    }
    if (!inode_owner_or_capable(inode)) {
        if (!now) {
            return -EPERM;
        }
        r = inode_permission(inode, MAY_WRITE, /*real=*/false);
        if (r < 0) {
            return r;
        }
    }
    return name_setattr(p, &attr);
}

static int64_t utimens_common(int dirfd, uint64_t user_path, const struct kernel_timespec64 ts[2],
                              int flags)
{
    struct path p = {0};
    int r = 0;

    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) {
        return -EINVAL;
    }
    if (user_path == 0 && dirfd != AT_FDCWD) { /* futimens */
        if (flags != 0) {
            return -EINVAL;
        }
        _cleanup_file_ struct file *f = fd_get(dirfd);

        return f == NULL ? -EBADF : set_times(&f->path, ts);
    }
    r = path_arg(dirfd, user_path, flags, /*follow=*/true, &p);
    if (r < 0) {
        return r;
    }
    r = set_times(&p, ts);
    path_put(&p);
    return r;
}

static const struct kernel_timespec64 g_both_now[2] = {{.nsec = UTIME_NOW_}, {.nsec = UTIME_NOW_}};

SYSCALL_4(utimensat, int, dirfd, uint64_t, path, uint64_t, user_times, int, flags)
{
    struct kernel_timespec64 ts[2];

    if (user_times == 0) {
        return utimens_common(dirfd, path, g_both_now, flags);
    }
    int r = user_copy_in(ts, user_times, sizeof(ts));

    if (r < 0) {
        return r;
    }
    if (ts[0].nsec == UTIME_OMIT_ && ts[1].nsec == UTIME_OMIT_) {
        return 0;
    }
    return utimens_common(dirfd, path, ts, flags);
}

/* struct timeval[2] for utimes and futimesat. */
static int64_t utimes_common(int dirfd, uint64_t path, uint64_t user_times)
{
    struct kernel_timespec64 ts[2];

    if (user_times == 0) {
        return utimens_common(dirfd, path, g_both_now, 0);
    }
    int r = user_copy_in(ts, user_times, sizeof(ts));

    if (r < 0) {
        return r;
    }
    for (int i = 0; i < 2; i++) {
        if (ts[i].nsec < 0 || ts[i].nsec >= 1000000) { /* microseconds so far */
            return -EINVAL;
        }
        ts[i].nsec *= 1000;
    }
    return utimens_common(dirfd, path, ts, 0);
}

SYSCALL_2(utimes, uint64_t, path, uint64_t, user_times)
{
    return utimes_common(AT_FDCWD, path, user_times);
}

SYSCALL_3(futimesat, int, dirfd, uint64_t, path, uint64_t, user_times)
{
    return utimes_common(dirfd, path, user_times);
}

SYSCALL_2(utime, uint64_t, path, uint64_t, user_times)
{
    struct kernel_timespec64 ts[2] = {0};
    int64_t times[2];

    if (user_times == 0) {
        return utimens_common(AT_FDCWD, path, g_both_now, 0);
    }
    int r = user_copy_in(times, user_times, sizeof(times));

    ts[0].sec = times[0];
    ts[1].sec = times[1];
    return r < 0 ? r : utimens_common(AT_FDCWD, path, ts, 0);
}

/* ---- extended attributes ---- */

/* The object a call is about: by path (follow or not) or, with path 0, by descriptor. */
static int xattr_object(int fd, uint64_t user_path, bool follow, struct path *ret)
{
    if (user_path != 0) {
        return path_arg(AT_FDCWD, user_path, 0, follow, ret);
    }
    _cleanup_file_ struct file *f = fd_get(fd);

    if (f == NULL) {
        return -EBADF;
    }
    *ret = f->path;
    path_get(ret);
    return 0;
}

static int get_name(uint64_t user_name, char name[static XATTR_NAME_MAX + 1])
{
    int r = user_copy_string(name, XATTR_NAME_MAX + 1, user_name);

    if (r == -ENAMETOOLONG || r == 0) {
        return -ERANGE;
    }
    return MIN(r, 0);
}

static int64_t do_get(const struct path *p, uint64_t user_name, uint64_t user_value, uint64_t size)
{
    char name[XATTR_NAME_MAX + 1];
    _cleanup_kfree_ void *buf = NULL;
    int64_t n = get_name(user_name, name);

    if (n < 0) {
        return n;
    }
    size = MIN(size, (uint64_t)XATTR_SIZE_MAX);
    buf = kmalloc(MAX(size, 1ull));
    if (buf == NULL) {
        return -ENOMEM;
    }
    n = xattr_get(path_inode(p), name, buf, size);
    if (n > 0 && size > 0) {
        int r = user_copy_out(user_value, buf, (size_t)n);

        n = r < 0 ? r : n;
    }
    return n;
}

static int64_t do_set(const struct path *p, uint64_t user_name, uint64_t user_value, uint64_t size,
                      int flags)
{
    char name[XATTR_NAME_MAX + 1];
    _cleanup_kfree_ void *buf = NULL;

    if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) != 0) {
        return -EINVAL;
    }
    int r = get_name(user_name, name);

    if (r < 0) {
        return r;
    }
    if (size > XATTR_SIZE_MAX) {
        return -E2BIG;
    }
    buf = kmalloc(MAX(size, 1ull));
    if (buf == NULL) {
        return -ENOMEM;
    }
    r = user_copy_in(buf, user_value, size);
    if (r < 0) {
        return r;
    }
    return mount_read_only(p->mnt) ? -EROFS : xattr_set(path_inode(p), name, buf, size, flags);
}

static int64_t do_list(const struct path *p, uint64_t user_list, uint64_t size)
{
    _cleanup_kfree_ char *buf = NULL;

    size = MIN(size, (uint64_t)XATTR_LIST_MAX);
    buf = kmalloc(MAX(size, 1ull));
    if (buf == NULL) {
        return -ENOMEM;
    }
    int64_t n = xattr_list(path_inode(p), buf, size);

    if (n > 0 && size > 0) {
        int r = user_copy_out(user_list, buf, (size_t)n);

        n = r < 0 ? r : n;
    }
    return n;
}

static int64_t do_remove(const struct path *p, uint64_t user_name)
{
    char name[XATTR_NAME_MAX + 1];
    int r = get_name(user_name, name);

    if (r < 0) {
        return r;
    }
    return mount_read_only(p->mnt) ? -EROFS : xattr_remove(path_inode(p), name);
}

/* The body of each call below: `call` on the object `p` that the arguments name. */
#define WITH_OBJECT_(from_fd, from_name, follow, call)              \
    struct path p = {0};                                            \
    int64_t r = xattr_object((from_fd), (from_name), (follow), &p); \
    if (r == 0) {                                                   \
        r = (call);                                                 \
        path_put(&p);                                               \
    }                                                               \
    return r

SYSCALL_4(getxattr, uint64_t, user_path, uint64_t, name, uint64_t, value, uint64_t, size)
{
    WITH_OBJECT_(-1, user_path, true, do_get(&p, name, value, size));
}

SYSCALL_4(lgetxattr, uint64_t, user_path, uint64_t, name, uint64_t, value, uint64_t, size)
{
    WITH_OBJECT_(-1, user_path, false, do_get(&p, name, value, size));
}

SYSCALL_4(fgetxattr, int, fd, uint64_t, name, uint64_t, value, uint64_t, size)
{
    WITH_OBJECT_(fd, 0, false, do_get(&p, name, value, size));
}

SYSCALL_5(setxattr, uint64_t, user_path, uint64_t, name, uint64_t, value, uint64_t, size, int,
          flags)
{
    WITH_OBJECT_(-1, user_path, true, do_set(&p, name, value, size, flags));
}

SYSCALL_5(lsetxattr, uint64_t, user_path, uint64_t, name, uint64_t, value, uint64_t, size, int,
          flags)
{
    WITH_OBJECT_(-1, user_path, false, do_set(&p, name, value, size, flags));
}

SYSCALL_5(fsetxattr, int, fd, uint64_t, name, uint64_t, value, uint64_t, size, int, flags)
{
    WITH_OBJECT_(fd, 0, false, do_set(&p, name, value, size, flags));
}

SYSCALL_3(listxattr, uint64_t, user_path, uint64_t, list, uint64_t, size)
{
    WITH_OBJECT_(-1, user_path, true, do_list(&p, list, size));
}

SYSCALL_3(llistxattr, uint64_t, user_path, uint64_t, list, uint64_t, size)
{
    WITH_OBJECT_(-1, user_path, false, do_list(&p, list, size));
}

SYSCALL_3(flistxattr, int, fd, uint64_t, list, uint64_t, size)
{
    WITH_OBJECT_(fd, 0, false, do_list(&p, list, size));
}

SYSCALL_2(removexattr, uint64_t, user_path, uint64_t, name)
{
    WITH_OBJECT_(-1, user_path, true, do_remove(&p, name));
}

SYSCALL_2(lremovexattr, uint64_t, user_path, uint64_t, name)
{
    WITH_OBJECT_(-1, user_path, false, do_remove(&p, name));
}

SYSCALL_2(fremovexattr, int, fd, uint64_t, name)
{
    WITH_OBJECT_(fd, 0, false, do_remove(&p, name));
}
