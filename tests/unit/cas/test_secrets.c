/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "../policy/policy_unit.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "cas/secrets.h"

#define NOW ((int64_t)1780000000)
#define DAY ((int64_t)86400)

static const char all_kinds[] =
    "name: s\nversion: '0.3'\nsecrets:\n"
    "  - {name: a, kind: ascii, size: 5000}\n"
    "  - {name: av, kind: ascii, value: \"p\\\"w\"}\n"
    "  - {name: b, kind: binary, size: 33}\n"
    "  - {name: bv, kind: binary, value: 00ff10}\n"
    "  - {name: p256, kind: private-key}\n"
    "  - {name: p384, kind: private-key, key_type: P-384}\n"
    "  - {name: ed, kind: private-key, key_type: Ed25519}\n"
    "  - {name: rsa, kind: private-key, key_type: RSA-2048}\n"
    "  - {name: pub, kind: public-key, private_key: p384}\n"
    /* used before it is defined: order must not matter */
    "  - {name: leaf, kind: x509, private_key: p256, issuer: mid, endpoint: server,\n"
    "     dns: [api, '*.example.org'], ip: ['10.0.0.1', '2001:db8::1'], valid_for: 90 days}\n"
    "  - {name: mid, kind: x509-ca, private_key: rsa, issuer: root, common_name: Middle}\n"
    "  - {name: root, kind: x509-ca, private_key: p384, common_name: Root}\n"
    "  - {name: self, kind: x509, private_key: ed, endpoint: client}\n";

static struct cas_secrets must_make(const struct pol_session *s, const struct cas_secrets *previous,
                                    int64_t now)
{
    _cleanup_error_ struct error *err = NULL;
    struct cas_secrets set = {0};

    if (cas_secrets_make(s, previous, NULL, now, &set, &err) < 0) {
        fail_msg("%s", error_text(err));
    }
    return set;
}

static struct cas_bytes must_format(const struct pol_session *s, const struct cas_secrets *set,
                                    const char *name, enum pol_format format)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_view_ struct cas_view v = {0};
    struct cas_bytes out = {0};

    if (cas_secrets_view(s, set, NULL, pol_find_secret(s, name, strlen(name)), &v, &err) < 0 ||
        cas_secret_format(&v, format, &out, &err) < 0) {
        fail_msg("%s: %s", name, error_text(err));
    }
    return out;
}

static bool same(const struct cas_secrets *a, const struct cas_secrets *b, const char *name)
{
    const struct cas_secret *x = cas_secrets_find(a, name);
    const struct cas_secret *y = cas_secrets_find(b, name);

    assert_non_null(x);
    assert_non_null(y);
    return x->data.size == y->data.size && memcmp(x->data.p, y->data.p, x->data.size) == 0;
}

static X509 *parse_cert(const struct cas_secrets *set, const char *name)
{
    const struct cas_secret *s = cas_secrets_find(set, name);
    const unsigned char *p = s->data.p;
    X509 *cert = d2i_X509(NULL, &p, (long)s->data.size);

    assert_non_null(cert);
    return cert;
}

static void test_make_every_kind(void **state)
{
    _cleanup_session_ struct pol_session *s = must_parse(all_kinds);
    _cleanup_secrets_ struct cas_secrets set = must_make(s, NULL, NOW);
    unsigned seen[256] = {0};
    const struct cas_secret *a = cas_secrets_find(&set, "a");

    assert_int_equal(set.count, s->secret_count);
    assert_int_equal(a->data.size, 5000);
    for (size_t i = 0; i < a->data.size; i++) {
        assert_true(a->data.p[i] > 0x20 && a->data.p[i] < 0x7f);
        seen[a->data.p[i]]++;
    }
    for (unsigned c = 0x21; c < 0x7f; c++) { /* 5000/94 = 53 each: none is missing or prominent */
        assert_true(seen[c] > 10 && seen[c] < 130);
    }
    assert_string_equal((char *)cas_secrets_find(&set, "av")->data.p, "p\"w");
    assert_int_equal(cas_secrets_find(&set, "b")->data.size, 33);
    assert_int_equal(cas_secrets_find(&set, "bv")->data.size, 3);
    assert_memory_equal(cas_secrets_find(&set, "bv")->data.p, "\x00\xff\x10", 3);
    for (size_t i = 0; i < set.count; i++) {
        assert_true(set.items[i].fresh || s->secrets[i].value != NULL);
    }
}

