/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/elf/elf_parse.h"

#include <asm/mman.h>
#include <linux/elf.h>

#include "core/cursor.h"
#include "core/overflow.h"

#define TYPE_EXEC 2
#define TYPE_DYN  3

int elf_parse_header(const void *data, size_t size, struct elf_header *ret)
{
    static const uint8_t magic[7] = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT};
    struct cursor c = cursor_make(data, size);
    uint8_t ident[16];
    uint16_t type;
    uint16_t machine;
    uint16_t phentsize;
    struct elf_header h;

    if (cursor_copy(&c, ident, sizeof(ident)) < 0 ||
        __builtin_memcmp(ident, magic, sizeof(magic)) != 0) {
        return -ENOEXEC;
    }
    if (cursor_u16le(&c, &type) < 0 || cursor_u16le(&c, &machine) < 0 ||
        cursor_skip(&c, 4 /* e_version */) < 0 || cursor_u64le(&c, &h.entry) < 0 ||
        cursor_u64le(&c, &h.phoff) < 0 ||
        cursor_skip(&c, 8 + 4 + 2 /* e_shoff, e_flags, e_ehsize */) < 0 ||
        cursor_u16le(&c, &phentsize) < 0 || cursor_u16le(&c, &h.phnum) < 0) {
        return -ENOEXEC;
    }
    if ((type != TYPE_EXEC && type != TYPE_DYN) || machine != EM_X86_64 ||
        phentsize != ELF_PHDR_SIZE || h.phnum == 0 || h.phnum > ELF_PHDRS_MAX) {
        return -ENOEXEC;
    }
    h.dynamic = type == TYPE_DYN;
    *ret = h;
    return 0;
}

struct phdr {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t vaddr;
    uint64_t filesz;
    uint64_t memsz;
    uint64_t align;
};

static int read_phdr(struct cursor *c, struct phdr *ret)
{
    if (cursor_u32le(c, &ret->type) < 0 || cursor_u32le(c, &ret->flags) < 0 ||
        cursor_u64le(c, &ret->offset) < 0 || cursor_u64le(c, &ret->vaddr) < 0 ||
        cursor_skip(c, 8 /* p_paddr */) < 0 || cursor_u64le(c, &ret->filesz) < 0 ||
        cursor_u64le(c, &ret->memsz) < 0 || cursor_u64le(c, &ret->align) < 0) {
        return -ENOEXEC;
    }
    return 0;
}

static uint32_t prot_of(uint32_t flags)
{
    return ((flags & PF_R) != 0 ? (uint32_t)PROT_READ : 0u) |
           ((flags & PF_W) != 0 ? (uint32_t)PROT_WRITE : 0u) |
           ((flags & PF_X) != 0 ? (uint32_t)PROT_EXEC : 0u);
}

static int add_load(struct elf_info *info, const struct phdr *ph, uint64_t address_max)
{
    uint64_t end;
    uint64_t file_end;

    if (ph->memsz == 0) {
        return 0;
    }
    if (info->load_count == ELF_SEGMENTS_MAX || ph->filesz > ph->memsz ||
        add_overflow(ph->vaddr, ph->memsz, &end) || end > address_max ||
        add_overflow(ph->offset, ph->filesz, &file_end) || file_end > INT64_MAX) {
        return -ENOEXEC;
    }
    /* Pages of the file go to pages of memory. */
    if ((ph->vaddr - ph->offset) % NACRE_PAGE_SIZE != 0) {
        return -ENOEXEC;
    }
    /* Ascending order, as the format demands; segments may share a page, not bytes. */
    if (info->load_count > 0) {
        const struct elf_load *prev = &info->loads[info->load_count - 1];

        if (ph->vaddr < prev->vaddr + prev->memory_size) {
            return -ENOEXEC;
        }
    }
    if (ph->align > NACRE_PAGE_SIZE && (ph->align & (ph->align - 1)) == 0 &&
        ph->align <= 1ull << 30) {
        info->align = MAX(info->align, ph->align);
    }
    if (info->load_count == 0) {
        info->low = page_align_down(ph->vaddr);
    }
    info->high = page_align_up(end);
    info->loads[info->load_count++] = (struct elf_load){
        .vaddr = ph->vaddr,
        .offset = ph->offset,
        .file_size = ph->filesz,
        .memory_size = ph->memsz,
        .prot = prot_of(ph->flags),
    };
    return 0;
}

/* Where the headers can be read in memory: AT_PHDR. */
static void find_phdrs(const struct elf_header *h, struct elf_info *info)
{
    const uint64_t size = (uint64_t)h->phnum * ELF_PHDR_SIZE;

    for (size_t i = 0; i < info->load_count; i++) {
        const struct elf_load *l = &info->loads[i];

        if (range_within(h->phoff, size, l->offset, l->offset + l->file_size)) {
            info->phdr_vaddr = l->vaddr + (h->phoff - l->offset);
            return;
        }
    }
}

static int take_phdr(struct elf_info *info, const struct phdr *ph, uint64_t address_max)
{
    switch (ph->type) {
    case PT_LOAD: return add_load(info, ph, address_max);
    case PT_INTERP:
        if (info->interp_size != 0 || ph->filesz < 2 || ph->filesz > ELF_PATH_MAX ||
            ph->offset > (uint64_t)INT64_MAX - ELF_PATH_MAX) {
            return -ENOEXEC;
        }
        info->interp_offset = ph->offset;
        info->interp_size = ph->filesz;
        return 0;
    case PT_GNU_STACK: info->exec_stack = (ph->flags & PF_X) != 0; return 0;
    default: return 0;
    }
}

int elf_parse_phdrs(const struct elf_header *h, const void *data, size_t size, uint64_t address_max,
                    struct elf_info *ret)
{
    struct cursor c = cursor_make(data, size);

    *ret = (struct elf_info){
        .dynamic = h->dynamic,
        .entry = h->entry,
        .phdr_count = h->phnum,
        .align = NACRE_PAGE_SIZE,
    };
    for (uint16_t i = 0; i < h->phnum; i++) {
        struct phdr ph;
        int r = read_phdr(&c, &ph);

        if (r == 0) {
            r = take_phdr(ret, &ph, address_max);
        }
        if (r < 0) {
            return r;
        }
    }
    if (ret->load_count == 0) {
        return -ENOEXEC;
    }
    find_phdrs(h, ret);
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The line goes on beyond what was read: good only if the interpreter's name ends before. */
static bool name_ends(const char *text, size_t size)
{
    size_t at = 2;

    while (at < size && is_blank(text[at])) {
        at++;
    }
    while (at < size && !is_blank(text[at])) {
        at++;
    }
    return at < size;
}

int elf_parse_script(char *text, size_t size, struct script_line *ret)
{
    size_t at = 2;
    size_t end = 2;

    if (size < 4 || text[0] != '#' || text[1] != '!') {
        return -ENOEXEC;
    }
    while (end < size && text[end] != '\n' && text[end] != '\0') {
        end++;
    }
    if (end == size) {
        end--;
        if (!name_ends(text, end)) {
            return -ENOEXEC;
        }
    }
    while (end > at && is_blank(text[end - 1])) {
        end--;
    }
    text[end] = '\0';
    while (at < end && is_blank(text[at])) {
        at++;
    }
    if (at == end) {
        return -ENOEXEC;
    }
    ret->interpreter = text + at;
    ret->argument = NULL;
    while (at < end && !is_blank(text[at])) {
        at++;
    }
    if (at < end) {
        text[at++] = '\0';
        while (is_blank(text[at])) {
            at++;
        }
        ret->argument = text + at;
    }
    return 0;
}
