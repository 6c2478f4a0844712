/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* From the CAS's document to the library OS's record, both sides together. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "libos/attest/record.h"
#include "unit/unit.h"

#define KEY  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define ROOT "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"

#define VECTOR                                                         \
    "\x6e\x61\x63\x72\x65\x2f\x70\x31\x56\x0a\x99\x17\x16\x2d\x14\x90" \
    "\xf8\x45\xb4\x15\x2d\x5f\x15\x47\x72\x7c\x3c\x6f\x6f\x2b\x6b\x85" \
    "\x40\x8d\x9a\x25\xff\x45\x8e\xa1\x4f\x9e\x7c\xce\xd2\x98\x93\xc6" \
    "\xef\x1f\xa4\xb9\x40\x1d\x3f\x5b\x81\x42\xfc\x90\x26\xc3\xc2\x33"

static const char full[] =
    "{\"version\":1,\"argv\":[\"/bin/app\",\"\",\"two words\"],"
    "\"environment\":[[\"A\",\"1\"],[\"B\",\"\"],[\"C\",\"x=y\"]],\"pwd\":\"/srv\","
    "\"sealed\":{\"key\":\"" KEY "\",\"root\":\"" ROOT "\"},"
    "\"volumes\":[{\"name\":\"v\",\"path\":\"/v\",\"key\":\"" KEY "\",\"root\":\"" ROOT "\"}],"
    "\"files\":[{\"path\":\"/f\",\"mode\":256,\"uid\":1,\"gid\":2,\"data\":\"AAEC\"},"
    "{\"path\":\"/g\",\"data\":\"\"}],"
    "\"user\":{\"uid\":10,\"gid\":20,\"groups\":[30,40]}}";

struct made {
    uint8_t *data;
    size_t size;
    struct record r;
};

/* NULL: the enclave is measured with no sealed root. */
static const uint8_t *measured;

static int make_with(const char *text, const char *const *env, size_t env_count, struct made *ret)
{
    _cleanup_error_ struct error *err = NULL;
    const char *what = NULL;
    int r = agent_answer_to_record(text, strlen(text), env, env_count, measured, &ret->data,
                                   &ret->size, &err);

    if (r < 0) {
        assert_non_null(err);
        assert_null(strstr(error_text(err), "000102")); /* a key is never quoted */
        return r;
    }
    assert_int_equal(record_parse(ret->data, ret->size, &ret->r, &what), 0);
    return 0;
}

static void done(struct made *m)
{
    agent_wipe_free(m->data, m->size);
}

static void test_a_full_answer_arrives(void **state)
{
    static const char *const host[] = {"TZ=UTC", "A=host", "AB=kept"};
    static const char *const want_env[] = {"TZ=UTC", "AB=kept", "A=1", "B=", "C=x=y"};
    struct made m;
    struct cursor c;
    struct record_volume v;
    struct record_file f;
    const char *s;

    assert_int_equal(make_with(full, host, 3, &m), 0);
    assert_int_equal(m.r.key[31], 0x1f);
    assert_int_equal(m.r.root[0], 0xff);
    assert_string_equal(m.r.pwd, "/srv");
    assert_int_equal(m.r.uid, 10);
    assert_int_equal(m.r.gid, 20);
    assert_int_equal(m.r.group_count, 2);
    assert_int_equal(m.r.groups[1], 40);
    assert_int_equal(m.r.arg_count, 3);
    c = m.r.args;
    assert_int_equal(record_next_string(&c, &s), 1);
    assert_string_equal(s, "/bin/app");
    assert_int_equal(record_next_string(&c, &s), 1);
    assert_string_equal(s, "");
    assert_int_equal(record_next_string(&c, &s), 1);
    assert_int_equal(record_next_string(&c, &s), 0);
    c = m.r.env;
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(record_next_string(&c, &s), 1);
        assert_string_equal(s, want_env[i]);
    }
    assert_int_equal(record_next_string(&c, &s), 0);
    c = m.r.volumes;
    assert_int_equal(record_next_volume(&c, &v), 1);
    assert_string_equal(v.name, "v");
    assert_string_equal(v.path, "/v");
    assert_int_equal(record_next_volume(&c, &v), 0);
    c = m.r.files;
    assert_int_equal(record_next_file(&c, &f), 1);
    assert_int_equal(f.mode, 0400);
    assert_int_equal(f.uid, 1);
    assert_int_equal(f.size, 3);
    assert_memory_equal(f.data, "\0\1\2", 3);
    assert_int_equal(record_next_file(&c, &f), 1);
    assert_int_equal(f.mode, 0700); /* nothing said: the owner alone, and that is the user */
    assert_int_equal(f.uid, 10);
    assert_int_equal(f.gid, 20);
    assert_int_equal(f.size, 0);
    assert_int_equal(record_next_file(&c, &f), 0);
    done(&m);
}

static void test_the_smallest_answer(void **state)
{
    struct made m;

    assert_int_equal(make_with("{\"version\":1,\"argv\":[\"x\"],\"pwd\":\"/\"}", NULL, 0, &m), 0);
    assert_null(m.r.key);
    assert_int_equal(m.r.uid, 0);
    assert_int_equal(m.r.env_count + m.r.file_count + m.r.volume_count, 0);
    done(&m);
}

/* The least a document can say in its size: a record is three times as long. */
static void test_many_empty_arguments(void **state)
{
    static const char head[] = "{\"version\":1,\"pwd\":\"/\",\"argv\":[\"x\"";
    char *text = malloc(sizeof(head) + AGENT_STRINGS_MAX * 3 + 2);
    char *at = text;
    struct made m;

    assert_non_null(text);
    at = stpcpy(at, head);
    for (size_t i = 1; i < AGENT_STRINGS_MAX; i++) {
        at = stpcpy(at, ",\"\"");
    }
    (void)stpcpy(at, "]}");
    assert_int_equal(make_with(text, NULL, 0, &m), 0);
    assert_int_equal(m.r.arg_count, AGENT_STRINGS_MAX);
    done(&m);
    free(text);
}