static void test_make_certificates_verify_with_openssl(void **state)
{
    _cleanup_session_ struct pol_session *s = must_parse(all_kinds);
    _cleanup_secrets_ struct cas_secrets set = must_make(s, NULL, NOW);
    X509 *root = parse_cert(&set, "root");
    X509 *mid = parse_cert(&set, "mid");
    X509 *leaf = parse_cert(&set, "leaf");
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *chain = sk_X509_new_null();

    assert_int_equal(X509_STORE_add_cert(store, root), 1);
    assert_true(sk_X509_push(chain, mid) > 0);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, leaf, chain), 1);
    X509_STORE_CTX_set_time(ctx, 0, (time_t)NOW);
    X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
    assert_int_equal(X509_verify_cert(ctx), 1);
    X509_STORE_CTX_cleanup(ctx);
    /* A server certificate is none for clients. */
    assert_int_equal(X509_STORE_CTX_init(ctx, store, leaf, chain), 1);
    X509_STORE_CTX_set_time(ctx, 0, (time_t)NOW);
    X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT);
    assert_int_equal(X509_verify_cert(ctx), 0);
    X509_STORE_CTX_cleanup(ctx);
    /* And ends after 90 days. */
    assert_int_equal(X509_STORE_CTX_init(ctx, store, leaf, chain), 1);
    X509_STORE_CTX_set_time(ctx, 0, (time_t)(NOW + 90 * DAY + 1));
    assert_int_equal(X509_verify_cert(ctx), 0);
    assert_int_equal(X509_STORE_CTX_get_error(ctx), X509_V_ERR_CERT_HAS_EXPIRED);

    assert_int_equal(X509_check_host(leaf, "api", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(leaf, "x.example.org", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(leaf, "example.org", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(leaf, "10.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "2001:db8::1", 0), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "10.0.0.2", 0), 0);
    assert_int_equal(X509_check_ca(root), 1);
    assert_int_equal(X509_check_ca(leaf), 0);
    assert_int_equal(X509_get_version(leaf), X509_VERSION_3);

    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    sk_X509_free(chain);
    X509_free(root);
    X509_free(mid);
    X509_free(leaf);
}

static void test_update_keeps_what_did_not_change(void **state)
{
    static const char changed[] =
        "name: s\nversion: '0.3'\nsecrets:\n"
        "  - {name: a, kind: ascii, size: 5001}\n" /* changed */
        "  - {name: av, kind: ascii, value: \"p\\\"w\"}\n"
        "  - {name: b, kind: binary, size: 33, export: x}\n" /* exports change nothing */
        "  - {name: bv, kind: binary, value: 00ff11}\n"      /* changed */
        "  - {name: p256, kind: private-key}\n"
        "  - {name: p384, kind: private-key, key_type: P-384}\n"
        "  - {name: rsa, kind: private-key, key_type: RSA-2048}\n"
        "  - {name: pub, kind: public-key, private_key: p384}\n"
        "  - {name: leaf, kind: x509, private_key: p256, issuer: mid, endpoint: server,\n"
        "     dns: [api], valid_for: 90 days}\n" /* changed */
        "  - {name: mid, kind: x509-ca, private_key: rsa, issuer: root, common_name: Middle}\n"
        "  - {name: root, kind: x509-ca, private_key: p384, common_name: Root}\n"
        "  - {name: new, kind: ascii}\n"
        "  - {name: ed, kind: ascii}\n"; /* another kind */
    static const struct {
        const char *name;
        bool kept;
    } want[] = {
        {"a", false},    {"av", true},   {"b", true},    {"bv", false},
        {"p256", true},  {"p384", true}, {"rsa", true},  {"pub", true},
        {"leaf", false}, {"mid", true},  {"root", true}, {"ed", false},
    };
    _cleanup_session_ struct pol_session *s1 = must_parse(all_kinds);
    _cleanup_session_ struct pol_session *s2 = must_parse(changed);
    _cleanup_secrets_ struct cas_secrets v1 = must_make(s1, NULL, NOW);
    _cleanup_secrets_ struct cas_secrets v2 = must_make(s2, &v1, NOW + DAY);

    for (size_t i = 0; i < ARRAY_COUNT(want); i++) {
        if (same(&v1, &v2, want[i].name) != want[i].kept) {
            fail_msg("%s was %s", want[i].name, want[i].kept ? "not kept" : "kept");
        }
        assert_int_equal(cas_secrets_find(&v2, want[i].name)->fresh, !want[i].kept);
    }
    assert_null(cas_secrets_find(&v2, "self"));
    assert_non_null(cas_secrets_find(&v2, "new"));
}

static void test_update_of_a_key_takes_its_certificates_along(void **state)
{
    static const char text[] = "name: s\nversion: '0.3'\nsecrets:\n"
                               "  - {name: ck, kind: private-key%s}\n"
                               "  - {name: k, kind: private-key%s}\n"
                               "  - {name: ca, kind: x509-ca, private_key: ck}\n"
                               "  - {name: c, kind: x509, private_key: k, issuer: ca}\n"
                               "  - {name: s, kind: x509, private_key: k}\n";
    static const struct {
        const char *ck;
        const char *k;
        bool ca_kept;
        bool c_kept;
        bool s_kept;
    } cases[] = {
        {"", "", true, true, true},
        {", migrate: false", "", false, false, true},
        {"", ", migrate: false", true, false, false},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        _cleanup_free_ char *doc = NULL;
        _cleanup_session_ struct pol_session *s = NULL;
        _cleanup_secrets_ struct cas_secrets v1 = {0};
        _cleanup_secrets_ struct cas_secrets v2 = {0};
        _cleanup_secrets_ struct cas_secrets v3 = {0};

        assert_true(asprintf(&doc, text, cases[i].ck, cases[i].k) > 0);
        s = must_parse(doc);
        v1 = must_make(s, NULL, NOW);
        v2 = must_make(s, &v1, NOW);
        assert_int_equal(same(&v1, &v2, "ca"), cases[i].ca_kept);
        assert_int_equal(same(&v1, &v2, "c"), cases[i].c_kept);
        assert_int_equal(same(&v1, &v2, "s"), cases[i].s_kept);
        /* Renewal is no update: keys stay. */
        assert_int_equal(cas_secrets_renew(s, &v2, NULL, NOW, &v3, NULL), 0);
        assert_true(same(&v2, &v3, "k"));
        assert_true(same(&v2, &v3, "ck"));
        assert_true(same(&v2, &v3, "c"));
    }
}

static void test_renew_certificates_before_they_expire(void **state)
{
    _cleanup_session_ struct pol_session *s = must_parse(all_kinds);
    _cleanup_secrets_ struct cas_secrets v1 = must_make(s, NULL, NOW);
    _cleanup_secrets_ struct cas_secrets v2 = {0};
    int64_t from;
    int64_t to;

    assert_false(cas_secrets_due(&v1, NOW));
    assert_false(cas_secrets_due(&v1, NOW + 59 * DAY));
    assert_true(cas_secrets_due(&v1, NOW + 61 * DAY));
    assert_int_equal(cas_secrets_renew(s, &v1, NULL, NOW + 61 * DAY, &v2, NULL), 0);
    assert_false(cas_secrets_due(&v2, NOW + 61 * DAY));
    assert_false(same(&v1, &v2, "leaf"));
    assert_true(same(&v1, &v2, "p256"));
    assert_true(same(&v1, &v2, "mid"));
    assert_int_equal(ca_validity(&cas_secrets_find(&v2, "leaf")->data, &from, &to), 0);
    assert_int_equal(to, NOW + 151 * DAY);
    assert_true(
        ca_key_matches(&cas_secrets_find(&v2, "leaf")->data, &cas_secrets_find(&v1, "p256")->data));
    assert_true(
        ca_signed_by(&cas_secrets_find(&v2, "leaf")->data, &cas_secrets_find(&v1, "mid")->data));
    assert_false(
        ca_signed_by(&cas_secrets_find(&v2, "leaf")->data, &cas_secrets_find(&v1, "root")->data));
}

static void test_certificate_ends_with_its_issuer(void **state)
{
    _cleanup_session_ struct pol_session *s =
        must_parse("name: s\nversion: '0.3'\nsecrets:\n  - {name: k, kind: private-key}\n"
                   "  - {name: ca, kind: x509-ca, private_key: k, valid_for: 10 days}\n"
                   "  - {name: c, kind: x509, private_key: k, issuer: ca, valid_for: 90 days}\n");
    _cleanup_secrets_ struct cas_secrets v = must_make(s, NULL, NOW);
    int64_t from;
    int64_t to;

    assert_int_equal(ca_validity(&cas_secrets_find(&v, "c")->data, &from, &to), 0);
    assert_int_equal(to, NOW + 10 * DAY);
}

static void test_format_encodings_known_answers(void **state)
{
    static const struct {
        const char *hex;
        enum pol_format format;
        const char *want;
    } cases[] = {
        /* RFC 4648 section 10 */
        {"66", POL_FORMAT_BASE64, "Zg=="},
        {"666f", POL_FORMAT_BASE64, "Zm8="},
        {"666f6f", POL_FORMAT_BASE64, "Zm9v"},
        {"666f6f62", POL_FORMAT_BASE64, "Zm9vYg=="},
        {"66", POL_FORMAT_BASE32, "MY======"},
        {"666f", POL_FORMAT_BASE32, "MZXQ===="},
        {"666f6f", POL_FORMAT_BASE32, "MZXW6==="},
        {"666f6f62", POL_FORMAT_BASE32, "MZXW6YQ="},
        {"666f6f6261", POL_FORMAT_BASE32, "MZXW6YTB"},
        {"666f6f626172", POL_FORMAT_BASE32, "MZXW6YTBOI======"},
        {"666f6f626172", POL_FORMAT_BASE32NOPAD, "MZXW6YTBOI"},
        {"fbff", POL_FORMAT_BASE64, "+/8="},
        {"fbff", POL_FORMAT_BASE64URL, "-_8="},
        {"00FF10", POL_FORMAT_HEX, "00ff10"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        _cleanup_free_ char *doc = NULL;
        _cleanup_session_ struct pol_session *s = NULL;
        _cleanup_secrets_ struct cas_secrets set = {0};
        _cleanup_bytes_ struct cas_bytes out = {0};

        assert_true(asprintf(&doc,
                             "name: s\nversion: '0.3'\nsecrets:\n"
                             "  - {name: b, kind: binary, value: '%s'}\n",
                             cases[i].hex) > 0);
        s = must_parse(doc);
        set = must_make(s, NULL, NOW);
        out = must_format(s, &set, "b", cases[i].format);
        assert_string_equal((char *)out.p, cases[i].want);
        assert_int_equal(out.size, strlen(cases[i].want));
    }
}

static int count_certs(const struct cas_bytes *pem, char first_cn[static 64])
{
    BIO *bio = BIO_new_mem_buf(pem->p, (int)pem->size);
    X509 *cert;
    int count = 0;

    first_cn[0] = '\0';
    while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (count++ == 0) {
            X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, first_cn, 64);
        }
        X509_free(cert);
    }
    BIO_free(bio);
    return count;
}

static void test_format_chains_in_both_orders(void **state)
{
    _cleanup_session_ struct pol_session *s = must_parse(all_kinds);
    _cleanup_secrets_ struct cas_secrets set = must_make(s, NULL, NOW);
    _cleanup_bytes_ struct cas_bytes issuer_first = must_format(s, &set, "leaf", POL_FORMAT_CHAIN);
    _cleanup_bytes_ struct cas_bytes root_first =
        must_format(s, &set, "leaf", POL_FORMAT_CHAIN_ROOT_FIRST);
    _cleanup_bytes_ struct cas_bytes of_root = must_format(s, &set, "root", POL_FORMAT_CHAIN);
    char cn[64];

    assert_int_equal(count_certs(&issuer_first, cn), 2);
    assert_string_equal(cn, "Middle");
    assert_int_equal(count_certs(&root_first, cn), 3);
    assert_string_equal(cn, "Root");
    assert_int_equal(of_root.size, 0);
}

static void test_format_keys_readable_by_openssl(void **state)
{
    static const char *const names[] = {"p256", "p384", "ed", "rsa", "leaf"};
    _cleanup_session_ struct pol_session *s = must_parse(all_kinds);
    _cleanup_secrets_ struct cas_secrets set = must_make(s, NULL, NOW);
    _cleanup_bytes_ struct cas_bytes p12 = must_format(s, &set, "leaf", POL_FORMAT_PKCS12);
    const unsigned char *p = p12.p;
    PKCS12 *parsed = d2i_PKCS12(NULL, &p, (long)p12.size);
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    STACK_OF(X509) *chain = NULL;

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        _cleanup_bytes_ struct cas_bytes pem = must_format(s, &set, names[i], POL_FORMAT_KEY_PEM);
        _cleanup_bytes_ struct cas_bytes der = must_format(s, &set, names[i], POL_FORMAT_KEY_DER);
        BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.size);
        EVP_PKEY *k = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

        assert_non_null(k);
        EVP_PKEY_free(k);
        BIO_free(bio);
        assert_true(der.size > 40);
    }
    assert_non_null(parsed);
    assert_int_equal(PKCS12_parse(parsed, "", &key, &cert, &chain), 1);
    assert_int_equal(X509_check_private_key(cert, key), 1);
    assert_int_equal(sk_X509_num(chain), 2);
    EVP_PKEY_free(key);
    X509_free(cert);
    sk_X509_pop_free(chain, X509_free);
    PKCS12_free(parsed);
}

static char *pem_of(const struct pol_session *s, const struct cas_secrets *set, const char *name,
                    enum pol_format format)
{
    _cleanup_bytes_ struct cas_bytes pem = must_format(s, set, name, format);
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    for (const char *line = (char *)pem.p; *line != '\0';) {
        const size_t len = strcspn(line, "\n");

        fprintf(f, "      %.*s\n", (int)len, line);
        line += len + 1;
    }
    fclose(f);
    return text;
}

static void test_explicit_pem_values(void **state)
{
    _cleanup_session_ struct pol_session *from = must_parse(all_kinds);
    _cleanup_secrets_ struct cas_secrets v = must_make(from, NULL, NOW);
    _cleanup_free_ char *key = pem_of(from, &v, "p256", POL_FORMAT_KEY_PEM);
    _cleanup_free_ char *cert = pem_of(from, &v, "leaf", POL_FORMAT_CRT_PEM);
    _cleanup_free_ char *pub = pem_of(from, &v, "pub", POL_FORMAT_SPKI_PEM);
    _cleanup_free_ char *good = NULL;
    _cleanup_free_ char *bad = NULL;
    _cleanup_session_ struct pol_session *s = NULL;
    _cleanup_session_ struct pol_session *wrong = NULL;
    _cleanup_secrets_ struct cas_secrets set = {0};
    _cleanup_error_ struct error *err = NULL;

    assert_true(asprintf(&good,
                         "name: s\nversion: '0.3'\nsecrets:\n"
                         "  - name: k\n    kind: private-key\n    value: |\n%s"
                         "  - name: c\n    kind: x509\n    private_key: k\n    value: |\n%s"
                         "  - name: p\n    kind: public-key\n    value: |\n%s",
                         key, cert, pub) > 0);
    s = must_parse(good);
    set = must_make(s, NULL, NOW);
    assert_memory_equal(cas_secrets_find(&set, "k")->data.p, cas_secrets_find(&v, "p256")->data.p,
                        cas_secrets_find(&set, "k")->data.size);
    assert_memory_equal(cas_secrets_find(&set, "c")->data.p, cas_secrets_find(&v, "leaf")->data.p,
                        cas_secrets_find(&set, "c")->data.size);
    assert_memory_equal(cas_secrets_find(&set, "p")->data.p, cas_secrets_find(&v, "pub")->data.p,
                        cas_secrets_find(&set, "p")->data.size);
    /* The tampered twin: a certificate of another key. */
    assert_true(asprintf(&bad,
                         "name: s\nversion: '0.3'\nsecrets:\n"
                         "  - {name: k, kind: private-key}\n"
                         "  - name: c\n    kind: x509\n    private_key: k\n    value: |\n%s",
                         cert) > 0);
    wrong = must_parse(bad);
    cas_secrets_clear(&set);
    assert_int_equal(cas_secrets_make(wrong, NULL, NULL, NOW, &set, &err), -EINVAL);
    assert_non_null(strstr(error_text(err), "not the key of this certificate"));
}

static void test_explicit_garbage_refused(void **state)
{
    static const char *const values[] = {
        "private-key, value: '-----BEGIN PRIVATE KEY-----'",
        "public-key, value: '-----BEGIN PUBLIC KEY-----'",
        "x509, value: '-----BEGIN CERTIFICATE-----'",
    };

    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        _cleanup_free_ char *doc = NULL;
        _cleanup_session_ struct pol_session *s = NULL;
        _cleanup_error_ struct error *err = NULL;
        struct cas_secrets set;

        assert_true(asprintf(&doc, "name: s\nversion: '0.3'\nsecrets:\n  - {name: x, kind: %s}\n",
                             values[i]) > 0);
        s = must_parse(doc);
        assert_int_equal(cas_secrets_make(s, NULL, NULL, NOW, &set, &err), -EINVAL);
        assert_non_null(strstr(error_text(err), "secret 'x'"));
    }
}

