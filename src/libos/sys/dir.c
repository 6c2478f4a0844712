/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Directories and names: mkdir, rmdir, unlink, rename, link, symlink, mknod, getdents, chdir,
 * getcwd, chroot, readlink. */

#include "libos/fs/fs_context.h"
#include "libos/fs/names.h"
#include "libos/proc/thread.h"
#include "libos/sys/path_arg.h"
#include "libos/sys/syscall.h"

static int64_t make_node(int dirfd, uint64_t user_path, uint32_t mode, uint64_t rdev)
{
    _cleanup_kfree_ char *name = NULL;
    struct inode_new what = {.mode = mode, .rdev = rdev};
    int r = user_get_path(user_path, &name);

    return r < 0 ? r : name_create(dirfd, name, &what, NULL);
}

SYSCALL_2(mkdir, uint64_t, path, uint32_t, mode)
{
    return make_node(AT_FDCWD, path, S_IFDIR | (mode & 01777), 0);
}

SYSCALL_3(mkdirat, int, dirfd, uint64_t, path, uint32_t, mode)
{
    return make_node(dirfd, path, S_IFDIR | (mode & 01777), 0);
}

static int64_t mknod_common(int dirfd, uint64_t path, uint32_t mode, uint32_t dev)
{
    switch (mode & S_IFMT) {
    case 0: mode |= S_IFREG; break;
    case S_IFREG:
    case S_IFIFO:
    case S_IFSOCK: break;
    case S_IFCHR:
        if (dev == 0) { /* the whiteout that everybody may make */
            break;
        }
        return -EPERM;
    case S_IFBLK: return -EPERM; /* devices exist in /dev alone */
    case S_IFDIR: return -EPERM;
    default: return -EINVAL;
    }
    return make_node(dirfd, path, mode & (S_IFMT | 07777), dev);
}

SYSCALL_3(mknod, uint64_t, path, uint32_t, mode, uint32_t, dev)
{
    return mknod_common(AT_FDCWD, path, mode, dev);
}

SYSCALL_4(mknodat, int, dirfd, uint64_t, path, uint32_t, mode, uint32_t, dev)
{
    return mknod_common(dirfd, path, mode, dev);
}

static int64_t symlink_common(uint64_t user_target, int dirfd, uint64_t user_path)
{
    _cleanup_kfree_ char *target = NULL;
    _cleanup_kfree_ char *name = NULL;
    int r = user_get_path(user_target, &target);

    if (r == 0) {
        r = user_get_path(user_path, &name);
    }
    if (r < 0) {
        return r;
    }
    if (target[0] == '\0') {
        return -ENOENT;
    }
    return name_create(dirfd, name, &(struct inode_new){.mode = S_IFLNK | 0777, .target = target},
                       NULL);
}

SYSCALL_2(symlink, uint64_t, target, uint64_t, path)
{
    return symlink_common(target, AT_FDCWD, path);
}

SYSCALL_3(symlinkat, uint64_t, target, int, dirfd, uint64_t, path)
{
    return symlink_common(target, dirfd, path);
}

static int64_t unlink_common(int dirfd, uint64_t user_path, bool dir)
{
    _cleanup_kfree_ char *name = NULL;
    int r = user_get_path(user_path, &name);

    if (r < 0) {
        return r;
    }
    return dir ? name_rmdir(dirfd, name) : name_unlink(dirfd, name);
}

SYSCALL_1(unlink, uint64_t, path)
{
    return unlink_common(AT_FDCWD, path, /*dir=*/false);
}

SYSCALL_1(rmdir, uint64_t, path)
{
    return unlink_common(AT_FDCWD, path, /*dir=*/true);
}

SYSCALL_3(unlinkat, int, dirfd, uint64_t, path, int, flags)
{
    if ((flags & ~AT_REMOVEDIR) != 0) {
        return -EINVAL;
    }
    return unlink_common(dirfd, path, (flags & AT_REMOVEDIR) != 0);
}

typedef int two_names_fn(int from_dirfd, const char *from, int to_dirfd, const char *to, int flags);

static int64_t two_names(int from_dirfd, uint64_t user_from, int to_dirfd, uint64_t user_to,
                         int flags, two_names_fn *f)
{
    _cleanup_kfree_ char *from = NULL;
    _cleanup_kfree_ char *to = NULL;
    int r = user_get_path(user_from, &from);

    if (r == 0) {
        r = user_get_path(user_to, &to);
    }
    return r < 0 ? r : f(from_dirfd, from, to_dirfd, to, flags);
}

