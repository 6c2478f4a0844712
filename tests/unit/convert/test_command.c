/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "convert/command.h"
#include "convert/elf_needs.h"
#include "convert/ld_cache.h"

/* Words joined by '|'. */
static void check_words(const char *text, const struct command *c, const char *want)
{
    char got[1024] = "";
    size_t n = 0;

    for (size_t i = 0; i < c->count; i++) {
        n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%s", i > 0 ? "|" : "", c->words[i]);
    }
    if (strcmp(got, want) != 0) {
        fail_msg("%s: got %s, want %s", text, got, want);
    }
}

static void test_split_keeps_what_quotes_hold(void **state)
{
    static const char *const cases[][2] = {{"a b", "a|b"},
                                           {"  a\t b \n", "a|b"},
                                           {"'a b' c", "a b|c"},
                                           {"a'b c'd", "ab cd"},
                                           {"\"it's\"", "it's"},
                                           {"'' \"\" x", "||x"},
                                           {"", ""},
                                           {"a\\ b", "a\\|b"},
                                           {"$HOME *", "$HOME|*"}};

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        _cleanup_command_ struct command c = {0};

        assert_int_equal(command_split(cases[i][0], &c, NULL), 0);
        check_words(cases[i][0], &c, cases[i][1]);
    }
}

static void test_split_refuses_a_lonely_quote(void **state)
{
    struct command c = {0};

    assert_int_equal(command_split("a 'b", &c, NULL), -EINVAL);
    assert_int_equal(command_split("a\"", &c, NULL), -EINVAL);
    assert_int_equal(c.count, 0);
}

static void test_split_bounds_the_words(void **state)
{
    char text[2 * (COMMAND_WORDS_MAX + 1) + 1];
    struct command c = {0};

    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        text[i] = i % 2 == 0 ? 'x' : ' ';
    }
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(command_split(text, &c, NULL), -E2BIG);
    text[sizeof(text) - 3] = '\0';
    assert_int_equal(command_split(text, &c, NULL), 0);
    assert_int_equal(c.count, COMMAND_WORDS_MAX);
    command_done(&c);
}

static void test_join_cannot_write_both_quotes_in_one_word(void **state)
{
    char word[] = "a'b\"c";
    char *words[] = {word, NULL};
    const struct command c = {.count = 1, .words = words};

    assert_null(command_join(&c));
}

static void unshell(const char *text, const char *want)
{
    char sh[] = "/bin/sh";
    char flag[] = "-c";
    _cleanup_free_ char *copy = strdup(text);
    char *words[] = {sh, flag, copy, NULL};
    const struct command c = {.count = 3, .words = words};
    _cleanup_command_ struct command call = {0};
    bool plain;

    assert_int_equal(command_unshell(&c, &plain, &call, NULL), 0);
    if (plain != (want != NULL)) {
        fail_msg("%s: %s", text, plain ? "taken for a plain call" : "not taken for a plain call");
    }
    if (plain) {
        check_words(text, &call, want);
    }
}

static void test_unshell_takes_plain_calls_alone(void **state)
{
    static const char *const shells[] = {
        "a; b",      "a && b",    "a | b",  "a > f",    "a $X",  "a `b`", "a *",
        "a ?",       "A=b c",     "a \\ b", "(a)",      "a #x",  "a ~",   "a \"$X\"",
        "a \"`x`\"", "a \"\\n\"", "a\nb",   "a !b",     "cd /x", "exec",  "exec -a x y",
        ". f",       "a {b,c}",   "a 'b",   "export A", "a [b]", "a &"};

    unshell("python3 /app/main.py", "python3|/app/main.py");
    unshell("  a   'b c' \"d e\"", "a|b c|d e");
    unshell("exec a b", "a|b");
    unshell("a '$X *;' b", "a|$X *;|b");
    unshell("a --x=1", "a|--x=1");
    for (size_t i = 0; i < ARRAY_COUNT(shells); i++) {
        unshell(shells[i], NULL);
    }
}

static int collect(void *ctx, const char *path)
{
    char *text = ctx;

    (void)snprintf(text + strlen(text), 256 - strlen(text), "%s ", path);
    return 0;
}

static void put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, sizeof(v));
}

static void test_ld_cache_finds_all_paths_of_a_name(void **state)
{
    static const char strings[] = "libx.so\0/a/libx.so\0/b/libx.so\0liby.so";
    uint8_t cache[48 + 3 * 24 + sizeof(strings)] = "glibc-ld.so.cache1.1";
    const uint32_t base = 48 + 3 * 24;
    char found[256] = "";

    put32(cache + 20, 3);
    put32(cache + 48 + 4, base);
    put32(cache + 48 + 8, base + 8);
    put32(cache + 72 + 4, base);
    put32(cache + 72 + 8, base + 19);
    put32(cache + 96 + 4, base + 30);
    put32(cache + 96 + 8, base + 8);
    memcpy(cache + base, strings, sizeof(strings));
    assert_int_equal(ld_cache_find(cache, sizeof(cache), "libx.so", collect, found), 0);
    assert_string_equal(found, "/a/libx.so /b/libx.so ");
    found[0] = '\0';
    assert_int_equal(ld_cache_find(cache, sizeof(cache), "libz.so", collect, found), 0);
    for (size_t size = 0; size < sizeof(cache) - 10; size++) { /* cut: never what is not there */
        found[0] = '\0';
        assert_int_equal(ld_cache_find(cache, size, "liby.so", collect, found), 0);
        assert_string_equal(found, "");
    }
}

static void test_elf_needs_of_this_program(void **state)
{
    FILE *f = fopen("/proc/self/exe", "rb");
    static uint8_t data[64 << 20];
    struct elf_needs needs;
    bool libc = false;
    size_t size;

    assert_non_null(f);
    size = fread(data, 1, sizeof(data), f);
    (void)fclose(f);
    assert_int_equal(elf_needs_read(data, size, &needs), 0);
    assert_non_null(needs.interpreter);
    for (size_t i = 0; i < needs.count; i++) {
        libc |= strcmp(needs.names[i], "libc.so.6") == 0;
    }
    assert_true(libc);
    data[4] = 1; /* a 32-bit file */
    assert_int_equal(elf_needs_read(data, size, &needs), -ENOEXEC);
    assert_int_equal(elf_needs_read("#!/bin/sh\n", 10, &needs), -ENOEXEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_keeps_what_quotes_hold),
        cmocka_unit_test(test_split_refuses_a_lonely_quote),
        cmocka_unit_test(test_split_bounds_the_words),
        cmocka_unit_test(test_join_cannot_write_both_quotes_in_one_word),
        cmocka_unit_test(test_unshell_takes_plain_calls_alone),
        cmocka_unit_test(test_ld_cache_finds_all_paths_of_a_name),
        cmocka_unit_test(test_elf_needs_of_this_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
