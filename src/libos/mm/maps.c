/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* What /proc shows of the address space. */

#include <linux/mman.h>

#include "libos/boot/boot.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"

void mm_sizes(uint64_t *ret_virtual, uint64_t *ret_resident, uint64_t *ret_data)
{
    uint64_t all = 0;
    uint64_t resident = 0;
    uint64_t data = 0;

    mutex_lock(&g_mm.lock);
    for (const struct vma *v = vma_first(&g_mm.tree); v != NULL; v = vma_next(v)) {
        const uint64_t pages = (v->end - v->start) >> NACRE_PAGE_SHIFT;

        all += pages;
        resident += page_count_committed(v->start, v->end - v->start);
        if ((v->prot & PROT_WRITE) != 0 && (v->flags & VMA_SHARED) == 0) {
            data += pages;
        }
    }
    mutex_unlock(&g_mm.lock);
    *ret_virtual = all;
    *ret_resident = resident;
    *ret_data = data;
}
