/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* ECREATE, EADD, EINIT: what is accepted, and each way to be refused. */

#include "unit/softsgx/rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/le.h"
#include "core/sha256.h"
#include "sign/sigstruct.h"
#include "softsgx/einit.h"
#include "softsgx/internal.h"

#include "unit/unit.h"

#define B     (&sgx_backend_soft)
#define PLAIN (&(struct rig_options){.base = RIG_BASE, .threads = 1})

/* --- ECREATE --- */

static int create(const struct sgx_secs *secs)
{
    _cleanup_error_ struct error *err = NULL;
    struct sgx_enclave *e = NULL;
    int r = B->create(secs, &e, &err);

    if (r == 0) {
        B->destroy(e);
    } else {
        assert_non_null(err);
    }
    return r;
}

static void test_ecreate_refuses_bad_secs(void **state)
{
    struct sgx_secs good;
    struct sgx_secs s;

    rig_secs(&(struct rig_options){.base = RIG_BASE, .flags = SGX_FLAGS_KSS}, &good);
    assert_int_equal(create(&good), 0);
#define BAD(change)                            \
    do {                                       \
        s = good;                              \
        change;                                \
        assert_int_equal(create(&s), -EINVAL); \
    } while (0)
    BAD(s.size = 0);
    BAD(s.size = 4096);
    BAD(s.size = ENC_SIZE + 4096);
    BAD(s.size = 1ull << 63);
    BAD(s.base = RIG_BASE + 4096);
    BAD(s.base = 1ull << 47);
    BAD(s.ssa_frame_size = 0);
    BAD(s.ssa_frame_size = 0x10000000);
    BAD(s.miscselect = 2);
    BAD(s.cet_leg_bitmap_offset = 1);
    BAD(s.cet_attributes = 1);
    BAD(s.reserved1[14] = 1);
    BAD(s.reserved2[31] = 1);
    BAD(s.reserved3[31] = 1);
    BAD(s.reserved4[3833] = 1);
    BAD(s.attributes.flags |= SGX_FLAGS_INIT);
    BAD(s.attributes.flags |= 1ull << 3);
    BAD(s.attributes.flags |= SGX_FLAGS_CET);
    BAD(s.attributes.flags |= SGX_FLAGS_AEXNOTIFY);
    BAD(s.attributes.flags |= SGX_FLAGS_EINITTOKENKEY);
    BAD(s.attributes.flags &= ~SGX_FLAGS_MODE64BIT);
    BAD(s.attributes.xfrm = 0);
    BAD(s.attributes.xfrm = 1);
    BAD(s.attributes.xfrm = 2);
    BAD(s.attributes.xfrm = 1ull << 62 | 3);
    BAD(s.attributes.xfrm = 0x23);
    BAD(s.attributes.flags &= ~SGX_FLAGS_KSS; s.config_svn = 1);
    BAD(s.attributes.flags &= ~SGX_FLAGS_KSS; s.config_id[63] = 1);
    BAD(s.base = 0x600000000000ull; s.size = 1ull << 44); /* above this program */
#undef BAD
}

