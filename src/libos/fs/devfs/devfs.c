/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/devfs/devfs.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/magic.h>

#include "libos/fs/devfs/attestation.h"
#include "libos/fs/fd_table.h"
#include "libos/fs/poll.h"
#include "libos/fs/pseudo.h"
#include "libos/host/host.h"
#include "libos/lib/random.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"

#define RANDOM_CHUNK 256u

static int64_t null_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    return 0;
}

static int64_t null_write(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    uint64_t n = from->left;

    iter_skip(from, n);
    return (int64_t)n;
}

static int64_t zero_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    uint64_t want = to->left;
    size_t n = iter_zero(to, want);

    return n == 0 && want > 0 ? -EFAULT : (int64_t)n;
}

static int64_t full_write(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    return from->left == 0 ? 0 : -ENOSPC;
}

static int64_t random_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    uint8_t chunk[RANDOM_CHUNK];
    int64_t done = 0;

    while (to->left > 0) {
        size_t n = MIN(to->left, sizeof(chunk));

        random_bytes(chunk, n);
        size_t copied = iter_put(to, chunk, n);

        done += (int64_t)copied;
        if (copied < n) {
            return done > 0 ? done : -EFAULT;
        }
    }
    return done;
}

/* Characters like these have no position, yet seeking them succeeds. */
static int64_t dev_seek(struct file *f, int64_t offset, int whence)
{
    f->pos = 0;
    return 0;
}

static uint32_t dev_poll(struct file *f, struct poll_table *pt)
{
    return EV_READ | EV_WRITE;
}

#define RNDGETENTCNT_ 0x80045200u

static int64_t random_ioctl(struct file *f, uint32_t request, uint64_t arg)
{
    int32_t bits = 256;

    return request == RNDGETENTCNT_ ? user_put(arg, &bits) : -ENOTTY;
}

static const struct file_ops g_null_ops = {
    .name = "/dev/null",
    .read = null_read,
    .write = null_write,
    .seek = dev_seek,
    .poll = dev_poll,
};
static const struct file_ops g_zero_ops = {
    .name = "/dev/zero",
    .read = zero_read,
    .write = null_write,
    .seek = dev_seek,
    .poll = dev_poll,
};
static const struct file_ops g_full_ops = {
    .name = "/dev/full",
    .read = zero_read,
    .write = full_write,
    .seek = dev_seek,
    .poll = dev_poll,
};
static const struct file_ops g_random_ops = {
    .name = "/dev/urandom",
    .read = random_read,
    .write = null_write,
    .seek = dev_seek,
    .poll = dev_poll,
    .ioctl = random_ioctl,
};

/* /dev/tty and /dev/console: the first standard stream that is a character device. */
static struct file *terminal(void)
{
    for (int fd = 0; fd < 3; fd++) {
        struct file *f = fd_get(fd);

        if (f != NULL && S_ISCHR(f->inode->mode) && f->ops->host_fd != NULL) {
            return f;
        }
        file_put(f);
    }
    return NULL;
}

static int64_t tty_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    _cleanup_file_ struct file *t = terminal();

    return t == NULL ? -EIO : t->ops->read(t, to, NULL, flags);
}

static int64_t tty_write(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    _cleanup_file_ struct file *t = terminal();

    return t == NULL ? -EIO : t->ops->write(t, from, NULL, flags);
}

static int64_t tty_ioctl(struct file *f, uint32_t request, uint64_t arg)
{
    _cleanup_file_ struct file *t = terminal();

    return t == NULL || t->ops->ioctl == NULL ? -ENOTTY : t->ops->ioctl(t, request, arg);
}

static int tty_host_fd(const struct file *f)
{
    _cleanup_file_ struct file *t = terminal();

    return t == NULL ? -1 : t->ops->host_fd(t);
}

static uint32_t tty_poll(struct file *f, struct poll_table *pt)
{
    return 0;
}

static const struct file_ops g_tty_ops = {
    .name = "/dev/tty",
    .read = tty_read,
    .write = tty_write,
    .poll = tty_poll,
    .ioctl = tty_ioctl,
    .host_fd = tty_host_fd,
};

/* /dev/tty is there for a process with a terminal: one of its standard streams must be one. A
 * character device that is none (/dev/null) would make programs believe that somebody can answer.
 */
