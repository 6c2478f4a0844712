/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * AF_NETLINK, NETLINK_ROUTE: what getifaddrs(3), if_nameindex(3) and their relatives ask. A request
 * is answered while it is sent, into the socket's queue; the host is asked through route_dump.h.
 * Changing anything is -EPERM, groups (news about changes) are refused, too.
 */

#include <linux/rtnetlink.h>

#include "libos/mm/kmem.h"
#include "libos/net/route_dump.h"
#include "libos/net/socket.h"
#include "libos/sys/syscall.h"

#define REQUEST_MAX 4096u
#define REPLY_PIECE 3584u /* of several messages: fits the page glibc reads into */
#define QUEUE_MAX   (4u << 20)
#define FIRST_PORT  0xffffeffeu /* what Linux gives to all but a process's first socket */
#define SOCKADDR_NL 12u
#define ADD_MEMBER  1

struct netlink_addr {
    uint16_t family;
    uint16_t pad;
    uint32_t port;
    uint32_t groups;
};
_Static_assert(sizeof(struct netlink_addr) == SOCKADDR_NL, "struct sockaddr_nl");

struct reply {
    struct list node;
    size_t size;
    uint8_t data[];
};

struct netlink_sock {
    struct socket base;
    struct mutex lock; /* replies, queued, port */
    struct list replies;
    size_t queued;
    uint32_t port; /* 0: none yet */
    struct waitq waiters;
};

static uint32_t g_last_port = FIRST_PORT;
static const struct sock_ops g_netlink_ops;

static struct netlink_sock *netlink_of(struct socket *s)
{
    return container_of(s, struct netlink_sock, base);
}

int netlink_create(int type, int protocol, struct socket **ret)
{
    struct netlink_sock *n;

    if (type != SOCK_RAW_ && type != SOCK_DGRAM_) {
        return -ESOCKTNOSUPPORT;
    }
    if (protocol != 0 /* NETLINK_ROUTE */) {
        return -EPROTONOSUPPORT;
    }
    n = kzalloc(sizeof(*n));
    if (n == NULL) {
        return -ENOMEM;
    }
    n->base.ops = &g_netlink_ops;
    n->base.family = AF_NETLINK_;
    n->base.type = type;
    n->base.protocol = protocol;
    list_init(&n->replies);
    waitq_init(&n->waiters);
    *ret = &n->base;
    return 0;
}

static uint32_t own_port(struct netlink_sock *n)
{
    uint32_t port;

    mutex_lock(&n->lock);
    if (n->port == 0) {
        n->port = __atomic_sub_fetch(&g_last_port, 1, __ATOMIC_RELAXED);
    }
    port = n->port;
    mutex_unlock(&n->lock);
    return port;
}

static int get_addr(const struct sock_addr *a, struct netlink_addr *ret)
{
    if (a->size < sizeof(*ret)) {
        return -EINVAL;
    }
    __builtin_memcpy(ret, a->b, sizeof(*ret));
    return ret->family == AF_NETLINK_ ? 0 : -EINVAL;
}

static int netlink_bind(struct socket *s, const struct sock_addr *a)
{
    struct netlink_sock *n = netlink_of(s);
    struct netlink_addr addr;
    int r = get_addr(a, &addr);

    if (r < 0) {
        return r;
    }
    if (addr.groups != 0) {
        return -EPERM;
    }
    if (addr.port == 0) {
        (void)own_port(n);
        return 0;
    }
    mutex_lock(&n->lock);
    r = n->port != 0 && n->port != addr.port ? -EINVAL : 0;
    if (r == 0) {
        n->port = addr.port;
    }
    mutex_unlock(&n->lock);
    return r;
}

/* To the kernel, which is the only peer there is. */
static int check_peer(const struct sock_addr *a)
{
    struct netlink_addr addr;
    int r = get_addr(a, &addr);

    if (r < 0) {
        return r;
    }
    return addr.groups != 0 ? -EPERM : addr.port != 0 ? -ECONNREFUSED : 0;
}

