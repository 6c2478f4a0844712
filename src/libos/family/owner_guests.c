/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Connections on their way to be a member's: a greeting in clear names the member, a hello under
 * its key proves it and is answered, and then the member offers memory for a faster stream, or says
 * that it has none. The owner's calling thread does it all; there are so many places and no more.
 */

#include "core/ct.h"
#include "libos/family/owner_internal.h"
#include "libos/family/ring.h"
#include "libos/host/host.h"
#include "libos/mm/kmem.h"
#include "libos/shm/link.h"
#include "libos/shm/owner_link.h"

#include <linux/eventpoll.h>

#define MSG_DONTWAIT 0x40

/* A connection before its hello. */
struct guest {
    int fd; /* -1: free place */
    struct greeting greeting;
    size_t have;
    struct member *member; /* a reference, once the greeting named it */
    struct channel channel;
    bool proved; /* it is the member's, who got our hello */
};

#define GUESTS_PAGES ((GUESTS_MAX * sizeof(struct guest) + NACRE_PAGE_SIZE - 1) >> NACRE_PAGE_SHIFT)

static struct guest *g_guests; /* GUESTS_MAX places, while the owner listens */

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
    if (g->proved) {
        member_end(g->member); /* it has no other connection, and gets none */
    }
    member_put(g->member);
    *g = (struct guest){.fd = -1};
}

static struct guest *free_place(void)
{
    for (uint32_t i = 0; i < GUESTS_MAX; i++) {
        if (g_guests[i].fd < 0) {
            return &g_guests[i];
        }
    }
    return NULL;
}

/* A place for a connection, whatever it takes: those that have something to say move on, and when
 * all places are taken by some that say nothing, one of them goes. */
static struct guest *make_place(int fd)
{
    struct guest *g = free_place();

    for (uint32_t i = 0; g == NULL && i < GUESTS_MAX; i++) {
        guests_ready(i);
        g = free_place();
    }
    for (uint32_t i = 0; g == NULL && i < GUESTS_MAX; i++) {
        struct guest *other = &g_guests[((uint32_t)fd + i) % GUESTS_MAX];

        if (!other->proved) { /* who proved itself is about to leave its place */
            guest_free(other);
            g = other;
        }
    }
    return g;
}

void guests_accept(void)
{
    int fd = host_accept(g_owner.listener, NULL, NULL, SOCK_NONBLOCK);
    struct guest *g;

    if (fd < 0) {
        return;
    }
    g = make_place(fd);
    if (g == NULL) {
        (void)host_close(fd);
        return;
    }
    *g = (struct guest){.fd = fd};
    if (host_epoll_ctl(g_owner.calls_epoll, EPOLL_CTL_ADD, fd, EPOLLIN,
                       DATA_GUEST | (uint64_t)(g - g_guests)) < 0) {
        guest_free(g);
    }
}

static struct channel *channel_for(struct member *m, uint32_t which)
{
    return which == GREETING_CALLS ? &m->calls : which == GREETING_EVENTS ? &m->events : &m->pages;
}

/* The first bytes of a connection: which member's key will open the rest. */
static int read_greeting(struct guest *g)
{
    static const char *const labels[] = {[GREETING_CALLS] = LABEL_CALLS,
                                         [GREETING_EVENTS] = LABEL_EVENTS,
                                         [GREETING_PAGES] = LABEL_PAGES};
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
    if (g->greeting.magic != GREETING_MAGIC || g->greeting.which > GREETING_PAGES ||
        g->greeting.reserved != 0) {
        return -EBADMSG;
    }
    m = member_find(g->greeting.member);
    if (m == NULL) {
        return -EBADMSG;
    }
    g->member = m;
    if ((m->claimed & 1u << g->greeting.which) != 0) {
        return -EALREADY; /* its key may be wiped by now */
    }
    return channel_init(&g->channel, g->greeting.which == GREETING_PAGES ? m->pages_key : m->key,
                        labels[g->greeting.which], CHANNEL_ROLE_A, &channel_io_host,
                        channel_host_ctx(g->fd));
}

/* The hello opened: the member has this connection and no second one. */
static int prove(struct guest *g, const uint8_t *p, size_t size)
{
    const uint32_t which = g->greeting.which;
    const struct channel_part hello = {.p = HELLO, .size = HELLO_SIZE};
    struct member *m = g->member;
    int r = which == GREETING_PAGES ? shm_link_start() : 0;

    if (r < 0) {
        return r;
    }
    if (size != HELLO_SIZE || __builtin_memcmp(p, HELLO, HELLO_SIZE) != 0) {
        return -EBADMSG;
    }
    if (m->gone != 0 || (m->claimed & 1u << which) != 0) {
        return -EALREADY;
    }
    m->claimed |= 1u << which;
    g->proved = true;
    return channel_post(&g->channel, &hello, 1);
}

