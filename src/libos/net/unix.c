/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * AF_UNIX inside the enclave: stream, datagram, seqpacket; path and abstract names; SCM_RIGHTS and
 * SCM_CREDENTIALS.
 *
 * Each socket has a queue of received messages under its own lock. A sender takes its own lock only
 * to get a counted pointer to its peer, then the receiver's: never both. Names are guarded by
 * g_names. Two sockets that send themselves to each other and are then closed stay in memory, as
 * there is no collector of such circles.
 */

#include "libos/net/unix.h"

#include <asm/ioctls.h>

#include "libos/fs/names.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"
#include "libos/proc/thread.h"
#include "libos/sys/syscall.h"

#define PATH_SIZE 108u

static struct mutex g_names;
static struct list g_abstract; /* unix_sock.name_node */

void unix_put(struct unix_sock *u)
{
    if (u == NULL || !ref_put(&u->refs)) {
        return;
    }
    kfree(u);
}

struct unix_sock *unix_get(struct unix_sock *u)
{
    ref_get(&u->refs);
    return u;
}

struct unix_sock *unix_of(struct socket *s)
{
    return container_of(s, struct unix_sock, base);
}

struct ucred_ unix_own_cred(void)
{
    const struct process *p = process_current();

    if (thread_current()->acting != NULL) {
        return *(const struct ucred_ *)thread_current()->acting;
    }
    return (struct ucred_){.pid = p->pid, .uid = p->euid, .gid = p->egid};
}

static struct unix_sock *unix_new(int type)
{
    struct unix_sock *u = kzalloc(sizeof(*u));

    if (u != NULL) {
        ref_init(&u->refs);
        u->base.ops = &unix_ops;
        u->base.family = AF_UNIX_;
        u->base.type = type;
        waitq_init(&u->waiters);
        waitq_init(&u->room);
        list_init(&u->queue);
        list_init(&u->pending);
        list_init(&u->pending_node);
        list_init(&u->name_node);
        u->send_max = UNIX_BUFFER;
        u->cred = unix_own_cred();
    }
    return u;
}

void unix_packet_free(struct packet *p)
{
    for (size_t i = 0; i < p->file_count; i++) {
        file_put(p->files[i]);
    }
    kfree(p->files);
    kfree(p);
}

/* The peer with a reference, or NULL. */
struct unix_sock *unix_get_peer(struct unix_sock *u)
{
    mutex_lock(&u->lock);
    struct unix_sock *peer = u->peer == NULL ? NULL : unix_get(u->peer);

    mutex_unlock(&u->lock);
    return peer;
}

int unix_create(int type, int protocol, struct socket **ret)
{
    if (protocol != 0 && protocol != AF_UNIX_) {
        return -EPROTONOSUPPORT;
    }
    if (type == SOCK_RAW_) {
        type = SOCK_DGRAM_; /* Linux says so as well */
    }
    if (type != SOCK_STREAM_ && type != SOCK_DGRAM_ && type != SOCK_SEQPACKET_) {
        return -ESOCKTNOSUPPORT;
    }
    struct unix_sock *u = unix_new(type);

    if (u == NULL) {
        return -ENOMEM;
    }
    *ret = &u->base;
    return 0;
}

/* Two sockets that are each other's peers, a reference each way. */
static void join(struct unix_sock *a, struct unix_sock *b)
{
    a->peer = unix_get(b);
    b->peer = unix_get(a);
    a->peer_cred = b->cred;
    b->peer_cred = a->cred;
    a->connected = true;
    b->connected = true;
}

int unix_pair(int type, struct socket *ret[2])
{
    int r = unix_create(type, 0, &ret[0]);

    if (r < 0) {
        return r;
    }
    r = unix_create(type, 0, &ret[1]);
    if (r < 0) {
        unix_put(unix_of(ret[0]));
        return r;
    }
    join(unix_of(ret[0]), unix_of(ret[1]));
    return 0;
}

