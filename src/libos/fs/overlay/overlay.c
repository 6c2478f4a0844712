/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Names of the overlay. A directory keeps an index of what differs from its lower directory (own
 * entries and whiteouts); the first listing adds the lower's names to it. Everything here runs
 * under the namespace lock.
 */

#include <linux/magic.h>

#include "libos/fs/dentry.h"
#include "libos/fs/memfs/memfs.h"
#include "libos/fs/overlay/overlay_internal.h"
#include "libos/mm/kmem.h"

static const struct inode_ops g_ovl_ops;

static struct ovl_inode **bucket_of(struct ovl_super *s, const struct inode *lower)
{
    uint64_t h = ((uint64_t)(uintptr_t)lower >> 4) * 0x9e3779b97f4a7c15ull;

    return &s->bucket[(h >> 40) % OVL_BUCKETS];
}

static struct ovl_inode *alloc_inode(struct ovl_super *s, uint64_t ino,
                                     const struct inode_new *what)
{
    struct ovl_inode *o = kzalloc(sizeof(*o));

    if (o != NULL) {
        inode_init(&o->inode, s->sb, &g_ovl_ops, ino, what);
    }
    return o;
}

/* The overlay inode of a lower one: the same for every name of it. */
static int wrap(struct ovl_super *s, struct inode *lower, struct inode **ret)
{
    struct ovl_inode *o = *bucket_of(s, lower);
    struct kstat st;

    while (o != NULL && (o->lower != lower || !ref_try_get(&o->inode.refs))) {
        o = o->next;
    }
    if (o != NULL) {
        *ret = &o->inode;
        return 0;
    }
    int r = inode_getattr(lower, &st);

    if (r < 0) {
        return r;
    }
    o = alloc_inode(
        s, lower->ino,
        &(struct inode_new){.mode = st.mode, .uid = st.uid, .gid = st.gid, .rdev = st.rdev});
    if (o == NULL) {
        return -ENOMEM;
    }
    o->lower = inode_get(lower);
    inode_adopt_stat(&o->inode, &st);
    o->next = *bucket_of(s, lower);
    *bucket_of(s, lower) = o;
    *ret = &o->inode;
    return 0;
}

static void ovl_evict(struct inode *inode)
{
    struct ovl_inode *o = ovl_of(inode);

    ns_lock();
    if (o->lower != NULL) {
        struct ovl_inode **link = bucket_of(ovl_super_of(inode), o->lower);

        while (*link != NULL && *link != o) {
            link = &(*link)->next;
        }
        if (*link == o) {
            *link = o->next;
        }
    }
    dirindex_clear(&o->index);
    inode_put(o->lower);
    inode_put(o->upper);
    ns_unlock();
    inode_destroy(inode);
    kfree(o);
}

static int lower_lookup(struct ovl_inode *dir, const struct qstr *name, struct inode **ret)
{
    struct inode *lower = NULL;

    if (dir->lower == NULL || dir->lower->ops->lookup == NULL) {
        return -ENOENT;
    }
    int r = dir->lower->ops->lookup(dir->lower, name, &lower);

    if (r == 0) {
        r = wrap(ovl_super_of(&dir->inode), lower, ret);
        inode_put(lower);
    }
    return r;
}

static bool lower_has(struct ovl_inode *dir, const struct qstr *name)
{
    struct inode *lower = NULL;

    if (dir->lower == NULL || dir->lower->ops->lookup(dir->lower, name, &lower) < 0) {
        return false;
    }
    inode_put(lower);
    return true;
}

static int ovl_lookup(struct inode *inode, const struct qstr *name, struct inode **ret)
{
    struct ovl_inode *dir = ovl_of(inode);
    const struct dir_entry *e = dirindex_find(&dir->index, name);

    if (e != NULL && e->kind == OVL_OWN) {
        *ret = inode_get(e->inode);
        return 0;
    }
    if ((e != NULL && e->kind == OVL_WHITEOUT) || (e == NULL && dir->merged)) {
        return -ENOENT;
    }
    return lower_lookup(dir, name, ret);
}

/* ---- listing ---- */

struct merge {
    struct dir_context ctx;
    struct dirindex *index;
    int error;
};

static bool merge_one(struct dir_context *ctx, const char *name, size_t len, uint64_t ino,
                      uint8_t type, uint64_t next)
{
    struct merge *m = container_of(ctx, struct merge, ctx);
    struct qstr q = qstr_make(name, len);
    struct dir_entry *e = NULL;

    if (dirindex_find(m->index, &q) != NULL) {
        return true;
    }
    m->error = dirindex_add(m->index, &q, NULL, ino, type, &e);
    if (m->error == 0) {
        e->kind = OVL_LOWER;
    }
    return m->error == 0;
}