static void test_the_measured_root_completes_what_is_said(void **state)
{
    static const uint8_t root[32] = {0xab, 0xcd, [15] = 0x01, [16] = 0x77};
    static const struct {
        const char *said;
        int with;    /* an enclave that is measured with this root */
        int without; /* and one that has none */
    } cases[] = {
        {"", 0, -EKEYREJECTED},
        {",\"root\":\"abcd0000000000000000000000000001\"", 0, -EKEYREJECTED},
        {",\"root\":\"abcd0000000000000000000000000002\"", -EKEYREJECTED, -EKEYREJECTED},
        {",\"root\":\"abcd000000000000000000000000000\"", -EBADMSG, -EBADMSG},
        {",\"root\":\"xbcd0000000000000000000000000001\"", -EBADMSG, -EBADMSG},
        {",\"root\":\"\"", -EBADMSG, -EBADMSG},
        {",\"root\":1", -EBADMSG, -EBADMSG},
        {",\"root\":null", -EBADMSG, -EBADMSG},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct made m;
        char text[512];
        int r;

        (void)snprintf(text, sizeof(text),
                       "{\"version\":1,\"argv\":[\"x\"],\"pwd\":\"/\",\"sealed\":{\"key\":\"" KEY
                       "\"%s}}",
                       cases[i].said);
        measured = root;
        r = make_with(text, NULL, 0, &m);
        assert_int_equal(r, cases[i].with);
        if (r == 0) {
            assert_memory_equal(m.r.root, root, sizeof(root));
            done(&m);
        }
        measured = NULL;
        assert_int_equal(make_with(text, NULL, 0, &m), cases[i].without);
    }
}

static void test_every_cut_is_refused(void **state)
{
    for (size_t n = 0; n + 1 < sizeof(full) - 1; n++) {
        _cleanup_error_ struct error *err = NULL;
        uint8_t *data;
        size_t size;

        assert_int_equal(agent_answer_to_record(full, n, NULL, 0, NULL, &data, &size, &err),
                         -EBADMSG);
    }
}

/* A record that was changed is refused or another record, and reading it stays inside. */
static void test_every_changed_byte_of_a_record_is_read_safely(void **state)
{
    struct made m;
    struct record r;
    const char *what;

    assert_int_equal(make_with(full, NULL, 0, &m), 0);
    for (size_t i = 0; i < m.size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            uint8_t *copy = malloc(m.size);

            assert_non_null(copy);
            memcpy(copy, m.data, m.size);
            copy[i] ^= (uint8_t)(1u << bit);
            what = NULL;
            if (record_parse(copy, m.size, &r, &what) == 0) {
                assert_true(i >= sizeof(struct agent_record_header));
            } else {
                assert_non_null(what);
            }
            free(copy);
        }
    }
    for (size_t n = 0; n < m.size; n++) {
        uint8_t *copy = malloc(n + 1);

        memcpy(copy, m.data, n);
        assert_int_equal(record_parse(copy, n, &r, &what), -EBADMSG);
        free(copy);
    }
    done(&m);
}

static void test_report_data_vector(void **state)
{
    /* python3: b"nacre/p1" + sha512(b"nacre provisioning v1\0" + bytes(range(32)) + b"\3\0a/b" +
     * b"\3\0app").digest()[:56] */
    struct agent_wish w;
    uint8_t exporter[AGENT_EXPORTER_SIZE];
    uint8_t data[AGENT_REPORT_DATA_SIZE];

    for (size_t i = 0; i < sizeof(exporter); i++) {
        exporter[i] = (uint8_t)i;
    }
    assert_int_equal(agent_parse_config_id("a/b/app", &w), 0);
    agent_report_data(exporter, &w, data);
    assert_memory_equal(data, VECTOR, sizeof(data));
    assert_int_equal(agent_parse_config_id("app", &w), -EINVAL);
    assert_int_equal(agent_parse_config_id("/app", &w), -EINVAL);
    assert_int_equal(agent_parse_config_id("a/", &w), -EINVAL);
}

static void hints(const char *text, size_t size, int want)
{
    _cleanup_error_ struct error *err = NULL;
    struct agent_hints h = {.text = malloc(size), .size = size};

    memcpy(h.text, text, size);
    assert_int_equal(agent_parse_hints(&h, &err), want);
    if (want == 0) {
        assert_int_equal(h.address_count, 2);
        assert_string_equal(h.addresses[1], "[::1]:2");
        assert_string_equal(h.config_id, "a/b");
        assert_int_equal(h.timeout, 7);
        assert_int_equal(h.env_count, 1);
        assert_string_equal(h.env[0], "A=B=C");
    }
    free(h.text);
}

static void test_hints(void **state)
{
    static const char good[] =
        "cas=1.2.3.4:1\0cas=[::1]:2\0config-id=a/b\0cas-timeout=7\0env=A=B=C\0"
        "volume=x\0something=new";

    hints(good, sizeof(good), 0);
    hints(good, sizeof(good) - 1, -EINVAL); /* not terminated */
    hints("novalue", 8, -EINVAL);
    hints("cas-timeout=soon", 17, -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_answer_arrives),
        cmocka_unit_test(test_the_smallest_answer),
        cmocka_unit_test(test_many_empty_arguments),
        cmocka_unit_test(test_the_measured_root_completes_what_is_said),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_every_changed_byte_of_a_record_is_read_safely),
        cmocka_unit_test(test_report_data_vector),
        cmocka_unit_test(test_hints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
