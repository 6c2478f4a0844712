/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * File content of memfs. Readers pin a page under `lock` and copy without it; writers hold
 * `write_lock` for the whole call, so that two writes never interleave.
 */

#include <linux/falloc.h>
#include <linux/memfd.h>

#include "core/overflow.h"
#include "libos/fs/memfs/memfs_internal.h"
#include "libos/mm/kmem.h"
#include "libos/shm/link.h"

static uint64_t g_pages_used; /* of all memfs superblocks, for /proc/meminfo */

uint64_t memfs_bytes_used(void)
{
    return __atomic_load_n(&g_pages_used, __ATOMIC_RELAXED) * NACRE_PAGE_SIZE;
}

static int charge(struct memfs_super *s)
{
    uint64_t used = __atomic_add_fetch(&s->pages, 1, __ATOMIC_RELAXED);

    if (s->max_pages != 0 && used > s->max_pages) {
        (void)__atomic_sub_fetch(&s->pages, 1, __ATOMIC_RELAXED);
        return -ENOSPC;
    }
    (void)__atomic_add_fetch(&g_pages_used, 1, __ATOMIC_RELAXED);
    return 0;
}

static void uncharge(struct memfs_super *s, uint64_t pages)
{
    (void)__atomic_sub_fetch(&s->pages, pages, __ATOMIC_RELAXED);
    (void)__atomic_sub_fetch(&g_pages_used, pages, __ATOMIC_RELAXED);
}

/* Under inode.lock (or with the last reference). */
void memfs_drop_pages(struct memfs_inode *m, uint64_t first, uint64_t last)
{
    uint64_t before = m->pages.count;

    pagetree_remove_range(&m->pages, first, last);
    uncharge(m->inode.sb->priv, before - m->pages.count);
    m->inode.blocks = m->pages.count * (NACRE_PAGE_SIZE / 512);
}

/* The page at `index` with a reference; *ret stays NULL for a hole. Returns the bytes of the file
 * from `offset` on, as far as they lie in this page. */
static size_t pin_for_read(struct memfs_inode *m, uint64_t offset, struct file_page **ret)
{
    size_t n = 0;

    mutex_lock(&m->inode.lock);
    if (offset < m->inode.size) {
        n = MIN(m->inode.size - offset, NACRE_PAGE_SIZE - offset % NACRE_PAGE_SIZE);
        *ret = pagetree_get(&m->pages, offset >> NACRE_PAGE_SHIFT);
        if (*ret != NULL) {
            ref_get(&(*ret)->refs);
        }
    }
    mutex_unlock(&m->inode.lock);
    return n;
}

int64_t memfs_read(struct inode *inode, struct iter *to, uint64_t offset)
{
    struct memfs_inode *m = memfs_of(inode);
    int64_t done = 0;

    if (memfs_is_shared(m)) {
        return memfs_read_shared(m, to, offset);
    }
    while (to->left > 0) {
        struct file_page *page = NULL;
        size_t n = MIN(pin_for_read(m, offset, &page), to->left);
        size_t copied = 0;

        if (n == 0) {
            break;
        }
        if (page == NULL) {
            copied = iter_zero(to, n);
        } else {
            copied = iter_put(to, page->data + offset % NACRE_PAGE_SIZE, n);
            page_put(page);
        }
        done += (int64_t)copied;
        offset += copied;
        if (copied < n) {
            return done > 0 ? done : -EFAULT;
        }
    }
    return done;
}

int memfs_pin(struct memfs_inode *m, uint64_t index, struct file_page **ret)
{
    mutex_lock(&m->inode.lock);
    struct file_page *page = pagetree_get(&m->pages, index);
    int r = 0;

    if (page == NULL) {
        r = charge(m->inode.sb->priv);
        if (r == 0) {
            page = page_alloc();
            r = page == NULL ? -ENOMEM : pagetree_insert(&m->pages, index, page);
            if (r < 0) {
                page_put(page);
                uncharge(m->inode.sb->priv, 1);
            }
        }
        m->inode.blocks = m->pages.count * (NACRE_PAGE_SIZE / 512);
    }
    if (r == 0) {
        ref_get(&page->refs);
        *ret = page;
    }
    mutex_unlock(&m->inode.lock);
    return r;
}

