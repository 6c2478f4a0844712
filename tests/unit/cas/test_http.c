/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cas/http.h"
#include "cas/peers.h"

static int parse(const char *text, struct http_request *req)
{
    size_t head;
    int r = http_parse_head(text, strlen(text), req, &head);

    if (r == 0) {
        assert_int_equal(head, strlen(text));
    }
    return r;
}

static void test_parse_good_request(void **state)
{
    struct http_request r;

    assert_int_equal(
        parse("POST /v1/sess%69ons/a%2Fb?hash=0f&x=a%20b+c&flag HTTP/1.1\r\n"
              "Host: cas:8081\r\ncontent-LENGTH: \t42 \r\nExpect: 100-Continue\r\n\r\n",
              &r),
        0);
    assert_string_equal(r.method, "POST");
    assert_string_equal(r.path, "/v1/sessions/a/b");
    assert_string_equal(http_query(&r, "hash"), "0f");
    assert_string_equal(http_query(&r, "x"), "a b c");
    assert_string_equal(http_query(&r, "flag"), "");
    assert_null(http_query(&r, "nope"));
    assert_int_equal(r.content_length, 42);
    assert_true(r.keep_alive);
    assert_true(r.expect_continue);
    assert_int_equal(parse("GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n", &r), 0);
    assert_false(r.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n", &r), 0);
    assert_false(r.keep_alive);
}

static void test_parse_every_prefix_incomplete(void **state)
{
    static const char text[] = "GET /v1/version HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n";
    struct http_request r;
    size_t head;

    for (size_t i = 0; i < strlen(text); i++) {
        assert_int_equal(http_parse_head(text, i, &r, &head), -EAGAIN);
    }
    assert_int_equal(http_parse_head(text, strlen(text), &r, &head), 0);
}

static void test_parse_limits_are_exact(void **state)
{
    char *text = malloc(2 * HTTP_HEAD_MAX);
    struct http_request r;
    size_t head;
    int n;

    for (int extra = 0; extra < 2; extra++) { /* headers: Host is one */
        n = snprintf(text, 64, "GET / HTTP/1.1\r\nHost: x\r\n");
        for (int i = 0; i < HTTP_HEADERS_MAX - 1 + extra; i++) {
            n += snprintf(text + n, 64, "A: b\r\n");
        }
        n += snprintf(text + n, 8, "\r\n");
        assert_int_equal(http_parse_head(text, (size_t)n, &r, &head), extra == 0 ? 0 : 431);
    }
    for (int extra = 0; extra < 2; extra++) { /* path */
        n = snprintf(text, 16, "GET /");
        memset(text + n, 'a', HTTP_PATH_MAX - 1 + (size_t)extra);
        n += HTTP_PATH_MAX - 1 + extra;
        n += snprintf(text + n, 64, " HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(http_parse_head(text, (size_t)n, &r, &head), extra == 0 ? 0 : 414);
    }
    for (int extra = 0; extra < 2; extra++) { /* the whole head */
        n = snprintf(text, 64, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
        memset(text + n, 'a', HTTP_HEAD_MAX);
        n = (int)HTTP_HEAD_MAX - 4 + extra;
        memcpy(text + n, "\r\n\r\n", 4);
        assert_int_equal(http_parse_head(text, (size_t)n + 4, &r, &head), extra == 0 ? 0 : 431);
    }
    for (int extra = 0; extra < 2; extra++) { /* the body's announced length */
        n = snprintf(text, 128, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                     HTTP_BODY_MAX + (size_t)extra);
        assert_int_equal(http_parse_head(text, (size_t)n, &r, &head), extra == 0 ? 0 : 413);
    }
    free(text);
}

static void test_parse_smuggling_refused(void **state)
{
    static const struct {
        const char *headers;
        int status;
    } cases[] = {
        {"Content-Length: 1\r\nContent-Length: 1\r\n", 400},
        {"Content-Length: 1, 1\r\n", 400},
        {"Content-Length: +1\r\n", 400},
        {"Content-Length: 0x1\r\n", 400},
        {"Content-Length:\r\n", 400},
        {"Content-Length : 1\r\n", 400},
        {"Transfer-Encoding: chunked\r\n", 411},
        {"Transfer-Encoding: identity\r\nContent-Length: 1\r\n", 411},
        {"A: b\r\n c\r\n", 400},
        {"A: b\nC: d\r\n", 400},
        {": b\r\n", 400},
        {"Host: y\r\n", 400},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct http_request r;
        char text[256];

        (void)snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n",
                       cases[i].headers);
        if (parse(text, &r) != cases[i].status) {
            fail_msg("%s", cases[i].headers);
        }
    }
}

/* ---- peers ---------------------------------------------------------------------------------- */

static void address(uint8_t ret[static 16], uint32_t n)
{
    memset(ret, 0, 16);
    ret[10] = 0xff;
    ret[11] = 0xff;
    memcpy(ret + 12, &n, 4);
}

static void test_peers_connections_per_address(void **state)
{
    const struct peer_limits limits = {.connections = 3, .rate = 10};
    struct peers *p = peers_new(&limits);
    uint8_t a[16];
    uint8_t b[16];

    address(a, 1);
    address(b, 2);
    for (int i = 0; i < 3; i++) {
        assert_true(peers_enter(p, a));
    }
    assert_false(peers_enter(p, a));
    assert_true(peers_enter(p, b));
    peers_leave(p, a);
    assert_true(peers_enter(p, a));
    assert_false(peers_enter(p, a));
    peers_free(p);
}

static void test_peers_rate_refills(void **state)
{
    const struct peer_limits limits = {.connections = 3, .rate = 10};
    struct peers *p = peers_new(&limits);
    uint64_t now = 1000000;
    uint8_t a[16];
    uint8_t b[16];
    int ok = 0;

    address(a, 1);
    address(b, 2);
    assert_true(peers_enter(p, a));
    for (int i = 0; i < 50; i++) {
        ok += peers_request(p, a, now);
    }
    assert_int_equal(ok, 20); /* a burst of two seconds' worth */
    assert_true(peers_request(p, b, now));
    assert_false(peers_request(p, a, now + 99));
    assert_true(peers_request(p, a, now + 100));
    assert_false(peers_request(p, a, now + 100));
    for (ok = 0; peers_request(p, a, now + 1000000); ok++) {
    }
    assert_int_equal(ok, 20);
    assert_false(peers_request(p, a, now)); /* a clock that goes back gives nothing */
    peers_free(p);
}

/* More addresses than slots: everybody who holds a connection is still counted down right. */
static void test_peers_full_table_stays_exact(void **state)
{
    const struct peer_limits limits = {.connections = 100000, .rate = 10};
    struct peers *p = peers_new(&limits);
    uint8_t a[16];

    for (uint32_t i = 0; i < 20000; i++) {
        address(a, i);
        assert_true(peers_enter(p, a));
    }
    for (uint32_t i = 0; i < 20000; i++) {
        address(a, i);
        peers_leave(p, a);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        address(a, 50000 + i);
        assert_true(peers_enter(p, a));
        assert_true(peers_request(p, a, 1));
        peers_leave(p, a);
    }
    peers_free(p);
}

static void test_peers_ipv6_sites_count_as_one(void **state)
{
    const struct peer_limits limits = {.connections = 2, .rate = 10};
    struct peers *p = peers_new(&limits);
    uint8_t a[16] = {0x20, 0x01, 0x0d, 0xb8};

    assert_true(peers_enter(p, a));
    a[15] = 1;
    assert_true(peers_enter(p, a));
    a[9] = 7;
    assert_false(peers_enter(p, a));
    a[7] = 1; /* another /64 */
    assert_true(peers_enter(p, a));
    peers_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_good_request),
        cmocka_unit_test(test_parse_every_prefix_incomplete),
        cmocka_unit_test(test_parse_limits_are_exact),
        cmocka_unit_test(test_parse_smuggling_refused),
        cmocka_unit_test(test_peers_connections_per_address),
        cmocka_unit_test(test_peers_rate_refills),
        cmocka_unit_test(test_peers_full_table_stays_exact),
        cmocka_unit_test(test_peers_ipv6_sites_count_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
