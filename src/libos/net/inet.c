/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * AF_INET and AF_INET6: sockets of the host. The host's side is always non-blocking; blocking calls
 * try first and wait second (or the other way round when the last try found nothing), so a busy
 * connection costs one exit a call.
 *
 * What the host may lie about: everything on the wire, which is the network's adversary anyway
 * (use TLS); the wrappers in host/ check counts, sizes and descriptors.
 */

#include <asm/ioctls.h>
#include <linux/in.h>
#include <linux/tcp.h>

#include "libos/host/host.h"
#include "libos/host/host_io.h"
#include "libos/mm/kmem.h"
#include "libos/net/socket.h"
#include "libos/sys/syscall.h"

#define SOCK_NONBLOCK_ 04000
#define SOCK_CLOEXEC_  02000000
#define IPPROTO_IPV6_  41

struct inet_sock {
    struct socket base;
    int fd;
    bool expect_wait; /* the last receive found nothing: wait before the next one */
    bool connecting;
};

static struct inet_sock *inet_of(struct socket *s)
{
    return container_of(s, struct inet_sock, base);
}

static const struct sock_ops g_inet_ops;

static int inet_new(int fd, int family, int type, int protocol, struct socket **ret)
{
    struct inet_sock *i = kzalloc(sizeof(*i));

    if (i == NULL) {
        (void)host_close(fd);
        return -ENOMEM;
    }
    i->base.ops = &g_inet_ops;
    i->base.family = family;
    i->base.type = type;
    i->base.protocol = protocol;
    i->fd = fd;
    *ret = &i->base;
    return 0;
}

int inet_create(int family, int type, int protocol, struct socket **ret)
{
    if (type == SOCK_RAW_) {
        return -EPERM;
    }
    if (type != SOCK_STREAM_ && type != SOCK_DGRAM_) {
        return -ESOCKTNOSUPPORT;
    }
    if (protocol != 0 && protocol != (type == SOCK_STREAM_ ? IPPROTO_TCP : IPPROTO_UDP)) {
        return -EPROTONOSUPPORT;
    }
    int fd = host_socket(family, type | SOCK_NONBLOCK_ | SOCK_CLOEXEC_, protocol);

    if (fd < 0) {
        return fd;
    }
    return inet_new(fd, family, type, type == SOCK_STREAM_ ? IPPROTO_TCP : IPPROTO_UDP, ret);
}

static int inet_bind(struct socket *s, const struct sock_addr *a)
{
    return host_bind(inet_of(s)->fd, a->b, a->size);
}

static int inet_listen(struct socket *s, int backlog)
{
    return host_listen(inet_of(s)->fd, backlog);
}

/* The outcome of a connection attempt. */
static int pending_error(struct inet_sock *i)
{
    int32_t error = 0;
    uint32_t size = sizeof(error);
    int r = host_getsockopt(i->fd, SOL_SOCKET_, SO_ERROR_, &error, &size);

    if (r < 0) {
        return r;
    }
    return error < 0 || error > 133 ? -EIO : -error;
}

static int inet_connect(struct socket *s, const struct sock_addr *a)
{
    struct inet_sock *i = inet_of(s);
    int r = host_connect(i->fd, a->b, a->size);

    if (r == -EINPROGRESS && !(s->file != NULL && file_nonblock(s->file))) {
        r = sock_wait(s, EV_OUT, sock_deadline(s, 0, s->send_timeout));
        if (r == -EAGAIN) {
            return -EINPROGRESS; /* SO_SNDTIMEO passed */
        }
        return r < 0 ? r : pending_error(i);
    }
    if (r == -EALREADY && !(s->file != NULL && file_nonblock(s->file))) {
        r = sock_wait(s, EV_OUT, sock_deadline(s, 0, s->send_timeout));
        return r < 0 ? r : pending_error(i);
    }
    return r;
}

