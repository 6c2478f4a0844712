/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Names and attributes of a sealed image. Inodes are known by their nid, so that all names of a
 * file are one file. */

#include "libos/fs/sealed/sealed_internal.h"

#include "libos/fs/dentry.h"
#include "libos/lib/str.h"
#include "libos/lib/uapi.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"

/* Directory positions: 0, 1 and 2 are the start, "." and "..". */
#define COOKIE_FIRST 3u

static const struct inode_ops g_sealed_ops;

uint64_t sealed_default_cache(uint64_t memory_limit)
{
    return memory_limit == 0 ? SEALED_CACHE_DEFAULT : MIN(memory_limit / 4, SEALED_CACHE_DEFAULT);
}

int sealed_error(struct sealed_super *s, const struct erofs_inode *e, int r)
{
    switch (r) {
    case 0:
    case -EIO: /* reported where it was found */
    case -ENOENT:
    case -ENOTDIR:
    case -ENAMETOOLONG:
    case -ENODATA:
    case -ERANGE:
    case -EINVAL:
    case -ENOMEM: return r;
    default:
        if (r < 0) {
            store_report(&s->store, (e->nid * EROFS_NID_SIZE + s->erofs.meta_offset),
                         "is authentic, but the file system in it contradicts itself");
        }
        return r < 0 ? -EIO : r;
    }
}

/* ---- inodes ---- */

static struct sealed_inode **bucket_of(struct sealed_super *s, uint64_t nid)
{
    return &s->bucket[(nid * 0x9e3779b97f4a7c15ull >> 40) % SEALED_INODE_BUCKETS];
}

static void take_attributes(struct sealed_inode *si)
{
    const struct erofs_inode *e = &si->e;
    struct inode *i = &si->inode;

    i->nlink = e->nlink;
    i->size = e->size;
    i->blocks = (e->size + SEALED_BLOCK_SIZE - 1) / SEALED_BLOCK_SIZE * (SEALED_BLOCK_SIZE / 512);
    i->mtime = (struct timestamp){.sec = e->mtime, .nsec = e->mtime_nsec};
    i->atime = i->mtime;
    i->ctime = i->mtime;
    i->btime = i->mtime;
}

/* Namespace lock held. */
static int inode_for(struct sealed_super *s, uint64_t nid, struct inode **ret)
{
    struct sealed_inode **bucket = bucket_of(s, nid);
    struct sealed_inode *si = *bucket;
    struct erofs_inode e = {.nid = nid};
    int r;

    while (si != NULL && (si->e.nid != nid || !ref_try_get(&si->inode.refs))) {
        si = si->next;
    }
    if (si != NULL) {
        *ret = &si->inode;
        return 0;
    }
    r = sealed_error(s, &e, erofs_inode_read(&s->erofs, nid, &e));
    if (r < 0) {
        return r == -ENOMEM ? r : -EIO;
    }
    si = kzalloc(sizeof(*si));
    if (si == NULL) {
        return -ENOMEM;
    }
    /* No file has number 0: readdir(3) takes such entries for removed ones. */
    inode_init(&si->inode, s->sb, &g_sealed_ops, nid + 1,
               &(struct inode_new){.mode = e.mode, .uid = e.uid, .gid = e.gid, .rdev = e.rdev});
    si->e = e;
    si->next_block = BLOCK_NONE;
    take_attributes(si);
    si->next = *bucket;
    *bucket = si;
    *ret = &si->inode;
    return 0;
}

static void sealed_evict(struct inode *inode)
{
    struct sealed_inode *si = sealed_of(inode);
    struct sealed_inode **link = bucket_of(sealed_super_of(inode), si->e.nid);

    ns_lock();
    while (*link != NULL && *link != si) {
        link = &(*link)->next;
    }
    if (*link == si) {
        *link = si->next;
    }
    ns_unlock();
    inode_destroy(inode);
    kfree(si);
}

/* ---- names ---- */

static int sealed_lookup(struct inode *dir, const struct qstr *name, struct inode **ret)
{
    struct sealed_super *s = sealed_super_of(dir);
    const struct erofs_inode *e = &sealed_of(dir)->e;
    enum erofs_file_type type;
    uint64_t nid;
    int r = sealed_error(s, e, erofs_lookup(&s->erofs, e, name->s, name->len, &nid, &type));

    return r < 0 ? r : inode_for(s, nid, ret);
}

static uint8_t type_to_dt(enum erofs_file_type type)
{
    static const uint8_t dt[EROFS_FT_COUNT] = {
        [EROFS_FT_UNKNOWN] = DT_UNKNOWN, [EROFS_FT_REG] = DT_REG,     [EROFS_FT_DIR] = DT_DIR,
        [EROFS_FT_CHR] = DT_CHR,         [EROFS_FT_BLK] = DT_BLK,     [EROFS_FT_FIFO] = DT_FIFO,
        [EROFS_FT_SOCK] = DT_SOCK,       [EROFS_FT_SYMLINK] = DT_LNK,
    };

    return dt[type];
}

static bool is_dots(const struct erofs_entry *d)
{
    return d->name[0] == '.' && (d->name_size == 1 || (d->name_size == 2 && d->name[1] == '.'));
}

