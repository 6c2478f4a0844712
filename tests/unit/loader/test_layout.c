/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "abi/hostcall.h"
#include "core/overflow.h"
#include "loader/build.h"
#include "loader/layout.h"
#include "loader/loader.h"
#include "loader/measure.h"
#include "unit/loader/small_elf.h"

static struct small_elf g_elf;
static struct elf_image g_image;

static int setup(void **state)
{
    small_elf_make(&g_elf);
    return elf_image_parse((uint8_t *)&g_elf, sizeof(g_elf), &g_image, NULL);
}

static void test_layout_ranges_are_whole_pages_apart_from_each_other(void **state)
{
    struct layout l;
    uint64_t sum = 0;

    assert_int_equal(layout_make(&g_image, NULL, 0, &l, NULL), 0);
    assert_int_equal(l.range_count, 3 + 1 + 2 * 5);
    for (size_t i = 0; i < l.range_count; i++) {
        const struct page_range *a = &l.ranges[i];

        assert_true(is_page_aligned(a->offset) && is_page_aligned(a->size) && a->size > 0);
        assert_true(a->data_size <= a->size);
        assert_true(range_within(a->offset, a->size, ENCLAVE_IMAGE_OFFSET, ENCLAVE_SIZE));
        assert_false((a->prot & 6) == 6);
        sum += a->size;
        for (size_t j = 0; j < i; j++) {
            assert_false(ranges_overlap(a->offset, a->size, l.ranges[j].offset, l.ranges[j].size));
        }
    }
    assert_int_equal(sum, l.measured_size);
    assert_int_equal(l.slots[0], ENCLAVE_IMAGE_OFFSET + 4112);
    layout_free(&l);
}

static void test_layout_stacks_have_holes_on_both_sides(void **state)
{
    struct layout l;

    assert_int_equal(layout_make(&g_image, NULL, 0, &l, NULL), 0);
    for (size_t i = 0; i < l.range_count; i++) {
        if (strstr(l.ranges[i].what, "stack") == NULL) {
            continue;
        }
        for (size_t j = 0; j < l.range_count; j++) {
            assert_true(l.ranges[j].offset + l.ranges[j].size != l.ranges[i].offset);
            assert_true(l.ranges[i].offset + l.ranges[i].size != l.ranges[j].offset);
        }
    }
    layout_free(&l);
}

static const struct page_range *find(const struct layout *l, uint64_t offset)
{
    static const struct page_range none;

    for (size_t i = 0; i < l->range_count; i++) {
        if (l->ranges[i].offset == offset) {
            return &l->ranges[i];
        }
    }
    fail_msg("no range at 0x%jx", (uintmax_t)offset);
    return &none;
}

static void test_layout_slot_names_its_own_parts(void **state)
{
    const uint8_t manifest[5000] = {1};
    const uint64_t slot = ENCLAVE_THREADS_OFFSET + ENCLAVE_SLOT_SIZE;
    struct enclave_thread_page control;
    const struct page_range *r;
    struct sgx_tcs tcs;
    struct layout l;

    assert_int_equal(layout_make(&g_image, manifest, sizeof(manifest), &l, NULL), 0);
    r = find(&l, layout_tcs_offset(1));
    assert_int_equal(r->secinfo, SGX_SECINFO_TCS);
    memcpy(&tcs, r->data, sizeof(tcs));
    assert_int_equal(tcs.oentry, ENCLAVE_IMAGE_OFFSET + 4101);
    assert_int_equal(tcs.ossa, slot + SLOT_SSA);
    assert_int_equal(tcs.nssa, 3);
    assert_int_equal(tcs.ogs_base, slot + SLOT_CONTROL);
    assert_int_equal(tcs.fs_limit, 0xfff);
    assert_int_equal(tcs.state | tcs.flags | tcs.cssa | tcs.aep, 0);
    assert_int_equal(find(&l, tcs.ossa)->size, 3 * 4096);
    r = find(&l, tcs.ogs_base);
    memcpy(&control, r->data, sizeof(control));
    assert_int_equal(control.magic, ENCLAVE_THREAD_MAGIC);
    assert_int_equal(control.index, 1);
    assert_int_equal(control.tcs_offset, layout_tcs_offset(1));
    assert_int_equal(control.manifest_size, 5000);
    assert_int_equal(control.image_size, 0x4000);
    assert_int_equal(control.threads, 2);
    assert_int_equal(find(&l, control.stack_top_offset - control.stack_size)->size, 0x4000);
    assert_int_equal(find(&l, control.trap_top_offset - control.trap_stack_size)->size, 0x2000);
    assert_int_equal(find(&l, ENCLAVE_MANIFEST_OFFSET)->size, 8192);
    layout_free(&l);
}