static int inet_accept(struct socket *s, bool wait, struct socket **ret)
{
    struct inet_sock *i = inet_of(s);
    uint64_t deadline = wait ? sock_deadline(s, 0, s->receive_timeout) : 0;

    if (s->type != SOCK_STREAM_) {
        return -EOPNOTSUPP;
    }
    for (;;) {
        int fd = host_accept(i->fd, NULL, NULL, SOCK_NONBLOCK_ | SOCK_CLOEXEC_);

        if (fd >= 0) {
            return inet_new(fd, s->family, s->type, s->protocol, ret);
        }
        if (fd != -EAGAIN && fd != -EINTR) {
            return fd;
        }
        int r = sock_wait(s, EV_IN, deadline);

        if (r < 0) {
            return r;
        }
    }
}

static int inet_name(struct socket *s, bool peer, struct sock_addr *ret)
{
    ret->size = SOCK_ADDR_MAX;
    return peer ? host_getpeername(inet_of(s)->fd, ret->b, &ret->size)
                : host_getsockname(inet_of(s)->fd, ret->b, &ret->size);
}

#define SEND_FLAGS (MSG_OOB_ | MSG_MORE_ | 0x4 /* DONTROUTE */ | 0x800 /* CONFIRM */ | MSG_EOR_)

static int64_t inet_send(struct socket *s, struct sock_msg *m)
{
    struct inet_sock *i = inet_of(s);
    uint64_t deadline = sock_deadline(s, m->flags, s->send_timeout);
    int flags = (m->flags & SEND_FLAGS) | MSG_DONTWAIT_ | MSG_NOSIGNAL_;
    bool stream = s->type == SOCK_STREAM_;
    int64_t done = 0;

    if (m->file_count > 0 || m->has_cred) {
        return -EINVAL;
    }
    for (;;) {
        int64_t n = host_send_iter(i->fd, &m->it, flags, m->has_addr ? m->addr.b : NULL,
                                   m->has_addr ? m->addr.size : 0);

        if (n >= 0) {
            done += n;
            if (!stream || m->it.left == 0 || n == 0) {
                return done;
            }
            if (deadline == 0) {
                return done; /* more would most likely not fit now */
            }
            continue;
        }
        if (n == -EPIPE && done == 0) {
            return stream ? sock_broken_pipe(m->flags) : n;
        }
        if (n != -EAGAIN && n != -EINTR) {
            return done > 0 ? done : n;
        }
        int r = sock_wait(s, EV_OUT, deadline);

        if (r < 0) {
            return done > 0 ? done : r;
        }
    }
}

#define RECEIVE_FLAGS (MSG_OOB_ | MSG_PEEK_ | MSG_TRUNC_)

static int64_t receive_once(struct inet_sock *i, struct sock_msg *m)
{
    int flags = (m->flags & RECEIVE_FLAGS) | MSG_DONTWAIT_;
    bool datagram = i->base.type == SOCK_DGRAM_;
    uint64_t room = m->it.left;

    if (datagram) {
        flags |= MSG_TRUNC_; /* to know whether something was cut off */
    }
    m->addr.size = SOCK_ADDR_MAX;
    int64_t n = host_recv_iter(i->fd, &m->it, flags, m->has_addr && datagram ? m->addr.b : NULL,
                               &m->addr.size);

    if (!m->has_addr || !datagram) {
        m->addr.size = 0;
    }
    if (datagram && n > (int64_t)room) {
        m->out_flags |= MSG_TRUNC_;
        n = (m->flags & MSG_TRUNC_) != 0 ? n : (int64_t)room;
    }
    return n;
}

