/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/elf_image.h"

#include <elf.h>
#include <string.h>

#include "core/cursor.h"
#include "core/le.h"
#include "core/overflow.h"

#ifndef DT_RELR
#define DT_RELR 36
#endif

/* One parse: the file, its header, and the result that grows. */
struct parse {
    const uint8_t *data;
    size_t size;
    Elf64_Ehdr eh;
    struct elf_image *img;
    struct error **err;
    bool have_config;
    bool have_dynamic;
    Elf64_Phdr dynamic;
};

/* A cursor over [offset, offset + size) of the file. */
static int file_part(const struct parse *p, uint64_t offset, uint64_t size, struct cursor *ret)
{
    if (!range_within(offset, size, 0, p->size)) {
        return -EBADMSG;
    }
    *ret = cursor_make(p->data + offset, size);
    return 0;
}

static int check_ident(const struct parse *p)
{
    const uint8_t *id = p->eh.e_ident;

    if (memcmp(id, ELFMAG, SELFMAG) != 0) {
        return error_set(p->err, EINVAL, "not an ELF file (no 7f 45 4c 46 at its start)");
    }
    if (id[EI_CLASS] != ELFCLASS64) {
        return error_set(p->err, EINVAL, "e_ident[EI_CLASS] is %u, not 2 (64-bit)", id[EI_CLASS]);
    }
    if (id[EI_DATA] != ELFDATA2LSB) {
        return error_set(p->err, EINVAL, "e_ident[EI_DATA] is %u, not 1 (little-endian)",
                         id[EI_DATA]);
    }
    if (id[EI_VERSION] != EV_CURRENT) {
        return error_set(p->err, EINVAL, "e_ident[EI_VERSION] is %u, not 1", id[EI_VERSION]);
    }
    if (id[EI_OSABI] != ELFOSABI_NONE && id[EI_OSABI] != ELFOSABI_GNU) {
        return error_set(p->err, EINVAL, "e_ident[EI_OSABI] is %u, not 0 (none) or 3 (GNU)",
                         id[EI_OSABI]);
    }
    return 0;
}

static int check_header(const struct parse *p)
{
    const Elf64_Ehdr *eh = &p->eh;
    int r = check_ident(p);

    if (r < 0) {
        return r;
    }
    if (eh->e_type != ET_DYN) {
        return error_set(p->err, EINVAL,
                         "e_type is %u, not 3 (ET_DYN): link the enclave with -static-pie",
                         eh->e_type);
    }
    if (eh->e_machine != EM_X86_64) {
        return error_set(p->err, EINVAL, "e_machine is %u, not 62 (x86-64)", eh->e_machine);
    }
    if (eh->e_version != EV_CURRENT) {
        return error_set(p->err, EINVAL, "e_version is %u, not 1", eh->e_version);
    }
    if (eh->e_ehsize != sizeof(Elf64_Ehdr)) {
        return error_set(p->err, EINVAL, "e_ehsize is %u, not %zu", eh->e_ehsize,
                         sizeof(Elf64_Ehdr));
    }
    if (eh->e_phentsize != sizeof(Elf64_Phdr)) {
        return error_set(p->err, EINVAL, "e_phentsize is %u, not %zu", eh->e_phentsize,
                         sizeof(Elf64_Phdr));
    }
    if (eh->e_phnum == 0 || eh->e_phnum > 64) {
        return error_set(p->err, EINVAL, "e_phnum is %u, not 1 to 64", eh->e_phnum);
    }
    return 0;
}

