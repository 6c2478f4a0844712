/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Pipes, eventfd, timerfd, signalfd, poll and epoll: results, wake-ups between threads, exits. */

#include <linux/eventpoll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "abi/hostcall.h"
#include "unit/libos/call.h"
#include "unit/libos/fake_host.h"
#include "unit/libos/fake_kernel.h"
#include "unit/unit.h"

#include <asm/poll.h>

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

struct delayed {
    pthread_t thread;
    int fd;
    const void *data;
    size_t size;
    int close_too;
};

static void *writer(void *arg)
{
    struct delayed *d = arg;

    fake_thread_begin(2);
    (void)usleep(20000);
    if (d->size > 0) {
        assert_int_equal(SYS(write, d->fd, d->data, d->size), (int64_t)d->size);
    }
    if (d->close_too) {
        assert_int_equal(SYS(close, d->fd), 0);
    }
    fake_thread_end();
    return NULL;
}

static void start(struct delayed *d)
{
    assert_int_equal(pthread_create(&d->thread, NULL, writer, d), 0);
}

static void test_pipe_blocks_and_ends(void **state)
{
    int fds[2];
    char buf[8];

    assert_int_equal(SYS(pipe2, fds, 0), 0);
    struct delayed d = {.fd = fds[1], .data = "abc", .size = 3, .close_too = 1};

    start(&d);
    assert_int_equal(SYS(read, fds[0], buf, 8), 3);
    assert_int_equal(SYS(read, fds[0], buf, 8), 0);
    pthread_join(d.thread, NULL);
    assert_int_equal(SYS(close, fds[0]), 0);
}

static void test_pipe_full_and_broken(void **state)
{
    static char big[70000];
    int fds[2];

    assert_int_equal(SYS(pipe2, fds, O_NONBLOCK), 0);
    assert_int_equal(SYS(read, fds[0], big, 1), -EAGAIN);
    assert_int_equal(SYS(write, fds[1], big, sizeof(big)), 65536);
    assert_int_equal(SYS(write, fds[1], big, 1), -EAGAIN);
    assert_int_equal(SYS(fcntl, fds[1], F_SETPIPE_SZ, 4096), -EBUSY);
    assert_int_equal(SYS(fcntl, fds[1], F_SETPIPE_SZ, 100000), 131072);
    assert_int_equal(SYS(write, fds[1], big, 4096), 4096);
    assert_int_equal(SYS(read, fds[0], big, sizeof(big)), 69632);
    assert_int_equal(SYS(close, fds[0]), 0);
    assert_int_equal(SYS(write, fds[1], big, 1), -EPIPE);
    assert_int_equal(fake_last_signal(), 13);
    assert_int_equal(SYS(close, fds[1]), 0);
}

static void test_pipe_interrupted_by_signal(void **state)
{
    int fds[2];
    char c;

    assert_int_equal(SYS(pipe2, fds, 0), 0);
    fake_pend_signal(1);
    assert_int_equal(SYS(read, fds[0], &c, 1), -ERESTARTSYS);
    fake_pend_signal(0);
    assert_int_equal(SYS(close, fds[0]), 0);
    assert_int_equal(SYS(close, fds[1]), 0);
}

static void test_eventfd_counts(void **state)
{
    uint64_t v = 5;
    int fd = (int)SYS(eventfd2, 3, O_NONBLOCK);

    assert_int_equal(SYS(write, fd, &v, 8), 8);
    assert_int_equal(SYS(read, fd, &v, 8), 8);
    assert_int_equal(v, 8);
    assert_int_equal(SYS(read, fd, &v, 8), -EAGAIN);
    v = UINT64_MAX;
    assert_int_equal(SYS(write, fd, &v, 8), -EINVAL);
    v = UINT64_MAX - 1;
    assert_int_equal(SYS(write, fd, &v, 8), 8);
    v = 1;
    assert_int_equal(SYS(write, fd, &v, 8), -EAGAIN);
    assert_int_equal(SYS(read, fd, &v, 4), -EINVAL);
    assert_int_equal(SYS(close, fd), 0);
}

