/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * A member's side: calls to the owner and a thread for what the owner says unasked.
 *
 * Nobody is employed to read answers. A caller whose answer is not there reads for all: it hands
 * the answers of others to them, and when its own came passes the reading on to one of those who
 * still wait. So a lone caller sends, sleeps and receives on its own thread, without a switch.
 */

#include "core/ct.h"
#include "libos/family/ring.h"
#include "libos/family/rpc_internal.h"
#include "libos/host/host.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/proc/freeze.h"
#include "libos/proc/park.h"
#include "libos/proc/service.h"
#include "libos/proc/wait.h"

#define AF_UNIX_    1
#define SOCK_STREAM 1

struct waiting {
    struct list node;
    struct thread *thread;
    uint32_t id;
    uint32_t go; /* the answer is there, or the reading is this thread's now */
    bool done;
    bool reader;
    int64_t result;
    uint8_t *body; /* kmalloc, when another thread received it */
    size_t size;
    struct family_message *m;
};

struct side {
    struct channel calls;
    struct channel events;
    struct mutex hearing; /* who receives from `events` */
    struct spinlock lock; /* over the fields below */
    struct list waiting;
    bool reading; /* somebody receives from `calls` */
    uint32_t next_id;
    int error;        /* negative: the owner is gone */
    uint32_t leaving; /* we said goodbye: the end of the channels is no accident */
    uint32_t ended;   /* the service thread is */
    uint32_t id;
    struct family_ticket pages_ticket; /* for the channel that may come later */
};
static struct side *g_side;
static void (*g_owner_gone)(void);
#define SIDE_PAGES ((sizeof(struct side) + NACRE_PAGE_SIZE - 1) >> NACRE_PAGE_SHIFT)

void family_on_owner_gone(void (*hook)(void))
{
    g_owner_gone = hook;
}

/* ---- answers ---- */

/* The body of an answer to where the caller wants it. */
static int64_t deliver(struct family_message *m, int64_t result, const uint8_t *p, size_t size)
{
    size_t head = MIN(size, m->cap);

    if (head > 0) {
        __builtin_memcpy(m->answer, p, head);
    }
    m->ret_size = head;
    if (m->to != NULL && size > head) {
        size_t want = MIN(size - head, m->to->left);

        m->ret_to = iter_put(m->to, p + head, want);
        if (m->ret_to < want && result >= 0) {
            return -EFAULT;
        }
    }
    return result;
}

static struct waiting *find(struct side *s, uint32_t id)
{
    list_for_each (it, &s->waiting) {
        struct waiting *w = list_entry(it, struct waiting, node);

        if (w->id == id) {
            return w;
        }
    }
    return NULL;
}

static void finish(struct waiting *w, int64_t result)
{
    w->result = result;
    w->done = true;
}

/* One message from the owner, received by `self`. An answer nobody waits for (any more) is
 * dropped: its caller's thread had to end. */
static int take_answer(struct side *s, struct waiting *self, const uint8_t *p, size_t size)
{
    struct answer_head head;
    struct cursor c = cursor_make(p, size);
    struct waiting *w;
    uint8_t *copy = NULL;

    if (cursor_copy(&c, &head, sizeof(head)) < 0) {
        return -EBADMSG;
    }
    if (head.id == self->id) {
        finish(self, deliver(self->m, head.result, c.p, c.left));
        return 0;
    }
    if (c.left > 0) {
        copy = kmalloc(c.left);
        if (copy == NULL) {
            head.result = -ENOMEM;
        } else {
            __builtin_memcpy(copy, c.p, c.left);
        }
    }
    spin_lock(&s->lock);
    w = find(s, head.id);
    if (w != NULL && !w->done) {
        w->size = copy == NULL ? 0 : c.left;
        w->body = TAKE_PTR(copy);
        finish(w, head.result);
        thread_set_flag(w->thread, &w->go); /* under the lock: until then w does not go away */
    }
    spin_unlock(&s->lock);
    kfree(copy);
    return 0;
}

/* The owner is gone: everybody hears so. 0: it said farewell, the application ends. */
static void lose_owner(struct side *s, int error)
{
    bool first;

    spin_lock(&s->lock);
    first = s->error == 0;
    if (first) {
        s->error = error < 0 ? error : -ECONNABORTED;
    }
    list_for_each (it, &s->waiting) {
        struct waiting *w = list_entry(it, struct waiting, node);

        if (!w->done) {
            finish(w, -EIO);
            thread_set_flag(w->thread, &w->go);
        }
    }
    spin_unlock(&s->lock);
    if (first && __atomic_load_n(&s->leaving, __ATOMIC_ACQUIRE) == 0) {
        if (error < 0) {
            libos_log(LOG_ERROR,
                      "family: the channel to the first process of the application broke: "
                      "error %d",
                      -error);
        }
        if (g_owner_gone != NULL) {
            g_owner_gone();
        }
    }
}

