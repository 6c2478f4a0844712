/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * One thread a connection, a bounded number of them, and a deadline for every step of each: the
 * handshake, the head of a request, its body, the answer, and the pause before the next request.
 * Whoever is slow is cut off; whoever comes too often or too fast is turned away before any work
 * is done for him.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cas/api.h"
#include "cas/cas.h"
#include "cas/peers.h"
#include "cas/tls.h"
#include "core/ct.h"
#include "policy/text.h"

#define HANDSHAKE_MS 5000u
#define HEAD_MS      10000u
#define BODY_MS      30000u
#define ANSWER_MS    30000u
#define PAUSE_MS     15000u
#define REQUESTS_MAX 1000u /* of one connection */
#define STOP_MS      5000u /* for requests under way */
#define STACK_SIZE   ((size_t)1024 * 1024)
#define BACKLOG      256

struct server {
    struct api api;
    struct tls_context *tls;
    struct peers *peers;
    unsigned max_connections;
    int listen_fd;
    bool stopping;
};

struct connection {
    struct server *server;
    struct tls_conn *tls;
    int fd;
    uint8_t address[16];
    char peer[64]; /* "192.0.2.1:40112" */
    char *buf;     /* HTTP_HEAD_MAX + HTTP_BODY_MAX at most */
    size_t used;
    size_t cap;
    unsigned answered; /* requests so far */
};

static void count(uint64_t *what)
{
    (void)__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

/* ---- one request ---------------------------------------------------------------------------- */

/* `body`: false for HEAD, whose answers have none (RFC 9110 section 9.3.2). */
static int send_answer(struct connection *c, const struct api_answer *a, bool body, bool keep)
{
    const uint64_t deadline = tls_now_ms() + ANSWER_MS;
    char head[512];
    const int n = snprintf(head, sizeof(head),
                           "HTTP/1.1 %d %s\r\n"
                           "Content-Type: %s\r\n"
                           "Content-Length: %zu\r\n"
                           "Cache-Control: no-store\r\n"
                           "X-Content-Type-Options: nosniff\r\n"
                           "Strict-Transport-Security: max-age=31536000\r\n"
                           "Connection: %s\r\n\r\n",
                           a->status, http_status_text(a->status), a->type, a->body.size,
                           keep ? "keep-alive" : "close");
    int r = tls_write(c->tls, head, (size_t)n, deadline);

    return r == 0 && body ? tls_write(c->tls, a->body.p, a->body.size, deadline) : r;
}

static int refuse(struct connection *c, int status, const char *text)
{
    _cleanup_answer_ struct api_answer a = {0};

    api_error(&a, status, text);
    count(&c->server->api.counters.requests[status / 100]);
    return send_answer(c, &a, /*body=*/true, /*keep=*/false);
}

static int grow(struct connection *c, size_t need)
{
    char *grown;

    if (c->cap >= need + 1) {
        return 0;
    }
    grown = malloc(need + 1);
    if (grown == NULL) {
        return -ENOMEM;
    }
    if (c->used > 0) {
        memcpy(grown, c->buf, c->used);
    }
    if (c->buf != NULL) {
        ct_wipe(c->buf, c->cap); /* documents hold secrets */
    }
    free(c->buf);
    c->buf = grown;
    c->cap = need + 1;
    return 0;
}

static int read_more(struct connection *c, size_t up_to, uint64_t deadline)
{
    int n = grow(c, up_to);

    if (n < 0) {
        return n;
    }
    n = tls_read(c->tls, c->buf + c->used, up_to - c->used, deadline);
    if (n > 0) {
        c->used += (size_t)n;
        c->buf[c->used] = '\0';
    }
    return n == 0 ? -ECONNRESET : MIN(n, 0);
}

/* The head of the next request. Returns its length; negative: the connection is over. */
static int read_head(struct connection *c, struct http_request *req, size_t *ret_size)
{
    uint64_t deadline = tls_now_ms() + (c->used > 0 ? HEAD_MS : PAUSE_MS);
    bool begun = c->used > 0;

    for (;;) {
        int r = c->used > 0 ? http_parse_head(c->buf, c->used, req, ret_size) : -EAGAIN;

        if (r >= 0 && r != 0) {
            (void)refuse(c, r, http_status_text(r));
            return -EPROTO;
        }
        if (r == 0) {
            return 0;
        }
        r = read_more(c, HTTP_HEAD_MAX, deadline);
        if (r == -ETIMEDOUT && c->used > 0) {
            (void)refuse(c, 408, "the request took too long");
        }
        if (r < 0) {
            return r;
        }
        if (!begun) {
            begun = true;
            deadline = tls_now_ms() + HEAD_MS; /* for the whole head, not for each byte */
        }
    }
}

static int read_body(struct connection *c, const struct http_request *req, size_t head)
{
    const size_t need = head + req->content_length;
    const uint64_t deadline = tls_now_ms() + BODY_MS;
    int r = 0;

    if (req->expect_continue && c->used < need) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

        r = tls_write(c->tls, go_on, strlen(go_on), deadline);
    }
    while (r == 0 && c->used < need) {
        r = read_more(c, MAX(need, HTTP_HEAD_MAX), deadline);
    }
    if (r == -ETIMEDOUT) {
        (void)refuse(c, 408, "the request took too long");
    }
    return r;
}

