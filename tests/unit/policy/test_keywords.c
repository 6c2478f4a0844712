/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "policy_unit.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "policy/json.h"
#include "policy/keywords.h"

/* ast.h repeats the orders of words.tbl.h. */
static void test_words_order_as_in_ast(void **state)
{
    static const struct {
        unsigned list;
        const char *word;
        int value;
    } want[] = {
        {SCOPE_FSPF_UPDATE, "rollback_protected_reinitializable", FSPF_UPDATE_REINITIALIZABLE},
        {SCOPE_FSPF_UPDATE, "no_rollback_protection", FSPF_UPDATE_UNPROTECTED},
        {SCOPE_VOLUME_UPDATE, "rollback_protected", VOLUME_UPDATE_ROLLBACK_PROTECTED},
        {SCOPE_VOLUME_UPDATE, "ephemeral", VOLUME_UPDATE_EPHEMERAL},
        {SCOPE_VOLUME_UPDATE, "no_rollback_protection", VOLUME_UPDATE_UNPROTECTED},
        {SCOPE_SECRET_KIND, "ascii", SECRET_ASCII},
        {SCOPE_SECRET_KIND, "binary", SECRET_BINARY},
        {SCOPE_SECRET_KIND, "private-key", SECRET_PRIVATE_KEY},
        {SCOPE_SECRET_KIND, "public-key", SECRET_PUBLIC_KEY},
        {SCOPE_SECRET_KIND, "x509", SECRET_X509},
        {SCOPE_SECRET_KIND, "x509-ca", SECRET_X509_CA},
        {SCOPE_KEY_TYPE, "P-256", KEY_TYPE_P256},
        {SCOPE_KEY_TYPE, "P-384", KEY_TYPE_P384},
        {SCOPE_KEY_TYPE, "Ed25519", KEY_TYPE_ED25519},
        {SCOPE_KEY_TYPE, "RSA-2048", KEY_TYPE_RSA2048},
        {SCOPE_KEY_TYPE, "RSA-3072", KEY_TYPE_RSA3072},
        {SCOPE_KEY_TYPE, "RSA-4096", KEY_TYPE_RSA4096},
        {SCOPE_ENDPOINT, "server", ENDPOINT_SERVER},
        {SCOPE_ENDPOINT, "client", ENDPOINT_CLIENT},
        {SCOPE_ATTEST_MODE, "hardware", ATTEST_MODE_HARDWARE},
        {SCOPE_ATTEST_MODE, "software", ATTEST_MODE_SOFTWARE},
        {SCOPE_ATTEST_MODE, "none", ATTEST_MODE_NONE},
        {SCOPE_TOLERATE, "debug-mode", TOLERATE_DEBUG},
        {SCOPE_TOLERATE, "hyperthreading", TOLERATE_HYPERTHREADING},
        {SCOPE_TOLERATE, "insecure-igpu", TOLERATE_IGPU},
        {SCOPE_TOLERATE, "software-hardening-needed", TOLERATE_SW_HARDENING},
        {SCOPE_TOLERATE, "aepic-leak", TOLERATE_AEPIC_LEAK},
        {SCOPE_TOLERATE, "insecure-configuration", TOLERATE_CONFIGURATION},
        {SCOPE_TOLERATE, "outdated-tcb", TOLERATE_OUTDATED_TCB},
    };
    size_t accepted = 0;

    for (size_t i = 0; i < ARRAY_COUNT(want); i++) {
        assert_int_equal(word_find(want[i].list, want[i].word), want[i].value);
        assert_string_equal(pol_word(want[i].list, (unsigned)want[i].value), want[i].word);
    }
    /* Every accepted word is in the list above, PERSISTENCY and VOLUME_FILES apart. */
    for (unsigned list = SCOPE_COUNT; list < SCOPE_WORDS_END; list++) {
        const struct kw_word *w;

        for (size_t i = 0; (w = word_at(list, i)) != NULL; i++) {
            accepted +=
                w->refused == NULL && list != SCOPE_PERSISTENCY && list != SCOPE_VOLUME_FILES;
        }
    }
    assert_int_equal(accepted, ARRAY_COUNT(want));
}

static void test_keywords_table_consistent(void **state)
{
    for (size_t i = 0; i < KW_COUNT; i++) {
        const struct keyword *k = &keywords[i];

        assert_ptr_equal(keyword_find(k->scope, k->key), k);
        assert_true(k->since <= POL_VERSION_LAST || k->since == KW_NACRE);
        assert_true(strlen(k->summary) > 3);
        assert_non_null(strchr(shape_words(k->shape), ' ') != NULL || k->shape == SHAPE_ANY ||
                                k->shape == SHAPE_FALSE_ONLY
                            ? k
                            : NULL);
        /* Maps name the scope below them, enumerations their words. */
        if (k->shape == SHAPE_ENUM || k->shape == SHAPE_ENUMS) {
            assert_true(k->ref >= SCOPE_COUNT && k->ref < SCOPE_WORDS_END);
        } else if (k->shape == SHAPE_MAP || k->shape == SHAPE_LIST ||
                   k->shape == SHAPE_MAP_OR_LIST || k->shape == SHAPE_EXPORTS ||
                   k->shape == SHAPE_RULES) {
            assert_true(k->ref > SCOPE_NONE && k->ref < SCOPE_COUNT);
        } else {
            assert_int_equal(k->ref, SCOPE_NONE);
        }
    }
    assert_null(keyword_find(SCOPE_SESSION, "mrenclaves"));
    assert_ptr_equal(keyword_find(SCOPE_ENTITY, "require-at-least-7"),
                     &keywords[KW_ENTITY_require_at_least]);
    assert_string_equal(keyword_nearest(SCOPE_SECRET, "privat_key"), "private_key");
    assert_null(keyword_nearest(SCOPE_SECRET, "zzzzzz"));
    assert_int_equal(keyword_elsewhere(SCOPE_SESSION, "pwd"), SCOPE_SERVICE);
}

