/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "agent/channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "core/ct.h"
#include "core/sha256.h"

#define CHUNK 16384u

struct channel {
    int fd;
    SSL_CTX *context;
    SSL *ssl;
};

struct channel *channel_free(struct channel *c)
{
    if (c != NULL) {
        SSL_free(c->ssl);
        SSL_CTX_free(c->context);
        if (c->fd >= 0) {
            (void)close(c->fd);
        }
        free(c);
    }
    return NULL;
}

static void channel_freep(struct channel **c)
{
    *c = channel_free(*c);
}

__attribute__((format(printf, 3, 4))) static int fail(struct error **err, int code, const char *fmt,
                                                      ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)error_set(err, EPROTO, "%s", text);
    return code;
}

/* ---- TCP ---- */

static int parse_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_size)
{
    struct sockaddr_in *in = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2];
    char *end;
    unsigned long port;
    size_t len;

    if (colon == NULL || (size_t)(colon - text) >= sizeof(host)) {
        return -EINVAL;
    }
    port = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || *end != '\0' || port == 0 || port > UINT16_MAX) {
        return -EINVAL;
    }
    len = (size_t)(colon - text);
    memcpy(host, text, len);
    host[len] = '\0';
    *ret = (struct sockaddr_storage){};
    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
        *ret_size = sizeof(*in);
        return 0;
    }
    if (len < 2 || host[0] != '[' || host[len - 1] != ']') {
        return -EINVAL;
    }
    host[len - 1] = '\0';
    if (inet_pton(AF_INET6, host + 1, &in6->sin6_addr) != 1) {
        return -EINVAL;
    }
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons((uint16_t)port);
    *ret_size = sizeof(*in6);
    return 0;
}

static int tcp_connect(struct channel *c, const char *address, int64_t deadline, struct error **err)
{
    struct sockaddr_storage to;
    socklen_t size;
    int state = 0;
    socklen_t state_size = sizeof(state);
    const int on = 1;

    if (parse_address(address, &to, &size) < 0) {
        return fail(err, AGENT_EXIT_CONFIG, "'%.80s' is not an address and a port", address);
    }
    c->fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0) {
        return fail(err, AGENT_RETRY, "%s: %s", address, strerror(errno));
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(c->fd, (const struct sockaddr *)&to, size) < 0) {
        state = errno;
        if (state == EINPROGRESS) {
            state = -clock_wait_fd(c->fd, POLLOUT, deadline);
            if (state == 0 && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &state, &state_size) < 0) {
                state = errno;
            }
        }
    }
    return state == 0 ? 0 : fail(err, AGENT_RETRY, "%s: %s", address, strerror(state));
}

/* ---- TLS ---- */

/* What OpenSSL makes of a result: 0 to go on when the socket is ready, else as for callers. */
static int tls_wait(struct channel *c, int result, const char *what, int64_t deadline,
                    struct error **err)
{
    const int saved = errno;
    const int reason = SSL_get_error(c->ssl, result);
    int r;

    switch (reason) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        r = clock_wait_fd(c->fd, reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline);
        return r < 0 ? fail(err, AGENT_RETRY, "%s: %s", what, strerror(-r)) : 0;
    case SSL_ERROR_ZERO_RETURN:
        return fail(err, AGENT_RETRY, "%s: the connection was closed", what);
    case SSL_ERROR_SYSCALL:
        return fail(err, AGENT_RETRY, "%s: %s", what,
                    saved != 0 ? strerror(saved) : "the connection was cut");
    default:
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            return fail(err, AGENT_RETRY, "%s: the connection was cut", what);
        }
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_TLSV1_ALERT_INTERNAL_ERROR) {
            return fail(err, AGENT_RETRY, "%s: the other side is in trouble", what);
        }
        return fail(err, AGENT_EXIT_PROTOCOL, "%s: not TLS 1.3 as a CAS speaks it (%s)", what,
                    ERR_reason_error_string(ERR_peek_error()) == NULL
                        ? "unknown"
                        : ERR_reason_error_string(ERR_peek_error()));
    }
}

