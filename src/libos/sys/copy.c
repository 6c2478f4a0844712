/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * sendfile, copy_file_range, splice, tee, vmsplice. All of them copy through a buffer of the
 * library OS: there are no pages to give away between enclave and host, and inside one a copy of
 * 64 KiB costs less than the bookkeeping of sharing.
 */

#include "libos/fs/file.h"
#include "libos/fs/pipe.h"
#include "libos/fs/poll.h"
#include "libos/mm/kmem.h"
#include "libos/sys/syscall.h"

#define COPY_CHUNK       65536u
#define COPY_MAX         0x7ffff000ull
#define SPLICE_NONBLOCK_ 2u
#define SPLICE_FLAGS     0xfu

/* One end of a copy: a file at its own position, or at an offset of the caller's. */
struct end {
    struct file *f;
    bool explicit_pos;
    uint64_t pos;
    uint32_t flags; /* RWF_* of each transfer */
};

static int64_t transfer(struct end *e, struct iter *it, bool write)
{
    uint64_t *pos = (e->f->mode & FILE_STREAM) != 0 ? NULL : &e->pos;

    return write ? file_write_iter(e->f, it, pos, e->flags)
                 : file_read_iter(e->f, it, pos, e->flags);
}

/* Takes the position from the file, keeping others off it until end_drop. */
static void end_take(struct end *e)
{
    if (!e->explicit_pos && (e->f->mode & FILE_STREAM) == 0) {
        mutex_lock(&e->f->pos_lock);
        e->pos = file_position(e->f);
    }
}

static void end_drop(struct end *e)
{
    if (!e->explicit_pos && (e->f->mode & FILE_STREAM) == 0) {
        if ((e->f->mode & FILE_REMOTE) != 0) {
            (void)e->f->ops->seek(e->f, (int64_t)e->pos, SEEK_SET);
        } else {
            e->f->pos = e->pos;
        }
        mutex_unlock(&e->f->pos_lock);
    }
}

/* Moves up to `size` bytes. What was read and could not be written is given back to a file with
 * positions; a stream on the reading side is only read for as much as the writer has room. */
static int64_t copy_loop(struct end *in, struct end *out, uint64_t size, uint8_t *buf)
{
    int64_t done = 0;

    while ((uint64_t)done < size) {
        struct iter it;
        size_t want = MIN(size - (uint64_t)done, COPY_CHUNK);

        iter_init_kernel(&it, buf, want);
        int64_t got = transfer(in, &it, /*write=*/false);

        if (got <= 0) {
            return done > 0 ? done : got;
        }
        int64_t put = 0;

        while (put < got) {
            iter_init_kernel(&it, buf + put, (size_t)(got - put));
            int64_t n = transfer(out, &it, /*write=*/true);

            if (n <= 0) {
                in->pos -= (uint64_t)(got - put);
                return done + put > 0 ? done + put : n;
            }
            put += n;
        }
        done += got;
        if ((in->f->mode & FILE_STREAM) != 0) {
            break; /* a stream gives what it has */
        }
    }
    return done;
}

static int64_t copy(struct end *in, struct end *out, uint64_t size)
{
    uint8_t *buf = kpages_alloc(COPY_CHUNK >> NACRE_PAGE_SHIFT);

    if (buf == NULL) {
        return -ENOMEM;
    }
    /* lower address first: two copies in opposite directions must not wait for each other */
    struct end *first = (uintptr_t)in->f < (uintptr_t)out->f ? in : out;
    struct end *second = first == in ? out : in;

    end_take(first);
    if (first->f != second->f || first->explicit_pos) {
        end_take(second);
    }
    int64_t n = copy_loop(in, out, MIN(size, COPY_MAX), buf);

    if (first->f != second->f || first->explicit_pos) {
        end_drop(second);
    }
    end_drop(first);
    kpages_free(buf, COPY_CHUNK >> NACRE_PAGE_SHIFT);
    return n;
}