/* What comes from memory that is mapped from this very file is copied before the page is had. */
static int write_page(struct memfs_inode *m, struct iter *from, uint64_t offset, size_t n,
                      size_t *ret)
{
    struct file_page *page = NULL;
    uint8_t *buffer = memfs_is_shared(m) ? kmalloc(n) : NULL;
    int r = memfs_is_shared(m) && buffer == NULL ? -ENOMEM
                                                 : memfs_pin(m, offset >> NACRE_PAGE_SHIFT, &page);
    size_t copied;
    uint8_t *to;

    if (r < 0) {
        kfree(buffer);
        return r;
    }
    to = buffer != NULL ? buffer : page->data + offset % NACRE_PAGE_SIZE;
    copied = iter_take(from, to, n);
    mutex_lock(&m->inode.lock);
    if (copied > 0 && offset + copied > m->inode.size) {
        m->inode.size = offset + copied;
    }
    mutex_unlock(&m->inode.lock);
    if (memfs_is_shared(m) && copied > 0) { /* since this moment, perhaps */
        r = memfs_write_shared(m, to, offset, copied);
    }
    page_put(page);
    kfree(buffer);
    *ret = r < 0 ? 0 : copied;
    return r < 0 ? r : copied < n ? -EFAULT : 0;
}

int64_t memfs_write(struct inode *inode, struct iter *from, uint64_t *offset, bool append)
{
    struct memfs_inode *m = memfs_of(inode);
    int64_t done = 0;
    int r = 0;

    mutex_lock(&inode->write_lock);
    if (append) {
        *offset = inode->size;
    }
    uint64_t at = *offset;

    if ((inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0) {
        r = -EPERM;
    }
    while (r == 0 && from->left > 0) {
        size_t n = MIN(from->left, NACRE_PAGE_SIZE - at % NACRE_PAGE_SIZE);
        size_t copied = 0;

        if ((inode->seals & F_SEAL_GROW) != 0 && at + n > inode->size) {
            if (at >= inode->size) {
                r = -EPERM;
                break;
            }
            n = inode->size - at;
        }
        r = write_page(m, from, at, n, &copied);
        at += copied;
        done += (int64_t)copied;
    }
    mutex_unlock(&inode->write_lock);
    if (done > 0) {
        inode_touch(inode, /*atime=*/false, /*mtime=*/true);
        return done;
    }
    return r;
}

/* Zeroes [start, end) within one page, when that page exists. Under lock. */
static void clear_part(struct memfs_inode *m, uint64_t start, uint64_t end)
{
    struct file_page *page = pagetree_get(&m->pages, start >> NACRE_PAGE_SHIFT);

    if (page != NULL && start < end) {
        __builtin_memset(page->data + start % NACRE_PAGE_SIZE, 0, end - start);
    }
}

/* Zeros in [start, end); whole pages go. write_lock held. */
static void drop_range(struct memfs_inode *m, uint64_t start, uint64_t end)
{
    const uint64_t first = start / NACRE_PAGE_SIZE + (start % NACRE_PAGE_SIZE != 0 ? 1 : 0);
    const uint64_t last = end >> NACRE_PAGE_SHIFT; /* exclusive */
    const bool one = start >> NACRE_PAGE_SHIFT == last;

    if (memfs_is_shared(m)) {
        memfs_clear_shared(m, start, one ? end : page_align_up(start));
        memfs_clear_shared(m, one || end == UINT64_MAX ? end : page_align_down(end), end);
        if (first < last) {
            memfs_call_home(m, first, last - 1);
        }
    }
    shm_lock();
    mutex_lock(&m->inode.lock);
    clear_part(m, start, one ? end : page_align_up(start));
    if (!one && end != UINT64_MAX) {
        clear_part(m, page_align_down(end), end);
    }
    if (first < last) {
        memfs_drop_pages(m, first, last - 1);
    }
    mutex_unlock(&m->inode.lock);
    shm_unlock();
}

int memfs_resize(struct inode *inode, uint64_t size)
{
    struct memfs_inode *m = memfs_of(inode);
    int r = 0;

    mutex_lock(&inode->write_lock);
    if ((size < inode->size && (inode->seals & F_SEAL_SHRINK) != 0) ||
        (size > inode->size && (inode->seals & F_SEAL_GROW) != 0)) {
        r = -EPERM;
    } else {
        const bool less = size < inode->size;

        mutex_lock(&inode->lock);
        inode->size = size; /* nobody gets what lies behind it from here on */
        mutex_unlock(&inode->lock);
        if (less) {
            drop_range(m, size, UINT64_MAX);
        }
    }
    mutex_unlock(&inode->write_lock);
    return r;
}

static void punch(struct memfs_inode *m, uint64_t start, uint64_t end)
{
    drop_range(m, start, end);
}

/* Allocates the pages of a range, all or none of those that were missing. */
static int reserve(struct memfs_inode *m, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i <= last; i++) {
        struct file_page *page = NULL;
        int r = memfs_pin(m, i, &page);

        if (r < 0) {
            return r;
        }
        page_put(page);
    }
    return 0;
}

