/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/hostcalls/hostcalls_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define PASS(name, number)                                               \
    int64_t hostcall_##name(struct loader_thread *t, const uint64_t *a)  \
    {                                                                    \
        return host_syscall6((number), a[0], a[1], a[2], a[3], a[4], 0); \
    }

PASS(bind, SYS_bind)
PASS(listen, SYS_listen)
PASS(getsockname, SYS_getsockname)
PASS(getpeername, SYS_getpeername)
PASS(getsockopt, SYS_getsockopt)
PASS(setsockopt, SYS_setsockopt)
PASS(shutdown, SYS_shutdown)
PASS(epoll_ctl, SYS_epoll_ctl)

int64_t hostcall_socket(struct loader_thread *t, const uint64_t *a)
{
    return host_syscall3(SYS_socket, a[0], a[1] | SOCK_CLOEXEC, a[2]);
}

int64_t hostcall_accept(struct loader_thread *t, const uint64_t *a)
{
    return host_sleeping(t, SYS_accept4, a[0], a[1], a[2], a[3] | SOCK_CLOEXEC, 0, 0);
}

int64_t hostcall_connect(struct loader_thread *t, const uint64_t *a)
{
    return host_sleeping(t, SYS_connect, a[0], a[1], a[2], 0, 0, 0);
}

/* SIGPIPE is the enclave's to raise, from -EPIPE. */
int64_t hostcall_sendmsg(struct loader_thread *t, const uint64_t *a)
{
    return host_sleeping(t, SYS_sendmsg, a[0], a[1], a[2] | MSG_NOSIGNAL, 0, 0, 0);
}

int64_t hostcall_recvmsg(struct loader_thread *t, const uint64_t *a)
{
    return host_sleeping(t, SYS_recvmsg, a[0], a[1], a[2] | MSG_CMSG_CLOEXEC, 0, 0, 0);
}

/* What does not sleep is not turned back by a signal either: doorbells depend on it. */
int64_t hostcall_sendto(struct loader_thread *t, const uint64_t *a)
{
    if ((a[3] & MSG_DONTWAIT) != 0) {
        return host_syscall6(SYS_sendto, a[0], a[1], a[2], a[3] | MSG_NOSIGNAL, a[4], a[5]);
    }
    return host_sleeping(t, SYS_sendto, a[0], a[1], a[2], a[3] | MSG_NOSIGNAL, a[4], a[5]);
}

int64_t hostcall_recvfrom(struct loader_thread *t, const uint64_t *a)
{
    if ((a[3] & MSG_DONTWAIT) != 0) {
        return host_syscall6(SYS_recvfrom, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    return host_sleeping(t, SYS_recvfrom, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int64_t hostcall_poll(struct loader_thread *t, const uint64_t *a)
{
    const int64_t ns = (int64_t)a[2];
    struct timespec ts = host_timespec(MAX(ns, (int64_t)0));

    return host_sleeping(t, SYS_ppoll, a[0], a[1], ns < 0 ? 0 : (uint64_t)&ts, 0, 0, 0);
}

int64_t hostcall_epoll_create(struct loader_thread *t, const uint64_t *a)
{
    return host_syscall1(SYS_epoll_create1, EPOLL_CLOEXEC);
}

int64_t hostcall_epoll_wait(struct loader_thread *t, const uint64_t *a)
{
    const int64_t ns = (int64_t)a[3];
    struct timespec ts = host_timespec(MAX(ns, (int64_t)0));
    int64_t r =
        host_sleeping(t, SYS_epoll_pwait2, a[0], a[1], a[2], ns < 0 ? 0 : (uint64_t)&ts, 0, 8);

    if (r == -ENOSYS) { /* Linux before 5.11, sandboxes: whole milliseconds, rounded up */
        const int64_t ms =
            ns < 0 ? -1 : MIN(ns / 1000000 + (ns % 1000000 != 0), (int64_t)INT32_MAX);

        r = host_sleeping(t, SYS_epoll_pwait, a[0], a[1], a[2], (uint64_t)ms, 0, 8);
    }
    return r;
}

/* What the enclave would ask for next anyway. */
static int32_t read_stream(const struct epoll_event *ev, uint8_t *dst)
{
    const uint32_t ends = EPOLLERR | EPOLLHUP | EPOLLRDHUP | EPOLLPRI;

    if ((ev->data.u64 & EPOLL_READ_STREAM) == 0 || (ev->events & (EPOLLIN | ends)) != EPOLLIN) {
        return -EAGAIN;
    }
    const uint64_t fd = ev->data.u64 >> EPOLL_READ_FD_SHIFT & (EPOLL_READ_FD_MAX - 1);
    const int64_t n =
        host_syscall6(SYS_recvfrom, fd, (uint64_t)dst, EPOLL_READ_SIZE, MSG_DONTWAIT, 0, 0);

    /* The end of a stream stays where it is and is found again. */
    return n == 0 || n == -EINTR ? -EAGAIN : (int32_t)n;
}

int64_t hostcall_epoll_read(struct loader_thread *t, const uint64_t *a)
{
    const int64_t count = hostcall_epoll_wait(t, a);
    const struct epoll_event *events = (const struct epoll_event *)a[1];
    int32_t *sizes = (int32_t *)a[4];
    uint8_t *data = (uint8_t *)a[5];

    for (int64_t i = 0; i < count; i++) {
        sizes[i] = read_stream(&events[i], data + (size_t)i * EPOLL_READ_SIZE);
    }
    return count;
}

int64_t hostcall_eventfd(struct loader_thread *t, const uint64_t *a)
{
    return host_syscall2(SYS_eventfd2, a[0], a[1] | EFD_CLOEXEC);
}

int64_t hostcall_pipe(struct loader_thread *t, const uint64_t *a)
{
    return host_syscall2(SYS_pipe2, a[0], a[1] | O_CLOEXEC);
}
