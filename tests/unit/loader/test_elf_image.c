/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "loader/elf_image.h"
#include "unit/loader/small_elf.h"

static void test_parse_small_image_yields_what_it_says(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    struct elf_image img;
    struct small_elf e;

    small_elf_make(&e);
    if (elf_image_parse((uint8_t *)&e, sizeof(e), &img, &err) < 0) {
        fail_msg("%s", error_text(err));
    }
    assert_int_equal(img.segment_count, 3);
    assert_int_equal(img.size, 0x4000);
    assert_int_equal(img.segments[2].data_size, sizeof(e.data));
    assert_int_equal(img.segments[2].memory_size, 0x2000);
    assert_int_equal(img.config.threads, 2);
    assert_int_equal(img.config.entry, 4101);
    assert_int_equal(img.slot_count, 1);
    assert_int_equal(img.slots[0], 4112);
    assert_int_equal(img.relative_count, 1);
}

static void test_parse_without_sections_is_complete_but_for_the_hint(void **state)
{
    struct elf_image img;
    struct small_elf e;

    small_elf_make(&e);
    e.h.eh.e_shoff = 0;
    assert_int_equal(elf_image_parse((uint8_t *)&e, sizeof(e), &img, NULL), 0);
    assert_int_equal(img.slot_count, 0);
    small_elf_make(&e);
    e.h.eh.e_shnum = 0;
    assert_int_equal(elf_image_parse((uint8_t *)&e, sizeof(e), &img, NULL), 0);
}

/* Each case: where to write, what, and what the message must then say. */
#define AT(field) offsetof(struct small_elf, field), sizeof(((struct small_elf *)NULL)->field)

struct broken {
    size_t at;
    size_t size;
    uint64_t value;
    const char *says;
};

static const struct broken header_cases[] = {
    {0, 1, 0x7e, "not an ELF file"},
    {3, 1, 'G', "not an ELF file"},
    {EI_CLASS, 1, ELFCLASS32, "EI_CLASS"},
    {EI_DATA, 1, ELFDATA2MSB, "EI_DATA"},
    {EI_VERSION, 1, 0, "EI_VERSION"},
    {EI_OSABI, 1, 9, "EI_OSABI"},
    {AT(h.eh.e_type), ET_EXEC, "e_type is 2"},
    {AT(h.eh.e_machine), EM_386, "e_machine is 3"},
    {AT(h.eh.e_version), 2, "e_version"},
    {AT(h.eh.e_ehsize), 63, "e_ehsize is 63"},
    {AT(h.eh.e_phentsize), 55, "e_phentsize is 55"},
    {AT(h.eh.e_phnum), 0, "e_phnum is 0"},
    {AT(h.eh.e_phnum), 65, "e_phnum is 65"},
    {AT(h.eh.e_phoff), 1u << 20, "e_phoff"},
    {AT(h.eh.e_phoff), UINT64_MAX - 8, "e_phoff"},
    {AT(h.eh.e_shentsize), 1, "e_shentsize"},
    {AT(h.eh.e_shoff), UINT64_MAX, "e_shoff"},
    {AT(h.eh.e_shnum), 60000, "e_shoff"},
    {AT(h.eh.e_shstrndx), 3, "e_shstrndx is 3"},
    {AT(h.sh[2].sh_offset), UINT64_MAX, "section names"},
    {AT(h.sh[2].sh_size), UINT64_MAX, "section names"},
    {AT(h.sh[1].sh_type), SHT_NOBITS, ".enclu_slots: sh_type"},
    {AT(h.sh[1].sh_offset), 1u << 20, ".enclu_slots: sh_type"},
    {AT(h.sh[1].sh_size), 5, "not a multiple of 4"},
    {AT(h.slot[0]), 0, "entry 0 points to"},
    {AT(h.slot[0]), 0x80000000, "entry 0 points to"},
    {4096 + 16, 1, 0x0e, "no slot 0f 01 d7 66 90 is"},
    {4096 + 20, 1, 0x91, "no slot 0f 01 d7 66 90 is"},
};

