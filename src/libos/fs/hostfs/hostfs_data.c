/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Contents of host files. Read-only ones are read once into pages (bounded; whole files go least
 * recently used first) so that a file read twice cannot change in between, as far as it stays in
 * memory. Pass-through ones are read and written at the host each time.
 *
 * What the host may lie about: contents and sizes. A file that ends before the size it had when it
 * was first seen is an error and not an end of file.
 */

#include "libos/fs/hostfs/hostfs_internal.h"
#include "libos/host/host_io.h"
#include "libos/mm/kmem.h"

#define CLUSTER_SEQUENTIAL 32u
#define CLUSTER_RANDOM     4u

static struct {
    struct mutex lock; /* taken inside inode locks */
    struct list files; /* hostfs_inode.lru, oldest first */
    uint64_t pages;
    uint64_t max_pages;
    struct list open; /* hostfs_inode.fd_lru, oldest first */
    uint32_t open_count;
} g_cache = {.max_pages = HOSTFS_CACHE_DEFAULT / NACRE_PAGE_SIZE};

static void cache_lock(void)
{
    mutex_lock(&g_cache.lock);
    if (g_cache.files.next == NULL) {
        list_init(&g_cache.files);
        list_init(&g_cache.open);
    }
}

void hostfs_set_cache_max(size_t bytes)
{
    g_cache.max_pages = MAX(bytes / NACRE_PAGE_SIZE, (size_t)CLUSTER_SEQUENTIAL);
}

/* ---- host descriptors of read-only files ---- */

void hostfs_fd_drop(struct hostfs_inode *h)
{
    if (h->fd < 0) {
        return;
    }
    cache_lock();
    if (!list_empty(&h->fd_lru)) {
        list_remove(&h->fd_lru);
        g_cache.open_count--;
    }
    mutex_unlock(&g_cache.lock);
    (void)host_close(h->fd);
    h->fd = -1;
}

/* Closes the least recently opened read-only file when there are too many. Files in use by another
 * thread are passed over. */
static void fd_limit(const struct hostfs_inode *keep)
{
    struct hostfs_inode *victim = NULL;

    cache_lock();
    if (g_cache.open_count > HOSTFS_OPEN_MAX) {
        list_for_each (it, &g_cache.open) {
            struct hostfs_inode *h = list_entry(it, struct hostfs_inode, fd_lru);

            if (h != keep && mutex_trylock(&h->inode.lock)) {
                list_remove(&h->fd_lru);
                g_cache.open_count--;
                victim = h;
                break;
            }
        }
    }
    mutex_unlock(&g_cache.lock);
    if (victim != NULL) {
        (void)host_close(victim->fd);
        victim->fd = -1;
        mutex_unlock(&victim->inode.lock);
    }
}

/* A read-only file must be what it was when its name was looked up. */
static int check_same(struct hostfs_inode *h, int fd)
{
    struct host_stat st;
    int r = host_fstat(fd, &st);

    if (r < 0) {
        return r;
    }
    if (st.dev != h->host_dev || st.ino != h->host_ino || !S_ISREG(st.mode)) {
        return -EIO;
    }
    return (uint64_t)st.size == h->inode.size ? 0 : -EIO;
}

int hostfs_fd(struct hostfs_inode *h, bool write)
{
    struct hostfs_super *s = hostfs_super_of(&h->inode);
    _cleanup_kfree_ char *path = NULL;

    if (h->fd >= 0 && (!write || h->fd_writable)) {
        return h->fd;
    }
    int r = hostfs_path(h, NULL, &path);

    if (r < 0) {
        return r;
    }
    int flags = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int fd = host_openat(s->root_fd, path, flags | (write ? O_RDWR : O_RDONLY), 0);

    if (fd < 0) {
        return fd;
    }
    if (!s->writable) {
        r = check_same(h, fd);
        if (r < 0) {
            (void)host_close(fd);
            return r;
        }
    }
    hostfs_fd_drop(h);
    h->fd = fd;
    h->fd_writable = write;
    if (!s->writable) {
        cache_lock();
        list_insert(&g_cache.open, &h->fd_lru);
        g_cache.open_count++;
        mutex_unlock(&g_cache.lock);
        fd_limit(h);
    }
    return h->fd;
}