/* Every map of the schema that can be reached has every key of its scope, and every $ref leads
 * somewhere. */
static void check_refs(const json_t *root, json_t *node)
{
    const char *to = json_string_value(json_object_get(node, "$ref"));
    const char *key;
    json_t *value;
    size_t i;

    if (to != NULL) {
        assert_int_equal(strncmp(to, "#/$defs/", 8), 0);
        assert_non_null(json_object_get(json_object_get(root, "$defs"), to + 8));
    }
    json_object_foreach(node, key, value)
    {
        check_refs(root, value);
    }
    if (json_is_array(node)) {
        json_array_foreach(node, i, value)
        {
            check_refs(root, value);
        }
    }
}

static void test_schema_is_json_and_covers_every_keyword(void **state)
{
    _cleanup_free_ char *text = NULL;
    json_error_t e;
    json_t *root;
    json_t *defs;
    size_t keys = 0;
    const char *name;
    json_t *def;

    assert_int_equal(pol_schema(&text), 0);
    root = json_loads(text, 0, &e);
    assert_non_null(root);
    check_refs(root, root);
    defs = json_object_get(root, "$defs");
    assert_int_equal(json_object_size(defs), SCOPE_COUNT - 1);
    json_object_foreach(defs, name, def)
    {
        keys += json_object_size(json_object_get(def, "properties"));
        keys += json_object_size(json_object_get(def, "patternProperties"));
        assert_true(json_is_false(json_object_get(def, "additionalProperties")));
    }
    assert_int_equal(keys, KW_COUNT);
    def = json_object_get(json_object_get(defs, "session"), "properties");
    for (size_t i = 0; i < KW_COUNT; i++) {
        if (keywords[i].scope == SCOPE_SESSION) {
            const json_t *p = json_object_get(def, keywords[i].key);

            assert_non_null(p);
            assert_int_equal(json_object_get(p, "not") != NULL, keywords[i].refused != NULL);
        }
    }
    json_decref(root);
}

static void test_secret_hash_covers_what_the_value_depends_on(void **state)
{
    static const char base[] =
        "name: s\nversion: '0.3'\nsecrets:\n"
        "  - {name: k, kind: private-key}\n"
        "  - {name: ck, kind: private-key}\n"
        "  - {name: ca, kind: x509-ca, private_key: ck}\n"
        "  - {name: c, kind: x509, private_key: k, issuer: ca, dns: %s, export_public: %s}\n"
        "  - {name: a, kind: ascii, size: %s}\n";
    static const struct {
        const char *dns;
        const char *public;
        const char *size;
        bool same_c;
        bool same_a;
    } cases[] = {
        {"x", "false", "20", true, true},
        {"y", "false", "20", false, true},
        {"x", "true", "20", true, true}, /* exports change no value */
        {"x", "false", "21", true, false},
    };
    uint8_t first[2][POL_HASH_SIZE];

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        _cleanup_session_ struct pol_session *s = NULL;
        _cleanup_free_ char *text = NULL;
        uint8_t h[2][POL_HASH_SIZE];

        assert_true(asprintf(&text, base, cases[i].dns, cases[i].public, cases[i].size) > 0);
        s = must_parse(text);
        assert_int_equal(pol_secret_hash(s, pol_find_secret(s, "c", 1), h[0]), 0);
        assert_int_equal(pol_secret_hash(s, pol_find_secret(s, "a", 1), h[1]), 0);
        if (i == 0) {
            memcpy(first, h, sizeof(h));
        }
        assert_int_equal(memcmp(h[0], first[0], POL_HASH_SIZE) == 0, cases[i].same_c);
        assert_int_equal(memcmp(h[1], first[1], POL_HASH_SIZE) == 0, cases[i].same_a);
    }
}

/* A certificate made with a key is another one when the key's definition is another one. */
static void test_secret_hash_follows_references(void **state)
{
    static const char *const types[] = {"P-256", "P-384"};
    uint8_t h[2][POL_HASH_SIZE];

    for (size_t i = 0; i < 2; i++) {
        _cleanup_session_ struct pol_session *s = NULL;
        _cleanup_free_ char *text = NULL;

        assert_true(asprintf(&text,
                             "name: s\nversion: '0.3'\nsecrets:\n"
                             "  - {name: ck, kind: private-key, key_type: %s}\n"
                             "  - {name: k, kind: private-key}\n"
                             "  - {name: ca, kind: x509-ca, private_key: ck}\n"
                             "  - {name: c, kind: x509, private_key: k, issuer: ca}\n",
                             types[i]) > 0);
        s = must_parse(text);
        assert_int_equal(pol_secret_hash(s, pol_find_secret(s, "c", 1), h[i]), 0);
    }
    assert_memory_not_equal(h[0], h[1], POL_HASH_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_order_as_in_ast),
        cmocka_unit_test(test_keywords_table_consistent),
        cmocka_unit_test(test_schema_is_json_and_covers_every_keyword),
        cmocka_unit_test(test_secret_hash_covers_what_the_value_depends_on),
        cmocka_unit_test(test_secret_hash_follows_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
