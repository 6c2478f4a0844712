/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* AF_UNIX: messages on their way, with descriptors and credentials. Locking: see unix.c. */

#include "libos/mm/kmem.h"
#include "libos/net/unix.h"
#include "libos/sys/syscall.h"

#define PACKET_CHUNK 32768u /* a stream write is cut into pieces of this */

/* ---- sending ---- */

static int make_packet(struct unix_sock *u, struct sock_msg *m, size_t size, struct packet **ret)
{
    struct packet *p = kmalloc(sizeof(*p) + size);

    if (p == NULL) {
        return -ENOBUFS;
    }
    *p = (struct packet){.size = size, .cred = m->has_cred ? m->cred : unix_own_cred()};
    if (iter_take(&m->it, p->data, size) < size) {
        kfree(p);
        return -EFAULT;
    }
    if (u->base.type == SOCK_DGRAM_) {
        unix_copy_name(u, &p->from);
    }
    *ret = p;
    return 0;
}

/* Gives a packet to the receiver; waits for room. */
static int deliver(struct unix_sock *u, struct unix_sock *to, struct packet *p, uint64_t deadline)
{
    for (;;) {
        struct waiter w;
        int r = 0;

        waiter_init(&w);
        waitq_add(&to->room, &w);
        mutex_lock(&to->lock);
        if (to->closed || (to->shut & SHUT_RD_BIT) != 0) {
            r = u->base.type == SOCK_DGRAM_ ? -ECONNREFUSED : -EPIPE;
        } else if (to->base.type == SOCK_DGRAM_ && to->peer != NULL && to->peer != u) {
            r = -EPERM; /* it is connected to somebody else */
        }
        bool full = r == 0 && !unix_has_room(to, p->size);

        if (r == 0 && !full) {
            list_insert(&to->queue, &p->node);
            to->queued += p->size;
        }
        mutex_unlock(&to->lock);
        if (full && deadline != 0) {
            r = thread_wait(deadline);
            r = r == -EINTR ? -ERESTARTSYS : (r == -ETIMEDOUT ? -EAGAIN : r);
        } else if (full) {
            r = -EAGAIN;
        }
        waitq_remove(&w);
        if (r < 0) {
            return r;
        }
        if (!full) {
            waitq_wake_all(&to->waiters, EV_READ);
            return 0;
        }
    }
}

static int64_t send_to(struct unix_sock *u, struct unix_sock *to, struct sock_msg *m)
{
    bool stream = u->base.type == SOCK_STREAM_;
    uint64_t deadline = sock_deadline(&u->base, m->flags, u->base.send_timeout);
    int64_t done = 0;

    if (!stream && m->it.left > UNIX_BUFFER) {
        return -EMSGSIZE;
    }
    do {
        size_t size = stream ? MIN(m->it.left, PACKET_CHUNK) : m->it.left;
        struct packet *p = NULL;

        if (stream && size == 0) {
            break; /* Linux sends nothing either, files included */
        }
        int r = make_packet(u, m, size, &p);

        if (r == 0) {
            p->files = m->files; /* with the first piece */
            p->file_count = m->file_count;
            r = deliver(u, to, p, deadline);
            if (r < 0) {
                p->files = NULL;
                p->file_count = 0;
                unix_packet_free(p);
            } else {
                m->files = NULL;
                m->file_count = 0;
            }
        }
        if (r < 0 && done == 0) {
            return r == -EPIPE ? sock_broken_pipe(m->flags) : r;
        }
        if (r < 0) {
            return done; /* what went is told first, without a signal */
        }
        done += (int64_t)size;
    } while (stream && m->it.left > 0);
    return done;
}

int64_t unix_send(struct socket *s, struct sock_msg *m)
{
    struct unix_sock *u = unix_of(s);
    struct unix_sock *to = NULL;

    if ((m->flags & MSG_OOB_) != 0) {
        return -EOPNOTSUPP;
    }
    if ((u->shut & SHUT_WR_BIT) != 0) {
        return sock_broken_pipe(m->flags);
    }
    if (m->has_addr && s->type == SOCK_DGRAM_) {
        int r = unix_find_target(&m->addr, SOCK_DGRAM_, &to);

        if (r < 0) {
            return r;
        }
    } else {
        if (m->has_addr && m->addr.size > 0 && s->type == SOCK_STREAM_) {
            return u->connected ? -EISCONN : -EOPNOTSUPP;
        }
        to = unix_get_peer(u);
        if (to == NULL) {
            if (u->connected) {
                return sock_broken_pipe(m->flags);
            }
            return -ENOTCONN;
        }
    }
    int64_t n = send_to(u, to, m);

    unix_put(to);
    return n;
}

/* ---- receiving ---- */

