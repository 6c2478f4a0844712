/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * An agent of tests: asks CAS for the configuration of a service with software evidence of an
 * enclave that never was. Whoever has a machine can make any software evidence; this is that.
 *
 *   provclient PORT SESSION SERVICE [OPTIONS]          one request; prints the status, then the
 * body
 *     --none              evidence of type none
 *     --ask               prints the report data in hex, reads the quote in base64 from stdin
 *     --bind SESSION      evidence bound to another session than the one that is asked for
 *     --mrenclave HEX, --mrsigner HEX, --isvprodid N, --isvsvn N, --debug
 *     --flip FROM:TO:STEP one request for each offset, with that byte of the quote inverted; TO 0
 * is its end. Prints how many answers had which status; fails on a 200
 *     --load CLIENTS:COUNT  COUNT requests from CLIENTS threads; prints one line of JSON. A '%' in
 *                         SESSION becomes a number below --sessions N
 */

#include <errno.h>
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

#include "base/args.h"
#include "base/base64.h"
#include "base/crypto.h"
#include "core/hex.h"
#include "core/sha512.h"
#include "softsgx/keys.h"
#include "softsgx/quote.h"

#define ANSWER_MAX  ((size_t)17 * 1024 * 1024)
#define CLIENTS_MAX 256

struct options {
    uint16_t port;
    const char *session;
    const char *service;
    const char *bind;
    bool none;
    bool ask;
    struct sgx_report_body body;
    unsigned flip_from, flip_to, flip_step;
    bool flip;
    unsigned clients;
    unsigned count;
    unsigned sessions;
};

struct answer {
    int status;
    char *text; /* head and body */
    char *body;
};

static SSL_CTX *g_tls;

static void fail(const char *what)
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
        fail("no exporter");
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
}

static void make_quote(const struct options *o, const uint8_t data[static 64], uint8_t **ret,
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
        fail(error_text(err));
    }
}

static char *encode(const uint8_t *quote, size_t size)
{
    char *text = calloc(1, BASE64_SIZE(size) + 1);

    if (text == NULL) {
        fail("out of memory");
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
        fail("no quote on stdin");
    }
    line[strcspn(line, "\n")] = '\0';
    return line;
}

/* ---- one request ---------------------------------------------------------------------------- */

static int connect_to(const struct options *o)
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
        fail("cannot connect");
    }
    return fd;
}

static void read_answer(SSL *ssl, struct answer *ret)
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
        fail("the answer is too large");
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
        fail("out of memory");
    }
    (void)SSL_write(ssl, request, n);
    free(request);
    free(body);
}

