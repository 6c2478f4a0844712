/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The owner's side. Two service threads: one accepts connections and serves calls, the other hears
 * what members say on their event channels (acknowledgements, and that they are gone) and takes no
 * lock but those of this file, so that a call may wait for an acknowledgement.
 *
 * The host decides which descriptors are "ready": a number it makes up leads to a place that is
 * looked at in vain.
 */

#include "core/ct.h"
#include "libos/family/rpc_internal.h"
#include "libos/host/host.h"
#include "libos/lib/random.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/proc/freeze.h"
#include "libos/proc/park.h"
#include "libos/proc/service.h"
#include "libos/proc/wait.h"

#include <linux/eventpoll.h>

#define AF_UNIX_      1
#define SOCK_STREAM   1
#define SOCK_NONBLOCK 04000
#define MSG_DONTWAIT  0x40
#define BACKLOG       64
#define GUESTS_MAX    64u /* connections that have not proved themselves */
#define ROUND         32  /* events taken at a time */

#define DATA_LISTENER UINT64_MAX
#define DATA_STOP     (UINT64_MAX - 1)
#define DATA_GUEST    (1ull << 32) /* | place */

/* A connection before its hello. */
struct guest {
    int fd; /* -1: free place */
    struct greeting greeting;
    size_t have;
    struct member *member; /* a reference, once the greeting named it */
    struct channel channel;
};

struct owner {
    struct mutex lock; /* over members and their connecting */
    struct list members;
    uint32_t count;
    uint32_t next_id;
    struct spinlock replies; /* over every member's list of kept calls */
    uint8_t name[FAMILY_NAME_SIZE];
    int listener, calls_epoll, events_epoll, stop_fd;
    uint32_t running; /* service threads */
    struct guest *guests;
    family_gone_hook hooks[FAMILY_HOOKS_MAX];
    uint32_t hook_count;
    family_ack_handler ack;
    uint32_t leaving;  /* the owner exits: members end in its wake */
    uint32_t awaiting; /* threads that wait for acknowledgements */
    struct waitq acks; /* woken by acknowledgements and ends */
    uint8_t *answer;   /* FAMILY_ANSWER_MAX, of the serving thread */
};
static struct owner g_owner = {
    .listener = -1, .calls_epoll = -1, .events_epoll = -1, .stop_fd = -1};
#define GUESTS_PAGES ((GUESTS_MAX * sizeof(struct guest) + NACRE_PAGE_SIZE - 1) >> NACRE_PAGE_SHIFT)
#define MEMBER_PAGES ((sizeof(struct member) + NACRE_PAGE_SIZE - 1) >> NACRE_PAGE_SHIFT)
#define ANSWER_PAGES ((FAMILY_ANSWER_MAX + NACRE_PAGE_SIZE - 1) >> NACRE_PAGE_SHIFT)

void family_on_member_gone(family_gone_hook hook)
{
    mutex_lock(&g_owner.lock);
    if (g_owner.hook_count >= FAMILY_HOOKS_MAX) {
        libos_panic("family: too many hooks");
    }
    g_owner.hooks[g_owner.hook_count++] = hook;
    mutex_unlock(&g_owner.lock);
}

void family_on_ack(family_ack_handler handler)
{
    g_owner.ack = handler;
}

/* ---- members ---- */

struct member *member_get(struct member *m)
{
    ref_get(&m->refs);
    return m;
}

void member_put(struct member *m)
{
    if (m != NULL && ref_put(&m->refs)) {
        channel_destroy(&m->calls);
        channel_destroy(&m->events);
        ct_wipe(m->key, sizeof(m->key));
        kpages_free(m, MEMBER_PAGES);
    }
}

static struct member *find_locked(uint32_t id)
{
    if (g_owner.members.next == NULL) {
        return NULL;
    }
    list_for_each (it, &g_owner.members) {
        struct member *m = list_entry(it, struct member, node);

        if (m->id == id) {
            return m;
        }
    }
    return NULL;
}

struct member *member_find(uint32_t id)
{
    struct member *m;