static int merge_lower(struct ovl_inode *dir)
{
    struct merge m = {.ctx.emit = merge_one, .index = &dir->index};

    if (dir->merged || dir->lower == NULL) {
        return 0;
    }
    int r = dir->lower->ops->readdir(dir->lower, &m.ctx);

    r = r < 0 ? r : m.error;
    dir->merged = r == 0;
    return r;
}

static bool is_whiteout(const struct dir_entry *e)
{
    return e->kind == OVL_WHITEOUT;
}

static int ovl_readdir(struct inode *inode, struct dir_context *ctx)
{
    int r = merge_lower(ovl_of(inode));

    return r < 0 ? r : dirindex_emit(&ovl_of(inode)->index, ctx, is_whiteout);
}

static bool is_empty(const struct ovl_inode *dir)
{
    for (const struct dir_entry *e = dirindex_next(&dir->index, 0); e != NULL;
         e = dirindex_next(&dir->index, e->cookie + 1)) {
        if (e->kind != OVL_WHITEOUT) {
            return false;
        }
    }
    return true;
}

/* ---- touching ---- */

static void (*g_about_to_touch)(struct superblock *sb, uint64_t ino);

void overlay_set_watcher(void (*about_to_touch)(struct superblock *sb, uint64_t ino))
{
    __atomic_store_n(&g_about_to_touch, about_to_touch, __ATOMIC_RELEASE);
}

/* First the list, then the word, then the change: who joins in between finds it in the list. */
int ovl_touch_slow(struct ovl_inode *o)
{
    void (*tell)(struct superblock *, uint64_t) =
        __atomic_load_n(&g_about_to_touch, __ATOMIC_ACQUIRE);
    struct ovl_super *s = ovl_super_of(&o->inode);
    int r = 0;

    mutex_lock(&s->touch_lock);
    if (s->touched_count == s->touched_cap) {
        const size_t cap = MAX(2 * s->touched_cap, (size_t)64);
        uint64_t *more = krealloc(s->touched, cap * sizeof(*more));

        if (more == NULL) {
            r = -ENOMEM;
        } else {
            s->touched = more;
            s->touched_cap = cap;
        }
    }
    if (r == 0) {
        s->touched[s->touched_count++] = o->lower->ino;
    }
    mutex_unlock(&s->touch_lock);
    if (r < 0) {
        return r;
    }
    if (tell != NULL) {
        tell(o->inode.sb, o->lower->ino);
    }
    __atomic_store_n(&o->touched, true, __ATOMIC_RELEASE);
    return 0;
}

struct inode *overlay_untouched(struct inode *inode)
{
    struct ovl_inode *o = ovl_of(inode);

    return __atomic_load_n(&o->touched, __ATOMIC_ACQUIRE) ? NULL : o->lower;
}

size_t overlay_touched(struct superblock *sb, size_t from, uint64_t *ret, size_t max)
{
    struct ovl_super *s = sb->priv;
    size_t n = 0;

    mutex_lock(&s->touch_lock);
    while (n < max && from + n < s->touched_count) {
        ret[n] = s->touched[from + n];
        n++;
    }
    mutex_unlock(&s->touch_lock);
    return n;
}

/* ---- changes ---- */

static void changed(struct inode *dir)
{
    inode_touch(dir, /*atime=*/false, /*mtime=*/true);
    ovl_pin(dir);
}

static void nlink_add(struct inode *inode, int n)
{
    struct ovl_inode *o = ovl_of(inode);

    mutex_lock(&inode->lock);
    inode->nlink = n < 0 && inode->nlink < (uint32_t)-n ? 0 : inode->nlink + (uint32_t)n;
    bool unpin = inode->nlink == 0 && o->pinned;

    o->pinned = o->pinned && !unpin;
    mutex_unlock(&inode->lock);
    inode_touch_ctime(inode);
    if (unpin) {
        inode_put(inode); /* the caller holds another */
    } else {
        ovl_pin(inode);
    }
}

/* Makes `name` mean `inode`, whatever it meant. Takes its own reference. */
static int put_entry(struct ovl_inode *dir, const struct qstr *name, struct inode *inode)
{
    struct dir_entry *e = dirindex_find(&dir->index, name);

    if (e == NULL) {
        int r = dirindex_add(&dir->index, name, NULL, 0, 0, &e);

        if (r < 0) {
            return r;
        }
    }
    struct inode *old = e->inode;

    e->inode = inode_get(inode);
    e->kind = OVL_OWN;
    e->ino = inode->ino;
    e->type = mode_to_dt(inode->mode);
    inode_put(old);
    return 0;
}

