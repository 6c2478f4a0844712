/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Sockets of the host. The network is the adversary's anyway: contents, peers and order are his to
 * choose, and TLS is the application's answer. Checked here: descriptors, counts, the sizes of
 * addresses and options, and that readiness is a subset of what was asked for.
 */

#include <linux/eventpoll.h>

#include "libos/host/host.h"
#include "libos/host/host_io.h"
#include "libos/host/host_mem.h"
#include "libos/mm/kmem.h"
#include "libos/proc/wait.h"

#define ADDR_MAX     128u /* struct sockaddr_storage */
#define OPTION_MAX   4096u
#define MSG_TRUNC_   0x20
#define POLL_ALWAYS  0x38 /* POLLERR | POLLHUP | POLLNVAL */
#define EPOLL_ALWAYS ((uint32_t)EPOLLERR | (uint32_t)EPOLLHUP)

static uint64_t word(int v)
{
    return (uint64_t)(int64_t)v;
}

int host_socket(int family, int type, int protocol)
{
    return host_fd_opened(
        host_call(HOSTCALL_socket, word(family), word(type), word(protocol), 0, 0, 0));
}

static int give_address(enum hostcall number, int fd, const void *addr, uint32_t size)
{
    _cleanup_bounce_ struct bounce b = {0};

    if (size > ADDR_MAX) {
        return -EINVAL;
    }
    b = bounce_take(MAX(size, 8u), MAX(size, 8u));
    if (b.p == NULL) {
        return -ENOMEM;
    }
    host_copy_out(b.p, addr, size);
    return host_status(host_call(number, word(fd), (uintptr_t)b.p, size, 0, 0, 0));
}

int host_bind(int fd, const void *addr, uint32_t size)
{
    return give_address(HOSTCALL_bind, fd, addr, size);
}

int host_connect(int fd, const void *addr, uint32_t size)
{
    return give_address(HOSTCALL_connect, fd, addr, size);
}

int host_listen(int fd, int backlog)
{
    return host_status(host_call(HOSTCALL_listen, word(fd), word(backlog), 0, 0, 0, 0));
}

/* An address the host fills in: struct {uint32_t size; uint8_t addr[]} in the bounce area. */
struct address_out {
    uint32_t size;
    uint32_t pad;
    uint8_t addr[ADDR_MAX];
};

static void address_prepare(struct bounce *b)
{
    struct address_out *out = (struct address_out *)(void *)b->p;

    host_copy_out(out, &(uint64_t){ADDR_MAX}, 8);
}

/* The true size may exceed the capacity (Linux says so too), but not what a sockaddr can be. */
static int address_take(const struct bounce *b, void *addr, uint32_t *size)
{
    const struct address_out *out = (const struct address_out *)(const void *)b->p;
    uint64_t claimed = 0;

    if (size == NULL) {
        return 0;
    }
    host_copy_in(&claimed, out, 8);
    uint32_t n = (uint32_t)claimed;

    if (n > ADDR_MAX) {
        return -EIO;
    }
    if (addr != NULL) {
        host_copy_in(addr, out->addr, MIN(n, *size));
    }
    *size = n;
    return 0;
}

/* A new connection: a descriptor we do not hold, and an address of possible size. */
int host_accept(int fd, void *addr, uint32_t *size, int flags)
{
    _cleanup_bounce_ struct bounce b =
        bounce_take(sizeof(struct address_out), sizeof(struct address_out));

    if (b.p == NULL) {
        return -ENOMEM;
    }
    address_prepare(&b);
    int r = host_fd_opened(host_call(HOSTCALL_accept, word(fd),
                                     (uintptr_t)b.p + offsetof(struct address_out, addr),
                                     (uintptr_t)b.p, word(flags), 0, 0));

    if (r >= 0 && address_take(&b, addr, size) < 0) {
        (void)host_close(r);
        return -EIO;
    }
    return r;
}

static int ask_address(enum hostcall number, int fd, void *addr, uint32_t *size)
{
    _cleanup_bounce_ struct bounce b =
        bounce_take(sizeof(struct address_out), sizeof(struct address_out));

    if (b.p == NULL) {
        return -ENOMEM;
    }
    address_prepare(&b);
    int r =
        host_status(host_call(number, word(fd), (uintptr_t)b.p + offsetof(struct address_out, addr),
                              (uintptr_t)b.p, 0, 0, 0));

    return r < 0 ? r : address_take(&b, addr, size);
}