    mutex_lock(&g_owner.lock);
    m = find_locked(id);
    if (m != NULL) {
        (void)member_get(m);
    }
    mutex_unlock(&g_owner.lock);
    return m;
}

int owner_new_member(struct family_ticket *ret)
{
    struct member *m;
    int r = 0;

    if (g_owner.listener < 0) {
        return -EINVAL;
    }
    m = kpages_alloc(MEMBER_PAGES);
    if (m == NULL) {
        return -ENOMEM;
    }
    __builtin_memset(m, 0, sizeof(*m));
    ref_init(&m->refs);
    list_init(&m->replies);
    list_init(&m->node);
    random_bytes(m->key, sizeof(m->key));
    mutex_lock(&g_owner.lock);
    if (g_owner.count >= FAMILY_MEMBERS_MAX || g_owner.next_id == UINT32_MAX) {
        r = -EAGAIN;
    } else {
        m->id = ++g_owner.next_id;
        g_owner.count++;
        list_insert(&g_owner.members, &m->node);
    }
    mutex_unlock(&g_owner.lock);
    if (r < 0) {
        member_put(m);
        return r;
    }
    *ret = (struct family_ticket){.member = m->id};
    __builtin_memcpy(ret->key, m->key, sizeof(ret->key));
    __builtin_memcpy(ret->name, g_owner.name, sizeof(ret->name));
    return 0;
}

/* ---- calls kept open ---- */

static void reply_put(struct family_reply *reply)
{
    if (ref_put(&reply->refs)) {
        member_put(reply->member);
        kfree(reply);
    }
}

/* Has the handler end a call. Called with the lock held and `reply` alive; gives the lock back. An
 * answer that comes meanwhile waits, so that `ctx` stays. */
static void cancel_and_unlock(struct family_reply *reply)
{
    void (*cancel)(struct family_reply *, void *) = reply->cancel;

    if (cancel == NULL) {
        spin_unlock(&g_owner.replies);
        return;
    }
    reply->cancel = NULL;
    reply->canceller = thread_current();
    ref_get(&reply->refs);
    spin_unlock(&g_owner.replies);
    cancel(reply, reply->ctx);
    spin_lock(&g_owner.replies);
    reply->canceller = NULL;
    spin_unlock(&g_owner.replies);
    reply_put(reply);
}

static struct family_reply *find_reply(struct member *m, uint32_t id, bool any)
{
    list_for_each (it, &m->replies) {
        struct family_reply *reply = list_entry(it, struct family_reply, node);

        if (any ? reply->cancel != NULL : reply->id == id) {
            return reply;
        }
    }
    return NULL;
}

static void cancel_call(struct member *m, uint32_t id)
{
    struct family_reply *found;

    spin_lock(&g_owner.replies);
    found = find_reply(m, id, /*any=*/false);
    if (found != NULL) {
        cancel_and_unlock(found);
    } else {
        /* Its answer is on the way already, or a worker has it, where nothing waits for long. */
        spin_unlock(&g_owner.replies);
    }
}

static void cancel_all(struct member *m)
{
    for (;;) {
        struct family_reply *found;

        spin_lock(&g_owner.replies);
        found = find_reply(m, 0, /*any=*/true);
        if (found == NULL) {
            spin_unlock(&g_owner.replies);
            return;
        }
        cancel_and_unlock(found);
    }
}

void owner_cancel_local(struct local_call *local)
{
    spin_lock(&g_owner.replies);
    if (local->kept != NULL) {
        cancel_and_unlock(local->kept);
    } else {
        spin_unlock(&g_owner.replies);
    }
}

struct family_reply *family_later(struct family_request *q,
                                  void (*cancel)(struct family_reply *reply, void *ctx), void *ctx)
{
    struct family_reply *reply;

    if (q->reply->on_worker) {
        return NULL; /* cancelling does not reach there */
    }
    reply = kzalloc(sizeof(*reply));
    if (reply == NULL) {
        return NULL;
    }
    *reply = *q->reply;
    ref_init(&reply->refs);
    list_init(&reply->node);
    reply->cancel = cancel;
    reply->ctx = ctx;
    spin_lock(&g_owner.replies);
    if (reply->local != NULL) {
        reply->local->kept = reply;
    } else {
        (void)member_get(reply->member);
        list_insert(&reply->member->replies, &reply->node);
    }
    spin_unlock(&g_owner.replies);
    return reply;
}

