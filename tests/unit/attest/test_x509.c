/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The certificate reader beside OpenSSL's, the PEM list, and the SGX extension. */

#include "attest/x509_internal.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "attest/pck_internal.h"
#include "unit/attest/case.h"
#include "unit/unit.h"

static void compare_with_openssl(const struct x509_cert *ours)
{
    const uint8_t *p = ours->whole.p;
    X509 *theirs = d2i_X509(NULL, &p, (long)ours->whole.left);
    const ASN1_BIT_STRING *key;
    const ASN1_INTEGER *serial;
    char name[64];
    char want[64] = "";

    assert_non_null(theirs);
    assert_int_equal(ASN1_TIME_cmp_time_t(X509_get0_notBefore(theirs), (time_t)ours->not_before),
                     0);
    assert_int_equal(ASN1_TIME_cmp_time_t(X509_get0_notAfter(theirs), (time_t)ours->not_after), 0);
    key = X509_get0_pubkey_bitstr(theirs);
    assert_int_equal(key->length, 65);
    assert_memory_equal(key->data + 1, ours->key, sizeof(ours->key));
    serial = X509_get0_serialNumber(theirs);
    assert_memory_equal(ours->serial.p + (ours->serial.p[0] == 0 ? 1 : 0), serial->data,
                        (size_t)serial->length);
    X509_NAME_get_text_by_NID(X509_get_subject_name(theirs), NID_commonName, want, sizeof(want));
    x509_common_name(ours, name, sizeof(name));
    assert_string_equal(name, want);
    assert_int_equal(X509_check_ca(theirs) == 1, ours->is_ca);
    assert_int_equal(X509_get_key_usage(theirs), ours->key_usage);
    if (ours->has_path_length) {
        assert_int_equal(X509_get_pathlen(theirs), ours->path_length);
    }
    X509_free(theirs);
}

static void check_chain(const struct bytes *pem, size_t count)
{
    struct att_reason why = {0};
    struct x509_chain chain;

    if (x509_chain_parse(pem->data, pem->size, "chain", &chain, &why) != 0) {
        fail_msg("%s: %s", att_code_name(why.code), why.detail);
    }
    assert_int_equal(chain.count, count);
    for (size_t i = 0; i < count; i++) {
        compare_with_openssl(&chain.certs[i]);
    }
    x509_chain_done(&chain);
}

static void test_cert_parse_reads_what_openssl_reads(void **state)
{
    struct test_case c;

    own_case("ppid-with-chain-beside", &c);
    check_chain(&c.pck_chain, 3);
    check_chain(&c.signing_chain, 2);
    case_free(&c);
}

static void test_cert_parse_reads_intels_certificates(void **state)
{
    _cleanup_free_ char *dir = vectors_dir("cases/q3-sgx-automata-quotev3-hex-a");
    struct bytes chain;

    if (dir == NULL) {
        skip();
    }
    chain = read_bytes(dir, "tcb_signing_chain.pem");
    check_chain(&chain, 2);
    free(chain.data);
}

/* --- PEM --- */

static enum att_code parse_pem(const char *text, size_t size)
{
    struct att_reason why = {0};
    struct x509_chain chain;

    if (x509_chain_parse(text, size, "chain", &chain, &why) == 0) {
        x509_chain_done(&chain);
        return ATT_NONE;
    }
    return why.code;
}