/* ---- waiting ---- */

static void send_cancel(struct side *s, uint32_t id)
{
    const struct call_head head = {.id = id, .op = CALL_CANCEL};
    const struct channel_part part = {.p = &head, .size = sizeof(head)};

    (void)!channel_send(&s->calls, &part, 1);
}

/* Passes the reading on to somebody who waits. Lock held. */
static void pass_on(struct side *s)
{
    s->reading = false;
    list_for_each (it, &s->waiting) {
        struct waiting *w = list_entry(it, struct waiting, node);

        if (!w->done) {
            w->reader = true;
            s->reading = true;
            thread_set_flag(w->thread, &w->go);
            return;
        }
    }
}

/* Reads for all until our own answer came. 0, or -EINTR. */
static int read_answers(struct side *s, struct waiting *w, bool steady)
{
    while (!w->done) {
        uint8_t *p = NULL;
        size_t size = 0;
        int r = channel_receive(&s->calls, steady ? CHANNEL_UNINTERRUPTIBLE : 0, &p, &size);

        if (r == -EINTR) {
            return r;
        }
        if (r > 0) {
            r = take_answer(s, w, p, size);
        } else if (r == 0) {
            lose_owner(s, 0); /* it ends, and we with it */
        }
        if (r < 0 && r != -ENOMEM) {
            lose_owner(s, r);
        }
    }
    return 0;
}

/* Until the answer is there. -EINTR: a signal (not when `steady`), or the thread must end. */
static int wait_answer(struct side *s, struct waiting *w, bool steady)
{
    for (;;) {
        int r = 0;
        bool read;

        spin_lock(&s->lock);
        if (w->done) {
            spin_unlock(&s->lock);
            return 0;
        }
        read = w->reader || !s->reading;
        w->reader = read;
        s->reading = true;
        __atomic_store_n(&w->go, 0, __ATOMIC_RELAXED);
        spin_unlock(&s->lock);
        if (read) {
            r = read_answers(s, w, steady);
        } else {
            channel_nudge(&s->calls); /* the one who reads may sleep already */
            r = thread_wait_flag(&w->go, !steady);
        }
        if (r < 0) {
            return r;
        }
    }
}

static int64_t leave(struct side *s, struct waiting *w)
{
    spin_lock(&s->lock);
    list_remove(&w->node);
    if (w->reader) {
        pass_on(s);
    }
    spin_unlock(&s->lock);
    if (!w->done) {
        return -EINTR; /* this thread ends: nobody looks at the answer */
    }
    if (w->body != NULL) {
        w->result = deliver(w->m, w->result, w->body, w->size);
        ct_wipe(w->body, w->size);
        kfree(w->body);
    }
    return w->result;
}

static int begin(struct side *s, struct waiting *w)
{
    int r;

    spin_lock(&s->lock);
    r = s->error;
    if (r == 0) {
        do {
            w->id = ++s->next_id;
        } while (find(s, w->id) != NULL);
        list_insert(&s->waiting, &w->node);
    }
    spin_unlock(&s->lock);
    return r < 0 ? -EIO : 0;
}

static int send_request(struct side *s, struct waiting *w)
{
    struct family_message *m = w->m;
    const struct call_head head = {.id = w->id, .op = (uint16_t)m->op};
    struct channel_part parts[8];
    int r;

    if (m->part_count >= ARRAY_COUNT(parts)) {
        return -EINVAL;
    }
    parts[0] = (struct channel_part){.p = &head, .size = sizeof(head)};
    for (size_t i = 0; i < m->part_count; i++) {
        parts[i + 1] = m->parts[i];
    }
    r = channel_post_iter(&s->calls, parts, m->part_count + 1, m->from, m->from_size);
    if (r == -EFAULT || r == -EMSGSIZE || r == -ENOMEM || r == -EINVAL) {
        return r; /* not sent */
    }
    if (r == 0) {
        r = channel_drain(&s->calls);
    }
    if (r < 0) {
        lose_owner(s, r);
        return -EIO;
    }
    return 0;
}

