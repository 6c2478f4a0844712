/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Descriptors: dup, fcntl, ioctl, flock, pipe. */

#include <asm/ioctls.h>

#include "libos/family/remote.h"
#include "libos/family/rpc.h"
#include "libos/fs/fd_table.h"
#include "libos/fs/file.h"
#include "libos/fs/locks.h"
#include "libos/fs/memfd.h"
#include "libos/fs/pipe.h"
#include "libos/mm/user.h"
#include "libos/proc/thread.h"
#include "libos/sys/syscall.h"

#define SETFL_MASK ((uint32_t)(O_APPEND | O_NONBLOCK | FASYNC | O_DIRECT | O_NOATIME))

SYSCALL_1(dup, int, fd)
{
    struct file *f = fd_get_path(fd);

    if (f == NULL) {
        return -EBADF;
    }
    int r = fd_install(f, /*cloexec=*/false, 0);

    if (r < 0) {
        file_put(f);
    }
    return r;
}

static int64_t dup_at(int from, int to, bool cloexec)
{
    struct file *f = fd_get_path(from);

    if (f == NULL) {
        return -EBADF;
    }
    int r = fd_install_at(f, cloexec, to);

    if (r < 0) {
        file_put(f);
    }
    return r;
}

SYSCALL_2(dup2, int, from, int, to)
{
    if (from == to) {
        struct file *f = fd_get_path(from);

        file_put(f);
        return f == NULL ? -EBADF : to;
    }
    return dup_at(from, to, /*cloexec=*/false);
}

SYSCALL_3(dup3, int, from, int, to, int, flags)
{
    if ((flags & ~O_CLOEXEC) != 0 || from == to) {
        return -EINVAL;
    }
    return dup_at(from, to, flags != 0);
}

static int64_t pipe_common(uint64_t user_fds, int flags)
{
    struct file *rd = NULL;
    struct file *wr = NULL;
    int32_t fds[2];
    bool cloexec = (flags & O_CLOEXEC) != 0;

    if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) != 0) {
        return -EINVAL;
    }
    const uint32_t kept = (uint32_t)flags & (uint32_t)(O_NONBLOCK | O_DIRECT);
    /* A member's pipes are the owner's from the start: its children will share them. */
    int r = family_is_member() ? remote_pipe(kept, &rd, &wr) : pipe_create(kept, &rd, &wr);

    if (r < 0) {
        return r;
    }
    r = fds[0] = fd_install(rd, cloexec, 0);
    if (r < 0) {
        file_put(rd);
        file_put(wr);
        return r;
    }
    r = fds[1] = fd_install(wr, cloexec, 0);
    if (r < 0) {
        (void)fd_close(fds[0]);
        file_put(wr);
        return r;
    }
    r = user_put(user_fds, &fds);
    if (r < 0) {
        (void)fd_close(fds[0]);
        (void)fd_close(fds[1]);
    }
    return r;
}

SYSCALL_1(pipe, uint64_t, fds)
{
    return pipe_common(fds, 0);
}

SYSCALL_2(pipe2, uint64_t, fds, int, flags)
{
    return pipe_common(fds, flags);
}

/* ---- record locks ---- */

/* struct flock of x86-64 */
struct user_flock {
    int16_t type;
    int16_t whence;
    int32_t pad;
    int64_t start;
    int64_t len;
    int32_t pid;
    int32_t pad2;
};

static int flock_to_request(struct file *f, const struct user_flock *u, struct lock_request *ret)
{
    int64_t start = u->start;
    int64_t base = 0;

    switch (u->whence) {
    case SEEK_SET: break;
    case SEEK_CUR: base = (int64_t)file_position(f); break;
    case SEEK_END: {
        struct kstat st;
        int r = file_stat(f, &st);

        if (r < 0) {
            return r;
        }
        base = (int64_t)st.size;
        break;
    }
    default: return -EINVAL;
    }
    if (u->type != F_RDLCK && u->type != F_WRLCK && u->type != F_UNLCK) {
        return -EINVAL;
    }
    if (__builtin_add_overflow(base, start, &start)) {
        return -EOVERFLOW;
    }
    int64_t end = INT64_MAX;

    if (u->len > 0) {
        if (__builtin_add_overflow(start, u->len - 1, &end)) {
            return -EOVERFLOW;
        }
    } else if (u->len < 0) {
        end = start - 1;
        if (__builtin_add_overflow(start, u->len, &start)) {
            return -EINVAL;
        }
    }
    if (start < 0) {
        return -EINVAL;
    }
    ret->type = u->type;
    ret->start = (uint64_t)start;
    ret->end = end == INT64_MAX ? UINT64_MAX : (uint64_t)end;
    return 0;
}