static int netlink_connect(struct socket *s, const struct sock_addr *a)
{
    int r = check_peer(a);

    if (r == 0) {
        (void)own_port(netlink_of(s));
    }
    return r;
}

static int netlink_listen(struct socket *s, int backlog)
{
    return -EOPNOTSUPP;
}

static int netlink_accept(struct socket *s, bool wait, struct socket **ret)
{
    return -EOPNOTSUPP;
}

static int netlink_name(struct socket *s, bool peer, struct sock_addr *ret)
{
    struct netlink_sock *n = netlink_of(s);
    const struct netlink_addr a = {.family = AF_NETLINK_, .port = peer ? 0 : n->port};

    *ret = (struct sock_addr){.size = sizeof(a)};
    __builtin_memcpy(ret->b, &a, sizeof(a));
    return 0;
}

/* ---- answering ---- */

static int queue_reply(struct netlink_sock *n, const void *data, size_t size)
{
    struct reply *r = kmalloc(sizeof(*r) + size);
    bool full;

    if (r == NULL) {
        return -ENOBUFS;
    }
    *r = (struct reply){.size = size};
    __builtin_memcpy(r->data, data, size);
    mutex_lock(&n->lock);
    full = n->queued + size > QUEUE_MAX;
    if (!full) {
        list_insert(&n->replies, &r->node);
        n->queued += size;
    }
    mutex_unlock(&n->lock);
    if (full) {
        kfree(r);
        return -ENOBUFS;
    }
    waitq_wake_all(&n->waiters, EV_READ);
    return 0;
}

/* NLMSG_ERROR with the request behind it; 0 is an acknowledgement, with its header only. */
static int queue_error(struct netlink_sock *n, const struct nl_header *request, const uint8_t *body,
                       int32_t error)
{
    const size_t size = error == 0 ? 0 : request->len - sizeof(*request);
    struct nl_header h = {.len = (uint32_t)(2 * sizeof(h) + sizeof(error) + size),
                          .type = NL_ERROR,
                          .seq = request->seq,
                          .port = own_port(n)};
    struct strbuf out = {0};
    int r;

    strbuf_add(&out, &h, sizeof(h));
    strbuf_add(&out, &error, sizeof(error));
    strbuf_add(&out, request, sizeof(*request));
    strbuf_add(&out, body, size);
    r = out.failed ? -ENOBUFS : queue_reply(n, out.s, out.len);
    strbuf_free(&out);
    return r;
}

static struct nl_header header_at(const struct strbuf *b, size_t at)
{
    struct nl_header h;

    __builtin_memcpy(&h, b->s + at, sizeof(h));
    return h;
}

/* All messages, as many to a datagram as fit, and the one that says it was all. */
static int queue_dump(struct netlink_sock *n, const struct strbuf *b, uint32_t seq)
{
    struct {
        struct nl_header h;
        int32_t result;
    } done = {
        .h = {.len = 20, .type = NL_DONE, .flags = NL_MULTI, .seq = seq, .port = own_port(n)}};
    size_t start = 0;
    size_t at = 0;
    int r = 0;

    while (r == 0 && at < b->len) {
        const size_t size = header_at(b, at).len;

        if (at > start && at + size - start > REPLY_PIECE) {
            r = queue_reply(n, b->s + start, at - start);
            start = at;
        }
        at += size;
    }
    if (r == 0 && at > start) {
        r = queue_reply(n, b->s + start, at - start);
    }
    return r < 0 ? r : queue_reply(n, &done, sizeof(done));
}