static int sealed_readdir(struct inode *dir, struct dir_context *ctx)
{
    struct sealed_super *s = sealed_super_of(dir);
    const struct erofs_inode *e = &sealed_of(dir)->e;
    uint64_t pos = ctx->pos < COOKIE_FIRST ? 0 : ctx->pos - COOKIE_FIRST;
    struct erofs_entry d;

    for (;;) {
        int r = sealed_error(s, e, erofs_readdir(&s->erofs, e, &pos, &d));

        if (r <= 0) {
            return r;
        }
        if (!is_dots(&d) && !ctx->emit(ctx, d.name, d.name_size, d.nid + 1, type_to_dt(d.type),
                                       pos + COOKIE_FIRST)) {
            return 0;
        }
        ctx->pos = pos + COOKIE_FIRST;
    }
}

static int sealed_readlink(struct inode *inode, char *dst, size_t size)
{
    struct sealed_super *s = sealed_super_of(inode);
    const struct erofs_inode *e = &sealed_of(inode)->e;
    size_t n = 0;
    int r = sealed_error(s, e, erofs_readlink(&s->erofs, e, dst, size, &n));

    return r < 0 ? r : (int)n;
}

/* ---- extended attributes ---- */

static int64_t sealed_getxattr(struct inode *inode, const char *name, void *dst, size_t size)
{
    struct sealed_super *s = sealed_super_of(inode);
    const struct erofs_inode *e = &sealed_of(inode)->e;
    size_t n = 0;
    int r = sealed_error(s, e, erofs_xattr_get(&s->erofs, e, name, dst, size, &n));

    return r < 0 ? r : (int64_t)n;
}

static int64_t sealed_listxattr(struct inode *inode, char *dst, size_t size)
{
    struct sealed_super *s = sealed_super_of(inode);
    const struct erofs_inode *e = &sealed_of(inode)->e;
    struct erofs_xattr x;
    uint64_t pos = 0;
    size_t n = 0;
    int r;

    while ((r = sealed_error(s, e, erofs_xattr_next(&s->erofs, e, &pos, &x))) > 0) {
        if (str_starts(x.name, "trusted.") && !capable_root()) {
            continue;
        }
        if (size > 0) {
            if (x.name_size + 1 > size - n) {
                return -ERANGE;
            }
            __builtin_memcpy(dst + n, x.name, x.name_size + 1);
        }
        n += x.name_size + 1;
    }
    return r < 0 ? r : (int64_t)n;
}

static int sealed_fsync(struct inode *inode, bool data_only)
{
    return 0; /* nothing here can change */
}

static const struct inode_ops g_sealed_ops = {
    .lookup = sealed_lookup,
    .readdir = sealed_readdir,
    .readlink = sealed_readlink,
    .read = sealed_read,
    .seek_data = sealed_seek_data,
    .fsync = sealed_fsync,
    .getxattr = sealed_getxattr,
    .listxattr = sealed_listxattr,
    .evict = sealed_evict,
};

/* ---- the file system ---- */

static int sealed_statfs(struct superblock *sb, struct kstatfs *ret)
{
    const struct sealed_super *s = sb->priv;

    *ret = (struct kstatfs){
        .magic = EROFS_MAGIC,
        .bsize = SEALED_BLOCK_SIZE,
        .blocks = s->erofs.block_count,
        .files = s->erofs.inode_count,
        .namelen = EROFS_NAME_MAX,
    };
    return 0;
}

static size_t super_pages(void)
{
    return page_align_up(sizeof(struct sealed_super)) >> NACRE_PAGE_SHIFT;
}

static void sealed_free(struct superblock *sb)
{
    struct sealed_super *s = sb->priv;

    store_close(&s->store);
    kpages_free(s, super_pages());
}

static const struct super_ops g_sealed_super_ops = {.statfs = sealed_statfs, .free = sealed_free};

static int read_root(struct sealed_super *s)
{
    int r = erofs_open(&s->erofs, &store_erofs_io, &s->store, s->store.reader.geometry.block_count);

    if (r < 0) {
        libos_log(LOG_ERROR, "the sealed image holds no file system that can be read: error %d",
                  -r);
        return r;
    }
    ns_lock();
    r = inode_for(s, s->erofs.root_nid, &s->sb->root);
    ns_unlock();
    return r;
}

int sealed_create(const struct sealed_options *options, struct superblock **ret)
{
    struct sealed_options o = *options;
    struct superblock *sb = super_alloc("erofs", &g_sealed_super_ops, SB_RDONLY);
    struct sealed_super *s = kpages_alloc(super_pages());
    int r = sb == NULL || s == NULL ? -ENOMEM : 0;

    if (r == 0) {
        __builtin_memset(s, 0, sizeof(*s));
        if (o.cache_max == 0) {
            o.cache_max = sealed_default_cache(0);
        }
        r = store_open(&s->store, &o);
    }
    if (r < 0) {
        if (s != NULL) {
            kpages_free(s, super_pages());
        }
        kfree(sb);
        return r;
    }
    s->sb = sb;
    sb->priv = s;
    sb->magic = EROFS_MAGIC;
    r = read_root(s);
    if (r < 0) {
        store_close(&s->store);
        kpages_free(s, super_pages());
        kfree(sb);
        return r;
    }
    *ret = sb;
    return 0;
}

void sealed_stats(struct superblock *sb, struct sealed_stats *ret)
{
    struct sealed_store *s = &((struct sealed_super *)sb->priv)->store;

    *ret = (struct sealed_stats){
        .opened = __atomic_load_n(&s->opened, __ATOMIC_RELAXED),
        .faults = __atomic_load_n(&s->faults, __ATOMIC_RELAXED),
        .evicted = __atomic_load_n(&s->cache.evicted, __ATOMIC_RELAXED),
        .passed = __atomic_load_n(&s->cache.passed, __ATOMIC_RELAXED),
        .bytes = block_cache_bytes(&s->cache),
    };
}
