/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "core/hex.h"
#include "sign/sigstruct.h"

/* A file of the shared vectors; skips the test, saying why, where they are absent. */
static uint8_t *vector(const char *name, size_t want)
{
    const char *dir = getenv("NACRE_VECTORS");
    _cleanup_error_ struct error *err = NULL;
    uint8_t *data = NULL;
    char path[512];
    size_t size;

    (void)snprintf(path, sizeof(path), "%s/sgx-sigstruct/%s", dir != NULL ? dir : "", name);
    if (dir == NULL || access(path, R_OK) != 0) {
        print_message("skipped: the shared vectors are absent (%s)\n", path);
        skip();
    }
    assert_int_equal(fs_read_file(path, 64 * 1024, &data, &size, &err), 0);
    if (want != 0) {
        assert_int_equal(size, want);
    }
    return data;
}

static struct evp_pkey_st *vector_key(void)
{
    _cleanup_free_ uint8_t *pem = vector("sig1.key.pem", 0);
    _cleanup_error_ struct error *err = NULL;
    struct evp_pkey_st *key = NULL;

    assert_int_equal(
        crypto_pem_read_private(pem, strlen((char *)pem), "sig1.key.pem", NULL, &key, &err), 0);
    return key;
}

/* The choices behind sig1.sigstruct.bin. */
static void sig1_params(struct sigstruct_params *p)
{
    *p = (struct sigstruct_params){
        .date = 0x20160109,
        .miscmask = UINT32_MAX,
        .attributes = {.flags = 4, .xfrm = 3},
        .attribute_mask = {.flags = ~2ull, .xfrm = ~0xe4ull},
    };
    assert_int_equal(hex_decode(p->mrenclave, 32,
                                "c50673624a6cb17c1c6c2a4e6906f47a"
                                "170c4629b8723781d1017ef376f1a75d",
                                64),
                     0);
}

static void a_signed_one(struct evp_pkey_st *key, struct sgx_sigstruct *ret)
{
    _cleanup_error_ struct error *err = NULL;
    struct sigstruct_params p;

    sigstruct_params_default(&p);
    p.date = 0x20261122;
    p.isv_prod_id = 7;
    p.isv_svn = 3;
    memset(p.mrenclave, 0x5a, sizeof(p.mrenclave));
    assert_int_equal(sigstruct_build(&p, ret, &err), 0);
    assert_int_equal(sigstruct_sign(ret, key, &err), 0);
}

static void test_sign_digest_matches_the_published_signature_q1_and_q2(void **state)
{
    _cleanup_key_ struct evp_pkey_st *key = vector_key();
    _cleanup_free_ uint8_t *digest = vector("sig1.data.bin", 32);
    _cleanup_free_ uint8_t *modulus = vector("sig1.key_n.bin", 384);
    _cleanup_free_ uint8_t *signature = vector("sig1.sig.bin", 384);
    _cleanup_free_ uint8_t *q1 = vector("sig1.q1.bin", 384);
    _cleanup_free_ uint8_t *q2 = vector("sig1.q2.bin", 384);
    uint8_t got[384];
    uint8_t got2[384];

    assert_int_equal(crypto_rsa3072_modulus(key, got), 0);
    assert_memory_equal(got, modulus, 384);
    assert_int_equal(crypto_rsa3072_sign_digest(key, digest, got), 0);
    assert_memory_equal(got, signature, 384);
    assert_int_equal(crypto_rsa3072_q(modulus, signature, got, got2), 0);
    assert_memory_equal(got, q1, 384);
    assert_memory_equal(got2, q2, 384);
    assert_int_equal(crypto_rsa3072_verify_digest(modulus, signature, digest), 0);
    digest[31] ^= 1;
    assert_int_equal(crypto_rsa3072_verify_digest(modulus, signature, digest), -EBADMSG);
}

