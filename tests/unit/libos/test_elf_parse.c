/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <elf.h>
#include <linux/mman.h>
#include <stdlib.h>
#include <string.h>

#include "libos/elf/elf_parse.h"

#define ADDRESS_MAX (1ull << 40)

struct image {
    Elf64_Ehdr eh;
    Elf64_Phdr ph[5];
};

/* A small, correct position-independent program. */
static struct image good(void)
{
    struct image i = {
        .eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
               .e_type = ET_DYN,
               .e_machine = EM_X86_64,
               .e_version = EV_CURRENT,
               .e_entry = 0x1010,
               .e_phoff = sizeof(Elf64_Ehdr),
               .e_ehsize = sizeof(Elf64_Ehdr),
               .e_phentsize = sizeof(Elf64_Phdr),
               .e_phnum = 5},
        .ph =
            {
                {.p_type = PT_INTERP, .p_offset = 0x200, .p_filesz = 28},
                {.p_type = PT_LOAD,
                 .p_flags = PF_R,
                 .p_filesz = 0x800,
                 .p_memsz = 0x800,
                 .p_align = 0x1000},
                {.p_type = PT_LOAD,
                 .p_flags = PF_R | PF_X,
                 .p_offset = 0x1000,
                 .p_vaddr = 0x1000,
                 .p_filesz = 0x2345,
                 .p_memsz = 0x2345,
                 .p_align = 0x1000},
                {.p_type = PT_LOAD,
                 .p_flags = PF_R | PF_W,
                 .p_offset = 0x3de0,
                 .p_vaddr = 0x4de0,
                 .p_filesz = 0x230,
                 .p_memsz = 0x5000,
                 .p_align = 0x200000},
                {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W},
            },
    };

    return i;
}

static int parse(const struct image *i, struct elf_info *ret)
{
    struct elf_header h;
    int r = elf_parse_header(i, sizeof(i->eh), &h);

    if (r < 0) {
        return r;
    }
    return elf_parse_phdrs(&h, i->ph, sizeof(i->ph), ADDRESS_MAX, ret);
}

static void test_elf_parse_good_program(void **state)
{
    struct image i = good();
    struct elf_info info;

    assert_int_equal(parse(&i, &info), 0);
    assert_true(info.dynamic);
    assert_false(info.exec_stack);
    assert_int_equal(info.entry, 0x1010);
    assert_int_equal(info.load_count, 3);
    assert_int_equal(info.low, 0);
    assert_int_equal(info.high, 0xa000);
    assert_int_equal(info.align, 0x200000);
    assert_int_equal(info.phdr_vaddr, sizeof(Elf64_Ehdr));
    assert_int_equal(info.phdr_count, 5);
    assert_int_equal(info.interp_size, 28);
    assert_int_equal(info.loads[1].prot, PROT_READ | PROT_EXEC);
    assert_int_equal(info.loads[2].memory_size, 0x5000);
}

/* Each line breaks one thing. */
#define REFUSED(change)                               \
    do {                                              \
        struct image i = good();                      \
        struct elf_info info;                         \
        change;                                       \
        assert_int_equal(parse(&i, &info), -ENOEXEC); \
    } while (0)

static void test_elf_parse_malformed_refused(void **state)
{
    REFUSED(i.eh.e_ident[0] = 0);
    REFUSED(i.eh.e_ident[EI_CLASS] = ELFCLASS32);
    REFUSED(i.eh.e_ident[EI_DATA] = ELFDATA2MSB);
    REFUSED(i.eh.e_type = ET_REL);
    REFUSED(i.eh.e_type = ET_CORE);
    REFUSED(i.eh.e_machine = EM_AARCH64);
    REFUSED(i.eh.e_phentsize = 32);
    REFUSED(i.eh.e_phnum = 0);
    REFUSED(i.eh.e_phnum = ELF_PHDRS_MAX + 1);
    REFUSED(i.eh.e_phnum = 6); /* more than was read */
    REFUSED(i.ph[1].p_filesz = 0x801);
    REFUSED(i.ph[2].p_offset = 0x1001);
    REFUSED(i.ph[2].p_vaddr = 0x400);
    REFUSED(i.ph[2].p_memsz = UINT64_MAX);
    REFUSED(i.ph[2].p_memsz = ADDRESS_MAX);
    REFUSED(i.ph[2].p_vaddr = UINT64_MAX - 0xfff);
    REFUSED((i.ph[3].p_offset = INT64_MAX - 0x21f, i.ph[3].p_vaddr = 0x4de1));
    REFUSED((i.ph[3].p_vaddr = 0x3de0 - 0x1000, i.ph[3].p_offset = 0x2de0)); /* descending */
    REFUSED(i.ph[0].p_filesz = 1);
    REFUSED(i.ph[0].p_filesz = ELF_PATH_MAX + 1);
    REFUSED(i.ph[0].p_offset = UINT64_MAX);
    REFUSED((i.ph[1].p_type = PT_INTERP, i.ph[1].p_filesz = 20)); /* two interpreters */
    REFUSED((i.ph[1].p_type = PT_NULL, i.ph[2].p_type = PT_NULL, i.ph[3].p_type = PT_NULL));
}

static void test_elf_parse_every_changed_byte_is_safe(void **state)
{
    const struct image base = good();

    for (size_t at = 0; at < sizeof(base); at++) {
        for (unsigned v = 0; v < 256; v += 5) {
            struct image i = base;
            struct elf_info info;

            ((uint8_t *)&i)[at] = (uint8_t)v;
            if (parse(&i, &info) == 0) {
                assert_in_range(info.load_count, 1, ELF_SEGMENTS_MAX);
                assert_true(info.high <= ADDRESS_MAX && info.low < info.high);
                for (size_t k = 0; k < info.load_count; k++) {
                    assert_true(info.loads[k].vaddr >= info.low);
                    assert_true(info.loads[k].vaddr + info.loads[k].memory_size <= info.high);
                }
            }
        }
    }
}

static void test_elf_parse_short_header_refused(void **state)
{
    struct image i = good();
    struct elf_header h;

    for (size_t n = 0; n < 58; n++) {
        assert_int_equal(elf_parse_header(&i, n, &h), -ENOEXEC);
    }
}

static int script(const char *text, struct script_line *ret)
{
    static char copy[512];

    memset(copy, 0, sizeof(copy));
    memcpy(copy, text, strlen(text));
    return elf_parse_script(copy, strlen(text), ret);
}

static void test_elf_script_lines(void **state)
{
    struct script_line l;

    assert_int_equal(script("#!/bin/sh\necho", &l), 0);
    assert_string_equal(l.interpreter, "/bin/sh");
    assert_null(l.argument);
    assert_int_equal(script("#! \t/usr/bin/env  python3 -u \nx", &l), 0);
    assert_string_equal(l.interpreter, "/usr/bin/env");
    assert_string_equal(l.argument, "python3 -u");
    assert_int_equal(script("#!\nx", &l), -ENOEXEC);
    assert_int_equal(script("#!   \nx", &l), -ENOEXEC);
    assert_int_equal(script("#", &l), -ENOEXEC);
    assert_int_equal(script("#!/very/long/name/that/does/not/end", &l), -ENOEXEC);
    assert_int_equal(script("#!/bin/sh arg that is cut off here", &l), 0);
    assert_string_equal(l.interpreter, "/bin/sh");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elf_parse_good_program),
        cmocka_unit_test(test_elf_parse_malformed_refused),
        cmocka_unit_test(test_elf_parse_every_changed_byte_is_safe),
        cmocka_unit_test(test_elf_parse_short_header_refused),
        cmocka_unit_test(test_elf_script_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
