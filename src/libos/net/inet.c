/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * AF_INET and AF_INET6: sockets of the host. The host's side is always non-blocking; blocking calls
 * try first and wait second (or the other way round when the last try found nothing), so a busy
 * connection costs one exit a call.
 *
 * Data of a stream may arrive with an event of an epoll (fs/epoll.c) before the application asks;
 * it waits here. A stream closed with such data unread is reset, as Linux does with unread data.
 *
 * TCP_CORK stays inside: what is sent meanwhile goes out marked MSG_MORE, and only the end of it
 * needs a call.
 *
 * What the host may lie about: everything on the wire, which is the network's adversary anyway
 * (use TLS); the wrappers in host/ check counts, sizes and descriptors.
 */

#include <asm/ioctls.h>
#include <linux/in.h>
#include <linux/tcp.h>

#include "abi/hostcall.h"
#include "libos/fs/epoll.h"
#include "libos/host/host.h"
#include "libos/host/host_io.h"
#include "libos/mm/kmem.h"
#include "libos/net/control.h"
#include "libos/proc/thread.h"
#include "libos/sys/syscall.h"

#define SOCK_NONBLOCK_ 04000
#define SOCK_CLOEXEC_  02000000
#define IPPROTO_IPV6_  41
#define SO_LINGER_     13
#define SO_RCVLOWAT_   18
#define AHEAD_MAX      0x10000ul /* bytes kept for MSG_PEEK at most */
#define DATAGRAM_MAX   65535u
#define DISCARD_PIECE  65536u

struct inet_sock {
    struct socket base;
    int fd;
    bool expect_wait; /* the last receive found nothing: wait before the next one */
    bool control;     /* an option was set that may bring control messages along */
    bool stream;      /* accepted or connected: data may come */
    bool corked;
    bool cork_sent; /* something went out with MSG_MORE since */
    bool no_ahead;  /* SO_RCVLOWAT: the host must see what is unread */
    /* What arrived before it was asked for. */
    struct mutex ahead_lock;
    uint8_t *ahead; /* kmalloc'd; NULL: nothing */
    uint32_t ahead_size;
    uint32_t ahead_done;
    int32_t ahead_error; /* comes after the data */
    bool ahead_more;     /* it filled its buffer: the host may have more that no event tells of */
    int32_t ahead_pid;   /* whose it is: after fork the parent keeps it */
    int32_t watcher;     /* the one thread that waits and reads; 0: anybody */
    struct waitq readers;
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
    waitq_init(&i->readers);
    *ret = &i->base;
    return 0;
}

/* ---- data that arrived before it was asked for ---- */

static bool has_ahead(const struct inet_sock *i)
{
    return (__atomic_load_n(&i->ahead, __ATOMIC_ACQUIRE) != NULL ||
            __atomic_load_n(&i->ahead_error, __ATOMIC_ACQUIRE) != 0) &&
           i->ahead_pid == process_current()->pid;
}

static bool inet_watch(struct socket *s, int32_t tid)
{
    struct inet_sock *i = inet_of(s);

    if (s->type != SOCK_STREAM_ || !i->stream || i->no_ahead) {
        tid = 0;
    }
    __atomic_store_n(&i->watcher, tid, __ATOMIC_RELEASE);
    return tid != 0;
}

/* Under ahead_lock: makes room for `more` bytes behind what is there. */
static uint8_t *ahead_extend(struct inet_sock *i, size_t more)
{
    const size_t left = i->ahead_size - i->ahead_done;
    uint8_t *fresh = left + more > 2 * AHEAD_MAX ? NULL : kmalloc(left + more + 7);

    if (fresh != NULL && left > 0) {
        __builtin_memcpy(fresh, i->ahead + i->ahead_done, left);
    }
    if (fresh != NULL) {
        kfree(i->ahead);
        i->ahead_done = 0;
        i->ahead_size = (uint32_t)left;
        __atomic_store_n(&i->ahead, fresh, __ATOMIC_RELEASE);
    }
    return fresh == NULL ? NULL : fresh + left;
}

