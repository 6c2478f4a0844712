/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/boot/boot.h"
#include "libos/mm/kmem_backend.h"
#include "libos/mm/layout.h"
#include "libos/mm/page_raw.h"

void kmem_backend_area(uint64_t *ret_arena, uint64_t *ret_pages, uint64_t *ret_meta)
{
    *ret_arena = g_enclave_base + LIBOS_HEAP_OFFSET;
    *ret_pages = LIBOS_HEAP_SIZE >> NACRE_PAGE_SHIFT;
    *ret_meta = g_enclave_base + LIBOS_HEAP_META_OFFSET;
}

int kmem_backend_commit(uint64_t address, uint64_t size)
{
    return page_raw_commit(address, size);
}

void kmem_backend_decommit(uint64_t address, uint64_t size)
{
    page_raw_decommit(address, size);
}