/* ---- pages ---- */

/* inode.lock held, or the last reference. */
void hostfs_cache_drop(struct hostfs_inode *h)
{
    uint64_t n = h->pages.count;

    pagetree_remove_range(&h->pages, 0, UINT64_MAX);
    cache_lock();
    g_cache.pages -= n;
    if (h->on_lru) {
        list_remove(&h->lru);
        h->on_lru = false;
    }
    mutex_unlock(&g_cache.lock);
}

/* Accounts new pages of `h` and makes room: other files first, oldest first; then `h` itself gives
 * up what it had before this read. */
static void cache_account(struct hostfs_inode *h, uint64_t added)
{
    cache_lock();
    g_cache.pages += added;
    if (h->on_lru) {
        list_remove(&h->lru);
    }
    list_insert(&g_cache.files, &h->lru);
    h->on_lru = true;
    list_for_each_safe (it, &g_cache.files) {
        struct hostfs_inode *old = list_entry(it, struct hostfs_inode, lru);

        if (g_cache.pages <= g_cache.max_pages) {
            break;
        }
        if (old == h || !mutex_trylock(&old->inode.lock)) {
            continue;
        }
        g_cache.pages -= old->pages.count;
        pagetree_remove_range(&old->pages, 0, UINT64_MAX);
        list_remove(&old->lru);
        old->on_lru = false;
        mutex_unlock(&old->inode.lock);
    }
    mutex_unlock(&g_cache.lock);
}

/* Keeps one file from filling the cache alone: everything but [first, last] goes. */
static void trim_self(struct hostfs_inode *h, uint64_t first, uint64_t last)
{
    uint64_t before = h->pages.count;

    if (g_cache.pages <= g_cache.max_pages) {
        return;
    }
    if (first > 0) {
        pagetree_remove_range(&h->pages, 0, first - 1);
    }
    pagetree_remove_range(&h->pages, last + 1, UINT64_MAX);
    cache_lock();
    g_cache.pages -= before - h->pages.count;
    mutex_unlock(&g_cache.lock);
}

/* Reads `count` pages from `index` on into fresh pages. inode.lock held. */
static int fill(struct hostfs_inode *h, uint64_t index, uint32_t count)
{
    struct file_page *page[CLUSTER_SEQUENTIAL];
    int fd = hostfs_fd(h, /*write=*/false);
    uint32_t have = 0;
    uint32_t added = 0;
    int r = MIN(fd, 0);

    while (r == 0 && have < count) {
        page[have] = page_alloc();
        if (page[have] == NULL) {
            r = have > 0 ? 0 : -ENOMEM;
            break;
        }
        have++;
    }
    for (uint32_t i = 0; i < have; i++) {
        uint64_t at = (index + i) << NACRE_PAGE_SHIFT;
        size_t want = MIN(h->inode.size - at, NACRE_PAGE_SIZE);
        int64_t n = r < 0 ? r : host_pread(fd, page[i]->data, want, at);

        if (n != (int64_t)want) {
            r = n < 0 ? (int)n : -EIO;
        }
        if (r == 0) {
            r = pagetree_insert(&h->pages, index + i, page[i]);
        }
        if (r < 0) {
            page_put(page[i]);
        } else {
            added++;
        }
    }
    if (added > 0) {
        cache_account(h, added);
        trim_self(h, index, index + added - 1);
        return 0;
    }
    return r;
}

/* How many absent pages to read from `index` on. */
static uint32_t cluster(const struct hostfs_inode *h, uint64_t index)
{
    uint64_t end = (h->inode.size + NACRE_PAGE_SIZE - 1) >> NACRE_PAGE_SHIFT;
    uint32_t max = index == h->next_miss ? CLUSTER_SEQUENTIAL : CLUSTER_RANDOM;
    uint32_t n = 1;

    while (n < max && index + n < end && pagetree_get(&h->pages, index + n) == NULL) {
        n++;
    }
    return n;
}