static void test_build_and_sign_reproduces_sig1_byte_for_byte(void **state)
{
    _cleanup_key_ struct evp_pkey_st *key = vector_key();
    _cleanup_free_ uint8_t *want = vector("sig1.sigstruct.bin", SIGSTRUCT_SIZE);
    _cleanup_error_ struct error *err = NULL;
    struct sigstruct_params p;
    struct sgx_sigstruct s;

    sig1_params(&p);
    assert_int_equal(sigstruct_build(&p, &s, &err), 0);
    assert_int_equal(sigstruct_sign(&s, key, &err), 0);
    assert_memory_equal(&s, want, sizeof(s));
    assert_int_equal(sigstruct_verify(&s, &err), 0);
    /* The twin: one other bit of the measurement gives another signature. */
    p.mrenclave[0] ^= 1;
    assert_int_equal(sigstruct_build(&p, &s, &err), 0);
    assert_int_equal(sigstruct_sign(&s, key, &err), 0);
    assert_memory_not_equal(&s, want, sizeof(s));
}

static void test_verify_accepts_a_foreign_sigstruct_and_refuses_each_flipped_byte(void **state)
{
    _cleanup_free_ uint8_t *data = vector("test_enclave.sig", SIGSTRUCT_SIZE);
    _cleanup_error_ struct error *err = NULL;
    struct sgx_sigstruct s;
    uint8_t *bytes = (uint8_t *)&s;

    assert_int_equal(sigstruct_parse(data, SIGSTRUCT_SIZE, &s, &err), 0);
    assert_int_equal(sigstruct_verify(&s, &err), 0);
    for (size_t i = 0; i < sizeof(s); i++) {
        _cleanup_error_ struct error *why = NULL;

        bytes[i] ^= (uint8_t)(1u << (i % 8));
        if (sigstruct_verify(&s, &why) != -EBADMSG) {
            fail_msg("byte %zu flipped and not refused", i);
        }
        assert_non_null(strstr(error_text(why), "SIGSTRUCT."));
        bytes[i] = data[i];
    }
    assert_int_equal(sigstruct_verify(&s, &err), 0);
}

static void test_verify_own_sigstruct_and_refuses_each_flipped_byte(void **state)
{
    struct evp_pkey_st *key = *state;
    struct sgx_sigstruct good;
    struct sgx_sigstruct s;
    uint8_t *bytes = (uint8_t *)&s;

    a_signed_one(key, &good);
    s = good;
    assert_int_equal(sigstruct_verify(&s, NULL), 0);
    for (size_t i = 0; i < sizeof(s); i++) {
        bytes[i] ^= 0x80;
        if (sigstruct_verify(&s, NULL) != -EBADMSG) {
            fail_msg("byte %zu flipped and not refused", i);
        }
        bytes[i] ^= 0x80;
    }
}

static void test_verify_names_the_field(void **state)
{
    static const struct {
        size_t offset;
        const char *field;
    } cases[] = {
        {0, "HEADER "},     {16, "VENDOR"},     {20, "DATE"},        {24, "HEADER2"},
        {127, "RESERVED1"}, {128, "MODULUS"},   {512, "EXPONENT"},   {516, "SIGNATURE"},
        {910, "RESERVED2"}, {992, "RESERVED3"}, {1039, "RESERVED4"}, {1040, "Q1"},
        {1424, "Q2"},
    };
    struct evp_pkey_st *key = *state;
    struct sgx_sigstruct good;

    a_signed_one(key, &good);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        _cleanup_error_ struct error *err = NULL;
        struct sgx_sigstruct s = good;
        char want[32];

        ((uint8_t *)&s)[cases[i].offset] ^= cases[i].offset == 20 ? 0xff : 1;
        assert_int_equal(sigstruct_verify(&s, &err), -EBADMSG);
        (void)snprintf(want, sizeof(want), "SIGSTRUCT.%s", cases[i].field);
        assert_non_null(strstr(error_text(err), want));
    }
}