int host_getsockname(int fd, void *addr, uint32_t *size)
{
    return ask_address(HOSTCALL_getsockname, fd, addr, size);
}

int host_getpeername(int fd, void *addr, uint32_t *size)
{
    return ask_address(HOSTCALL_getpeername, fd, addr, size);
}

/* The value is at most as long as asked for. Starts from the caller's bytes: some options read
 * their argument. */
int host_getsockopt(int fd, int level, int option, void *val, uint32_t *size)
{
    uint32_t cap = MIN(*size, OPTION_MAX);
    _cleanup_bounce_ struct bounce b = bounce_take((size_t)cap + 16, (size_t)cap + 16);
    uint64_t claimed = cap;

    if (b.p == NULL) {
        return -ENOMEM;
    }
    host_copy_out(b.p, &claimed, 8);
    host_copy_out(b.p + 8, val, cap);
    int r = host_status(host_call(HOSTCALL_getsockopt, word(fd), word(level), word(option),
                                  (uintptr_t)b.p + 8, (uintptr_t)b.p, 0));

    if (r < 0) {
        return r;
    }
    host_copy_in(&claimed, b.p, 8);
    if ((uint32_t)claimed > cap) {
        return -EIO;
    }
    host_copy_in(val, b.p + 8, (uint32_t)claimed);
    *size = (uint32_t)claimed;
    return 0;
}

int host_setsockopt(int fd, int level, int option, const void *val, uint32_t size)
{
    _cleanup_bounce_ struct bounce b = {0};

    if (size > OPTION_MAX) {
        return -EINVAL;
    }
    b = bounce_take(MAX(size, 8u), MAX(size, 8u));
    if (b.p == NULL) {
        return -ENOMEM;
    }
    host_copy_out(b.p, val, size);
    return host_status(host_call(HOSTCALL_setsockopt, word(fd), word(level), word(option),
                                 (uintptr_t)b.p, size, 0));
}

int host_shutdown(int fd, int how)
{
    return host_status(host_call(HOSTCALL_shutdown, word(fd), word(how), 0, 0, 0, 0));
}

/* The address must lie wholly outside the enclave; what lies there may be anything, at any time,
 * and may be seen and changed by anybody. */
static int shared_memory(enum hostcall number, int fd, uint64_t size, void **ret)
{
    int64_t r = host_call(number, word(fd), size, 0, 0, 0, 0);

    if (r < 0) {
        return (int)r;
    }
    void *p = (void *)(uintptr_t)r; /* a claim, checked next */

    if (!host_range_outside(p, size) || !is_page_aligned((uint64_t)r)) {
        return -EIO;
    }
    *ret = p;
    return 0;
}

int host_share_offer(int fd, uint64_t size, void **ret)
{
    return shared_memory(HOSTCALL_share_offer, fd, size, ret);
}

int host_share_take(int fd, uint64_t size, void **ret)
{
    return shared_memory(HOSTCALL_share_take, fd, size, ret);
}

/* The count must not exceed what was given. */
int64_t host_send_iter(int fd, struct iter *from, int flags, const void *addr, uint32_t addr_size)
{
    struct iter saved = *from;
    _cleanup_bounce_ struct bounce a = bounce_take(ADDR_MAX, ADDR_MAX);
    _cleanup_bounce_ struct bounce b =
        bounce_take(MAX(MIN(from->left, HOSTCALL_BUFFER_SIZE), 8ul), 8);

    if (a.p == NULL || b.p == NULL || addr_size > ADDR_MAX) {
        return addr_size > ADDR_MAX ? -EINVAL : -ENOMEM;
    }
    size_t want = MIN(from->left, b.size);
    size_t n = iter_to_bounce(from, b.p, want);

    if (n < want) {
        iter_restore(from, &saved);
        return -EFAULT;
    }
    if (addr != NULL) {
        host_copy_out(a.p, addr, addr_size);
    }
    int64_t r =
        host_count(host_call(HOSTCALL_sendto, word(fd), (uintptr_t)b.p, n, word(flags),
                             addr == NULL ? 0 : (uintptr_t)a.p, addr == NULL ? 0 : addr_size),
                   n);

    iter_restore(from, &saved);
    if (r > 0) {
        iter_skip(from, (uint64_t)r);
    }
    return r;
}

