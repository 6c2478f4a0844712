/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The handshake of a fork with the host in the middle: two threads, and between them a relay that
 * does what a test asks of it. Reports are HMACs under a key of "this processor".
 */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/hmac.h"
#include "libos/proc/handshake.h"

/* Sizes of the four messages, in order of their sending. */
enum { HELLO_C, HELLO_P, REPORT_P, REPORT_C, MESSAGES };
static const size_t sizes[MESSAGES] = {
    sizeof(struct handshake_hello),
    sizeof(struct handshake_hello),
    sizeof(struct sgx_report),
    sizeof(struct sgx_report),
};

struct end {
    int fd;
    uint8_t mrenclave; /* who it is */
    uint8_t processor; /* where it runs */
    bool debug;
    int result;
    struct handshake_keys keys;
};

/* The current end, for the callbacks that get no context. */
static __thread struct end *t_end;

static int end_send(void *ctx, const void *p, size_t size)
{
    const struct end *e = ctx;

    return send(e->fd, p, size, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -EPIPE;
}

static int end_receive(void *ctx, void *p, size_t size)
{
    const struct end *e = ctx;

    return recv(e->fd, p, size, MSG_WAITALL) == (ssize_t)size ? 0 : -EPIPE;
}

static void mac_of(const struct sgx_report_body *b, uint8_t processor, uint8_t ret[16])
{
    uint8_t full[32];

    hmac_sha256(&processor, 1, b, sizeof(*b), full);
    memcpy(ret, full, 16);
}

static int end_make(const uint8_t data[static 64], struct sgx_report *ret)
{
    *ret = (struct sgx_report){0};
    memset(ret->body.mrenclave, t_end->mrenclave, 32);
    ret->body.attributes.flags = t_end->debug ? SGX_FLAGS_DEBUG : 0;
    memcpy(ret->body.report_data, data, 64);
    mac_of(&ret->body, t_end->processor, ret->mac);
    return 0;
}

static int end_check(const struct sgx_report *r, const uint8_t data[static 64])
{
    struct sgx_report own;
    uint8_t mac[16];

    (void)end_make(data, &own);
    mac_of(&r->body, t_end->processor, mac);
    return memcmp(mac, r->mac, 16) == 0 && memcmp(&r->body, &own.body, sizeof(own.body)) == 0
               ? 0
               : -EACCES;
}

static void end_random(void *dst, size_t size)
{
    static uint64_t counter;
    uint8_t block[32];
    uint64_t n;

    for (size_t at = 0; at < size; at += sizeof(block)) {
        n = __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
        hmac_sha256("test", 4, &n, sizeof(n), block);
        memcpy((uint8_t *)dst + at, block, size - at < sizeof(block) ? size - at : sizeof(block));
    }
}

static const struct handshake_world world = {
    .send = end_send,
    .receive = end_receive,
    .make_report = end_make,
    .check_report = end_check,
    .random = end_random,
};

static void *run_parent(void *arg)
{
    struct end *e = t_end = arg;

    e->result = handshake_parent(&world, e, &e->keys);
    (void)shutdown(e->fd, SHUT_RDWR);
    return NULL;
}

static void *run_child(void *arg)
{
    struct end *e = t_end = arg;

    e->result = handshake_child(&world, e, &e->keys);
    (void)shutdown(e->fd, SHUT_RDWR);
    return NULL;
}

/* What the relay does with message `number`: changes it in place; false: cuts the line. */
typedef bool relay_fn(int number, uint8_t *p, size_t size, void *arg);

static bool relay(int from, int to, int number, relay_fn *f, void *arg)
{
    uint8_t buf[512];

    return recv(from, buf, sizes[number], MSG_WAITALL) == (ssize_t)sizes[number] &&
           f(number, buf, sizes[number], arg) &&
           send(to, buf, sizes[number], MSG_NOSIGNAL) == (ssize_t)sizes[number];
}

static void exchange(struct end *parent, struct end *child, relay_fn *f, void *arg)
{
    pthread_t threads[2];
    int p[2];
    int c[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, c), 0);
    parent->fd = p[0];
    child->fd = c[0];
    assert_int_equal(pthread_create(&threads[0], NULL, run_parent, parent), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, run_child, child), 0);
    (void)(relay(c[1], p[1], HELLO_C, f, arg) && relay(p[1], c[1], HELLO_P, f, arg) &&
           relay(p[1], c[1], REPORT_P, f, arg) && relay(c[1], p[1], REPORT_C, f, arg));
    (void)shutdown(p[1], SHUT_RDWR);
    (void)shutdown(c[1], SHUT_RDWR);
    (void)pthread_join(threads[0], NULL);
    (void)pthread_join(threads[1], NULL);
    close(p[0]);
    close(p[1]);
    close(c[0]);
    close(c[1]);
}

static bool honest(int number, uint8_t *p, size_t size, void *arg)
{
    return true;
}

static void test_handshake_equal_enclaves_agree_on_fresh_keys(void **state)
{
    struct end parent = {.mrenclave = 1};
    struct end child = {.mrenclave = 1};
    struct handshake_keys first;

    exchange(&parent, &child, honest, NULL);
    assert_int_equal(parent.result, 0);
    assert_int_equal(child.result, 0);
    assert_memory_equal(&parent.keys, &child.keys, sizeof(parent.keys));
    assert_memory_not_equal(parent.keys.to_child, parent.keys.to_parent, 32);
    first = parent.keys;
    exchange(&parent, &child, honest, NULL);
    assert_memory_not_equal(&parent.keys, &first, sizeof(first));
}