static void test_layout_manifest_too_large_is_refused(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    uint8_t *big = calloc(1, ENCLAVE_MANIFEST_MAX + 1);
    struct layout l;

    assert_non_null(big);
    assert_int_equal(layout_make(&g_image, big, ENCLAVE_MANIFEST_MAX, &l, &err), 0);
    layout_free(&l);
    assert_int_equal(layout_make(&g_image, big, ENCLAVE_MANIFEST_MAX + 1, &l, &err), -EINVAL);
    assert_non_null(strstr(error_text(err), "1024 KiB"));
    free(big);
}

static void measure_at(uint64_t base, const struct sgx_attributes *a, uint8_t *ret)
{
    struct sgx_enclave *e;
    struct layout l;

    assert_int_equal(layout_make(&g_image, (const uint8_t *)"m", 1, &l, NULL), 0);
    assert_int_equal(build_pages(&measure_backend, &l, base, a, 1, &e, NULL), 0);
    measure_result(e, ret);
    measure_backend.destroy(e);
    layout_free(&l);
}

static void test_measurement_knows_no_base_and_no_attributes(void **state)
{
    const struct sgx_attributes plain = {SGX_FLAGS_MODE64BIT, 3};
    const struct sgx_attributes other = {SGX_FLAGS_MODE64BIT | SGX_FLAGS_DEBUG, 0xe7};
    uint8_t a[32];
    uint8_t b[32];

    measure_at(0, &plain, a);
    measure_at(LOADER_BASE_SANITIZED, &other, b);
    assert_memory_equal(a, b, 32);
}

static void measure(const uint8_t *manifest, size_t size, uint8_t *ret)
{
    const struct loader_image image = {(const uint8_t *)&g_elf, sizeof(g_elf), manifest, size};
    struct loader_measurement m;

    assert_int_equal(loader_measure(&image, &m, NULL), 0);
    memcpy(ret, m.mrenclave, 32);
}

static void test_measurement_changes_with_every_byte_of_content(void **state)
{
    static const size_t at[] = {
        offsetof(struct small_elf, h.note.config.stack_size) + 1,
        offsetof(struct small_elf, h.rela[0].r_addend),
        4096,
        8191,
        offsetof(struct small_elf, data.words),
    };
    uint8_t good[32];
    uint8_t other[32];

    measure((const uint8_t *)"m", 1, good);
    for (size_t i = 0; i < ARRAY_COUNT(at); i++) {
        ((uint8_t *)&g_elf)[at[i]] ^= 0x10;
        measure((const uint8_t *)"m", 1, other);
        ((uint8_t *)&g_elf)[at[i]] ^= 0x10;
        assert_memory_not_equal(good, other, 32);
    }
    measure((const uint8_t *)"n", 1, other);
    assert_memory_not_equal(good, other, 32);
    measure((const uint8_t *)"m\0", 2, other); /* the size is measured, not only the page */
    assert_memory_not_equal(good, other, 32);
    measure((const uint8_t *)"m", 1, other);
    assert_memory_equal(good, other, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout_ranges_are_whole_pages_apart_from_each_other),
        cmocka_unit_test(test_layout_stacks_have_holes_on_both_sides),
        cmocka_unit_test(test_layout_slot_names_its_own_parts),
        cmocka_unit_test(test_layout_manifest_too_large_is_refused),
        cmocka_unit_test(test_measurement_knows_no_base_and_no_attributes),
        cmocka_unit_test(test_measurement_changes_with_every_byte_of_content),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