/* The stream that will be used. 0, -EAGAIN: the member has not said yet. */
static int take_stream(struct guest *g)
{
    const uint32_t which = g->greeting.which;
    void *ctx = NULL;
    int r =
        which == GREETING_PAGES
            ? -ENODATA
            : ring_take(g->fd, which == GREETING_CALLS ? RING_CALLS_SIZE : RING_EVENTS_SIZE, &ctx);

    if (r == -ENODATA) {
        return 0; /* the one it came over */
    }
    if (r == 0) {
        r = channel_move(&g->channel, &channel_io_ring, ctx);
    }
    return r == -EINTR ? -EAGAIN : r;
}

/* The connection becomes the member's. */
static int admit(struct guest *g)
{
    const uint32_t which = g->greeting.which;
    const bool calls = which == GREETING_CALLS;
    struct member *m = g->member;
    struct channel *to = channel_for(m, which);
    uint32_t *have = calls                      ? &m->have_calls
                     : which == GREETING_EVENTS ? &m->have_events
                                                : &m->have_pages;
    int r;

    mutex_lock(&g_owner.lock);
    if (m->gone != 0) {
        mutex_unlock(&g_owner.lock);
        return -EALREADY;
    }
    *to = g->channel;
    ct_wipe(&g->channel, sizeof(g->channel)); /* the keys are in one place */
    if (m->calls.io != NULL && m->events.io != NULL) {
        ct_wipe(m->key, sizeof(m->key)); /* each channel has got its own */
    }
    if (m->pages.io != NULL) {
        ct_wipe(m->pages_key, sizeof(m->pages_key));
    }
    mutex_unlock(&g_owner.lock);
    (void)host_epoll_ctl(g_owner.calls_epoll, EPOLL_CTL_DEL, g->fd, 0, 0);
    *g = (struct guest){.fd = -1}; /* the member has it all */
    __atomic_store_n(have, 1, __ATOMIC_RELEASE);
    if (which == GREETING_PAGES) {
        r = shm_link_admit(channel_fd(to), m->id);
    } else {
        r = host_epoll_ctl(calls ? g_owner.calls_epoll : g_owner.events_epoll, EPOLL_CTL_ADD,
                           channel_fd(to), EPOLLIN, m->id);
    }
    if (r < 0) {
        member_end(m);
    } else if (calls && (channel_buffered(to) || channel_pending(to))) {
        owner_serve_ready(m->id, 0);
    }
    member_put(m);
    return 0;
}

void guests_ready(uint64_t place)
{
    struct guest *g;
    uint8_t *p = NULL;
    size_t size = 0;
    int r = 0;

    if (place >= GUESTS_MAX || g_guests[place].fd < 0) {
        return;
    }
    g = &g_guests[place];
    if (g->channel.io == NULL) {
        r = read_greeting(g);
    }
    if (r == 0 && g->channel.io != NULL && !g->proved) {
        r = channel_receive(&g->channel, CHANNEL_NOWAIT, &p, &size);
        r = r == 1 ? prove(g, p, size) : r == 0 ? -ECONNABORTED : r;
    }
    if (r == 0 && g->proved) {
        r = take_stream(g);
        r = r == 0 ? admit(g) : r;
    }
    if (r < 0 && r != -EAGAIN) {
        guest_free(g);
    }
}

int guests_open(void)
{
    g_guests = kpages_alloc(GUESTS_PAGES);
    if (g_guests == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < GUESTS_MAX; i++) {
        g_guests[i] = (struct guest){.fd = -1};
    }
    return 0;
}

void guests_drop(void)
{
    for (uint32_t i = 0; i < GUESTS_MAX; i++) {
        guest_free(&g_guests[i]);
    }
}

void guests_after_fork(void)
{
    for (uint32_t i = 0; i < GUESTS_MAX; i++) {
        struct guest *g = &g_guests[i];

        if (g->fd >= 0 && g->channel.io != NULL) {
            channel_destroy(&g->channel);
        } else if (g->fd >= 0) {
            (void)host_close(g->fd);
        }
        *g = (struct guest){.fd = -1};
    }
}

void guests_close(void)
{
    if (g_guests != NULL) {
        kpages_free(g_guests, GUESTS_PAGES);
        g_guests = NULL;
    }
}
