/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The head of a CAS's answer. */

#include <errno.h>
#include <string.h>

#include "agent/channel.h"
#include "unit/unit.h"

static int parse(const char *text, struct channel_answer *a, size_t *body)
{
    size_t head = 0;

    *a = (struct channel_answer){};
    *body = 0;
    return channel_parse_head(text, strlen(text), a, &head, body);
}

static void test_heads(void **state)
{
    static const struct {
        const char *text;
        int result;
        unsigned status;
        size_t body;
        unsigned retry;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1, 200, 5, 0},
        {"HTTP/1.1 200\r\ncontent-length:5\r\n\r\n", 1, 200, 5, 0},
        {"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\nX: y\r\n\r\n", 1, 503, 0, 7},
        {"HTTP/1.1 503 B\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: "
         "0\r\n\r\n",
         1, 503, 0, 0},
        {"HTTP/1.1 503 B\r\nRetry-After: 99999\r\nContent-Length: 0\r\n\r\n", 1, 503, 0, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", 0, 0, 0, 0},
        {"", 0, 0, 0, 0},
        {"HTTP/1.1 200 OK\r\n\r\n", -EBADMSG, 0, 0, 0},
        {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0, 0},
        {"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0, 0},
        {"HTTP/1.1 2000\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", -EBADMSG, 0, 0, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", -EBADMSG, 0, 0, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\n", -EBADMSG, 0, 0, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 16777216\r\n\r\n", 1, 200, 16777216, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 16777217\r\n\r\n", -EBADMSG, 0, 0, 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", -EBADMSG, 0, 0, 0},
        {"HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0, 0},
        {"\r\n\r\n", -EBADMSG, 0, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct channel_answer a;
        size_t body;

        assert_int_equal(parse(cases[i].text, &a, &body), cases[i].result);
        if (cases[i].result == 1) {
            assert_int_equal(a.status, cases[i].status);
            assert_int_equal(body, cases[i].body);
            assert_int_equal(a.retry_after, cases[i].retry);
        }
    }
}

static void test_a_head_without_end_is_refused(void **state)
{
    static char text[CHANNEL_HEAD_MAX + 2];
    struct channel_answer a = {};
    size_t head;
    size_t body;

    memset(text, 'a', sizeof(text));
    assert_int_equal(channel_parse_head(text, CHANNEL_HEAD_MAX, &a, &head, &body), 0);
    assert_int_equal(channel_parse_head(text, CHANNEL_HEAD_MAX + 1, &a, &head, &body), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_a_head_without_end_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
