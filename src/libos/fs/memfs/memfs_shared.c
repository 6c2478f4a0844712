/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Files that processes map to share them. From the first such mapping on a file's pages belong to
 * an object of the family (shm/directory.h): they are here, or with whoever maps them. read(2),
 * write(2) and truncation have a page come home first. The memory of a page that is away stays, so
 * that there is room when it comes back.
 *
 * Lock order: write_lock > the pager's > inode.lock.
 */

#include "libos/family/rpc.h"
#include "libos/fs/memfs/memfs_internal.h"
#include "libos/mm/kmem.h"
#include "libos/shm/home.h"
#include "libos/shm/link.h"

/* Files nobody maps any more: their references go once the pager's lock is open. */
static struct spinlock g_lock;
static struct mutex g_making;
static struct list g_unused = {&g_unused, &g_unused};

static uint8_t *data(void *ctx, uint64_t page, bool make)
{
    struct memfs_inode *m = ctx;
    struct file_page *p = NULL;
    uint8_t *at;

    if (make) {
        if (memfs_pin(m, page, &p) < 0) {
            return NULL;
        }
        at = p->data;
        page_put(p); /* the tree has it, and gives none up but under the pager's lock */
        return at;
    }
    mutex_lock(&m->inode.lock);
    p = pagetree_get(&m->pages, page);
    mutex_unlock(&m->inode.lock);
    return p == NULL ? NULL : p->data;
}

static uint64_t pages(void *ctx)
{
    const struct memfs_inode *m = ctx;

    return (__atomic_load_n(&m->inode.size, __ATOMIC_ACQUIRE) + NACRE_PAGE_SIZE - 1) >>
           NACRE_PAGE_SHIFT;
}

static void used(void *ctx)
{
    struct memfs_inode *m = ctx;

    (void)inode_get(&m->inode);
}

static void unused(void *ctx)
{
    struct memfs_inode *m = ctx;

    spin_lock(&g_lock);
    list_insert(&g_unused, &m->unused);
    spin_unlock(&g_lock);
}

static void put_unused(void)
{
    for (;;) {
        struct memfs_inode *m = NULL;

        spin_lock(&g_lock);
        if (!list_empty(&g_unused)) {
            m = list_entry(g_unused.next, struct memfs_inode, unused);
            list_remove(&m->unused);
        }
        spin_unlock(&g_lock);
        if (m == NULL) {
            return;
        }
        inode_put(&m->inode);
    }
}

static const struct directory_backing backing = {
    .data = data, .pages = pages, .used = used, .unused = unused};

int memfs_share(struct inode *inode, uint32_t member, uint64_t *ret)
{
    struct memfs_inode *m = memfs_of(inode);
    uint64_t object = 0;
    int r = 0;

    if (family_role() == FAMILY_MEMBER || !S_ISREG(inode->mode)) {
        return -EOPNOTSUPP; /* only the first process keeps books */
    }
    shm_link_unlocked(put_unused);
    mutex_lock(&g_making);
    if (m->object == 0) {
        list_init(&m->unused);
        r = shm_home_create(&backing, m, SHM_PAGES_MAX, &object);
        if (r == 0) {
            __atomic_store_n(&m->object, object, __ATOMIC_RELEASE);
            (void)__atomic_or_fetch(&inode->flags, INODE_SHARED, __ATOMIC_RELEASE);
        }
    }
    mutex_unlock(&g_making);
    r = r < 0 ? r : shm_home_attach(member, m->object);
    if (r == 0) {
        *ret = m->object;
    }
    return r;
}

void memfs_unshare(struct memfs_inode *m)
{
    if (m->object != 0 && family_role() != FAMILY_MEMBER) {
        shm_home_drop(m->object);
    }
}

struct copy {
    uint8_t *buffer;
    size_t offset, size;
};

static void copy_out(void *ctx, uint8_t *page)
{
    const struct copy *c = ctx;

    if (page == NULL) {
        __builtin_memset(c->buffer, 0, c->size);
    } else {
        __builtin_memcpy(c->buffer, page + c->offset, c->size);
    }
}

static void copy_in(void *ctx, uint8_t *page)
{
    const struct copy *c = ctx;

    __builtin_memmove(page + c->offset, c->buffer, c->size);
}

static void clear(void *ctx, uint8_t *page)
{
    const struct copy *c = ctx;

    __builtin_memset(page + c->offset, 0, c->size);
}

int64_t memfs_read_shared(struct memfs_inode *m, struct iter *to, uint64_t offset)
{
    _cleanup_kfree_ uint8_t *buffer = kmalloc(NACRE_PAGE_SIZE);
    int64_t done = 0;

    if (buffer == NULL) {
        return -ENOMEM;
    }
    while (to->left > 0 && offset < m->inode.size) {
        struct copy c = {.buffer = buffer, .offset = offset % NACRE_PAGE_SIZE};
        size_t copied;
        int r;

        c.size = MIN(MIN(to->left, NACRE_PAGE_SIZE - c.offset), m->inode.size - offset);
        r = shm_home_visit(m->object, offset >> NACRE_PAGE_SHIFT, /*write=*/false, copy_out, &c);
        if (r < 0) {
            return done > 0 ? done : r;
        }
        copied = iter_put(to, buffer, c.size);
        done += (int64_t)copied;
        offset += copied;
        if (copied < c.size) {
            return done > 0 ? done : -EFAULT;
        }
    }
    return done;
}

int memfs_write_shared(struct memfs_inode *m, const uint8_t *src, uint64_t offset, size_t size)
{
    struct copy c = {
        .buffer = (uint8_t *)(uintptr_t)src, .offset = offset % NACRE_PAGE_SIZE, .size = size};

    return shm_home_visit(m->object, offset >> NACRE_PAGE_SHIFT, /*write=*/true, copy_in, &c);
}

static void discard(void *ctx, uint8_t *page)
{
}

void memfs_call_home(struct memfs_inode *m, uint64_t first, uint64_t last)
{
    uint64_t page = first;

    while (m->object != 0 && shm_home_away(m->object, page, last, &page)) {
        if (shm_home_visit(m->object, page, /*write=*/true, discard, NULL) == -EIO) {
            shm_home_forgive(m->object, page);
        }
        if (page++ == last) {
            return;
        }
    }
}

void memfs_clear_shared(struct memfs_inode *m, uint64_t start, uint64_t end)
{
    struct copy c = {.offset = start % NACRE_PAGE_SIZE, .size = end - start};
    uint64_t page;

    if (start < end &&
        shm_home_away(m->object, start >> NACRE_PAGE_SHIFT, start >> NACRE_PAGE_SHIFT, &page)) {
        (void)!shm_home_visit(m->object, page, /*write=*/true, clear, &c);
    }
}