/* Makes `name` mean nothing. */
static int drop_entry(struct ovl_inode *dir, const struct qstr *name)
{
    struct dir_entry *e = dirindex_find(&dir->index, name);

    if (!lower_has(dir, name)) {
        if (e != NULL) {
            dirindex_remove(&dir->index, e);
        }
        return 0;
    }
    if (e == NULL) {
        int r = dirindex_add(&dir->index, name, NULL, 0, DT_CHR, &e);

        if (r < 0) {
            return r;
        }
    }
    inode_put(e->inode);
    e->inode = NULL;
    e->kind = OVL_WHITEOUT;
    return 0;
}

static int new_inode(struct ovl_super *s, const struct inode_new *what, struct inode **ret)
{
    struct ovl_inode *o =
        alloc_inode(s, __atomic_fetch_add(&s->sb->next_ino, 1, __ATOMIC_RELAXED), what);

    if (o == NULL) {
        return -ENOMEM;
    }
    if (S_ISREG(what->mode) || S_ISLNK(what->mode)) {
        int r = memfs_new_inode(s->upper, what, &o->upper);

        if (r < 0) {
            inode_put(&o->inode);
            return r;
        }
        o->inode.size = o->upper->size;
    }
    if (S_ISDIR(what->mode)) {
        o->inode.nlink = 2;
        o->merged = true;
    }
    *ret = &o->inode;
    return 0;
}

static int ovl_create(struct inode *dir, const struct qstr *name, const struct inode_new *what,
                      struct inode **ret)
{
    int touch = ovl_touch(dir);

    if (touch < 0) {
        return touch;
    }
    struct inode *inode = NULL;
    int r = new_inode(ovl_super_of(dir), what, &inode);

    if (r < 0) {
        return r;
    }
    r = put_entry(ovl_of(dir), name, inode);
    if (r < 0) {
        inode_put(inode);
        return r;
    }
    if (S_ISDIR(what->mode)) {
        nlink_add(dir, 1);
    }
    changed(dir);
    *ret = inode;
    return 0;
}

static int ovl_tmpfile(struct inode *dir, const struct inode_new *what, struct inode **ret)
{
    int r = new_inode(ovl_super_of(dir), what, ret);

    if (r == 0) {
        (*ret)->nlink = 0;
    }
    return r;
}

static int ovl_link(struct inode *dir, const struct qstr *name, struct inode *target)
{
    int touch = ovl_touch(dir);

    touch = touch < 0 ? touch : ovl_touch(target);
    if (touch < 0) {
        return touch;
    }
    int r = put_entry(ovl_of(dir), name, target);

    if (r == 0) {
        nlink_add(target, 1);
        changed(dir);
    }
    return r;
}

static int ovl_unlink(struct inode *dir, const struct qstr *name, struct inode *victim)
{
    int touch = ovl_touch(dir);

    touch = touch < 0 ? touch : ovl_touch(victim);
    if (touch < 0) {
        return touch;
    }
    int r = drop_entry(ovl_of(dir), name);

    if (r == 0) {
        nlink_add(victim, -1);
        changed(dir);
    }
    return r;
}

static int ovl_rmdir(struct inode *dir, const struct qstr *name, struct inode *victim)
{
    int touch = ovl_touch(dir);

    touch = touch < 0 ? touch : ovl_touch(victim);
    if (touch < 0) {
        return touch;
    }
    int r = merge_lower(ovl_of(victim));

    if (r < 0) {
        return r;
    }
    if (!is_empty(ovl_of(victim))) {
        return -ENOTEMPTY;
    }
    r = drop_entry(ovl_of(dir), name);
    if (r == 0) {
        victim->flags |= INODE_DEAD_DIR;
        nlink_add(victim, -(int)victim->nlink);
        nlink_add(dir, -1);
        changed(dir);
    }
    return r;
}

static void move_dir_link(const struct inode *moved, struct inode *from, struct inode *to)
{
    if (S_ISDIR(moved->mode) && from != to) {
        nlink_add(from, -1);
        nlink_add(to, 1);
    }
}

static int exchange(struct inode *from, const struct qstr *from_name, struct inode *source,
                    struct inode *to, const struct qstr *to_name, struct inode *target)
{
    int r = put_entry(ovl_of(from), from_name, target);

    if (r < 0) {
        return r;
    }
    r = put_entry(ovl_of(to), to_name, source);
    if (r < 0) {
        /* the entry of from_name exists now: putting it back cannot fail */
        (void)put_entry(ovl_of(from), from_name, source);
        return r;
    }
    move_dir_link(source, from, to);
    move_dir_link(target, to, from);
    changed(from);
    changed(to);
    return 0;
}