static int64_t fcntl_lock(struct file *f, int command, uint64_t arg)
{
    struct lock_request req = {.kind = command >= F_OFD_GETLK ? LOCK_KIND_OFD : LOCK_KIND_POSIX};
    struct user_flock u;
    int r = user_get(&u, arg);

    if (r == 0) {
        r = flock_to_request(f, &u, &req);
    }
    if (r < 0) {
        return r;
    }
    if (req.kind == LOCK_KIND_OFD && u.pid != 0) {
        return -EINVAL;
    }
    if (command == F_GETLK || command == F_OFD_GETLK) {
        if (u.type == F_UNLCK) {
            return -EINVAL;
        }
        r = locks_test(f, &req);
        u.type = req.type;
        if (req.type != F_UNLCK) {
            u.whence = SEEK_SET;
            u.start = (int64_t)req.start;
            u.len = req.end == UINT64_MAX ? 0 : (int64_t)(req.end - req.start + 1);
            u.pid = req.pid;
        }
        return r < 0 ? r : user_put(arg, &u);
    }
    if ((req.type == F_RDLCK && (f->mode & FILE_READ) == 0) ||
        (req.type == F_WRLCK && (f->mode & FILE_WRITE) == 0)) {
        return -EBADF;
    }
    return locks_set(f, &req, /*wait=*/command == F_SETLKW || command == F_OFD_SETLKW);
}

SYSCALL_2(flock, int, fd, int, operation)
{
    struct lock_request req = {.kind = LOCK_KIND_FLOCK, .start = 0, .end = UINT64_MAX};
    _cleanup_file_ struct file *f = fd_get(fd);

    switch (operation & ~4) { /* LOCK_NB */
    case 1: req.type = F_RDLCK; break;
    case 2: req.type = F_WRLCK; break;
    case 8: req.type = F_UNLCK; break;
    default: return -EINVAL;
    }
    return f == NULL ? -EBADF : locks_set(f, &req, /*wait=*/(operation & 4) == 0);
}

/* ---- fcntl ---- */

static int64_t set_status_flags(struct file *f, uint32_t arg)
{
    if ((f->flags & O_APPEND) != 0 && (arg & O_APPEND) == 0 &&
        (f->inode->flags & INODE_APPEND_ONLY) != 0) {
        return -EPERM;
    }
    if ((arg & O_NOATIME) != 0 && (f->flags & O_NOATIME) == 0 &&
        !inode_owner_or_capable(f->inode)) {
        return -EPERM;
    }
    if (f->ops->set_flags != NULL) {
        int r = f->ops->set_flags(f, arg & SETFL_MASK);

        if (r < 0) {
            return r;
        }
    }
    __atomic_store_n(&f->flags, (f->flags & ~SETFL_MASK) | (arg & SETFL_MASK), __ATOMIC_RELAXED);
    return 0;
}

static int64_t dup_fd(struct file *f, uint64_t min, bool cloexec)
{
    if (min >= fd_table_limit()) {
        return -EINVAL;
    }
    int r = fd_install(file_get(f), cloexec, (int)min);

    if (r < 0) {
        file_put(f);
    }
    return r;
}

static int64_t fcntl_owner(struct file *f, int command, uint64_t arg)
{
    struct {
        int32_t type;
        int32_t pid;
    } ex;

    switch (command) {
    case F_SETOWN: f->owner = (int32_t)arg; return 0;
    case F_GETOWN: return f->owner;
    case F_SETSIG:
        if (arg > 64) {
            return -EINVAL;
        }
        f->owner_signal = (int32_t)arg;
        return 0;
    case F_GETSIG: return f->owner_signal;
    case F_SETOWN_EX: {
        int r = user_get(&ex, arg);

        if (r < 0) {
            return r;
        }
        if (ex.type < 0 || ex.type > 2) {
            return -EINVAL;
        }
        f->owner = ex.type == 2 ? -ex.pid : ex.pid;
        return 0;
    }
    default: /* F_GETOWN_EX */
        ex.type = f->owner < 0 ? 2 : 1;
        ex.pid = f->owner < 0 ? -f->owner : f->owner;
        return user_put(arg, &ex);
    }
}

