/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Names to addresses: files, and a name server of our own on a socket. */

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "loader/resolve.h"
#include "unit/unit.h"

static char g_dir[64];
static char g_hosts[96];
static char g_conf[96];

static struct {
    int udp;
    int tcp;
    uint16_t port;
    pthread_t udp_thread;
    pthread_t tcp_thread;
    unsigned asked;
} g_server;

/* "a.b" in the labels of a message, as text. */
static void read_name(const uint8_t *p, char *dst)
{
    while (*p != 0) {
        memcpy(dst, p + 1, *p);
        dst += *p;
        *dst++ = '.';
        p += *p + 1;
    }
    dst[-1] = '\0';
}

/* cas.example and cas.in.cluster have addresses, slow.example needs TCP, broken.example a bad
 * answer first; everything else does not exist. */
static size_t answer(const uint8_t *q, size_t size, uint8_t *a, bool tcp)
{
    const uint16_t type = q[size - 3];
    static const uint8_t v4[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 7};
    static const uint8_t v6[] = {0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16, 0xfd, 0,
                                 0,    0,  0, 0,  0, 0, 0, 0, 0, 0,  0, 0,  0,    9};
    char name[256];

    __atomic_add_fetch(&g_server.asked, 1, __ATOMIC_RELAXED);
    read_name(q + 12, name);
    memcpy(a, q, size);
    a[2] = 0x81;
    a[3] = 0x80;
    if (strcmp(name, "slow.example") == 0 && !tcp) {
        a[2] |= 0x02; /* truncated */
        return size;
    }
    if (strcmp(name, "cas.example") != 0 && strcmp(name, "cas.in.cluster") != 0 &&
        strcmp(name, "slow.example") != 0) {
        a[3] |= 3;
        return size;
    }
    a[7] = 1;
    memcpy(a + size, type == 1 ? v4 : v6, type == 1 ? sizeof(v4) : sizeof(v6));
    return size + (type == 1 ? sizeof(v4) : sizeof(v6));
}

static void *serve_udp(void *arg)
{
    for (;;) {
        struct sockaddr_in from;
        socklen_t from_size = sizeof(from);
        uint8_t q[512];
        uint8_t a[1024];
        ssize_t n = recvfrom(g_server.udp, q, sizeof(q), 0, (struct sockaddr *)&from, &from_size);
        size_t size;

        if (n <= 0) {
            return NULL;
        }
        size = answer(q, (size_t)n, a, false);
        a[0] ^= 1; /* somebody else's answer comes first */
        (void)sendto(g_server.udp, a, size, 0, (struct sockaddr *)&from, from_size);
        a[0] ^= 1;
        (void)sendto(g_server.udp, a, size, 0, (struct sockaddr *)&from, from_size);
    }
}

static void *serve_tcp(void *arg)
{
    for (;;) {
        uint8_t q[512];
        uint8_t a[1024];
        int fd = accept(g_server.tcp, NULL, NULL);
        ssize_t n = fd < 0 ? -1 : recv(fd, q, sizeof(q), 0);
        size_t size;

        if (fd < 0) {
            return NULL;
        }
        if (n > 14) {
            size = answer(q + 2, (size_t)n - 2, a + 2, true);
            a[0] = (uint8_t)(size >> 8);
            a[1] = (uint8_t)size;
            (void)send(fd, a, 1, MSG_NOSIGNAL); /* in pieces */
            (void)send(fd, a + 1, size + 1, MSG_NOSIGNAL);
        }
        (void)close(fd);
    }
}

static void start_server(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);

    /* One port of both kinds: somebody may have the other. */
    for (int tries = 0; tries < 50; tries++) {
        g_server.udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        at.sin_port = 0;
        assert_int_equal(bind(g_server.udp, (struct sockaddr *)&at, sizeof(at)), 0);
        assert_int_equal(getsockname(g_server.udp, (struct sockaddr *)&at, &size), 0);
        g_server.tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(g_server.tcp, (struct sockaddr *)&at, sizeof(at)) == 0) {
            break;
        }
        (void)close(g_server.udp);
        (void)close(g_server.tcp);
    }
    g_server.port = ntohs(at.sin_port);
    assert_int_equal(listen(g_server.tcp, 4), 0);
    assert_int_equal(pthread_create(&g_server.udp_thread, NULL, serve_udp, NULL), 0);
    assert_int_equal(pthread_create(&g_server.tcp_thread, NULL, serve_tcp, NULL), 0);
}