int64_t member_call(struct family_message *m)
{
    struct side *s = __atomic_load_n(&g_side, __ATOMIC_ACQUIRE);
    struct waiting w = {.thread = thread_current(), .m = m};
    int r;

    if (s == NULL) {
        return -EIO;
    }
    list_init(&w.node);
    r = begin(s, &w);
    if (r < 0) {
        return r;
    }
    r = send_request(s, &w);
    if (r < 0) {
        (void)leave(s, &w);
        return r;
    }
    r = wait_answer(s, &w, m->steady);
    if (r == -EINTR && !thread_must_end()) {
        send_cancel(s, w.id);
        r = wait_answer(s, &w, /*steady=*/true);
    }
    return leave(s, &w);
}

/* ---- events ---- */

static int take_event(const uint8_t *p, size_t size)
{
    struct event_head head;
    struct cursor c = cursor_make(p, size);
    family_listener hear;

    if (cursor_copy(&c, &head, sizeof(head)) < 0 || head.event >= FAMILY_EVENT_COUNT ||
        c.left < g_family_events[head.event].least || c.left > g_family_events[head.event].most) {
        return -EBADMSG;
    }
    hear = __atomic_load_n(&g_family_listeners[head.event], __ATOMIC_ACQUIRE);
    if (hear != NULL) {
        hear(c.p, c.left);
    }
    return 0;
}

/* Everything that has come. `hearing` held. -EAGAIN, or the end (lose_owner was told). */
static int hear_all(struct side *s)
{
    for (;;) {
        uint8_t *p = NULL;
        size_t size = 0;
        int r = channel_receive(&s->events, CHANNEL_NOWAIT, &p, &size);

        if (r > 0) {
            r = take_event(p, size);
        } else if (r == 0) {
            lose_owner(s, 0);
            return -ECONNABORTED;
        }
        if (r == -EAGAIN) {
            return r;
        }
        if (r < 0 && r != -ENOMEM && r != -EINTR) {
            lose_owner(s, r);
            return r;
        }
    }
}

static void hear_events(void *arg)
{
    struct side *s = arg;
    int r;

    do {
        mutex_lock(&s->hearing);
        r = hear_all(s);
        mutex_unlock(&s->hearing);
        if (r == -EAGAIN) {
            freeze_rest_begin();
            (void)s->events.io->wait(s->events.ctx, /*to_write=*/false, /*interruptible=*/false);
            freeze_rest_end();
            park_take_host_signals();
        }
    } while (r == -EAGAIN);
    __atomic_store_n(&s->ended, 1, __ATOMIC_RELEASE);
}

void family_hear_pending(void)
{
    struct side *s = __atomic_load_n(&g_side, __ATOMIC_ACQUIRE);
    uint8_t *p = NULL;
    size_t size = 0;

    if (s == NULL) {
        return;
    }
    mutex_lock(&s->hearing);
    while (channel_receive(&s->events, CHANNEL_NOWAIT, &p, &size) > 0) {
        if (take_event(p, size) < 0) {
            break; /* the service thread will find the channel broken */
        }
    }
    mutex_unlock(&s->hearing);
}

bool member_look(bool on)
{
    struct side *s = __atomic_load_n(&g_side, __ATOMIC_ACQUIRE);

    if (s == NULL || !channel_rings(&s->events)) {
        return false;
    }
    channel_look(&s->events, on);
    return true;
}

void member_hear(void)
{
    struct side *s = __atomic_load_n(&g_side, __ATOMIC_ACQUIRE);

    if (channel_pending(&s->events) && mutex_trylock(&s->hearing)) {
        (void)!hear_all(s);
        mutex_unlock(&s->hearing);
    }
}

int family_ack(uint64_t value)
{
    const struct ack_message message = {.value = value};
    const struct channel_part part = {.p = &message, .size = sizeof(message)};
    struct side *s = __atomic_load_n(&g_side, __ATOMIC_ACQUIRE);

    return s == NULL ? -EIO : channel_send(&s->events, &part, 1);
}

/* ---- joining ---- */

/* From the stream of the host to memory, if there is any to be had. */
static int move_to_ring(struct channel *c, uint32_t size)
{
    const uint8_t none = 'n';
    void *ctx = NULL;
    int64_t n;

    if (ring_offer(channel_fd(c), size, &ctx) == 0) {
        return channel_move(c, &channel_io_ring, ctx);
    }
    n = host_sendto(channel_fd(c), &none, sizeof(none), 0, NULL, 0);
    return n == sizeof(none) ? 0 : n < 0 ? (int)n : -EIO;
}

static int dial(const struct family_ticket *t, uint32_t which, const char *label,
                struct channel *ret)
{
    const struct greeting greeting = {.magic = GREETING_MAGIC, .member = t->member, .which = which};
    const struct channel_part hello = {.p = HELLO, .size = HELLO_SIZE};
    struct family_address address;
    uint8_t *p = NULL;
    size_t size = 0;
    int fd = host_socket(AF_UNIX_, SOCK_STREAM, 0);
    int64_t r;

