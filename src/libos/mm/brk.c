/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/mm/brk.h"

#include <linux/mman.h>

#include "libos/mm/mm.h"
#include "libos/mm/page.h"

void mm_brk_set(uint64_t start)
{
    g_mm.brk_start = start;
    g_mm.brk_end = start;
}

static bool grow(uint64_t from, uint64_t to)
{
    struct vma *last = vma_find(&g_mm.tree, from - 1);
    struct vma *v;

    if (!vma_range_free(&g_mm.tree, from, to) || to - from > page_available() ||
        to > g_mm.tree.high) {
        return false;
    }
    if (last != NULL && last->end == from && last->name != NULL && last->start >= g_mm.brk_start &&
        last->prot == (PROT_READ | PROT_WRITE)) {
        vma_resize(&g_mm.tree, last, last->start, to);
        return true;
    }
    v = mm_vma_alloc();
    if (v == NULL) {
        return false;
    }
    v->start = from;
    v->end = to;
    v->prot = PROT_READ | PROT_WRITE;
    v->name = "[heap]";
    vma_insert(&g_mm.tree, v);
    return true;
}

uint64_t mm_brk(uint64_t wanted)
{
    uint64_t old_end;
    uint64_t new_end;
    bool ok = true;

    mutex_lock(&g_mm.lock);
    old_end = page_align_up(g_mm.brk_end);
    new_end = page_align_up(wanted);
    if (wanted < g_mm.brk_start || new_end < wanted) {
        ok = false;
    } else if (new_end > old_end) {
        ok = grow(old_end, new_end);
    } else if (new_end < old_end) {
        ok = mm_unmap_locked(new_end, old_end - new_end) == 0;
    }
    if (ok) {
        g_mm.brk_end = wanted;
    }
    wanted = g_mm.brk_end;
    mutex_unlock(&g_mm.lock);
    return wanted;
}
