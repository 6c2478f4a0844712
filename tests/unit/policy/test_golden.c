/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Every tests/vectors/policy/NAME.yml against NAME.out: the diagnostics, and for good sessions the
 * canonical text and the hash. Comment lines `#% template` and `#% var NAME=VALUE` (\n for a line
 * feed) switch template variables on. NACRE_GOLDEN_UPDATE=1 writes the .out files instead; read the
 * difference before committing it.
 */

#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/hex.h"
#include "policy/policy.h"

#define CASES_MAX 512
#define VARS_MAX  16

struct vars {
    bool on;
    size_t count;
    char *items[VARS_MAX];
};

static const char *get_var(void *ctx, const char *name, size_t len)
{
    const struct vars *v = ctx;

    for (size_t i = 0; i < v->count; i++) {
        if (strncmp(v->items[i], name, len) == 0 && v->items[i][len] == '=') {
            return v->items[i] + len + 1;
        }
    }
    return NULL;
}

static void read_directives(const char *text, struct vars *v)
{
    for (const char *line = text; line != NULL && *line != '\0';) {
        const size_t len = strcspn(line, "\n");

        if (strncmp(line, "#% template", 11) == 0) {
            v->on = true;
        }
        if (strncmp(line, "#% var ", 7) == 0) {
            char *item = strndup(line + 7, len - 7);
            char *to = item;

            assert_true(v->count < VARS_MAX);
            for (const char *from = item; *from != '\0'; from++) {
                if (from[0] == '\\' && from[1] == 'n') {
                    *to++ = '\n';
                    from++;
                } else {
                    *to++ = *from;
                }
            }
            *to = '\0';
            v->on = true;
            v->items[v->count++] = item;
        }
        line = line[len] == '\n' ? line + len + 1 : NULL;
    }
}

static void print_good(const struct pol_session *s, FILE *out)
{
    _cleanup_free_ char *text = NULL;
    uint8_t hash[POL_HASH_SIZE];
    char hex[2 * POL_HASH_SIZE + 1];

    assert_int_equal(pol_print(s, 0, &text), 0);
    assert_int_equal(pol_hash(s, hash), 0);
    hex_encode(hex, hash, sizeof(hash));
    fprintf(out, "--- session hash %s\n%s", hex, text);
}

/* What was printed parses to a session that prints and hashes the same. */
static void check_round_trip(const struct pol_session *s, const char *name)
{
    _cleanup_free_ char *yaml = NULL;
    _cleanup_free_ char *json = NULL;
    const char *forms[2];
    uint8_t hash[POL_HASH_SIZE];

    assert_int_equal(pol_print(s, 0, &yaml), 0);
    assert_int_equal(pol_print_json(s, 0, 2, &json), 0);
    assert_int_equal(pol_hash(s, hash), 0);
    forms[0] = yaml;
    forms[1] = json;
    for (size_t i = 0; i < ARRAY_COUNT(forms); i++) {
        _cleanup_session_ struct pol_session *again = NULL;
        _cleanup_diags_ struct pol_diags d = {0};
        _cleanup_free_ char *text = NULL;
        uint8_t hash_again[POL_HASH_SIZE];

        if (pol_parse(forms[i], strlen(forms[i]), NULL, &d, &again) < 0) {
            pol_diags_print(&d, name, stderr);
            fail_msg("%s: its own %s does not parse:\n%s", name, i == 0 ? "text" : "JSON",
                     forms[i]);
        }
        assert_int_equal(pol_print(again, 0, &text), 0);
        assert_string_equal(text, yaml);
        assert_int_equal(pol_hash(again, hash_again), 0);
        assert_memory_equal(hash, hash_again, sizeof(hash));
    }
}

