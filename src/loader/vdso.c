/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/vdso.h"

#include <elf.h>
#include <string.h>

#include "core/cursor.h"
#include "core/overflow.h"

#define PHDRS_MAX   16u
#define SYMBOLS_MAX 4096u

struct vdso {
    const uint8_t *image;
    size_t size;
    uint64_t load_vaddr; /* of the one PT_LOAD: addresses in the tables count from there */
    uint64_t symtab, strtab, strsz, hash, gnu_hash;
};

static int part(const struct vdso *v, uint64_t vaddr, uint64_t size, struct cursor *ret)
{
    const uint64_t offset = vaddr - v->load_vaddr;

    if (vaddr < v->load_vaddr || !range_within(offset, size, 0, v->size)) {
        return -EINVAL;
    }
    *ret = cursor_make(v->image + offset, size);
    return 0;
}

/* The headers, which lie in the first page. *ret_load: the PT_LOAD; *ret_dynamic: PT_DYNAMIC. */
static int read_headers(const uint8_t *image, size_t size, Elf64_Phdr *ret_load,
                        Elf64_Phdr *ret_dynamic)
{
    struct cursor c = cursor_make(image, size);
    bool have_load = false;
    bool have_dynamic = false;
    Elf64_Ehdr eh;

    if (cursor_copy(&c, &eh, sizeof(eh)) < 0 || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
        eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64 ||
        eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phnum > PHDRS_MAX ||
        !range_within(eh.e_phoff, (uint64_t)eh.e_phnum * sizeof(Elf64_Phdr), 0,
                      MIN(size, (size_t)NACRE_PAGE_SIZE))) {
        return -EINVAL;
    }
    c = cursor_make(image + eh.e_phoff, eh.e_phnum * sizeof(Elf64_Phdr));
    while (c.left > 0) {
        Elf64_Phdr ph;

        if (cursor_copy(&c, &ph, sizeof(ph)) < 0) {
            return -EINVAL;
        }
        if (ph.p_type == PT_LOAD && !have_load) {
            *ret_load = ph;
            have_load = true;
        } else if (ph.p_type == PT_DYNAMIC) {
            *ret_dynamic = ph;
            have_dynamic = true;
        }
    }
    return have_load && have_dynamic ? 0 : -EINVAL;
}

int vdso_size(const uint8_t *first_page, size_t *ret)
{
    Elf64_Phdr load;
    Elf64_Phdr dynamic;
    int r = read_headers(first_page, NACRE_PAGE_SIZE, &load, &dynamic);

    if (r < 0) {
        return r;
    }
    if (load.p_offset != 0 || load.p_filesz == 0 || load.p_filesz > VDSO_SIZE_MAX) {
        return -EINVAL;
    }
    *ret = load.p_filesz;
    return 0;
}

static int read_dynamic(struct vdso *v, const Elf64_Phdr *dynamic)
{
    struct cursor c;

    if (part(v, dynamic->p_vaddr, dynamic->p_memsz, &c) < 0) {
        return -EINVAL;
    }
    for (;;) {
        Elf64_Dyn d;

        if (cursor_copy(&c, &d, sizeof(d)) < 0) {
            return -EINVAL;
        }
        switch (d.d_tag) {
        case DT_NULL: return 0;
        case DT_SYMTAB: v->symtab = d.d_un.d_ptr; break;
        case DT_STRTAB: v->strtab = d.d_un.d_ptr; break;
        case DT_STRSZ: v->strsz = d.d_un.d_val; break;
        case DT_HASH: v->hash = d.d_un.d_ptr; break;
        case DT_GNU_HASH: v->gnu_hash = d.d_un.d_ptr; break;
        default: break;
        }
    }
}

/* DT_GNU_HASH does not say how many symbols there are: the last one ends the highest chain. */
static int count_gnu(const struct vdso *v, uint32_t *ret)
{
    uint32_t buckets, first, bloom_words, shift;
    uint32_t highest = 0;
    struct cursor c;
    uint64_t at;

    if (part(v, v->gnu_hash, 16, &c) < 0 || cursor_u32le(&c, &buckets) < 0 ||
        cursor_u32le(&c, &first) < 0 || cursor_u32le(&c, &bloom_words) < 0 ||
        cursor_u32le(&c, &shift) < 0 || buckets > SYMBOLS_MAX || bloom_words > SYMBOLS_MAX) {
        return -EINVAL;
    }
    at = v->gnu_hash + 16 + (uint64_t)bloom_words * 8;
    if (part(v, at, (uint64_t)buckets * 4, &c) < 0) {
        return -EINVAL;
    }
    for (uint32_t i = 0; i < buckets; i++) {
        uint32_t b;

        if (cursor_u32le(&c, &b) < 0) {
            return -EINVAL;
        }
        highest = MAX(highest, b);
    }
    at += (uint64_t)buckets * 4;
    if (highest < first) {
        *ret = first;
        return 0;
    }
    for (uint32_t i = highest; i < SYMBOLS_MAX; i++) {
        uint32_t h;

        if (part(v, at + (uint64_t)(i - first) * 4, 4, &c) < 0 || cursor_u32le(&c, &h) < 0) {
            return -EINVAL;
        }
        if ((h & 1) != 0) {
            *ret = i + 1;
            return 0;
        }
    }
    return -EINVAL;
}

static int count_symbols(const struct vdso *v, uint32_t *ret)
{
    uint32_t buckets;
    struct cursor c;

    if (v->hash == 0) {
        return v->gnu_hash == 0 ? -EINVAL : count_gnu(v, ret);
    }
    if (part(v, v->hash, 8, &c) < 0 || cursor_u32le(&c, &buckets) < 0 ||
        cursor_u32le(&c, ret) < 0 || *ret > SYMBOLS_MAX) {
        return -EINVAL;
    }
    return 0;
}

int vdso_find(const uint8_t *image, size_t size, const char *name, uint64_t *ret)
{
    const size_t name_size = strlen(name) + 1;
    struct vdso v = {.image = image, .size = size};
    struct cursor symbols;
    struct cursor strings;
    Elf64_Phdr load;
    Elf64_Phdr dynamic;
    uint32_t count;
    int r = read_headers(image, size, &load, &dynamic);

    if (r < 0) {
        return r;
    }
    v.load_vaddr = load.p_vaddr;
    r = read_dynamic(&v, &dynamic);
    if (r == 0) {
        r = count_symbols(&v, &count);
    }
    if (r < 0 || part(&v, v.symtab, (uint64_t)count * sizeof(Elf64_Sym), &symbols) < 0 ||
        part(&v, v.strtab, v.strsz, &strings) < 0) {
        return -EINVAL;
    }
    while (symbols.left > 0) {
        Elf64_Sym s;

        if (cursor_copy(&symbols, &s, sizeof(s)) < 0) {
            return -EINVAL;
        }
        if (s.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(s.st_info) != STT_FUNC ||
            !range_within(s.st_name, name_size, 0, strings.left) ||
            memcmp(strings.p + s.st_name, name, name_size) != 0) {
            continue;
        }
        if (s.st_value < v.load_vaddr || s.st_value - v.load_vaddr >= size) {
            return -EINVAL;
        }
        *ret = s.st_value - v.load_vaddr;
        return 0;
    }
    return -ENOENT;
}