static void test_ecreate_occupied_range_eexist(void **state)
{
    void *p = mmap((void *)(RIG_BASE + 0x10000), 4096, PROT_READ,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    struct sgx_secs s;

    assert_true(p != MAP_FAILED);
    rig_secs(PLAIN, &s);
    assert_int_equal(create(&s), -EEXIST);
    assert_int_equal(munmap(p, 4096), 0);
    assert_int_equal(create(&s), 0);
}

static void test_ecreate_one_tebibyte_costs_nothing(void **state)
{
    struct sgx_secs s;

    rig_secs(PLAIN, &s);
    s.base = 0x200000000000ull;
    s.size = 1ull << 40;
    assert_int_equal(create(&s), 0);
}

/* --- EADD --- */

static void test_eadd_refusals(void **state)
{
    static _Alignas(4096) uint8_t page[8192];
    static _Alignas(4096) struct sgx_tcs tcs;
    struct sgx_enclave *e = NULL;
    struct error *err = NULL;
    struct sgx_secs s;

    rig_secs(PLAIN, &s);
    assert_int_equal(B->create(&s, &e, &err), 0);
#define ADD(offset, src, size, flags, want)                                                      \
    do {                                                                                         \
        assert_int_equal(B->add_pages(e, (offset), (src), (size), (flags), true, &err), (want)); \
        err = error_free(err);                                                                   \
    } while (0)
    ADD(0, page, 4096, SGX_SECINFO_REG | SGX_SECINFO_R, 0);
    ADD(0, page, 4096, SGX_SECINFO_REG | SGX_SECINFO_R, -EEXIST);
    ADD(1, page, 4096, SGX_SECINFO_REG | SGX_SECINFO_R, -EINVAL);
    ADD(4096, page + 1, 4096, SGX_SECINFO_REG | SGX_SECINFO_R, -EINVAL);
    ADD(4096, page, 100, SGX_SECINFO_REG | SGX_SECINFO_R, -EINVAL);
    ADD(4096, page, 0, SGX_SECINFO_REG | SGX_SECINFO_R, -EINVAL);
    ADD(ENC_SIZE, page, 4096, SGX_SECINFO_REG | SGX_SECINFO_R, -EINVAL);
    ADD(ENC_SIZE - 4096, page, 8192, SGX_SECINFO_REG | SGX_SECINFO_R, -EINVAL);
    ADD(~0xfffull, page, 4096, SGX_SECINFO_REG | SGX_SECINFO_R, -EINVAL);
    ADD(4096, page, 4096, SGX_SECINFO_REG | SGX_SECINFO_W, -EINVAL);
    ADD(4096, page, 4096, SGX_SECINFO_REG | SGX_SECINFO_PENDING | SGX_SECINFO_R, -EINVAL);
    ADD(4096, page, 4096, SGX_SECINFO_REG | 1ull << 20 | SGX_SECINFO_R, -EINVAL);
    ADD(4096, page, 4096, SGX_SECINFO_TRIM, -EINVAL);
    ADD(4096, page, 4096, (uint64_t)SGX_PT_SECS << 8, -EINVAL);
    ADD(4096, page, 4096, (uint64_t)SGX_PT_VA << 8, -EINVAL);
    ADD(4096, page, 4096, SGX_SECINFO_TCS | SGX_SECINFO_R, -EINVAL);
    ADD(4096, page, 4096, SGX_SECINFO_TCS, -EINVAL); /* NSSA 0 */
    tcs.nssa = 1;
    ADD(4096, &tcs, 4096, SGX_SECINFO_TCS, 0);
    tcs.state = 1;
    ADD(8192, &tcs, 4096, SGX_SECINFO_TCS, -EINVAL);
    tcs.state = 0;
    tcs.flags = SGX_TCS_DBGOPTIN;
    ADD(8192, &tcs, 4096, SGX_SECINFO_TCS, -EINVAL);
    tcs.flags = 0;
    tcs.ofs_base = 1;
    ADD(8192, &tcs, 4096, SGX_SECINFO_TCS, -EINVAL);
    tcs.ofs_base = 0;
    tcs.ogs_base = 1;
    ADD(8192, &tcs, 4096, SGX_SECINFO_TCS, -EINVAL);
    tcs.ogs_base = 0;
    tcs.ossa = ENC_SIZE;
    ADD(8192, &tcs, 4096, SGX_SECINFO_TCS, -EINVAL);
    tcs.ossa = 0;
    tcs.reserved[4007] = 1;
    ADD(8192, &tcs, 4096, SGX_SECINFO_TCS, -EINVAL);
#undef ADD
    B->destroy(e);
}

static void test_eadd_after_einit_refused(void **state)
{
    static _Alignas(4096) uint8_t page[4096];
    _cleanup_error_ struct error *err = NULL;
    struct rig rig;

    rig_build(&rig, PLAIN);
    assert_int_equal(
        B->add_pages(rig.e, ENC_DYNAMIC, page, 4096, SGX_SECINFO_REG | SGX_SECINFO_R, false, &err),
        -EINVAL);
    rig_destroy(&rig);
}

/* --- EINIT --- */

static uint64_t status(const struct rig *rig, const struct sgx_sigstruct *s)
{
    const char *field = "";

    return soft_einit_check(rig->e, s, &field);
}

static void test_einit_tampered_field_refused(void **state)
{
    struct sgx_sigstruct s;
    struct rig rig;

    rig_pages(&rig, PLAIN);
    rig_sign(&rig.secs, rig.mrenclave, PLAIN, NULL, &rig.sigstruct);
    assert_int_equal(status(&rig, &rig.sigstruct), SGX_SUCCESS);
#define BAD(change, code)                           \
    do {                                            \
        s = rig.sigstruct;                          \
        change;                                     \
        assert_int_equal(status(&rig, &s), (code)); \
    } while (0)
    BAD(s.header[0] ^= 1, SGX_INVALID_SIG_STRUCT);
    BAD(s.vendor = 1, SGX_INVALID_SIG_STRUCT);
    BAD(s.header2[15] ^= 1, SGX_INVALID_SIG_STRUCT);
    BAD(s.date = 0x20261301, SGX_INVALID_SIG_STRUCT);
    BAD(s.date = 0x2026010a, SGX_INVALID_SIG_STRUCT);
    BAD(s.date = 0x20260102, SGX_INVALID_SIGNATURE);
    BAD(s.swdefined ^= 1, SGX_INVALID_SIGNATURE);
    BAD(s.reserved1[83] = 1, SGX_INVALID_SIG_STRUCT);
    BAD(s.modulus[0] ^= 2, SGX_INVALID_SIGNATURE);
    BAD(s.modulus[383] ^= 1, SGX_INVALID_SIGNATURE);
    BAD(s.modulus[383] = 0, SGX_INVALID_SIGNATURE);
    BAD(memset(s.modulus, 0, 384), SGX_INVALID_SIGNATURE);
    BAD(s.exponent = 65537, SGX_INVALID_SIG_STRUCT);
    BAD(s.signature[0] ^= 1, SGX_INVALID_SIGNATURE);
    BAD(memcpy(s.signature, s.modulus, 384), SGX_INVALID_SIGNATURE);
    BAD(memset(s.signature, 0, 384), SGX_INVALID_SIGNATURE);
    BAD(s.q1[0] ^= 1, SGX_INVALID_SIGNATURE);
    BAD(s.q1[383] ^= 1, SGX_INVALID_SIGNATURE);
    BAD(s.q2[0] ^= 1, SGX_INVALID_SIGNATURE);
    BAD(s.miscselect ^= 1, SGX_INVALID_SIGNATURE);
    BAD(s.miscmask ^= 1, SGX_INVALID_SIGNATURE);
    BAD(s.cet_attributes = 1, SGX_INVALID_SIGNATURE);
    BAD(s.reserved2[1] = 1, SGX_INVALID_SIG_STRUCT);
    BAD(s.isv_family_id[0] = 1, SGX_INVALID_SIG_STRUCT);
    BAD(s.attributes.flags ^= SGX_FLAGS_DEBUG, SGX_INVALID_SIGNATURE);
    BAD(s.attribute_mask.flags = 0, SGX_INVALID_SIGNATURE);
    BAD(s.enclave_hash[31] ^= 1, SGX_INVALID_SIGNATURE);
    BAD(s.reserved3[15] = 1, SGX_INVALID_SIG_STRUCT);
    BAD(s.isv_ext_prod_id[15] = 1, SGX_INVALID_SIG_STRUCT);
    BAD(s.isv_svn ^= 1, SGX_INVALID_SIGNATURE);
    BAD(s.reserved4[11] = 1, SGX_INVALID_SIG_STRUCT);
#undef BAD
    B->destroy(rig.e);
}

/* Each byte once. Nothing but a signature over it and the right quotients passes. */
static void test_einit_any_flipped_byte_refused(void **state)
{
    struct sgx_sigstruct s;
    struct rig rig;

    rig_pages(&rig, PLAIN);
    rig_sign(&rig.secs, rig.mrenclave, PLAIN, NULL, &rig.sigstruct);
    for (size_t i = 0; i < sizeof(s); i++) {
        s = rig.sigstruct;
        ((uint8_t *)&s)[i] ^= 0x10;
        assert_int_not_equal(status(&rig, &s), SGX_SUCCESS);
    }
    B->destroy(rig.e);
}

static void wants_debug(struct sigstruct_params *p)
{
    p->attributes.flags |= SGX_FLAGS_DEBUG;
}

static void wants_less_xfrm(struct sigstruct_params *p)
{
    p->attributes.xfrm = 3;
}

static void masks_xfrm(struct sigstruct_params *p)
{
    p->attributes.xfrm = 3;
    p->attribute_mask.xfrm = 3;
}

static void wants_exinfo(struct sigstruct_params *p)
{
    p->miscselect = SGX_MISC_EXINFO;
}

static void masks_exinfo(struct sigstruct_params *p)
{
    p->miscselect = SGX_MISC_EXINFO;
    p->miscmask = ~SGX_MISC_EXINFO;
}

static void other_hash(struct sigstruct_params *p)
{
    p->mrenclave[0] ^= 1;
}

static void test_einit_signed_but_wrong_enclave_refused(void **state)
{
    static const struct {
        void (*edit)(struct sigstruct_params *);
        uint64_t code;
    } cases[] = {
        {wants_debug, SGX_INVALID_ATTRIBUTE},
        {wants_less_xfrm, SGX_INVALID_ATTRIBUTE},
        {masks_xfrm, SGX_SUCCESS},
        {wants_exinfo, SGX_INVALID_ATTRIBUTE},
        {masks_exinfo, SGX_SUCCESS},
        {other_hash, SGX_INVALID_MEASUREMENT},
    };
    struct sgx_sigstruct s;
    struct rig rig;

    rig_pages(&rig, PLAIN);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        rig_sign(&rig.secs, rig.mrenclave, PLAIN, cases[i].edit, &s);
        assert_int_equal(status(&rig, &s), cases[i].code);
    }
    B->destroy(rig.e);
}

