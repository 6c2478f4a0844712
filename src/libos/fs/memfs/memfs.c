/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/memfs/memfs_internal.h"

#include "libos/lib/str.h"
#include "libos/mm/kmem.h"

#define TMPFS_MAGIC    0x01021994u
#define DIR_ENTRY_SIZE 20u /* what tmpfs adds to a directory's size per entry */

static const struct inode_ops g_memfs_ops;

int memfs_new_inode(struct superblock *sb, const struct inode_new *what, struct inode **ret)
{
    struct memfs_inode *m = kzalloc(sizeof(*m));

    if (m == NULL) {
        return -ENOMEM;
    }
    inode_init(&m->inode, sb, &g_memfs_ops, __atomic_fetch_add(&sb->next_ino, 1, __ATOMIC_RELAXED),
               what);
    if (S_ISLNK(what->mode)) {
        m->target = kstrdup(what->target);
        if (m->target == NULL) {
            kfree(m);
            return -ENOMEM;
        }
        m->inode.size = str_len(m->target);
    }
    if (S_ISDIR(what->mode)) {
        m->inode.nlink = 2;
    }
    *ret = &m->inode;
    return 0;
}

static void memfs_evict(struct inode *inode)
{
    struct memfs_inode *m = memfs_of(inode);

    memfs_unshare(m);
    memfs_drop_pages(m, 0, UINT64_MAX);
    dirindex_clear(&m->dir);
    kfree(m->target);
    inode_destroy(inode);
    kfree(m);
}

static int memfs_lookup(struct inode *dir, const struct qstr *name, struct inode **ret)
{
    struct dir_entry *e = dirindex_find(&memfs_of(dir)->dir, name);

    if (e == NULL) {
        return -ENOENT;
    }
    *ret = inode_get(e->inode);
    return 0;
}

static void dir_changed(struct inode *dir, int entries)
{
    dir->size += (uint64_t)(int64_t)entries * DIR_ENTRY_SIZE;
    inode_touch(dir, /*atime=*/false, /*mtime=*/true);
}

static void nlink_add(struct inode *inode, int n)
{
    mutex_lock(&inode->lock);
    inode->nlink += (uint32_t)n;
    mutex_unlock(&inode->lock);
}

static int memfs_create_in(struct inode *dir, const struct qstr *name, const struct inode_new *what,
                           struct inode **ret)
{
    struct inode *inode = NULL;
    int r = memfs_new_inode(dir->sb, what, &inode);

    if (r < 0) {
        return r;
    }
    r = dirindex_add(&memfs_of(dir)->dir, name, inode, inode->ino, mode_to_dt(what->mode), NULL);
    if (r < 0) {
        inode_put(inode);
        return r;
    }
    if (S_ISDIR(what->mode)) {
        nlink_add(dir, 1);
    }
    dir_changed(dir, 1);
    *ret = inode_get(inode);
    return 0;
}

static int memfs_link(struct inode *dir, const struct qstr *name, struct inode *target)
{
    int r = dirindex_add(&memfs_of(dir)->dir, name, inode_get(target), target->ino,
                         mode_to_dt(target->mode), NULL);

    if (r < 0) {
        inode_put(target);
        return r;
    }
    nlink_add(target, 1);
    inode_touch_ctime(target);
    dir_changed(dir, 1);
    return 0;
}

static int memfs_unlink(struct inode *dir, const struct qstr *name, struct inode *victim)
{
    struct dirindex *d = &memfs_of(dir)->dir;
    struct dir_entry *e = dirindex_find(d, name);

    if (e == NULL) {
        return -ENOENT;
    }
    nlink_add(victim, -1);
    inode_touch_ctime(victim);
    dirindex_remove(d, e);
    dir_changed(dir, -1);
    return 0;
}

static int memfs_rmdir(struct inode *dir, const struct qstr *name, struct inode *victim)
{
    if (memfs_of(victim)->dir.count != 0) {
        return -ENOTEMPTY;
    }
    int r = memfs_unlink(dir, name, victim);

    if (r == 0) {
        nlink_add(victim, -1);
        nlink_add(dir, -1);
        victim->flags |= INODE_DEAD_DIR;
    }
    return r;
}

/* Directories count in their parent's links: a directory moves from one to the other. */
static void move_dir_link(const struct inode *moved, struct inode *from, struct inode *to)
{
    if (S_ISDIR(moved->mode) && from != to) {
        nlink_add(from, -1);
        nlink_add(to, 1);
    }
}

static int memfs_exchange(struct inode *from, const struct qstr *from_name, struct inode *source,
                          struct inode *to, const struct qstr *to_name, struct inode *target)
{
    struct dir_entry *a = dirindex_find(&memfs_of(from)->dir, from_name);
    struct dir_entry *b = dirindex_find(&memfs_of(to)->dir, to_name);

    if (a == NULL || b == NULL) {
        return -ENOENT;
    }
    struct inode *inode = a->inode;

    a->inode = b->inode;
    b->inode = inode;
    a->ino = a->inode->ino;
    b->ino = b->inode->ino;
    a->type = mode_to_dt(a->inode->mode);
    b->type = mode_to_dt(b->inode->mode);
    move_dir_link(source, from, to);
    move_dir_link(target, to, from);
    dir_changed(from, 0);
    dir_changed(to, 0);
    return 0;
}

