/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The standard streams: descriptors of the host as files. Whatever is written there leaves the
 * enclave in clear, by the user's wish. */

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <asm/termios.h>

#include "libos/fs/hostfs/hostfs.h"
#include "libos/fs/memfs/memfs.h"
#include "libos/fs/poll.h"
#include "libos/host/host.h"
#include "libos/host/host_io.h"
#include "libos/mm/kmem.h"
#include "libos/proc/thread.h"
#include "libos/sys/syscall.h"

static int fd_of(const struct file *f)
{
    return (int)(intptr_t)f->priv;
}

static int64_t restart(int64_t r)
{
    return r == -EINTR ? -ERESTARTSYS : r;
}

/* Host files keep their own position, which other processes of the host may share. */
static const uint64_t *host_position(const struct file *f, const uint64_t *pos)
{
    return pos == NULL || *pos == f->pos ? NULL : pos;
}

static int64_t stream_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    if ((f->mode & FILE_STREAM) != 0 && to->left > 0) {
        /* wait where signals reach us, then read what is there */
        int r =
            file_wait(f, EV_IN, file_nonblock(f) || (flags & RWF_NOWAIT) != 0 ? 0 : WAIT_FOREVER);

        if (r < 0) {
            return r;
        }
    }
    int64_t n = restart(host_read_iter(fd_of(f), to, host_position(f, pos)));

    if (n > 0 && pos != NULL) {
        *pos += (uint64_t)n;
    }
    return n;
}

static int64_t stream_write(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    int64_t done = 0;

    if ((f->mode & FILE_STREAM) != 0 && file_nonblock(f)) {
        int r = file_wait(f, EV_OUT, 0);

        if (r < 0) {
            return r;
        }
    }
    while (from->left > 0) {
        uint64_t at = pos == NULL ? 0 : *pos + (uint64_t)done;
        int64_t n = host_write_iter(fd_of(f), from, host_position(f, pos) == NULL ? NULL : &at);

        if (n == -EAGAIN && !file_nonblock(f)) { /* somebody made the host's side non-blocking */
            n = file_wait(f, EV_OUT, WAIT_FOREVER);
            if (n == 0) {
                continue;
            }
        }
        if (n <= 0) {
            done = done > 0 ? done : restart(n);
            break;
        }
        done += n;
        if (file_nonblock(f)) {
            break;
        }
    }
    if (done > 0 && pos != NULL) {
        *pos += (uint64_t)done;
    }
    return done;
}

static int64_t stream_seek(struct file *f, int64_t offset, int whence)
{
    int64_t r = host_lseek(fd_of(f), offset, whence);

    if (r >= 0) {
        f->pos = (uint64_t)r;
    }
    return r;
}

static uint32_t stream_poll(struct file *f, struct poll_table *pt)
{
    return 0; /* the host knows: host_fd */
}

static int stream_host_fd(const struct file *f)
{
    return fd_of(f);
}

/* What leaves as an ioctl, with the size of its argument. */
static const struct {
    uint32_t request;
    uint32_t size;
} g_ioctls[] = {
    {TCGETS, sizeof(struct termios)},     {TCSETS, sizeof(struct termios)},
    {TCSETSW, sizeof(struct termios)},    {TCSETSF, sizeof(struct termios)},
    {TIOCGWINSZ, sizeof(struct winsize)}, {TIOCSWINSZ, sizeof(struct winsize)},
    {TIOCGPGRP, sizeof(int32_t)},         {TIOCSPGRP, sizeof(int32_t)},
    {TIOCGSID, sizeof(int32_t)},          {FIONREAD, sizeof(int32_t)},
    {TIOCOUTQ, sizeof(int32_t)},
};

static int64_t stream_ioctl(struct file *f, uint32_t request, uint64_t arg)
{
    uint8_t buf[64] = {0};

    for (size_t i = 0; i < ARRAY_COUNT(g_ioctls); i++) {
        size_t size = g_ioctls[i].size;

        if (g_ioctls[i].request != request) {
            continue;
        }
        int r = user_check(arg, size);

        if (r == 0 && request != FIONREAD && request != TCGETS && request != TIOCGWINSZ) {
            r = user_copy_in(buf, arg, size);
        }
        int64_t n = r < 0 ? r : host_ioctl(fd_of(f), request, buf, size);

        return n < 0 ? n : user_copy_out(arg, buf, size);
    }
    return -ENOTTY;
}

