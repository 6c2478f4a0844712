/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What nobody changed needs no question. Every process of the family has the sealed image open; as
 * long as the overlay above it was not touched at some place, a member looks there itself. The
 * owner tells every member before the first change of each inode and goes on when all have heard,
 * so what one process wrote the next one reads.
 *
 * An inode found so has no handle. When the owner must be asked after all (somebody opens it for
 * writing, or touched it), it is found there by the name it had here.
 */

#include "libos/family/remote_internal.h"
#include "libos/family/rpc.h"
#include "libos/lib/str.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"

#define BUCKETS 1024u
#define AT_ONCE 4096u /* numbers asked for in one call */

struct touched {
    struct touched *next;
    uint64_t dev, ino;
};

/* Guards the tables and `lower`, `touched` of every inode in them. */
static struct spinlock g_lock;
static struct rinode *g_lower[BUCKETS]; /* by number of the lower inode */
static struct touched *g_touched[BUCKETS];

static uint32_t bucket_of(uint64_t ino)
{
    return (uint32_t)(ino * 0x9e3779b97f4a7c15ull >> 54);
}
_Static_assert(BUCKETS == 1024, "bucket_of yields 10 bits");

static bool is_touched(uint64_t dev, uint64_t ino)
{
    for (const struct touched *t = g_touched[bucket_of(ino)]; t != NULL; t = t->next) {
        if (t->dev == dev && t->ino == ino) {
            return true;
        }
    }
    return false;
}

/* ---- handles ---- */

/* Asks for the handle of an inode whose directory has one. */
static int ask_handle(struct rinode *r, uint32_t parent)
{
    struct wire_attr a;
    const int e = rinode_ask(parent, r->name, str_len(r->name), &a);

    if (e < 0) {
        return e;
    }
    if (a.ino != r->inode.ino) { /* another file has the name now */
        const struct wire_grant g = {.handle = a.handle, .grants = 1};

        (void)!remote_ask(FAMILY_OP_drop, &g, sizeof(g), NULL, 0, NULL);
        return -ENOENT;
    }
    rinode_set_handle(r, a.handle);
    return 0;
}

static uint32_t handle_of(const struct rinode *r)
{
    return __atomic_load_n(&r->handle, __ATOMIC_ACQUIRE);
}

/* From the last directory above it that has a handle down to `r`; trees can be deeper than our
 * stack, so there is no recursion. */
int rinode_handle(struct rinode *r, uint32_t *ret)
{
    while ((*ret = handle_of(r)) == 0) {
        struct rinode *at = r;
        int e;

        while (at->parent != NULL && handle_of(at->parent) == 0) {
            at = at->parent;
        }
        e = at->parent == NULL ? -ENOENT : ask_handle(at, handle_of(at->parent));
        if (e < 0) {
            return e;
        }
    }
    return 0;
}

/* ---- inodes of the lower ---- */

/* Under the lock. */
static void put_in(struct rinode *r, struct inode *lower)
{
    r->lower = inode_get(lower);
    r->touched = is_touched(r->inode.sb->dev, lower->ino) ? 1 : 0;
    r->lower_next = g_lower[bucket_of(lower->ino)];
    g_lower[bucket_of(lower->ino)] = r;
}

void lower_adopt(struct rinode *r, struct inode *lower)
{
    spin_lock(&g_lock);
    if (r->lower == NULL) {
        put_in(r, lower);
    }
    spin_unlock(&g_lock);
}

void lower_forget(struct rinode *r)
{
    spin_lock(&g_lock);
    if (r->lower != NULL) {
        struct rinode **link = &g_lower[bucket_of(r->lower->ino)];

        while (*link != r) {
            link = &(*link)->lower_next;
        }
        *link = r->lower_next;
    }
    spin_unlock(&g_lock);
}

void lower_attach(struct rinode *r, struct rinode *dir, const struct qstr *name, uint64_t ino)
{
    struct inode *lower = NULL;

    if (r->lower != NULL || dir->lower == NULL ||
        dir->lower->ops->lookup(dir->lower, name, &lower) < 0) {
        return;
    }
    if (lower->ino == ino && ((lower->mode ^ r->inode.mode) & S_IFMT) == 0) {
        lower_adopt(r, lower);
        if (rinode_untouched(r) && S_ISDIR(r->inode.mode)) {
            (void)__atomic_and_fetch(&r->inode.flags, ~INODE_VOLATILE, __ATOMIC_RELEASE);
            if (!rinode_untouched(r)) { /* it was touched in between */
                (void)__atomic_or_fetch(&r->inode.flags, INODE_VOLATILE, __ATOMIC_RELEASE);
            }
        }
    }
    inode_put(lower);
}

static struct rinode *find(const struct superblock *sb, const struct inode *lower)
{
    for (struct rinode *r = g_lower[bucket_of(lower->ino)]; r != NULL; r = r->lower_next) {
        if (r->lower == lower && r->inode.sb == sb && ref_try_get(&r->inode.refs)) {
            return r;
        }
    }
    return NULL;
}

