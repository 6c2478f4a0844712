/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* AF_UNIX inside the enclave. */

#include <string.h>

#include "unit/libos/call.h"
#include "unit/libos/fake_host.h"
#include "unit/libos/fake_kernel.h"
#include "unit/unit.h"

struct un {
    uint16_t family;
    char path[30];
};
struct iov {
    const void *base;
    uint64_t size;
};
struct msg {
    void *name;
    uint64_t name_size;
    struct iov *iov;
    uint64_t iov_count;
    void *control;
    uint64_t control_size;
    uint64_t flags;
};

static int setup(void **state)
{
    fake_boot(-1, 1);
    return 0;
}

static int teardown(void **state)
{
    fake_shutdown();
    return 0;
}

static void test_stream_pair(void **state)
{
    char buf[16];
    int s[2];

    assert_int_equal(SYS(socketpair, 1, 1, 0, s), 0);
    assert_int_equal(SYS(write, s[0], "hello", 5), 5);
    assert_int_equal(SYS(write, s[0], "world", 5), 5);
    assert_int_equal(SYS(recvfrom, s[1], buf, 16, 2 /* PEEK */, 0, 0), 10);
    assert_int_equal(SYS(recvfrom, s[1], buf, 7, 0, 0, 0), 7);
    assert_memory_equal(buf, "hellowo", 7);
    assert_int_equal(SYS(read, s[1], buf, 16), 3);
    assert_int_equal(SYS(recvfrom, s[1], buf, 16, 0x40, 0, 0), -EAGAIN);
    assert_int_equal(SYS(shutdown, s[0], 1), 0);
    assert_int_equal(SYS(read, s[1], buf, 16), 0);
    assert_int_equal(SYS(write, s[0], "x", 1), -EPIPE);
    assert_int_equal(fake_last_signal(), 13);
    assert_int_equal(SYS(write, s[1], "back", 4), 4);
    assert_int_equal(SYS(close, s[1]), 0);
    assert_int_equal(SYS(read, s[0], buf, 16), 4);
    assert_int_equal(SYS(read, s[0], buf, 16), 0);
    assert_int_equal(SYS(sendto, s[0], "x", 1, 0x4000, 0, 0), -EPIPE);
    assert_int_equal(fake_last_signal(), 0);
    assert_int_equal(SYS(close, s[0]), 0);
}

static void serve(const struct un *name, uint32_t size, int type)
{
    struct un peer;
    uint32_t peer_size = sizeof(peer);
    char buf[16];
    int l = (int)SYS(socket, 1, type, 0);
    int c = (int)SYS(socket, 1, type, 0);

    assert_int_equal(SYS(connect, c, name, size), name->path[0] == '\0' ? -ECONNREFUSED : -ENOENT);
    assert_int_equal(SYS(bind, l, name, size), 0);
    assert_int_equal(SYS(connect, c, name, size), -ECONNREFUSED);
    assert_int_equal(SYS(listen, l, 1), 0);
    assert_int_equal(SYS(connect, c, name, size), 0);
    assert_int_equal(SYS(connect, c, name, size), -EISCONN);
    int a = (int)SYS(accept4, l, &peer, &peer_size, 0);

    assert_true(a >= 0);
    assert_int_equal(peer_size, 2);
    assert_int_equal(SYS(write, c, "ping", 4), 4);
    assert_int_equal(SYS(read, a, buf, 16), 4);
    peer_size = sizeof(peer);
    assert_int_equal(SYS(getpeername, c, &peer, &peer_size), 0);
    assert_memory_equal(&peer, name, size);
    assert_int_equal(SYS(close, l), 0);
    assert_int_equal(SYS(write, a, "pong", 4), 4);
    assert_int_equal(SYS(read, c, buf, 16), 4);
    assert_int_equal(SYS(close, a), 0);
    assert_int_equal(SYS(close, c), 0);
}

static void test_named_sockets(void **state)
{
    const struct un path = {1, "/tmp/sock"};
    const struct un abstract = {1, "\0name"};

    serve(&path, 2 + 10, 1);
    assert_int_equal(SYS(unlink, "/tmp/sock"), 0);
    serve(&path, 2 + 10, 5);
    serve(&abstract, 2 + 5, 1);
    serve(&abstract, 2 + 5, 5);
    int again = (int)SYS(socket, 1, 1, 0);

    assert_int_equal(SYS(bind, again, &path, 12), -EADDRINUSE);
    assert_int_equal(SYS(close, again), 0);
}

