/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The owner's side. Two service threads: one accepts connections and serves calls, the other hears
 * what members say on their event channels (acknowledgements, and that they are gone) and takes no
 * lock but those of the owner, so that a call may wait for an acknowledgement.
 *
 * The host decides which descriptors are "ready": a number it makes up leads to a place that is
 * looked at in vain.
 */

#include "core/ct.h"
#include "libos/family/owner_internal.h"
#include "libos/host/host.h"
#include "libos/lib/random.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/proc/freeze.h"
#include "libos/proc/park.h"
#include "libos/proc/service.h"
#include "libos/proc/wait.h"

#include <linux/eventpoll.h>

#define AF_UNIX_    1
#define SOCK_STREAM 1
#define BACKLOG     64
#define ROUND       32 /* events taken at a time */

#define DATA_LISTENER UINT64_MAX
#define DATA_STOP     (UINT64_MAX - 1)

struct owner g_owner = {.listener = -1, .calls_epoll = -1, .events_epoll = -1, .stop_fd = -1};
#define MEMBER_PAGES ((sizeof(struct member) + NACRE_PAGE_SIZE - 1) >> NACRE_PAGE_SHIFT)
#define ANSWER_PAGES ((FAMILY_ANSWER_MAX + NACRE_PAGE_SIZE - 1) >> NACRE_PAGE_SHIFT)

void family_on_member_gone(family_gone_hook hook)
{
    uint32_t i = 0;

    mutex_lock(&g_owner.lock);
    while (i < g_owner.hook_count && g_owner.hooks[i] != hook) {
        i++;
    }
    if (i == FAMILY_HOOKS_MAX) {
        libos_panic("family: too many hooks");
    }
    g_owner.hooks[i] = hook;
    g_owner.hook_count = MAX(g_owner.hook_count, i + 1);
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
        channel_destroy(&m->pages);
        ct_wipe(m->key, sizeof(m->key));
        ct_wipe(m->pages_key, sizeof(m->pages_key));
        kpages_free(m, MEMBER_PAGES);
    }
}

static struct member **bucket_of(uint32_t id)
{
    return &g_owner.buckets[id % OWNER_BUCKETS];
}

static struct member *find_locked(uint32_t id)
{
    struct member *m = *bucket_of(id);

    while (m != NULL && m->id != id) {
        m = m->next;
    }
    return m;
}

static void insert_locked(struct member *m)
{
    list_insert(&g_owner.members, &m->node);
    m->next = *bucket_of(m->id);
    *bucket_of(m->id) = m;
}

