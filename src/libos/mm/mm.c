/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/mm/mm.h"

#include <linux/mman.h>

#include "libos/boot/boot.h"
#include "libos/boot/rewrite.h"
#include "libos/family/rpc.h"
#include "libos/fs/file.h"
#include "libos/lib/random.h"
#include "libos/mm/keep.h"
#include "libos/mm/kmem.h"
#include "libos/mm/page.h"
#include "libos/shm/local.h"
#include "libos/shm/wire.h"

/* Ranges up to this size get their pages at once: one batch costs less than two faults. */
#define EAGER_ANON_SIZE ((uint64_t)128 << 10)
/* Private file mappings up to this size are read at once. */
#define EAGER_FILE_SIZE ((uint64_t)256 << 10)

#define STACK_LIMIT_DEFAULT ((uint64_t)8 << 20)

struct mm g_mm;

int mm_init(void)
{
    vma_tree_init(&g_mm.tree, g_user_start, g_user_end);
    g_mm.stack_limit = STACK_LIMIT_DEFAULT;
    mm_randomize();
    shm_start();
    return 0;
}

/* 28 bits of randomness in page steps for the mmap area, as Linux has; the area is everything below
 * it that nobody else has. */
void mm_randomize(void)
{
    const uint64_t pages = random_u64() & ((1ull << 23) - 1); /* 32 GiB */

    g_mm.mmap_top = g_user_end - (1ull << 30) - (pages << NACRE_PAGE_SHIFT);
}

uint8_t mm_page_prot(uint32_t prot)
{
    uint8_t p = 0;

    /* On x86 whatever is writable or executable is readable. */
    if (prot != 0) {
        p |= PAGE_R;
    }
    if ((prot & PROT_WRITE) != 0) {
        p |= PAGE_W;
    }
    if ((prot & PROT_EXEC) != 0) {
        p |= PAGE_X;
    }
    return p;
}

static bool written_back(const struct vma *v)
{
    const uint32_t both = VMA_SHARED | VMA_MAYWRITE;

    return v->file != NULL && v->object == NULL && (v->flags & both) == both;
}

uint8_t mm_fill_prot(const struct vma *v)
{
    const uint8_t prot = mm_page_prot(v->prot);

    return written_back(v) ? (uint8_t)(prot & ~PAGE_W) : prot;
}

struct vma *mm_vma_alloc(void)
{
    return kzalloc(sizeof(struct vma));
}

void mm_vma_free(struct vma *v)
{
    if (v != NULL) {
        shm_object_put(v->object); /* before the file, which may go with it */
        file_put(v->file);
        kfree(v);
    }
}

/* ---- split and merge ---- */

int mm_split_at(uint64_t at)
{
    struct vma *v = vma_find(&g_mm.tree, at);
    struct vma *upper;

    if (v == NULL || v->start >= at || v->end <= at) {
        return 0;
    }
    upper = mm_vma_alloc();
    if (upper == NULL) {
        return -ENOMEM;
    }
    *upper = *v;
    upper->start = at;
    upper->object = shm_object_get(v->object);
    if (v->file != NULL) {
        upper->file = file_get(v->file);
    }
    if (v->file != NULL || v->object != NULL) {
        upper->offset = v->offset + (at - v->start);
    }
    vma_resize(&g_mm.tree, v, v->start, at);
    vma_insert(&g_mm.tree, upper);
    return 0;
}

static bool alike(const struct vma *a, const struct vma *b)
{
    return a->end == b->start && a->prot == b->prot && a->flags == b->flags && a->file == b->file &&
           a->name == b->name && a->object == b->object &&
           ((a->file == NULL && a->object == NULL) || a->offset + (a->end - a->start) == b->offset);
}

struct vma *mm_merge(struct vma *v)
{
    struct vma *prev = vma_prev(v);
    struct vma *next = vma_next(v);