static int get_offset(uint64_t user, struct end *e)
{
    int64_t v;

    if (user == 0) {
        return 0;
    }
    int r = user_get(&v, user);

    if (r < 0) {
        return r;
    }
    if (v < 0) {
        return -EINVAL;
    }
    e->explicit_pos = true;
    e->pos = (uint64_t)v;
    return 0;
}

static int64_t put_offset(uint64_t user, const struct end *e, int64_t n)
{
    int r = user == 0 || n < 0 ? 0 : user_put(user, &e->pos);

    return r < 0 ? r : n;
}

SYSCALL_4(sendfile, int, out_fd, int, in_fd, uint64_t, user_offset, uint64_t, size)
{
    _cleanup_file_ struct file *in_file = fd_get(in_fd);
    _cleanup_file_ struct file *out_file = fd_get(out_fd);
    struct end in = {.f = in_file};
    struct end out = {.f = out_file};

    if (in_file == NULL || out_file == NULL || (in_file->mode & FILE_READ) == 0 ||
        (out_file->mode & FILE_WRITE) == 0) {
        return -EBADF;
    }
    if ((in_file->mode & FILE_STREAM) != 0) {
        return user_offset != 0 ? -ESPIPE : -EINVAL;
    }
    if ((out_file->flags & O_APPEND) != 0) {
        return -EINVAL;
    }
    int r = get_offset(user_offset, &in);

    return r < 0 ? r : put_offset(user_offset, &in, copy(&in, &out, size));
}

static bool same_range(const struct end *in, const struct end *out, uint64_t size)
{
    uint64_t a = in->explicit_pos ? in->pos : file_position(in->f);
    uint64_t b = out->explicit_pos ? out->pos : file_position(out->f);

    return in->f->inode == out->f->inode && a < b + size && b < a + size;
}

SYSCALL_6(copy_file_range, int, in_fd, uint64_t, user_in, int, out_fd, uint64_t, user_out, uint64_t,
          size, uint32_t, flags)
{
    _cleanup_file_ struct file *in_file = fd_get(in_fd);
    _cleanup_file_ struct file *out_file = fd_get(out_fd);
    struct end in = {.f = in_file};
    struct end out = {.f = out_file};

    if (in_file == NULL || out_file == NULL) {
        return -EBADF;
    }
    int r = get_offset(user_in, &in);

    r = r < 0 ? r : get_offset(user_out, &out);
    if (r < 0) {
        return r;
    }
    if (flags != 0) {
        return -EINVAL;
    }
    if (S_ISDIR(in_file->inode->mode) || S_ISDIR(out_file->inode->mode)) {
        return -EISDIR;
    }
    if (!S_ISREG(in_file->inode->mode) || !S_ISREG(out_file->inode->mode)) {
        return -EINVAL;
    }
    if ((in_file->mode & FILE_READ) == 0 || (out_file->mode & FILE_WRITE) == 0 ||
        (out_file->flags & O_APPEND) != 0) {
        return -EBADF;
    }
    size = MIN(size, COPY_MAX);
    if (same_range(&in, &out, size)) {
        return -EINVAL;
    }
    int64_t n = put_offset(user_in, &in, copy(&in, &out, size));

    return put_offset(user_out, &out, n);
}

/* Room in the pipe written to, so that a stream is not read for more than can be passed on. */
static uint64_t pipe_room(struct file *out, uint64_t size)
{
    struct pipe *p = pipe_of(out);

    return p == NULL ? size : MIN(size, (uint64_t)pipe_size(p));
}