/* ---- names ---- */

static bool is_abstract(const struct sock_addr *a)
{
    return a->size > 2 && a->b[2] == '\0';
}

static int check_addr(const struct sock_addr *a, char path[static PATH_SIZE + 1])
{
    uint16_t family;

    if (a->size < 2 || a->size > 2 + PATH_SIZE) {
        return -EINVAL;
    }
    __builtin_memcpy(&family, a->b, 2);
    if (family != AF_UNIX_) {
        return -EINVAL;
    }
    __builtin_memcpy(path, a->b + 2, a->size - 2);
    path[a->size - 2] = '\0';
    return 0;
}

/* Each type has names of its own. Under g_names. */
static struct unix_sock *find_abstract(const struct sock_addr *a, int type)
{
    if (g_abstract.next == NULL) {
        list_init(&g_abstract);
    }
    list_for_each (it, &g_abstract) {
        struct unix_sock *u = list_entry(it, struct unix_sock, name_node);

        if (u->base.type == type && u->name.size == a->size &&
            __builtin_memcmp(u->name.b, a->b, a->size) == 0) {
            return u;
        }
    }
    return NULL;
}

/* Five hexadecimal digits in the abstract space, as Linux chooses names. Under g_names. */
static int autobind(struct unix_sock *u)
{
    static uint32_t g_next;

    for (uint32_t i = 0; i < 0x100000; i++) {
        struct sock_addr a = {.size = 2 + 6, .b = {AF_UNIX_}};

        (void)kprintf((char *)a.b + 3, 6, "%05x", g_next++ & 0xfffff);
        if (find_abstract(&a, u->base.type) == NULL) {
            u->name = a;
            list_insert(&g_abstract, &u->name_node);
            return 0;
        }
    }
    return -ENOSPC;
}

static int bind_path(struct unix_sock *u, const char *path, const struct sock_addr *a)
{
    struct inode_new what = {.mode = S_IFSOCK | 0777};
    struct path at = {0};
    int r = name_create(AT_FDCWD, path, &what, &at);

    if (r < 0) {
        return r == -EEXIST ? -EADDRINUSE : r;
    }
    u->name = *a;
    u->name.size = (uint32_t)str_len(path) + 3; /* the terminator counts */
    u->name.b[u->name.size - 1] = '\0';
    u->bound = at;
    path_inode(&at)->object = u;
    return 0;
}

static int unix_bind(struct socket *s, const struct sock_addr *a)
{
    struct unix_sock *u = unix_of(s);
    char path[PATH_SIZE + 1];
    int r = check_addr(a, path);

    if (r < 0) {
        return r;
    }
    mutex_lock(&g_names);
    if (u->name.size != 0) {
        r = a->size == 2 ? 0 : -EINVAL;
    } else if (a->size == 2) {
        r = find_abstract(a, s->type) == NULL ? autobind(u) : -EINVAL;
    } else if (is_abstract(a)) {
        if (find_abstract(a, s->type) != NULL) {
            r = -EADDRINUSE;
        } else {
            u->name = *a;
            list_insert(&g_abstract, &u->name_node);
        }
    } else {
        r = bind_path(u, path, a);
    }
    mutex_unlock(&g_names);
    return r;
}

/* The socket an address leads to, with a reference. */
int unix_find_target(const struct sock_addr *a, int type, struct unix_sock **ret)
{
    char path[PATH_SIZE + 1];
    struct unix_sock *u = NULL;
    struct path at = {0};
    int r = check_addr(a, path);

    if (r < 0) {
        return r;
    }
    if (!is_abstract(a)) {
        if (a->size == 2) {
            return -ECONNREFUSED;
        }
        r = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &at);
        if (r == 0) {
            r = inode_permission(path_inode(&at), MAY_WRITE, /*real=*/false);
        }
        if (r == 0 && !S_ISSOCK(path_inode(&at)->mode)) {
            r = -ECONNREFUSED;
        }
    }
    mutex_lock(&g_names);
    if (r == 0) {
        u = is_abstract(a) ? find_abstract(a, type) : path_inode(&at)->object;
        if (u == NULL) {
            r = -ECONNREFUSED;
        } else if (u->base.type != type) {
            r = -EPROTOTYPE;
        } else {
            *ret = unix_get(u);
        }
    }
    mutex_unlock(&g_names);
    path_put(&at);
    return r;
}