    if (next != NULL && alike(v, next)) {
        const uint64_t end = next->end;

        vma_remove(&g_mm.tree, next);
        mm_vma_free(next);
        vma_resize(&g_mm.tree, v, v->start, end);
    }
    if (prev != NULL && alike(prev, v)) {
        const uint64_t end = v->end;

        vma_remove(&g_mm.tree, v);
        mm_vma_free(v);
        vma_resize(&g_mm.tree, prev, prev->start, end);
        return prev;
    }
    return v;
}

/* ---- map ---- */

static uint32_t vma_flags(uint32_t flags, const struct file *file)
{
    uint32_t f = 0;

    if ((flags & MAP_TYPE) != MAP_PRIVATE && file != NULL) {
        f |= VMA_SHARED;
    }
    if ((flags & MAP_TYPE) != MAP_PRIVATE && file == NULL) {
        f |= VMA_SHARED_ANON;
    }
    if ((flags & MAP_GROWSDOWN) != 0) {
        f |= VMA_GROWSDOWN;
    }
    if ((flags & MAP_NORESERVE) != 0) {
        f |= VMA_NORESERVE;
    }
    if ((flags & MAP_LOCKED) != 0 || g_mm.lock_future) {
        f |= VMA_LOCKED;
    }
    return f;
}

/* Where a mapping without MAP_FIXED goes: the hint if it is free, else from the top down. */
static uint64_t choose_place(uint64_t hint, uint64_t size, uint32_t flags)
{
    const uint64_t low = g_user_start;
    uint64_t p;

    if ((flags & MAP_32BIT) != 0) {
        return vma_find_gap(&g_mm.tree, size, MAX(low, (uint64_t)0x40000000),
                            MIN(g_user_end, (uint64_t)0x80000000));
    }
    hint = page_align_down(hint);
    if (hint >= low && hint < g_user_end && size <= g_user_end - hint &&
        vma_range_free(&g_mm.tree, hint, hint + size)) {
        return hint;
    }
    p = vma_find_gap(&g_mm.tree, size, low, g_mm.mmap_top);
    return p != 0 ? p : vma_find_gap(&g_mm.tree, size, low, g_user_end);
}

/* Is there something of ours in the way (trampolines)? */
static bool has_internal(uint64_t start, uint64_t end)
{
    const struct vma *v = vma_find(&g_mm.tree, start);

    while (v != NULL && v->start < end && (v->flags & VMA_INTERNAL) == 0) {
        v = vma_next(v);
    }
    return v != NULL && v->start < end;
}

static int64_t place(uint64_t address, uint64_t size, uint32_t flags)
{
    const uint64_t end = address + size;

    if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) == 0) {
        const uint64_t p = choose_place(address, size, flags);

        return p == 0 ? -ENOMEM : (int64_t)p;
    }
    if (!is_page_aligned(address)) {
        return -EINVAL;
    }
    if (end < address || end > g_user_end) {
        return -ENOMEM;
    }
    if (address < g_user_start) {
        return -EPERM; /* below vm.mmap_min_addr */
    }
    if ((flags & MAP_FIXED_NOREPLACE) != 0 && !vma_range_free(&g_mm.tree, address, end)) {
        return -EEXIST;
    }
    if (has_internal(address, end)) {
        return -ENOMEM;
    }
    return (int64_t)address;
}

/* The kernel's heuristic overcommit: a single request for more than there is will not do. */
static bool overcommits(uint64_t size, uint32_t prot, uint32_t flags, const struct file *file)
{
    if ((prot & PROT_WRITE) == 0 || (flags & MAP_NORESERVE) != 0 ||
        (file != NULL && (flags & MAP_TYPE) != MAP_PRIVATE)) {
        return false;
    }
    return size > page_available();
}

