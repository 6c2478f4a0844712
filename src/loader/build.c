/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/build.h"

#include <string.h>
#include <sys/mman.h>

/* Pages handed over at a time when they cannot be taken from where they lie. */
#define BOUNCE_SIZE (16 * (size_t)NACRE_PAGE_SIZE)

static int add_chunk(const struct sgx_backend *b, struct sgx_enclave *e,
                     const struct page_range *range, uint64_t at, const void *src, size_t size,
                     struct error **err)
{
    int r = b->add_pages(e, range->offset + at, src, size, range->secinfo, /*measure=*/true, err);

    if (r < 0) {
        error_wrap(err, "adding the %s at offset 0x%jx", range->what,
                   (uintmax_t)(range->offset + at));
    }
    return r;
}

/* Whole pages that are aligned in memory go over as they are; the rest, and the zeros behind the
 * data, through a buffer. */
static int add_range(const struct sgx_backend *b, struct sgx_enclave *e,
                     const struct page_range *range, struct error **err)
{
    _Alignas(4096) uint8_t bounce[BOUNCE_SIZE];
    uint64_t at = 0;
    int r = 0;

    if (range->data_size >= NACRE_PAGE_SIZE && is_page_aligned((uint64_t)range->data)) {
        at = range->data_size & NACRE_PAGE_MASK;
        r = add_chunk(b, e, range, 0, range->data, at, err);
    }
    while (r == 0 && at < range->size) {
        const size_t size = MIN(range->size - at, (uint64_t)sizeof(bounce));
        const size_t data = at < range->data_size ? MIN(range->data_size - at, size) : 0;

        if (data > 0) {
            memcpy(bounce, range->data + at, data);
        }
        memset(bounce + data, 0, size - data);
        r = add_chunk(b, e, range, at, bounce, size, err);
        at += size;
    }
    return r;
}

int build_pages(const struct sgx_backend *b, const struct layout *l, uint64_t base,
                const struct sgx_attributes *attributes, uint32_t miscselect,
                struct sgx_enclave **ret, struct error **err)
{
    const struct sgx_secs secs = {
        .size = ENCLAVE_SIZE,
        .base = base,
        .ssa_frame_size = l->ssa_frame_pages,
        .miscselect = miscselect,
        .attributes = *attributes,
    };
    struct sgx_enclave *e = NULL;
    int r = b->create(&secs, &e, err);

    if (r < 0) {
        error_wrap(err, "creating the enclave");
        return r;
    }
    for (size_t i = 0; i < l->range_count; i++) {
        r = add_range(b, e, &l->ranges[i], err);
        if (r < 0) {
            b->destroy(e);
            return r;
        }
    }
    *ret = e;
    return 0;
}

int build_finish(const struct sgx_backend *b, const struct layout *l, struct sgx_enclave *e,
                 const struct sgx_sigstruct *sigstruct, struct error **err)
{
    int r = b->hint_slots(e, l->slots, l->slot_count, err);

    if (r < 0) {
        error_wrap(err, "naming the ENCLU slots");
        return r;
    }
    for (size_t i = 0; i < l->range_count; i++) {
        const struct page_range *range = &l->ranges[i];

        r = b->map(e, range->offset, range->size, range->prot, err);
        if (r < 0) {
            error_wrap(err, "mapping the %s at offset 0x%jx", range->what,
                       (uintmax_t)range->offset);
            return r;
        }
    }
    r = b->init(e, sigstruct, err);
    if (r < 0) {
        error_wrap(err, "initialising the enclave");
    }
    return r;
}
