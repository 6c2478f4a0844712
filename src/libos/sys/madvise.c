/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <linux/mman.h>

#include "libos/boot/boot.h"
#include "libos/boot/rewrite.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"
#include "libos/sys/syscall.h"

/* MADV_FREE lets content go whenever memory is short. Below this size giving it back costs more
 * than it brings. */
#define FREE_MIN_SIZE ((uint64_t)64 << 10)

static int discard(struct vma *v, uint64_t start, uint64_t end)
{
    if ((v->flags & (VMA_LOCKED | VMA_INTERNAL)) != 0) {
        return -EINVAL;
    }
    if ((v->flags & VMA_SHARED_ANON) != 0 || v->object != NULL) {
        return 0; /* what is in shared memory stays there */
    }
    if ((v->flags & VMA_SHARED) != 0) {
        const int r = mm_sync_vma(v, start, end, /*stays=*/false);

        if (r < 0) {
            return r;
        }
    }
    rewrite_forget(start, end);
    page_decommit(start, end - start);
    return 0;
}

static int advise_one(struct vma *v, uint64_t start, uint64_t end, int advice)
{
    switch (advice) {
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED: return discard(v, start, end);
    case MADV_FREE:
        if (v->file != NULL || (v->flags & VMA_SHARED_ANON) != 0) {
            return -EINVAL;
        }
        return end - start < FREE_MIN_SIZE ? 0 : discard(v, start, end);
    case MADV_WILLNEED:
        /* A hint, and reads are cheap: only what the application asked to have at once. */
        return v->file != NULL ? mm_populate_locked(v, start, end) : 0;
    case MADV_POPULATE_READ: return mm_populate_locked(v, start, end);
    case MADV_POPULATE_WRITE:
        return (v->prot & PROT_WRITE) == 0 ? -EINVAL : mm_populate_locked(v, start, end);
    case MADV_REMOVE: return -EINVAL;
    default: return 0;
    }
}

static bool known(int advice)
{
    switch (advice) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_DONTNEED:
    case MADV_FREE:
    case MADV_REMOVE:
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK:
    case MADV_COLD:
    case MADV_PAGEOUT:
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
    case MADV_DONTNEED_LOCKED: return true;
    default: return false;
    }
}

/* Flags that wait for fork. */
static void set_flags(struct vma *v, int advice)
{
    switch (advice) {
    case MADV_DONTFORK: v->flags |= VMA_DONTFORK; break;
    case MADV_DOFORK: v->flags &= ~VMA_DONTFORK; break;
    case MADV_WIPEONFORK: v->flags |= VMA_WIPEFORK; break;
    case MADV_KEEPONFORK: v->flags &= ~VMA_WIPEFORK; break;
    default: break;
    }
}

static bool is_flag(int advice)
{
    return advice == MADV_DONTFORK || advice == MADV_DOFORK || advice == MADV_WIPEONFORK ||
           advice == MADV_KEEPONFORK;
}

static int advise_locked(uint64_t address, uint64_t end, int advice)
{
    struct vma *v;
    uint64_t at = address;
    int r = 0;

    if (is_flag(advice)) {
        r = mm_split_at(address);
        if (r == 0) {
            r = mm_split_at(end);
        }
        if (r < 0) {
            return r;
        }
    }
    v = vma_find(&g_mm.tree, address);
    while (at < end) {
        int one;

        if (v == NULL || v->start >= end) {
            return r < 0 ? r : -ENOMEM;
        }
        if (v->start > at) {
            r = -ENOMEM; /* as Linux: the rest is done, the hole is reported */
        }
        one = advise_one(v, MAX(at, v->start), MIN(end, v->end), advice);
        if (one < 0) {
            return one;
        }
        set_flags(v, advice);
        at = v->end;
        v = vma_next(v);
    }
    return r;
}

SYSCALL_3(madvise, uint64_t, address, uint64_t, size, int, advice)
{
    const uint64_t rounded = page_align_up(size);
    int r;

    if (!is_page_aligned(address) || !known(advice) || (rounded == 0 && size != 0) ||
        address + rounded < address) {
        return -EINVAL;
    }
    if (rounded == 0) {
        return 0;
    }
    if (address + rounded > g_user_end) {
        return -ENOMEM;
    }
    mutex_lock(&g_mm.lock);
    r = advise_locked(address, address + rounded, advice);
    mutex_unlock(&g_mm.lock);
    return r;
}