/* ---- imports -------------------------------------------------------------------------------- */

struct other {
    const struct pol_session *session;
    const struct cas_secrets *set;
    bool with_key;
};

static int import(void *ctx, const struct pol_session *s, const struct pol_secret *secret,
                  struct cas_view *ret, struct error **err)
{
    const struct other *o = ctx;
    int r = cas_secrets_view(
        o->session, o->set, NULL,
        pol_find_secret(o->session, secret->import_name, strlen(secret->import_name)), ret, err);

    if (r == 0 && !o->with_key) {
        cas_bytes_clear(&ret->key);
    }
    return r;
}

static void test_imported_issuer_signs_only_with_its_key(void **state)
{
    _cleanup_session_ struct pol_session *theirs = must_parse(all_kinds);
    _cleanup_secrets_ struct cas_secrets values = must_make(theirs, NULL, NOW);
    struct other other = {.session = theirs, .set = &values, .with_key = true};
    const struct cas_imports imports = {.get = import, .ctx = &other};
    _cleanup_session_ struct pol_session *s =
        must_parse("name: mine\nversion: '0.3'\nsecrets:\n"
                   "  - {name: ca, kind: x509-ca, import: {session: s, secret: mid}}\n"
                   "  - {name: pw, import: {session: s, secret: av}}\n"
                   "  - {name: k, kind: private-key}\n"
                   "  - {name: c, kind: x509, private_key: k, issuer: ca}\n");
    _cleanup_secrets_ struct cas_secrets set = {0};
    _cleanup_error_ struct error *err = NULL;
    _cleanup_view_ struct cas_view v = {0};
    struct cas_secrets never;
    const struct cas_value_source source = {.session = s, .set = &set, .imports = &imports};
    const struct pol_values expand = {.get = cas_value_get, .ctx = (void *)(uintptr_t)&source};
    char *text = NULL;

    assert_int_equal(cas_secrets_make(s, NULL, &imports, NOW, &set, &err), 0);
    assert_int_equal(set.count, 2); /* imports have no value of their own */
    assert_int_equal(cas_secrets_view(s, &set, &imports, pol_find_secret(s, "c", 1), &v, &err), 0);
    assert_int_equal(v.chain_count, 2); /* mid and root of the other session */
    assert_true(ca_signed_by(&v.data, &v.chain[0]));
    assert_true(ca_signed_by(&v.chain[0], &v.chain[1]));

    assert_int_equal(pol_expand_string(s, "<$$SCONE::pw|escape(json)$$>", &expand, &text, &err), 0);
    assert_string_equal(text, "<p\\\"w>");
    free(text);
    assert_int_equal(pol_expand_string(s, "$$SCONE::pw:hex$$", &expand, &text, &err), -EINVAL);

    other.with_key = false;
    assert_int_equal(cas_secrets_make(s, NULL, &imports, NOW, &never, &err), -EACCES);
    assert_int_equal(cas_secrets_make(s, NULL, NULL, NOW, &never, &err), -EACCES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make_every_kind),
        cmocka_unit_test(test_make_certificates_verify_with_openssl),
        cmocka_unit_test(test_update_keeps_what_did_not_change),
        cmocka_unit_test(test_update_of_a_key_takes_its_certificates_along),
        cmocka_unit_test(test_renew_certificates_before_they_expire),
        cmocka_unit_test(test_certificate_ends_with_its_issuer),
        cmocka_unit_test(test_format_encodings_known_answers),
        cmocka_unit_test(test_format_chains_in_both_orders),
        cmocka_unit_test(test_format_keys_readable_by_openssl),
        cmocka_unit_test(test_explicit_pem_values),
        cmocka_unit_test(test_explicit_garbage_refused),
        cmocka_unit_test(test_imported_issuer_signs_only_with_its_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