void unix_copy_name(struct unix_sock *u, struct sock_addr *ret)
{
    mutex_lock(&g_names);
    *ret = u->name;
    mutex_unlock(&g_names);
}

static int unix_name(struct socket *s, bool peer, struct sock_addr *ret)
{
    struct unix_sock *u = unix_of(s);
    struct unix_sock *p = NULL;

    if (peer) {
        p = unix_get_peer(u);
        if (p == NULL && !u->peer_name_kept) {
            return -ENOTCONN;
        }
    }
    mutex_lock(&g_names);
    *ret = !peer ? u->name : p != NULL ? p->name : u->peer_name;
    mutex_unlock(&g_names);
    if (ret->size == 0) {
        *ret = (struct sock_addr){.size = 2, .b = {AF_UNIX_}};
    }
    unix_put(p);
    return 0;
}

/* ---- connections ---- */

static int unix_listen(struct socket *s, int backlog)
{
    struct unix_sock *u = unix_of(s);

    if (s->type == SOCK_DGRAM_) {
        return -EOPNOTSUPP;
    }
    if (u->name.size == 0) {
        return -EINVAL;
    }
    mutex_lock(&u->lock);
    int r = u->connected ? -EINVAL : 0;

    if (r == 0) {
        u->listening = true;
        u->backlog = (uint32_t)MIN(MAX(backlog, 0), 4096);
        u->cred = unix_own_cred();
    }
    mutex_unlock(&u->lock);
    waitq_wake_all(&u->waiters, EV_WRITE);
    return r;
}

static int connect_datagram(struct unix_sock *u, const struct sock_addr *a)
{
    struct unix_sock *target = NULL;
    struct unix_sock *old = NULL;
    uint16_t family;

    __builtin_memcpy(&family, a->b, 2);
    if (a->size >= 2 && family == AF_UNSPEC_) {
        mutex_lock(&u->lock);
        old = TAKE_PTR(u->peer);
        u->connected = false;
        mutex_unlock(&u->lock);
        unix_put(old);
        return 0;
    }
    int r = unix_find_target(a, SOCK_DGRAM_, &target);

    if (r < 0) {
        return r;
    }
    mutex_lock(&u->lock);
    old = u->peer;
    u->peer = target;
    u->connected = true;
    u->peer_cred = target->cred;
    mutex_unlock(&u->lock);
    unix_put(old);
    return 0;
}

/* Puts `fresh`, the server's end, into the listener's queue; waits while that is full. */
static int enqueue_connection(struct unix_sock *listener, struct unix_sock *fresh,
                              uint64_t deadline)
{
    for (;;) {
        struct waiter w;

        waiter_init(&w);
        waitq_add(&listener->waiters, &w);
        mutex_lock(&listener->lock);
        int r = listener->listening && !listener->closed ? 0 : -ECONNREFUSED;
        bool full = r == 0 && listener->pending_count > listener->backlog;

        if (r == 0 && !full) {
            list_insert(&listener->pending, &fresh->pending_node);
            listener->pending_count++;
        }
        mutex_unlock(&listener->lock);
        if (full) {
            r = deadline == 0 ? -EAGAIN : thread_wait(deadline);
            r = r == -EINTR ? -ERESTARTSYS : (r == -ETIMEDOUT ? -EAGAIN : r);
        }
        waitq_remove(&w);
        if (r < 0) {
            return r;
        }
        if (!full) {
            waitq_wake_all(&listener->waiters, EV_READ);
            return 0;
        }
    }
}