static int tty_check_open(uint64_t arg)
{
    for (int fd = 0; fd < 3; fd++) {
        _cleanup_file_ struct file *f = fd_get(fd);
        struct termios settings;

        if (f != NULL && S_ISCHR(f->inode->mode) && f->ops->host_fd != NULL &&
            host_ioctl(f->ops->host_fd(f), TCGETS, &settings, sizeof(settings)) >= 0) {
            return 0;
        }
    }
    return -ENXIO;
}

static int link_fd(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "/proc/self/fd");
    return 0;
}

/* arg is the descriptor plus one: 0 would mean "none of its own" */
static int link_stream(uint64_t arg, struct strbuf *out)
{
    strbuf_printf(out, "/proc/self/fd/%lu", arg - 1);
    return 0;
}

static int link_ptmx(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "pts/ptmx");
    return 0;
}

static const struct pseudo_entry g_pts[] = {
    {.name = "0", .mode = S_IFCHR | 0620, .ops = &g_tty_ops, .rdev = MAKEDEV(136, 0)},
    {0},
};

static const struct pseudo_entry g_empty[] = {{0}};

static const struct pseudo_entry g_dev[] = {
    {.name = "null", .mode = S_IFCHR | 0666, .ops = &g_null_ops, .rdev = MAKEDEV(1, 3)},
    {.name = "zero", .mode = S_IFCHR | 0666, .ops = &g_zero_ops, .rdev = MAKEDEV(1, 5)},
    {.name = "full", .mode = S_IFCHR | 0666, .ops = &g_full_ops, .rdev = MAKEDEV(1, 7)},
    {.name = "random", .mode = S_IFCHR | 0666, .ops = &g_random_ops, .rdev = MAKEDEV(1, 8)},
    {.name = "urandom", .mode = S_IFCHR | 0666, .ops = &g_random_ops, .rdev = MAKEDEV(1, 9)},
    {.name = "tty",
     .mode = S_IFCHR | 0666,
     .ops = &g_tty_ops,
     .check_open = tty_check_open,
     .rdev = MAKEDEV(5, 0)},
    {.name = "console", .mode = S_IFCHR | 0600, .ops = &g_tty_ops, .rdev = MAKEDEV(5, 1)},
    {.name = "stdin", .mode = S_IFLNK | 0777, .link = link_stream, .arg = 1},
    {.name = "stdout", .mode = S_IFLNK | 0777, .link = link_stream, .arg = 2},
    {.name = "stderr", .mode = S_IFLNK | 0777, .link = link_stream, .arg = 3},
    {.name = "fd", .mode = S_IFLNK | 0777, .link = link_fd},
    {.name = "ptmx", .mode = S_IFLNK | 0777, .link = link_ptmx},
    {.name = "attestation", .mode = S_IFDIR | 0755, .entries = attestation_entries},
    {.name = "pts", .mode = S_IFDIR | 0755, .entries = g_pts},
    {.name = "shm", .mode = S_IFDIR | 01777, .entries = g_empty},
    {.name = "mqueue", .mode = S_IFDIR | 01777, .entries = g_empty},
    {0},
};

static const struct pseudo_entry g_root = {.mode = S_IFDIR | 0755, .entries = g_dev};

int devfs_create(struct superblock **ret)
{
    return pseudo_create("devtmpfs", TMPFS_MAGIC, &g_root, 0, ret);
}

/* ---- for the agent ---- */

static struct pseudo_entry g_private = {
    .name = "nacre", .mode = S_IFCHR | 0600, .rdev = MAKEDEV(10, 255)};

static int find_private(uint64_t arg, const struct qstr *name, const struct pseudo_entry **ret,
                        uint64_t *ret_arg)
{
    if (name->len != str_len(g_private.name) ||
        __builtin_memcmp(name->s, g_private.name, name->len) != 0) {
        return -ENOENT;
    }
    *ret = &g_private;
    return 0;
}

static const struct pseudo_entry g_agent_root = {
    .mode = S_IFDIR | 0755, .entries = g_dev, .find = find_private};

int devfs_create_agent(const struct file_ops *private_ops, struct superblock **ret)
{
    g_private.ops = private_ops;
    return pseudo_create("devtmpfs", TMPFS_MAGIC, &g_agent_root, 0, ret);
}