static int64_t inet_receive(struct socket *s, struct sock_msg *m)
{
    struct inet_sock *i = inet_of(s);
    uint64_t deadline = sock_deadline(s, m->flags, s->receive_timeout);
    bool all = s->type == SOCK_STREAM_ && (m->flags & (MSG_WAITALL_ | MSG_PEEK_)) == MSG_WAITALL_;
    bool wait_first = i->expect_wait && deadline != 0;
    int64_t done = 0;

    if ((m->flags & MSG_ERRQUEUE_) != 0) {
        return -EAGAIN;
    }
    for (;;) {
        if (wait_first) {
            int r = sock_wait(s, EV_IN, deadline);

            if (r < 0) {
                return done > 0 ? done : r;
            }
        }
        int64_t n = receive_once(i, m);

        if (n >= 0) {
            i->expect_wait = wait_first;
            done += n;
            if (!all || n == 0 || m->it.left == 0) {
                return done;
            }
        } else if (n != -EAGAIN && n != -EINTR) {
            return done > 0 ? done : n;
        } else if (deadline == 0) {
            return done > 0 ? done : -EAGAIN;
        }
        wait_first = true;
    }
}

static int inet_shutdown(struct socket *s, uint32_t how)
{
    return host_shutdown(inet_of(s)->fd, how == (SHUT_RD_BIT | SHUT_WR_BIT) ? 2 : (int)how - 1);
}

/* Options whose value is or may be a pointer, or that would hand the connection to the kernel. */
static bool refused(int level, int option)
{
    switch (level) {
    case SOL_SOCKET_:
        return option == 26 || option == 27 || option == 50 || option == 51 || option == 52 ||
               option == 25; /* filters, BPF, SO_BINDTODEVICE */
    case IPPROTO_TCP:
        return option == TCP_REPAIR || option == TCP_REPAIR_QUEUE || option == TCP_QUEUE_SEQ ||
               option == TCP_REPAIR_OPTIONS || option == TCP_ULP || option == TCP_MD5SIG ||
               option == TCP_ZEROCOPY_RECEIVE || option == TCP_REPAIR_WINDOW;
    case IPPROTO_IP: return option >= 64; /* netfilter */
    case IPPROTO_IPV6_: return option >= 64 && option < 70;
    case IPPROTO_UDP: return false;
    default: return true;
    }
}

static int inet_get_option(struct socket *s, int level, int option, void *val, uint32_t *size)
{
    if (refused(level, option)) {
        return -ENOPROTOOPT;
    }
    return host_getsockopt(inet_of(s)->fd, level, option, val, size);
}

static int inet_set_option(struct socket *s, int level, int option, const void *val, uint32_t size)
{
    if (refused(level, option)) {
        return -ENOPROTOOPT;
    }
    return host_setsockopt(inet_of(s)->fd, level, option, val, size);
}

static uint32_t inet_poll(struct socket *s, struct poll_table *pt)
{
    return 0; /* the host knows: host_fd */
}

static int inet_host_fd(const struct socket *s)
{
    return inet_of((struct socket *)(uintptr_t)s)->fd;
}

static int64_t inet_ioctl(struct socket *s, uint32_t request, uint64_t arg)
{
    _aligned_(8) int32_t n = 0;

    switch (request) {
    case FIONREAD:
    case TIOCOUTQ:
    case 0x8905: /* SIOCATMARK */ {
        int64_t r = host_ioctl(inet_of(s)->fd, request, &n, sizeof(n));

        return r < 0 ? r : user_put(arg, &n);
    }
    default: return -ENOTTY; /* interfaces and routes are the host's affair */
    }
}

static void inet_release(struct socket *s)
{
    struct inet_sock *i = inet_of(s);

    (void)host_close(i->fd);
    kfree(i);
}

static const struct sock_ops g_inet_ops = {
    .bind = inet_bind,
    .connect = inet_connect,
    .listen = inet_listen,
    .accept = inet_accept,
    .name = inet_name,
    .send = inet_send,
    .receive = inet_receive,
    .shutdown = inet_shutdown,
    .get_option = inet_get_option,
    .set_option = inet_set_option,
    .poll = inet_poll,
    .ioctl = inet_ioctl,
    .host_fd = inet_host_fd,
    .release = inet_release,
};