static void test_parse_wants_the_exact_size(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    uint8_t data[sizeof(struct sgx_sigstruct) + 1] = {0};
    struct sgx_sigstruct s;

    assert_int_equal(sigstruct_parse(data, sizeof(s) - 1, &s, &err), -EBADMSG);
    assert_int_equal(sigstruct_parse(data, sizeof(s) + 1, &s, &err), -EBADMSG);
    assert_int_equal(sigstruct_parse(data, 0, &s, &err), -EBADMSG);
    assert_int_equal(sigstruct_parse(data, sizeof(s), &s, &err), 0);
    assert_int_equal(sigstruct_verify(&s, &err), -EBADMSG);
}

static void test_build_refuses_what_no_processor_runs(void **state)
{
    struct sigstruct_params good;
    struct sgx_sigstruct s;

    sigstruct_params_default(&good);
    good.date = 0x20261122;
    assert_int_equal(sigstruct_build(&good, &s, NULL), 0);
#define REFUSED(change, field)                                        \
    do {                                                              \
        _cleanup_error_ struct error *err = NULL;                     \
        struct sigstruct_params p = good;                             \
                                                                      \
        change;                                                       \
        assert_int_equal(sigstruct_build(&p, &s, &err), -EINVAL);     \
        assert_non_null(strstr(error_text(err), "SIGSTRUCT." field)); \
    } while (0)
    REFUSED(p.vendor = 1, "VENDOR");
    REFUSED(p.date = 0, "DATE");
    REFUSED(p.date = 0x20260229, "DATE");
    REFUSED(p.date = 0x2026110a, "DATE");
    REFUSED(p.attributes.flags |= SGX_FLAGS_INIT, "ATTRIBUTES");
    REFUSED(p.attributes.flags &= ~SGX_FLAGS_MODE64BIT, "ATTRIBUTES");
    REFUSED(p.attributes.xfrm = 1, "ATTRIBUTES.XFRM");
    REFUSED(p.attributes.flags &= ~SGX_FLAGS_KSS; p.isv_family_id[3] = 1, "ISVFAMILYID");
    REFUSED(p.attributes.flags &= ~SGX_FLAGS_KSS; p.isv_ext_prod_id[3] = 1, "ISVEXTPRODID");
#undef REFUSED
}

static void test_date_knows_the_calendar(void **state)
{
    uint32_t bcd;

    assert_int_equal(sigstruct_date(2024, 2, 29, &bcd), 0);
    assert_int_equal(bcd, 0x20240229);
    assert_int_equal(sigstruct_date(2023, 2, 29, &bcd), -EINVAL);
    assert_int_equal(sigstruct_date(1900, 2, 29, &bcd), -EINVAL);
    assert_int_equal(sigstruct_date(2000, 2, 29, &bcd), 0);
    assert_int_equal(sigstruct_date(2026, 13, 1, &bcd), -EINVAL);
    assert_int_equal(sigstruct_date(2026, 0, 1, &bcd), -EINVAL);
    assert_int_equal(sigstruct_date(2026, 4, 31, &bcd), -EINVAL);
    assert_int_equal(sigstruct_date(10000, 1, 1, &bcd), -EINVAL);
    assert_true(sigstruct_date_is_valid(0x99991231));
    assert_false(sigstruct_date_is_valid(0x00000101));
    assert_false(sigstruct_date_is_valid(0x2026112a));
    assert_false(sigstruct_date_is_valid(0xffffffff));
}

