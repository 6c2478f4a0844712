/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/hostfs/hostfs_internal.h"

#include <linux/magic.h>

#include "core/overflow.h"
#include "libos/host/host_io.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"

#define LISTING_BUFFER 65536u
#define PATH_DEPTH_MAX 1024

static const struct inode_ops g_ro_ops;
static const struct inode_ops g_rw_ops;

int hostfs_path(const struct hostfs_inode *h, const struct qstr *name, char **ret)
{
    size_t len = name == NULL ? 0 : name->len + 1;
    int depth = 0;

    for (const struct hostfs_inode *i = h; i->parent != NULL; i = i->parent) {
        len += str_len(i->name) + 1;
        if (++depth > PATH_DEPTH_MAX || len > PATH_MAX) {
            return -ENAMETOOLONG;
        }
    }
    char *buf = kmalloc(len + 2);

    if (buf == NULL) {
        return -ENOMEM;
    }
    if (len == 0) {
        buf[0] = '.';
        buf[1] = '\0';
        *ret = buf;
        return 0;
    }
    size_t at = len - 1; /* no slash at the end */

    buf[at] = '\0';
    if (name != NULL) {
        at -= name->len;
        __builtin_memcpy(buf + at, name->s, name->len);
    }
    for (const struct hostfs_inode *i = h; i->parent != NULL; i = i->parent) {
        size_t n = str_len(i->name);

        if (at != len - 1) {
            buf[--at] = '/';
        }
        at -= n;
        __builtin_memcpy(buf + at, i->name, n);
    }
    *ret = buf;
    return 0;
}

void hostfs_take_stat(struct hostfs_inode *h, const struct host_stat *st)
{
    struct inode *i = &h->inode;

    i->mode = st->mode;
    i->uid = st->uid;
    i->gid = st->gid;
    i->nlink = (uint32_t)st->nlink;
    i->rdev = st->rdev;
    i->size = (uint64_t)st->size;
    i->blocks = (uint64_t)st->blocks;
    i->atime = (struct timestamp){.sec = st->atime, .nsec = (uint32_t)st->atime_ns};
    i->mtime = (struct timestamp){.sec = st->mtime, .nsec = (uint32_t)st->mtime_ns};
    i->ctime = (struct timestamp){.sec = st->ctime, .nsec = (uint32_t)st->ctime_ns};
    i->btime = i->ctime;
}

static struct hostfs_inode **bucket_of(struct hostfs_super *s, uint64_t dev, uint64_t ino)
{
    return &s->bucket[(ino ^ dev * 31) % HOSTFS_BUCKETS];
}

static int inode_new(struct hostfs_super *s, struct hostfs_inode *parent, const struct qstr *name,
                     const struct host_stat *st, struct hostfs_inode **ret)
{
    struct hostfs_inode *h = kzalloc(sizeof(*h));

    if (h == NULL) {
        return -ENOMEM;
    }
    if (name != NULL) {
        h->name = kstrndup(name->s, name->len);
        if (h->name == NULL) {
            kfree(h);
            return -ENOMEM;
        }
    }
    inode_init(&h->inode, s->sb, s->writable ? &g_rw_ops : &g_ro_ops, 0,
               &(struct inode_new){.mode = st->mode});
    h->host_dev = st->dev;
    h->host_ino = st->ino;
    /* other devices below the root keep their numbers apart */
    h->inode.ino = st->dev == s->root_dev ? st->ino : st->ino ^ (st->dev * 0x9e3779b97f4a7c15ull);
    h->fd = -1;
    list_init(&h->lru);
    list_init(&h->fd_lru);
    hostfs_take_stat(h, st);
    if (parent != NULL) {
        h->parent = parent;
        (void)inode_get(&parent->inode);
    }
    h->next = *bucket_of(s, st->dev, st->ino);
    *bucket_of(s, st->dev, st->ino) = h;
    *ret = h;
    return 0;
}

static void hostfs_evict(struct inode *inode)
{
    struct hostfs_inode *h = hostfs_of(inode);
    struct hostfs_super *s = hostfs_super_of(inode);

    ns_lock();
    struct hostfs_inode **link = bucket_of(s, h->host_dev, h->host_ino);

    while (*link != NULL && *link != h) {
        link = &(*link)->next;
    }
    if (*link == h) {
        *link = h->next;
    }
    hostfs_cache_drop(h);
    hostfs_fd_drop(h);
    dirindex_clear(&h->listing);
    if (h->parent != NULL) {
        inode_put(&h->parent->inode);
    }
    ns_unlock();
    kfree(h->name);
    kfree(h->target);
    inode_destroy(inode);
    kfree(h);
}

/* An inode we know by its host identity, or a new one. A known one whose type changed under us is
 * another file that got a freed number. */
static int inode_for(struct hostfs_inode *dir, const struct qstr *name, const struct host_stat *st,
                     struct inode **ret)
{
    struct hostfs_super *s = hostfs_super_of(&dir->inode);
    struct hostfs_inode *h = *bucket_of(s, st->dev, st->ino);