static int tls_make(struct channel *c)
{
    c->context = SSL_CTX_new(TLS_client_method());
    if (c->context == NULL || SSL_CTX_set_min_proto_version(c->context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(c->context, TLS1_3_VERSION) != 1) {
        return -ENOMEM;
    }
    /* The pinned key is the whole check: channel_open looks at it before anything is sent. */
    SSL_CTX_set_verify(c->context, SSL_VERIFY_NONE, NULL);
    (void)SSL_CTX_set_session_cache_mode(c->context, SSL_SESS_CACHE_OFF);
    c->ssl = SSL_new(c->context);
    return c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 ? -ENOMEM : 0;
}

static int check_pin(struct channel *c, const uint8_t want[static AGENT_HASH_SIZE],
                     const char *address, struct error **err)
{
    X509 *certificate = SSL_get1_peer_certificate(c->ssl);
    uint8_t have[SHA256_SIZE] = {};
    uint8_t *key = NULL;
    int size = certificate == NULL ? -1 : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
    bool same;

    if (size > 0) {
        sha256(key, (size_t)size, have);
    }
    same = size > 0 && ct_equal(have, want, sizeof(have));
    OPENSSL_free(key);
    X509_free(certificate);
    return same ? 0
                : fail(err, AGENT_EXIT_PROTOCOL,
                       "%s is not the CAS this enclave is measured with: it has another key",
                       address);
}

int channel_open(const char *address, const uint8_t cas_key[static AGENT_HASH_SIZE],
                 int64_t deadline, struct channel **ret, struct error **err)
{
    _cleanup_(channel_freep) struct channel *c = calloc(1, sizeof(*c));
    int r;

    if (c == NULL) {
        return fail(err, AGENT_EXIT_INTERNAL, "no memory");
    }
    c->fd = -1;
    r = tcp_connect(c, address, deadline, err);
    if (r == 0 && tls_make(c) < 0) {
        r = fail(err, AGENT_EXIT_INTERNAL, "TLS cannot be set up");
    }
    while (r == 0) {
        int n;

        ERR_clear_error();
        n = SSL_connect(c->ssl);
        if (n == 1) {
            break;
        }
        r = tls_wait(c, n, address, deadline, err);
    }
    if (r == 0 && SSL_version(c->ssl) != TLS1_3_VERSION) {
        r = fail(err, AGENT_EXIT_PROTOCOL, "%s does not speak TLS 1.3", address);
    }
    if (r == 0) {
        r = check_pin(c, cas_key, address, err);
    }
    if (r == 0) {
        *ret = TAKE_PTR(c);
    }
    return r;
}

int channel_exporter(struct channel *c, uint8_t ret[static AGENT_EXPORTER_SIZE], struct error **err)
{
    static const char label[] = "EXPORTER-Channel-Binding"; /* RFC 9266 section 4.2 */

    return SSL_export_keying_material(c->ssl, ret, AGENT_EXPORTER_SIZE, label, sizeof(label) - 1,
                                      NULL, 0, 0) == 1
               ? 0
               : fail(err, AGENT_EXIT_INTERNAL, "the connection has no exporter");
}

/* ---- HTTP ---- */

static int write_all(struct channel *c, const char *data, size_t size, int64_t deadline,
                     struct error **err)
{
    while (size > 0) {
        size_t n = 0;
        int r;

        ERR_clear_error();
        r = SSL_write_ex(c->ssl, data, size, &n);
        if (r == 1) {
            data += n;
            size -= n;
            continue;
        }
        r = tls_wait(c, r, "sending", deadline, err);
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

/* Up to `size` bytes, at least one. */
static int read_some(struct channel *c, char *dst, size_t size, size_t *ret_size, int64_t deadline,
                     struct error **err)
{
    for (;;) {
        int r;

        ERR_clear_error();
        r = SSL_read_ex(c->ssl, dst, size, ret_size);
        if (r == 1) {
            return 0;
        }
        r = tls_wait(c, r, "waiting for the answer", deadline, err);
        if (r != 0) {
            return r;
        }
    }
}

static bool header_is(const char *line, size_t len, const char *name, const char **ret_value)
{
    const size_t n = strlen(name);

    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':') {
        return false;
    }
    line += n + 1;
    while (*line == ' ' || *line == '\t') {
        line++;
    }
    *ret_value = line;
    return true;
}

/* Digits up to the end of the line. */
static int take_number(const char *s, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;

    if (*s < '0' || *s > '9') {
        return -EBADMSG;
    }
    while (*s >= '0' && *s <= '9') {
        v = v * 10 + (uint64_t)(*s++ - '0');
        if (v > max) {
            return -EBADMSG;
        }
    }
    while (*s == ' ' || *s == '\t') {
        s++;
    }
    if (*s != '\r') {
        return -EBADMSG;
    }
    *ret = v;
    return 0;
}

static int take_header(const char *line, size_t len, struct channel_answer *ret, bool *have_length,
                       size_t *ret_body_size)
{
    const char *value;
    uint64_t n;

    if (header_is(line, len, "Content-Length", &value)) {
        if (*have_length || take_number(value, AGENT_ANSWER_MAX, &n) < 0) {
            return -EBADMSG;
        }
        *have_length = true;
        *ret_body_size = (size_t)n;
    } else if (header_is(line, len, "Transfer-Encoding", &value)) {
        return -EBADMSG;
    } else if (header_is(line, len, "Retry-After", &value)) {
        /* Seconds, or a date that does not matter here. */
        ret->retry_after = take_number(value, 3600, &n) < 0 ? 0 : (unsigned)n;
    }
    return 0;
}

int channel_parse_head(const char *data, size_t size, struct channel_answer *ret,
                       size_t *ret_head_size, size_t *ret_body_size)
{
    const char *end = memmem(data, size, "\r\n\r\n", 4);
    const char *line = memchr(data, '\n', size);
    bool have_length = false;

    if (end == NULL) {
        return size > CHANNEL_HEAD_MAX ? -EBADMSG : 0;
    }
    if ((size_t)(end - data) > CHANNEL_HEAD_MAX ||
        memchr(data, '\0', (size_t)(end - data)) != NULL || strncmp(data, "HTTP/1.1 ", 9) != 0 ||
        line - data < 13 || line[-1] != '\r' || (data[12] != ' ' && data[12] != '\r')) {
        return -EBADMSG;
    }
    ret->status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (data[i] < '0' || data[i] > '9') {
            return -EBADMSG;
        }
        ret->status = ret->status * 10 + (unsigned)(data[i] - '0');
    }
    while (line < end + 1) {
        const char *next;

        line++;
        next = memchr(line, '\n', (size_t)(end + 4 - line));
        if (next == NULL || next == line || next[-1] != '\r' ||
            take_header(line, (size_t)(next - line), ret, &have_length, ret_body_size) < 0) {
            return -EBADMSG;
        }
        line = next;
    }
    if (!have_length) {
        return -EBADMSG;
    }
    *ret_head_size = (size_t)(end - data) + 4;
    return 1;
}

/* Grows by hand: realloc would leave copies behind. */
static int more_room(struct channel_answer *a, size_t room)
{
    char *p = malloc(room);

    if (p == NULL) {
        return -ENOMEM;
    }
    memcpy(p, a->body, a->size);
    agent_wipe_free(a->body, a->room);
    a->body = p;
    a->room = room;
    return 0;
}

static int read_head(struct channel *c, struct channel_answer *a, int64_t deadline,
                     size_t *ret_body_size, struct error **err)
{
    size_t head = 0;
    size_t n = 0;
    int r = 0;

    a->room = 2 * CHANNEL_HEAD_MAX;
    a->body = malloc(a->room);
    if (a->body == NULL) {
        return fail(err, AGENT_EXIT_INTERNAL, "no memory");
    }
    while (r == 0) {
        if (a->size + 1 >= a->room) {
            r = -EBADMSG;
            break;
        }
        r = read_some(c, a->body + a->size, a->room - a->size - 1, &n, deadline, err);
        if (r != 0) {
            return r;
        }
        a->size += n;
        r = channel_parse_head(a->body, a->size, a, &head, ret_body_size);
    }
    if (r < 0 || a->size - head > *ret_body_size) {
        return fail(err, AGENT_EXIT_PROTOCOL, "the answer is not HTTP as a CAS speaks it");
    }
    a->size -= head;
    memmove(a->body, a->body + head, a->size);
    return 0;
}

static int read_answer(struct channel *c, int64_t deadline, struct channel_answer *a,
                       struct error **err)
{
    size_t body_size = 0;
    int r = read_head(c, a, deadline, &body_size, err);

    if (r == 0 && body_size + 1 > a->room && more_room(a, body_size + 1) < 0) {
        return fail(err, AGENT_EXIT_INTERNAL, "no memory for an answer of %zu bytes", body_size);
    }
    while (r == 0 && a->size < body_size) {
        size_t n = 0;

        r = read_some(c, a->body + a->size, MIN(body_size - a->size, (size_t)CHUNK), &n, deadline,
                      err);
        a->size += n;
    }
    if (r == 0) {
        a->body[a->size] = '\0';
    }
    return r;
}

int channel_post(struct channel *c, const char *path, const char *body, size_t size,
                 int64_t deadline, struct channel_answer *ret, struct error **err)
{
    struct channel_answer a = {};
    char head[256];
    const int n = snprintf(head, sizeof(head),
                           "POST %s HTTP/1.1\r\nHost: cas\r\nContent-Type: application/json\r\n"
                           "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                           path, size);
    int r = n < 0 || (size_t)n >= sizeof(head)
                ? fail(err, AGENT_EXIT_INTERNAL, "the request's head is too long")
                : write_all(c, head, (size_t)n, deadline, err);

    if (r == 0) {
        r = write_all(c, body, size, deadline, err);
    }
    if (r == 0) {
        r = read_answer(c, deadline, &a, err);
    }
    if (r != 0) {
        agent_wipe_free(a.body, a.room);
        return r;
    }
    *ret = a;
    return 0;
}