static int answer(struct connection *c, const struct http_request *req, size_t head, bool *ret_keep)
{
    struct server *s = c->server;
    _cleanup_answer_ struct api_answer a = {0};
    struct cas_caller who = {.peer = c->peer};
    const uint64_t start = tls_now_ms();
    char last = c->buf[head + req->content_length];

    who.policy.has_key = tls_peer_key(c->tls, who.policy.key.b);
    c->buf[head + req->content_length] = '\0';
    api_handle(&s->api, &who, req, c->buf + head, &a);
    c->buf[head + req->content_length] = last;
    if (a.trouble[0] != '\0') {
        fprintf(stderr, "nacre cas: %s %s: %s\n", req->method, req->path, a.trouble);
    }
    count(&s->api.counters.requests[a.status / 100]);
    (void)__atomic_add_fetch(&s->api.counters.request_micros, (tls_now_ms() - start) * 1000,
                             __ATOMIC_RELAXED);
    *ret_keep = req->keep_alive && ++c->answered < REQUESTS_MAX &&
                !__atomic_load_n(&s->stopping, __ATOMIC_RELAXED);
    return send_answer(c, &a, strcmp(req->method, "HEAD") != 0, *ret_keep);
}

/* What is behind the request stays for the next one. */
static void consume(struct connection *c, size_t size)
{
    memmove(c->buf, c->buf + size, c->used - size);
    ct_wipe(c->buf + c->used - size, size);
    c->used -= size;
}

static bool serve_one(struct connection *c)
{
    struct server *s = c->server;
    struct http_request req;
    bool keep = false;
    size_t head;
    int r = read_head(c, &req, &head);

    if (r < 0) {
        return false;
    }
    if (!peers_request(s->peers, c->address, tls_now_ms())) {
        count(&s->api.counters.rate_limited);
        (void)refuse(c, 429, "too many requests from your address; wait a second");
        return false;
    }
    r = read_body(c, &req, head);
    if (r == 0) {
        r = answer(c, &req, head, &keep);
    }
    if (r == 0 && keep) {
        consume(c, head + req.content_length);
    }
    return r == 0 && keep;
}

/* ---- connections ---------------------------------------------------------------------------- */

static void connection_free(struct connection *c)
{
    struct server *s = c->server;

    tls_close(c->tls);
    (void)close(c->fd);
    if (c->buf != NULL) {
        ct_wipe(c->buf, c->cap);
    }
    free(c->buf);
    peers_leave(s->peers, c->address);
    free(c);
    (void)__atomic_sub_fetch(&s->api.counters.connections_now, 1, __ATOMIC_RELEASE);
}

static void *connection_thread(void *arg)
{
    struct connection *c = arg;
    struct server *s = c->server;

    if (tls_accept(s->tls, c->fd, tls_now_ms() + HANDSHAKE_MS, &c->tls) < 0) {
        count(&s->api.counters.handshakes_failed);
    } else {
        while (serve_one(c)) {
        }
    }
    connection_free(c);
    return NULL;
}

