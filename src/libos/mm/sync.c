/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Shared mappings of files that are not in memory (those are shown as they are, shm/local.h). A
 * shared mapping is a private copy whose changed pages are written back on msync, munmap and at the
 * end. Two mappings of one file in this process are two copies; docs/library-os.md says so.
 */

#include <linux/mman.h>

#include "libos/boot/boot.h"
#include "libos/fs/file.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"

/* Writes one committed run back, clipped to the file's size (a mapping never extends the file). */
static int write_run(const struct vma *v, uint64_t start, uint64_t end, uint64_t size)
{
    uint64_t offset = v->offset + (start - v->start);

    while (start < end && offset < size) {
        const uint64_t n = MIN(end - start, size - offset);
        int64_t w = file_pwrite(v->file, (const void *)start, n, offset);

        if (w < 0) {
            return (int)w;
        }
        if (w == 0) {
            return -EIO;
        }
        start += (uint64_t)w;
        offset += (uint64_t)w;
    }
    return 0;
}

/* One run of pages that may differ. Before it is read nobody may write any more without a fault, or
 * what comes in between would be lost. */
static int sync_run(struct vma *v, uint64_t start, uint64_t end, uint64_t file_size, bool stays)
{
    int r = stays ? page_protect(start, end - start, mm_fill_prot(v)) : 0;

    if (r == 0) {
        r = write_run(v, start, end, file_size);
    }
    if (r < 0 && stays) {
        (void)page_protect(start, end - start, mm_page_prot(v->prot)); /* still to be written */
    }
    return r;
}

int mm_sync_vma(struct vma *v, uint64_t start, uint64_t end, bool stays)
{
    const uint8_t changed = PAGE_COMMITTED | PAGE_W;
    struct kstat st;
    int r;

    if ((v->flags & (VMA_SHARED | VMA_MAYWRITE)) != (VMA_SHARED | VMA_MAYWRITE) ||
        v->file == NULL || v->object != NULL) {
        return 0;
    }
    r = file_stat(v->file, &st);
    while (r == 0 && start < end) {
        const uint64_t run = page_run(start, end, changed) << NACRE_PAGE_SHIFT;

        if ((page_state(start) & changed) == changed) {
            r = sync_run(v, start, start + run, (uint64_t)st.size, stays);
        }
        start += run;
    }
    return r;
}

int mm_sync_range(uint64_t address, uint64_t size)
{
    const uint64_t end = address + size;
    struct vma *v;
    uint64_t at = address;
    int r = 0;

    mutex_lock(&g_mm.lock);
    v = vma_find(&g_mm.tree, address);
    while (at < end) {
        if (v == NULL || v->start > at) {
            r = -ENOMEM;
            if (v == NULL || v->start >= end) {
                break;
            }
        }
        const int s = mm_sync_vma(v, MAX(at, v->start), MIN(end, v->end), /*stays=*/true);

        if (s < 0) {
            r = s;
        }
        at = v->end;
        v = vma_next(v);
    }
    mutex_unlock(&g_mm.lock);
    return r;
}

void mm_sync_all(void)
{
    mutex_lock(&g_mm.lock);
    for (struct vma *v = vma_first(&g_mm.tree); v != NULL; v = vma_next(v)) {
        (void)mm_sync_vma(v, v->start, v->end, /*stays=*/false);
    }
    mutex_unlock(&g_mm.lock);
}