static int64_t pin(struct hostfs_inode *h, uint64_t offset, struct file_page **ret)
{
    uint64_t index = offset >> NACRE_PAGE_SHIFT;
    int64_t n = 0;

    mutex_lock(&h->inode.lock);
    if (offset < h->inode.size) {
        n = (int64_t)MIN(h->inode.size - offset, NACRE_PAGE_SIZE - offset % NACRE_PAGE_SIZE);
        *ret = pagetree_get(&h->pages, index);
        if (*ret == NULL) {
            uint32_t count = cluster(h, index);
            int r = fill(h, index, count);

            h->next_miss = index + count;
            *ret = pagetree_get(&h->pages, index);
            n = *ret == NULL ? MIN(r, -EIO) : n;
        }
        if (*ret != NULL) {
            ref_get(&(*ret)->refs);
        }
    }
    mutex_unlock(&h->inode.lock);
    return n;
}

static int64_t read_cached(struct hostfs_inode *h, struct iter *to, uint64_t offset)
{
    int64_t done = 0;

    while (to->left > 0) {
        struct file_page *page = NULL;
        int64_t n = pin(h, offset, &page);

        if (n <= 0) {
            return done > 0 ? done : n;
        }
        n = MIN(n, (int64_t)to->left);
        size_t copied = iter_put(to, page->data + offset % NACRE_PAGE_SIZE, (size_t)n);

        page_put(page);
        done += (int64_t)copied;
        offset += copied;
        if ((int64_t)copied < n) {
            return done > 0 ? done : -EFAULT;
        }
    }
    return done;
}

static int current_fd(struct hostfs_inode *h, bool write)
{
    mutex_lock(&h->inode.lock);
    int fd = hostfs_fd(h, write);

    mutex_unlock(&h->inode.lock);
    return fd;
}

int64_t hostfs_read(struct inode *inode, struct iter *to, uint64_t offset)
{
    struct hostfs_inode *h = hostfs_of(inode);
    int64_t done = 0;

    if (!hostfs_super_of(inode)->writable) {
        return read_cached(h, to, offset);
    }
    int fd = current_fd(h, /*write=*/false);

    if (fd < 0) {
        return fd;
    }
    while (to->left > 0) {
        uint64_t at = offset + (uint64_t)done;
        int64_t n = host_read_iter(fd, to, &at);

        if (n <= 0) {
            return done > 0 ? done : n;
        }
        done += n;
    }
    return done;
}

int64_t hostfs_write(struct inode *inode, struct iter *from, uint64_t *offset, bool append)
{
    struct hostfs_inode *h = hostfs_of(inode);
    int64_t done = 0;
    int fd = current_fd(h, /*write=*/true);

    if (fd < 0) {
        return fd;
    }
    mutex_lock(&inode->write_lock);
    if (append) {
        struct host_stat st;
        int r = host_fstat(fd, &st);

        if (r < 0) {
            mutex_unlock(&inode->write_lock);
            return r;
        }
        *offset = (uint64_t)st.size;
    }
    while (from->left > 0) {
        uint64_t at = *offset + (uint64_t)done;
        int64_t n = host_write_iter(fd, from, &at);

        if (n <= 0) {
            done = done > 0 ? done : n;
            break;
        }
        done += n;
    }
    mutex_unlock(&inode->write_lock);
    return done;
}

int hostfs_fallocate(struct inode *inode, int mode, uint64_t offset, uint64_t size)
{
    int fd = current_fd(hostfs_of(inode), /*write=*/true);

    return fd < 0 ? fd : host_fallocate(fd, mode, offset, size);
}

int hostfs_sync(struct inode *inode, bool data_only)
{
    struct hostfs_inode *h = hostfs_of(inode);

    if (!S_ISREG(inode->mode) || h->fd < 0) {
        return 0;
    }
    int fd = current_fd(h, /*write=*/false);

    return fd < 0 ? fd : host_fsync(fd, data_only);
}
