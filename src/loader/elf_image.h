/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The enclave ELF: a freestanding static PIE with a note that says what it needs (struct
 * enclave_config). Foreign bytes, so every field is checked and the message names the one that is
 * wrong. Nothing is copied: the result points into the file.
 *
 * The bytes are loaded and measured as they stand in the file. R_X86_64_RELATIVE relocations are
 * the image's own business (it applies them at its first entry), so the measurement does not know
 * the base; they must lie in writable segments. Any other relocation, undefined symbol,
 * interpreter, TLS segment or writable and executable segment is refused.
 */

#include "abi/enclave_layout.h"
#include "abi/sgx_arch.h"
#include "base/error.h"

#define ELF_IMAGE_SIZE_MAX     ((size_t)256 << 20) /* of the file */
#define ELF_IMAGE_SEGMENTS_MAX 16u

struct elf_segment {
    uint64_t vaddr;       /* page aligned */
    uint64_t memory_size; /* whole pages */
    const uint8_t *data;  /* borrowed from the file */
    size_t data_size;     /* at most memory_size; the rest is zero */
    uint32_t flags;       /* PF_R | PF_W | PF_X */
};

struct elf_image {
    struct elf_segment segments[ELF_IMAGE_SEGMENTS_MAX];
    size_t segment_count;
    uint64_t size; /* end of the last segment, whole pages */
    struct enclave_config config;
    uint64_t slots[ENCLAVE_SLOTS_MAX]; /* virtual addresses of ENCLU slots */
    size_t slot_count;
    size_t relative_count; /* relocations the image applies to itself */
};

/* `data` is borrowed and must outlive *ret. -EINVAL with a message. */
[[nodiscard]] int elf_image_parse(const uint8_t *data, size_t size, struct elf_image *ret,
                                  struct error **err);