static void test_einit_tampered_page_invalid_measurement(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    struct rig good;
    struct rig bad;

    rig_pages(&good, PLAIN);
    rig_sign(&good.secs, good.mrenclave, PLAIN, NULL, &good.sigstruct);
    B->destroy(good.e);
    rig_pages(&bad, &(struct rig_options){.base = RIG_BASE, .threads = 1, .data_byte = 1});
    assert_int_equal(B->init(bad.e, &good.sigstruct, &err), -EPERM);
    assert_non_null(strstr(error_text(err), "SGX_INVALID_MEASUREMENT (4)"));
    assert_non_null(strstr(error_text(err), "ENCLAVEHASH"));
    B->destroy(bad.e);
}

static void test_einit_twice_refused(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    struct rig rig;

    rig_build(&rig, PLAIN);
    assert_int_equal(B->init(rig.e, &rig.sigstruct, &err), -EINVAL);
    rig_destroy(&rig);
}

static void test_base_enters_no_measurement(void **state)
{
    struct rig a;
    struct rig b;

    rig_pages(&a, PLAIN);
    rig_pages(&b, &(struct rig_options){.base = RIG_BASE2, .threads = 1});
    assert_memory_equal(a.mrenclave, b.mrenclave, 32);
    B->destroy(a.e);
    B->destroy(b.e);
}

