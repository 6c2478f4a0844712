/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * From an enclave ELF and a manifest to the list of page ranges that make the enclave, in the order
 * in which they are added and so measured (abi/enclave_layout.h). The plan knows no base address
 * and no launch parameter.
 */

#include "loader/elf_image.h"

struct page_range {
    const char *what; /* for messages: "segment", "stack", … */
    uint64_t offset;  /* from the enclave base */
    uint64_t size;    /* whole pages */
    const uint8_t *data;
    size_t data_size; /* the rest up to size is zero */
    uint64_t secinfo; /* R, W, X, page type */
    int prot;         /* host page permissions, PROT_* */
};

struct layout {
    struct page_range *ranges;
    size_t range_count;
    uint8_t *pages; /* TCS and control pages the ranges point to */
    uint32_t threads;
    uint32_t ssa_frame_pages;
    uint64_t slots[ENCLAVE_SLOTS_MAX]; /* offsets of ENCLU slots from the enclave base */
    size_t slot_count;
    uint64_t measured_size; /* bytes of pages added */
};

/* `image` and `manifest` are borrowed: their bytes must outlive *ret. manifest may be NULL with
 * size 0. Release with layout_free(). */
[[nodiscard]] int layout_make(const struct elf_image *image, const uint8_t *manifest,
                              size_t manifest_size, struct layout *ret, struct error **err);
void layout_free(struct layout *l);

/* Offset of the TCS of measured slot `index`. */
static inline uint64_t layout_tcs_offset(uint32_t index)
{
    return ENCLAVE_THREADS_OFFSET + (uint64_t)index * ENCLAVE_SLOT_SIZE + SLOT_TCS;
}