static int stream_fsync(struct file *f, bool data_only)
{
    return host_fsync(fd_of(f), data_only);
}

static const struct file_ops g_stream_ops = {
    .name = "/dev/pts/0",
    .read = stream_read,
    .write = stream_write,
    .seek = stream_seek,
    .poll = stream_poll,
    .ioctl = stream_ioctl,
    .fsync = stream_fsync,
    .host_fd = stream_host_fd,
};

static const struct file_ops g_stream_pipe_ops = {
    .name = "pipe:[%lu]",
    .read = stream_read,
    .write = stream_write,
    .poll = stream_poll,
    .ioctl = stream_ioctl,
    .host_fd = stream_host_fd,
};

/* The inode owns the host descriptor: /dev/stdout opens it again by way of /proc/self/fd/1. */
struct stream_inode {
    struct inode inode;
    int fd;
};

static int stream_open(struct inode *inode, struct file *f)
{
    f->ops = S_ISFIFO(inode->mode) || S_ISSOCK(inode->mode) ? &g_stream_pipe_ops : &g_stream_ops;
    f->priv = (void *)(intptr_t)container_of(inode, struct stream_inode, inode)->fd;
    if (!S_ISREG(inode->mode)) {
        f->mode |= FILE_STREAM;
    }
    return 0;
}

static void stream_evict(struct inode *inode)
{
    struct stream_inode *s = container_of(inode, struct stream_inode, inode);

    if (s->fd >= 0) {
        (void)host_close(s->fd);
    }
    inode->object = NULL;
    inode_destroy(inode);
    kfree(s);
}

static const struct inode_ops g_stream_inode_ops = {.open = stream_open, .evict = stream_evict};

static int stream_inode_new(int host_fd, const struct host_stat *st, struct inode **ret)
{
    struct superblock *sb = NULL;
    int r = memfs_internal(&sb);

    if (r < 0) {
        return r;
    }
    struct stream_inode *s = kzalloc(sizeof(*s));

    if (s == NULL) {
        return -ENOMEM;
    }
    inode_init(&s->inode, sb, &g_stream_inode_ops,
               __atomic_fetch_add(&sb->next_ino, 1, __ATOMIC_RELAXED),
               &(struct inode_new){.mode = (st->mode & S_IFMT) | 0620,
                                   .uid = process_current()->fsuid,
                                   .gid = process_current()->fsgid,
                                   .rdev = S_ISCHR(st->mode) ? st->rdev : 0});
    s->fd = host_fd;
    s->inode.size = (uint64_t)st->size;
    *ret = &s->inode;
    return 0;
}

int hoststream_open(int host_fd, uint32_t flags, struct file **ret)
{
    struct inode *inode = NULL;
    struct host_stat st;
    char name[48];
    uint32_t mode = 0;
    int r = host_fstat(host_fd, &st);

    r = r < 0 ? r : stream_inode_new(host_fd, &st, &inode);
    if (r < 0) {
        return r;
    }
    switch (flags & O_ACCMODE) {
    case O_RDONLY: mode = FILE_READ; break;
    case O_WRONLY: mode = FILE_WRITE; break;
    default: mode = FILE_READ | FILE_WRITE; break;
    }
    bool pipe = S_ISFIFO(st.mode) || S_ISSOCK(st.mode);
    const struct file_ops *ops = pipe ? &g_stream_pipe_ops : &g_stream_ops;

    mode |= S_ISREG(st.mode) ? 0 : FILE_STREAM;
    file_label(ops, inode->ino, name, sizeof(name));
    r = file_on_inode(inode, name, ops, flags, mode, (void *)(intptr_t)host_fd, ret);
    if (r < 0) {
        container_of(inode, struct stream_inode, inode)->fd = -1; /* stays the caller's */
        inode_put(inode);
        return r;
    }
    if ((mode & FILE_STREAM) == 0) {
        int64_t pos = host_lseek(host_fd, 0, SEEK_CUR);

        (*ret)->pos = pos < 0 ? 0 : (uint64_t)pos;
    }
    return 0;
}