/* Leases need somebody who would break them: this process is the only one. */
static int64_t fcntl_lease(struct file *f, int command, uint64_t arg)
{
    if (!S_ISREG(f->inode->mode)) {
        return -EINVAL;
    }
    if (command == F_GETLEASE) {
        return F_UNLCK;
    }
    return arg == F_UNLCK || arg == F_RDLCK || arg == F_WRLCK ? -EAGAIN : -EINVAL;
}

static int64_t fcntl_pipe_size(struct file *f, bool set, uint32_t size)
{
    if (remote_is_file(f) && S_ISFIFO(f->inode->mode)) {
        return remote_pipe_size(f, set ? MAX(size, 1u) : 0);
    }
    if (pipe_of(f) == NULL) {
        return -EBADF;
    }
    return set ? pipe_resize(pipe_of(f), size) : (int64_t)pipe_size(pipe_of(f));
}

static int64_t fcntl_file(int fd, struct file *f, int command, uint64_t arg)
{
    switch (command) {
    case F_DUPFD: return dup_fd(f, arg, /*cloexec=*/false);
    case F_DUPFD_CLOEXEC: return dup_fd(f, arg, /*cloexec=*/true);
    case F_GETFD: return fd_get_cloexec(fd);
    case F_SETFD: return fd_set_cloexec(fd, (arg & FD_CLOEXEC) != 0);
    case F_GETFL: return f->flags;
    default: break;
    }
    if ((f->mode & FILE_PATH) != 0) {
        return -EBADF;
    }
    switch (command) {
    case F_SETFL: return set_status_flags(f, (uint32_t)arg);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW: return fcntl_lock(f, command, arg);
    case F_SETOWN:
    case F_GETOWN:
    case F_SETSIG:
    case F_GETSIG:
    case F_SETOWN_EX:
    case F_GETOWN_EX: return fcntl_owner(f, command, arg);
    case F_SETLEASE:
    case F_GETLEASE: return fcntl_lease(f, command, arg);
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ: return fcntl_pipe_size(f, command == F_SETPIPE_SZ, (uint32_t)arg);
    case F_ADD_SEALS: return memfd_add_seals(f, (uint32_t)arg);
    case F_GET_SEALS: return memfd_get_seals(f);
    case F_GET_RW_HINT:
    case F_GET_FILE_RW_HINT: return user_put(arg, &(uint64_t){0});
    case F_SET_RW_HINT:
    case F_SET_FILE_RW_HINT: return 0;
    case F_NOTIFY: return -EINVAL; /* dnotify: inotify is there */
    default: return -EINVAL;
    }
}

SYSCALL_3(fcntl, int, fd, int, command, uint64_t, arg)
{
    _cleanup_file_ struct file *f = fd_get_path(fd);

    return f == NULL ? -EBADF : fcntl_file(fd, f, command, arg);
}

/* ---- ioctl ---- */

static int64_t set_flag_by_ioctl(struct file *f, uint32_t flag, uint64_t arg)
{
    int32_t on = 0;
    int r = user_get(&on, arg);

    if (r < 0) {
        return r;
    }
    return set_status_flags(f, on != 0 ? f->flags | flag : f->flags & ~flag);
}

static int64_t fionread_regular(struct file *f, uint64_t arg)
{
    struct kstat st;
    int r = file_stat(f, &st);

    if (r < 0) {
        return r;
    }
    uint64_t pos = file_position(f);
    int32_t n = st.size > pos ? (int32_t)MIN(st.size - pos, (uint64_t)INT32_MAX) : 0;

    return user_put(arg, &n);
}

SYSCALL_3(ioctl, int, fd, uint32_t, request, uint64_t, arg)
{
    _cleanup_file_ struct file *f = fd_get(fd);

    if (f == NULL) {
        return -EBADF;
    }
    switch (request) {
    case FIOCLEX: return fd_set_cloexec(fd, true);
    case FIONCLEX: return fd_set_cloexec(fd, false);
    case FIONBIO: return set_flag_by_ioctl(f, O_NONBLOCK, arg);
    case FIOASYNC: return set_flag_by_ioctl(f, FASYNC, arg);
    case FIOQSIZE: {
        if (!S_ISREG(f->inode->mode) && !S_ISDIR(f->inode->mode) && !S_ISLNK(f->inode->mode)) {
            return -ENOTTY;
        }
        int64_t size = (int64_t)f->inode->size;

        return user_put(arg, &size);
    }
    case FIONREAD:
        if (S_ISREG(f->inode->mode)) {
            return fionread_regular(f, arg);
        }
        break;
    default: break;
    }
    return f->ops->ioctl == NULL ? -ENOTTY : f->ops->ioctl(f, request, arg);
}