static int rename_names(int from_dirfd, const char *from, int to_dirfd, const char *to, int flags)
{
    return name_rename(from_dirfd, from, to_dirfd, to, (uint32_t)flags);
}

SYSCALL_2(rename, uint64_t, from, uint64_t, to)
{
    return two_names(AT_FDCWD, from, AT_FDCWD, to, 0, rename_names);
}

SYSCALL_4(renameat, int, from_dirfd, uint64_t, from, int, to_dirfd, uint64_t, to)
{
    return two_names(from_dirfd, from, to_dirfd, to, 0, rename_names);
}

SYSCALL_5(renameat2, int, from_dirfd, uint64_t, from, int, to_dirfd, uint64_t, to, uint32_t, flags)
{
    return two_names(from_dirfd, from, to_dirfd, to, (int)flags, rename_names);
}

SYSCALL_2(link, uint64_t, from, uint64_t, to)
{
    return two_names(AT_FDCWD, from, AT_FDCWD, to, 0, name_link);
}

SYSCALL_5(linkat, int, from_dirfd, uint64_t, from, int, to_dirfd, uint64_t, to, int, flags)
{
    return two_names(from_dirfd, from, to_dirfd, to, flags, name_link);
}

/* ---- reading directories ---- */

#define DENTS_BUFFER 32768u

/* Entries are put together in library OS memory under the namespace lock and copied out after. */
struct dents {
    struct dir_context ctx;
    uint8_t *buf;
    size_t size, used;
    bool old_layout; /* getdents(2): the type is the record's last byte */
    bool full;       /* an entry did not fit although nothing was emitted */
};

static bool emit_dirent(struct dir_context *ctx, const char *name, size_t len, uint64_t ino,
                        uint8_t type, uint64_t next)
{
    struct dents *d = container_of(ctx, struct dents, ctx);
    size_t head = d->old_layout ? 18 : 19;
    size_t reclen = (head + len + (d->old_layout ? 2 : 1) + 7) & ~(size_t)7;
    uint8_t *p = d->buf + d->used;
    uint16_t reclen16 = (uint16_t)reclen;

    if (reclen > d->size - d->used) {
        d->full = d->used == 0;
        return false;
    }
    __builtin_memset(p, 0, reclen);
    __builtin_memcpy(p, &ino, 8);
    __builtin_memcpy(p + 8, &next, 8);
    __builtin_memcpy(p + 16, &reclen16, 2);
    __builtin_memcpy(p + head, name, len);
    p[d->old_layout ? reclen - 1 : 18] = type;
    d->used += reclen;
    return true;
}

static int64_t getdents_common(int fd, uint64_t user_buf, uint32_t size, bool old_layout)
{
    _cleanup_file_ struct file *f = fd_get(fd);
    struct dents d = {.ctx.emit = emit_dirent, .old_layout = old_layout};

    if (f == NULL) {
        return -EBADF;
    }
    if (f->ops->readdir == NULL || !S_ISDIR(f->inode->mode)) {
        return -ENOTDIR;
    }
    d.size = MIN(size, DENTS_BUFFER);
    d.buf = kmalloc(MAX(d.size, (size_t)1));
    if (d.buf == NULL) {
        return -ENOMEM;
    }
    mutex_lock(&f->pos_lock);
    int64_t r = -ENOENT;

    if ((f->inode->flags & INODE_DEAD_DIR) == 0) {
        d.ctx.pos = f->pos;
        r = f->ops->readdir(f, &d.ctx);
    }
    if (r == 0) {
        r = d.full ? -EINVAL : user_copy_out(user_buf, d.buf, d.used);
    }
    if (r == 0) {
        f->pos = d.ctx.pos;
        r = (int64_t)d.used;
    }
    mutex_unlock(&f->pos_lock);
    kfree(d.buf);
    return r;
}

SYSCALL_3(getdents64, int, fd, uint64_t, buf, uint32_t, size)
{
    return getdents_common(fd, buf, size, /*old_layout=*/false);
}

SYSCALL_3(getdents, int, fd, uint64_t, buf, uint32_t, size)
{
    return getdents_common(fd, buf, size, /*old_layout=*/true);
}

/* ---- where a process is ---- */

