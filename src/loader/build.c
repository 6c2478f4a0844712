/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/build.h"

#include <string.h>
#include <sys/mman.h>

/* Pages handed over at a time when they are not in the file as they stand. */
#define ZERO_PAGES 16u

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

/* Whole pages of data go over as they are, the page where it ends is copied, the rest is zero. */
static int add_range(const struct sgx_backend *b, struct sgx_enclave *e,
                     const struct page_range *range, struct error **err)
{
    static const _Alignas(4096) uint8_t zeros[ZERO_PAGES * NACRE_PAGE_SIZE];
    _Alignas(4096) uint8_t last[NACRE_PAGE_SIZE] = {};
    const size_t whole = range->data_size & NACRE_PAGE_MASK;
    const size_t tail = range->data_size - whole;
    uint64_t at = whole;
    int r = 0;

    if (whole > 0) {
        r = add_chunk(b, e, range, 0, range->data, whole, err);
    }
    if (r == 0 && tail > 0) {
        memcpy(last, range->data + whole, tail);
        r = add_chunk(b, e, range, at, last, sizeof(last), err);
        at += sizeof(last);
    }
    while (r == 0 && at < range->size) {
        const size_t size = MIN(range->size - at, (uint64_t)sizeof(zeros));

        r = add_chunk(b, e, range, at, zeros, size, err);
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
