/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Every byte of a good quote and of each collateral file is changed, and every prefix of them is
 * tried. Nothing may verify, with one exception that is checked to be none: a change that leaves
 * the meaning as it is (the case of a hex digit of a signature) must give the very same claims.
 */

#include <ctype.h>
#include <string.h>

#include "unit/attest/case.h"
#include "unit/unit.h"

struct tamper {
    struct test_case c;
    struct att_root root;
    struct att_claims good;
    struct att_collateral *collateral;
};

static void setup(const char *name, struct tamper *t)
{
    struct att_collateral_input input;

    own_case(name, &t->c);
    own_root("root.pem", ATT_ROOT_SOFTWARE, &t->root);
    input = case_input(&t->c);
    t->collateral = NULL;
    assert_int_equal(att_collateral_new(&input, &t->root, 1, &t->collateral, NULL), 0);
    assert_int_equal(case_verify(&t->c, &t->root, OWN_VERIFY_TIME, &t->good, NULL), 0);
}

static void teardown(struct tamper *t)
{
    t->collateral = att_collateral_free(t->collateral);
    case_free(&t->c);
}

/* In text the change that could pass unseen is that of a letter's case; elsewhere the top bit. */
static uint8_t second_mask(uint8_t byte)
{
    return isprint(byte) != 0 ? 0x20 : 0x80;
}

static void check_quote_flips(const char *name)
{
    struct tamper t;
    size_t refused = 0;

    setup(name, &t);
    for (size_t i = 0; i < t.c.quote.size; i++) {
        const uint8_t masks[] = {0x01, second_mask(t.c.quote.data[i])};

        for (size_t m = 0; m < ARRAY_COUNT(masks); m++) {
            struct att_claims claims;
            struct att_reason why = {0};
            int r;

            t.c.quote.data[i] ^= masks[m];
            r = att_verify(t.c.quote.data, t.c.quote.size, t.collateral, OWN_VERIFY_TIME, &claims,
                           &why);
            t.c.quote.data[i] ^= masks[m];
            if (r == 0) {
                fail_msg("%s: byte %zu xor 0x%02x still verifies", name, i, masks[m]);
            }
            assert_int_not_equal(why.code, ATT_NONE);
            assert_int_not_equal(why.code, ATT_INTERNAL);
            refused++;
        }
    }
    print_message("# %s: %zu changed quotes, all refused\n", name, refused);
    teardown(&t);
}

static void test_verify_sgx_quote_any_byte_changed_is_refused(void **state)
{
    check_quote_flips("up-to-date");
}

static void test_verify_tdx_quote_any_byte_changed_is_refused(void **state)
{
    check_quote_flips("tdx-v5-15");
}

static void test_verify_quote_any_prefix_is_refused(void **state)
{
    struct tamper t;

    setup("up-to-date", &t);
    for (size_t size = 0; size < t.c.quote.size; size++) {
        struct att_claims claims;
        struct att_reason why = {0};
        /* A copy of its own size: a read behind the end is a sanitizer report. */
        _cleanup_free_ uint8_t *prefix = malloc(size == 0 ? 1 : size);

        assert_non_null(prefix);
        memcpy(prefix, t.c.quote.data, size);
        assert_true(att_verify(prefix, size, t.collateral, OWN_VERIFY_TIME, &claims, &why) < 0);
        assert_true(why.code == ATT_EVIDENCE_UNKNOWN || why.code == ATT_QUOTE_MALFORMED);
    }
    teardown(&t);
}

/* Where the hex digits of {"…":{…},"signature":"…"} lie. */
static bool in_hex_signature(const struct bytes *b, size_t i)
{
    return b->size > 2 + 128 && b->data[b->size - 1] == '}' && i >= b->size - 2 - 128 &&
           i < b->size - 2 && isxdigit(b->data[i]) != 0;
}

static void check_file_flips(const char *what, struct tamper *t, struct bytes *file)
{
    size_t same = 0;

    for (size_t i = 0; i < file->size; i++) {
        const uint8_t masks[] = {0x01, second_mask(file->data[i])};

        for (size_t m = 0; m < ARRAY_COUNT(masks); m++) {
            struct att_claims claims;
            struct att_reason why = {0};
            int r;

            file->data[i] ^= masks[m];
            r = case_verify(&t->c, &t->root, OWN_VERIFY_TIME, &claims, &why);
            if (r == 0) {
                if (!in_hex_signature(file, i)) {
                    fail_msg("%s: byte %zu xor 0x%02x still verifies", what, i, masks[m]);
                }
                assert_memory_equal(&claims, &t->good, sizeof(claims));
                same++;
            }
            file->data[i] ^= masks[m];
        }
    }
    print_message("# %s: %zu bytes changed two ways, %zu were only a digit's case\n", what,
                  file->size, same);
    /* a-f make up three eighths of 128 digits */
    assert_true(same < 128);
}

static void check_file_prefixes(const char *what, struct tamper *t, struct bytes *file)
{
    struct bytes whole = *file;

    for (size_t size = 0; size < whole.size; size++) {
        struct att_claims claims;
        struct att_reason why = {0};

        file->data = malloc(size == 0 ? 1 : size);
        assert_non_null(file->data);
        memcpy(file->data, whole.data, size);
        file->size = size;
        if (case_verify(&t->c, &t->root, OWN_VERIFY_TIME, &claims, &why) == 0) {
            /* All but the last line end of a PEM list is the whole list. */
            assert_int_equal(size, whole.size - 1);
            assert_int_equal(whole.data[size], '\n');
        }
        free(file->data);
    }
    *file = whole;
    print_message("# %s: %zu prefixes\n", what, whole.size);
}

static void check_file(const char *what, size_t offset)
{
    struct tamper t;
    struct bytes *file;

    setup("up-to-date", &t);
    file = (struct bytes *)(void *)((char *)&t.c + offset);
    check_file_flips(what, &t, file);
    check_file_prefixes(what, &t, file);
    teardown(&t);
}

static void test_verify_tcb_info_any_byte_changed_is_refused(void **state)
{
    check_file("tcb_info.json", offsetof(struct test_case, tcb_info));
}

static void test_verify_qe_identity_any_byte_changed_is_refused(void **state)
{
    check_file("qe_identity.json", offsetof(struct test_case, qe_identity));
}

static void test_verify_signing_chain_any_byte_changed_is_refused(void **state)
{
    check_file("tcb_signing_chain.pem", offsetof(struct test_case, signing_chain));
}

static void test_verify_pck_crl_any_byte_changed_is_refused(void **state)
{
    check_file("pck_crl.der", offsetof(struct test_case, pck_crl));
}

static void test_verify_root_crl_any_byte_changed_is_refused(void **state)
{
    check_file("root_ca_crl.der", offsetof(struct test_case, root_crl));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify_sgx_quote_any_byte_changed_is_refused),
        cmocka_unit_test(test_verify_tdx_quote_any_byte_changed_is_refused),
        cmocka_unit_test(test_verify_quote_any_prefix_is_refused),
        cmocka_unit_test(test_verify_tcb_info_any_byte_changed_is_refused),
        cmocka_unit_test(test_verify_qe_identity_any_byte_changed_is_refused),
        cmocka_unit_test(test_verify_signing_chain_any_byte_changed_is_refused),
        cmocka_unit_test(test_verify_pck_crl_any_byte_changed_is_refused),
        cmocka_unit_test(test_verify_root_crl_any_byte_changed_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