static const struct broken segment_cases[] = {
    {AT(h.ph[1].p_flags), PF_R | PF_W | PF_X, "program header 1: p_flags makes it writable and ex"},
    {AT(h.ph[1].p_flags), PF_X, "program header 1: p_flags 0x1"},
    {AT(h.ph[1].p_flags), PF_R | PF_X | 0x100, "program header 1: p_flags 0x105"},
    {AT(h.ph[0].p_flags), 0, "program header 0: p_flags 0x0"},
    {AT(h.ph[1].p_vaddr), 4097, "program header 1: p_vaddr 0x1001 is not page aligned"},
    {AT(h.ph[1].p_vaddr), 0, "overlaps or precedes"},
    {AT(h.ph[2].p_vaddr), 4096, "overlaps or precedes"},
    {AT(h.ph[2].p_vaddr), ENCLAVE_IMAGE_MAX, "beyond the 512 MiB"},
    {AT(h.ph[2].p_vaddr), UINT64_MAX & ~0xfffull, "beyond the 512 MiB"},
    {AT(h.ph[1].p_filesz), 4097, "p_filesz is larger than p_memsz"},
    {AT(h.ph[2].p_memsz), UINT64_MAX, "beyond the 512 MiB"},
    {AT(h.ph[1].p_offset), 1u << 20, "program header 1: p_offset + p_filesz"},
    {AT(h.ph[1].p_offset), UINT64_MAX, "program header 1: p_offset + p_filesz"},
    {AT(h.ph[0].p_memsz), 0, "p_filesz is larger"},
    {AT(h.ph[0].p_type), PT_INTERP, "PT_INTERP"},
    {AT(h.ph[5].p_type), PT_INTERP, "program header 5 is PT_INTERP"},
    {AT(h.ph[5].p_type), PT_TLS, "PT_TLS"},
    {AT(h.ph[5].p_type), PT_DYNAMIC, "second PT_DYNAMIC"},
    {AT(h.ph[5].p_flags), PF_R | PF_W | PF_X, "PT_GNU_STACK is executable"},
    {AT(h.ph[0].p_type), PT_NULL, "the first PT_LOAD starts at 0x1000"},
    {AT(h.ph[4].p_type), PT_NULL, "no note of \"nacre\""},
    {AT(h.ph[4].p_offset), 1u << 20, "program header 4: p_offset + p_filesz"},
    {AT(h.ph[4].p_filesz), 40, "a note is cut off"},
    {AT(h.ph[4].p_filesz), 11, "a note is cut off"},
    {AT(h.ph[5].p_type), PT_LOAD, NULL}, /* an empty one is fine */
};

static const struct broken note_cases[] = {
    {AT(h.note.head.n_namesz), 5, "no note of \"nacre\""},
    {AT(h.note.head.n_namesz), UINT32_MAX, "a note is cut off"},
    {AT(h.note.head.n_descsz), UINT32_MAX, "a note is cut off"},
    {AT(h.note.head.n_descsz), 28, "nacre note: 28 bytes"},
    {AT(h.note.head.n_type), 2, "n_type is 2"},
    {AT(h.note.name[0]), 'N', "no note of \"nacre\""},
    {AT(h.note.config.version), 2, "version 2"},
    {AT(h.note.config.threads), 0, "threads is 0"},
    {AT(h.note.config.threads), 65, "threads is 65"},
    {AT(h.note.config.ssa_frames), 1, "ssa_frames is 1"},
    {AT(h.note.config.ssa_frames), 17, "ssa_frames is 17"},
    {AT(h.note.config.ssa_frame_pages), 2, "ssa_frame_pages is 2"},
    {AT(h.note.config.stack_size), 0, "stack_size 0x0"},
    {AT(h.note.config.stack_size), 4097, "stack_size 0x1001"},
    {AT(h.note.config.stack_size), SLOT_STACK_MAX + 4096, "stack_size"},
    {AT(h.note.config.trap_stack_size), 0, "trap_stack_size 0x0"},
    {AT(h.note.config.trap_stack_size), 4095, "trap_stack_size"},
    {AT(h.note.config.trap_stack_size), SLOT_TRAP_STACK_MAX + 4096, "trap_stack_size"},
    {AT(h.note.config.entry), 0, "entry 0x0 is not in an executable segment"},
    {AT(h.note.config.entry), 0x2000, "entry 0x2000"},
    {AT(h.note.config.entry), UINT64_MAX, "entry"},
};

static const struct broken dynamic_cases[] = {
    {AT(h.ph[3].p_vaddr), 0x100000, "PT_DYNAMIC: p_vaddr"},
    {AT(h.ph[3].p_filesz), 4096, "PT_DYNAMIC: p_vaddr"},
    {AT(h.ph[3].p_filesz), 48, "does not end with DT_NULL"},
    {AT(data.dyn[2].d_tag), DT_NEEDED, "DT_NEEDED"},
    {AT(data.dyn[2].d_tag), DT_TEXTREL, "DT_TEXTREL"},
    {AT(data.dyn[2].d_tag), DT_REL, "DT_REL:"},
    {AT(data.dyn[2].d_tag), 36, "DT_RELR"},
    {AT(data.dyn[2].d_tag), DT_JMPREL, "DT_JMPREL"},
    {AT(data.dyn[2].d_tag), DT_INIT, "DT_INIT:"},
    {AT(data.dyn[2].d_tag), DT_FINI, "DT_FINI:"},
    {AT(data.dyn[2].d_tag), DT_INIT_ARRAY, "DT_INIT_ARRAY"},
    {AT(data.dyn[2].d_tag), DT_FINI_ARRAY, "DT_FINI_ARRAY"},
    {AT(data.dyn[2].d_tag), DT_PREINIT_ARRAY, "DT_PREINIT_ARRAY"},
    {AT(data.dyn[2].d_un), 16, "DT_RELAENT is 16"},
    {AT(data.dyn[0].d_un), 0x100000, "DT_RELA: 0x18 bytes"},
    {AT(data.dyn[1].d_un), 25, "DT_RELASZ is not a multiple"},
    {AT(data.dyn[1].d_un), UINT64_MAX, "DT_RELA"},
    {AT(h.rela[0].r_info), R_X86_64_64, "is not R_X86_64_RELATIVE"},
    {AT(h.rela[0].r_info), R_X86_64_RELATIVE | 1ull << 32, "is not R_X86_64_RELATIVE"},
    {AT(h.rela[0].r_offset), 4096, "not in a writable segment"},
    {AT(h.rela[0].r_offset), 0x3ffc, "not in a writable segment"},
    {AT(h.rela[0].r_offset), UINT64_MAX, "not in a writable segment"},
    {AT(h.rela[0].r_info), R_X86_64_NONE, NULL},
};