/* With MSG_TRUNC the host may report more than it stored (a datagram's true length, at most
 * 64 KiB of UDP or what a raw socket can have); only what fits the buffer is copied. */
int64_t host_recv_iter(int fd, struct iter *to, int flags, void *addr, uint32_t *addr_size)
{
    _cleanup_bounce_ struct bounce a =
        bounce_take(sizeof(struct address_out), sizeof(struct address_out));
    _cleanup_bounce_ struct bounce b =
        bounce_take(MAX(MIN(to->left, HOSTCALL_BUFFER_SIZE), 8ul), 8);
    size_t want = MIN(to->left, b.size);

    if (a.p == NULL || b.p == NULL) {
        return -ENOMEM;
    }
    address_prepare(&a);
    int64_t r = host_call(HOSTCALL_recvfrom, word(fd), (uintptr_t)b.p, want, word(flags),
                          addr == NULL ? 0 : (uintptr_t)a.p + offsetof(struct address_out, addr),
                          addr == NULL ? 0 : (uintptr_t)a.p);

    r = host_count(r, (flags & MSG_TRUNC_) != 0 ? MAX(want, 0x10000ul) : want);
    if (r < 0) {
        return r;
    }
    if (addr != NULL) {
        int ar = address_take(&a, addr, addr_size);

        if (ar < 0) {
            return ar;
        }
    }
    size_t n = MIN((size_t)r, want);

    if (n > 0 && iter_from_bounce(to, b.p, n) < n) {
        return -EFAULT;
    }
    return r;
}

/* struct msghdr with what it points to, all in untrusted memory. The host may write anything back
 * into it: only the two sizes are read, once, and checked. */
struct message_out {
    uint64_t name;
    uint64_t name_size;
    uint64_t iov;
    uint64_t iov_count;
    uint64_t control;
    uint64_t control_size;
    uint64_t flags;
    uint64_t base; /* struct iovec */
    uint64_t len;
    uint8_t addr[ADDR_MAX];
    uint8_t data[HOST_CONTROL_MAX];
};
_Static_assert(offsetof(struct message_out, base) == 56, "struct msghdr of x86-64");

static void message_prepare(const struct bounce *b, const struct bounce *buffer, size_t size,
                            const struct host_message *m)
{
    struct message_out *out = (struct message_out *)(void *)b->p;
    const struct message_out head = {
        .name = m->addr == NULL ? 0 : (uintptr_t)out->addr,
        .name_size = m->addr == NULL ? 0 : m->addr_size,
        .iov = (uintptr_t)&out->base,
        .iov_count = 1,
        .control = m->control == NULL ? 0 : (uintptr_t)out->data,
        .control_size = m->control == NULL ? 0 : m->control_size,
        .base = (uintptr_t)buffer->p,
        .len = size,
    };

    host_copy_out(out, &head, offsetof(struct message_out, addr));
}

int64_t host_send_message(int fd, struct iter *from, int flags, const struct host_message *m)
{
    struct iter saved = *from;
    _cleanup_bounce_ struct bounce a = {0};
    _cleanup_bounce_ struct bounce b = {0};
    struct message_out *out;

    if (m->addr_size > ADDR_MAX || m->control_size > HOST_CONTROL_MAX) {
        return -EINVAL;
    }
    a = bounce_take(sizeof(*out), sizeof(*out));
    b = bounce_take(MAX(MIN(from->left, HOSTCALL_BUFFER_SIZE), 8ul), 8);
    if (a.p == NULL || b.p == NULL) {
        return -ENOMEM;
    }
    size_t want = MIN(from->left, b.size);

    if (iter_to_bounce(from, b.p, want) < want) {
        iter_restore(from, &saved);
        return -EFAULT;
    }
    out = (struct message_out *)(void *)a.p;
    message_prepare(&a, &b, want, m);
    if (m->addr != NULL) {
        host_copy_out(out->addr, m->addr, m->addr_size);
    }
    if (m->control != NULL) {
        host_copy_out(out->data, m->control, m->control_size);
    }
    int64_t r = host_count(
        host_call(HOSTCALL_sendmsg, word(fd), (uintptr_t)a.p, word(flags), 0, 0, 0), want);

    iter_restore(from, &saved);
    if (r > 0) {
        iter_skip(from, (uint64_t)r);
    }
    return r;
}