static void inet_arrived(struct socket *s, uint8_t *data, int32_t size)
{
    struct inet_sock *i = inet_of(s);

    mutex_lock(&i->ahead_lock);
    i->ahead_pid = process_current()->pid;
    if (size < 0) {
        i->ahead_error = size;
    } else if (i->ahead == NULL) {
        i->ahead_done = 0;
        i->ahead_size = (uint32_t)size;
        __atomic_store_n(&i->ahead, data, __ATOMIC_RELEASE);
        data = NULL;
    } else {
        uint8_t *at = ahead_extend(i, (size_t)size);

        if (at != NULL) {
            __builtin_memcpy(at, data, (size_t)size);
            i->ahead_size += (uint32_t)size;
        } else {
            i->ahead_error = -ENOMEM; /* bytes are lost: the stream is broken */
        }
    }
    i->ahead_more = size == (int32_t)EPOLL_READ_SIZE;
    mutex_unlock(&i->ahead_lock);
    kfree(data);
    waitq_wake_all(&i->readers, EV_READ);
}

/* MSG_PEEK must see everything there is: asks the host for the rest. Under ahead_lock. */
static void ahead_complete(struct inet_sock *i, uint64_t want)
{
    const size_t left = i->ahead_size - i->ahead_done;
    const size_t more = want <= left ? 0 : MIN(want - left, AHEAD_MAX);
    uint8_t *at = more == 0 ? NULL : ahead_extend(i, more);

    if (at != NULL) {
        const int64_t n = host_recvfrom(i->fd, at, more, MSG_DONTWAIT_, NULL, NULL);

        i->ahead_size += n > 0 ? (uint32_t)n : 0;
    }
}

/* Bytes from what is here already; 0: nothing. *ret_more: the host may have more that comes
 * without an event. */
static int64_t take_ahead(struct inet_sock *i, struct sock_msg *m, bool *ret_more)
{
    int64_t n = 0;

    mutex_lock(&i->ahead_lock);
    if (i->ahead != NULL && (m->flags & MSG_PEEK_) != 0) {
        ahead_complete(i, m->it.left);
    }
    if (i->ahead != NULL) {
        const uint8_t *from = i->ahead + i->ahead_done;
        const size_t size = MIN(m->it.left, (uint64_t)(i->ahead_size - i->ahead_done));

        n = (m->flags & MSG_TRUNC_) != 0 ? (int64_t)size : (int64_t)iter_put(&m->it, from, size);
        if (n == 0 && size > 0) {
            n = -EFAULT;
        } else if ((m->flags & MSG_PEEK_) == 0) {
            i->ahead_done += (uint32_t)n;
        }
        if (i->ahead_done == i->ahead_size) {
            kfree(i->ahead);
            __atomic_store_n(&i->ahead, NULL, __ATOMIC_RELEASE);
        }
    } else if (i->ahead_error != 0) {
        n = i->ahead_error;
        __atomic_store_n(&i->ahead_error, 0, __ATOMIC_RELEASE);
    }
    *ret_more = i->ahead_more && i->ahead == NULL;
    mutex_unlock(&i->ahead_lock);
    return n;
}

/* Another thread than the one that waits reads: nothing may arrive unasked any more. */
static void check_watcher(struct inet_sock *i)
{
    const int32_t watcher = __atomic_load_n(&i->watcher, __ATOMIC_ACQUIRE);

    if (watcher != 0 && watcher != thread_current()->tid && i->base.file != NULL) {
        epoll_disown(i->base.file);
    }
}

