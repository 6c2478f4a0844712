/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The smallest enclave image there is, made field by field so that a test can break each:
 *
 *   0x0000  ELF header, 6 program headers, note, dynamic section, one relocation, slots, sections
 *   0x1000  text: one ENCLU slot
 *   0x2000  data: 16 bytes in the file, a page in memory
 */

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "abi/enclave_layout.h"

#define SMALL_ELF_PHDRS    6
#define SMALL_ELF_SECTIONS 3

struct small_note {
    Elf64_Nhdr head;
    char name[8];
    struct enclave_config config;
};

/* Everything in the first page. */
struct small_head {
    Elf64_Ehdr eh;
    Elf64_Phdr ph[SMALL_ELF_PHDRS]; /* rodata, text, data, dynamic, note, stack */
    struct small_note note;
    Elf64_Rela rela[1];
    int32_t slot[1];
    uint32_t pad;
    char names[32];
    Elf64_Shdr sh[SMALL_ELF_SECTIONS]; /* null, .enclu_slots, names */
};

struct small_elf {
    union {
        struct small_head h;
        uint8_t page0[4096];
    };
    uint8_t text[4096];
    struct {
        Elf64_Dyn dyn[4]; /* RELA, RELASZ, RELAENT, NULL */
        uint64_t words[2];
    } data;
};

static inline void small_elf_program_headers(struct small_elf *e)
{
    const Elf64_Phdr headers[SMALL_ELF_PHDRS] = {
        {PT_LOAD, PF_R, 0, 0, 0, 4096, 4096, 4096},
        {PT_LOAD, PF_R | PF_X, 4096, 4096, 4096, 4096, 4096, 4096},
        {PT_LOAD, PF_R | PF_W, 8192, 8192, 8192, sizeof(e->data), 5000, 4096},
        {PT_DYNAMIC, PF_R | PF_W, 8192, 8192, 8192, sizeof(e->data.dyn), sizeof(e->data.dyn), 8},
        {PT_NOTE, PF_R, offsetof(struct small_head, note), offsetof(struct small_head, note),
         offsetof(struct small_head, note), sizeof(e->h.note), sizeof(e->h.note), 4},
        {PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16},
    };

    memcpy(e->h.ph, headers, sizeof(headers));
}

static inline void small_elf_make(struct small_elf *e)
{
    static const uint8_t slot[] = {ENCLU_SLOT_BYTES};
    const uint64_t slot_entry = offsetof(struct small_head, slot);

    memset(e, 0, sizeof(*e));
    memcpy(e->h.eh.e_ident, ELFMAG, SELFMAG);
    e->h.eh.e_ident[EI_CLASS] = ELFCLASS64;
    e->h.eh.e_ident[EI_DATA] = ELFDATA2LSB;
    e->h.eh.e_ident[EI_VERSION] = EV_CURRENT;
    e->h.eh.e_type = ET_DYN;
    e->h.eh.e_machine = EM_X86_64;
    e->h.eh.e_version = EV_CURRENT;
    e->h.eh.e_phoff = offsetof(struct small_head, ph);
    e->h.eh.e_shoff = offsetof(struct small_head, sh);
    e->h.eh.e_ehsize = sizeof(Elf64_Ehdr);
    e->h.eh.e_phentsize = sizeof(Elf64_Phdr);
    e->h.eh.e_phnum = SMALL_ELF_PHDRS;
    e->h.eh.e_shentsize = sizeof(Elf64_Shdr);
    e->h.eh.e_shnum = SMALL_ELF_SECTIONS;
    e->h.eh.e_shstrndx = 2;
    small_elf_program_headers(e);
    e->h.note.head = (Elf64_Nhdr){6, sizeof(struct enclave_config), ENCLAVE_NOTE_CONFIG};
    memcpy(e->h.note.name, "nacre", 6);
    e->h.note.config = (struct enclave_config){1, 2, 3, 1, 0x4000, 0x2000, 4096 + 5};
    e->h.rela[0] = (Elf64_Rela){8192 + offsetof(struct small_elf, data.words) -
                                    offsetof(struct small_elf, data),
                                R_X86_64_RELATIVE, 16};
    e->h.slot[0] = (int32_t)(4096 + 16 - slot_entry);
    memcpy(e->h.names + 1, ".enclu_slots", 13);
    e->h.sh[1] = (Elf64_Shdr){1, SHT_PROGBITS, SHF_ALLOC, slot_entry, slot_entry, 4, 0, 0, 4, 0};
    e->h.sh[2] = (Elf64_Shdr){
        0, SHT_STRTAB, 0, 0, offsetof(struct small_head, names), sizeof(e->h.names), 0, 0, 1, 0};
    memcpy(e->text + 16, slot, sizeof(slot));
    e->data.dyn[0] = (Elf64_Dyn){DT_RELA, {offsetof(struct small_head, rela)}};
    e->data.dyn[1] = (Elf64_Dyn){DT_RELASZ, {sizeof(Elf64_Rela)}};
    e->data.dyn[2] = (Elf64_Dyn){DT_RELAENT, {sizeof(Elf64_Rela)}};
}