static void describe_peer(const struct sockaddr_storage *ss, struct connection *c)
{
    char text[INET6_ADDRSTRLEN] = "?";

    if (ss->ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const void *)ss;

        memcpy(c->address, &a->sin6_addr, 16);
        (void)inet_ntop(AF_INET6, &a->sin6_addr, text, sizeof(text));
        (void)snprintf(c->peer, sizeof(c->peer), "[%s]:%u", text, ntohs(a->sin6_port));
    } else {
        const struct sockaddr_in *a = (const void *)ss;

        c->address[10] = 0xff;
        c->address[11] = 0xff;
        memcpy(c->address + 12, &a->sin_addr, 4);
        (void)inet_ntop(AF_INET, &a->sin_addr, text, sizeof(text));
        (void)snprintf(c->peer, sizeof(c->peer), "%s:%u", text, ntohs(a->sin_port));
    }
}

static bool start_thread(struct connection *c)
{
    pthread_attr_t attr;
    pthread_t thread;
    bool ok;

    if (pthread_attr_init(&attr) != 0) {
        return false;
    }
    ok = pthread_attr_setstacksize(&attr, STACK_SIZE) == 0 &&
         pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0 &&
         pthread_create(&thread, &attr, connection_thread, c) == 0;
    (void)pthread_attr_destroy(&attr);
    return ok;
}

static void accept_one(struct server *s)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    const int one = 1;
    struct connection *c;
    const int fd =
        accept4(s->listen_fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) {
            (void)poll(NULL, 0, 50); /* until somebody leaves */
        }
        return;
    }
    c = calloc(1, sizeof(*c));
    if (c != NULL) {
        c->server = s;
        c->fd = fd;
        describe_peer(&ss, c);
    }
    if (c == NULL ||
        __atomic_load_n(&s->api.counters.connections_now, __ATOMIC_ACQUIRE) >= s->max_connections ||
        !peers_enter(s->peers, c->address)) {
        count(&s->api.counters.connections_refused);
        (void)close(fd);
        free(c);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    count(&s->api.counters.connections);
    (void)__atomic_add_fetch(&s->api.counters.connections_now, 1, __ATOMIC_RELEASE);
    if (!start_thread(c)) {
        count(&s->api.counters.connections_refused);
        connection_free(c);
    }
}

/* ---- listening ------------------------------------------------------------------------------ */

/* "ADDRESS:PORT", "[v6]:PORT", ":PORT" → host (empty: all) and port. */
static int split_address(const char *text, char host[static 256], char port[static 8],
                         struct error **err)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;

    if (colon == NULL || len > 255 || colon[1] == '\0' || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1)) {
        return error_set(err, EINVAL,
                         "--listen wants ADDRESS:PORT, [v6-address]:PORT or :PORT, not "
                         "'%s'",
                         text);
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

static int start_listening(struct server *s, const char *address, struct error **err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char host[256];
    char port[8];
    int last = -EADDRNOTAVAIL;
    int r = split_address(address, host, port, err);

    if (r < 0) {
        return r;
    }
    r = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &list);
    if (r != 0) {
        return error_set(err, EADDRNOTAVAIL, "cannot listen on %s: %s", address, gai_strerror(r));
    }
    /* Two rounds: IPv6 first, whose socket takes IPv4 too when no address was given. */
    for (int family = 0; family < 2 && s->listen_fd < 0; family++) {
        for (const struct addrinfo *a = list; a != NULL && s->listen_fd < 0; a = a->ai_next) {
            if ((a->ai_family == AF_INET6) == (family == 0)) {
                last = open_socket(a);
                s->listen_fd = last;
            }
        }
    }
    freeaddrinfo(list);
    return s->listen_fd < 0 ? error_set_errno(err, -last, "cannot listen on %s", address) : 0;
}

static void say_hello(const struct server *s, const struct cas_home *home)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    struct connection c = {0};
    char key[KEY_ID_TEXT_MAX];

    (void)getsockname(s->listen_fd, (struct sockaddr *)&ss, &len);
    describe_peer(&ss, &c);
    key_id_print(KEY_ID_VERSION_KEY, home->key_id, key);
    fprintf(stderr,
            "nacre cas: serving HTTPS on %s, from %s\n"
            "nacre cas: key to pin: %s\n"
            "nacre cas: certificate for --cacert: %s\n",
            c.peer, home->dir, key, home->cert_path);
    (void)fflush(stderr);
}

