/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include "loader/vdso.h"
#include "unit/loader/small_vdso.h"

static void test_find_in_the_real_vdso_yields_a_working_function(void **state)
{
    const uint8_t *image = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
    int (*gettime)(clockid_t, struct timespec *);
    struct timespec ts = {};
    uint64_t offset;
    size_t size;

    if (image == NULL) {
        print_message("this process has no vDSO\n");
        skip();
    }
    assert_int_equal(vdso_size(image, &size), 0);
    assert_int_equal(vdso_find(image, size, "__vdso_clock_gettime", &offset), 0);
    gettime = (int (*)(clockid_t, struct timespec *))(uintptr_t)(image + offset);
    assert_int_equal(gettime(CLOCK_MONOTONIC, &ts), 0);
    assert_true(ts.tv_sec > 0);
    assert_int_equal(vdso_find(image, size, "__vdso_no_such_function", &offset), -ENOENT);
    assert_int_equal(vdso_find(image, size, "", &offset), -ENOENT);
}

static void test_find_counts_symbols_by_either_hash_table(void **state)
{
    struct small_vdso v;
    uint64_t offset;

    small_vdso_make(&v);
    assert_int_equal(vdso_find((uint8_t *)&v, sizeof(v), "__vdso_sgx_enter_enclave", &offset), 0);
    assert_int_equal(offset, offsetof(struct small_vdso, code));
    v.dyn[3].d_tag = DT_DEBUG; /* DT_HASH gone: DT_GNU_HASH stays */
    assert_int_equal(vdso_find((uint8_t *)&v, sizeof(v), "__vdso_sgx_enter_enclave", &offset), 0);
    v.dyn[4].d_tag = DT_DEBUG; /* none left */
    assert_int_equal(vdso_find((uint8_t *)&v, sizeof(v), "__vdso_sgx_enter_enclave", &offset),
                     -EINVAL);
}

static void test_find_skips_undefined_and_data_symbols(void **state)
{
    struct small_vdso v;
    uint64_t offset;

    small_vdso_make(&v);
    v.symbols[1].st_shndx = SHN_UNDEF;
    assert_int_equal(vdso_find((uint8_t *)&v, sizeof(v), "__vdso_sgx_enter_enclave", &offset),
                     -ENOENT);
    small_vdso_make(&v);
    v.symbols[1].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
    assert_int_equal(vdso_find((uint8_t *)&v, sizeof(v), "__vdso_sgx_enter_enclave", &offset),
                     -ENOENT);
    small_vdso_make(&v);
    v.symbols[1].st_name = sizeof(v.strings) - 2; /* its name would end outside */
    assert_int_equal(vdso_find((uint8_t *)&v, sizeof(v), "__vdso_sgx_enter_enclave", &offset),
                     -ENOENT);
}

#define AT(field) offsetof(struct small_vdso, field), sizeof(((struct small_vdso *)NULL)->field)

static void test_find_broken_image_is_refused(void **state)
{
    static const struct {
        size_t at;
        size_t size;
        uint64_t value;
    } cases[] = {
        {0, 1, 0},
        {EI_CLASS, 1, 1},
        {AT(eh.e_machine), EM_386},
        {AT(eh.e_phentsize), 1},
        {AT(eh.e_phnum), 17},
        {AT(eh.e_phoff), UINT64_MAX},
        {AT(eh.e_phoff), 4090},
        {AT(ph[0].p_type), PT_NULL},
        {AT(ph[1].p_type), PT_NULL},
        {AT(ph[1].p_vaddr), UINT64_MAX - 4},
        {AT(ph[1].p_memsz), 1u << 20},
        {AT(ph[1].p_memsz), 16},
        {AT(dyn[0].d_un), 1u << 20},
        {AT(dyn[1].d_un), UINT64_MAX},
        {AT(dyn[2].d_un), UINT64_MAX},
        {AT(dyn[3].d_un), 1u << 20},
        {AT(hash[1]), 100000},
        {AT(hash[1]), 4000},
        {AT(symbols[1].st_value), 1u << 20},
        {AT(symbols[1].st_value), UINT64_MAX},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct small_vdso v;
        uint64_t offset;

        small_vdso_make(&v);
        memcpy((uint8_t *)&v + cases[i].at, &cases[i].value, cases[i].size < 8 ? cases[i].size : 8);
        if (vdso_find((uint8_t *)&v, sizeof(v), "__vdso_sgx_enter_enclave", &offset) != -EINVAL) {
            fail_msg("case %zu was not refused", i);
        }
    }
}

static void test_find_broken_gnu_hash_is_refused(void **state)
{
    static const struct {
        unsigned word;
        uint32_t value;
        int expected;
    } cases[] = {
        {0, 100000, -EINVAL}, /* buckets */
        {2, 100000, -EINVAL}, /* bloom words */
        {0, 4000, -EINVAL},   /* buckets beyond the end */
        {6, 4000, -EINVAL},   /* bucket beyond the chain */
        {6, 0, -ENOENT},      /* empty bucket: only the symbols before */
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct small_vdso v;
        uint64_t offset;

        small_vdso_make(&v);
        v.dyn[3].d_tag = DT_DEBUG;
        v.gnu_hash[cases[i].word] = cases[i].value;
        if (vdso_find((uint8_t *)&v, sizeof(v), "__vdso_sgx_enter_enclave", &offset) !=
            cases[i].expected) {
            fail_msg("case %zu", i);
        }
    }
}

static void test_find_cut_anywhere_never_reads_outside(void **state)
{
    struct small_vdso v;
    uint64_t offset;

    small_vdso_make(&v);
    for (size_t n = 0; n < sizeof(v); n++) {
        uint8_t *exact = malloc(n + 1);

        assert_non_null(exact);
        memcpy(exact, &v, n);
        (void)!vdso_find(exact, n, "__vdso_sgx_enter_enclave", &offset);
        free(exact);
    }
}

static void test_size_is_that_of_the_load_segment(void **state)
{
    struct small_vdso v;
    size_t size;

    small_vdso_make(&v);
    assert_int_equal(vdso_size((uint8_t *)&v, &size), 0);
    assert_int_equal(size, sizeof(v));
    v.ph[0].p_filesz = VDSO_SIZE_MAX + 1;
    assert_int_equal(vdso_size((uint8_t *)&v, &size), -EINVAL);
    v.ph[0].p_filesz = 0;
    assert_int_equal(vdso_size((uint8_t *)&v, &size), -EINVAL);
    v.ph[0].p_offset = 4096;
    assert_int_equal(vdso_size((uint8_t *)&v, &size), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_in_the_real_vdso_yields_a_working_function),
        cmocka_unit_test(test_find_counts_symbols_by_either_hash_table),
        cmocka_unit_test(test_find_skips_undefined_and_data_symbols),
        cmocka_unit_test(test_find_broken_image_is_refused),
        cmocka_unit_test(test_find_broken_gnu_hash_is_refused),
        cmocka_unit_test(test_find_cut_anywhere_never_reads_outside),
        cmocka_unit_test(test_size_is_that_of_the_load_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