static int may_connect(const struct unix_sock *u)
{
    return u->connected ? -EISCONN : u->listening ? -EINVAL : 0;
}

static int connect_stream(struct unix_sock *u, const struct sock_addr *a)
{
    struct unix_sock *listener = NULL;
    int r = may_connect(u);

    r = r < 0 ? r : unix_find_target(a, u->base.type, &listener);
    if (r < 0) {
        return r;
    }
    struct unix_sock *fresh = unix_new(u->base.type);

    if (fresh == NULL) {
        unix_put(listener);
        return -ENOMEM;
    }
    fresh->cred = listener->cred;
    mutex_lock(&g_names);
    fresh->name = listener->name;
    mutex_unlock(&g_names);
    fresh->base.passcred = listener->base.passcred;
    mutex_lock(&u->lock);
    r = may_connect(u); /* another thread may have been faster */
    if (r == 0) {
        u->cred = unix_own_cred();
        join(u, fresh);
    }
    mutex_unlock(&u->lock);
    if (r < 0) {
        unix_put(fresh);
        unix_put(listener);
        return r;
    }
    r = enqueue_connection(listener, fresh, sock_deadline(&u->base, 0, u->base.send_timeout));
    if (r < 0) {
        mutex_lock(&u->lock);
        u->connected = false;
        struct unix_sock *p = TAKE_PTR(u->peer);

        mutex_unlock(&u->lock);
        unix_put(TAKE_PTR(fresh->peer));
        unix_put(p);
        unix_put(fresh);
    }
    unix_put(listener);
    waitq_wake_all(&u->waiters, EV_WRITE);
    return r;
}

static int unix_connect(struct socket *s, const struct sock_addr *a)
{
    return s->type == SOCK_DGRAM_ ? connect_datagram(unix_of(s), a) : connect_stream(unix_of(s), a);
}

static int unix_accept(struct socket *s, bool wait, struct socket **ret)
{
    struct unix_sock *u = unix_of(s);
    uint64_t deadline = wait ? sock_deadline(s, 0, s->receive_timeout) : 0;

    if (s->type == SOCK_DGRAM_) {
        return -EOPNOTSUPP;
    }
    for (;;) {
        struct unix_sock *fresh = NULL;

        mutex_lock(&u->lock);
        bool listening = u->listening;

        if (!list_empty(&u->pending)) {
            fresh = list_entry(u->pending.next, struct unix_sock, pending_node);
            list_remove(&fresh->pending_node);
            u->pending_count--;
        }
        mutex_unlock(&u->lock);
        if (!listening) {
            return -EINVAL;
        }
        if (fresh != NULL) {
            waitq_wake_all(&u->waiters, EV_WRITE);
            *ret = &fresh->base;
            return 0;
        }
        int r = sock_wait(s, EV_IN, deadline);

        if (r < 0) {
            return r;
        }
    }
}

/* ---- state ---- */

static int unix_shutdown(struct socket *s, uint32_t how)
{
    struct unix_sock *u = unix_of(s);
    struct unix_sock *peer = NULL;

    mutex_lock(&u->lock);
    u->shut |= how;
    peer = u->peer == NULL ? NULL : unix_get(u->peer);
    mutex_unlock(&u->lock);
    waitq_wake_all(&u->waiters, EV_READ | EV_WRITE | EV_HUP);
    waitq_wake_all(&u->room, EV_WRITE);
    if (peer != NULL && s->type != SOCK_DGRAM_) {
        mutex_lock(&peer->lock);
        peer->shut |= (how & SHUT_WR_BIT) != 0 ? SHUT_RD_BIT : 0;
        peer->shut |= (how & SHUT_RD_BIT) != 0 ? SHUT_WR_BIT : 0;
        mutex_unlock(&peer->lock);
        waitq_wake_all(&peer->waiters, EV_READ | EV_WRITE | EV_HUP | EV_RDHUP);
        waitq_wake_all(&peer->room, EV_WRITE);
    }
    unix_put(peer);
    return 0;
}