int inet_create(int family, int type, int protocol, struct socket **ret)
{
    if (type == SOCK_RAW_) {
        return -EPERM;
    }
    if (type != SOCK_STREAM_ && type != SOCK_DGRAM_) {
        return -ESOCKTNOSUPPORT;
    }
    const int usual = type == SOCK_STREAM_ ? IPPROTO_TCP : IPPROTO_UDP;

    if (protocol == 0) {
        protocol = usual;
    }
    if (protocol != usual && !(type == SOCK_DGRAM_ && protocol == IPPROTO_UDPLITE)) {
        return -EPROTONOSUPPORT;
    }
    int fd = host_socket(family, type | SOCK_NONBLOCK_ | SOCK_CLOEXEC_, protocol);

    if (fd < 0) {
        return fd;
    }
    return inet_new(fd, family, type, protocol, ret);
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

    i->stream |= s->type == SOCK_STREAM_ && (r == 0 || r == -EINPROGRESS);
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
            int r = inet_new(fd, s->family, s->type, s->protocol, ret);

            if (r == 0) {
                inet_of(*ret)->stream = true;
            }
            return r;
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

static int64_t send_once(struct inet_sock *i, struct sock_msg *m, int flags)
{
    const struct host_message h = {
        .addr = m->has_addr ? m->addr.b : NULL,
        .addr_size = m->has_addr ? m->addr.size : 0,
        .control = m->control,
        .control_size = (uint32_t)m->control_size,
    };

    if (m->control_size == 0 || i->base.type != SOCK_DGRAM_) {
        return host_send_iter(i->fd, &m->it, flags, h.addr, h.addr_size);
    }
    return host_send_message(i->fd, &m->it, flags, &h);
}

static int64_t inet_send(struct socket *s, struct sock_msg *m)
{
    struct inet_sock *i = inet_of(s);
    uint64_t deadline = sock_deadline(s, m->flags, s->send_timeout);
    int flags = (m->flags & SEND_FLAGS) | MSG_DONTWAIT_ | MSG_NOSIGNAL_;

    if (i->corked) {
        flags |= MSG_MORE_;
        i->cork_sent = true;
    }
    bool stream = s->type == SOCK_STREAM_;
    int64_t done = 0;

    if (!stream && m->it.left > DATAGRAM_MAX) {
        return -EMSGSIZE;
    }
    for (;;) {
        int64_t n = send_once(i, m, flags);

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

/* A datagram with its control messages. */
static int64_t receive_message(struct inet_sock *i, struct sock_msg *m, int flags)
{
    _cleanup_kfree_ uint8_t *control = kmalloc(CONTROL_HOST_MAX);
    struct host_message h = {
        .addr = m->has_addr ? m->addr.b : NULL,
        .addr_size = m->has_addr ? SOCK_ADDR_MAX : 0,
        .control = control,
        .control_size = CONTROL_HOST_MAX,
    };

    if (control == NULL) {
        return -ENOMEM;
    }
    int64_t n = host_recv_message(i->fd, &m->it, flags, &h);

    if (n >= 0) {
        int r = control_take_received(m, control, h.control_size);

        m->addr.size = h.addr_size;
        n = r < 0 ? r : n;
    }
    return n;
}

/* MSG_TRUNC on a stream: the bytes are taken and thrown away (tcp(7)). */
static int64_t discard(struct inet_sock *i, struct sock_msg *m, int flags)
{
    const size_t size = MIN(m->it.left, (uint64_t)DISCARD_PIECE);
    _cleanup_kfree_ uint8_t *buf = kmalloc(MAX(size, (size_t)1));
    int64_t n;

    if (buf == NULL) {
        return -ENOMEM;
    }
    n = host_recvfrom(i->fd, buf, size, flags & ~MSG_TRUNC_, NULL, NULL);
    if (n > 0) {
        iter_skip(&m->it, (uint64_t)n);
    }
    return n;
}

static int64_t receive_once(struct inet_sock *i, struct sock_msg *m)
{
    int flags = (m->flags & RECEIVE_FLAGS) | MSG_DONTWAIT_;
    bool datagram = i->base.type == SOCK_DGRAM_;
    uint64_t room = m->it.left;
    int64_t n;

    m->addr.size = 0;
    if (!datagram) {
        return (flags & MSG_TRUNC_) != 0 ? discard(i, m, flags)
                                         : host_recv_iter(i->fd, &m->it, flags, NULL, NULL);
    }
    flags |= MSG_TRUNC_; /* to know whether something was cut off */
    if (m->wants_control && i->control) {
        n = receive_message(i, m, flags);
    } else {
        uint32_t size = SOCK_ADDR_MAX;

        n = host_recv_iter(i->fd, &m->it, flags, m->has_addr ? m->addr.b : NULL, &size);
        m->addr.size = m->has_addr && n >= 0 ? size : 0;
    }
    if (n > (int64_t)room) {
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
    check_watcher(i);
    if (has_ahead(i) && (m->flags & MSG_OOB_) == 0) {
        bool more;

        done = take_ahead(i, m, &more);
        if (done < 0 || m->it.left == 0 || !(all || more) || (m->flags & MSG_PEEK_) != 0) {
            return done;
        }
        wait_first = false;
        deadline = all ? deadline : 0;
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
    case IPPROTO_IPV6_: /* netfilter; 66 and 67 between them are traffic classes */
        return option == 64 || option == 65 || option == 68 || option == 69 || option == 80;
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE: return false;
    default: return true;
    }
}

static int inet_get_option(struct socket *s, int level, int option, void *val, uint32_t *size)
{
    if (refused(level, option)) {
        return -ENOPROTOOPT;
    }
    struct inet_sock *i = inet_of(s);
    int32_t number = i->corked;

    if (level == SOL_SOCKET_ && option == SO_ERROR_ && has_ahead(i)) {
        mutex_lock(&i->ahead_lock);
        number = -i->ahead_error;
        __atomic_store_n(&i->ahead_error, 0, __ATOMIC_RELEASE);
        mutex_unlock(&i->ahead_lock);
    } else if (level != IPPROTO_TCP || option != TCP_CORK) {
        number = 0;
    }
    if (number == 0) {
        return host_getsockopt(i->fd, level, option, val, size);
    }
    *size = MIN(*size, (uint32_t)sizeof(number));
    __builtin_memcpy(val, &number, *size);
    return 0;
}

/* The stack of the host must see what is unread, or it would count wrong. */
static void stop_ahead(struct inet_sock *i)
{
    i->no_ahead = true;
    if (i->watcher != 0 && i->base.file != NULL) {
        epoll_disown(i->base.file);
    }
}

static int set_cork(struct inet_sock *i, bool on)
{
    const int32_t off = 0;
    int r = 0;

    if (i->corked && !on && i->cork_sent) {
        r = host_setsockopt(i->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off)); /* push it out */
    }
    i->corked = on;
    i->cork_sent = i->cork_sent && on;
    return r;
}

static int inet_set_option(struct socket *s, int level, int option, const void *val, uint32_t size)
{
    if (refused(level, option)) {
        return -ENOPROTOOPT;
    }
    struct inet_sock *i = inet_of(s);
    int32_t number;

    if (level == SOL_SOCKET_ && option == SO_RCVLOWAT_) {
        stop_ahead(i);
    }
    if (level == IPPROTO_TCP && option == TCP_CORK && s->type == SOCK_STREAM_ && i->stream &&
        size >= sizeof(number)) {
        __builtin_memcpy(&number, val, sizeof(number));
        return set_cork(i, number != 0);
    }
    if (level != SOL_SOCKET_ && level != IPPROTO_TCP) {
        i->control = true;
    } else if (level == SOL_SOCKET_) {
        i->control |= control_option(option);
    }
    return host_setsockopt(i->fd, level, option, val, size);
}

static uint32_t inet_poll(struct socket *s, struct poll_table *pt)
{
    struct inet_sock *i = inet_of(s);

    poll_queue(pt, &i->readers);
    if (!has_ahead(i)) {
        return 0; /* the host knows: host_fd */
    }
    return EV_READ | (i->ahead_error != 0 ? EV_ERR : 0);
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
        struct inet_sock *i = inet_of(s);
        const bool ahead = has_ahead(i);
        int64_t r = host_ioctl(i->fd, request, &n, sizeof(n));

        if (r == 0 && ahead && request == FIONREAD) {
            mutex_lock(&i->ahead_lock);
            n += i->ahead == NULL ? 0 : (int32_t)(i->ahead_size - i->ahead_done);
            mutex_unlock(&i->ahead_lock);
        } else if (r == 0 && ahead && request == 0x8905) {
            n = 0; /* not before this has been read */
        }
        return r < 0 ? r : user_put(arg, &n);
    }
    default: return -ENOTTY; /* interfaces and routes are the host's affair */
    }
}

static void inet_release(struct socket *s)
{
    struct inet_sock *i = inet_of(s);
    const int32_t now[2] = {1, 0}; /* struct linger: reset */

    if (has_ahead(i) && i->ahead != NULL) {
        (void)host_setsockopt(i->fd, SOL_SOCKET_, SO_LINGER_, now, sizeof(now));
    }
    (void)host_close(i->fd);
    kfree(i->ahead);
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
    .watch = inet_watch,
    .arrived = inet_arrived,
    .release = inet_release,
};