uint32_t family_reply_member(const struct family_reply *reply)
{
    return reply->member == NULL ? FAMILY_OWNER_ID : reply->member->id;
}

static void answer_local(struct local_call *local, int64_t result, const void *answer, size_t size)
{
    local->answer = size == 0 ? NULL : kmalloc(size);
    local->size = size;
    local->result = result;
    if (local->answer != NULL) {
        __builtin_memcpy(local->answer, answer, size);
    } else if (size > 0) {
        local->result = -ENOMEM;
        local->size = 0;
    }
    thread_set_flag(local->thread, &local->done);
}

void family_answer(struct family_reply *reply, int64_t result, const void *answer, size_t size)
{
    struct local_call *local = reply->local;

    size = MIN(size, (size_t)FAMILY_ANSWER_MAX);
    spin_lock(&g_owner.replies);
    while (reply->canceller != NULL && reply->canceller != thread_current()) {
        spin_unlock(&g_owner.replies);
        host_yield();
        spin_lock(&g_owner.replies);
    }
    list_remove(&reply->node);
    reply->cancel = NULL;
    if (local != NULL) {
        local->kept = NULL;
    }
    spin_unlock(&g_owner.replies);
    if (local != NULL) {
        answer_local(local, result, answer, size);
    } else {
        owner_send_answer(reply->member, reply->id, result, answer, size);
    }
    reply_put(reply);
}

/* ---- the end of a member ---- */

