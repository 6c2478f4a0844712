/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/fs/union/union.h"

#include <linux/magic.h>

#include "libos/fs/dentry.h"
#include "libos/fs/dirindex.h"
#include "libos/mm/kmem.h"

#define BUCKETS      4096u
#define BELOW_INO    (1ull << 62) /* keeps the numbers of the two trees apart */
#define OPAQUE_XATTR "trusted.overlay.opaque"

struct union_super {
    struct superblock *sb;
    struct superblock *above;
    struct superblock *below;
    struct union_inode *bucket[BUCKETS]; /* by union_key; namespace lock */
};

struct union_inode {
    struct inode inode;
    struct union_inode *next;
    struct inode *above; /* references; one of them is there, both for a merged directory */
    struct inode *below;
    struct dirindex index; /* of a directory with something below; namespace lock */
    bool listed;
};

static const struct inode_ops g_union_ops;

static struct union_inode *union_of(struct inode *inode)
{
    return container_of(inode, struct union_inode, inode);
}

static struct inode *real_of(struct inode *inode)
{
    struct union_inode *u = union_of(inode);

    return u->above != NULL ? u->above : u->below;
}

static struct union_inode **bucket_of(struct union_super *s, const struct inode *key)
{
    uint64_t h = ((uint64_t)(uintptr_t)key >> 4) * 0x9e3779b97f4a7c15ull;

    return &s->bucket[(h >> 40) % BUCKETS];
}

static uint64_t below_ino(uint64_t ino)
{
    return ino ^ BELOW_INO;
}

/* The inode of a pair; takes its own references. Namespace lock held. */
static int pair(struct union_super *s, struct inode *above, struct inode *below, struct inode **ret)
{
    struct inode *key = above != NULL ? above : below;
    struct union_inode *u = *bucket_of(s, key);
    struct kstat st;

    while (u != NULL && (u->above != above || u->below != below || !ref_try_get(&u->inode.refs))) {
        u = u->next;
    }
    if (u != NULL) {
        *ret = &u->inode;
        return 0;
    }
    int r = inode_getattr(key, &st);

    if (r < 0) {
        return r;
    }
    u = kzalloc(sizeof(*u));
    if (u == NULL) {
        return -ENOMEM;
    }
    inode_init(&u->inode, s->sb, &g_union_ops, above != NULL ? st.ino : below_ino(st.ino),
               &(struct inode_new){.mode = st.mode, .uid = st.uid, .gid = st.gid, .rdev = st.rdev});
    inode_adopt_stat(&u->inode, &st);
    u->above = above != NULL ? inode_get(above) : NULL;
    u->below = below != NULL ? inode_get(below) : NULL;
    u->next = *bucket_of(s, key);
    *bucket_of(s, key) = u;
    *ret = &u->inode;
    return 0;
}

static void union_evict(struct inode *inode)
{
    struct union_inode *u = union_of(inode);
    struct union_inode **link = bucket_of(inode->sb->priv, real_of(inode));

    ns_lock();
    while (*link != NULL && *link != u) {
        link = &(*link)->next;
    }
    if (*link == u) {
        *link = u->next;
    }
    dirindex_clear(&u->index);
    inode_put(u->above);
    inode_put(u->below);
    ns_unlock();
    inode_destroy(inode);
    kfree(u);
}

/* When in doubt (the attribute cannot be read) the directory is whole. */
static bool hides_below(struct inode *dir)
{
    char value[2];
    int64_t n;

    if (dir->ops->getxattr == NULL) {
        return false;
    }
    n = dir->ops->getxattr(dir, OPAQUE_XATTR, value, sizeof(value));
    return n != -ENODATA && !(n == 1 && value[0] != 'y');
}

static int lookup_in(struct inode *dir, const struct qstr *name, struct inode **ret)
{
    int r = dir == NULL || !S_ISDIR(dir->mode) ? -ENOENT : dir->ops->lookup(dir, name, ret);

    if (r == -ENOENT) {
        *ret = NULL;
        r = 0;
    }
    return r;
}

static int union_lookup(struct inode *dir, const struct qstr *name, struct inode **ret)
{
    const struct union_inode *u = union_of(dir);
    struct inode *above = NULL;
    struct inode *below = NULL;
    int r = lookup_in(u->above, name, &above);

    if (r < 0) {
        return r; /* whatever is wrong with the image, the host does not answer for it */
    }
    if (above == NULL || (S_ISDIR(above->mode) && !hides_below(above))) {
        r = lookup_in(u->below, name, &below);
    }
    /* A host that answers with an error takes its own names away, not the image's. */
    if (above != NULL && r != -ENOMEM && (r < 0 || (below != NULL && !S_ISDIR(below->mode)))) {
        inode_put(below);
        below = NULL;
        r = 0;
    }
    if (r == 0) {
        r = above == NULL && below == NULL ? -ENOENT : pair(dir->sb->priv, above, below, ret);
    }
    inode_put(above);
    inode_put(below);
    return r;
}