static void remove_locked(struct member *m)
{
    struct member **at = bucket_of(m->id);

    list_remove(&m->node);
    while (*at != m) {
        at = &(*at)->next;
    }
    *at = m->next;
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

bool family_member_is_gone(uint32_t member)
{
    bool gone;

    mutex_lock(&g_owner.lock);
    gone = member != 0 && member <= g_owner.next_id && find_locked(member) == NULL; /* 0: us */
    mutex_unlock(&g_owner.lock);
    return gone;
}

uint32_t owner_some_members(struct member **ret, uint32_t cap)
{
    uint32_t n = 0;

    if (!mutex_trylock(&g_owner.lock)) {
        return 0;
    }
    list_for_each (it, &g_owner.members) {
        struct member *m = list_entry(it, struct member, node);

        if (n < cap && __atomic_load_n(&m->have_calls, __ATOMIC_ACQUIRE) != 0 &&
            channel_rings(&m->calls)) {
            ret[n++] = member_get(m);
        }
    }
    mutex_unlock(&g_owner.lock);
    return n;
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
    family_pages_key(m->key, m->pages_key);
    mutex_lock(&g_owner.lock);
    if (g_owner.count >= FAMILY_MEMBERS_MAX || g_owner.next_id == UINT32_MAX) {
        r = -EAGAIN;
    } else {
        m->id = ++g_owner.next_id;
        g_owner.count++;
        insert_locked(m);
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

/* ---- the end of a member ---- */

/* The end of a member, seen by any thread, done by the first that sees it. */
void member_end(struct member *m)
{
    family_gone_hook hooks[FAMILY_HOOKS_MAX];
    uint32_t count;

    if (__atomic_exchange_n(&m->gone, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    owner_cancel_all(m);
    waitq_wake_all(&g_owner.acks, 0);
    mutex_lock(&g_owner.lock);
    remove_locked(m);
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

/* Has the host say when it takes more, for as long as something waits. Others send meanwhile: what
 * the host was told is looked at again. A stream with a doorbell rings by itself. */
static void watch_channel(struct channel *c, int epoll, uint32_t id)
{
    bool waits;

    if (channel_rings(c)) {
        return;
    }
    do {
        waits = channel_backlog(c);
        (void)host_epoll_ctl(epoll, EPOLL_CTL_MOD, channel_fd(c),
                             (uint32_t)EPOLLIN | (waits ? (uint32_t)EPOLLOUT : 0), id);
    } while (channel_backlog(c) != waits);
}

/* The host takes more. */
static void flush_channel(struct channel *c, int epoll, uint32_t id)
{
    if (channel_flush(c) >= 0) { /* a broken one is found by receiving */
        watch_channel(c, epoll, id);
    }
}

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
    if (channel_backlog(&m->calls)) {
        watch_channel(&m->calls, g_owner.calls_epoll, m->id);
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
        owner_cancel_call(m, head.id);
        return 0;
    }
    serve_run(&q, m, head.id, head.op, /*may_block=*/false);
    return 0;
}

/* Until nothing is there any more. More than one message only of what was read already, or lies in
 * memory: for the rest the host says when. */
static int serve_all(struct member *m)
{
    int r = 1;

    for (bool first = true;
         r > 0 && (first || channel_buffered(&m->calls) || channel_pending(&m->calls));
         first = false) {
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
    return r == -EAGAIN || r == -ENOMEM ? 0 : MIN(r, 0);
}

/* Its channel is at its end, one way or the other. */
static void lose_member(struct member *m, int error)
{
    if (m->orderly == 0 && __atomic_load_n(&g_owner.leaving, __ATOMIC_ACQUIRE) == 0) {
        libos_log(LOG_WARNING, "family: process %u of the family is gone (error %d)", m->id,
                  -error);
    }
    (void)host_epoll_ctl(g_owner.calls_epoll, EPOLL_CTL_DEL, channel_fd(&m->calls), 0, 0);
    member_end(m);
}

int owner_serve_member(struct member *m)
{
    int r;

    if (__atomic_load_n(&m->gone, __ATOMIC_ACQUIRE) != 0) {
        return -ECONNABORTED;
    }
    r = serve_all(m);
    if (r < 0) {
        lose_member(m, r);
    }
    return r;
}

static bool somebody_helps(void)
{
    return __atomic_load_n(&g_owner.helpers, __ATOMIC_ACQUIRE) != 0;
}

static bool more_came(void *arg)
{
    return somebody_helps() || channel_pending(arg);
}

/* Who asked once often asks again: look for that, then once more after saying that we stop. A
 * thread of the application that looks as well is the better one to do it (help.c). */
static bool comes_more(struct member *m)
{
    if (!channel_rings(&m->calls) || somebody_helps()) {
        return false;
    }
    if (thread_look_around(more_came, &m->calls, channel_midway(&m->calls))) {
        return !somebody_helps();
    }
    channel_look(&m->calls, false);
    return channel_pending(&m->calls);
}

void owner_serve_ready(uint32_t id, uint32_t events)
{
    struct member *m = member_find(id);
    int r;

    if (m == NULL || m->have_calls == 0) {
        member_put(m);
        return;
    }
    if (events != 0) {
        channel_hear(&m->calls);
    }
    if ((events & (uint32_t)EPOLLOUT) != 0 || channel_rings(&m->calls)) {
        flush_channel(&m->calls, g_owner.calls_epoll, m->id);
    }
    do {
        channel_look(&m->calls, true);
        mutex_lock(&g_owner.serving);
        r = owner_serve_member(m);
        mutex_unlock(&g_owner.serving);
    } while (r == 0 && comes_more(m));
    member_put(m);
}

static void hear_ready(uint32_t id, uint32_t events)
{
    struct member *m = member_find(id);
    int r = 1;

    if (m == NULL || __atomic_load_n(&m->have_events, __ATOMIC_ACQUIRE) == 0) {
        member_put(m);
        return;
    }
    channel_hear(&m->events);
    channel_look(&m->events, false); /* what comes from now on rings again */
    if ((events & (uint32_t)EPOLLOUT) != 0 || channel_rings(&m->events)) {
        flush_channel(&m->events, g_owner.events_epoll, m->id);
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
        (void)host_epoll_ctl(g_owner.events_epoll, EPOLL_CTL_DEL, channel_fd(&m->events), 0, 0);
        member_end(m);
    }
    member_put(m);
}

/* ---- service threads ---- */

static bool handle(uint64_t data, uint32_t events, bool calls)
{
    if (data == DATA_STOP) {
        return false;
    }
    if (data <= UINT32_MAX) {
        if (calls) {
            owner_serve_ready((uint32_t)data, events);
        } else {
            hear_ready((uint32_t)data, events);
        }
    } else if (calls && data == DATA_LISTENER) {
        guests_accept();
    } else if (calls && data - DATA_GUEST < GUESTS_MAX) {
        guests_ready(data - DATA_GUEST);
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
            on = handle(events[i].data, events[i].events, calls);
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
    guests_close();
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
    o->answer = kpages_alloc(ANSWER_PAGES);
    r = o->answer == NULL ? -ENOMEM : guests_open();
    if (r < 0) {
        return r;
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
            thread_set_helper(&g_help_members);
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
        watch_channel(&m->events, g_owner.events_epoll, m->id);
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
    const struct member *last;

    mutex_lock(&g_owner.lock);
    last = find_locked(id); /* NULL: gone meanwhile, or there was none */
    for (struct list *it = last != NULL ? last->node.next : g_owner.members.next;
         found == NULL && it != &g_owner.members; it = it->next) {
        struct member *m = list_entry(it, struct member, node);

        if (m->id > id && __atomic_load_n(&m->have_events, __ATOMIC_ACQUIRE) != 0) {
            found = member_get(m);
        }
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
    thread_set_helper(NULL);
    stop_threads(o);
    work_reset();
    guests_drop();
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

/* Kept calls of members are answered by the parent, and what handlers hold for them here goes
 * without an answer: no member of the parent's is one of ours. Ending one can end others (a file's
 * last reference), so all are gone before the first. Of the parent's own threads none is in a call.
 */
static void end_kept_calls(struct owner *o)
{
    list_for_each (it, &o->members) {
        __atomic_store_n(&list_entry(it, struct member, node)->gone, 1, __ATOMIC_RELEASE);
    }
    list_for_each (it, &o->members) {
        owner_cancel_all(list_entry(it, struct member, node));
    }
}

static void forget_member(struct member *m)
{
    remove_locked(m);
    list_for_each_safe (it, &m->replies) {
        list_remove(it);
        kfree(list_entry(it, struct family_reply, node));
    }
    channel_destroy(&m->calls);
    channel_destroy(&m->events);
    channel_destroy(&m->pages);
    ct_wipe(m->key, sizeof(m->key));
    ct_wipe(m->pages_key, sizeof(m->pages_key));
    kpages_free(m, MEMBER_PAGES);
}

void owner_after_fork(void)
{
    struct owner *o = &g_owner;

    if (o->listener < 0) {
        return;
    }
    thread_set_helper(NULL);
    guests_after_fork();
    end_kept_calls(o);
    while (!list_empty(&o->members)) {
        forget_member(list_entry(o->members.next, struct member, node));
    }
    o->running = 0;
    o->count = 0;
    o->hook_count = 0;
    o->ack = NULL;
    owner_close(o);
}