/* Hands the files of a packet to the message: copies of the references when it stays queued. */
static int take_files(struct packet *p, struct sock_msg *m, bool peek)
{
    if (p->file_count == 0) {
        return 0;
    }
    if (!peek) {
        m->files = TAKE_PTR(p->files);
        m->file_count = p->file_count;
        p->file_count = 0;
        return 0;
    }
    m->files = kmalloc(p->file_count * sizeof(m->files[0]));
    if (m->files == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < p->file_count; i++) {
        m->files[i] = file_get(p->files[i]);
    }
    m->file_count = p->file_count;
    return 0;
}

static void take_meta(const struct packet *p, struct sock_msg *m)
{
    m->cred = p->cred;
    m->has_cred = true;
    m->addr = p->from;
}

/* One datagram or record. Under u->lock; sets *ret_free to a packet to be freed after it. */
static int64_t receive_record(struct unix_sock *u, struct sock_msg *m, struct packet **ret_free)
{
    struct packet *p = list_entry(u->queue.next, struct packet, node);
    size_t n = MIN(p->size, m->it.left);
    bool peek = (m->flags & MSG_PEEK_) != 0;

    if (iter_put(&m->it, p->data, n) < n) {
        return -EFAULT;
    }
    int r = take_files(p, m, peek);

    if (r < 0) {
        return r;
    }
    take_meta(p, m);
    m->out_flags |= p->size > n ? MSG_TRUNC_ : 0;
    int64_t result = (m->flags & MSG_TRUNC_) != 0 ? (int64_t)p->size : (int64_t)n;

    if (!peek) {
        list_remove(&p->node);
        u->queued -= p->size;
        *ret_free = p;
    }
    return result;
}

/* Bytes from as many packets as fit, but never past a packet with files, nor across senders. */
static int64_t receive_bytes(struct unix_sock *u, struct sock_msg *m)
{
    bool peek = (m->flags & MSG_PEEK_) != 0;
    int64_t done = 0;

    list_for_each_safe (it, &u->queue) {
        struct packet *p = list_entry(it, struct packet, node);
        size_t n = MIN(p->size - p->taken, m->it.left);

        if (done > 0 &&
            (p->file_count > 0 || m->file_count > 0 ||
             (u->base.passcred && (p->cred.pid != m->cred.pid || p->cred.uid != m->cred.uid)))) {
            break;
        }
        if (iter_put(&m->it, p->data + p->taken, n) < n) {
            return done > 0 ? done : -EFAULT;
        }
        int r = take_files(p, m, peek);

        if (r < 0) {
            return done > 0 ? done : r;
        }
        take_meta(p, m);
        done += (int64_t)n;
        if (!peek) {
            p->taken += n;
            u->queued -= n;
            if (p->taken == p->size) {
                list_remove(&p->node);
                unix_packet_free(p);
            }
        }
        if (m->it.left == 0) {
            break;
        }
    }
    return done;
}

/* What is there now; -EAGAIN when nothing is. */
static int64_t receive_once(struct unix_sock *u, struct sock_msg *m)
{
    struct packet *done_with = NULL;
    int64_t n = -EAGAIN;

    mutex_lock(&u->lock);
    if (!list_empty(&u->queue)) {
        n = u->base.type == SOCK_STREAM_ ? receive_bytes(u, m) : receive_record(u, m, &done_with);
    } else if (u->base.type != SOCK_DGRAM_ && !u->connected) {
        n = u->base.type == SOCK_STREAM_ ? -EINVAL : -ENOTCONN;
    } else if ((u->shut & SHUT_RD_BIT) != 0 || u->peer_gone) {
        n = 0;
    }
    mutex_unlock(&u->lock);
    if (done_with != NULL) {
        unix_packet_free(done_with);
    }
    if (n > 0 && (m->flags & MSG_PEEK_) == 0) {
        waitq_wake_all(&u->room, EV_WRITE);
        struct unix_sock *peer = unix_get_peer(u);

        if (peer != NULL) {
            waitq_wake_all(&peer->waiters, EV_WRITE);
            unix_put(peer);
        }
    }
    return n;
}

int64_t unix_receive(struct socket *s, struct sock_msg *m)
{
    struct unix_sock *u = unix_of(s);
    uint64_t deadline = sock_deadline(s, m->flags, s->receive_timeout);
    bool all = s->type == SOCK_STREAM_ && (m->flags & (MSG_WAITALL_ | MSG_PEEK_)) == MSG_WAITALL_;
    int64_t done = 0;

    if ((m->flags & MSG_OOB_) != 0) {
        return -EOPNOTSUPP;
    }
    m->addr.size = 0;
    for (;;) {
        int64_t n = receive_once(u, m);

        if (n == -ECONNRESET || (n < 0 && n != -EAGAIN)) {
            return done > 0 ? done : n;
        }
        if (n >= 0) {
            done += n;
            if (!all || n == 0 || m->it.left == 0 || m->file_count > 0) {
                return done;
            }
        }
        int r = sock_wait(s, EV_IN, deadline);

        if (r < 0) {
            return done > 0 ? done : r;
        }
    }
}