    while (h != NULL &&
           (h->host_dev != st->dev || h->host_ino != st->ino ||
            ((h->inode.mode ^ st->mode) & S_IFMT) != 0 || !ref_try_get(&h->inode.refs))) {
        h = h->next;
    }
    if (h == NULL) {
        int r = inode_new(s, dir, name, st, &h);

        if (r < 0) {
            return r;
        }
        *ret = &h->inode;
        return 0;
    }
    if (s->writable) {
        hostfs_take_stat(h, st);
    }
    *ret = &h->inode;
    return 0;
}

int hostfs_lookup(struct inode *dir, const struct qstr *name, struct inode **ret)
{
    struct hostfs_inode *h = hostfs_of(dir);
    struct hostfs_super *s = hostfs_super_of(dir);
    _cleanup_kfree_ char *path = NULL;
    struct host_stat st;

    if (!s->writable && h->listed && dirindex_find(&h->listing, name) == NULL) {
        return -ENOENT;
    }
    int r = hostfs_path(h, name, &path);

    if (r < 0) {
        return r;
    }
    r = host_fstatat(s->root_fd, path, AT_SYMLINK_NOFOLLOW, &st);
    return r < 0 ? r : inode_for(h, name, &st, ret);
}

/* Adds the records of one getdents answer. Marks what it saw in `kind` for the pass-through kind,
 * where names that went away must go from the index too. */
static int add_records(struct hostfs_inode *h, const uint8_t *p, size_t size)
{
    while (size > 0) {
        uint64_t ino;
        uint16_t reclen;

        __builtin_memcpy(&ino, p, 8);
        __builtin_memcpy(&reclen, p + 16, 2); /* checked by host_getdents */
        const char *name = (const char *)p + 19;
        struct qstr q = qstr_make(name, str_len(name));
        uint8_t type = p[18] <= DT_SOCK ? p[18] : DT_UNKNOWN;

        p += reclen;
        size -= reclen;
        if (str_equal(name, ".") || str_equal(name, "..")) {
            continue;
        }
        struct dir_entry *e = dirindex_find(&h->listing, &q);

        if (e == NULL) {
            if (h->listing.count >= HOSTFS_DIR_MAX) {
                return -EIO;
            }
            int r = dirindex_add(&h->listing, &q, NULL, ino, type, &e);

            if (r < 0) {
                return r;
            }
        }
        e->ino = ino;
        e->type = type;
        e->kind = 1;
    }
    return 0;
}

static void forget_unseen(struct dirindex *d)
{
    for (struct dir_entry *e = dirindex_next(d, 0); e != NULL;) {
        uint64_t next = e->cookie + 1;

        if (e->kind == 0) {
            dirindex_remove(d, e);
        } else {
            e->kind = 0;
        }
        e = dirindex_next(d, next);
    }
}

/* Reads the whole directory. A host that never ends is stopped by HOSTFS_DIR_MAX or, when it
 * repeats itself, by the number of turns a directory of that size can take. */
static int list_directory(struct hostfs_inode *h)
{
    struct hostfs_super *s = hostfs_super_of(&h->inode);
    _cleanup_kfree_ char *path = NULL;
    _cleanup_kfree_ uint8_t *buf = kmalloc(LISTING_BUFFER);
    int r = buf == NULL ? -ENOMEM : hostfs_path(h, NULL, &path);

    if (r < 0) {
        return r;
    }
    int fd = host_openat(s->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);

    if (fd < 0) {
        return fd;
    }
    for (uint32_t turn = 0; r == 0; turn++) {
        int64_t n = host_getdents(fd, buf, LISTING_BUFFER);

        if (n <= 0) {
            r = (int)n;
            break;
        }
        r = turn > HOSTFS_DIR_MAX / 64 ? -EIO : add_records(h, buf, (size_t)n);
    }
    (void)host_close(fd);
    if (r < 0) {
        dirindex_clear(&h->listing);
        return r;
    }
    forget_unseen(&h->listing);
    h->listed = true;
    return 0;
}

static int hostfs_readdir(struct inode *dir, struct dir_context *ctx)
{
    struct hostfs_inode *h = hostfs_of(dir);

    if (!h->listed || (hostfs_super_of(dir)->writable && ctx->pos <= DIR_FIRST_COOKIE)) {
        int r = list_directory(h);

        if (r < 0) {
            return r;
        }
    }
    return dirindex_emit(&h->listing, ctx, NULL);
}

