/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* A vDSO with one function, __vdso_sgx_enter_enclave, whose code is an ENCLU at its sixth byte: for
 * the parser, and for the kernel backend's fakes. One page and a bit. */

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SMALL_VDSO_ENCLU_AT 5

struct small_vdso {
    Elf64_Ehdr eh;
    Elf64_Phdr ph[2];
    Elf64_Dyn dyn[6]; /* SYMTAB, STRTAB, STRSZ, HASH, GNU_HASH, NULL */
    Elf64_Sym symbols[2];
    uint32_t hash[8];
    uint32_t gnu_hash[10]; /* 1 bucket, symbols from 1, 1 bloom word */
    char strings[64];
    uint8_t code[64];
    uint8_t rest[4096];
};

static inline void small_vdso_make(struct small_vdso *v)
{
    static const uint8_t code[] = {0x90, 0x90, 0x90, 0x90, 0x90, 0x0f, 0x01, 0xd7, 0xc3};

    memset(v, 0, sizeof(*v));
    memcpy(v->eh.e_ident, ELFMAG, SELFMAG);
    v->eh.e_ident[EI_CLASS] = ELFCLASS64;
    v->eh.e_machine = EM_X86_64;
    v->eh.e_phoff = offsetof(struct small_vdso, ph);
    v->eh.e_phentsize = sizeof(Elf64_Phdr);
    v->eh.e_phnum = 2;
    v->ph[0] = (Elf64_Phdr){PT_LOAD, PF_R | PF_X, 0, 0, 0, sizeof(*v), sizeof(*v), 4096};
    v->ph[1] = (Elf64_Phdr){PT_DYNAMIC,
                            PF_R,
                            offsetof(struct small_vdso, dyn),
                            offsetof(struct small_vdso, dyn),
                            0,
                            sizeof(v->dyn),
                            sizeof(v->dyn),
                            8};
    v->dyn[0] = (Elf64_Dyn){DT_SYMTAB, {offsetof(struct small_vdso, symbols)}};
    v->dyn[1] = (Elf64_Dyn){DT_STRTAB, {offsetof(struct small_vdso, strings)}};
    v->dyn[2] = (Elf64_Dyn){DT_STRSZ, {sizeof(v->strings)}};
    v->dyn[3] = (Elf64_Dyn){DT_HASH, {offsetof(struct small_vdso, hash)}};
    v->dyn[4] = (Elf64_Dyn){DT_GNU_HASH, {offsetof(struct small_vdso, gnu_hash)}};
    v->symbols[1] = (Elf64_Sym){1, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0,
                                1, offsetof(struct small_vdso, code),   64};
    v->hash[0] = 1;
    v->hash[1] = 2;
    v->gnu_hash[0] = 1;
    v->gnu_hash[1] = 1;
    v->gnu_hash[2] = 1;
    v->gnu_hash[6] = 1; /* the bucket: symbol 1 */
    v->gnu_hash[7] = 1; /* its chain ends */
    memcpy(v->strings + 1, "__vdso_sgx_enter_enclave", 25);
    memcpy(v->code, code, sizeof(code));
}