static void test_timerfd_wakes_epoll_without_thread(void **state)
{
    const int64_t spec[4] = {0, 0, 0, 15000000};
    struct epoll_event ev = {.events = EPOLLIN, .data = 7};
    uint64_t n = 0;
    int t = (int)SYS(timerfd_create, 1, 0);
    int ep = (int)SYS(epoll_create1, 0);

    assert_int_equal(SYS(epoll_ctl, ep, EPOLL_CTL_ADD, t, &ev), 0);
    assert_int_equal(SYS(timerfd_settime, t, 0, spec, 0), 0);
    assert_int_equal(SYS(epoll_wait, ep, &ev, 1, 0), 0);
    assert_int_equal(SYS(epoll_wait, ep, &ev, 1, 2000), 1);
    assert_int_equal(ev.data, 7);
    assert_int_equal(SYS(read, t, &n, 8), 8);
    assert_int_equal(n, 1);
    assert_int_equal(SYS(epoll_wait, ep, &ev, 1, 0), 0);
    assert_int_equal(SYS(close, t), 0);
    assert_int_equal(SYS(close, ep), 0);
}

static void test_epoll_modes(void **state)
{
    struct epoll_event ev = {.events = EPOLLIN, .data = 1};
    struct epoll_event out[4];
    char buf[8];
    int fds[2];
    int ep = (int)SYS(epoll_create1, 0);

    assert_int_equal(SYS(pipe2, fds, O_NONBLOCK), 0);
    assert_int_equal(SYS(epoll_ctl, ep, EPOLL_CTL_ADD, fds[0], &ev), 0);
    assert_int_equal(SYS(epoll_ctl, ep, EPOLL_CTL_ADD, fds[0], &ev), -EEXIST);
    assert_int_equal(SYS(write, fds[1], "x", 1), 1);
    assert_int_equal(SYS(epoll_wait, ep, out, 4, 0), 1); /* level: again and again */
    assert_int_equal(SYS(epoll_wait, ep, out, 4, 0), 1);
    ev.events = EPOLLIN | (uint32_t)EPOLLET;
    assert_int_equal(SYS(epoll_ctl, ep, EPOLL_CTL_MOD, fds[0], &ev), 0);
    assert_int_equal(SYS(epoll_wait, ep, out, 4, 0), 1); /* edge: once */
    assert_int_equal(SYS(epoll_wait, ep, out, 4, 0), 0);
    assert_int_equal(SYS(write, fds[1], "y", 1), 1);
    assert_int_equal(SYS(epoll_wait, ep, out, 4, 0), 1);
    ev.events = EPOLLIN | (uint32_t)EPOLLONESHOT;
    assert_int_equal(SYS(epoll_ctl, ep, EPOLL_CTL_MOD, fds[0], &ev), 0);
    assert_int_equal(SYS(epoll_wait, ep, out, 4, 0), 1);
    assert_int_equal(SYS(write, fds[1], "z", 1), 1);
    assert_int_equal(SYS(epoll_wait, ep, out, 4, 0), 0);
    assert_int_equal(SYS(read, fds[0], buf, 8), 3);
    assert_int_equal(SYS(close, fds[0]), 0); /* closing takes it out */
    assert_int_equal(SYS(epoll_ctl, ep, EPOLL_CTL_DEL, fds[0], 0), -EBADF);
    assert_int_equal(SYS(close, fds[1]), 0);
    assert_int_equal(SYS(close, ep), 0);
}

static void test_epoll_nested_and_circles(void **state)
{
    struct epoll_event ev = {.events = EPOLLIN, .data = 9};
    int a = (int)SYS(epoll_create1, 0);
    int b = (int)SYS(epoll_create1, 0);
    int e = (int)SYS(eventfd2, 0, 0);
    uint64_t one = 1;

    assert_int_equal(SYS(epoll_ctl, a, EPOLL_CTL_ADD, a, &ev), -EINVAL);
    assert_int_equal(SYS(epoll_ctl, a, EPOLL_CTL_ADD, b, &ev), 0);
    assert_int_equal(SYS(epoll_ctl, b, EPOLL_CTL_ADD, a, &ev), -ELOOP);
    assert_int_equal(SYS(epoll_ctl, b, EPOLL_CTL_ADD, e, &ev), 0);
    assert_int_equal(SYS(epoll_wait, a, &ev, 1, 0), 0);
    assert_int_equal(SYS(write, e, &one, 8), 8);
    assert_int_equal(SYS(epoll_wait, a, &ev, 1, 1000), 1);
    assert_int_equal(SYS(close, e), 0);
    assert_int_equal(SYS(close, b), 0);
    assert_int_equal(SYS(close, a), 0);
}

