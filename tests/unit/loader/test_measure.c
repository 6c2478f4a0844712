/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/hex.h"
#include "core/le.h"
#include "loader/loader.h"
#include "loader/measure.h"

#define RECORD 64u

/* ECREATE, one page with one chunk: a stream whose every field a test can break. */
static size_t small_stream(uint8_t *p)
{
    memset(p, 0, 3 * RECORD + SGX_EEXTEND_CHUNK);
    memcpy(p, "ECREATE", 7);
    le32_store(p + 8, 1);
    le64_store(p + 12, 0x10000);
    memcpy(p + RECORD, "EADD", 4);
    le64_store(p + RECORD + 8, 0x1000);
    le64_store(p + RECORD + 16, SGX_SECINFO_REG | SGX_SECINFO_R);
    memcpy(p + 2 * RECORD, "EEXTEND", 7);
    le64_store(p + 2 * RECORD + 8, 0x1100);
    memset(p + 3 * RECORD, 0xab, SGX_EEXTEND_CHUNK);
    return 3 * RECORD + SGX_EEXTEND_CHUNK;
}

static void test_sgxs_of_another_tool_measures_to_its_sigstruct(void **state)
{
    const char *vectors = getenv("NACRE_VECTORS");
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ uint8_t *sgxs = NULL;
    _cleanup_free_ uint8_t *sig = NULL;
    struct loader_measurement m;
    char path[4096];
    size_t size;
    size_t sig_size;

    (void)snprintf(path, sizeof(path), "%s/sgx-sigstruct/test_enclave.sgxs",
                   vectors != NULL ? vectors : "");
    if (access(path, R_OK) != 0) {
        print_message("no vectors: %s is absent\n", path);
        skip();
    }
    assert_int_equal(fs_read_file(path, 1 << 20, &sgxs, &size, &err), 0);
    (void)snprintf(path, sizeof(path), "%s/sgx-sigstruct/test_enclave.sig", vectors);
    assert_int_equal(fs_read_file(path, 1 << 20, &sig, &sig_size, &err), 0);
    assert_int_equal(sig_size, sizeof(struct sgx_sigstruct));
    assert_int_equal(loader_measure_sgxs(sgxs, size, &m, &err), 0);
    assert_memory_equal(m.mrenclave, sig + offsetof(struct sgx_sigstruct, enclave_hash), 32);

    for (size_t i = 0; i < size; i += 997) {
        struct loader_measurement other = {};

        sgxs[i] ^= 0x40;
        if (loader_measure_sgxs(sgxs, size, &other, NULL) == 0) {
            assert_memory_not_equal(other.mrenclave, m.mrenclave, 32);
        }
        sgxs[i] ^= 0x40;
    }
}

static void test_sgxs_each_broken_field_is_named(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *says;
    } cases[] = {
        {0, 'X', "does not begin with ECREATE"},
        {8, 0, "SSAFRAMESIZE is 0"},
        {12, 1, "not a power of two"},
        {20, 1, "ECREATE: the reserved bytes"},
        {63, 1, "ECREATE: the reserved bytes"},
        {RECORD + 0, 'X', "byte 64: the record is not"},
        {RECORD + 8, 1, "is not a page of the enclave"},
        {RECORD + 10, 1, "is not a page of the enclave"},
        {RECORD + 17, 7, "names no page type"},
        {RECORD + 16, 0x80, "EADD: the reserved bytes"},
        {RECORD + 24, 1, "EADD: the reserved bytes"},
        {2 * RECORD + 8, 1, "is not a chunk of the page"},
        {2 * RECORD + 9, 0x21, "is not a chunk of the page"},
        {2 * RECORD + 16, 1, "EEXTEND: the reserved bytes"},
    };
    uint8_t stream[3 * RECORD + SGX_EEXTEND_CHUNK];
    struct loader_measurement m;
    const size_t size = small_stream(stream);

    assert_int_equal(loader_measure_sgxs(stream, size, &m, NULL), 0);
    assert_int_equal(m.size, 4096);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        _cleanup_error_ struct error *err = NULL;

        (void)small_stream(stream);
        stream[cases[i].at] = cases[i].value;
        assert_int_equal(loader_measure_sgxs(stream, size, &m, &err), -EINVAL);
        if (strstr(error_text(err), cases[i].says) == NULL) {
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, error_text(err), cases[i].says);
        }
    }
}

static void test_sgxs_cut_off_anywhere_is_refused_or_measures_differently(void **state)
{
    uint8_t stream[3 * RECORD + SGX_EEXTEND_CHUNK];
    const size_t size = small_stream(stream);
    struct loader_measurement whole;
    struct loader_measurement m;

    assert_int_equal(loader_measure_sgxs(stream, size, &whole, NULL), 0);
    for (size_t n = 0; n < size; n++) {
        const int r = loader_measure_sgxs(stream, n, &m, NULL);

        if (n == RECORD || n == 2 * RECORD) {
            assert_int_equal(r, 0); /* ends between records: another, smaller enclave */
            assert_memory_not_equal(m.mrenclave, whole.mrenclave, 32);
        } else {
            assert_int_equal(r, -EINVAL);
        }
    }
}

static void test_sgxs_second_ecreate_is_refused(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    uint8_t stream[2 * (3 * RECORD + SGX_EEXTEND_CHUNK)];
    struct loader_measurement m;
    const size_t size = small_stream(stream);

    (void)small_stream(stream + size);
    assert_int_equal(loader_measure_sgxs(stream, 2 * size, &m, &err), -EINVAL);
    assert_non_null(strstr(error_text(err), "a second ECREATE"));
}

static void test_backend_agrees_with_the_record_stream(void **state)
{
    const struct sgx_secs secs = {.size = 0x10000, .ssa_frame_size = 1};
    _Alignas(4096) static uint8_t page[4096];
    uint8_t stream[RECORD + RECORD + 16 * (RECORD + SGX_EEXTEND_CHUNK)];
    struct loader_measurement m;
    uint8_t got[32];
    struct sgx_enclave *e;
    uint8_t *p;

    (void)small_stream(stream);
    p = stream + 2 * RECORD;
    for (unsigned i = 0; i < 16; i++) {
        memset(page + i * 256, (int)i, 256);
        memset(p, 0, RECORD);
        memcpy(p, "EEXTEND", 7);
        le64_store(p + 8, 0x1000 + i * 256);
        memcpy(p + RECORD, page + i * 256, 256);
        p += RECORD + 256;
    }
    assert_int_equal(loader_measure_sgxs(stream, sizeof(stream), &m, NULL), 0);
    assert_int_equal(measure_backend.create(&secs, &e, NULL), 0);
    assert_int_equal(measure_backend.add_pages(e, 0x1000, page, sizeof(page),
                                               SGX_SECINFO_REG | SGX_SECINFO_R, true, NULL),
                     0);
    measure_result(e, got);
    assert_memory_equal(got, m.mrenclave, 32);
    assert_int_equal(measure_backend.add_pages(e, 0x10000, page, 4096, SGX_SECINFO_REG, true, NULL),
                     -EINVAL);
    assert_int_equal(measure_backend.add_pages(e, 0x1001, page, 4096, SGX_SECINFO_REG, true, NULL),
                     -EINVAL);
    measure_backend.destroy(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sgxs_of_another_tool_measures_to_its_sigstruct),
        cmocka_unit_test(test_sgxs_each_broken_field_is_named),
        cmocka_unit_test(test_sgxs_cut_off_anywhere_is_refused_or_measures_differently),
        cmocka_unit_test(test_sgxs_second_ecreate_is_refused),
        cmocka_unit_test(test_backend_agrees_with_the_record_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