/* Withheld values must not come back as values. */
static void check_withheld(const struct pol_session *s, const char *name)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_session_ struct pol_session *again = NULL;
    _cleanup_diags_ struct pol_diags d = {0};
    bool has_values = false;

    for (size_t i = 0; i < s->secret_count; i++) {
        has_values = has_values || s->secrets[i].value != NULL;
    }
    assert_int_equal(pol_print(s, POL_PRINT_WITHHOLD, &text), 0);
    if (has_values != (pol_parse(text, strlen(text), NULL, &d, &again) < 0)) {
        fail_msg("%s: withholding values went wrong:\n%s", name, text);
    }
}

static void compare(const char *path, const char *got, size_t got_size, const char *name)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ uint8_t *want = NULL;
    size_t want_size;

    if (getenv("NACRE_GOLDEN_UPDATE") != NULL) {
        assert_int_equal(fs_write_file_atomic(path, got, got_size, 0644, NULL), 0);
        return;
    }
    if (fs_read_file(path, 4 * POL_TEXT_MAX, &want, &want_size, &err) < 0) {
        fail_msg("%s: %s", name, error_text(err));
    }
    if (want_size != got_size || memcmp(want, got, got_size) != 0) {
        fail_msg("%s: expected\n%s\nbut got\n%s", name, (char *)want, got);
    }
}

static void run_case(const char *folder, const char *name)
{
    _cleanup_session_ struct pol_session *s = NULL;
    _cleanup_diags_ struct pol_diags d = {0};
    _cleanup_free_ char *in_path = NULL;
    _cleanup_free_ char *out_path = NULL;
    _cleanup_free_ uint8_t *text = NULL;
    _cleanup_free_ char *got = NULL;
    struct vars v = {0};
    const struct pol_variables vars = {.get = get_var, .ctx = &v};
    size_t size;
    size_t got_size;
    FILE *out = open_memstream(&got, &got_size);
    int r;

    assert_true(asprintf(&in_path, "%s/%s", folder, name) > 0);
    assert_true(asprintf(&out_path, "%s/%.*s.out", folder, (int)strlen(name) - 4, name) > 0);
    assert_int_equal(fs_read_file(in_path, 2 * POL_TEXT_MAX, &text, &size, NULL), 0);
    read_directives((const char *)text, &v);
    r = pol_parse((const char *)text, size, v.on ? &vars : NULL, &d, &s);
    pol_diags_print(&d, name, out);
    assert_true(r == 0 || r == -EINVAL);
    assert_true((r < 0) == (d.errors > 0));
    if (r == 0) {
        print_good(s, out);
    }
    assert_int_equal(fclose(out), 0);
    /* Names say what is expected: bad-… fails, the others do not. */
    if ((r < 0) != (strncmp(name, "bad-", 4) == 0)) {
        fail_msg("%s: %s:\n%s", name, r < 0 ? "refused" : "accepted", got);
    }
    compare(out_path, got, got_size, name);
    if (r == 0) {
        check_round_trip(s, name);
        check_withheld(s, name);
    }
    for (size_t i = 0; i < v.count; i++) {
        free(v.items[i]);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void test_golden_all_cases_as_expected(void **state)
{
    _cleanup_free_ char *folder = NULL;
    char *names[CASES_MAX];
    size_t count = 0;
    struct dirent *e;
    DIR *dir;

    assert_true(asprintf(&folder, "%s/tests/vectors/policy", getenv("NACRE_SOURCE_ROOT")) > 0);
    dir = opendir(folder);
    assert_non_null(dir);
    while ((e = readdir(dir)) != NULL) {
        const size_t len = strlen(e->d_name);

        if (len > 4 && strcmp(e->d_name + len - 4, ".yml") == 0) {
            assert_true(count < CASES_MAX);
            names[count++] = strdup(e->d_name);
        }
    }
    closedir(dir);
    qsort(names, count, sizeof(names[0]), by_name);
    for (size_t i = 0; i < count; i++) {
        run_case(folder, names[i]);
        free(names[i]);
    }
    print_message("# %zu cases\n", count);
    assert_true(count >= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_all_cases_as_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