static char *replace(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *out = NULL;

    assert_non_null(at);
    assert_true(asprintf(&out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
    return out;
}

static void check_pem(const char *text, const char *from, const char *to, enum att_code want)
{
    _cleanup_free_ char *changed = replace(text, from, to);
    enum att_code have = parse_pem(changed, strlen(changed));

    if (have != want) {
        fail_msg("'%s' for '%s': %s", to, from, att_code_name(have));
    }
}

static void test_chain_parse_is_strict_about_pem(void **state)
{
    _cleanup_free_ char *dir = own_vectors_dir("");
    struct bytes root = read_bytes(dir, "root.pem");
    const char *text = (const char *)root.data;
    _cleanup_free_ char *long_list = NULL;

    assert_int_equal(parse_pem(text, root.size), ATT_NONE);
    assert_int_equal(parse_pem(text, root.size + 1), ATT_NONE); /* one NUL at the end */
    assert_int_equal(parse_pem(text, root.size - 1), ATT_NONE); /* no last line end */
    assert_int_equal(parse_pem("", 0), ATT_PEM_MALFORMED);
    assert_int_equal(parse_pem("\n\n", 2), ATT_PEM_MALFORMED);
    check_pem(text, "\n", "\r\n", ATT_NONE);
    check_pem(text, "-----BEGIN", "\n\n-----BEGIN", ATT_NONE);
    check_pem(text, "-----BEGIN", " -----BEGIN", ATT_PEM_MALFORMED);
    check_pem(text, "-----BEGIN", "text\n-----BEGIN", ATT_PEM_MALFORMED);
    check_pem(text, "BEGIN CERTIFICATE", "BEGIN X509 CRL", ATT_PEM_MALFORMED);
    check_pem(text, "END CERTIFICATE", "END CERTIFICAT", ATT_PEM_MALFORMED);
    check_pem(text, "\n", "\n*", ATT_PEM_MALFORMED);
    check_pem(text, "\n", "\n=", ATT_PEM_MALFORMED);
    check_pem(text, "\n", "\nA", ATT_PEM_MALFORMED);     /* one symbol too many */
    check_pem(text, "\n", "\nAAAA", ATT_CERT_MALFORMED); /* three bytes in front */
    check_pem(text, "\n-----END", "AAAA\n-----END", ATT_PEM_MALFORMED);

    assert_true(asprintf(&long_list, "%s%s%s%s%s", text, text, text, text, text) > 0);
    assert_int_equal(parse_pem(long_list, strlen(long_list)), ATT_CHAIN_INCOMPLETE);
    free(root.data);
}

/* --- changes in the DER that keep it well-formed --- */

/* The test certificates' own bytes around a field, found by their encoding. */
static size_t find(const struct cursor *c, const void *needle, size_t size)
{
    const uint8_t *at = memmem(c->p, c->left, needle, size);

    assert_non_null(at);
    return (size_t)(at - c->p);
}

static void check_change(const struct cursor *whole, const void *from, size_t size,
                         ptrdiff_t offset, uint8_t value, bool in_extension)
{
    _cleanup_free_ uint8_t *bytes = malloc(whole->left);
    struct att_reason why = {0};
    struct x509_cert cert;
    struct pck pck;
    int r;

    assert_non_null(bytes);
    memcpy(bytes, whole->p, whole->left);
    bytes[(ptrdiff_t)find(whole, from, size) + offset] = value;
    r = x509_cert_parse(cursor_make(bytes, whole->left), &cert, &why);
    if (!in_extension) {
        assert_int_equal(r, -EBADMSG);
        assert_int_equal(why.code, ATT_CERT_MALFORMED);
        return;
    }
    assert_int_equal(r, 0);
    assert_int_equal(pck_parse(&cert, &pck, &why), -EBADMSG);
    assert_int_equal(why.code, ATT_PCK_EXTENSION_MALFORMED);
}

static const struct x509_cert *leaf_of(const struct x509_chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (!chain->certs[i].is_ca) {
            return &chain->certs[i];
        }
    }
    fail_msg("the chain has no leaf");
    return NULL;
}

static void test_cert_parse_keeps_to_the_profile(void **state)
{
    static const uint8_t version[] = {0xa0, 0x03, 0x02, 0x01, 0x02};
    static const uint8_t curve[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    static const uint8_t algorithm[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    static const uint8_t key_usage[] = {0x55, 0x1d, 0x0f};
    static const uint8_t constraints[] = {0x55, 0x1d, 0x13, 0x01, 0x01, 0xff};
    static const uint8_t subject_key[] = {0x55, 0x1d, 0x0e};
    struct x509_chain chain;
    const struct x509_cert *leaf;
    struct test_case c;

    own_case("ppid-with-chain-beside", &c);
    assert_int_equal(x509_chain_parse(c.pck_chain.data, c.pck_chain.size, "chain", &chain, NULL),
                     0);
    leaf = leaf_of(&chain);
    check_change(&leaf->whole, version, sizeof(version), 4, 1, false);        /* X.509 v2 */
    check_change(&leaf->whole, curve, sizeof(curve), 7, 8, false);            /* another curve */
    check_change(&leaf->whole, algorithm, sizeof(algorithm), 7, 3, false);    /* SHA-384 */
    check_change(&leaf->whole, key_usage, sizeof(key_usage), 2, 0x0e, false); /* a key id twice */
    check_change(&leaf->whole, subject_key, sizeof(subject_key), 2, 0x0f, false);
    check_change(&leaf->whole, constraints, sizeof(constraints), 2, 0x24, false); /* unknown */
    check_change(&leaf->whole, constraints, sizeof(constraints), 5, 0x01, false); /* bad TRUE */
    x509_chain_done(&chain);
    case_free(&c);
}

static const struct x509_cert *issuer_of(const struct x509_chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (chain->certs[i].is_ca && chain->certs[i].path_length == 0) {
            return &chain->certs[i];
        }
    }
    fail_msg("the chain has no issuing CA");
    return NULL;
}

static void test_cert_parse_names_and_extensions_are_der(void **state)
{
    static const uint8_t common_name[] = {0x06, 0x03, 0x55, 0x04, 0x03, 0x0c};
    static const uint8_t key_usage[] = {0x55, 0x1d, 0x0f, 0x01, 0x01, 0xff, 0x04, 0x04, 0x03, 0x02};
    static const uint8_t constraints[] = {0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x08,
                                          0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00};
    static const uint8_t subject_key[] = {0x55, 0x1d, 0x0e, 0x04, 0x16, 0x04, 0x14};
    static const uint8_t authority_key[] = {0x55, 0x1d, 0x23, 0x04, 0x18, 0x30, 0x16, 0x80, 0x14};
    static const struct {
        const uint8_t *from;
        size_t size;
        ptrdiff_t offset;
        uint8_t value;
    } changes[] = {
        {common_name, sizeof(common_name), -4, 0x30},    /* a SEQUENCE for the SET */
        {common_name, sizeof(common_name), -2, 0x31},    /* a SET for the SEQUENCE */
        {common_name, sizeof(common_name), 2, 0x80},     /* an OID padded */
        {common_name, sizeof(common_name), 4, 0x83},     /* an OID unfinished */
        {common_name, sizeof(common_name), 5, 0x02},     /* a number for a name */
        {common_name, sizeof(common_name), 7, 0x07},     /* a bell in the name */
        {common_name, sizeof(common_name), 8, 0xc3},     /* not ASCII */
        {key_usage, sizeof(key_usage), 5, 0x00},         /* critical FALSE is the default */
        {key_usage, sizeof(key_usage), 8, 0x04},         /* no BIT STRING */
        {key_usage, sizeof(key_usage), 10, 0x08},        /* eight unused bits */
        {constraints, sizeof(constraints), 8, 0x31},     /* no SEQUENCE */
        {constraints, sizeof(constraints), 12, 0x00},    /* a path length without a CA */
        {constraints, sizeof(constraints), 15, 0x80},    /* a negative path length */
        {subject_key, sizeof(subject_key), 5, 0x05},     /* no OCTET STRING */
        {subject_key, sizeof(subject_key), 6, 0x13},     /* a byte left over */
        {authority_key, sizeof(authority_key), 5, 0x31}, /* no SEQUENCE */
        {authority_key, sizeof(authority_key), 8, 0x15}, /* leaves its extension */
    };
    struct x509_chain chain;
    struct test_case c;

    own_case("ppid-with-chain-beside", &c);
    assert_int_equal(x509_chain_parse(c.pck_chain.data, c.pck_chain.size, "chain", &chain, NULL),
                     0);
    for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
        print_message("# change %zu\n", i);
        check_change(&issuer_of(&chain)->whole, changes[i].from, changes[i].size, changes[i].offset,
                     changes[i].value, false);
    }
    x509_chain_done(&chain);
    case_free(&c);
}

static void test_pck_parse_is_strict(void **state)
{
    static const uint8_t arc[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
    struct x509_chain chain;
    const struct x509_cert *leaf;
    struct test_case c;
    struct pck pck;
    uint8_t field[13];

    own_case("ppid-with-chain-beside", &c);
    assert_int_equal(x509_chain_parse(c.pck_chain.data, c.pck_chain.size, "chain", &chain, NULL),
                     0);
    leaf = leaf_of(&chain);
    assert_int_equal(pck_parse(leaf, &pck, NULL), 0);
    assert_int_equal(pck.components[0], 10);
    assert_int_equal(pck.components[4], 255);
    assert_int_equal(pck.pce_svn, 13);
    assert_int_equal(pck.fmspc[0], 0x00);
    assert_int_equal(pck.fmspc[5], 0xe0);
    assert_int_equal(pck.sgx_type, 1);

    /* OBJECT IDENTIFIER arc.n, then arc.2.n */
    memcpy(field, (const uint8_t[]){0x06, 10}, 2);
    memcpy(field + 2, arc, sizeof(arc));
    for (uint8_t n = 1; n <= 7; n++) {
        field[11] = n;
        check_change(&leaf->whole, field, 12, 11, n == 1 ? 2 : 1, true); /* one twice */
        check_change(&leaf->whole, field, 12, 11, 8, true);              /* unknown */
        check_change(&leaf->whole, field, 12, 12, 0x13, true);           /* another type */
    }
    field[1] = 11;
    field[11] = 2;
    for (uint8_t n = 1; n <= 18; n++) {
        field[12] = n;
        check_change(&leaf->whole, field, 13, 12, n == 1 ? 2 : 1, true);
        check_change(&leaf->whole, field, 13, 12, 19, true);
        check_change(&leaf->whole, field, 13, 13, 0x13, true);
    }
    field[12] = 5; /* 02 02 00 ff: 255, which becomes 511 */
    check_change(&leaf->whole, field, 13, 15, 0x01, true);
    x509_chain_done(&chain);
    case_free(&c);
}

static void test_pck_parse_without_extension_is_refused(void **state)
{
    struct att_reason why = {0};
    struct x509_chain chain;
    struct test_case c;
    struct pck pck;

    own_case("up-to-date", &c);
    assert_int_equal(
        x509_chain_parse(c.signing_chain.data, c.signing_chain.size, "chain", &chain, NULL), 0);
    assert_int_equal(pck_parse(&chain.certs[0], &pck, &why), -EBADMSG);
    assert_int_equal(why.code, ATT_PCK_EXTENSION_MALFORMED);
    x509_chain_done(&chain);
    case_free(&c);
}

static void test_crl_has_finds_exactly_the_listed(void **state)
{
    static const uint8_t other[] = {0x01};
    struct cursor serial = {.p = other, .left = sizeof(other)};
    struct x509_crl crl;
    struct test_case c;
    struct x509_chain chain;

    own_case("revoked-signer", &c);
    assert_int_equal(
        x509_crl_parse(cursor_make(c.root_crl.data, c.root_crl.size), "CRL", &crl, NULL), 0);
    assert_int_equal(
        x509_chain_parse(c.signing_chain.data, c.signing_chain.size, "chain", &chain, NULL), 0);
    assert_true(x509_crl_has(&crl, &chain.certs[0].serial));
    assert_false(x509_crl_has(&crl, &chain.certs[1].serial));
    assert_false(x509_crl_has(&crl, &serial));
    x509_chain_done(&chain);
    case_free(&c);
}

static void test_root_from_cert_reads_pem_and_der(void **state)
{
    _cleanup_free_ char *dir = own_vectors_dir("");
    struct bytes pem = read_bytes(dir, "root.pem");
    struct att_root a;
    struct att_root b;
    struct att_reason why = {0};
    struct x509_chain chain;
    uint8_t broken[2048];
    struct test_case c;

    assert_int_equal(att_root_from_cert(pem.data, pem.size, ATT_ROOT_SOFTWARE, NULL, &a, &why), 0);
    assert_string_equal(a.name, "nacre test root CA");
    assert_int_equal(x509_chain_parse(pem.data, pem.size, "root", &chain, NULL), 0);
    assert_int_equal(att_root_from_cert(chain.certs[0].whole.p, chain.certs[0].whole.left,
                                        ATT_ROOT_HARDWARE, "lab", &b, &why),
                     0);
    assert_string_equal(b.name, "lab");
    assert_memory_equal(a.key, b.key, sizeof(a.key));

    /* A certificate that did not sign itself is no root. */
    assert_true(chain.certs[0].whole.left <= sizeof(broken));
    memcpy(broken, chain.certs[0].whole.p, chain.certs[0].whole.left);
    broken[chain.certs[0].whole.left - 1] ^= 1;
    assert_true(att_root_from_cert(broken, chain.certs[0].whole.left, ATT_ROOT_SOFTWARE, NULL, &b,
                                   &why) < 0);
    assert_int_equal(why.code, ATT_CHAIN_BROKEN);
    x509_chain_done(&chain);

    own_case("up-to-date", &c);
    assert_true(att_root_from_cert(c.signing_chain.data, c.signing_chain.size, ATT_ROOT_SOFTWARE,
                                   NULL, &b, &why) < 0);
    assert_int_equal(why.code, ATT_CHAIN_INCOMPLETE);
    assert_true(att_root_from_cert("", 0, ATT_ROOT_SOFTWARE, NULL, &b, &why) < 0);
    case_free(&c);
    free(pem.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cert_parse_reads_what_openssl_reads),
        cmocka_unit_test(test_cert_parse_reads_intels_certificates),
        cmocka_unit_test(test_chain_parse_is_strict_about_pem),
        cmocka_unit_test(test_cert_parse_keeps_to_the_profile),
        cmocka_unit_test(test_cert_parse_names_and_extensions_are_der),
        cmocka_unit_test(test_pck_parse_is_strict),
        cmocka_unit_test(test_pck_parse_without_extension_is_refused),
        cmocka_unit_test(test_crl_has_finds_exactly_the_listed),
        cmocka_unit_test(test_root_from_cert_reads_pem_and_der),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