static void test_epoll_woken_by_other_thread(void **state)
{
    struct epoll_event ev = {.events = EPOLLIN, .data = 3};
    int fds[2];
    int ep = (int)SYS(epoll_create1, 0);

    assert_int_equal(SYS(pipe2, fds, 0), 0);
    assert_int_equal(SYS(epoll_ctl, ep, EPOLL_CTL_ADD, fds[0], &ev), 0);
    struct delayed d = {.fd = fds[1], .data = "q", .size = 1};

    start(&d);
    assert_int_equal(SYS(epoll_wait, ep, &ev, 1, 5000), 1);
    pthread_join(d.thread, NULL);
    assert_int_equal(SYS(close, fds[0]), 0);
    assert_int_equal(SYS(close, fds[1]), 0);
    assert_int_equal(SYS(close, ep), 0);
}

/* Host sockets and a pipe in one epoll: a wake from inside ends the sleep in the host. */
struct inet {
    uint16_t family, port;
    uint32_t addr;
    uint8_t zero[8];
};

static void tcp_pair(int pair[2])
{
    struct inet a = {.family = 2, .addr = 0x0100007f};
    uint32_t size = sizeof(a);
    int l = (int)SYS(socket, 2, 1, 0);

    assert_true(l >= 0);
    assert_int_equal(SYS(bind, l, &a, sizeof(a)), 0);
    assert_int_equal(SYS(listen, l, 5), 0);
    assert_int_equal(SYS(getsockname, l, &a, &size), 0);
    pair[0] = (int)SYS(socket, 2, 1, 0);
    assert_int_equal(SYS(connect, pair[0], &a, sizeof(a)), 0);
    pair[1] = (int)SYS(accept4, l, 0, 0, 0);
    assert_true(pair[1] >= 0);
    assert_int_equal(SYS(close, l), 0);
}

static void test_epoll_mixes_host_and_inside(void **state)
{
    struct epoll_event ev = {.events = EPOLLIN, .data = 1};
    struct epoll_event out[4];
    char buf[8];
    int tcp[2];
    int fds[2];
    int ep = (int)SYS(epoll_create1, 0);

    tcp_pair(tcp);
    assert_int_equal(SYS(pipe2, fds, 0), 0);
    assert_int_equal(SYS(epoll_ctl, ep, EPOLL_CTL_ADD, tcp[1], &ev), 0);
    ev.data = 2;
    assert_int_equal(SYS(epoll_ctl, ep, EPOLL_CTL_ADD, fds[0], &ev), 0);
    assert_int_equal(SYS(epoll_wait, ep, out, 4, 0), 0);
    struct delayed d = {.fd = fds[1], .data = "q", .size = 1};

    start(&d); /* from inside, while this thread sleeps in the host */
    assert_int_equal(SYS(epoll_wait, ep, out, 4, 5000), 1);
    assert_int_equal(out[0].data, 2);
    pthread_join(d.thread, NULL);
    assert_int_equal(SYS(read, fds[0], buf, 8), 1);
    struct delayed d2 = {.fd = tcp[0], .data = "tcp", .size = 3};

    start(&d2); /* from the host */
    assert_int_equal(SYS(epoll_wait, ep, out, 4, 5000), 1);
    assert_int_equal(out[0].data, 1);
    pthread_join(d2.thread, NULL);
    assert_int_equal(SYS(read, tcp[1], buf, 8), 3);
    assert_int_equal(SYS(epoll_wait, ep, out, 4, 0), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(SYS(close, tcp[i]), 0);
        assert_int_equal(SYS(close, fds[i]), 0);
    }
    assert_int_equal(SYS(close, ep), 0);
}

/* The promise in numbers: request and answer over TCP with epoll, one exit to send and one to wait,
 * the data comes with the event; nothing inside costs an exit. */