static bool wants_eager(const struct vma *v, uint32_t flags)
{
    const uint64_t size = v->end - v->start;

    if (v->prot == PROT_NONE || (v->flags & VMA_GROWSDOWN) != 0) {
        return false;
    }
    if ((flags & MAP_POPULATE) != 0 || (v->flags & VMA_LOCKED) != 0) {
        return true;
    }
    if (v->file != NULL) {
        return size <= EAGER_FILE_SIZE;
    }
    return (flags & MAP_NORESERVE) == 0 && size <= EAGER_ANON_SIZE;
}

/* A file whose pages processes share is shown as it is; others are copied in. */
static int show_file(struct vma *v)
{
    struct inode *inode = v->file->inode;
    uint64_t id = 0;
    int r;

    if (inode == NULL || inode->ops->share == NULL) {
        return 0;
    }
    r = inode->ops->share(inode, family_self(), &id);
    if (r == -EOPNOTSUPP) {
        return 0;
    }
    r = r < 0 ? r : shm_object_attached(id, SHM_PAGES_MAX, &v->object);
    return r < 0 ? r : shm_show(v->object, v->offset, v->start, v->end - v->start, v->prot);
}

static int64_t map_locked(uint64_t address, uint64_t size, uint32_t prot, uint32_t flags,
                          struct file *file, uint64_t offset, const char *name)
{
    const int64_t at = place(address, size, flags);
    struct vma *v;
    int r;

    if (at < 0) {
        return at;
    }
    if (overcommits(size, prot, flags, file)) {
        return -ENOMEM;
    }
    v = mm_vma_alloc();
    if (v == NULL) {
        return -ENOMEM;
    }
    if ((flags & MAP_FIXED) != 0) {
        r = mm_unmap_locked((uint64_t)at, size);
        if (r < 0) {
            kfree(v);
            return r;
        }
    }
    v->start = (uint64_t)at;
    v->end = (uint64_t)at + size;
    v->prot = prot;
    v->flags = vma_flags(flags, file);
    v->name = name;
    if (file != NULL) {
        v->file = file_get(file);
        v->offset = offset;
        if ((v->flags & VMA_SHARED) != 0 && (file->mode & FILE_WRITE) != 0) {
            v->flags |= VMA_MAYWRITE;
        }
    }
    vma_insert(&g_mm.tree, v);
    if (file == NULL && v->prot != PROT_NONE && (v->flags & VMA_GROWSDOWN) == 0) {
        r = keep_revive(v->start, size, mm_page_prot(prot));
        if (r < 0) {
            (void)mm_unmap_locked((uint64_t)at, size);
            return r;
        }
    } else {
        keep_drop(v->start, size);
    }
    r = (v->flags & VMA_SHARED) != 0 ? show_file(v) : 0;
    if (r < 0) {
        (void)mm_unmap_locked((uint64_t)at, size);
        return r;
    }
    if (wants_eager(v, flags)) {
        /* Shortage now is shortage at the first touch: only what must be there is an error. */
        r = mm_populate_locked(v, v->start, v->end);
        if (r == -ENOMEM && (flags & (MAP_POPULATE | MAP_NORESERVE)) == 0 && file == NULL) {
            (void)mm_unmap_locked((uint64_t)at, size);
            return -ENOMEM;
        }
    }
    (void)mm_merge(v);
    return at;
}

int64_t mm_map(uint64_t address, uint64_t size, uint32_t prot, uint32_t flags, struct file *file,
               uint64_t offset, const char *name)
{
    int64_t r;

    size = page_align_up(size);
    mutex_lock(&g_mm.lock);
    r = map_locked(address, size, prot, flags, file, offset, name);
    mutex_unlock(&g_mm.lock);
    return r;
}

static int64_t map_object_locked(uint64_t address, uint64_t size, uint32_t prot, uint32_t flags,
                                 struct shm_object *o)
{
    const int64_t at = place(address, size, flags);
    struct vma *v;
    int r;