/* The sizes the host wrote back: at most the room it was given. */
static int message_take(const struct bounce *b, struct host_message *m)
{
    const struct message_out *out = (const struct message_out *)(const void *)b->p;
    struct message_out head;

    host_copy_in(&head, out, offsetof(struct message_out, addr));
    const uint32_t name_size = (uint32_t)head.name_size;

    if (name_size > ADDR_MAX || (m->addr != NULL && name_size > m->addr_size) ||
        (m->control != NULL && head.control_size > m->control_size)) {
        return -EIO;
    }
    if (m->addr != NULL) {
        host_copy_in(m->addr, out->addr, name_size);
        m->addr_size = name_size;
    }
    if (m->control != NULL) {
        host_copy_in(m->control, out->data, (size_t)head.control_size);
        m->control_size = (uint32_t)head.control_size;
    }
    return 0;
}

int64_t host_recv_message(int fd, struct iter *to, int flags, struct host_message *m)
{
    _cleanup_bounce_ struct bounce a = {0};
    _cleanup_bounce_ struct bounce b = {0};

    if (m->addr_size > ADDR_MAX || m->control_size > HOST_CONTROL_MAX) {
        return -EINVAL;
    }
    a = bounce_take(sizeof(struct message_out), sizeof(struct message_out));
    b = bounce_take(MAX(MIN(to->left, HOSTCALL_BUFFER_SIZE), 8ul), 8);
    size_t want = MIN(to->left, b.size);

    if (a.p == NULL || b.p == NULL) {
        return -ENOMEM;
    }
    message_prepare(&a, &b, want, m);
    int64_t r =
        host_count(host_call(HOSTCALL_recvmsg, word(fd), (uintptr_t)a.p, word(flags), 0, 0, 0),
                   (flags & MSG_TRUNC_) != 0 ? MAX(want, 0x10000ul) : want);

    if (r < 0) {
        return r;
    }
    int taken = message_take(&a, m);

    if (taken < 0) {
        return taken;
    }
    size_t n = MIN((size_t)r, want);

    return n > 0 && iter_from_bounce(to, b.p, n) < n ? -EFAULT : r;
}

int64_t host_sendto(int fd, const void *src, size_t size, int flags, const void *addr,
                    uint32_t addr_size)
{
    struct iter it;

    iter_init_kernel(&it, src, size);
    return host_send_iter(fd, &it, flags, addr, addr_size);
}

int64_t host_recvfrom(int fd, void *dst, size_t size, int flags, void *addr, uint32_t *addr_size)
{
    struct iter it;

    iter_init_kernel(&it, dst, size);
    return host_recv_iter(fd, &it, flags, addr, addr_size);
}

/* Readiness is a hint: at most the events asked for, plus ERR, HUP and NVAL. A host that reports
 * events falsely costs a turn that finds nothing. */
int host_poll(struct host_pollfd *fds, size_t count, int64_t timeout_ns)
{
    size_t size = count * sizeof(fds[0]);
    _cleanup_bounce_ struct bounce b = bounce_take(MAX(size, (size_t)8), MAX(size, (size_t)8));
    int ready = 0;

    if (b.p == NULL) {
        return -ENOMEM;
    }
    host_copy_out(b.p, fds, size);
    int64_t r = host_count(
        host_call(HOSTCALL_poll, (uintptr_t)b.p, count, (uint64_t)timeout_ns, 0, 0, 0), count);

    if (r < 0) {
        return (int)r;
    }
    for (size_t i = 0; i < count; i++) {
        struct host_pollfd answer;

        host_copy_in(&answer, b.p + i * sizeof(answer), sizeof(answer));
        fds[i].revents =
            r == 0 ? 0 : (int16_t)(answer.revents & (fds[i].events | (int16_t)POLL_ALWAYS));
        ready += fds[i].revents != 0 ? 1 : 0;
    }
    return ready;
}

