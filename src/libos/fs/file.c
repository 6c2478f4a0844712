/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/file.h"
#include "libos/family/remote.h"
#include "libos/family/rpc.h"

#include <linux/inotify.h>
#include <linux/memfd.h>
#include <linux/resource.h>

#include "libos/fs/fs_context.h"
#include "libos/fs/locks.h"
#include "libos/fs/memfs/memfs.h"
#include "libos/fs/notify.h"
#include "libos/fs/pipe.h"
#include "libos/fs/poll.h"
#include "libos/fs/touched.h"
#include "libos/lib/str.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/signal/signal.h"
#include "libos/sys/limits.h"
#include "libos/time/clock.h"

#define SIGXFSZ_    25
#define RELATIME_S  (24 * 60 * 60)
#define IO_SIZE_MAX 0x7ffff000u /* MAX_RW_COUNT */

static struct file *file_alloc(uint32_t flags, uint32_t mode)
{
    struct file *f = kzalloc(sizeof(*f));

    if (f != NULL) {
        ref_init(&f->refs);
        f->flags = flags;
        f->mode = mode;
        list_init(&f->epoll_items);
    }
    return f;
}

static uint32_t mode_of_flags(uint32_t flags)
{
    switch (flags & O_ACCMODE) {
    case O_RDONLY: return FILE_READ;
    case O_WRONLY: return FILE_WRITE;
    case O_RDWR: return FILE_READ | FILE_WRITE;
    default: return 0;
    }
}

static void count_writer(struct inode *inode, int by)
{
    (void)__atomic_add_fetch(&inode->write_count, by, __ATOMIC_RELAXED);
}