/* The end of a member, seen by any thread, done by the first that sees it. */
static void member_end(struct member *m)
{
    family_gone_hook hooks[FAMILY_HOOKS_MAX];
    uint32_t count;

    if (__atomic_exchange_n(&m->gone, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    cancel_all(m);
    waitq_wake_all(&g_owner.acks, 0);
    mutex_lock(&g_owner.lock);
    list_remove(&m->node);
    g_owner.count--;
    count = g_owner.hook_count;
    __builtin_memcpy(hooks, g_owner.hooks, sizeof(hooks));
    mutex_unlock(&g_owner.lock);
    for (uint32_t i = 0; i < count; i++) {
        hooks[i](m->id, __atomic_load_n(&m->orderly, __ATOMIC_ACQUIRE) != 0);
    }
    member_put(m); /* the list's reference */
}

void owner_forget_member(uint32_t id)
{
    struct member *m = member_find(id);

    if (m != NULL) {
        member_end(m);
        member_put(m);
    }
}

/* ---- answers ---- */

void owner_send_answer(struct member *m, uint32_t id, int64_t result, const void *answer,
                       size_t size)
{
    const struct answer_head head = {.id = id, .result = result};
    const struct channel_part parts[] = {{&head, sizeof(head)}, {answer, size}};

    if (__atomic_load_n(&m->gone, __ATOMIC_ACQUIRE) != 0) {
        return;
    }
    if (channel_post(&m->calls, parts, ARRAY_COUNT(parts)) == -ENOMEM) {
        const struct answer_head sorry = {.id = id, .result = -ENOMEM};
        const struct channel_part part = {&sorry, sizeof(sorry)};

        (void)!channel_post(&m->calls, &part, 1);
    }
    /* What the host did not take at once goes when it can be written. */
    if (channel_backlog(&m->calls)) {
        (void)host_epoll_ctl(g_owner.calls_epoll, EPOLL_CTL_MOD, (int)(intptr_t)m->calls.ctx,
                             (uint32_t)EPOLLIN | (uint32_t)EPOLLOUT, m->id);
    }
}

/* ---- serving ---- */

void serve_run(struct family_request *q, struct member *m, uint32_t id, uint32_t op, bool may_block)
{
    struct family_reply reply = {.member = m, .id = id, .on_worker = may_block};
    const struct cursor body = q->body;
    int64_t result = family_check_request(op, q->body.left);

    q->member = m->id;
    q->may_block = may_block;
    q->reply = &reply;
    q->answer_size = 0;
    if (result == 0) {
        thread_current()->hasty = !may_block;
        result = __atomic_load_n(&g_family_handlers[op], __ATOMIC_ACQUIRE)(q);
        thread_current()->hasty = false;
    }
    if (result == FAMILY_BLOCKS) {
        result = may_block ? -EIO : work_add(m, id, op, &body);
        if (result == 0) {
            return;
        }
    }
    if (result != FAMILY_LATER) {
        owner_send_answer(m, id, result, q->answer, MIN(q->answer_size, q->cap));
    }
}

static int serve_message(struct member *m, const uint8_t *p, size_t size)
{
    struct call_head head;
    struct family_request q = {
        .body = cursor_make(p, size), .answer = g_owner.answer, .cap = FAMILY_ANSWER_MAX};

    if (cursor_copy(&q.body, &head, sizeof(head)) < 0) {
        return -EBADMSG;
    }
    if (head.op == CALL_CANCEL) {
        cancel_call(m, head.id);
        return 0;
    }
    serve_run(&q, m, head.id, head.op, /*may_block=*/false);
    return 0;
}

static void serve_ready(uint32_t id)
{
    struct member *m = member_find(id);
    int r = 1;

    if (m == NULL || m->have_calls == 0) {
        member_put(m);
        return;
    }
    if (channel_backlog(&m->calls) && channel_flush(&m->calls) == 1) {
        (void)host_epoll_ctl(g_owner.calls_epoll, EPOLL_CTL_MOD, (int)(intptr_t)m->calls.ctx,
                             EPOLLIN, m->id);
    }
    /* More than one only of what was read already: for the rest the host says when. */
    for (bool first = true; r > 0 && (first || channel_buffered(&m->calls)); first = false) {
        uint8_t *p = NULL;
        size_t size = 0;

        r = channel_receive(&m->calls, CHANNEL_NOWAIT, &p, &size);
        if (r > 0) {
            r = serve_message(m, p, size);
            r = r < 0 ? r : 1;
        } else if (r == 0) {
            __atomic_store_n(&m->orderly, 1, __ATOMIC_RELEASE);
            r = -ECONNABORTED;
        }
    }
    if (r < 0 && r != -EAGAIN && r != -ENOMEM) {
        if (m->orderly == 0 && __atomic_load_n(&g_owner.leaving, __ATOMIC_ACQUIRE) == 0) {
            libos_log(LOG_WARNING, "family: process %u of the family is gone (error %d)", m->id,
                      -r);
        }
        (void)host_epoll_ctl(g_owner.calls_epoll, EPOLL_CTL_DEL, (int)(intptr_t)m->calls.ctx, 0, 0);
        member_end(m);
    }
    member_put(m);
}

static void hear_ready(uint32_t id)
{
    struct member *m = member_find(id);
    int r = 1;

    if (m == NULL || __atomic_load_n(&m->have_events, __ATOMIC_ACQUIRE) == 0) {
        member_put(m);
        return;
    }
    if (channel_backlog(&m->events) && channel_flush(&m->events) == 1) {
        (void)host_epoll_ctl(g_owner.events_epoll, EPOLL_CTL_MOD, (int)(intptr_t)m->events.ctx,
                             EPOLLIN, m->id);
    }
    while (r > 0) {
        struct ack_message ack;
        uint8_t *p = NULL;
        size_t size = 0;

        r = channel_receive(&m->events, CHANNEL_NOWAIT, &p, &size);
        if (r > 0 && size == sizeof(ack)) {
            __builtin_memcpy(&ack, p, sizeof(ack));
            __atomic_store_n(&m->acked, MAX(ack.value, m->acked), __ATOMIC_RELEASE);
            waitq_wake_all(&g_owner.acks, 0);
            if (g_owner.ack != NULL) {
                g_owner.ack(m->id, ack.value);
            }
        } else if (r > 0) {
            r = -EBADMSG;
        } else if (r == 0) {
            __atomic_store_n(&m->orderly, 1, __ATOMIC_RELEASE);
            r = -ECONNABORTED;
        }
    }
    if (r != -EAGAIN && r != -ENOMEM) {
        (void)host_epoll_ctl(g_owner.events_epoll, EPOLL_CTL_DEL, (int)(intptr_t)m->events.ctx, 0,
                             0);
        member_end(m);
    }
    member_put(m);
}

/* ---- connecting ---- */

static void guest_free(struct guest *g)
{
    if (g->fd < 0) {
        return;
    }
    (void)host_epoll_ctl(g_owner.calls_epoll, EPOLL_CTL_DEL, g->fd, 0, 0);
    if (g->channel.io != NULL) {
        channel_destroy(&g->channel); /* closes the descriptor */
    } else {
        (void)host_close(g->fd);
    }
    member_put(g->member);
    *g = (struct guest){.fd = -1};
}

static void accept_guest(void)
{
    int fd = host_accept(g_owner.listener, NULL, NULL, SOCK_NONBLOCK);

    if (fd < 0) {
        return;
    }
    for (uint32_t i = 0; i < GUESTS_MAX; i++) {
        struct guest *g = &g_owner.guests[i];

        if (g->fd < 0) {
            *g = (struct guest){.fd = fd};
            if (host_epoll_ctl(g_owner.calls_epoll, EPOLL_CTL_ADD, fd, EPOLLIN, DATA_GUEST | i) <
                0) {
                guest_free(g);
            }
            return;
        }
    }
    /* All places taken by connections that say nothing: the oldest place gives way, so that they
     * cannot keep a child out for ever. */
    guest_free(&g_owner.guests[fd % (int)GUESTS_MAX]);
    (void)host_close(fd);
}

/* The first bytes of a connection: which member's key will open the rest. */
static int read_greeting(struct guest *g)
{
    struct member *m;
    int64_t n = host_recvfrom(g->fd, (uint8_t *)&g->greeting + g->have,
                              sizeof(g->greeting) - g->have, MSG_DONTWAIT, NULL, NULL);

    if (n <= 0) {
        return n == -EAGAIN || n == -EINTR ? 0 : -ECONNABORTED;
    }
    g->have += (size_t)n;
    if (g->have < sizeof(g->greeting)) {
        return 0;
    }
    if (g->greeting.magic != GREETING_MAGIC || g->greeting.which > GREETING_EVENTS ||
        g->greeting.reserved != 0) {
        return -EBADMSG;
    }
    m = member_find(g->greeting.member);
    if (m == NULL) {
        return -EBADMSG;
    }
    g->member = m;
    return channel_init(&g->channel, m->key,
                        g->greeting.which == GREETING_CALLS ? LABEL_CALLS : LABEL_EVENTS,
                        CHANNEL_ROLE_A, &channel_io_host, channel_host_ctx(g->fd));
}

/* The hello opened: the connection becomes the member's, unless it has one already. */
static int admit(struct guest *g)
{
    const bool calls = g->greeting.which == GREETING_CALLS;
    const struct channel_part hello = {.p = HELLO, .size = HELLO_SIZE};
    struct member *m = g->member;
    struct channel *to = calls ? &m->calls : &m->events;
    uint32_t *have = calls ? &m->have_calls : &m->have_events;
    int r = 0;

    mutex_lock(&g_owner.lock);
    if (to->io != NULL || m->gone != 0) {
        r = -EALREADY;
    } else {
        *to = g->channel;
        g->channel.io = NULL;
    }
    mutex_unlock(&g_owner.lock);
    if (r < 0) {
        return r;
    }
    (void)host_epoll_ctl(g_owner.calls_epoll, EPOLL_CTL_DEL, g->fd, 0, 0);
    g->fd = -1; /* its channel has it */
    g->member = NULL;
    r = channel_post(to, &hello, 1);
    __atomic_store_n(have, 1, __ATOMIC_RELEASE);
    if (r == 0) {
        r = host_epoll_ctl(calls ? g_owner.calls_epoll : g_owner.events_epoll, EPOLL_CTL_ADD,
                           (int)(intptr_t)to->ctx, EPOLLIN, m->id);
    }
    if (r < 0) {
        member_end(m);
    } else if (calls && channel_buffered(to)) {
        serve_ready(m->id);
    }
    member_put(m);
    return 0;
}

static void guest_ready(uint64_t place)
{
    struct guest *g = &g_owner.guests[place];
    uint8_t *p = NULL;
    size_t size = 0;
    int r = 0;

    if (place >= GUESTS_MAX || g->fd < 0) {
        return;
    }
    if (g->channel.io == NULL) {
        r = read_greeting(g);
    }
    if (r == 0 && g->channel.io != NULL) {
        r = channel_receive(&g->channel, CHANNEL_NOWAIT, &p, &size);
        if (r == 1) {
            r = size == HELLO_SIZE && __builtin_memcmp(p, HELLO, HELLO_SIZE) == 0 ? admit(g)
                                                                                  : -EBADMSG;
        } else if (r == -EAGAIN) {
            r = 0;
        } else if (r == 0) {
            r = -ECONNABORTED;
        }
    }
    if (r < 0) {
        guest_free(g);
    }
}

/* ---- service threads ---- */

static bool handle(uint64_t data, bool calls)
{
    if (data == DATA_STOP) {
        return false;
    }
    if (data <= UINT32_MAX) {
        if (calls) {
            serve_ready((uint32_t)data);
        } else {
            hear_ready((uint32_t)data);
        }
    } else if (calls && data == DATA_LISTENER) {
        accept_guest();
    } else if (calls && data - DATA_GUEST < GUESTS_MAX) {
        guest_ready(data - DATA_GUEST);
    }
    return true;
}

static void serve_loop(int epoll, bool calls)
{
    struct epoll_event events[ROUND];
    bool on = true;

    while (on) {
        int n;

        freeze_rest_begin();
        n = host_epoll_wait(epoll, events, ROUND, -1);
        if (!calls && __atomic_load_n(&g_owner.awaiting, __ATOMIC_SEQ_CST) != 0) {
            freeze_rest_end_busy(); /* who waits for acknowledgements cannot go to the gate */
        } else {
            freeze_rest_end();
        }
        if (n < 0) {
            park_take_host_signals();
            if (n != -EINTR) {
                host_yield(); /* a host that refuses to wait gets a busy owner */
            }
        }
        for (int i = 0; i < n && on; i++) {
            on = handle(events[i].data, calls);
        }
    }
    __atomic_sub_fetch(&g_owner.running, 1, __ATOMIC_RELEASE);
}

static void serve_calls(void *arg)
{
    serve_loop(g_owner.calls_epoll, /*calls=*/true);
}

static void serve_events(void *arg)
{
    serve_loop(g_owner.events_epoll, /*calls=*/false);
}

static int open_listener(struct owner *o)
{
    struct family_address address;
    int r;

    random_bytes(o->name, sizeof(o->name));
    family_address(o->name, &address);
    o->listener = host_socket(AF_UNIX_, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (o->listener < 0) {
        return o->listener;
    }
    r = host_bind(o->listener, &address, sizeof(address));
    r = r < 0 ? r : host_listen(o->listener, BACKLOG);
    return r;
}

static int open_epolls(struct owner *o)
{
    int r;

    o->calls_epoll = host_epoll_create();
    o->events_epoll = host_epoll_create();
    o->stop_fd = host_eventfd(0, 0);
    if (o->calls_epoll < 0 || o->events_epoll < 0 || o->stop_fd < 0) {
        return -EMFILE;
    }
    r = host_epoll_ctl(o->calls_epoll, EPOLL_CTL_ADD, o->listener, EPOLLIN, DATA_LISTENER);
    r = r < 0 ? r : host_epoll_ctl(o->calls_epoll, EPOLL_CTL_ADD, o->stop_fd, EPOLLIN, DATA_STOP);
    return r < 0 ? r
                 : host_epoll_ctl(o->events_epoll, EPOLL_CTL_ADD, o->stop_fd, EPOLLIN, DATA_STOP);
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)host_close(*fd);
        *fd = -1;
    }
}

static void owner_close(struct owner *o)
{
    close_fd(&o->listener);
    close_fd(&o->calls_epoll);
    close_fd(&o->events_epoll);
    close_fd(&o->stop_fd);
    if (o->guests != NULL) {
        kpages_free(o->guests, GUESTS_PAGES);
        o->guests = NULL;
    }
    if (o->answer != NULL) {
        kpages_free(o->answer, ANSWER_PAGES);
        o->answer = NULL;
    }
}

/* Tells the service threads to end and waits for them. */
static void stop_threads(struct owner *o)
{
    const uint64_t one = 1;

    if (__atomic_load_n(&o->running, __ATOMIC_ACQUIRE) > 0) {
        (void)!host_write(o->stop_fd, &one, sizeof(one));
    }
    while (__atomic_load_n(&o->running, __ATOMIC_ACQUIRE) > 0) {
        host_yield();
    }
}

static int start_locked(struct owner *o)
{
    int r = open_listener(o);

    r = r < 0 ? r : open_epolls(o);
    if (r < 0) {
        return r;
    }
    o->guests = kpages_alloc(GUESTS_PAGES);
    o->answer = kpages_alloc(ANSWER_PAGES);
    if (o->guests == NULL || o->answer == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < GUESTS_MAX; i++) {
        o->guests[i] = (struct guest){.fd = -1};
    }
    o->running = 2;
    r = service_start(serve_calls, NULL);
    if (r < 0) {
        o->running = 0;
        return r;
    }
    r = service_start(serve_events, NULL);
    if (r < 0) {
        (void)__atomic_sub_fetch(&o->running, 1, __ATOMIC_RELEASE);
        stop_threads(o);
    }
    return r;
}

int owner_start(void)
{
    struct owner *o = &g_owner;
    int r = 0;

    mutex_lock(&o->lock);
    if (family_role() == FAMILY_ALONE) {
        if (o->members.next == NULL) {
            list_init(&o->members);
            waitq_init(&o->acks);
        }
        r = start_locked(o);
        if (r < 0) {
            owner_close(o);
        } else {
            g_family_role = FAMILY_OWNER;
        }
    }
    mutex_unlock(&o->lock);
    return r;
}

int family_notify(uint32_t member, enum family_event event, const void *p, size_t size)
{
    const struct event_head head = {.event = event};
    const struct channel_part parts[] = {{&head, sizeof(head)}, {p, size}};
    struct member *m;
    int r;

    if (member == FAMILY_OWNER_ID) {
        family_listener hear = __atomic_load_n(&g_family_listeners[event], __ATOMIC_ACQUIRE);

        if (hear != NULL) {
            hear(p, size);
        }
        return 0;
    }
    m = member_find(member);
    if (m == NULL || __atomic_load_n(&m->have_events, __ATOMIC_ACQUIRE) == 0) {
        member_put(m);
        return -ESRCH;
    }
    r = channel_post(&m->events, parts, ARRAY_COUNT(parts));
    if (channel_backlog(&m->events)) {
        (void)host_epoll_ctl(g_owner.events_epoll, EPOLL_CTL_MOD, (int)(intptr_t)m->events.ctx,
                             (uint32_t)EPOLLIN | (uint32_t)EPOLLOUT, m->id);
    }
    member_put(m);
    return r;
}

/* ---- telling everybody ---- */

static bool acknowledged(const struct member *m, uint64_t ack)
{
    return __atomic_load_n(&m->gone, __ATOMIC_ACQUIRE) != 0 ||
           __atomic_load_n(&m->away, __ATOMIC_ACQUIRE) != 0 ||
           __atomic_load_n(&m->acked, __ATOMIC_ACQUIRE) >= ack;
}

static void await_ack(const struct member *m, uint64_t ack)
{
    struct waiter w;

    (void)__atomic_add_fetch(&g_owner.awaiting, 1, __ATOMIC_SEQ_CST);
    waiter_init(&w);
    waitq_add(&g_owner.acks, &w);
    while (!acknowledged(m, ack) && !thread_must_end()) {
        (void)!thread_wait_uninterruptible(WAIT_FOREVER);
    }
    waitq_remove(&w);
    (void)__atomic_sub_fetch(&g_owner.awaiting, 1, __ATOMIC_SEQ_CST);
}

/* The next member after number `id` that hears events, with a reference. */
static struct member *next_member(uint32_t id)
{
    struct member *found = NULL;

    mutex_lock(&g_owner.lock);
    list_for_each (it, &g_owner.members) {
        struct member *m = list_entry(it, struct member, node);

        if (m->id > id && __atomic_load_n(&m->have_events, __ATOMIC_ACQUIRE) != 0 &&
            (found == NULL || m->id < found->id)) {
            found = m;
        }
    }
    if (found != NULL) {
        (void)member_get(found);
    }
    mutex_unlock(&g_owner.lock);
    return found;
}

void family_notify_all(enum family_event event, const void *p, size_t size, uint64_t ack)
{
    uint32_t last = 0; /* who comes after the telling has nothing to acknowledge */
    uint32_t id = 0;
    struct member *m;

    if (family_role() != FAMILY_OWNER) {
        return;
    }
    while ((m = next_member(id)) != NULL) {
        id = m->id;
        if (family_notify(id, event, p, size) == 0) {
            last = id;
        }
        member_put(m);
    }
    id = 0;
    while ((m = next_member(id)) != NULL && m->id <= last) {
        id = m->id;
        await_ack(m, ack);
        member_put(m);
    }
    member_put(m);
}

void family_away(uint32_t member, bool away)
{
    struct member *m = member_find(member);

    if (m != NULL) {
        __atomic_store_n(&m->away, away ? 1 : 0, __ATOMIC_RELEASE);
        waitq_wake_all(&g_owner.acks, 0);
        member_put(m);
    }
}

void owner_part(void)
{
    __atomic_store_n(&g_owner.leaving, 1, __ATOMIC_RELEASE);
    mutex_lock(&g_owner.lock);
    list_for_each (it, &g_owner.members) {
        struct member *m = list_entry(it, struct member, node);

        if (__atomic_load_n(&m->have_calls, __ATOMIC_ACQUIRE) != 0) {
            (void)!channel_part(&m->calls);
        }
        if (__atomic_load_n(&m->have_events, __ATOMIC_ACQUIRE) != 0) {
            (void)!channel_part(&m->events);
        }
    }
    mutex_unlock(&g_owner.lock);
}

void owner_reset(void)
{
    struct owner *o = &g_owner;

    if (o->listener < 0) {
        return;
    }
    stop_threads(o);
    work_reset();
    for (uint32_t i = 0; i < GUESTS_MAX; i++) {
        guest_free(&o->guests[i]);
    }
    while (!list_empty(&o->members)) {
        struct member *m = list_entry(o->members.next, struct member, node);

        (void)channel_part(&m->calls);
        (void)channel_part(&m->events);
        member_end(m);
    }
    owner_close(o);
    o->hook_count = 0;
    o->ack = NULL;
}

/* Kept calls of members are answered by the parent; of its own threads none is in a call. */
static void forget_member(struct member *m)
{
    list_remove(&m->node);
    list_for_each_safe (it, &m->replies) {
        list_remove(it);
        kfree(list_entry(it, struct family_reply, node));
    }
    channel_destroy(&m->calls);
    channel_destroy(&m->events);
    ct_wipe(m->key, sizeof(m->key));
    kpages_free(m, MEMBER_PAGES);
}

void owner_after_fork(void)
{
    struct owner *o = &g_owner;

    if (o->listener < 0) {
        return;
    }
    for (uint32_t i = 0; i < GUESTS_MAX; i++) {
        struct guest *g = &o->guests[i];

        if (g->fd >= 0 && g->channel.io != NULL) {
            channel_destroy(&g->channel);
        } else if (g->fd >= 0) {
            (void)host_close(g->fd);
        }
        *g = (struct guest){.fd = -1};
    }
    while (!list_empty(&o->members)) {
        forget_member(list_entry(o->members.next, struct member, node));
    }
    o->running = 0;
    o->count = 0;
    o->hook_count = 0;
    o->ack = NULL;
    owner_close(o);
}