    if (fd < 0) {
        return fd;
    }
    family_address(t->name, &address);
    do {
        r = host_connect(fd, &address, sizeof(address));
        if (r == -EINTR) {
            park_take_host_signals();
        }
    } while (r == -EINTR);
    if (r == 0) {
        r = host_sendto(fd, &greeting, sizeof(greeting), 0, NULL, 0);
        r = r < 0 ? r : r == sizeof(greeting) ? 0 : -EIO;
    }
    if (r == 0) {
        r = channel_init(ret, t->key, label, CHANNEL_ROLE_B, &channel_io_host,
                         channel_host_ctx(fd));
    }
    if (r < 0) {
        (void)host_close(fd);
        return (int)r;
    }
    r = channel_send(ret, &hello, 1);
    if (r == 0) {
        r = channel_receive(ret, CHANNEL_UNINTERRUPTIBLE, &p, &size);
        r = r < 0 ? r
            : r == 1 && size == HELLO_SIZE && __builtin_memcmp(p, HELLO, HELLO_SIZE) == 0
                ? 0
                : -ECONNREFUSED;
    }
    if (r == 0 && which != GREETING_PAGES) {
        r = move_to_ring(ret, which == GREETING_CALLS ? RING_CALLS_SIZE : RING_EVENTS_SIZE);
    }
    return (int)r;
}

static void side_free(struct side *s)
{
    channel_destroy(&s->calls);
    channel_destroy(&s->events);
    ct_wipe(&s->pages_ticket, sizeof(s->pages_ticket));
    kpages_free(s, SIDE_PAGES);
}

int member_dial_pages(struct channel *ret)
{
    struct side *s = __atomic_load_n(&g_side, __ATOMIC_ACQUIRE);
    const int r = s == NULL ? -EIO : dial(&s->pages_ticket, GREETING_PAGES, LABEL_PAGES, ret);

    if (r == 0) {
        ct_wipe(s->pages_ticket.key, sizeof(s->pages_ticket.key));
    }
    return r;
}

int family_join(const struct family_ticket *ticket)
{
    struct side *s = kpages_alloc(SIDE_PAGES);
    int r;

    if (s == NULL) {
        return -ENOMEM;
    }
    __builtin_memset(s, 0, sizeof(*s));
    list_init(&s->waiting);
    s->id = ticket->member;
    s->pages_ticket = *ticket;
    family_pages_key(ticket->key, s->pages_ticket.key);
    r = dial(ticket, GREETING_CALLS, LABEL_CALLS, &s->calls);
    r = r < 0 ? r : dial(ticket, GREETING_EVENTS, LABEL_EVENTS, &s->events);
    if (r == 0) {
        __atomic_store_n(&g_side, s, __ATOMIC_RELEASE);
        g_family_role = FAMILY_MEMBER;
        thread_set_helper(&g_help_owner);
        r = service_start(hear_events, s);
    }
    if (r < 0) {
        thread_set_helper(NULL);
        __atomic_store_n(&g_side, NULL, __ATOMIC_RELEASE);
        g_family_role = FAMILY_ALONE;
        side_free(s);
    }
    return r;
}

uint32_t family_self(void)
{
    return g_side == NULL ? FAMILY_OWNER_ID : g_side->id;
}

void family_leave(void)
{
    struct side *s = __atomic_load_n(&g_side, __ATOMIC_ACQUIRE);

    if (family_role() == FAMILY_OWNER) {
        owner_part();
    }
    if (s != NULL && __atomic_exchange_n(&s->leaving, 1, __ATOMIC_ACQ_REL) == 0) {
        (void)!channel_part(&s->calls);
        (void)!channel_drain(&s->calls);
        (void)!channel_part(&s->events);
        (void)!channel_drain(&s->events);
    }
}

void member_reset(void)
{
    struct side *s = g_side;

    if (s == NULL) {
        return;
    }
    family_leave();
    thread_set_helper(NULL);
    (void)host_shutdown(channel_fd(&s->events), 2); /* the service thread wakes up */
    while (__atomic_load_n(&s->ended, __ATOMIC_ACQUIRE) == 0) {
        host_yield();
    }
    g_side = NULL;
    side_free(s);
}

void member_after_fork(void)
{
    struct side *s = g_side;

    if (s != NULL) {
        thread_set_helper(NULL);
        g_side = NULL;
        side_free(s);
    }
}