static int add_segment(struct parse *p, const Elf64_Phdr *ph, unsigned i)
{
    struct elf_image *img = p->img;
    struct elf_segment *s;
    struct cursor c;
    uint64_t end;

    if (ph->p_filesz > ph->p_memsz) {
        return error_set(p->err, EINVAL, "program header %u: p_filesz is larger than p_memsz", i);
    }
    if (ph->p_memsz == 0) {
        return 0;
    }
    if (img->segment_count == ELF_IMAGE_SEGMENTS_MAX) {
        return error_set(p->err, EINVAL, "more than %u PT_LOAD segments", ELF_IMAGE_SEGMENTS_MAX);
    }
    if ((ph->p_flags & (PF_W | PF_X)) == (PF_W | PF_X)) {
        return error_set(p->err, EINVAL,
                         "program header %u: p_flags makes it writable and executable", i);
    }
    if ((ph->p_flags & ~(uint32_t)(PF_R | PF_W | PF_X)) != 0 || (ph->p_flags & PF_R) == 0) {
        return error_set(p->err, EINVAL, "program header %u: p_flags 0x%x is not R, RW or RX", i,
                         ph->p_flags);
    }
    if (!is_page_aligned(ph->p_vaddr)) {
        return error_set(p->err, EINVAL, "program header %u: p_vaddr 0x%jx is not page aligned", i,
                         (uintmax_t)ph->p_vaddr);
    }
    if (add_overflow(ph->p_vaddr, ph->p_memsz, &end) || end > ENCLAVE_IMAGE_MAX) {
        return error_set(p->err, EINVAL,
                         "program header %u: p_vaddr + p_memsz is beyond the %ju MiB of an enclave "
                         "image",
                         i, (uintmax_t)(ENCLAVE_IMAGE_MAX >> 20));
    }
    if (ph->p_vaddr < img->size) {
        return error_set(p->err, EINVAL,
                         "program header %u: p_vaddr 0x%jx overlaps or precedes the segment before",
                         i, (uintmax_t)ph->p_vaddr);
    }
    if (file_part(p, ph->p_offset, ph->p_filesz, &c) < 0) {
        return error_set(p->err, EINVAL,
                         "program header %u: p_offset + p_filesz is beyond the end of the file", i);
    }
    s = &img->segments[img->segment_count++];
    s->vaddr = ph->p_vaddr;
    s->memory_size = page_align_up(ph->p_memsz);
    s->data = c.p;
    s->data_size = c.left;
    s->flags = ph->p_flags;
    img->size = page_align_up(end);
    return 0;
}

static int check_config(struct parse *p, const uint8_t *desc, size_t size)
{
    struct enclave_config *c = &p->img->config;

    if (size < sizeof(*c)) {
        return error_set(p->err, EINVAL, "nacre note: %zu bytes, not %zu", size, sizeof(*c));
    }
    if (p->have_config) {
        return error_set(p->err, EINVAL, "nacre note: there are two of them");
    }
    memcpy(c, desc, sizeof(*c));
    p->have_config = true;
    if (c->version != ENCLAVE_CONFIG_VERSION || size != sizeof(*c)) {
        return error_set(p->err, EINVAL,
                         "nacre note: version %u of %zu bytes, this loader knows %u", c->version,
                         size, ENCLAVE_CONFIG_VERSION);
    }
    if (c->threads == 0 || c->threads > ENCLAVE_THREADS_MAX) {
        return error_set(p->err, EINVAL, "nacre note: threads is %u, not 1 to %u", c->threads,
                         ENCLAVE_THREADS_MAX);
    }
    if (c->ssa_frames < 2 || c->ssa_frames > 16) {
        return error_set(p->err, EINVAL, "nacre note: ssa_frames is %u, not 2 to 16",
                         c->ssa_frames);
    }
    if (c->ssa_frame_pages != ENCLAVE_SSA_FRAME_PAGES) {
        return error_set(p->err, EINVAL, "nacre note: ssa_frame_pages is %u, not %u",
                         c->ssa_frame_pages, ENCLAVE_SSA_FRAME_PAGES);
    }
    if (c->stack_size == 0 || c->stack_size > SLOT_STACK_MAX || !is_page_aligned(c->stack_size)) {
        return error_set(p->err, EINVAL,
                         "nacre note: stack_size 0x%x is not whole pages up to 0x%x", c->stack_size,
                         SLOT_STACK_MAX);
    }
    if (c->trap_stack_size == 0 || c->trap_stack_size > SLOT_TRAP_STACK_MAX ||
        !is_page_aligned(c->trap_stack_size)) {
        return error_set(p->err, EINVAL,
                         "nacre note: trap_stack_size 0x%x is not whole pages up to 0x%x",
                         c->trap_stack_size, SLOT_TRAP_STACK_MAX);
    }
    return 0;
}

