/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cas/tls.h"

#define STACK_SIZE   ((size_t)1024 * 1024)
#define BACKLOG      256
#define IDLE_SECONDS 10 /* a thread waits for its next connection */

struct waiting {
    struct waiting *next;
    struct accepted a;
};

struct listener {
    struct listener_options o;
    struct peers *peers;
    int fd;
    bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct waiting *first; /* connections no thread has taken yet */
    struct waiting **last;
    unsigned queued;
    unsigned idle; /* threads that wait */
    unsigned threads;
};

static void count(uint64_t *what)
{
    (void)__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

/* ---- threads -------------------------------------------------------------------------------- */

static void finish(struct listener *l, struct waiting *w)
{
    (void)close(w->a.fd);
    peers_leave(l->peers, w->a.address);
    free(w);
    (void)__atomic_sub_fetch(&l->o.counters->now, 1, __ATOMIC_RELEASE);
}

/* The next connection, or NULL when the thread shall end. With the lock held. */
static struct waiting *take(struct listener *l)
{
    struct waiting *w;
    struct timespec until;
    int r = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    l->idle++;
    while (l->first == NULL && !l->stopping && r != ETIMEDOUT) {
        r = pthread_cond_timedwait(&l->work, &l->lock, &until);
    }
    l->idle--;
    w = l->first;
    if (w != NULL) {
        l->first = w->next;
        l->queued--;
        if (l->first == NULL) {
            l->last = &l->first;
        }
    }
    return w;
}

static void *worker(void *arg)
{
    struct listener *l = arg;
    struct waiting *w;

    (void)pthread_mutex_lock(&l->lock);
    while ((w = take(l)) != NULL) {
        (void)pthread_mutex_unlock(&l->lock);
        l->o.serve(l->o.ctx, &w->a);
        finish(l, w);
        (void)pthread_mutex_lock(&l->lock);
    }
    l->threads--;
    (void)pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* With the lock held. */
static bool start_thread(struct listener *l)
{
    pthread_attr_t attr;
    pthread_t thread;
    bool ok;

    if (pthread_attr_init(&attr) != 0) {
        return false;
    }
    ok = pthread_attr_setstacksize(&attr, STACK_SIZE) == 0 &&
         pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0 &&
         pthread_create(&thread, &attr, worker, l) == 0;
    (void)pthread_attr_destroy(&attr);
    l->threads += ok;
    return ok;
}

/* Hands the connection to a thread that waits, or to a new one. */
static bool hand_over(struct listener *l, struct waiting *w)
{
    bool ok = true;

    (void)pthread_mutex_lock(&l->lock);
    if (l->idle > l->queued) {
        (void)pthread_cond_signal(&l->work);
    } else {
        ok = start_thread(l);
    }
    if (ok) {
        w->next = NULL;
        *l->last = w;
        l->last = &w->next;
        l->queued++;
    }
    (void)pthread_mutex_unlock(&l->lock);
    return ok;
}

/* ---- accepting ------------------------------------------------------------------------------ */

static void describe(const struct sockaddr_storage *ss, struct accepted *a)
{
    char text[INET6_ADDRSTRLEN] = "?";

    if (ss->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)ss;

        memcpy(a->address, &in->sin6_addr, 16);
        (void)inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof(text));
        (void)snprintf(a->peer, sizeof(a->peer), "[%s]:%u", text, ntohs(in->sin6_port));
    } else {
        const struct sockaddr_in *in = (const void *)ss;

        a->address[10] = 0xff;
        a->address[11] = 0xff;
        memcpy(a->address + 12, &in->sin_addr, 4);
        (void)inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
        (void)snprintf(a->peer, sizeof(a->peer), "%s:%u", text, ntohs(in->sin_port));
    }
}

static bool has_room(const struct listener *l)
{
    return __atomic_load_n(&l->o.counters->now, __ATOMIC_ACQUIRE) < l->o.max_connections;
}

void listener_accept(struct listener *l)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    const int one = 1;
    struct waiting *w;
    const int fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) {
            (void)poll(NULL, 0, 50); /* until somebody leaves */
        }
        return;
    }
    w = calloc(1, sizeof(*w));
    if (w != NULL) {
        w->a.fd = fd;
        describe(&ss, &w->a);
    }
    if (w == NULL || !has_room(l) || !peers_enter(l->peers, w->a.address)) {
        count(&l->o.counters->refused);
        (void)close(fd);
        free(w);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    count(&l->o.counters->connections);
    (void)__atomic_add_fetch(&l->o.counters->now, 1, __ATOMIC_RELEASE);
    if (!hand_over(l, w)) {
        count(&l->o.counters->refused);
        finish(l, w);
    }
}