static int make_services(struct server *s, const struct cas_home *home, struct error **err)
{
    _cleanup_free_ char *db = cas_home_path(home, "cas.db");
    _cleanup_free_ char *log = cas_home_path(home, "audit.log");
    _cleanup_store_ struct store *store = NULL;
    _cleanup_audit_ struct audit *audit = NULL;
    struct cas_options o = {0};
    int r;

    if (db == NULL || log == NULL) {
        return error_set_errno(err, ENOMEM, "starting");
    }
    r = store_sqlite_open(db, home->master, &store, err);
    if (r == 0) {
        r = audit_open(log, &audit, err);
    }
    if (r < 0) {
        return r;
    }
    o.store = store;
    o.audit = audit;
    r = cas_new(&o, &s->api.cas, err);
    if (r == 0) {
        store = NULL; /* taken over */
        audit = NULL;
        r = tls_context_new(home, &s->tls, err);
    }
    return r;
}

static void loop(struct server *s, int signals)
{
    struct pollfd fds[2] = {{.fd = s->listen_fd, .events = POLLIN},
                            {.fd = signals, .events = POLLIN}};

    while (fds[1].revents == 0) {
        const int n = poll(fds, 2, -1);

        if (n > 0 && (fds[0].revents & POLLIN) != 0) {
            accept_one(s);
        }
    }
}

/* Lets requests under way finish. Returns false when some did not: then their threads still use the
 * server, and it must not be taken apart. */
static bool stop(struct server *s)
{
    const uint64_t deadline = tls_now_ms() + STOP_MS;

    __atomic_store_n(&s->stopping, true, __ATOMIC_RELAXED);
    (void)close(s->listen_fd);
    s->listen_fd = -1;
    (void)cas_note(s->api.cas, "cas.stop", NULL, NULL);
    while (__atomic_load_n(&s->api.counters.connections_now, __ATOMIC_ACQUIRE) > 0) {
        if (tls_now_ms() >= deadline) {
            return false;
        }
        (void)poll(NULL, 0, 20);
    }
    return true;
}

static int block_signals(int *ret_fd, struct error **err)
{
    sigset_t set;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) {
        return error_set(err, EIO, "cannot block signals");
    }
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC);
    return *ret_fd < 0 ? error_set_errno(err, errno, "cannot wait for signals") : 0;
}

static int serve(struct server *s, const struct cas_serve_options *o, const struct cas_home *home,
                 struct error **err)
{
    _cleanup_close_ int signals = -1;
    int r = make_services(s, home, err);

    if (r == 0) {
        r = start_listening(s, o->listen, err);
    }
    if (r == 0) {
        r = block_signals(&signals, err);
    }
    if (r == 0) {
        r = cas_note(s->api.cas, "cas.start", json_pack("{s:s}", "version", o->version), err);
    }
    if (r < 0) {
        return r;
    }
    say_hello(s, home);
    loop(s, signals);
    if (!stop(s)) {
        fprintf(stderr, "nacre cas: stopping with connections still open\n");
        _exit(0); /* every acknowledged write is on the disk */
    }
    return 0;
}

int cas_serve(const struct cas_serve_options *o, struct error **err)
{
    const struct peer_limits limits = {
        .connections = o->max_connections_per_peer != 0 ? o->max_connections_per_peer : 256,
        .rate = o->max_rate != 0 ? o->max_rate : 2000,
    };
    _cleanup_home_ struct cas_home home = {0};
    struct server s = {
        .listen_fd = -1,
        .max_connections = o->max_connections != 0 ? o->max_connections : 512,
        .api.version = o->version,
    };
    int r = cas_home_open(o->dir, o->name_count, o->names, &home, err);

    if (r < 0) {
        return r;
    }
    s.peers = peers_new(&limits);
    r = s.peers != NULL ? serve(&s, o, &home, err) : error_set_errno(err, ENOMEM, "starting");
    if (s.listen_fd >= 0) {
        (void)close(s.listen_fd);
    }
    cas_freep(&s.api.cas);
    tls_context_free(s.tls);
    peers_free(s.peers);
    return r;
}
