/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The headers of a program, as bytes nobody vouches for: bounded, checked, turned into a small
 * list. Pure: the caller reads the file. What is no x86-64 program, or lies about itself, is
 * -ENOEXEC (the caller makes that -ELIBBAD for an interpreter, as Linux does).
 */

#include "core/types.h"

#define ELF_SEGMENTS_MAX 64u
#define ELF_PHDRS_MAX    256u
#define ELF_PATH_MAX     4096u
#define ELF_HEADER_SIZE  64u
#define ELF_PHDR_SIZE    56u

struct elf_load {
    uint64_t vaddr; /* as in the file */
    uint64_t offset;
    uint64_t file_size;
    uint64_t memory_size;
    uint32_t prot; /* PROT_* */
};

struct elf_info {
    bool dynamic;    /* ET_DYN: goes anywhere */
    bool exec_stack; /* PT_GNU_STACK asks for it */
    uint64_t entry;
    uint64_t phdr_vaddr; /* of the program headers in memory, 0: in no segment */
    uint16_t phdr_count;
    uint64_t low; /* page-aligned span of all segments */
    uint64_t high;
    uint64_t align;         /* largest p_align that is a power of two, at least a page */
    uint64_t interp_offset; /* PT_INTERP: where its path stands, size 0: none */
    uint64_t interp_size;
    size_t load_count;
    struct elf_load loads[ELF_SEGMENTS_MAX];
};

struct elf_header {
    bool dynamic;
    uint64_t entry;
    uint64_t phoff;
    uint16_t phnum;
};
/* From the first 64 bytes: where the program headers are. */
[[nodiscard]] int elf_parse_header(const void *data, size_t size, struct elf_header *ret);

/* `data`: phnum * 56 bytes from phoff. `address_max`: end of the address space. */
[[nodiscard]] int elf_parse_phdrs(const struct elf_header *h, const void *data, size_t size,
                                  uint64_t address_max, struct elf_info *ret);

/* "#!" line. Changes `text`: both parts, which point into it, are terminated. */
struct script_line {
    const char *interpreter;
    const char *argument; /* or NULL */
};
[[nodiscard]] int elf_parse_script(char *text, size_t size, struct script_line *ret);