struct flip {
    int number;
    size_t byte;
};

static bool flip_one(int number, uint8_t *p, size_t size, void *arg)
{
    const struct flip *f = arg;

    if (number == f->number) {
        p[f->byte] ^= 0x40;
    }
    return true;
}

/* Whatever bit is changed, the parent, who would send, refuses. */
static void test_handshake_every_changed_byte_stops_the_parent(void **state)
{
    for (int number = 0; number < MESSAGES; number++) {
        const size_t step = sizes[number] > 100 ? 7 : 1;

        for (size_t i = 0; i < sizes[number]; i += step) {
            struct end parent = {.mrenclave = 1};
            struct end child = {.mrenclave = 1};
            struct flip flip = {.number = number, .byte = i};

            /* The key id is a hint for the checker: not covered by the fake MAC. */
            if (number >= REPORT_P && i >= offsetof(struct sgx_report, key_id) &&
                i < offsetof(struct sgx_report, mac)) {
                continue;
            }
            exchange(&parent, &child, flip_one, &flip);
            assert_true(parent.result < 0);
        }
    }
}

static void test_handshake_other_identities_are_refused(void **state)
{
    struct end parent = {.mrenclave = 1};
    struct end others[] = {
        {.mrenclave = 2}, {.mrenclave = 1, .processor = 1}, {.mrenclave = 1, .debug = true}};

    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        exchange(&parent, &others[i], honest, NULL);
        assert_true(parent.result < 0);
        assert_int_equal(others[i].result, -EACCES);
    }
}

/* The host, who can run no such enclave, answers with the parent's own words. */
static bool reflect(int number, uint8_t *p, size_t size, void *arg)
{
    static uint8_t report[sizeof(struct sgx_report)];

    if (number == REPORT_P) {
        memcpy(report, p, size);
    } else if (number == REPORT_C) {
        memcpy(p, report, size);
    }
    return true;
}

static void test_handshake_a_reflected_report_is_refused(void **state)
{
    struct end parent = {.mrenclave = 1};
    struct end child = {.mrenclave = 1};

    exchange(&parent, &child, reflect, NULL);
    assert_int_equal(parent.result, -EACCES);
}

struct record {
    uint8_t messages[MESSAGES][512];
    bool replay;
    int which;
};

static bool record_or_replay(int number, uint8_t *p, size_t size, void *arg)
{
    struct record *r = arg;

    if (!r->replay) {
        memcpy(r->messages[number], p, size);
    } else if (number == r->which || r->which == MESSAGES) {
        memcpy(p, r->messages[number], size);
    }
    return true;
}

/* Messages of an earlier, honest exchange between the same two: each alone, and all of them. */
static void test_handshake_replayed_messages_are_refused(void **state)
{
    struct record r = {0};

    for (r.which = 0; r.which <= MESSAGES; r.which++) {
        struct end parent = {.mrenclave = 1};
        struct end child = {.mrenclave = 1};

        r.replay = false;
        exchange(&parent, &child, record_or_replay, &r);
        assert_int_equal(parent.result, 0);
        r.replay = true;
        exchange(&parent, &child, record_or_replay, &r);
        assert_true(parent.result < 0);
        if (r.which == HELLO_P || r.which == REPORT_P || r.which == MESSAGES) {
            assert_true(child.result < 0);
        }
    }
}

static bool own_key(int number, uint8_t *p, size_t size, void *arg)
{
    struct handshake_hello hello;
    uint8_t secret[32] = {1, 2, 3};

    if (number == HELLO_C || number == HELLO_P) {
        memcpy(&hello, p, sizeof(hello));
        x25519_public(hello.public_key, secret);
        memcpy(p, &hello, sizeof(hello));
    }
    return true;
}

static void test_handshake_a_key_of_the_host_is_refused(void **state)
{
    struct end parent = {.mrenclave = 1};
    struct end child = {.mrenclave = 1};

    exchange(&parent, &child, own_key, NULL);
    assert_true(parent.result < 0);
    assert_int_equal(child.result, -EACCES);
}

static bool cut(int number, uint8_t *p, size_t size, void *arg)
{
    return number != *(const int *)arg;
}

static void test_handshake_a_cut_line_is_an_error_at_once(void **state)
{
    for (int number = 0; number < MESSAGES; number++) {
        struct end parent = {.mrenclave = 1};
        struct end child = {.mrenclave = 1};

        exchange(&parent, &child, cut, &number);
        assert_int_equal(parent.result, -EPIPE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake_equal_enclaves_agree_on_fresh_keys),
        cmocka_unit_test(test_handshake_every_changed_byte_stops_the_parent),
        cmocka_unit_test(test_handshake_other_identities_are_refused),
        cmocka_unit_test(test_handshake_a_reflected_report_is_refused),
        cmocka_unit_test(test_handshake_replayed_messages_are_refused),
        cmocka_unit_test(test_handshake_a_key_of_the_host_is_refused),
        cmocka_unit_test(test_handshake_a_cut_line_is_an_error_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