static bool can_send(struct unix_sock *u)
{
    struct unix_sock *peer = unix_get_peer(u);

    if (peer == NULL) {
        return true; /* the call fails at once, or it goes by address */
    }
    mutex_lock(&peer->lock);
    bool room = peer->closed || unix_has_room(peer, UNIX_BUFFER / 4);

    mutex_unlock(&peer->lock);
    unix_put(peer);
    return room;
}

static uint32_t unix_poll(struct socket *s, struct poll_table *pt)
{
    struct unix_sock *u = unix_of(s);
    uint32_t ev = 0;

    poll_queue(pt, &u->waiters);
    mutex_lock(&u->lock);
    bool over = (u->shut & SHUT_RD_BIT) != 0 || u->peer_gone;

    if (!list_empty(&u->queue) || !list_empty(&u->pending) || over) {
        ev |= EV_READ;
    }
    ev |= over ? EV_RDHUP : 0;
    if (u->peer_gone || u->shut == (SHUT_RD_BIT | SHUT_WR_BIT)) {
        ev |= EV_HUP;
    }
    if (s->type != SOCK_DGRAM_ && !u->connected && !u->listening) {
        ev |= EV_HUP | EV_WRITE; /* as Linux: not connected yet */
    }
    bool listening = u->listening;

    mutex_unlock(&u->lock);
    if (!listening && can_send(u)) {
        ev |= EV_WRITE;
    }
    return ev;
}

int64_t unix_pending(struct socket *s, uint32_t request)
{
    struct unix_sock *u = unix_of(s);
    int64_t n = 0;

    if (request == TIOCOUTQ) {
        struct unix_sock *peer = unix_get_peer(u);

        if (peer != NULL) {
            n = (int64_t)peer->queued;
            unix_put(peer);
        }
        return n;
    }
    if (request != FIONREAD) {
        return -ENOTTY;
    }
    mutex_lock(&u->lock);
    if (u->listening) {
        n = -EINVAL;
    } else if (s->type == SOCK_STREAM_) {
        n = (int64_t)u->queued;
    } else if (!list_empty(&u->queue)) {
        n = (int64_t)list_entry(u->queue.next, struct packet, node)->size;
    }
    mutex_unlock(&u->lock);
    return n;
}

static int64_t unix_ioctl(struct socket *s, uint32_t request, uint64_t arg)
{
    int64_t pending = unix_pending(s, request);
    int32_t n = (int32_t)pending;

    return pending < 0 ? pending : user_put(arg, &n);
}

static int unix_get_option(struct socket *s, int level, int option, void *val, uint32_t *size)
{
    struct unix_sock *u = unix_of(s);
    int32_t v = 0;

    if (level != SOL_SOCKET_) {
        return -EOPNOTSUPP;
    }
    switch (option) {
    case SO_PEERCRED_:
        if (*size > sizeof(u->peer_cred)) {
            *size = sizeof(u->peer_cred);
        }
        if (!u->connected) {
            u->peer_cred = (struct ucred_){.uid = UINT32_MAX, .gid = UINT32_MAX};
        }
        __builtin_memcpy(val, &u->peer_cred, *size);
        return 0;
    case SO_ACCEPTCONN_: v = u->listening; break;
    case SO_SNDBUF_:
    case SO_RCVBUF_: v = (int32_t)u->send_max; break;
    case SO_ERROR_: v = 0; break;
    case 2: v = u->reuse; break; /* SO_REUSEADDR */
    case 6:                      /* SO_BROADCAST */
    case 9: v = 0; break;        /* SO_KEEPALIVE */
    default: return -ENOPROTOOPT;
    }
    *size = MIN(*size, (uint32_t)sizeof(v));
    __builtin_memcpy(val, &v, *size);
    return 0;
}