void file_put(struct file *f)
{
    if (f == NULL || !ref_put(&f->refs)) {
        return;
    }
    if (!list_empty(&f->epoll_items)) {
        epoll_file_closed(f);
    }
    if (f->inode != NULL && (f->mode & FILE_PATH) == 0) {
        locks_released(f);
        if (notify_active() && (f->mode & (FILE_ANON | FILE_REMOTE)) == 0) {
            notify_path(&f->path, (f->mode & FILE_WRITE) != 0 ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
        }
    }
    if (f->ops != NULL && f->ops->release != NULL) {
        f->ops->release(f);
    }
    if (f->inode != NULL && (f->mode & (FILE_WRITE | FILE_ANON)) == FILE_WRITE &&
        S_ISREG(f->inode->mode)) {
        count_writer(f->inode, -1);
    }
    path_put(&f->path);
    kfree(f);
}

static int dispatch_open(struct inode *inode, struct file *f)
{
    if (inode->ops->open != NULL) {
        return inode->ops->open(inode, f);
    }
    if (S_ISFIFO(inode->mode)) {
        const int r = family_is_member() ? remote_pipe_again(inode, f) : -ENOENT;

        return r == -ENOENT ? fifo_open(inode, f) : r;
    }
    return S_ISREG(inode->mode) || S_ISDIR(inode->mode) ? 0 : -ENXIO;
}

/* Either a running program or somebody who writes, never both. */
static int begin_write(struct inode *inode)
{
    int32_t n = __atomic_load_n(&inode->write_count, __ATOMIC_RELAXED);

    do {
        if (n < 0) {
            return -ETXTBSY;
        }
    } while (!__atomic_compare_exchange_n(&inode->write_count, &n, n + 1, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return 0;
}

int file_open_path(const struct path *path, uint32_t flags, struct file **ret)
{
    struct inode *inode = path_inode(path);
    struct file *f = file_alloc(flags, (flags & O_PATH) != 0 ? FILE_PATH : mode_of_flags(flags));
    int r = 0;

    if (f == NULL) {
        return -ENOMEM;
    }
    f->ops = &inode_file_ops;
    if ((f->mode & FILE_WRITE) != 0 && S_ISREG(inode->mode)) {
        r = begin_write(inode);
        if (r < 0) {
            kfree(f);
            return r;
        }
    }
    f->path = *path;
    path_get(&f->path);
    f->inode = inode;
    if ((f->mode & FILE_PATH) == 0) {
        r = dispatch_open(inode, f);
        if (r < 0) {
            f->ops = NULL;
            file_put(f);
            return r;
        }
        if (notify_active()) {
            notify_path(&f->path, IN_OPEN);
        }
        touched_note(&f->path);
    }
    *ret = f;
    return 0;
}

int file_on_inode(struct inode *inode, const char *name, const struct file_ops *ops, uint32_t flags,
                  uint32_t mode, void *priv, struct file **ret)
{
    struct file *f = file_alloc(flags, mode | FILE_ANON);

    if (f == NULL) {
        return -ENOMEM;
    }
    int r = dentry_anonymous(inode, name, &f->path.dentry);

    if (r < 0) {
        kfree(f);
        return r;
    }
    f->inode = inode;
    f->ops = ops;
    f->priv = priv;
    /* No writer is counted: a memfd may be executed by the descriptor it was written through. */
    *ret = f;
    return 0;
}

void file_label(const struct file_ops *ops, uint64_t ino, char *dst, size_t size)
{
    const char *open = str_chr(ops->name, '[');

    if (open != NULL && open[1] == '%') {
        (void)kprintf(dst, size, "%s:[%lu]", ops->name[0] == 'p' ? "pipe" : "socket", ino);
    } else {
        str_copy(dst, size, ops->name);
    }
}

int file_anonymous(const struct file_ops *ops, uint32_t type, uint32_t flags, uint32_t mode,
                   void *priv, struct file **ret)
{
    struct superblock *sb = NULL;
    struct inode *inode = NULL;
    char name[64];
    int r = memfs_internal(&sb);

    if (r < 0) {
        return r;
    }
    r = memfs_new_inode(sb,
                        &(struct inode_new){.mode = type | 0600,
                                            .uid = process_current()->fsuid,
                                            .gid = process_current()->fsgid},
                        &inode);
    if (r < 0) {
        return r;
    }
    file_label(ops, inode->ino, name, sizeof(name));
    r = file_on_inode(inode, name, ops, flags, mode, priv, ret);
    if (r < 0) {
        inode_put(inode);
    }
    return r;
}

/* relatime, as every distribution mounts. */
static void touch_atime(struct file *f)
{
    struct inode *inode = f->inode;
    struct timestamp now;

    if ((f->flags & O_NOATIME) != 0 || (inode->sb->flags & SB_RDONLY) != 0 ||
        mount_read_only(f->path.mnt) || inode->ops->getattr != NULL) {
        return;
    }
    clock_timestamp(&now);
    mutex_lock(&inode->lock);
    const struct timestamp *a = &inode->atime;
    const struct timestamp *m = &inode->mtime;

    if (a->sec < m->sec || (a->sec == m->sec && a->nsec <= m->nsec) ||
        now.sec - a->sec >= RELATIME_S) {
        inode->atime = now;
    }
    mutex_unlock(&inode->lock);
}

static int64_t inode_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    struct inode *inode = f->inode;

    if (S_ISDIR(inode->mode)) {
        return -EISDIR;
    }
    if (inode->ops->read == NULL) {
        return -EINVAL;
    }
    int64_t n = inode->ops->read(inode, to, *pos);

    if (n > 0) {
        *pos += (uint64_t)n;
        touch_atime(f);
    }
    return n;
}

int file_too_big(void)
{
    (void)signal_send_self(SIGXFSZ_);
    return -EFBIG;
}

/* RLIMIT_FSIZE: what is below the limit may be written, then SIGXFSZ and EFBIG. */
static int limit_write(struct iter *from, uint64_t pos)
{
    uint64_t limit = MIN(limit_current(RLIMIT_FSIZE), (uint64_t)INT64_MAX);

    if (from->left == 0) {
        return 0;
    }
    if (pos >= limit) {
        return limit < INT64_MAX ? file_too_big() : -EFBIG;
    }
    from->left = MIN(from->left, limit - pos);
    return 0;
}

/* Writing takes the set-id bits away, unless root writes. */
static void strip_set_id(struct inode *inode)
{
    uint32_t bits = inode->mode & (S_ISUID | S_ISGID);

    if (bits == 0 || capable_root()) {
        return;
    }
    if ((bits & S_ISGID) != 0 && (inode->mode & 0010) == 0) {
        bits &= ~(uint32_t)S_ISGID;
    }
    mutex_lock(&inode->lock);
    inode->mode &= ~bits;
    mutex_unlock(&inode->lock);
}

static int64_t inode_write(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    struct inode *inode = f->inode;
    bool append =
        (__atomic_load_n(&f->flags, __ATOMIC_RELAXED) & O_APPEND) != 0 || (flags & RWF_APPEND) != 0;

    if (inode->ops->write == NULL) {
        return -EINVAL;
    }
    int r = limit_write(from, append ? inode->size : *pos);

    if (r < 0) {
        return r;
    }
    strip_set_id(inode);
    int64_t n = inode->ops->write(inode, from, pos, append);

    if (n > 0) {
        *pos += (uint64_t)n;
        if (((f->flags & O_DSYNC) != 0 || (flags & (RWF_DSYNC | RWF_SYNC)) != 0) &&
            inode->ops->fsync != NULL) {
            r = inode->ops->fsync(inode, /*data_only=*/true);
        }
    }
    return r < 0 ? r : n;
}

int64_t file_seek_nothing(struct file *f, int64_t offset, int whence)
{
    return 0;
}

uint64_t file_position(struct file *f)
{
    int64_t r;

    if ((f->mode & FILE_REMOTE) == 0) {
        return f->pos;
    }
    r = f->ops->seek(f, 0, SEEK_CUR);
    return r < 0 ? 0 : (uint64_t)r;
}

static int64_t inode_seek(struct file *f, int64_t offset, int whence)
{
    struct inode *inode = f->inode;
    int64_t base = 0;

    switch (whence) {
    case SEEK_SET: break;
    case SEEK_CUR: base = (int64_t)f->pos; break;
    case SEEK_END: {
        struct kstat st;
        int r = inode_getattr(inode, &st);

        if (r < 0) {
            return r;
        }
        base = S_ISDIR(inode->mode) ? INT64_MAX : (int64_t)st.size;
        break;
    }
    case SEEK_DATA:
    case SEEK_HOLE: {
        struct kstat st;
        int r = inode_getattr(inode, &st);

        if (r < 0) {
            return r;
        }
        if (offset < 0 || (uint64_t)offset >= st.size) {
            return -ENXIO;
        }
        if (inode->ops->seek_data != NULL) {
            base = inode->ops->seek_data(inode, (uint64_t)offset, whence == SEEK_HOLE);
            if (base < 0) {
                return base;
            }
        } else {
            base = whence == SEEK_HOLE ? (int64_t)st.size : offset;
        }
        offset = 0;
        break;
    }
    default: return -EINVAL;
    }
    if (__builtin_add_overflow(base, offset, &base)) {
        return -EOVERFLOW;
    }
    if (base < 0) {
        return -EINVAL;
    }
    f->pos = (uint64_t)base;
    return base;
}

static int inode_readdir(struct file *f, struct dir_context *ctx)
{
    struct inode *dir = f->inode;
    struct dentry *parent = NULL;
    int r = 0;

    if (!S_ISDIR(dir->mode)) {
        return -ENOTDIR;
    }
    ns_lock();
    parent = f->path.dentry->parent;
    if (f->path.mnt != NULL && f->path.dentry == f->path.mnt->root &&
        f->path.mnt->mountpoint != NULL) {
        parent = f->path.mnt->mountpoint->parent;
    }
    if (ctx->pos == 0) {
        if (!ctx->emit(ctx, ".", 1, dir->ino, DT_DIR, 1)) {
            goto out;
        }
        ctx->pos = 1;
    }
    if (ctx->pos == 1) {
        if (!ctx->emit(ctx, "..", 2, parent->inode->ino, DT_DIR, 2)) {
            goto out;
        }
        ctx->pos = 2;
    }
    if ((dir->flags & INODE_DEAD_DIR) == 0) {
        r = dir->ops->readdir(dir, ctx);
    }
out:
    ns_unlock();
    return r;
}

static uint32_t inode_poll(struct file *f, struct poll_table *pt)
{
    return EV_READ | EV_WRITE;
}

static int inode_fsync_file(struct file *f, bool data_only)
{
    return f->inode->ops->fsync == NULL ? 0 : f->inode->ops->fsync(f->inode, data_only);
}

const struct file_ops inode_file_ops = {
    .name = "file",
    .read = inode_read,
    .write = inode_write,
    .seek = inode_seek,
    .readdir = inode_readdir,
    .poll = inode_poll,
    .fsync = inode_fsync_file,
};

/* flags of preadv2 and pwritev2 that mean something here */
#define RWF_READ_KNOWN  ((uint32_t)(RWF_HIPRI | RWF_NOWAIT))
#define RWF_WRITE_KNOWN ((uint32_t)(RWF_HIPRI | RWF_NOWAIT | RWF_DSYNC | RWF_SYNC | RWF_APPEND))

int64_t file_read_iter(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    if ((f->mode & FILE_READ) == 0) {
        return -EBADF;
    }
    if (f->ops->read == NULL) {
        return -EINVAL;
    }
    if ((flags & ~RWF_READ_KNOWN) != 0) {
        return -EOPNOTSUPP;
    }
    to->left = MIN(to->left, (uint64_t)IO_SIZE_MAX);
    int64_t n = f->ops->read(f, to, pos, flags);

    if (n > 0 && notify_active() && (f->mode & (FILE_ANON | FILE_REMOTE)) == 0) {
        notify_path(&f->path, IN_ACCESS);
    }
    return n;
}

int64_t file_write_iter(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    if ((f->mode & FILE_WRITE) == 0) {
        return -EBADF;
    }
    if (f->ops->write == NULL) {
        return -EINVAL;
    }
    if ((flags & ~RWF_WRITE_KNOWN) != 0) {
        return -EOPNOTSUPP;
    }
    from->left = MIN(from->left, (uint64_t)IO_SIZE_MAX);
    int64_t n = f->ops->write(f, from, pos, flags);

    if (n > 0 && notify_active() && (f->mode & (FILE_ANON | FILE_REMOTE)) == 0) {
        notify_path(&f->path, IN_MODIFY);
    }
    return n;
}

int file_truncate(struct inode *inode, uint64_t size)
{
    if (S_ISDIR(inode->mode)) {
        return -EISDIR;
    }
    if (!S_ISREG(inode->mode)) {
        return -EINVAL;
    }
    if (size > limit_current(RLIMIT_FSIZE)) {
        return file_too_big();
    }
    struct iattr attr = {.valid = ATTR_SIZE | ATTR_MTIME, .size = size};

    clock_timestamp(&attr.mtime);
    strip_set_id(inode);
    return inode_setattr(inode, &attr);
}

uint32_t file_poll(struct file *f, struct poll_table *pt)
{
    return f->ops->poll == NULL ? EV_READ | EV_WRITE : f->ops->poll(f, pt);
}

/* ---- for the loader and memory maps ---- */

int64_t file_pread(struct file *f, void *dst, size_t size, uint64_t offset)
{
    struct iter it;
    int64_t done = 0;

    if (f->inode == NULL || f->inode->ops->read == NULL) {
        return -ENODEV;
    }
    iter_init_kernel(&it, dst, size);
    while (it.left > 0) {
        int64_t n = f->inode->ops->read(f->inode, &it, offset + (uint64_t)done);

        if (n < 0) {
            return done > 0 ? done : n;
        }
        if (n == 0) {
            break;
        }
        done += n;
    }
    return done;
}

int64_t file_pwrite(struct file *f, const void *src, size_t size, uint64_t offset)
{
    struct inode *inode = f->inode;
    struct kstat st;
    struct iter it;

    if (inode == NULL || inode->ops->write == NULL) {
        return -ENODEV;
    }
    int r = inode_getattr(inode, &st);

    if (r < 0) {
        return r;
    }
    if (offset >= st.size) {
        return 0;
    }
    iter_init_kernel(&it, src, MIN(size, st.size - offset));
    return inode->ops->write(inode, &it, &offset, /*append=*/false);
}

int file_stat(struct file *f, struct kstat *ret)
{
    return inode_getattr(f->inode, ret);
}

int file_may_map(struct file *f, bool exec, bool write, bool shared)
{
    if (f->inode == NULL || !S_ISREG(f->inode->mode) || f->inode->ops->read == NULL) {
        return -ENODEV;
    }
    if ((f->mode & FILE_READ) == 0 || (shared && write && (f->mode & FILE_WRITE) == 0)) {
        return -EACCES;
    }
    if (exec && ((f->inode->sb->flags & SB_NOEXEC) != 0 ||
                 (f->path.mnt != NULL && (f->path.mnt->flags & SB_NOEXEC) != 0))) {
        return -EPERM;
    }
    if (shared && write && (f->inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0) {
        return -EPERM;
    }
    return 0;
}

int file_path_text(struct file *f, char *buf, size_t size, char **ret)
{
    struct path root;

    fs_get_root(&root);
    int r = path_text(&f->path, &root, /*strict=*/false, buf, size, ret);

    path_put(&root);
    return r;
}

int file_deny_write(struct file *f)
{
    int32_t n = __atomic_load_n(&f->inode->write_count, __ATOMIC_RELAXED);

    do {
        if (n > 0) {
            return -ETXTBSY;
        }
    } while (!__atomic_compare_exchange_n(&f->inode->write_count, &n, n - 1, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return 0;
}

void file_allow_write(struct file *f)
{
    count_writer(f->inode, 1);
}