SYSCALL_6(splice, int, in_fd, uint64_t, user_in, int, out_fd, uint64_t, user_out, uint64_t, size,
          uint32_t, flags)
{
    _cleanup_file_ struct file *in_file = fd_get(in_fd);
    _cleanup_file_ struct file *out_file = fd_get(out_fd);
    uint32_t rwf = (flags & SPLICE_NONBLOCK_) != 0 ? RWF_NOWAIT : 0;
    struct end in = {.f = in_file, .flags = rwf};
    struct end out = {.f = out_file, .flags = rwf};

    if ((flags & ~SPLICE_FLAGS) != 0) {
        return -EINVAL;
    }
    if (size == 0) {
        return 0;
    }
    if (in_file == NULL || out_file == NULL || (in_file->mode & FILE_READ) == 0 ||
        (out_file->mode & FILE_WRITE) == 0) {
        return -EBADF;
    }
    const bool in_pipe = S_ISFIFO(in_file->inode->mode);
    const bool out_pipe = S_ISFIFO(out_file->inode->mode);

    if ((in_pipe && user_in != 0) || (out_pipe && user_out != 0)) {
        return -ESPIPE;
    }
    if ((!in_pipe && !out_pipe) || (in_pipe && in_file->inode == out_file->inode) ||
        (out_file->flags & O_APPEND) != 0) {
        return -EINVAL;
    }
    int r = get_offset(user_in, &in);

    r = r < 0 ? r : get_offset(user_out, &out);
    if (r < 0) {
        return r;
    }
    int64_t n = put_offset(user_in, &in, copy(&in, &out, pipe_room(out_file, size)));

    return put_offset(user_out, &out, n);
}

SYSCALL_4(tee, int, in_fd, int, out_fd, uint64_t, size, uint32_t, flags)
{
    _cleanup_file_ struct file *in_file = fd_get(in_fd);
    _cleanup_file_ struct file *out_file = fd_get(out_fd);
    struct iter it;

    if ((flags & ~SPLICE_FLAGS) != 0) {
        return -EINVAL;
    }
    if (size == 0) {
        return 0;
    }
    if (in_file == NULL || out_file == NULL) {
        return -EBADF;
    }
    struct pipe *p = pipe_of(in_file);

    if (p == NULL || pipe_of(out_file) == NULL || p == pipe_of(out_file)) {
        return -EINVAL;
    }
    size_t room = MIN(size, (uint64_t)COPY_CHUNK);
    _cleanup_kfree_ uint8_t *buf = kmalloc(room);

    if (buf == NULL) {
        return -ENOMEM;
    }
    int64_t n = pipe_peek(p, buf, room);

    while (n == -EAGAIN && (flags & SPLICE_NONBLOCK_) == 0 && !file_nonblock(in_file)) {
        int r = file_wait(in_file, EV_IN, WAIT_FOREVER);

        if (r < 0) {
            return r;
        }
        n = pipe_peek(p, buf, room);
    }
    if (n <= 0) {
        return n;
    }
    iter_init_kernel(&it, buf, (size_t)n);
    return file_write_iter(out_file, &it, NULL, (flags & SPLICE_NONBLOCK_) != 0 ? RWF_NOWAIT : 0);
}

SYSCALL_4(vmsplice, int, fd, uint64_t, user_iov, uint64_t, count, uint32_t, flags)
{
    _cleanup_file_ struct file *f = fd_get(fd);
    uint32_t rwf = (flags & SPLICE_NONBLOCK_) != 0 ? RWF_NOWAIT : 0;
    struct user_iov iov;
    struct iter it;

    if ((flags & ~SPLICE_FLAGS) != 0) {
        return -EINVAL;
    }
    if (f == NULL || !S_ISFIFO(f->inode->mode)) {
        return -EBADF;
    }
    int r = user_get_iov(&iov, user_iov, count);

    if (r < 0) {
        return r;
    }
    iter_init_iov(&it, &iov);
    int64_t n = (f->mode & FILE_WRITE) != 0 ? file_write_iter(f, &it, NULL, rwf)
                                            : file_read_iter(f, &it, NULL, rwf);

    user_iov_free(&iov);
    return n;
}