static int unix_set_option(struct socket *s, int level, int option, const void *val, uint32_t size)
{
    struct unix_sock *u = unix_of(s);
    int32_t v = 0;

    if (level != SOL_SOCKET_) {
        return -EOPNOTSUPP;
    }
    if (size < sizeof(v)) {
        return -EINVAL;
    }
    __builtin_memcpy(&v, val, sizeof(v));
    switch (option) {
    case SO_SNDBUF_:
    case SO_RCVBUF_: u->send_max = (uint32_t)MIN(MAX(v, 2304), 1 << 20) * 2; return 0;
    case 2: u->reuse = v != 0; return 0;
    case 6:
    case 9:
    case 12: /* SO_PRIORITY */
    case 13: /* SO_LINGER */ return 0;
    default: return -ENOPROTOOPT;
    }
}

/* Takes the name away, so that nobody finds the socket again. */
static void forget_name(struct unix_sock *u)
{
    mutex_lock(&g_names);
    list_remove(&u->name_node);
    if (u->bound.dentry != NULL) {
        path_inode(&u->bound)->object = NULL;
    }
    struct path bound = u->bound;

    u->bound = (struct path){0};
    mutex_unlock(&g_names);
    path_put(&bound);
}

/* A connection that its client closed already is still accepted, with the client's name and data.
 */
static void leave_name_to_peer(struct unix_sock *u)
{
    struct unix_sock *peer = u->base.type == SOCK_DGRAM_ ? NULL : unix_get_peer(u);

    if (peer != NULL) {
        mutex_lock(&g_names);
        peer->peer_name = u->name;
        peer->peer_name_kept = true;
        mutex_unlock(&g_names);
        unix_put(peer);
    }
}

static void unix_release(struct socket *s)
{
    struct unix_sock *u = unix_of(s);

    leave_name_to_peer(u);
    forget_name(u);
    mutex_lock(&u->lock);
    u->closed = true;
    struct unix_sock *peer = TAKE_PTR(u->peer);
    struct list queue;
    struct list pending;

    list_init(&queue);
    list_init(&pending);
    while (!list_empty(&u->queue)) {
        struct list *n = u->queue.next;

        list_remove(n);
        list_insert(&queue, n);
    }
    while (!list_empty(&u->pending)) {
        struct list *n = u->pending.next;

        list_remove(n);
        list_insert(&pending, n);
    }
    mutex_unlock(&u->lock);
    waitq_wake_all(&u->room, EV_WRITE);
    waitq_wake_all(&u->waiters, EV_HUP);
    if (peer != NULL && s->type != SOCK_DGRAM_) {
        mutex_lock(&peer->lock);
        peer->peer_gone = true;
        struct unix_sock *back = peer->peer == u ? TAKE_PTR(peer->peer) : NULL;

        mutex_unlock(&peer->lock);
        waitq_wake_all(&peer->waiters, EV_READ | EV_WRITE | EV_HUP | EV_RDHUP);
        unix_put(back);
    }
    unix_put(peer);
    list_for_each_safe (it, &queue) {
        unix_packet_free(list_entry(it, struct packet, node));
    }
    list_for_each_safe (it2, &pending) {
        unix_release(&list_entry(it2, struct unix_sock, pending_node)->base);
    }
    unix_put(u);
}

const struct sock_ops unix_ops = {
    .bind = unix_bind,
    .connect = unix_connect,
    .listen = unix_listen,
    .accept = unix_accept,
    .name = unix_name,
    .send = unix_send,
    .receive = unix_receive,
    .shutdown = unix_shutdown,
    .get_option = unix_get_option,
    .set_option = unix_set_option,
    .poll = unix_poll,
    .ioctl = unix_ioctl,
    .release = unix_release,
};