/* The link with this index, out of a dump, as an answer of one message. */
static int queue_link(struct netlink_sock *n, const struct strbuf *b, int32_t index)
{
    for (size_t at = 0; at < b->len;) {
        struct nl_header h = header_at(b, at);
        struct ifinfomsg link;

        __builtin_memcpy(&link, b->s + at + sizeof(h), sizeof(link));
        if (link.ifi_index == index) {
            h.flags = 0;
            __builtin_memcpy(b->s + at, &h, sizeof(h));
            return queue_reply(n, b->s + at, h.len);
        }
        at += h.len;
    }
    return -ENODEV;
}

static int answer_get(struct netlink_sock *n, const struct nl_header *h, const uint8_t *body,
                      enum route_kind kind)
{
    const size_t size = h->len - sizeof(*h);
    const uint8_t family = size > 0 ? body[0] : 0;
    struct strbuf out = {0};
    struct ifinfomsg link = {0};
    int r;

    if ((h->flags & NL_DUMP) != NL_DUMP) {
        if (kind != ROUTE_LINK) {
            return -EOPNOTSUPP;
        }
        if (size < sizeof(link)) {
            return -EINVAL;
        }
        __builtin_memcpy(&link, body, sizeof(link));
        if (link.ifi_index <= 0) {
            return -EINVAL;
        }
    }
    r = route_dump(kind, kind == ROUTE_LINK ? 0 : family, h->seq, own_port(n), &out);
    if (r == 0) {
        r = link.ifi_index > 0 ? queue_link(n, &out, link.ifi_index) : queue_dump(n, &out, h->seq);
    }
    strbuf_free(&out);
    return r;
}

static int answer(struct netlink_sock *n, const struct nl_header *h, const uint8_t *body)
{
    int r;

    if ((h->flags & NL_REQUEST) == 0 || h->type < RTM_BASE) {
        return 0;
    }
    switch (h->type) {
    case RTM_GETLINK: r = answer_get(n, h, body, ROUTE_LINK); break;
    case RTM_GETADDR: r = answer_get(n, h, body, ROUTE_ADDRESS); break;
    case RTM_GETROUTE: r = answer_get(n, h, body, ROUTE_ROUTE); break;
    default: r = (h->type & 3) == 2 /* RTM_GET* */ ? -EOPNOTSUPP : -EPERM; break;
    }
    if (r == -ENOBUFS || r == -ENOMEM) {
        return r;
    }
    if (r < 0 || ((h->flags & 4 /* NLM_F_ACK */) != 0 && (h->flags & NL_DUMP) != NL_DUMP)) {
        return queue_error(n, h, body, r);
    }
    return 0;
}

static int64_t netlink_send(struct socket *s, struct sock_msg *m)
{
    struct netlink_sock *n = netlink_of(s);
    const size_t size = m->it.left;
    _cleanup_kfree_ uint8_t *buf = NULL;
    int r = m->has_addr ? check_peer(&m->addr) : 0;

    if ((m->flags & MSG_OOB_) != 0) {
        return -EOPNOTSUPP;
    }
    if (r < 0 || size > REQUEST_MAX) {
        return r < 0 ? r : -EMSGSIZE;
    }
    buf = kmalloc(MAX(size, (size_t)1));
    if (buf == NULL) {
        return -ENOBUFS;
    }
    if (iter_take(&m->it, buf, size) < size) {
        return -EFAULT;
    }
    for (size_t at = 0; r == 0 && size - at >= sizeof(struct nl_header);) {
        struct nl_header h;

        __builtin_memcpy(&h, buf + at, sizeof(h));
        if (h.len < sizeof(h) || h.len > size - at) {
            break; /* Linux passes over the rest as well */
        }
        r = answer(n, &h, buf + at + sizeof(h));
        at += MIN(nl_align(h.len), size - at);
    }
    return r < 0 ? r : (int64_t)size;
}

/* ---- reading ---- */