/* Walks the notes of one PT_NOTE for the one of ours. */
static int read_notes(struct parse *p, const Elf64_Phdr *ph, unsigned i)
{
    struct cursor c;

    if (file_part(p, ph->p_offset, ph->p_filesz, &c) < 0) {
        return error_set(p->err, EINVAL,
                         "program header %u: p_offset + p_filesz is beyond the end of the file", i);
    }
    while (c.left > 0) {
        const uint8_t *name;
        const uint8_t *desc;
        Elf64_Nhdr nh;
        int r = cursor_copy(&c, &nh, sizeof(nh));

        /* Names and descriptors are padded to 4 bytes; the very last padding may be missing. */
        if (r == 0) {
            r = cursor_bytes(&c, nh.n_namesz, &name);
        }
        if (r == 0) {
            r = cursor_skip(&c, MIN(c.left, (size_t)(-nh.n_namesz & 3)));
        }
        if (r == 0) {
            r = cursor_bytes(&c, nh.n_descsz, &desc);
        }
        if (r < 0) {
            return error_set(p->err, EINVAL, "program header %u: a note is cut off", i);
        }
        if (cursor_skip(&c, MIN(c.left, (size_t)(-nh.n_descsz & 3))) < 0) {
            return error_set(p->err, EINVAL, "program header %u: a note is cut off", i);
        }
        if (nh.n_namesz != sizeof(ENCLAVE_NOTE_NAME) ||
            memcmp(name, ENCLAVE_NOTE_NAME, sizeof(ENCLAVE_NOTE_NAME)) != 0) {
            continue;
        }
        if (nh.n_type != ENCLAVE_NOTE_CONFIG) {
            return error_set(p->err, EINVAL, "nacre note: n_type is %u, not %u", nh.n_type,
                             ENCLAVE_NOTE_CONFIG);
        }
        r = check_config(p, desc, nh.n_descsz);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int read_program_header(struct parse *p, const Elf64_Phdr *ph, unsigned i)
{
    switch (ph->p_type) {
    case PT_LOAD: return add_segment(p, ph, i);
    case PT_NOTE: return read_notes(p, ph, i);
    case PT_INTERP:
        return error_set(p->err, EINVAL,
                         "program header %u is PT_INTERP: an enclave has no dynamic linker", i);
    case PT_TLS:
        return error_set(p->err, EINVAL,
                         "program header %u is PT_TLS: an enclave keeps thread data in its control "
                         "page",
                         i);
    case PT_DYNAMIC:
        if (p->have_dynamic) {
            return error_set(p->err, EINVAL, "program header %u: a second PT_DYNAMIC", i);
        }
        p->have_dynamic = true;
        p->dynamic = *ph;
        return 0;
    case PT_GNU_STACK:
        if ((ph->p_flags & PF_X) != 0) {
            return error_set(p->err, EINVAL, "program header %u: PT_GNU_STACK is executable", i);
        }
        return 0;
    default: return 0; /* PT_PHDR, PT_GNU_RELRO, PT_GNU_EH_FRAME and the like carry no pages */
    }
}

/* The file bytes of [vaddr, vaddr + size), all within one segment's file part. */
static int mapped_part(const struct elf_image *img, uint64_t vaddr, uint64_t size,
                       struct cursor *ret)
{
    for (size_t i = 0; i < img->segment_count; i++) {
        const struct elf_segment *s = &img->segments[i];

        if (range_within(vaddr, size, s->vaddr, s->vaddr + s->data_size)) {
            *ret = cursor_make(s->data + (vaddr - s->vaddr), size);
            return 0;
        }
    }
    return -EBADMSG;
}

/* True when [vaddr, vaddr + size) lies in one segment that has at least these flags. */
static bool within_segment(const struct elf_image *img, uint64_t vaddr, uint64_t size,
                           uint32_t flags)
{
    for (size_t i = 0; i < img->segment_count; i++) {
        const struct elf_segment *s = &img->segments[i];

        if (range_within(vaddr, size, s->vaddr, s->vaddr + s->memory_size)) {
            return (s->flags & flags) == flags;
        }
    }
    return false;
}

static int check_relocations(struct parse *p, uint64_t rela, uint64_t rela_size)
{
    struct cursor c;

    if (rela_size == 0) {
        return 0;
    }
    if (mapped_part(p->img, rela, rela_size, &c) < 0) {
        return error_set(p->err, EINVAL, "DT_RELA: 0x%jx bytes at 0x%jx are in no segment",
                         (uintmax_t)rela_size, (uintmax_t)rela);
    }
    while (c.left > 0) {
        Elf64_Rela e;

        if (cursor_copy(&c, &e, sizeof(e)) < 0) {
            return error_set(p->err, EINVAL, "DT_RELASZ is not a multiple of %zu", sizeof(e));
        }
        if (ELF64_R_TYPE(e.r_info) == R_X86_64_NONE) {
            continue;
        }
        if (ELF64_R_TYPE(e.r_info) != R_X86_64_RELATIVE || ELF64_R_SYM(e.r_info) != 0) {
            return error_set(p->err, EINVAL,
                             "relocation %zu: r_info 0x%jx is not R_X86_64_RELATIVE (an undefined "
                             "symbol?)",
                             p->img->relative_count, (uintmax_t)e.r_info);
        }
        if (!within_segment(p->img, e.r_offset, 8, PF_W)) {
            return error_set(p->err, EINVAL,
                             "relocation %zu: r_offset 0x%jx is not in a writable segment",
                             p->img->relative_count, (uintmax_t)e.r_offset);
        }
        p->img->relative_count++;
    }
    return 0;
}

/* Tags that would need something at load time which the loader does not do. */
static const struct {
    Elf64_Sxword tag;
    const char *why;
} refused_tags[] = {
    {DT_NEEDED, "DT_NEEDED: an enclave links no shared library"},
    {DT_TEXTREL, "DT_TEXTREL: relocations in read-only pages"},
    {DT_REL, "DT_REL: x86-64 uses RELA"},
    {DT_RELR, "DT_RELR: link without -z pack-relative-relocs"},
    {DT_JMPREL, "DT_JMPREL: a PLT with an undefined symbol"},
    {DT_INIT, "DT_INIT: nothing would run it"},
    {DT_FINI, "DT_FINI: nothing would run it"},
    {DT_INIT_ARRAY, "DT_INIT_ARRAY: nothing would run it"},
    {DT_FINI_ARRAY, "DT_FINI_ARRAY: nothing would run it"},
    {DT_PREINIT_ARRAY, "DT_PREINIT_ARRAY: nothing would run it"},
};

static int check_dynamic(struct parse *p)
{
    uint64_t rela = 0;
    uint64_t rela_size = 0;
    struct cursor c;

    if (!p->have_dynamic) {
        return 0;
    }
    if (mapped_part(p->img, p->dynamic.p_vaddr, p->dynamic.p_filesz, &c) < 0) {
        return error_set(p->err, EINVAL, "PT_DYNAMIC: p_vaddr + p_filesz is in no segment");
    }
    for (;;) {
        Elf64_Dyn d;

        if (cursor_copy(&c, &d, sizeof(d)) < 0) {
            return error_set(p->err, EINVAL, "PT_DYNAMIC: does not end with DT_NULL");
        }
        if (d.d_tag == DT_NULL) {
            break;
        }
        for (size_t i = 0; i < ARRAY_COUNT(refused_tags); i++) {
            if (d.d_tag == refused_tags[i].tag) {
                return error_set(p->err, EINVAL, "dynamic section has %s", refused_tags[i].why);
            }
        }
        if (d.d_tag == DT_FLAGS && (d.d_un.d_val & DF_TEXTREL) != 0) {
            return error_set(p->err, EINVAL, "dynamic section: DT_FLAGS says DF_TEXTREL");
        }
        if (d.d_tag == DT_RELAENT && d.d_un.d_val != sizeof(Elf64_Rela)) {
            return error_set(p->err, EINVAL, "DT_RELAENT is %ju, not %zu", (uintmax_t)d.d_un.d_val,
                             sizeof(Elf64_Rela));
        }
        if (d.d_tag == DT_RELA) {
            rela = d.d_un.d_ptr;
        } else if (d.d_tag == DT_RELASZ) {
            rela_size = d.d_un.d_val;
        }
    }
    return check_relocations(p, rela, rela_size);
}

/* One entry of .enclu_slots: the slot must exist in an executable segment, byte for byte. */
static int add_slot(struct parse *p, uint64_t entry_vaddr, int32_t distance)
{
    static const uint8_t slot[ENCLU_SLOT_SIZE] = {ENCLU_SLOT_BYTES};
    const uint64_t vaddr = entry_vaddr + (uint64_t)(int64_t)distance;
    struct elf_image *img = p->img;
    struct cursor c;

    if (img->slot_count == ENCLAVE_SLOTS_MAX) {
        return error_set(p->err, EINVAL, "%s: more than %u entries", ENCLAVE_SLOTS_SECTION,
                         ENCLAVE_SLOTS_MAX);
    }
    if (mapped_part(img, vaddr, sizeof(slot), &c) < 0 ||
        !within_segment(img, vaddr, sizeof(slot), PF_X) || memcmp(c.p, slot, sizeof(slot)) != 0) {
        return error_set(p->err, EINVAL,
                         "%s: entry %zu points to 0x%jx, where no slot 0f 01 d7 66 90 is",
                         ENCLAVE_SLOTS_SECTION, img->slot_count, (uintmax_t)vaddr);
    }
    img->slots[img->slot_count++] = vaddr;
    return 0;
}

static int read_slots(struct parse *p, const Elf64_Shdr *sh)
{
    struct cursor c;
    uint64_t at = sh->sh_addr;

    if (sh->sh_type != SHT_PROGBITS || file_part(p, sh->sh_offset, sh->sh_size, &c) < 0) {
        return error_set(p->err, EINVAL, "%s: sh_type or sh_offset + sh_size is wrong",
                         ENCLAVE_SLOTS_SECTION);
    }
    while (c.left > 0) {
        uint32_t v;
        int r;

        if (cursor_u32le(&c, &v) < 0) {
            return error_set(p->err, EINVAL, "%s: sh_size is not a multiple of 4",
                             ENCLAVE_SLOTS_SECTION);
        }
        r = add_slot(p, at, (int32_t)v);
        if (r < 0) {
            return r;
        }
        at += sizeof(v);
    }
    return 0;
}

static int section_at(const struct parse *p, unsigned i, Elf64_Shdr *ret)
{
    struct cursor c;
    int r = file_part(p, p->eh.e_shoff + (uint64_t)i * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr), &c);

    return r < 0 ? r : cursor_copy(&c, ret, sizeof(*ret));
}

/* Section headers serve one hint only; an image stripped of them is complete. */
static int read_sections(struct parse *p)
{
    const Elf64_Ehdr *eh = &p->eh;
    struct cursor names;
    Elf64_Shdr sh;

    if (eh->e_shoff == 0 || eh->e_shnum == 0) {
        return 0;
    }
    if (eh->e_shentsize != sizeof(Elf64_Shdr)) {
        return error_set(p->err, EINVAL, "e_shentsize is %u, not %zu", eh->e_shentsize,
                         sizeof(Elf64_Shdr));
    }
    if (!range_within(eh->e_shoff, (uint64_t)eh->e_shnum * sizeof(Elf64_Shdr), 0, p->size)) {
        return error_set(p->err, EINVAL, "e_shoff + e_shnum headers is beyond the end of the file");
    }
    if (eh->e_shstrndx >= eh->e_shnum || section_at(p, eh->e_shstrndx, &sh) < 0) {
        return error_set(p->err, EINVAL, "e_shstrndx is %u of %u sections", eh->e_shstrndx,
                         eh->e_shnum);
    }
    if (file_part(p, sh.sh_offset, sh.sh_size, &names) < 0) {
        return error_set(p->err, EINVAL, "section names: sh_offset + sh_size is beyond the end");
    }
    for (unsigned i = 0; i < eh->e_shnum; i++) {
        static const char wanted[] = ENCLAVE_SLOTS_SECTION;
        int r;

        if (section_at(p, i, &sh) < 0 || !range_within(sh.sh_name, sizeof(wanted), 0, names.left) ||
            memcmp(names.p + sh.sh_name, wanted, sizeof(wanted)) != 0) {
            continue;
        }
        r = read_slots(p, &sh);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int check_image(const struct parse *p)
{
    const struct elf_image *img = p->img;

    if (img->segment_count == 0) {
        return error_set(p->err, EINVAL, "there is no PT_LOAD segment");
    }
    if (img->segments[0].vaddr != 0) {
        return error_set(p->err, EINVAL, "the first PT_LOAD starts at 0x%jx, not at 0",
                         (uintmax_t)img->segments[0].vaddr);
    }
    if (!p->have_config) {
        return error_set(p->err, EINVAL,
                         "there is no note of \"nacre\" (struct enclave_config): not an enclave of "
                         "ours");
    }
    if (!within_segment(img, img->config.entry, 1, PF_X)) {
        return error_set(p->err, EINVAL, "nacre note: entry 0x%jx is not in an executable segment",
                         (uintmax_t)img->config.entry);
    }
    return 0;
}

int elf_image_parse(const uint8_t *data, size_t size, struct elf_image *ret, struct error **err)
{
    struct elf_image img = {};
    struct parse p = {.data = data, .size = size, .img = &img, .err = err};
    struct cursor c = cursor_make(data, size);
    int r;

    if (size > ELF_IMAGE_SIZE_MAX) {
        return error_set(err, EINVAL, "the file is larger than %zu MiB", ELF_IMAGE_SIZE_MAX >> 20);
    }
    if (cursor_copy(&c, &p.eh, sizeof(p.eh)) < 0) {
        return error_set(err, EINVAL, "the file is %zu bytes, too short for an ELF header", size);
    }
    r = check_header(&p);
    if (r < 0) {
        return r;
    }
    if (file_part(&p, p.eh.e_phoff, (uint64_t)p.eh.e_phnum * sizeof(Elf64_Phdr), &c) < 0) {
        return error_set(err, EINVAL, "e_phoff + e_phnum headers is beyond the end of the file");
    }
    for (unsigned i = 0; i < p.eh.e_phnum; i++) {
        Elf64_Phdr ph;

        r = cursor_copy(&c, &ph, sizeof(ph));
        if (r == 0) {
            r = read_program_header(&p, &ph, i);
        }
        if (r < 0) {
            return r;
        }
    }
    r = check_image(&p);
    if (r == 0) {
        r = check_dynamic(&p);
    }
    if (r == 0) {
        r = read_sections(&p);
    }
    if (r == 0) {
        *ret = img;
    }
    return r;
}