static void ask(const struct options *o, const char *session, long flip, struct answer *ret)
{
    const int fd = connect_to(o);
    SSL *ssl = SSL_new(g_tls);
    char *quote = NULL;
    uint8_t data[64];

    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1) {
        fail("no TLS");
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

static int once(const struct options *o)
{
    struct answer a;

    ask(o, o->session, -1, &a);
    printf("%d\n%s\n", a.status, a.body);
    free(a.text);
    return a.status == 200 ? 0 : 1;
}

/* ---- every byte ----------------------------------------------------------------------------- */

static int flip_bytes(const struct options *o)
{
    unsigned by_status[600] = {0};
    unsigned to = o->flip_to;
    struct answer a;

    if (to == 0) {
        uint8_t *raw = NULL;
        size_t size = 0;
        const uint8_t zeros[64] = {0};

        make_quote(o, zeros, &raw, &size);
        free(raw);
        to = (unsigned)size;
    }
    for (unsigned at = o->flip_from; at < to; at += o->flip_step) {
        ask(o, o->session, (long)at, &a);
        free(a.text);
        by_status[a.status >= 0 && a.status < 600 ? a.status : 0]++;
        if (a.status == 200) {
            printf("accepted with byte %u inverted\n", at);
        }
    }
    for (unsigned i = 0; i < 600; i++) {
        if (by_status[i] > 0) {
            printf("%u %u\n", i, by_status[i]);
        }
    }
    return by_status[200] == 0 ? 0 : 1;
}

/* ---- load ----------------------------------------------------------------------------------- */

struct client {
    const struct options *o;
    pthread_t thread;
    unsigned number;
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
    const struct options *o = c->o;
    const char *mark = strchr(o->session, '%');
    unsigned number;

    while ((number = __atomic_fetch_add(&g_next, 1, __ATOMIC_RELAXED)) < o->count) {
        char session[600];
        struct answer a;
        double start;

        if (mark != NULL) {
            /* Spread over all of them, not one after the other. */
            (void)snprintf(session, sizeof(session), "%.*s%u%s", (int)(mark - o->session),
                           o->session, (unsigned)((number * 7919ull) % o->sessions), mark + 1);
        } else {
            (void)snprintf(session, sizeof(session), "%s", o->session);
        }
        start = now_us();
        ask(o, session, -1, &a);
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

static int load(const struct options *o)
{
    static struct client clients[CLIENTS_MAX];
    double *all = calloc(o->count, sizeof(*all));
    unsigned done = 0;
    unsigned good = 0;
    unsigned busy = 0;
    double start = now_us();
    double took;

    if (all == NULL) {
        fail("out of memory");
    }
    for (unsigned i = 0; i < o->clients; i++) {
        clients[i] = (struct client){.o = o, .number = i};
        clients[i].micros = calloc(o->count, sizeof(double));
        if (clients[i].micros == NULL ||
            pthread_create(&clients[i].thread, NULL, load_client, &clients[i]) != 0) {
            fail("cannot start a thread");
        }
    }
    for (unsigned i = 0; i < o->clients; i++) {
        (void)pthread_join(clients[i].thread, NULL);
        memcpy(all + done, clients[i].micros, clients[i].done * sizeof(double));
        done += clients[i].done;
        good += clients[i].good;
        busy += clients[i].busy;
        free(clients[i].micros);
    }
    took = now_us() - start;
    qsort(all, done, sizeof(*all), by_size);
    printf("{\"requests\": %u, \"provisioned\": %u, \"busy\": %u, \"per_second\": %.1f, "
           "\"p50_us\": %.0f, \"p99_us\": %.0f}\n",
           done, good, busy, done / (took / 1e6), all[done / 2], all[done * 99ul / 100]);
    free(all);
    return good == done ? 0 : 1;
}

/* ---- start ---------------------------------------------------------------------------------- */

static void parse_hex(const char *text, uint8_t ret[static 32])
{
    if (hex_decode(ret, 32, text, strlen(text)) < 0) {
        fail("a measurement has 64 hex digits");
    }
}

static unsigned parse_number(const char *text)
{
    uint64_t n;

    if (args_parse_u64(text, &n) < 0 || n > UINT16_MAX) {
        fail("a number is not one");
    }
    return (unsigned)n;
}

static int take_option(struct options *o, const char *name, const char *value)
{
    if (strcmp(name, "--none") == 0) {
        o->none = true;
        return 1;
    }
    if (strcmp(name, "--ask") == 0) {
        o->ask = true;
        return 1;
    }
    if (strcmp(name, "--debug") == 0) {
        o->body.attributes.flags |= SGX_FLAGS_DEBUG;
        return 1;
    }
    if (value == NULL) {
        fail("an option lacks its value");
    }
    if (strcmp(name, "--bind") == 0) {
        o->bind = value;
    } else if (strcmp(name, "--mrenclave") == 0) {
        parse_hex(value, o->body.mrenclave);
    } else if (strcmp(name, "--mrsigner") == 0) {
        parse_hex(value, o->body.mrsigner);
    } else if (strcmp(name, "--isvprodid") == 0) {
        o->body.isv_prod_id = (uint16_t)parse_number(value);
    } else if (strcmp(name, "--isvsvn") == 0) {
        o->body.isv_svn = (uint16_t)parse_number(value);
    } else if (strcmp(name, "--sessions") == 0) {
        o->sessions = parse_number(value);
    } else if (strcmp(name, "--flip") == 0 &&
               sscanf(value, "%u:%u:%u", &o->flip_from, &o->flip_to, &o->flip_step) == 3 &&
               o->flip_step > 0) {
        o->flip = true;
    } else if (strcmp(name, "--load") != 0 || sscanf(value, "%u:%u", &o->clients, &o->count) != 2 ||
               o->clients == 0 || o->clients > CLIENTS_MAX || o->count == 0) {
        fail("an option is unknown or has a bad value");
    }
    return 2;
}

int main(int argc, char **argv)
{
    struct options o = {
        .sessions = 1,
        .body =
            {
                .attributes = {.flags = SGX_FLAGS_INIT | SGX_FLAGS_MODE64BIT, .xfrm = 3},
                .isv_prod_id = 1,
                .isv_svn = 2,
            },
    };

    if (argc < 4) {
        fail("usage: provclient PORT SESSION SERVICE [OPTIONS]");
    }
    (void)signal(SIGPIPE, SIG_IGN);
    o.port = (uint16_t)parse_number(argv[1]);
    o.session = argv[2];
    o.service = argv[3];
    memset(o.body.mrenclave, 0x11, sizeof(o.body.mrenclave));
    memset(o.body.mrsigner, 0x22, sizeof(o.body.mrsigner));
    for (int i = 4; i < argc;) {
        i += take_option(&o, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
    }
    g_tls = SSL_CTX_new(TLS_client_method());
    if (g_tls == NULL || SSL_CTX_set_min_proto_version(g_tls, TLS1_3_VERSION) != 1) {
        fail("no TLS");
    }
    if (o.flip) {
        return flip_bytes(&o);
    }
    return o.count > 0 ? load(&o) : once(&o);
}