int memfs_fallocate(struct inode *inode, int mode, uint64_t offset, uint64_t size)
{
    struct memfs_inode *m = memfs_of(inode);
    uint64_t end;
    int r = 0;

    if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) != 0) {
        return -EOPNOTSUPP;
    }
    if (add_overflow(offset, size, &end) || end > INT64_MAX) {
        return -EFBIG;
    }
    mutex_lock(&inode->write_lock);
    if ((mode & FALLOC_FL_PUNCH_HOLE) != 0) {
        if ((mode & FALLOC_FL_KEEP_SIZE) == 0) {
            r = -EOPNOTSUPP;
        } else if ((inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0) {
            r = -EPERM;
        } else {
            punch(m, offset, end);
        }
    } else if ((inode->seals & F_SEAL_GROW) != 0 && end > inode->size) {
        r = -EPERM;
    } else {
        struct memfs_super *s = inode->sb->priv;
        uint64_t last = (end - 1) >> NACRE_PAGE_SHIFT;

        /* refuse the impossible before touching memory for it */
        if (s->max_pages != 0 && last - (offset >> NACRE_PAGE_SHIFT) >= s->max_pages) {
            r = -ENOSPC;
        } else {
            r = reserve(m, offset >> NACRE_PAGE_SHIFT, last);
        }
        if (r == 0 && (mode & FALLOC_FL_KEEP_SIZE) == 0 && end > inode->size) {
            mutex_lock(&inode->lock);
            inode->size = end;
            mutex_unlock(&inode->lock);
        }
    }
    mutex_unlock(&inode->write_lock);
    if (r == 0) {
        inode_touch(inode, /*atime=*/false, /*mtime=*/true);
    }
    return r == -ENOMEM ? -ENOSPC : r;
}

int64_t memfs_seek_data(struct inode *inode, uint64_t offset, bool hole)
{
    struct memfs_inode *m = memfs_of(inode);
    uint64_t index = offset >> NACRE_PAGE_SHIFT;
    uint64_t found = 0;
    int64_t r = -ENXIO;

    mutex_lock(&inode->lock);
    if (offset < inode->size) {
        if (hole) {
            found = pagetree_next_hole(&m->pages, index);
            found = found == index ? offset : found << NACRE_PAGE_SHIFT;
            r = (int64_t)MIN(found, inode->size);
        } else if (pagetree_next(&m->pages, index, &found)) {
            found = found == index ? offset : found << NACRE_PAGE_SHIFT;
            r = found < inode->size ? (int64_t)found : -ENXIO;
        }
    }
    mutex_unlock(&inode->lock);
    return r;
}