    if (at < 0) {
        return at;
    }
    if ((flags & MAP_FIXED) != 0) {
        r = mm_unmap_locked((uint64_t)at, size);
        if (r < 0) {
            return r;
        }
    }
    v = mm_vma_alloc();
    if (v == NULL) {
        return -ENOMEM;
    }
    v->start = (uint64_t)at;
    v->end = (uint64_t)at + size;
    v->prot = prot;
    v->flags = VMA_SHARED_ANON | VMA_SYSV;
    v->object = shm_object_get(o);
    vma_insert(&g_mm.tree, v);
    keep_drop(v->start, size);
    r = shm_show(o, 0, v->start, size, prot);
    if (r < 0) {
        (void)mm_unmap_locked((uint64_t)at, size);
        return r;
    }
    return at;
}

int64_t mm_map_object(uint64_t address, uint64_t size, uint32_t prot, uint32_t flags,
                      uint64_t object)
{
    struct shm_object *o = NULL;
    int64_t r;

    size = page_align_up(size);
    r = shm_object_attached(object, size >> NACRE_PAGE_SHIFT, &o);
    if (r < 0) {
        return r;
    }
    mutex_lock(&g_mm.lock);
    r = map_object_locked(address, size, prot, flags, o);
    shm_object_put(o);
    mutex_unlock(&g_mm.lock);
    return r;
}

int mm_unmap_object(uint64_t address, uint64_t *ret_object)
{
    struct shm_object *o;
    struct vma *v;
    uint64_t end;
    int r = 0;

    mutex_lock(&g_mm.lock);
    v = vma_find(&g_mm.tree, address);
    if (v == NULL || v->start != address || v->offset != 0 || (v->flags & VMA_SYSV) == 0) {
        mutex_unlock(&g_mm.lock);
        return -EINVAL;
    }
    o = shm_object_get(v->object);
    *ret_object = shm_object_id(o);
    end = address + shm_object_size(o);
    /* What other calls made of it (mprotect, munmap of a part) is several mappings. */
    while (r == 0 && v != NULL && v->start < end) {
        struct vma *next = vma_next(v);

        if (v->object == o && v->start - address == v->offset) {
            r = mm_unmap_locked(v->start, v->end - v->start);
        }
        v = next;
    }
    shm_object_part(o);
    shm_object_put(o);
    mutex_unlock(&g_mm.lock);
    return r;
}

/* ---- unmap ---- */

int mm_unmap_locked(uint64_t address, uint64_t size)
{
    const uint64_t end = address + size;
    struct vma *v;
    int r = mm_split_at(address);

    if (r == 0) {
        r = mm_split_at(end);
    }
    if (r < 0) {
        return r;
    }
    v = vma_find(&g_mm.tree, address);
    while (v != NULL && v->start < end) {
        struct vma *next = vma_next(v);

        if ((v->flags & VMA_INTERNAL) != 0 && !g_mm.clearing) {
            v = next; /* threads may sleep above it */
            continue;
        }
        if ((v->flags & VMA_SHARED) != 0) {
            (void)mm_sync_vma(v, v->start, v->end, /*stays=*/false);
        }
        rewrite_forget(v->start, v->end);
        if (v->object != NULL) {
            shm_hide(v->start, v->end - v->start);
        } else if (g_mm.clearing) {
            page_decommit(v->start, v->end - v->start);
        } else {
            keep_or_decommit(v->start, v->end - v->start);
        }
        vma_remove(&g_mm.tree, v);
        mm_vma_free(v);
        v = next;
    }
    return 0;
}

int mm_unmap(uint64_t address, uint64_t size)
{
    int r;

    mutex_lock(&g_mm.lock);
    r = mm_unmap_locked(address, size);
    mutex_unlock(&g_mm.lock);
    return r;
}

void mm_clear(void)
{
    mutex_lock(&g_mm.lock);
    g_mm.clearing = true;
    (void)mm_unmap_locked(g_user_start, g_user_end - g_user_start);
    g_mm.clearing = false;
    (void)keep_drop_all();
    mutex_unlock(&g_mm.lock);
    g_mm.brk_start = 0;
    g_mm.brk_end = 0;
    g_mm.lock_future = false;
}