static int ovl_rename(struct inode *from, const struct qstr *from_name, struct inode *source,
                      struct inode *to, const struct qstr *to_name, struct inode *target,
                      uint32_t flags)
{
    int r = ovl_touch(from);

    r = r < 0 ? r : ovl_touch(to);
    r = r < 0 ? r : ovl_touch(source);
    r = r < 0 || target == NULL ? r : ovl_touch(target);
    if (r < 0) {
        return r;
    }

    if ((flags & RENAME_EXCHANGE) != 0) {
        return exchange(from, from_name, source, to, to_name, target);
    }
    if (target != NULL && S_ISDIR(target->mode)) {
        r = merge_lower(ovl_of(target));
        if (r == 0 && !is_empty(ovl_of(target))) {
            r = -ENOTEMPTY;
        }
        if (r < 0) {
            return r;
        }
    }
    /* an entry for the old name first, so that nothing can fail after the new one is there */
    r = put_entry(ovl_of(from), from_name, source);
    if (r == 0) {
        r = put_entry(ovl_of(to), to_name, source);
    }
    if (r == 0) {
        r = drop_entry(ovl_of(from), from_name);
    }
    if (r < 0) {
        return r;
    }
    if (target != NULL) {
        if (S_ISDIR(target->mode)) {
            target->flags |= INODE_DEAD_DIR;
            nlink_add(target, -(int)target->nlink);
            nlink_add(to, -1);
        } else {
            nlink_add(target, -1);
        }
    }
    move_dir_link(source, from, to);
    inode_touch_ctime(source);
    ovl_pin(source);
    changed(from);
    changed(to);
    return 0;
}

static int ovl_readlink(struct inode *inode, char *dst, size_t size)
{
    struct inode *real = ovl_real(ovl_of(inode));

    return real->ops->readlink(real, dst, size);
}

static int ovl_fsync(struct inode *inode, bool data_only)
{
    return 0; /* memory is as durable as it will ever be */
}

static const struct inode_ops g_ovl_ops = {
    .lookup = ovl_lookup,
    .create = ovl_create,
    .link = ovl_link,
    .unlink = ovl_unlink,
    .rmdir = ovl_rmdir,
    .rename = ovl_rename,
    .tmpfile = ovl_tmpfile,
    .readdir = ovl_readdir,
    .readlink = ovl_readlink,
    .setattr = ovl_setattr,
    .read = ovl_read,
    .write = ovl_write,
    .fallocate = ovl_fallocate,
    .seek_data = ovl_seek_data,
    .fsync = ovl_fsync,
    .getxattr = ovl_getxattr,
    .listxattr = ovl_listxattr,
    .pin = ovl_pin,
    .evict = ovl_evict,
};

static int ovl_statfs(struct superblock *sb, struct kstatfs *ret)
{
    struct ovl_super *s = sb->priv;
    int r = s->lower->ops->statfs == NULL ? 0 : s->lower->ops->statfs(s->lower, ret);

    ret->magic = OVERLAYFS_SUPER_MAGIC;
    return r;
}

/* What differs from the lower keeps itself in memory: let it go. */
static void unpin_all(struct ovl_super *s)
{
    for (size_t i = 0; i < OVL_BUCKETS; i++) {
        for (struct ovl_inode *o = s->bucket[i]; o != NULL;) {
            struct ovl_inode *next = o->next;

            if (o->pinned) {
                o->pinned = false;
                inode_put(&o->inode);
                next = s->bucket[i]; /* dropping one may drop others */
            }
            o = next;
        }
    }
}

static void ovl_free(struct superblock *sb)
{
    struct ovl_super *s = sb->priv;

    unpin_all(s);
    super_free(s->upper);
    super_free(s->lower);
    kfree(s->touched);
    kfree(s);
}

static const struct super_ops g_ovl_super_ops = {.statfs = ovl_statfs, .free = ovl_free};

bool overlay_is(const struct superblock *sb)
{
    return sb->ops == &g_ovl_super_ops;
}

int overlay_create(struct superblock *lower, struct superblock **ret)
{
    struct superblock *sb =
        super_alloc("overlay", &g_ovl_super_ops, (lower->flags & SB_UNSAFE) | SB_SHARED);
    struct ovl_super *s = kzalloc(sizeof(*s));
    int r = sb == NULL || s == NULL ? -ENOMEM : 0;

    if (r == 0) {
        s->sb = sb;
        s->lower = lower;
        sb->priv = s;
        sb->magic = OVERLAYFS_SUPER_MAGIC;
        sb->next_ino = OVL_FIRST_INO;
        r = memfs_create(&(struct memfs_options){.mode = 0700}, &s->upper);
    }
    if (r == 0) {
        r = wrap(s, lower->root, &sb->root);
    }
    if (r < 0) {
        if (s != NULL) {
            super_free(s->upper);
        }
        kfree(s);
        kfree(sb);
        return r;
    }
    *ret = sb;
    return 0;
}