static void test_datagrams_keep_bounds(void **state)
{
    const struct un a = {1, "\0dgram"};
    struct un from;
    uint32_t from_size = sizeof(from);
    char buf[4];
    int rx = (int)SYS(socket, 1, 2, 0);
    int tx = (int)SYS(socket, 1, 2, 0);

    assert_int_equal(SYS(bind, rx, &a, 8), 0);
    assert_int_equal(SYS(sendto, tx, "1234567", 7, 0, &a, 8), 7);
    assert_int_equal(SYS(sendto, tx, "ab", 2, 0, &a, 8), 2);
    assert_int_equal(SYS(recvfrom, rx, buf, 4, 0x20, &from, &from_size), 7);
    assert_int_equal(from_size, 0);
    assert_int_equal(SYS(read, rx, buf, 4), 2);
    assert_int_equal(SYS(write, tx, "x", 1), -ENOTCONN);
    assert_int_equal(SYS(connect, tx, &a, 8), 0);
    assert_int_equal(SYS(write, tx, "x", 1), 1);
    assert_int_equal(SYS(close, rx), 0);
    assert_int_equal(SYS(write, tx, "x", 1), -ECONNREFUSED);
    assert_int_equal(SYS(close, tx), 0);
}

static void test_descriptors_travel(void **state)
{
    struct {
        uint64_t len;
        int32_t level, type;
        int32_t fd;
        int32_t pad;
    } c = {.len = 20, .level = 1, .type = 1};
    char byte = 'f';
    struct iov iov = {&byte, 1};
    struct msg m = {.iov = &iov, .iov_count = 1, .control = &c, .control_size = 24};
    uint64_t value = 42;
    int s[2];

    assert_int_equal(SYS(socketpair, 1, 1, 0, s), 0);
    c.fd = (int)SYS(eventfd2, 0, 0);
    assert_int_equal(SYS(write, c.fd, &value, 8), 8);
    assert_int_equal(SYS(sendmsg, s[0], &m, 0), 1);
    assert_int_equal(SYS(close, c.fd), 0);
    c.fd = -1;
    assert_int_equal(SYS(recvmsg, s[1], &m, 0x40000000), 1);
    assert_int_equal(c.type, 1);
    assert_true(c.fd >= 0);
    value = 0;
    assert_int_equal(SYS(read, c.fd, &value, 8), 8);
    assert_int_equal(value, 42);
    assert_int_equal(SYS(fcntl, c.fd, F_GETFD, 0), 1);
    /* without room they are dropped, and that is said */
    m.control_size = 24;
    assert_int_equal(SYS(sendmsg, s[0], &m, 0), 1);
    m.control_size = 0;
    assert_int_equal(SYS(recvmsg, s[1], &m, 0), 1);
    assert_int_equal(m.flags & 8, 8);
    assert_int_equal(SYS(close, c.fd), 0);
    c.fd = 99;
    m.control_size = 24;
    assert_int_equal(SYS(sendmsg, s[0], &m, 0), -EBADF);
    c.len = 4;
    assert_int_equal(SYS(sendmsg, s[0], &m, 0), -EINVAL);
    assert_int_equal(SYS(close, s[0]), 0);
    assert_int_equal(SYS(close, s[1]), 0);
}

static void test_credentials_and_options(void **state)
{
    struct {
        int32_t pid;
        uint32_t uid, gid;
    } cred;
    uint32_t size = sizeof(cred);
    int32_t v = 1;
    int s[2];

    assert_int_equal(SYS(socketpair, 1, 1, 0, s), 0);
    assert_int_equal(SYS(getsockopt, s[0], 1, 17, &cred, &size), 0);
    assert_int_equal(cred.pid, 1);
    size = 4;
    assert_int_equal(SYS(getsockopt, s[0], 1, 3, &v, &size), 0);
    assert_int_equal(v, 1);
    assert_int_equal(SYS(setsockopt, s[0], 1, 3, &v, 4), -ENOPROTOOPT);
    const int64_t tv[2] = {0, 5000};
    char c;

    assert_int_equal(SYS(setsockopt, s[0], 1, 20, tv, 16), 0);
    assert_int_equal(SYS(read, s[0], &c, 1), -EAGAIN);
    assert_int_equal(SYS(bind, 0, &c, 1), -ENOTSOCK);
    assert_int_equal(SYS(socket, 40, 1, 0), -EAFNOSUPPORT); /* AF_VSOCK */
    assert_int_equal(SYS(close, s[0]), 0);
    assert_int_equal(SYS(close, s[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stream_pair, setup, teardown),
        cmocka_unit_test_setup_teardown(test_named_sockets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_datagrams_keep_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_descriptors_travel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_credentials_and_options, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