static void test_exits_per_operation(void **state)
{
    struct epoll_event ev = {.events = EPOLLIN, .data = 1};
    char buf[64] = {0};
    uint64_t one = 1;
    int tcp[2];
    int ep = (int)SYS(epoll_create1, 0);
    int e = (int)SYS(eventfd2, 0, 0);

    tcp_pair(tcp);
    assert_int_equal(SYS(epoll_ctl, ep, EPOLL_CTL_ADD, tcp[1], &ev), 0);
    assert_int_equal(SYS(write, tcp[0], buf, 64), 64); /* first leader: registers its wake */
    assert_int_equal(SYS(epoll_wait, ep, &ev, 1, 1000), 1);
    assert_int_equal(SYS(read, tcp[1], buf, 64), 64);
    uint64_t before = fake_host_calls() - fake_host_calls_of(HOSTCALL_clock_gettime);

    for (int i = 0; i < 100; i++) {
        assert_int_equal(SYS(write, tcp[0], buf, 64), 64);
        assert_int_equal(SYS(epoll_wait, ep, &ev, 1, 1000), 1);
        assert_int_equal(SYS(read, tcp[1], buf, 64), 64);
    }
    uint64_t exits = fake_host_calls() - fake_host_calls_of(HOSTCALL_clock_gettime) - before;

    assert_int_equal(exits, 200);
    before = fake_host_calls() - fake_host_calls_of(HOSTCALL_clock_gettime);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(SYS(write, e, &one, 8), 8);
        assert_int_equal(SYS(read, e, &one, 8), 8);
    }
    assert_int_equal(fake_host_calls() - fake_host_calls_of(HOSTCALL_clock_gettime), before);
    assert_int_equal(SYS(close, tcp[0]), 0);
    assert_int_equal(SYS(close, tcp[1]), 0);
    assert_int_equal(SYS(close, ep), 0);
    assert_int_equal(SYS(close, e), 0);
}

static void test_poll_and_select(void **state)
{
    struct {
        int32_t fd;
        int16_t events, revents;
    } p[3];
    uint64_t set[16] = {0};
    const int64_t tv[2] = {0, 1000};
    int64_t tv2[2] = {0, 1000};
    int fds[2];

    assert_int_equal(SYS(pipe2, fds, 0), 0);
    p[0].fd = fds[0];
    p[1].fd = fds[1];
    p[2].fd = 99;
    for (int i = 0; i < 3; i++) {
        p[i].events = POLLIN | POLLOUT;
    }
    assert_int_equal(SYS(poll, p, 3, 1000), 2);
    assert_int_equal(p[0].revents, 0);
    assert_int_equal(p[1].revents, POLLOUT);
    assert_int_equal(p[2].revents, POLLNVAL);
    p[0].events = POLLIN;
    assert_int_equal(SYS(poll, p, 1, 5), 0);
    assert_int_equal(SYS(write, fds[1], "x", 1), 1);
    assert_int_equal(SYS(poll, p, 1, -1), 1);
    assert_int_equal(p[0].revents, POLLIN);
    set[0] = 1ull << fds[0];
    assert_int_equal(SYS(select, fds[0] + 1, set, 0, 0, tv2), 1);
    assert_int_equal(set[0], 1ull << fds[0]);
    set[0] = 1ull << 60;
    assert_int_equal(SYS(select, 61, set, 0, 0, tv), -EBADF);
    assert_int_equal(SYS(close, fds[1]), 0);
    assert_int_equal(SYS(poll, p, 1, -1), 1);
    assert_int_equal(p[0].revents, POLLIN | POLLHUP);
    assert_int_equal(SYS(close, fds[0]), 0);
}

static void test_inotify_reports(void **state)
{
    char buf[512];
    int in = (int)SYS(inotify_init1, O_NONBLOCK);

    assert_int_equal(SYS(mkdir, "/watched", 0755), 0);
    assert_int_equal(SYS(inotify_add_watch, in, "/watched", 0xfff), 1);
    assert_int_equal(SYS(read, in, buf, sizeof(buf)), -EAGAIN);
    int fd = (int)SYS(open, "/watched/f", O_CREAT | O_WRONLY, 0600);

    assert_int_equal(SYS(write, fd, "x", 1), 1);
    assert_int_equal(SYS(close, fd), 0);
    assert_int_equal(SYS(rename, "/watched/f", "/watched/g"), 0);
    assert_int_equal(SYS(unlink, "/watched/g"), 0);
    const uint32_t want[] = {0x100, 0x20, 0x2, 0x8, 0x40, 0x80, 0x200};
    int64_t n = SYS(read, in, buf, sizeof(buf));
    int64_t at = 0;

    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        uint32_t mask;
        uint32_t len;

        assert_true(at < n);
        memcpy(&mask, buf + at + 4, 4);
        memcpy(&len, buf + at + 12, 4);
        assert_int_equal(mask, want[i]);
        at += 16 + len;
    }
    assert_int_equal(at, n);
    assert_int_equal(SYS(close, in), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pipe_blocks_and_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pipe_full_and_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pipe_interrupted_by_signal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_eventfd_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timerfd_wakes_epoll_without_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_epoll_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_epoll_nested_and_circles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_epoll_woken_by_other_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_epoll_mixes_host_and_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exits_per_operation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_poll_and_select, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inotify_reports, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