/* ---- protect ---- */

/* How far every page of the range is mapped and may be given `prot`; what stops it. */
static int may_protect(uint64_t address, uint64_t end, uint32_t prot, uint64_t *ret_end)
{
    const struct vma *v = vma_find(&g_mm.tree, address);
    uint64_t at = address;

    while (at < end) {
        *ret_end = at;
        if (v == NULL || v->start > at) {
            return -ENOMEM;
        }
        if ((v->flags & VMA_INTERNAL) != 0) {
            return -EACCES;
        }
        if ((v->flags & VMA_SHARED) != 0 && (prot & PROT_WRITE) != 0 &&
            (v->flags & VMA_MAYWRITE) == 0) {
            return -EACCES;
        }
        at = v->end;
        v = vma_next(v);
    }
    *ret_end = end;
    return 0;
}

/* Permissions of a whole mapping. What PAGE_W says about a shared one is used before it changes. */
static int change_prot(struct vma *v, uint32_t prot)
{
    const uint32_t was = v->prot;

    if (v->object != NULL) {
        v->prot = prot;
        return shm_protect(v->start, v->end - v->start, prot);
    }
    int r = written_back(v) ? mm_sync_vma(v, v->start, v->end, /*stays=*/true) : 0;

    if (r == 0) {
        v->prot = prot;
        r = page_protect(v->start, v->end - v->start, mm_fill_prot(v));
    }
    if (r < 0) {
        v->prot = was;
    }
    return r;
}

/* As Linux, what lies before the first page that cannot be changed is changed all the same. */
static int protect_locked(uint64_t address, uint64_t size, uint32_t prot)
{
    uint64_t end;
    struct vma *v;
    const int stop = may_protect(address, address + size, prot, &end);
    int r = end > address ? mm_split_at(address) : stop;

    if (r == 0) {
        r = mm_split_at(end);
    }
    if (r < 0) {
        return r;
    }
    for (v = vma_find(&g_mm.tree, address); v != NULL && v->start < end; v = vma_next(v)) {
        if (v->prot == prot) {
            continue;
        }
        r = change_prot(v, prot);
        if (r < 0) {
            return r;
        }
        v = mm_merge(v);
    }
    v = vma_find(&g_mm.tree, address);
    if (v != NULL) {
        (void)mm_merge(v);
    }
    v = vma_find(&g_mm.tree, end);
    if (v != NULL && v->start == end) {
        (void)mm_merge(v);
    }
    return stop;
}

int mm_protect(uint64_t address, uint64_t size, uint32_t prot)
{
    int r;

    mutex_lock(&g_mm.lock);
    r = protect_locked(address, size, prot);
    mutex_unlock(&g_mm.lock);
    return r;
}

int mm_stack_start(uint64_t address, uint64_t *ret)
{
    const struct vma *v;
    int r = -EINVAL;

    mutex_lock(&g_mm.lock);
    v = vma_find(&g_mm.tree, address);
    if (v == NULL || v->start > address) {
        r = -ENOMEM;
    } else if ((v->flags & VMA_GROWSDOWN) != 0) {
        *ret = v->start;
        r = 0;
    }
    mutex_unlock(&g_mm.lock);
    return r;
}

bool mm_range_has(uint64_t address, uint64_t size, uint32_t prot)
{
    const uint64_t end = address + size;
    const struct vma *v;
    uint64_t at = address;
    bool ok = true;

    mutex_lock(&g_mm.lock);
    v = vma_find(&g_mm.tree, address);
    while (ok && at < end) {
        ok = v != NULL && v->start <= at && (v->prot & prot) == prot;
        if (ok) {
            at = v->end;
            v = vma_next(v);
        }
    }
    mutex_unlock(&g_mm.lock);
    return ok;
}