static int setup(void **state)
{
    static const char hosts[] = "# comment\n127.0.0.1 localhost\n10.1.1.1\tdb other # x\n"
                                "fd00::1 db\nnonsense db\n";
    static const char conf[] = "# c\nnameserver 127.0.0.1\nsearch example in.cluster\n"
                               "options ndots:2 timeout:1\n";

    (void)snprintf(g_dir, sizeof(g_dir), "/tmp/nacre-test-resolve-XXXXXX");
    assert_non_null(mkdtemp(g_dir));
    (void)snprintf(g_hosts, sizeof(g_hosts), "%s/hosts", g_dir);
    (void)snprintf(g_conf, sizeof(g_conf), "%s/conf", g_dir);
    assert_int_equal(fs_write_file_atomic(g_hosts, hosts, sizeof(hosts) - 1, 0600, NULL), 0);
    assert_int_equal(fs_write_file_atomic(g_conf, conf, sizeof(conf) - 1, 0600, NULL), 0);
    start_server();
    return 0;
}

static int teardown(void **state)
{
    (void)shutdown(g_server.udp, SHUT_RDWR);
    (void)shutdown(g_server.tcp, SHUT_RDWR);
    (void)pthread_join(g_server.udp_thread, NULL);
    (void)pthread_join(g_server.tcp_thread, NULL);
    (void)close(g_server.udp);
    (void)close(g_server.tcp);
    (void)unlink(g_hosts);
    (void)unlink(g_conf);
    (void)rmdir(g_dir);
    return 0;
}

/* All addresses of a name, one behind the other; "" when it fails, with *ret_result. */
static const char *resolve(const char *name, int *ret_result)
{
    const struct resolve_files files = {
        .hosts = g_hosts, .resolv_conf = g_conf, .dns_port = g_server.port, .timeout_ms = 500};
    _cleanup_error_ struct error *err = NULL;
    struct resolve_address found[RESOLVE_MAX];
    static char text[512];

    text[0] = '\0';
    *ret_result = resolve_name(&files, name, 99, found, &err);
    for (int i = 0; i < *ret_result; i++) {
        char one[80];

        resolve_format(&found[i], one, sizeof(one));
        strncat(text, one, sizeof(text) - strlen(text) - 1);
        strncat(text, " ", sizeof(text) - strlen(text) - 1);
    }
    if (*ret_result < 0) {
        assert_non_null(strstr(error_text(err), name));
    }
    return text;
}

static void test_numbers_and_hosts_ask_nobody(void **state)
{
    const unsigned before = g_server.asked;
    int r;

    assert_string_equal(resolve("192.0.2.1", &r), "192.0.2.1:99 ");
    assert_string_equal(resolve("::1", &r), "[::1]:99 ");
    assert_string_equal(resolve("db", &r), "10.1.1.1:99 [fd00::1]:99 ");
    assert_string_equal(resolve("DB", &r), "10.1.1.1:99 [fd00::1]:99 ");
    assert_string_equal(resolve("localhost", &r), "127.0.0.1:99 ");
    assert_int_equal(g_server.asked, before);
}

static void test_dns(void **state)
{
    int r;

    assert_string_equal(resolve("cas.example.", &r), "10.0.0.7:99 [fd00::9]:99 ");
    /* one dot is fewer than ndots: the search list first, then as it is */
    assert_string_equal(resolve("cas.example", &r), "10.0.0.7:99 [fd00::9]:99 ");
    assert_string_equal(resolve("cas.in", &r), "");
    assert_string_equal(resolve("cas", &r), "10.0.0.7:99 [fd00::9]:99 ");
    assert_string_equal(resolve("slow.example.", &r), "10.0.0.7:99 [fd00::9]:99 "); /* by TCP */
    assert_string_equal(resolve("nobody.example", &r), "");
    assert_int_equal(r, -ENOENT);
    assert_string_equal(resolve("a..b", &r), "");
    assert_int_equal(r, -ENOENT);
}

static void test_split(void **state)
{
    static const struct {
        const char *text;
        int result;
        const char *host;
        uint16_t port;
    } cases[] = {
        {"cas", 0, "cas", 7},
        {"cas:1", 0, "cas", 1},
        {"cas.example:65535", 0, "cas.example", 65535},
        {"[::1]", 0, "::1", 7},
        {"[::1]:80", 0, "::1", 80},
        {"fd00::1", 0, "fd00::1", 7},
        {"", -EINVAL, NULL, 0},
        {":80", -EINVAL, NULL, 0},
        {"cas:", -EINVAL, NULL, 0},
        {"cas:0", -EINVAL, NULL, 0},
        {"cas:65536", -EINVAL, NULL, 0},
        {"cas:80x", -EINVAL, NULL, 0},
        {"cas:-1", -EINVAL, NULL, 0},
        {"[::1", -EINVAL, NULL, 0},
        {"[::1]x", -EINVAL, NULL, 0},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        _cleanup_error_ struct error *err = NULL;
        char host[256];
        uint16_t port;

        assert_int_equal(resolve_split(cases[i].text, 7, host, &port, &err), cases[i].result);
        if (cases[i].result == 0) {
            assert_string_equal(host, cases[i].host);
            assert_int_equal(port, cases[i].port);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_and_hosts_ask_nobody),
        cmocka_unit_test(test_dns),
        cmocka_unit_test(test_split),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