bool listener_may_ask(struct listener *l, const struct accepted *a)
{
    return peers_request(l->peers, a->address, tls_now_ms());
}

/* ---- listening ------------------------------------------------------------------------------ */

/* "ADDRESS:PORT", "[v6]:PORT", ":PORT" → host (empty: all) and port. */
static int split_address(const struct listener_options *o, char host[static 256],
                         char port[static 8], struct error **err)
{
    const char *text = o->address;
    const char *colon = strrchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;

    if (colon == NULL || len > 255 || colon[1] == '\0' || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1)) {
        return error_set(err, EINVAL,
                         "%s wants ADDRESS:PORT, [v6-address]:PORT or :PORT, not "
                         "'%s'",
                         o->option, text);
    }
    (void)snprintf(port, 8, "%s", colon + 1);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    return 0;
}

static int open_socket(const struct addrinfo *a)
{
    const int yes = 1;
    const int no = 0;
    const int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return -errno;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (a->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    }
    if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        const int r = -errno;

        (void)close(fd);
        return r;
    }
    return fd;
}

static int start_listening(struct listener *l, struct error **err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char host[256];
    char port[8];
    int last = -EADDRNOTAVAIL;
    int r = split_address(&l->o, host, port, err);

    if (r < 0) {
        return r;
    }
    r = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &list);
    if (r != 0) {
        return error_set(err, EADDRNOTAVAIL, "cannot listen on %s: %s", l->o.address,
                         gai_strerror(r));
    }
    /* Two rounds: IPv6 first, whose socket takes IPv4 too when no address was given. */
    for (int family = 0; family < 2 && l->fd < 0; family++) {
        for (const struct addrinfo *a = list; a != NULL && l->fd < 0; a = a->ai_next) {
            if ((a->ai_family == AF_INET6) == (family == 0)) {
                last = open_socket(a);
                l->fd = last;
            }
        }
    }
    freeaddrinfo(list);
    return l->fd < 0 ? error_set_errno(err, -last, "cannot listen on %s", l->o.address) : 0;
}

static int prepare(struct listener *l)
{
    pthread_condattr_t attr;
    int r;

    if (pthread_condattr_init(&attr) != 0) {
        return -ENOMEM;
    }
    r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&l->work, &attr) == 0
            ? 0
            : -ENOMEM;
    (void)pthread_condattr_destroy(&attr);
    if (r == 0 && pthread_mutex_init(&l->lock, NULL) != 0) {
        r = -ENOMEM;
    }
    return r;
}

int listener_open(const struct listener_options *o, struct listener **ret, struct error **err)
{
    struct listener *l = calloc(1, sizeof(*l));
    int r;

    if (l == NULL || prepare(l) < 0) {
        free(l);
        return error_set_errno(err, ENOMEM, "starting");
    }
    l->o = *o;
    l->fd = -1;
    l->last = &l->first;
    l->peers = peers_new(&o->limits);
    r = l->peers != NULL ? start_listening(l, err) : error_set_errno(err, ENOMEM, "starting");
    if (r < 0) {
        listener_free(l);
        return r;
    }
    *ret = l;
    return 0;
}

int listener_fd(const struct listener *l)
{
    return l->fd;
}

void listener_name(const struct listener *l, char ret[static 64])
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    struct accepted a = {0};

    (void)getsockname(l->fd, (struct sockaddr *)&ss, &len);
    describe(&ss, &a);
    memcpy(ret, a.peer, sizeof(a.peer));
}

bool listener_is_open(const struct listener *l)
{
    return !__atomic_load_n(&l->stopping, __ATOMIC_RELAXED);
}

bool listener_stop(struct listener *l, uint64_t deadline_ms)
{
    unsigned threads;

    (void)pthread_mutex_lock(&l->lock);
    __atomic_store_n(&l->stopping, true, __ATOMIC_RELAXED);
    (void)pthread_cond_broadcast(&l->work);
    (void)pthread_mutex_unlock(&l->lock);
    if (l->fd >= 0) {
        (void)close(l->fd);
        l->fd = -1;
    }
    for (;;) {
        (void)pthread_mutex_lock(&l->lock);
        threads = l->threads;
        (void)pthread_mutex_unlock(&l->lock);
        if (threads == 0 || tls_now_ms() >= deadline_ms) {
            return threads == 0;
        }
        (void)poll(NULL, 0, 20);
    }
}

void listener_free(struct listener *l)
{
    if (l != NULL) {
        if (l->fd >= 0) {
            (void)close(l->fd);
        }
        peers_free(l->peers);
        (void)pthread_mutex_destroy(&l->lock);
        (void)pthread_cond_destroy(&l->work);
        free(l);
    }
}
