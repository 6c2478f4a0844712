/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "prov.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "abi/report_data.h"
#include "base/base64.h"
#include "base/crypto.h"
#include "core/hex.h"
#include "core/sha512.h"
#include "softsgx/keys.h"
#include "softsgx/quote.h"

#define ANSWER_MAX ((size_t)17 * 1024 * 1024)

static SSL_CTX *g_tls; /* shared by every connection, as in an agent */

void prov_fail(const char *what)
{
    fprintf(stderr, "provclient: %s\n", what);
    exit(2);
}

/* ---- evidence ------------------------------------------------------------------------------- */

static void report_data(SSL *ssl, const char *session, const char *service, uint8_t ret[static 64])
{
    static const char label[] = "EXPORTER-Channel-Binding";
    static const char domain[] = "nacre provisioning v1";
    const char *const names[] = {session, service};
    uint8_t exporter[32];
    struct sha512 ctx;

    if (SSL_export_keying_material(ssl, exporter, sizeof(exporter), label, strlen(label), NULL, 0,
                                   0) != 1) {
        prov_fail("no exporter");
    }
    sha512_init(&ctx);
    sha512_update(&ctx, domain, sizeof(domain));
    sha512_update(&ctx, exporter, sizeof(exporter));
    for (size_t i = 0; i < 2; i++) {
        const size_t len = strlen(names[i]);
        const uint8_t size[2] = {(uint8_t)len, (uint8_t)(len >> 8)};

        sha512_update(&ctx, size, 2);
        sha512_update(&ctx, names[i], len);
    }
    sha512_final(&ctx, ret);
    report_data_tag(ret, REPORT_DATA_PROVISIONING);
}

static void make_quote(const struct prov *o, const uint8_t data[static 64], uint8_t **ret,
                       size_t *ret_size)
{
    _cleanup_error_ struct error *err = NULL;
    struct sgx_report report = {.body = o->body};
    struct sgx_targetinfo target;
    uint8_t key[16];
    int r = soft_quote_target(&target, &err);

    memcpy(report.body.report_data, data, 64);
    memcpy(report.body.cpu_svn, soft_cpu_svn, sizeof(report.body.cpu_svn));
    memcpy(report.key_id, soft_report_key_id(), sizeof(report.key_id));
    if (r == 0) {
        soft_report_key(&target, report.key_id, key);
        r = crypto_aes128_cmac(key, &report.body, sizeof(report.body), report.mac);
    }
    if (r == 0) {
        r = soft_quote(&report, ret, ret_size, &err);
    }
    if (r < 0) {
        prov_fail(error_text(err));
    }
}

static char *encode(const uint8_t *quote, size_t size)
{
    char *text = calloc(1, BASE64_SIZE(size) + 1);

    if (text == NULL) {
        prov_fail("out of memory");
    }
    base64_encode(text, quote, size);
    return text;
}

/* The quote somebody else makes, who is told the report data. */
static char *ask_for_quote(const uint8_t data[static 64])
{
    char hex[129];
    char *line = NULL;
    size_t cap = 0;

    hex_encode(hex, data, 64);
    printf("%s\n", hex);
    (void)fflush(stdout);
    if (getline(&line, &cap, stdin) <= 0) {
        prov_fail("no quote on stdin");
    }
    line[strcspn(line, "\n")] = '\0';
    return line;
}

/* ---- one request ---------------------------------------------------------------------------- */