static int64_t receive_once(struct netlink_sock *n, struct sock_msg *m)
{
    const struct netlink_addr kernel = {.family = AF_NETLINK_};
    const bool peek = (m->flags & MSG_PEEK_) != 0;
    struct reply *r = NULL;
    size_t size;
    size_t copied;

    mutex_lock(&n->lock);
    if (!list_empty(&n->replies)) {
        r = list_entry(n->replies.next, struct reply, node);
        if (!peek) {
            list_remove(&r->node);
            n->queued -= r->size;
        }
    }
    if (r == NULL) {
        mutex_unlock(&n->lock);
        return -EAGAIN;
    }
    size = r->size;
    copied = MIN(size, (size_t)m->it.left);
    const bool fault = iter_put(&m->it, r->data, copied) < copied;

    mutex_unlock(&n->lock);
    if (!peek) {
        kfree(r);
    }
    if (fault) {
        return -EFAULT;
    }
    m->out_flags |= copied < size ? MSG_TRUNC_ : 0;
    m->addr = (struct sock_addr){.size = sizeof(kernel)};
    __builtin_memcpy(m->addr.b, &kernel, sizeof(kernel));
    return (m->flags & MSG_TRUNC_) != 0 ? (int64_t)size : (int64_t)copied;
}

static int64_t netlink_receive(struct socket *s, struct sock_msg *m)
{
    struct netlink_sock *n = netlink_of(s);
    const uint64_t deadline = sock_deadline(s, m->flags, s->receive_timeout);

    if ((m->flags & MSG_OOB_) != 0) {
        return -EOPNOTSUPP;
    }
    for (;;) {
        int64_t got = receive_once(n, m);
        int r;

        if (got != -EAGAIN) {
            return got;
        }
        r = sock_wait(s, EV_IN, deadline);
        if (r < 0) {
            return r;
        }
    }
}

static int netlink_shutdown(struct socket *s, uint32_t how)
{
    return -EOPNOTSUPP;
}

static int netlink_get_option(struct socket *s, int level, int option, void *val, uint32_t *size)
{
    const bool buffer = option == SO_SNDBUF_ || option == SO_RCVBUF_;
    const int32_t v = buffer ? 212992 : 0;

    if (level != SOL_SOCKET_ || (!buffer && option != SO_ERROR_ && option != SO_ACCEPTCONN_)) {
        return -ENOPROTOOPT;
    }
    *size = MIN(*size, (uint32_t)sizeof(v));
    __builtin_memcpy(val, &v, *size);
    return 0;
}

/* Sizes and ways to report do not matter to answers that are made at once. */
static int netlink_set_option(struct socket *s, int level, int option, const void *val,
                              uint32_t size)
{
    if (level == SOL_NETLINK_ && option == ADD_MEMBER) {
        return -EPERM;
    }
    if (level != SOL_SOCKET_ && level != SOL_NETLINK_) {
        return -ENOPROTOOPT;
    }
    return size < sizeof(int32_t) ? -EINVAL : 0;
}

static uint32_t netlink_poll(struct socket *s, struct poll_table *pt)
{
    struct netlink_sock *n = netlink_of(s);
    uint32_t ev = EV_WRITE;

    poll_queue(pt, &n->waiters);
    mutex_lock(&n->lock);
    ev |= list_empty(&n->replies) ? 0 : EV_READ;
    mutex_unlock(&n->lock);
    return ev;
}

static void netlink_release(struct socket *s)
{
    struct netlink_sock *n = netlink_of(s);

    list_for_each_safe (it, &n->replies) {
        kfree(list_entry(it, struct reply, node));
    }
    kfree(n);
}

static const struct sock_ops g_netlink_ops = {
    .bind = netlink_bind,
    .connect = netlink_connect,
    .listen = netlink_listen,
    .accept = netlink_accept,
    .name = netlink_name,
    .send = netlink_send,
    .receive = netlink_receive,
    .shutdown = netlink_shutdown,
    .get_option = netlink_get_option,
    .set_option = netlink_set_option,
    .poll = netlink_poll,
    .release = netlink_release,
};
