/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * mremap. An enclave page has one address for life, so moving copies: new pages, the old ones given
 * back, in steps that keep at most a few of them twice.
 */

#include <linux/mman.h>

#include "libos/boot/boot.h"
#include "libos/boot/rewrite.h"
#include "libos/fs/file.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"
#include "libos/shm/local.h"
#include "libos/sys/syscall.h"

#define MREMAP_KNOWN (MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)
#define MOVE_STEP    ((uint64_t)256 << 10)

/* Copies one run of committed pages. */
static int move_run(uint64_t from, uint64_t to, uint64_t size, uint32_t prot, bool keep_source)
{
    const uint8_t want = mm_page_prot(prot);
    int r = page_commit(to, size, PAGE_R | PAGE_W);

    if (r < 0) {
        return r;
    }
    if (prot == PROT_NONE) {
        r = page_protect(from, size, PAGE_R);
    }
    if (r < 0) {
        return r;
    }
    __builtin_memcpy((void *)to, (const void *)from, size);
    if (!keep_source) {
        page_decommit(from, size);
    }
    return want == (PAGE_R | PAGE_W) ? 0 : page_protect(to, size, want);
}

static int move_pages(uint64_t from, uint64_t to, uint64_t size, uint32_t prot)
{
    uint64_t done = 0;

    rewrite_forget(from, from + size);
    while (done < size) {
        uint64_t run = done;
        int r;

        if ((page_state(from + done) & PAGE_COMMITTED) == 0) {
            done += NACRE_PAGE_SIZE;
            continue;
        }
        while (run < size && run - done < MOVE_STEP &&
               (page_state(from + run) & PAGE_COMMITTED) != 0) {
            run += NACRE_PAGE_SIZE;
        }
        r = move_run(from + done, to + done, run - done, prot, /*keep_source=*/false);
        if (r < 0) {
            return r;
        }
        done = run;
    }
    return 0;
}

/* A mapping like [from, from + size) of `v` at `to`, which is free. */
static struct vma *clone_at(const struct vma *v, uint64_t from, uint64_t to, uint64_t size)
{
    struct vma *n = mm_vma_alloc();

    if (n == NULL) {
        return NULL;
    }
    n->start = to;
    n->end = to + size;
    n->prot = v->prot;
    n->flags = v->flags;
    n->name = v->name;
    n->object = shm_object_get(v->object);
    if (v->file != NULL) {
        n->file = file_get(v->file);
    }
    if (v->file != NULL || v->object != NULL) {
        n->offset = v->offset + (from - v->start);
    }
    vma_insert(&g_mm.tree, n);
    return n;
}

static int64_t move_mapping(struct vma *v, uint64_t address, uint64_t old_size, uint64_t new_size,
                            uint64_t to, bool keep)
{
    const uint32_t prot = v->prot;
    struct vma *n = clone_at(v, address, to, new_size);
    int r;

    if (n == NULL) {
        return -ENOMEM;
    }
    if (v->object != NULL) {
        /* Its pages come to the new place when they are touched there. */
        r = shm_show(n->object, n->offset, to, new_size, prot);
    } else {
        r = move_pages(address, to, MIN(old_size, new_size), prot);
    }
    if (r < 0 && n->object != NULL) {
        (void)mm_unmap_locked(to, new_size);
        return r;
    }
    if (r < 0) {
        /* What moved already goes back where it was. */
        (void)move_pages(to, address, MIN(old_size, new_size), prot);
        (void)mm_unmap_locked(to, new_size);
        return r;
    }
    (void)mm_merge(n);
    if (!keep) {
        r = mm_unmap_locked(address, old_size);
    }
    return r < 0 ? r : (int64_t)to;
}

/* Grows in place when nothing is in the way. */
static bool grow_in_place(struct vma *v, uint64_t address, uint64_t old_size, uint64_t new_size)
{
    const uint64_t end = address + new_size;

    if (address + old_size != v->end || end > g_mm.tree.high || end < address ||
        !vma_range_free(&g_mm.tree, v->end, end)) {
        return false;
    }
    if (v->object != NULL &&
        shm_show(v->object, v->offset + (v->end - v->start), v->end, end - v->end, v->prot) < 0) {
        return false;
    }
    vma_resize(&g_mm.tree, v, v->start, end);
    if ((v->flags & VMA_LOCKED) != 0) {
        (void)mm_populate_locked(v, address + old_size, end);
    }
    (void)mm_merge(v);
    return true;
}

static int64_t remap_fixed(struct vma *v, uint64_t address, uint64_t old_size, uint64_t new_size,
                           uint64_t to, uint32_t flags)
{
    int r;

    if (!is_page_aligned(to) || to + new_size < to || to + new_size > g_user_end ||
        (to < address + old_size && address < to + new_size)) {
        return -EINVAL;
    }
    if (to < g_user_start) {
        return -EPERM;
    }
    r = mm_unmap_locked(to, new_size);
    if (r < 0) {
        return r;
    }
    v = vma_find(&g_mm.tree, address);
    return move_mapping(v, address, old_size, new_size, to, (flags & MREMAP_DONTUNMAP) != 0);
}

static int64_t remap_locked(uint64_t address, uint64_t old_size, uint64_t new_size, uint32_t flags,
                            uint64_t to)
{
    struct vma *v = vma_find(&g_mm.tree, address);
    uint64_t place;

    if (v == NULL || v->start > address || (v->flags & VMA_INTERNAL) != 0) {
        return -EFAULT;
    }
    if (old_size == 0) {
        return -EINVAL; /* a second view of a shared mapping: enclaves have none */
    }
    if (address + old_size > v->end) {
        return -EFAULT;
    }
    if ((flags & MREMAP_DONTUNMAP) != 0 && old_size != new_size) {
        return -EINVAL;
    }
    if (new_size > old_size && (v->prot & PROT_WRITE) != 0 && (v->flags & VMA_NORESERVE) == 0 &&
        new_size - old_size > page_available()) {
        return -ENOMEM;
    }
    if ((flags & MREMAP_FIXED) != 0) {
        return remap_fixed(v, address, old_size, new_size, to, flags);
    }
    if ((flags & MREMAP_DONTUNMAP) == 0) {
        if (new_size <= old_size) {
            const int r =
                new_size == old_size ? 0 : mm_unmap_locked(address + new_size, old_size - new_size);

            return r < 0 ? r : (int64_t)address;
        }
        if (grow_in_place(v, address, old_size, new_size)) {
            return (int64_t)address;
        }
        if ((flags & MREMAP_MAYMOVE) == 0) {
            return -ENOMEM;
        }
    }
    place = vma_find_gap(&g_mm.tree, new_size, g_user_start, g_mm.mmap_top);
    if (place == 0) {
        return -ENOMEM;
    }
    return move_mapping(v, address, old_size, new_size, place, (flags & MREMAP_DONTUNMAP) != 0);
}

SYSCALL_5(mremap, uint64_t, address, uint64_t, old_size, uint64_t, new_size, uint32_t, flags,
          uint64_t, to)
{
    int64_t r;

    if ((flags & ~(uint32_t)MREMAP_KNOWN) != 0 || !is_page_aligned(address) ||
        ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0 && (flags & MREMAP_MAYMOVE) == 0)) {
        return -EINVAL;
    }
    old_size = page_align_up(old_size);
    new_size = page_align_up(new_size);
    if (new_size == 0 || new_size > g_user_end - g_user_start || address + old_size < address) {
        return -EINVAL;
    }
    mutex_lock(&g_mm.lock);
    r = remap_locked(address, old_size, new_size, flags, to);
    mutex_unlock(&g_mm.lock);
    return r;
}