static struct rinode *make(struct rinode *dir, const struct qstr *name, struct inode *lower)
{
    struct kstat st;
    struct rinode *r;

    if (inode_getattr(lower, &st) < 0) {
        return NULL;
    }
    r = rinode_alloc(
        dir->inode.sb, st.ino,
        &(struct inode_new){.mode = st.mode, .uid = st.uid, .gid = st.gid, .rdev = st.rdev});
    if (r == NULL) {
        return NULL;
    }
    r->name = kstrndup(name->s, name->len);
    if (r->name == NULL) {
        kfree(r);
        return NULL;
    }
    r->inode.nlink = st.nlink;
    r->inode.size = st.size;
    r->inode.blocks = st.blocks;
    r->inode.atime = st.atime;
    r->inode.mtime = st.mtime;
    r->inode.ctime = st.ctime;
    r->inode.btime = st.btime;
    r->parent = dir;
    (void)inode_get(&dir->inode);
    return r;
}

int lower_lookup(struct rinode *dir, const struct qstr *name, struct inode **ret)
{
    struct inode *lower = NULL;
    struct rinode *fresh = NULL;
    struct rinode *r;
    int e = dir->lower->ops->lookup(dir->lower, name, &lower);

    if (!rinode_untouched(dir)) {
        inode_put(lower);
        return -EAGAIN;
    }
    if (e < 0) {
        return e;
    }
    spin_lock(&g_lock);
    r = find(dir->inode.sb, lower);
    spin_unlock(&g_lock);
    if (r == NULL) {
        fresh = make(dir, name, lower);
        if (fresh == NULL) {
            inode_put(lower);
            return -ENOMEM;
        }
        spin_lock(&g_lock);
        put_in(fresh, lower);
        spin_unlock(&g_lock);
        r = fresh;
    }
    inode_put(lower);
    if (!rinode_untouched(r)) {
        if (S_ISDIR(r->inode.mode)) {
            (void)__atomic_or_fetch(&r->inode.flags, INODE_VOLATILE, __ATOMIC_RELEASE);
        }
        e = rinode_refresh(r);
        if (e < 0) {
            inode_put(&r->inode);
            return e;
        }
    }
    *ret = &r->inode;
    return 0;
}

/* ---- what was touched ---- */

/* Marks it; `t` is taken over. */
static void mark(struct touched *t)
{
    const uint32_t bucket = bucket_of(t->ino);

    spin_lock(&g_lock);
    if (is_touched(t->dev, t->ino)) {
        spin_unlock(&g_lock);
        kfree(t);
        return;
    }
    t->next = g_touched[bucket];
    g_touched[bucket] = t;
    for (struct rinode *r = g_lower[bucket]; r != NULL; r = r->lower_next) {
        if (r->lower->ino != t->ino || r->inode.sb->dev != t->dev) {
            continue;
        }
        __atomic_store_n(&r->touched, 1, __ATOMIC_RELEASE);
        if (S_ISDIR(r->inode.mode)) {
            (void)__atomic_or_fetch(&r->inode.flags, INODE_VOLATILE, __ATOMIC_RELEASE);
        }
        if (r->parent != NULL) { /* so that the next walk brings its new attributes */
            (void)__atomic_or_fetch(&r->parent->inode.flags, INODE_VOLATILE, __ATOMIC_RELEASE);
        }
    }
    spin_unlock(&g_lock);
}

static void hear_touched(const uint8_t *p, size_t size)
{
    struct wire_touched w;
    struct touched *t = kzalloc(sizeof(*t));

    __builtin_memcpy(&w, p, sizeof(w)); /* the table's bounds were checked */
    if (t == NULL) {
        libos_panic("family: no memory to hear that a file changed"); /* never stale data */
    }
    t->dev = w.dev;
    t->ino = w.ino;
    mark(t);
    (void)!family_ack(w.value);
}

int lower_sync(struct superblock *sb)
{
    uint64_t *ino = kmalloc(AT_ONCE * sizeof(*ino));
    uint64_t from = 0;
    int64_t r = ino == NULL ? -ENOMEM : 1;

    while (r > 0) {
        const uint64_t w[2] = {sb->dev, from};
        size_t size = 0;

        r = remote_ask(FAMILY_OP_touched, w, sizeof(w), ino, AT_ONCE * sizeof(*ino), &size);
        size /= sizeof(*ino);
        for (size_t i = 0; r > 0 && i < size; i++) {
            struct touched *t = kzalloc(sizeof(*t));

            if (t == NULL) {
                r = -ENOMEM;
                break;
            }
            t->dev = sb->dev;
            t->ino = ino[i];
            mark(t);
        }
        from += size;
    }
    kfree(ino);
    return (int)MIN(r, (int64_t)0);
}

void lower_start(void)
{
    family_hear(FAMILY_EVENT_touched, hear_touched);
}
