/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/layout.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* stack, trap stack, control page, TCS, SSA */
#define RANGES_PER_SLOT 5u

static uint64_t segment_secinfo(uint32_t flags)
{
    return SGX_SECINFO_REG | ((flags & PF_R) != 0 ? SGX_SECINFO_R : 0) |
           ((flags & PF_W) != 0 ? SGX_SECINFO_W : 0) | ((flags & PF_X) != 0 ? SGX_SECINFO_X : 0);
}

static int segment_prot(uint32_t flags)
{
    return ((flags & PF_R) != 0 ? PROT_READ : 0) | ((flags & PF_W) != 0 ? PROT_WRITE : 0) |
           ((flags & PF_X) != 0 ? PROT_EXEC : 0);
}

static void add_range(struct layout *l, struct page_range range)
{
    l->ranges[l->range_count++] = range;
    l->measured_size += range.size;
}

static void add_data(struct layout *l, const char *what, uint64_t offset, uint64_t size,
                     const uint8_t *data)
{
    add_range(l, (struct page_range){
                     .what = what,
                     .offset = offset,
                     .size = size,
                     .data = data,
                     .data_size = data != NULL ? size : 0,
                     .secinfo = SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W,
                     .prot = PROT_READ | PROT_WRITE,
                 });
}

static void add_slot(struct layout *l, const struct elf_image *image, uint64_t manifest_size,
                     uint32_t index)
{
    const struct enclave_config *c = &image->config;
    const uint64_t slot = ENCLAVE_THREADS_OFFSET + (uint64_t)index * ENCLAVE_SLOT_SIZE;
    uint8_t *control_page = l->pages + (size_t)index * 2 * NACRE_PAGE_SIZE;
    uint8_t *tcs_page = control_page + NACRE_PAGE_SIZE;
    const struct enclave_thread_page control = {
        .magic = ENCLAVE_THREAD_MAGIC,
        .index = index,
        .ssa_frames = c->ssa_frames,
        .ssa_frame_size = c->ssa_frame_pages * NACRE_PAGE_SIZE,
        .control_offset = slot + SLOT_CONTROL,
        .tcs_offset = slot + SLOT_TCS,
        .ssa_offset = slot + SLOT_SSA,
        .stack_top_offset = slot + SLOT_STACK_TOP,
        .stack_size = c->stack_size,
        .trap_top_offset = slot + SLOT_TRAP_TOP,
        .trap_stack_size = c->trap_stack_size,
        .image_offset = ENCLAVE_IMAGE_OFFSET,
        .image_size = image->size,
        .manifest_offset = ENCLAVE_MANIFEST_OFFSET,
        .manifest_size = manifest_size,
        .threads = c->threads,
    };
    const struct sgx_tcs tcs = {
        .ossa = slot + SLOT_SSA,
        .nssa = c->ssa_frames,
        .oentry = ENCLAVE_IMAGE_OFFSET + c->entry,
        .ofs_base = slot + SLOT_CONTROL,
        .ogs_base = slot + SLOT_CONTROL,
        .fs_limit = 0xfff,
        .gs_limit = 0xfff,
    };

    memcpy(control_page, &control, sizeof(control));
    memcpy(tcs_page, &tcs, sizeof(tcs));
    add_data(l, "stack", slot + SLOT_STACK_TOP - c->stack_size, c->stack_size, NULL);
    add_data(l, "trap stack", slot + SLOT_TRAP_TOP - c->trap_stack_size, c->trap_stack_size, NULL);
    add_data(l, "control page", slot + SLOT_CONTROL, NACRE_PAGE_SIZE, control_page);
    add_range(l, (struct page_range){
                     .what = "TCS",
                     .offset = slot + SLOT_TCS,
                     .size = NACRE_PAGE_SIZE,
                     .data = tcs_page,
                     .data_size = NACRE_PAGE_SIZE,
                     .secinfo = SGX_SECINFO_TCS,
                     .prot = PROT_READ | PROT_WRITE,
                 });
    add_data(l, "SSA", slot + SLOT_SSA,
             (uint64_t)c->ssa_frames * c->ssa_frame_pages * NACRE_PAGE_SIZE, NULL);
}

int layout_make(const struct elf_image *image, const uint8_t *manifest, size_t manifest_size,
                struct layout *ret, struct error **err)
{
    const uint32_t threads = image->config.threads;
    struct layout l = {.threads = threads, .ssa_frame_pages = image->config.ssa_frame_pages};

    if (manifest_size > ENCLAVE_MANIFEST_MAX) {
        return error_set(err, EINVAL, "the manifest is %zu bytes, more than the %zu KiB allowed",
                         manifest_size, ENCLAVE_MANIFEST_MAX >> 10);
    }
    l.ranges =
        calloc(image->segment_count + 1 + (size_t)threads * RANGES_PER_SLOT, sizeof(l.ranges[0]));
    l.pages = calloc(threads, 2 * (size_t)NACRE_PAGE_SIZE);
    if (l.ranges == NULL || l.pages == NULL) {
        layout_free(&l);
        return error_set_errno(err, ENOMEM, "laying out the enclave");
    }
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];

        add_range(&l, (struct page_range){
                          .what = "segment",
                          .offset = ENCLAVE_IMAGE_OFFSET + s->vaddr,
                          .size = s->memory_size,
                          .data = s->data,
                          .data_size = s->data_size,
                          .secinfo = segment_secinfo(s->flags),
                          .prot = segment_prot(s->flags),
                      });
    }
    add_range(&l, (struct page_range){
                      .what = "manifest",
                      .offset = ENCLAVE_MANIFEST_OFFSET,
                      .size = MAX(page_align_up(manifest_size), (uint64_t)NACRE_PAGE_SIZE),
                      .data = manifest,
                      .data_size = manifest_size,
                      .secinfo = SGX_SECINFO_REG | SGX_SECINFO_R,
                      .prot = PROT_READ,
                  });
    for (uint32_t i = 0; i < threads; i++) {
        add_slot(&l, image, manifest_size, i);
    }
    for (size_t i = 0; i < image->slot_count; i++) {
        l.slots[i] = ENCLAVE_IMAGE_OFFSET + image->slots[i];
    }
    l.slot_count = image->slot_count;
    *ret = l;
    return 0;
}

void layout_free(struct layout *l)
{
    free(l->ranges);
    free(l->pages);
    *l = (struct layout){};
}