static void run_cases(const char *table, const struct broken *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        _cleanup_error_ struct error *err = NULL;
        const uint64_t value = cases[i].value;
        struct elf_image img;
        struct small_elf e;
        int r;

        small_elf_make(&e);
        memcpy((uint8_t *)&e + cases[i].at, &value, cases[i].size < 8 ? cases[i].size : 8);
        r = elf_image_parse((uint8_t *)&e, sizeof(e), &img, &err);
        if (cases[i].says == NULL) {
            if (r != 0) {
                fail_msg("%s case %zu: %s", table, i, error_text(err));
            }
        } else if (r != -EINVAL || strstr(error_text(err), cases[i].says) == NULL) {
            fail_msg("%s case %zu: %d \"%s\" does not say \"%s\"", table, i, r, error_text(err),
                     cases[i].says);
        }
    }
}

static void test_parse_broken_field_is_named(void **state)
{
    run_cases("header", header_cases, ARRAY_COUNT(header_cases));
    run_cases("segment", segment_cases, ARRAY_COUNT(segment_cases));
    run_cases("note", note_cases, ARRAY_COUNT(note_cases));
    run_cases("dynamic", dynamic_cases, ARRAY_COUNT(dynamic_cases));
}

static void test_parse_second_note_is_refused(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    struct elf_image img;
    struct small_elf e;

    small_elf_make(&e);
    e.h.ph[5] = e.h.ph[4];
    assert_int_equal(elf_image_parse((uint8_t *)&e, sizeof(e), &img, &err), -EINVAL);
    assert_non_null(strstr(error_text(err), "two of them"));
}

static void test_parse_textrel_flag_is_refused(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    struct elf_image img;
    struct small_elf e;

    small_elf_make(&e);
    e.data.dyn[2] = (Elf64_Dyn){DT_FLAGS, {DF_TEXTREL}};
    assert_int_equal(elf_image_parse((uint8_t *)&e, sizeof(e), &img, &err), -EINVAL);
    assert_non_null(strstr(error_text(err), "DF_TEXTREL"));
}

static void test_parse_too_many_segments_is_refused(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    struct {
        Elf64_Ehdr eh;
        Elf64_Phdr ph[ELF_IMAGE_SEGMENTS_MAX + 1];
    } e = {};
    struct elf_image img;
    struct small_elf small;

    small_elf_make(&small);
    e.eh = small.h.eh;
    e.eh.e_phnum = ARRAY_COUNT(e.ph);
    for (size_t i = 0; i < ARRAY_COUNT(e.ph); i++) {
        e.ph[i] = (Elf64_Phdr){PT_LOAD, PF_R, 0, i * 4096, 0, 0, 4096, 4096};
    }
    assert_int_equal(elf_image_parse((uint8_t *)&e, sizeof(e), &img, &err), -EINVAL);
    assert_non_null(strstr(error_text(err), "more than 16 PT_LOAD"));
}

/* Cut anywhere, and with every byte of the first page turned over: refused or parsed, never read
 * out of bounds (the sanitizer build looks). */
static void test_parse_cut_or_flipped_never_reads_outside(void **state)
{
    struct small_elf e;
    struct elf_image img;

    small_elf_make(&e);
    for (size_t n = 0; n < sizeof(e); n++) {
        uint8_t *exact = malloc(n + 1);

        assert_non_null(exact);
        memcpy(exact, &e, n);
        assert_int_equal(elf_image_parse(exact, n, &img, NULL), -EINVAL);
        free(exact);
    }
    for (size_t i = 0; i < sizeof(struct small_head); i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            ((uint8_t *)&e)[i] ^= (uint8_t)(1u << bit);
            (void)!elf_image_parse((uint8_t *)&e, sizeof(e), &img, NULL);
            ((uint8_t *)&e)[i] ^= (uint8_t)(1u << bit);
        }
    }
    assert_int_equal(elf_image_parse((uint8_t *)&e, sizeof(e), &img, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_small_image_yields_what_it_says),
        cmocka_unit_test(test_parse_without_sections_is_complete_but_for_the_hint),
        cmocka_unit_test(test_parse_broken_field_is_named),
        cmocka_unit_test(test_parse_second_note_is_refused),
        cmocka_unit_test(test_parse_textrel_flag_is_refused),
        cmocka_unit_test(test_parse_too_many_segments_is_refused),
        cmocka_unit_test(test_parse_cut_or_flipped_never_reads_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
