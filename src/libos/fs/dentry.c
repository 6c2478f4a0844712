/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The dentry cache. A dentry with references is in nobody's way; one without stays in the hash
 * table and on the LRU list, so that the next walk finds it (or finds that there is nothing).
 * Trimming happens when the namespace lock is given back, so that pointers borrowed under the lock
 * stay good while it is held.
 */

#include "libos/fs/dentry.h"

#include "libos/fs/dirindex.h"
#include "libos/fs/mount.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"
#include "libos/proc/thread.h"

#define HASH_PAGES   16u
#define HASH_BUCKETS (HASH_PAGES * NACRE_PAGE_SIZE / sizeof(struct dentry *))

static struct {
    struct mutex lock;
    struct thread *owner;
    uint32_t depth;
    struct dentry **hash; /* HASH_BUCKETS */
    struct list lru;      /* oldest first */
    size_t unused;        /* on the LRU list */
    size_t count;
} g_dcache;

void ns_lock(void)
{
    struct thread *self = thread_current();

    if (__atomic_load_n(&g_dcache.owner, __ATOMIC_RELAXED) == self) {
        g_dcache.depth++;
        return;
    }
    mutex_lock(&g_dcache.lock);
    __atomic_store_n(&g_dcache.owner, self, __ATOMIC_RELAXED);
    g_dcache.depth = 1;
    if (g_dcache.lru.next == NULL) {
        list_init(&g_dcache.lru);
    }
}

static uint32_t hash_of(const struct dentry *dir, uint32_t name_hash)
{
    uint64_t h = ((uint64_t)(uintptr_t)dir >> 4) * 0x9e3779b97f4a7c15ull;

    return (uint32_t)(h >> 32) ^ name_hash;
}

static struct dentry **bucket_of(uint32_t hash)
{
    return &g_dcache.hash[hash % HASH_BUCKETS];
}

static void unhash(struct dentry *d)
{
    if (!d->hashed) {
        return;
    }
    struct dentry **link = bucket_of(d->hash);

    while (*link != d) {
        link = &(*link)->hash_next;
    }
    *link = d->hash_next;
    d->hashed = false;
}

static void rehash(struct dentry *d, uint32_t name_hash)
{
    d->hash = hash_of(d->parent, name_hash);
    d->hash_next = *bucket_of(d->hash);
    *bucket_of(d->hash) = d;
    d->hashed = true;
}

static void lru_remove(struct dentry *d)
{
    if (!list_empty(&d->lru)) {
        list_remove(&d->lru);
        g_dcache.unused--;
    }
}

static void lru_add(struct dentry *d)
{
    list_insert(&g_dcache.lru, &d->lru);
    g_dcache.unused++;
}

/* A directory knows its dentry. With a file system that answers with an inode for each walk the
 * youngest one counts. */
static void set_alias(struct dentry *d)
{
    if (d->inode != NULL && S_ISDIR(d->inode->mode)) {
        d->inode->alias = d;
    }
}

static void clear_alias(const struct dentry *d)
{
    if (d->inode != NULL && d->inode->alias == d) {
        d->inode->alias = NULL;
    }
}

/* Frees an unused dentry, and its parent when that was the last reference to it. */
static void dentry_free(struct dentry *d)
{
    while (d != NULL) {
        struct dentry *parent = d->parent == d ? NULL : d->parent;

        unhash(d);
        lru_remove(d);
        clear_alias(d);
        inode_put(d->inode);
        if (d->name != d->short_name) {
            kfree(d->name);
        }
        kfree(d);
        g_dcache.count--;
        if (parent == NULL || __atomic_sub_fetch(&parent->refs, 1, __ATOMIC_ACQ_REL) != 0) {
            return;
        }
        if (parent->hashed) {
            lru_add(parent);
            return;
        }
        d = parent;
    }
}

static void trim(size_t limit)
{
    while (g_dcache.unused > limit) {
        dentry_free(list_entry(g_dcache.lru.next, struct dentry, lru));
    }
}

void ns_unlock(void)
{
    if (--g_dcache.depth > 0) {
        return;
    }
    if (g_dcache.unused > DCACHE_MAX) {
        g_dcache.depth = 1; /* evicting an inode may come back here */
        trim(DCACHE_MAX - DCACHE_MAX / 16);
        g_dcache.depth = 0;
    }
    __atomic_store_n(&g_dcache.owner, NULL, __ATOMIC_RELAXED);
    mutex_unlock(&g_dcache.lock);
}

