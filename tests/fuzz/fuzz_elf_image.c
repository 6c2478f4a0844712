/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Any bytes as an enclave ELF: what the reader accepts must lie in the file and within bounds, can
 * be laid out, and lays out the same twice. */

#include <elf.h>

#include "core/overflow.h"
#include "fuzz/fuzz.h"
#include "loader/layout.h"

static void check_image(const uint8_t *data, size_t size, const struct elf_image *img)
{
    uint64_t end = 0;

    FUZZ_CHECK(img->segment_count >= 1 && img->segment_count <= ELF_IMAGE_SEGMENTS_MAX);
    for (size_t i = 0; i < img->segment_count; i++) {
        const struct elf_segment *s = &img->segments[i];

        FUZZ_CHECK(is_page_aligned(s->vaddr) && is_page_aligned(s->memory_size));
        FUZZ_CHECK(s->vaddr >= end && s->memory_size > 0);
        FUZZ_CHECK((s->flags & (PF_W | PF_X)) != (PF_W | PF_X));
        FUZZ_CHECK(s->data_size <= s->memory_size);
        FUZZ_CHECK(s->data >= data && s->data + s->data_size <= data + size);
        end = s->vaddr + s->memory_size;
    }
    FUZZ_CHECK(img->size == end && end <= ENCLAVE_IMAGE_MAX);
    FUZZ_CHECK(img->slot_count <= ENCLAVE_SLOTS_MAX);
    FUZZ_CHECK(img->config.threads >= 1 && img->config.threads <= ENCLAVE_THREADS_MAX);
}

static void check_layout(const struct elf_image *img)
{
    struct layout l;

    if (layout_make(img, NULL, 0, &l, NULL) < 0) {
        return; /* out of memory */
    }
    for (size_t i = 0; i < l.range_count; i++) {
        FUZZ_CHECK(
            range_within(l.ranges[i].offset, l.ranges[i].size, ENCLAVE_IMAGE_OFFSET, ENCLAVE_SIZE));
        FUZZ_CHECK(i == 0 || !ranges_overlap(l.ranges[i].offset, l.ranges[i].size,
                                             l.ranges[i - 1].offset, l.ranges[i - 1].size));
    }
    layout_free(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error *err = NULL;
    struct elf_image img;

    if (elf_image_parse(data, size, &img, &err) == 0) {
        check_image(data, size, &img);
        check_layout(&img);
    } else {
        FUZZ_CHECK(err != NULL);
    }
    err = error_free(err);
    return 0;
}