static int hostfs_readlink(struct inode *inode, char *dst, size_t size)
{
    struct hostfs_inode *h = hostfs_of(inode);
    _cleanup_kfree_ char *path = NULL;

    if (h->target != NULL) {
        size_t n = MIN(str_len(h->target), size);

        __builtin_memcpy(dst, h->target, n);
        return (int)n;
    }
    int r = hostfs_path(h, NULL, &path);

    if (r < 0) {
        return r;
    }
    int64_t n = host_readlinkat(hostfs_super_of(inode)->root_fd, path, dst, size);

    if (n > 0 && !hostfs_super_of(inode)->writable) {
        h->target = kstrndup(dst, (size_t)n); /* without memory it is asked again */
    }
    return (int)n;
}

static int hostfs_getattr(struct inode *inode, struct kstat *ret)
{
    struct hostfs_inode *h = hostfs_of(inode);
    _cleanup_kfree_ char *path = NULL;
    struct host_stat st;
    int r = 0;

    mutex_lock(&inode->lock);
    if (h->fd >= 0) {
        r = host_fstat(h->fd, &st);
    } else {
        r = hostfs_path(h, NULL, &path);
        if (r == 0) {
            r = host_fstatat(hostfs_super_of(inode)->root_fd, path, AT_SYMLINK_NOFOLLOW, &st);
        }
    }
    if (r == 0) {
        hostfs_take_stat(h, &st);
    }
    inode_stat(inode, ret);
    mutex_unlock(&inode->lock);
    return r == -ENOENT ? 0 : r; /* removed but open or watched: what we last knew */
}

/* Regular files are opened when first read; here only to see whether they can be. */
static int hostfs_open(struct inode *inode, struct file *f)
{
    struct hostfs_inode *h = hostfs_of(inode);
    int fd = 0;

    if (S_ISDIR(inode->mode)) {
        return 0;
    }
    if (!S_ISREG(inode->mode)) {
        return -ENXIO; /* devices, pipes and sockets of the host are none of ours */
    }
    if (hostfs_super_of(inode)->writable) {
        mutex_lock(&inode->lock);
        fd = hostfs_fd(h, (f->mode & FILE_WRITE) != 0);
        mutex_unlock(&inode->lock);
    }
    return MIN(fd, 0);
}

static const struct inode_ops g_ro_ops = {
    .lookup = hostfs_lookup,
    .readdir = hostfs_readdir,
    .readlink = hostfs_readlink,
    .read = hostfs_read,
    .open = hostfs_open,
    .evict = hostfs_evict,
};

static const struct inode_ops g_rw_ops = {
    .lookup = hostfs_lookup,
    .create = hostfs_create_in,
    .link = hostfs_link,
    .unlink = hostfs_unlink,
    .rmdir = hostfs_rmdir,
    .rename = hostfs_rename,
    .readdir = hostfs_readdir,
    .readlink = hostfs_readlink,
    .getattr = hostfs_getattr,
    .setattr = hostfs_setattr,
    .read = hostfs_read,
    .write = hostfs_write,
    .fallocate = hostfs_fallocate,
    .fsync = hostfs_sync,
    .open = hostfs_open,
    .evict = hostfs_evict,
};

static int hostfs_statfs(struct superblock *sb, struct kstatfs *ret)
{
    const struct hostfs_super *s = sb->priv;
    struct host_statfs st;
    int r = host_fstatfs(s->root_fd, &st);

    if (r < 0) {
        return r;
    }
    *ret = (struct kstatfs){
        .magic = (uint64_t)st.type,
        .bsize = (uint64_t)st.bsize,
        .blocks = st.blocks,
        .bfree = st.bfree,
        .bavail = st.bavail,
        .files = st.files,
        .ffree = st.ffree,
        .namelen = (uint64_t)st.namelen,
    };
    return 0;
}

static void hostfs_free(struct superblock *sb)
{
    struct hostfs_super *s = sb->priv;

    (void)host_close(s->root_fd);
    kfree(s);
}

static const struct super_ops g_hostfs_super_ops = {.statfs = hostfs_statfs, .free = hostfs_free};

int hostfs_create(int root_fd, bool writable, struct superblock **ret)
{
    struct hostfs_inode *root = NULL;
    struct host_stat st;
    int r = host_fstat(root_fd, &st);

    if (r < 0) {
        return r;
    }
    if (!S_ISDIR(st.mode)) {
        return -ENOTDIR;
    }
    struct superblock *sb =
        super_alloc("host", &g_hostfs_super_ops,
                    SB_UNSAFE | SB_NODEV | (writable ? SB_VOLATILE | SB_SHARED : SB_RDONLY));
    struct hostfs_super *s = kzalloc(sizeof(*s));

    if (sb == NULL || s == NULL) {
        kfree(sb);
        kfree(s);
        return -ENOMEM;
    }
    s->sb = sb;
    s->root_fd = root_fd;
    s->writable = writable;
    s->root_dev = st.dev;
    sb->priv = s;
    sb->magic = EXT4_SUPER_MAGIC;
    r = inode_new(s, NULL, NULL, &st, &root);
    if (r < 0) {
        kfree(sb);
        kfree(s);
        return r;
    }
    sb->root = &root->inode;
    *ret = sb;
    return 0;
}