static int connect_to(const struct prov *o)
{
    const struct sockaddr_in a = {
        .sin_family = AF_INET,
        .sin_port = htons(o->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    const struct timeval patience = {.tv_sec = 30};
    const int one = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0) {
        prov_fail("cannot connect");
    }
    return fd;
}

static void read_answer(SSL *ssl, struct prov_answer *ret)
{
    size_t cap = 65536;
    size_t used = 0;
    char *text = malloc(cap + 1);

    while (text != NULL) {
        int n;

        if (used == cap) {
            cap *= 2;
            text = cap <= ANSWER_MAX ? realloc(text, cap + 1) : NULL;
            continue;
        }
        n = SSL_read(ssl, text + used, (int)(cap - used));
        if (n <= 0) {
            break;
        }
        used += (size_t)n;
    }
    if (text == NULL) {
        prov_fail("the answer is too large");
    }
    text[used] = '\0';
    ret->text = text;
    ret->body = strstr(text, "\r\n\r\n");
    ret->body = ret->body != NULL ? ret->body + 4 : text + used;
    if (sscanf(text, "HTTP/1.1 %d ", &ret->status) != 1) {
        ret->status = 0;
    }
}

static void send_request(SSL *ssl, const char *session, const char *service, const char *quote)
{
    char *request = NULL;
    char *body = NULL;
    int n = quote != NULL
                ? asprintf(&body,
                           "{\"version\":1,\"session\":\"%s\",\"service\":\"%s\",\"evidence\":"
                           "{\"type\":\"sgx-dcap\",\"quote\":\"%s\"}}",
                           session, service, quote)
                : asprintf(&body,
                           "{\"version\":1,\"session\":\"%s\",\"service\":\"%s\",\"evidence\":"
                           "{\"type\":\"none\"}}",
                           session, service);

    n = n < 0 ? n
              : asprintf(&request,
                         "POST /v1/provision HTTP/1.1\r\nHost: cas\r\nContent-Type: "
                         "application/json\r\nContent-Length: %d\r\n\r\n%s",
                         n, body);
    if (n < 0) {
        prov_fail("out of memory");
    }
    (void)SSL_write(ssl, request, n);
    free(request);
    free(body);
}

void prov_init(struct prov *p)
{
    *p = (struct prov){
        .sessions = 1,
        .body =
            {
                .attributes = {.flags = SGX_FLAGS_INIT | SGX_FLAGS_MODE64BIT, .xfrm = 3},
                .isv_prod_id = 1,
                .isv_svn = 2,
            },
    };
    memset(p->body.mrenclave, 0x11, sizeof(p->body.mrenclave));
    memset(p->body.mrsigner, 0x22, sizeof(p->body.mrsigner));
    (void)signal(SIGPIPE, SIG_IGN);
    if (soft_fuse_load(NULL) < 0) { /* before there are threads */
        prov_fail("no software processor");
    }
    g_tls = SSL_CTX_new(TLS_client_method());
    if (g_tls == NULL || SSL_CTX_set_min_proto_version(g_tls, TLS1_3_VERSION) != 1) {
        prov_fail("no TLS");
    }
}

size_t prov_quote_size(const struct prov *o)
{
    const uint8_t zeros[64] = {0};
    uint8_t *raw = NULL;
    size_t size = 0;

    make_quote(o, zeros, &raw, &size);
    free(raw);
    return size;
}

void prov_ask(const struct prov *o, const char *session, long flip, struct prov_answer *ret)
{
    const int fd = connect_to(o);
    SSL *ssl = SSL_new(g_tls);
    char *quote = NULL;
    uint8_t data[64];

    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1) {
        prov_fail("no TLS");
    }
    report_data(ssl, o->bind != NULL ? o->bind : session, o->service, data);
    if (o->ask) {
        quote = ask_for_quote(data);
    } else if (!o->none) {
        uint8_t *raw = NULL;
        size_t size = 0;

        make_quote(o, data, &raw, &size);
        if (flip >= 0 && (size_t)flip < size) {
            raw[flip] ^= 0xff;
        }
        quote = encode(raw, size);
        free(raw);
    }
    send_request(ssl, session, o->service, quote);
    read_answer(ssl, ret);
    free(quote);
    (void)SSL_shutdown(ssl);
    SSL_free(ssl);
    (void)close(fd);
}

/* ---- load ----------------------------------------------------------------------------------- */

struct client {
    const struct prov *o;
    pthread_t thread;
    unsigned count;
    double until_us; /* 0: no end */
    unsigned done;
    unsigned good;
    unsigned busy;
    double *micros; /* of each */
};

static unsigned g_next;

static double now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void *load_client(void *arg)
{
    struct client *c = arg;
    const struct prov *o = c->o;
    const char *mark = strchr(o->session, '%');
    unsigned number;

    while ((number = __atomic_fetch_add(&g_next, 1, __ATOMIC_RELAXED)) < c->count &&
           (c->until_us <= 0 || now_us() < c->until_us)) {
        char session[600];
        struct prov_answer a;
        double start;

        if (mark != NULL) {
            /* Spread over all of them, not one after the other. */
            (void)snprintf(session, sizeof(session), "%.*s%u%s", (int)(mark - o->session),
                           o->session, (unsigned)((number * 7919ull) % o->sessions), mark + 1);
        } else {
            (void)snprintf(session, sizeof(session), "%s", o->session);
        }
        start = now_us();
        prov_ask(o, session, -1, &a);
        c->micros[c->done++] = now_us() - start;
        c->good += a.status == 200;
        c->busy += a.status == 429 || a.status == 503;
        free(a.text);
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;

    return *x < *y ? -1 : *x > *y;
}

void prov_load(const struct prov *o, unsigned client_count, unsigned count, unsigned seconds,
               struct prov_load *ret)
{
    static struct client clients[PROV_CLIENTS_MAX];
    double *all = calloc(count, sizeof(*all));
    const double start = now_us();
    unsigned done = 0;

    if (all == NULL) {
        prov_fail("out of memory");
    }
    *ret = (struct prov_load){0};
    __atomic_store_n(&g_next, 0, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < client_count; i++) {
        clients[i] = (struct client){
            .o = o,
            .count = count,
            .until_us = seconds > 0 ? start + seconds * 1e6 : 0,
            .micros = calloc(count, sizeof(double)),
        };
        if (clients[i].micros == NULL ||
            pthread_create(&clients[i].thread, NULL, load_client, &clients[i]) != 0) {
            prov_fail("cannot start a thread");
        }
    }
    for (unsigned i = 0; i < client_count; i++) {
        (void)pthread_join(clients[i].thread, NULL);
        memcpy(all + done, clients[i].micros, clients[i].done * sizeof(double));
        done += clients[i].done;
        ret->provisioned += clients[i].good;
        ret->busy += clients[i].busy;
        free(clients[i].micros);
    }
    ret->requests = done;
    ret->per_second = done / ((now_us() - start) / 1e6);
    qsort(all, done, sizeof(*all), by_size);
    if (done > 0) {
        ret->p50_us = all[done / 2];
        ret->p99_us = all[done * 99ul / 100];
    }
    free(all);
}