static void test_detached_signature_completes_the_structure_and_a_wrong_one_does_not(void **state)
{
    struct evp_pkey_st *key = *state;
    _cleanup_error_ struct error *err = NULL;
    uint8_t bytes[SIGSTRUCT_SIGNED_SIZE];
    uint8_t modulus[384];
    uint8_t signature[384];
    struct sgx_sigstruct whole;
    struct sgx_sigstruct s;

    a_signed_one(key, &whole);
    sigstruct_signed_bytes(&whole, bytes);
    assert_int_equal(sigstruct_from_signed_bytes(bytes, sizeof(bytes), &s, &err), 0);
    assert_int_equal(crypto_rsa3072_modulus(key, modulus), 0);
    assert_int_equal(crypto_rsa3072_sign(key, bytes, sizeof(bytes), signature), 0);
    assert_int_equal(sigstruct_set_signature(&s, modulus, signature, &err), 0);
    assert_memory_equal(&s, &whole, sizeof(s));

    assert_int_equal(sigstruct_from_signed_bytes(bytes, sizeof(bytes), &s, &err), 0);
    signature[17] ^= 4;
    assert_int_equal(sigstruct_set_signature(&s, modulus, signature, &err), -EBADMSG);
    assert_int_equal(s.exponent, 0); /* untouched */
    assert_int_equal(sigstruct_from_signed_bytes(bytes, sizeof(bytes) - 1, &s, &err), -EINVAL);
    bytes[128 + 92] ^= 1; /* offset 992: reserved */
    assert_int_equal(sigstruct_from_signed_bytes(bytes, sizeof(bytes), &s, &err), -EINVAL);
}

static void test_mrsigner_is_the_hash_of_the_little_endian_modulus(void **state)
{
    _cleanup_free_ uint8_t *data = vector("sig1.sigstruct.bin", SIGSTRUCT_SIZE);
    uint8_t mrsigner[32];
    char hex[65];

    /* sha256sum of sig1.key_n.bin */
    sigstruct_mrsigner(data + offsetof(struct sgx_sigstruct, modulus), mrsigner);
    hex_encode(hex, mrsigner, sizeof(mrsigner));
    assert_string_equal(hex, "83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e");
}

static void test_print_shows_the_fields(void **state)
{
    struct evp_pkey_st *key = *state;
    _cleanup_free_ char *text = NULL;
    _cleanup_free_ char *json = NULL;
    struct sgx_sigstruct s;
    size_t size;
    FILE *out;

    a_signed_one(key, &s);
    out = open_memstream(&text, &size);
    assert_int_equal(sigstruct_print(&s, out), 0);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "isv_prod_id        7\n"));
    assert_non_null(strstr(text, "date               2026-11-22\n"));
    assert_non_null(strstr(text, "(MODE64BIT KSS)\n"));
    assert_non_null(strstr(text, "debug              no\n"));
    out = open_memstream(&json, &size);
    assert_int_equal(sigstruct_print_json(&s, out), 0);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(json, "\"isv_svn\": 3"));
    assert_non_null(strstr(json, "\"debug_allowed\": false"));
    assert_non_null(strstr(json, "\"attributes_xfrm\": \"0x0000000000000003\""));
}

static int setup(void **state)
{
    return crypto_rsa3072_generate((struct evp_pkey_st **)state);
}

static int teardown(void **state)
{
    (void)crypto_key_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign_digest_matches_the_published_signature_q1_and_q2),
        cmocka_unit_test(test_build_and_sign_reproduces_sig1_byte_for_byte),
        cmocka_unit_test(test_verify_accepts_a_foreign_sigstruct_and_refuses_each_flipped_byte),
        cmocka_unit_test(test_verify_own_sigstruct_and_refuses_each_flipped_byte),
        cmocka_unit_test(test_verify_names_the_field),
        cmocka_unit_test(test_parse_wants_the_exact_size),
        cmocka_unit_test(test_build_refuses_what_no_processor_runs),
        cmocka_unit_test(test_date_knows_the_calendar),
        cmocka_unit_test(test_detached_signature_completes_the_structure_and_a_wrong_one_does_not),
        cmocka_unit_test(test_mrsigner_is_the_hash_of_the_little_endian_modulus),
        cmocka_unit_test(test_print_shows_the_fields),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