int host_epoll_create(void)
{
    return host_fd_opened(host_call(HOSTCALL_epoll_create, 0, 0, 0, 0, 0, 0));
}

int host_epoll_ctl(int epfd, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event ev = {.events = events, .data = data};
    _cleanup_bounce_ struct bounce b = bounce_take(16, 16);

    if (b.p == NULL) {
        return -ENOMEM;
    }
    host_copy_out(b.p, &ev, sizeof(ev));
    return host_status(
        host_call(HOSTCALL_epoll_ctl, word(epfd), word(op), word(fd), (uintptr_t)b.p, 0, 0));
}

int host_epoll_wait(int epfd, struct epoll_event *events, size_t count, int64_t timeout_ns)
{
    _cleanup_bounce_ struct bounce b = bounce_take(count * sizeof(events[0]), sizeof(events[0]));

    if (b.p == NULL) {
        return -ENOMEM;
    }
    count = MIN(count, b.size / sizeof(events[0]));
    int64_t r = host_count(host_call(HOSTCALL_epoll_wait, word(epfd), (uintptr_t)b.p, count,
                                     (uint64_t)timeout_ns, 0, 0),
                           count);

    if (r > 0) {
        host_copy_in(events, b.p, (size_t)r * sizeof(events[0]));
    }
    return (int)r;
}

/* The host may claim any bytes, as it may on the wire, and at most EPOLL_READ_SIZE of them; for
 * events it was not asked to read for the claim is dropped. */
static struct host_arrival arrival_of(const struct epoll_event *ev, int32_t size,
                                      const uint8_t *untrusted)
{
    struct host_arrival a = {};

    if ((ev->data & EPOLL_READ_STREAM) == 0 || size == 0 || size == -EAGAIN) {
        return a;
    }
    if (size < 0 || size > (int32_t)EPOLL_READ_SIZE) {
        a.size = size < -133 || size > 0 ? -EIO : size;
        return a;
    }
    a.data = kmalloc(((size_t)size + 7) & ~7ul);
    a.size = a.data == NULL ? -ENOMEM : size;
    if (a.data != NULL) {
        host_copy_in(a.data, untrusted, (size_t)size);
    }
    return a;
}

int host_epoll_read(int epfd, struct epoll_event *events, struct host_arrival *arrivals,
                    size_t count, int64_t timeout_ns)
{
    _cleanup_bounce_ struct bounce data = bounce_take(count * EPOLL_READ_SIZE, EPOLL_READ_SIZE);
    _cleanup_bounce_ struct bounce sizes = bounce_take(count * sizeof(int32_t) + 8, 16);
    _cleanup_bounce_ struct bounce b = bounce_take(count * sizeof(events[0]), sizeof(events[0]));
    _aligned_(8) int32_t claimed[HOST_EPOLL_READ_MAX] = {0};

    if (data.p == NULL || sizes.p == NULL || b.p == NULL) {
        return -ENOMEM;
    }
    count = MIN(MIN(count, data.size / EPOLL_READ_SIZE), (size_t)HOST_EPOLL_READ_MAX);
    count = MIN(MIN(count, (sizes.size - 8) / sizeof(int32_t)), b.size / sizeof(events[0]));
    int64_t r = host_count(host_call(HOSTCALL_epoll_read, word(epfd), (uintptr_t)b.p, count,
                                     (uint64_t)timeout_ns, (uintptr_t)sizes.p, (uintptr_t)data.p),
                           count);

    if (r > 0) {
        host_copy_in(events, b.p, (size_t)r * sizeof(events[0]));
        host_copy_in(claimed, sizes.p, (size_t)r * sizeof(claimed[0]));
    }
    for (int64_t i = 0; i < r; i++) {
        arrivals[i] = arrival_of(&events[i], claimed[i], data.p + (size_t)i * EPOLL_READ_SIZE);
    }
    return (int)r;
}

int host_eventfd(uint64_t initial, int flags)
{
    return host_fd_opened(host_call(HOSTCALL_eventfd, initial, word(flags), 0, 0, 0, 0));
}