static int may_enter(const struct path *p)
{
    if (!S_ISDIR(path_inode(p)->mode)) {
        return -ENOTDIR;
    }
    return inode_permission(path_inode(p), MAY_EXEC, /*real=*/false);
}

SYSCALL_1(chdir, uint64_t, user_path)
{
    struct path p = {0};
    int r = path_arg(AT_FDCWD, user_path, 0, /*follow=*/true, &p);

    if (r < 0) {
        return r;
    }
    r = may_enter(&p);
    if (r == 0) {
        fs_set_cwd(&p);
    }
    path_put(&p);
    return r;
}

SYSCALL_1(fchdir, int, fd)
{
    _cleanup_file_ struct file *f = fd_get_path(fd);

    if (f == NULL) {
        return -EBADF;
    }
    int r = may_enter(&f->path);

    if (r == 0) {
        fs_set_cwd(&f->path);
    }
    return r;
}

SYSCALL_1(chroot, uint64_t, user_path)
{
    struct path p = {0};
    int r = path_arg(AT_FDCWD, user_path, 0, /*follow=*/true, &p);

    if (r < 0) {
        return r;
    }
    r = may_enter(&p);
    if (r == 0 && !capable_root()) {
        r = -EPERM;
    }
    if (r == 0) {
        fs_set_root(&p);
    }
    path_put(&p);
    return r;
}

SYSCALL_2(getcwd, uint64_t, user_buf, uint64_t, size)
{
    _cleanup_kfree_ char *buf = kmalloc(PATH_MAX);
    struct path cwd;
    struct path root;
    char *text = NULL;

    if (buf == NULL) {
        return -ENOMEM;
    }
    fs_get_cwd(&cwd);
    fs_get_root(&root);
    int64_t r = path_text(&cwd, &root, /*strict=*/true, buf, PATH_MAX, &text);

    path_put(&cwd);
    path_put(&root);
    if (r < 0) {
        return r;
    }
    size_t n = (size_t)(buf + PATH_MAX - text); /* with the terminator */

    if (n > size) {
        return -ERANGE;
    }
    r = user_copy_out(user_buf, text, n);
    return r < 0 ? r : (int64_t)n;
}

/* ---- readlink ---- */

static int64_t magic_text(struct inode *link, char *buf, size_t size, char **ret)
{
    struct path target = {0};
    struct path root;
    int r;

    ns_lock();
    r = link->ops->magic_link(link, &target);
    ns_unlock();
    if (r < 0) {
        return r;
    }
    fs_get_root(&root);
    r = path_text(&target, &root, /*strict=*/false, buf, size, ret);
    path_put(&target);
    path_put(&root);
    return r < 0 ? r : (int64_t)(buf + size - *ret - 1);
}

static int64_t readlink_common(int dirfd, uint64_t user_path, uint64_t user_buf, int size)
{
    _cleanup_kfree_ char *buf = NULL;
    struct path p = {0};
    int64_t n = -EINVAL;

    if (size <= 0) {
        return -EINVAL;
    }
    /* "" with a descriptor of the link itself, as readlinkat(2) allows */
    int r = path_arg(dirfd, user_path, dirfd == AT_FDCWD ? 0 : AT_EMPTY_PATH, /*follow=*/false, &p);

    if (r < 0) {
        return r;
    }
    struct inode *inode = path_inode(&p);
    char *text = NULL;

    if (S_ISLNK(inode->mode)) {
        buf = kmalloc(PATH_MAX);
        text = buf;
        if (buf == NULL) {
            n = -ENOMEM;
        } else if (inode->ops->magic_link != NULL) {
            n = magic_text(inode, buf, PATH_MAX, &text);
        } else {
            ns_lock();
            n = inode->ops->readlink(inode, buf, PATH_MAX);
            ns_unlock();
        }
    }
    path_put(&p);
    if (n > 0) {
        n = MIN(n, (int64_t)size);
        r = user_copy_out(user_buf, text, (size_t)n);
        n = r < 0 ? r : n;
    }
    return n;
}

SYSCALL_3(readlink, uint64_t, path, uint64_t, buf, int, size)
{
    return readlink_common(AT_FDCWD, path, buf, size);
}

SYSCALL_4(readlinkat, int, dirfd, uint64_t, path, uint64_t, buf, int, size)
{
    return readlink_common(dirfd, path, buf, size);
}