/* ---- listing ---- */

struct merge {
    struct dir_context ctx;
    struct dirindex *index;
    bool below;
    int error;
};

static bool merge_one(struct dir_context *ctx, const char *name, size_t len, uint64_t ino,
                      uint8_t type, uint64_t next)
{
    struct merge *m = container_of(ctx, struct merge, ctx);
    struct qstr q = qstr_make(name, len);
    struct dir_entry *e = NULL;

    if (dirindex_find(m->index, &q) == NULL) {
        m->error = dirindex_add(m->index, &q, NULL, m->below ? below_ino(ino) : ino, type, &e);
    }
    return m->error == 0;
}

static int merge_from(struct dirindex *index, struct inode *dir, bool below)
{
    struct merge m = {.ctx.emit = merge_one, .index = index, .below = below};
    int r = dir == NULL ? 0 : dir->ops->readdir(dir, &m.ctx);

    return r < 0 ? r : m.error;
}

static int union_readdir(struct inode *dir, struct dir_context *ctx)
{
    struct union_inode *u = union_of(dir);

    if (u->below == NULL) {
        return u->above->ops->readdir(u->above, ctx);
    }
    if (!u->listed) {
        int r = merge_from(&u->index, u->above, false);

        r = r < 0 ? r : merge_from(&u->index, u->below, true);
        if (r < 0) {
            dirindex_clear(&u->index);
            return r;
        }
        u->listed = true;
    }
    return dirindex_emit(&u->index, ctx, NULL);
}

/* ---- content ---- */

static int union_readlink(struct inode *inode, char *dst, size_t size)
{
    struct inode *real = real_of(inode);

    return real->ops->readlink(real, dst, size);
}

static int64_t union_read(struct inode *inode, struct iter *to, uint64_t offset)
{
    struct inode *real = real_of(inode);

    return real->ops->read(real, to, offset);
}

static int64_t union_seek_data(struct inode *inode, uint64_t offset, bool hole)
{
    struct inode *real = real_of(inode);

    if (real->ops->seek_data != NULL) {
        return real->ops->seek_data(real, offset, hole);
    }
    return hole ? (int64_t)inode->size : (int64_t)offset;
}

static int union_fsync(struct inode *inode, bool data_only)
{
    return 0; /* nothing here can change */
}

static int64_t union_getxattr(struct inode *inode, const char *name, void *dst, size_t size)
{
    struct inode *real = real_of(inode);

    return real->ops->getxattr == NULL ? -ENODATA : real->ops->getxattr(real, name, dst, size);
}

static int64_t union_listxattr(struct inode *inode, char *dst, size_t size)
{
    struct inode *real = real_of(inode);

    return real->ops->listxattr == NULL ? 0 : real->ops->listxattr(real, dst, size);
}

static int union_open(struct inode *inode, struct file *file)
{
    struct inode *real = real_of(inode);

    return real->ops->open == NULL || S_ISDIR(inode->mode) ? 0 : real->ops->open(real, file);
}

static const struct inode_ops g_union_ops = {
    .lookup = union_lookup,
    .readdir = union_readdir,
    .readlink = union_readlink,
    .read = union_read,
    .seek_data = union_seek_data,
    .fsync = union_fsync,
    .getxattr = union_getxattr,
    .listxattr = union_listxattr,
    .open = union_open,
    .evict = union_evict,
};

static int union_statfs(struct superblock *sb, struct kstatfs *ret)
{
    const struct union_super *s = sb->priv;

    return s->above->ops->statfs == NULL ? 0 : s->above->ops->statfs(s->above, ret);
}

static void union_free(struct superblock *sb)
{
    struct union_super *s = sb->priv;

    super_free(s->above);
    super_free(s->below);
    kfree(s);
}

static const struct super_ops g_union_super_ops = {.statfs = union_statfs, .free = union_free};

int union_create(struct superblock *above, struct superblock *below, struct superblock **ret)
{
    struct superblock *sb =
        super_alloc("union", &g_union_super_ops, SB_RDONLY | (below->flags & SB_UNSAFE));
    struct union_super *s = kzalloc(sizeof(*s));
    int r = sb == NULL || s == NULL ? -ENOMEM : 0;

    if (r == 0) {
        s->sb = sb;
        s->above = above;
        s->below = below;
        sb->priv = s;
        sb->magic = OVERLAYFS_SUPER_MAGIC;
        ns_lock();
        r = pair(s, above->root, hides_below(above->root) ? NULL : below->root, &sb->root);
        ns_unlock();
    }
    if (r < 0) {
        kfree(s);
        kfree(sb);
        return r;
    }
    *ret = sb;
    return 0;
}
