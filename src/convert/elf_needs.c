/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "convert/elf_needs.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define PHDRS_MAX   256u
#define DYNAMIC_MAX 4096u /* entries */

struct image {
    const uint8_t *p;
    size_t size;
    Elf64_Ehdr eh;
};

/* Copies `size` bytes at `offset`; false when they are not all there. */
static bool take(const struct image *im, uint64_t offset, void *dst, size_t size)
{
    if (offset > im->size || size > im->size - offset) {
        return false;
    }
    memcpy(dst, im->p + offset, size);
    return true;
}

static bool take_phdr(const struct image *im, size_t n, Elf64_Phdr *ret)
{
    return im->eh.e_phoff <= im->size &&
           take(im, im->eh.e_phoff + n * sizeof(*ret), ret, sizeof(*ret));
}

/* The file offset of an address, through the segments. */
static bool offset_of(const struct image *im, uint64_t address, uint64_t *ret)
{
    for (size_t i = 0; i < im->eh.e_phnum; i++) {
        Elf64_Phdr ph;

        if (take_phdr(im, i, &ph) && ph.p_type == PT_LOAD && address >= ph.p_vaddr &&
            address - ph.p_vaddr < ph.p_filesz) {
            return !__builtin_add_overflow(ph.p_offset, address - ph.p_vaddr, ret);
        }
    }
    return false;
}

/* A text of the string table, NUL included in the file. */
static const char *text_at(const struct image *im, uint64_t table, uint64_t table_size, uint64_t at)
{
    uint64_t start;
    uint64_t left;

    if (at >= table_size || __builtin_add_overflow(table, at, &start) || start >= im->size) {
        return NULL;
    }
    left = MIN(table_size - at, im->size - start);
    return memchr(im->p + start, '\0', (size_t)left) == NULL ? NULL : (const char *)im->p + start;
}

static int read_dynamic(const struct image *im, const Elf64_Phdr *ph, struct elf_needs *ret)
{
    const size_t count = (size_t)MIN(ph->p_filesz / sizeof(Elf64_Dyn), (uint64_t)DYNAMIC_MAX);
    uint64_t table = 0;
    uint64_t table_size = 0;
    bool have_table = false;
    Elf64_Dyn d;

    for (size_t i = 0;
         i < count && take(im, ph->p_offset + i * sizeof(d), &d, sizeof(d)) && d.d_tag != DT_NULL;
         i++) {
        if (d.d_tag == DT_STRTAB) {
            have_table = offset_of(im, d.d_un.d_ptr, &table);
        } else if (d.d_tag == DT_STRSZ) {
            table_size = d.d_un.d_val;
        }
    }
    for (size_t i = 0;
         i < count && take(im, ph->p_offset + i * sizeof(d), &d, sizeof(d)) && d.d_tag != DT_NULL;
         i++) {
        const char *text;

        ret->audited |= d.d_tag == DT_AUDIT || d.d_tag == DT_DEPAUDIT || d.d_tag == DT_AUXILIARY ||
                        d.d_tag == DT_FILTER;
        if (d.d_tag != DT_NEEDED && d.d_tag != DT_RPATH && d.d_tag != DT_RUNPATH) {
            continue;
        }
        text = have_table ? text_at(im, table, table_size, d.d_un.d_val) : NULL;
        if (text == NULL || (d.d_tag == DT_NEEDED && ret->count == ELF_NEEDS_MAX)) {
            return -ENOEXEC;
        }
        if (d.d_tag == DT_NEEDED) {
            ret->names[ret->count++] = text;
        } else if (d.d_tag == DT_RPATH) {
            ret->rpath = text;
        } else {
            ret->runpath = text;
        }
    }
    return 0;
}

int elf_needs_read(const void *data, size_t size, struct elf_needs *ret)
{
    struct image im = {.p = data, .size = size};
    struct elf_needs needs = {.count = 0};
    int r = 0;

    if (!take(&im, 0, &im.eh, sizeof(im.eh)) || memcmp(im.eh.e_ident, ELFMAG, SELFMAG) != 0 ||
        im.eh.e_ident[EI_CLASS] != ELFCLASS64 || im.eh.e_ident[EI_DATA] != ELFDATA2LSB ||
        im.eh.e_machine != EM_X86_64 || im.eh.e_phentsize != sizeof(Elf64_Phdr) ||
        im.eh.e_phnum > PHDRS_MAX) {
        return -ENOEXEC;
    }
    for (size_t i = 0; r == 0 && i < im.eh.e_phnum; i++) {
        Elf64_Phdr ph;

        if (!take_phdr(&im, i, &ph)) {
            return -ENOEXEC;
        }
        if (ph.p_type == PT_DYNAMIC) {
            r = read_dynamic(&im, &ph, &needs);
        } else if (ph.p_type == PT_INTERP) {
            needs.interpreter = text_at(&im, ph.p_offset, ph.p_filesz, 0);
        }
    }
    if (r == 0) {
        *ret = needs;
    }
    return r;
}
