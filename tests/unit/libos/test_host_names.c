/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "libos/net/host_names.h"

#define OURS "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"

static void becomes(void (*make)(const char *, struct strbuf *), const char *from, const char *to)
{
    struct strbuf out = {0};

    make(from, &out);
    assert_false(out.failed);
    assert_string_equal(out.len == 0 ? "" : out.s, to);
    strbuf_free(&out);
}

static void test_hosts_keeps_what_is_well_formed(void **state)
{
    becomes(host_names_hosts, NULL, OURS);
    becomes(host_names_hosts, "", OURS);
    becomes(host_names_hosts, "10.0.0.5 redis redis.shop # the store\n\n#c\n172.17.0.2\tapi",
            OURS "10.0.0.5\tredis redis.shop\n172.17.0.2\tapi\n");
    becomes(host_names_hosts, "fe80::1 a_b\nff02::2\tip6-allrouters\r\n2001:db8::1:2 x",
            OURS "fe80::1\ta_b\nff02::2\tip6-allrouters\n2001:db8::1:2\tx\n");
}

static void test_hosts_drops_the_rest(void **state)
{
    static const char *const bad[] = {"1.2.3 a",
                                      "1.2.3.4.5 a",
                                      "256.1.1.1 a",
                                      "1.2.3.4",
                                      ".1.2.3.4 a",
                                      "1..2.3 a",
                                      "a b",
                                      "1:2:3 a",
                                      "::1::2 a",
                                      ":1 a",
                                      "1:2:3:4:5:6:7:8:9 a",
                                      "12345::1 a",
                                      "1:2:3:4:5:6:7: a",
                                      "1.2.3.4 a/b",
                                      "1.2.3.4 -a",
                                      "1.2.3.4 .a",
                                      "1.2.3.4 \x80",
                                      "1.2.3.4 a\x01",
                                      "::ffff:1.2.3.4 a",
                                      "1.2.3.4 #a",
                                      "1.2.3.4 ;a",
                                      "1.2.3.1234 a"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        becomes(host_names_hosts, bad[i], OURS);
    }
    /* A bad name does not cost its neighbours. */
    becomes(host_names_hosts, "1.2.3.4 a/b good", OURS "1.2.3.4\tgood\n");
}

static void test_localhost_is_always_this_machine(void **state)
{
    becomes(host_names_hosts, "10.9.9.9 localhost\n10.9.9.9 evil localhost ip6-loopback",
            OURS "10.9.9.9\tevil\n");
}

static void test_resolv(void **state)
{
    becomes(host_names_resolv, NULL, "");
    becomes(host_names_resolv,
            "# made by docker\nnameserver 127.0.0.11\nsearch a.example b.example\n"
            "options ndots:0 edns0 trust-ad evil:1 timeout:x attempts:999 attempts:2\n",
            "nameserver 127.0.0.11\nsearch a.example b.example\n"
            "options ndots:0 edns0 trust-ad attempts:2\n");
    becomes(host_names_resolv,
            "nameserver 1.1.1.1\nnameserver ::1\nnameserver x\nnameserver\n"
            "nameserver 2.2.2.2\nnameserver 3.3.3.3\ndomain one two\nsortlist 1.2.3.4\n",
            "nameserver 1.1.1.1\nnameserver ::1\nnameserver 2.2.2.2\ndomain one\n");
    becomes(host_names_resolv, "search a b c d e f g h\noptions evil\nsearch /",
            "search a b c d e f\n");
}

static void test_long_input_is_cut(void **state)
{
    const size_t size = 4 * HOST_NAMES_TEXT_MAX;
    char *text = malloc(size + 1);
    struct strbuf out = {0};

    assert_non_null(text);
    memset(text, 'a', size);
    text[size] = '\0';
    memcpy(text, "1.2.3.4 ", 8);
    becomes(host_names_hosts, text, OURS);
    for (size_t i = 0; i + 10 <= size; i += 10) {
        memcpy(text + i, "1.2.3.4 b\n", 10);
    }
    host_names_hosts(text, &out);
    assert_int_equal(out.len, strlen(OURS) + 10 * (size_t)HOST_NAMES_LINES_MAX);
    strbuf_free(&out);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_keeps_what_is_well_formed),
        cmocka_unit_test(test_hosts_drops_the_rest),
        cmocka_unit_test(test_localhost_is_always_this_machine),
        cmocka_unit_test(test_resolv),
        cmocka_unit_test(test_long_input_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