static void dentry_get(struct dentry *d)
{
    if (__atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED) == 0) {
        lru_remove(d); /* only under the lock can it have been 0 */
    }
}

/* Under the lock. */
static void dentry_put(struct dentry *d)
{
    if (__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    if (d->hashed) {
        lru_add(d);
    } else {
        dentry_free(d);
    }
}

void path_get(const struct path *p)
{
    if (p->dentry != NULL) {
        dentry_get(p->dentry);
    }
}

void path_put(struct path *p)
{
    struct dentry *d = p->dentry;

    *p = (struct path){0};
    if (d == NULL) {
        return;
    }
    uint32_t refs = __atomic_load_n(&d->refs, __ATOMIC_RELAXED);

    while (refs > 1) { /* the last one goes under the lock */
        if (__atomic_compare_exchange_n(&d->refs, &refs, refs - 1, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED)) {
            return;
        }
    }
    ns_lock();
    dentry_put(d);
    ns_unlock();
}

static int set_name(struct dentry *d, const char *s, size_t len)
{
    char *name = d->short_name;

    if (len >= sizeof(d->short_name)) {
        name = kmalloc(len + 1);
        if (name == NULL) {
            return -ENOMEM;
        }
    }
    if (d->name != NULL && d->name != d->short_name) {
        kfree(d->name);
    }
    __builtin_memcpy(name, s, len);
    name[len] = '\0';
    d->name = name;
    d->name_len = (uint32_t)len;
    return 0;
}

static int dentry_alloc(const char *s, size_t len, struct dentry **ret)
{
    struct dentry *d = kzalloc(sizeof(*d));

    if (d == NULL) {
        return -ENOMEM;
    }
    list_init(&d->lru);
    if (set_name(d, s, len) < 0) {
        kfree(d);
        return -ENOMEM;
    }
    g_dcache.count++;
    *ret = d;
    return 0;
}

static struct dentry *cached(const struct dentry *dir, const struct qstr *name)
{
    uint32_t hash = hash_of(dir, name->hash);

    for (struct dentry *d = *bucket_of(hash); d != NULL; d = d->hash_next) {
        if (d->hash == hash && d->parent == dir && d->name_len == name->len &&
            __builtin_memcmp(d->name, name->s, name->len) == 0) {
            if (d->refs == 0) { /* keep the LRU order */
                list_remove(&d->lru);
                list_insert(&g_dcache.lru, &d->lru);
            }
            return d;
        }
    }
    return NULL;
}

/* A directory whose names come and go makes an inode for each answer: what tells them apart is the
 * number, which says what the name stands for. */
static bool same_answer(const struct inode *dir, const struct inode *had, const struct inode *now)
{
    return now == had || (now != NULL && had != NULL && (dir->flags & INODE_VOLATILE) != 0 &&
                          now->ops == had->ops && now->ino == had->ino);
}

/* A volatile file system is asked at each walk. A dentry whose answer changed gives way. */
static int revalidate(struct dentry *d, const struct qstr *name)
{
    struct inode *inode = NULL;
    int r = d->parent->inode->ops->lookup(d->parent->inode, name, &inode);

    if (r < 0 && r != -ENOENT) {
        return r;
    }
    const bool same = same_answer(d->parent->inode, d->inode, inode);

    inode_put(inode);
    if (same || d->mounted != NULL) {
        return 1;
    }
    if (d->refs == 0) {
        dentry_free(d);
    } else {
        unhash(d);
    }
    return 0;
}

static int hash_init(void)
{
    if (g_dcache.hash == NULL) {
        g_dcache.hash = kpages_alloc(HASH_PAGES);
        if (g_dcache.hash == NULL) {
            return -ENOMEM;
        }
        __builtin_memset(g_dcache.hash, 0, HASH_PAGES * NACRE_PAGE_SIZE);
    }
    return 0;
}

int dentry_lookup(struct dentry *dir, const struct qstr *name, struct dentry **ret)
{
    struct inode *inode = NULL;

    if (name->len > NAME_LEN_MAX) {
        return -ENAMETOOLONG;
    }
    int r = hash_init();

    if (r < 0) {
        return r;
    }
    struct dentry *d = cached(dir, name);

    if (d != NULL &&
        ((dir->sb->flags & SB_VOLATILE) != 0 || (dir->inode->flags & INODE_VOLATILE) != 0)) {
        r = revalidate(d, name);
        if (r < 0) {
            return r;
        }
        d = r == 0 ? NULL : d;
    }
    if (d != NULL) {
        *ret = d;
        return 0;
    }
    r = dir->inode->ops->lookup(dir->inode, name, &inode);
    if (r < 0 && r != -ENOENT) {
        return r;
    }
    r = dentry_alloc(name->s, name->len, &d);
    if (r < 0) {
        inode_put(inode);
        return r;
    }
    d->parent = dir;
    dentry_get(dir);
    d->sb = dir->sb;
    d->inode = inode;
    set_alias(d);
    rehash(d, name->hash);
    lru_add(d);
    *ret = d;
    return 0;
}

void dentry_fill(struct dentry *d, struct inode *inode)
{
    d->inode = inode;
    set_alias(d);
}

void dentry_gone(struct dentry *d)
{
    if (d->refs == 0) {
        struct inode *inode = d->inode;

        clear_alias(d);
        d->inode = NULL; /* a negative entry from now on */
        inode_put(inode);
        return;
    }
    unhash(d);
}

int dentry_move(struct dentry *d, struct dentry *dir, const struct qstr *name)
{
    struct dentry *over = cached(dir, name);
    struct dentry *old_parent = d->parent;

    if (set_name(d, name->s, name->len) < 0) {
        return -ENOMEM;
    }
    if (over != NULL && over != d) {
        if (over->refs == 0) {
            dentry_free(over);
        } else {
            unhash(over);
        }
    }
    unhash(d);
    d->parent = dir;
    dentry_get(dir);
    rehash(d, name->hash);
    if (d->refs == 0 && list_empty(&d->lru)) {
        lru_add(d);
    }
    dentry_put(old_parent);
    return 0;
}

void dentry_swap(struct dentry *a, struct dentry *b)
{
    struct dentry *parent = a->parent;
    char short_name[sizeof(a->short_name)];
    char *a_name = a->name == a->short_name ? NULL : a->name;
    char *b_name = b->name == b->short_name ? NULL : b->name;
    uint32_t len = a->name_len;

    unhash(a);
    unhash(b);
    __builtin_memcpy(short_name, a->short_name, sizeof(short_name));
    __builtin_memcpy(a->short_name, b->short_name, sizeof(short_name));
    __builtin_memcpy(b->short_name, short_name, sizeof(short_name));
    a->name = b_name == NULL ? a->short_name : b_name;
    b->name = a_name == NULL ? b->short_name : a_name;
    a->name_len = b->name_len;
    b->name_len = len;
    a->parent = b->parent;
    b->parent = parent;
    rehash(a, str_hash(a->name, a->name_len));
    rehash(b, str_hash(b->name, b->name_len));
}

bool dentry_is_ancestor(const struct dentry *d, const struct dentry *of)
{
    for (;; of = of->parent) {
        if (of == d) {
            return true;
        }
        if (of->parent == of) {
            return false;
        }
    }
}

int dentry_anonymous(struct inode *inode, const char *name, struct dentry **ret)
{
    struct dentry *d = NULL;

    ns_lock();
    int r = dentry_alloc(name, str_len(name), &d);

    if (r == 0) {
        d->parent = d;
        d->inode = inode;
        set_alias(d);
        d->sb = inode->sb;
        d->refs = 1;
        *ret = d;
    }
    ns_unlock();
    return r;
}

int dentry_make_root(struct superblock *sb, struct dentry **ret)
{
    int r = dentry_anonymous(inode_get(sb->root), "/", ret);

    if (r < 0) {
        inode_put(sb->root);
    }
    return r;
}

void dcache_shrink(struct superblock *sb)
{
    ns_lock();
    list_for_each_safe (it, &g_dcache.lru) {
        struct dentry *d = list_entry(it, struct dentry, lru);

        if (sb == NULL || d->sb == sb) {
            /* freeing may put its parent on the list: behind us, at the end */
            dentry_free(d);
            it_next = g_dcache.lru.next;
            if (sb != NULL) {
                while (it_next != &g_dcache.lru &&
                       list_entry(it_next, struct dentry, lru)->sb != sb) {
                    it_next = it_next->next;
                }
            }
        }
    }
    ns_unlock();
}

void dcache_reset(void)
{
    dcache_shrink(NULL);
    kpages_free(g_dcache.hash, HASH_PAGES);
    g_dcache.hash = NULL;
}