/* --- an enclave that another tool chain made --- */

static void test_foreign_enclave_measures_and_initialises(void **state)
{
    const char *vectors = getenv("NACRE_VECTORS");
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ uint8_t *stream = NULL;
    _cleanup_free_ uint8_t *sig = NULL;
    static _Alignas(4096) uint8_t page[4096];
    uint8_t mrenclave[32];
    struct sgx_sigstruct s;
    struct sgx_secs secs;
    struct sgx_enclave *e;
    char path[4096];
    size_t size = 0;
    size_t sig_size = 0;
    size_t at = 64;

    (void)snprintf(path, sizeof(path), "%s/sgx-sigstruct/test_enclave.sgxs",
                   vectors == NULL ? "" : vectors);
    if (vectors == NULL || fs_read_file(path, 1 << 24, &stream, &size, NULL) < 0) {
        print_message("# %s is not there: set NACRE_VECTORS\n", path);
        skip();
    }
    (void)snprintf(path, sizeof(path), "%s/sgx-sigstruct/test_enclave.sig", vectors);
    assert_int_equal(fs_read_file(path, 1 << 16, &sig, &sig_size, NULL), 0);
    assert_int_equal(sig_size, sizeof(s));
    memcpy(&s, sig, sizeof(s));
    assert_memory_equal(stream, "ECREATE", 8);
    rig_secs(PLAIN, &secs);
    secs.ssa_frame_size = le32_load(stream + 8);
    secs.size = le64_load(stream + 12);
    secs.attributes = (struct sgx_attributes){.flags = s.attributes.flags | SGX_FLAGS_MODE64BIT,
                                              .xfrm = s.attributes.xfrm | 3};
    secs.attributes.flags &= ~SGX_FLAGS_INIT;
    secs.miscselect = s.miscselect;
    assert_int_equal(B->create(&secs, &e, &err), 0);
    while (at < size) {
        uint64_t offset = le64_load(stream + at + 8);
        uint64_t flags = le64_load(stream + at + 16);
        size_t got = 0;

        assert_memory_equal(stream + at, "EADD\0\0\0", 8);
        at += 64;
        memset(page, 0, sizeof(page));
        while (at < size && memcmp(stream + at, "EEXTEND", 8) == 0) {
            memcpy(page + (le64_load(stream + at + 8) - offset), stream + at + 64, 256);
            at += 64 + 256;
            got += 256;
        }
        assert_true(got == 0 || got == 4096);
        assert_int_equal(B->add_pages(e, offset, page, 4096, flags, got != 0, &err), 0);
    }
    soft_measure_final(e->measure, mrenclave);
    assert_memory_equal(mrenclave, s.enclave_hash, 32);
    if (B->init(e, &s, &err) < 0) {
        fail_msg("%s", error_text(err));
    }
    B->destroy(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ecreate_refuses_bad_secs),
        cmocka_unit_test(test_ecreate_occupied_range_eexist),
        cmocka_unit_test(test_ecreate_one_tebibyte_costs_nothing),
        cmocka_unit_test(test_eadd_refusals),
        cmocka_unit_test(test_eadd_after_einit_refused),
        cmocka_unit_test(test_einit_tampered_field_refused),
        cmocka_unit_test(test_einit_any_flipped_byte_refused),
        cmocka_unit_test(test_einit_signed_but_wrong_enclave_refused),
        cmocka_unit_test(test_einit_tampered_page_invalid_measurement),
        cmocka_unit_test(test_einit_twice_refused),
        cmocka_unit_test(test_base_enters_no_measurement),
        cmocka_unit_test(test_foreign_enclave_measures_and_initialises),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