static int memfs_rename(struct inode *from, const struct qstr *from_name, struct inode *source,
                        struct inode *to, const struct qstr *to_name, struct inode *target,
                        uint32_t flags)
{
    if ((flags & RENAME_EXCHANGE) != 0) {
        return memfs_exchange(from, from_name, source, to, to_name, target);
    }
    if (target != NULL && S_ISDIR(target->mode) && memfs_of(target)->dir.count != 0) {
        return -ENOTEMPTY;
    }
    struct dir_entry *e = dirindex_find(&memfs_of(from)->dir, from_name);

    if (e == NULL) {
        return -ENOENT;
    }
    /* the new entry first: it alone can fail */
    struct dir_entry *old = target == NULL ? NULL : dirindex_find(&memfs_of(to)->dir, to_name);
    int r = dirindex_add(&memfs_of(to)->dir, to_name, inode_get(source), source->ino,
                         mode_to_dt(source->mode), NULL);

    if (r < 0) {
        inode_put(source);
        return r;
    }
    if (old != NULL) {
        nlink_add(target, S_ISDIR(target->mode) ? -2 : -1);
        if (S_ISDIR(target->mode)) {
            nlink_add(to, -1);
            target->flags |= INODE_DEAD_DIR;
        }
        inode_touch_ctime(target);
        dirindex_remove(&memfs_of(to)->dir, old);
    }
    dirindex_remove(&memfs_of(from)->dir, e);
    move_dir_link(source, from, to);
    inode_touch_ctime(source);
    dir_changed(from, -1);
    dir_changed(to, old == NULL ? 1 : 0);
    return 0;
}

static int memfs_tmpfile(struct inode *dir, const struct inode_new *what, struct inode **ret)
{
    int r = memfs_new_inode(dir->sb, what, ret);

    if (r == 0) {
        (*ret)->nlink = 0;
    }
    return r;
}

static int memfs_readdir(struct inode *dir, struct dir_context *ctx)
{
    return dirindex_emit(&memfs_of(dir)->dir, ctx, NULL);
}

static int memfs_readlink(struct inode *inode, char *dst, size_t size)
{
    size_t n = MIN(size, (size_t)inode->size);

    __builtin_memcpy(dst, memfs_of(inode)->target, n);
    return (int)n;
}

static int memfs_setattr(struct inode *inode, const struct iattr *attr)
{
    if ((attr->valid & ATTR_SIZE) != 0) {
        int r = memfs_resize(inode, attr->size);

        if (r < 0) {
            return r;
        }
    }
    inode_setattr_copy(inode, attr);
    return 0;
}

static int memfs_fsync(struct inode *inode, bool data_only)
{
    return 0; /* memory is as durable as it will ever be */
}

static const struct inode_ops g_memfs_ops = {
    .lookup = memfs_lookup,
    .create = memfs_create_in,
    .link = memfs_link,
    .unlink = memfs_unlink,
    .rmdir = memfs_rmdir,
    .rename = memfs_rename,
    .tmpfile = memfs_tmpfile,
    .readdir = memfs_readdir,
    .readlink = memfs_readlink,
    .setattr = memfs_setattr,
    .read = memfs_read,
    .write = memfs_write,
    .fallocate = memfs_fallocate,
    .seek_data = memfs_seek_data,
    .fsync = memfs_fsync,
    .share = memfs_share,
    .evict = memfs_evict,
};

static int memfs_statfs(struct superblock *sb, struct kstatfs *ret)
{
    const struct memfs_super *s = sb->priv;

    *ret = (struct kstatfs){
        .magic = TMPFS_MAGIC,
        .bsize = NACRE_PAGE_SIZE,
        .blocks = s->max_pages,
        .namelen = 255,
    };
    if (s->max_pages != 0) {
        ret->bfree = s->max_pages - MIN(s->max_pages, s->pages);
        ret->bavail = ret->bfree;
        ret->files = s->max_pages;
        ret->ffree = s->max_pages;
    }
    return 0;
}

static void memfs_free(struct superblock *sb)
{
    kfree(sb->priv);
}

static const struct super_ops g_memfs_super_ops = {.statfs = memfs_statfs, .free = memfs_free};

int memfs_create(const struct memfs_options *options, struct superblock **ret)
{
    struct superblock *sb = super_alloc("tmpfs", &g_memfs_super_ops, options->flags | SB_SHARED);
    struct memfs_super *s = kzalloc(sizeof(*s));

    if (sb == NULL || s == NULL) {
        kfree(s);
        kfree(sb);
        return -ENOMEM;
    }
    s->sb = sb;
    s->max_pages = options->max_bytes >> NACRE_PAGE_SHIFT;
    sb->priv = s;
    sb->magic = TMPFS_MAGIC;
    int r = memfs_new_inode(sb, &(struct inode_new){.mode = S_IFDIR | (options->mode & 07777)},
                            &sb->root);

    if (r < 0) {
        kfree(s);
        kfree(sb);
        return r;
    }
    *ret = sb;
    return 0;
}

int memfs_internal(struct superblock **ret)
{
    static struct mutex g_lock;
    static struct superblock *g_sb;
    int r = 0;

    mutex_lock(&g_lock);
    if (g_sb == NULL) {
        r = memfs_create(&(struct memfs_options){.mode = 0700}, &g_sb);
    }
    *ret = g_sb;
    mutex_unlock(&g_lock);
    return r;
}
