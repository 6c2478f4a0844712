/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * memcached with four threads. The client is ours: 32 connections, each sends its next request when
 * it has the whole answer to the last, ten gets to one set of 100 bytes.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bench/service.h"

#define CONNECTIONS 32u
#define REQUESTS    60000u
#define VALUE_SIZE  100u
#define GETS_A_SET  10u

#define STORED_SIZE (sizeof("STORED\r\n") - 1) /* the answer to a set */

struct connection {
    int fd;
    uint64_t sent;
    size_t expected; /* bytes of the answer under way */
    size_t got;
};

struct client {
    struct connection at[CONNECTIONS];
    struct pollfd poll[CONNECTIONS];
    char set[VALUE_SIZE + 64];
    size_t set_size;
    size_t value_answer; /* bytes of the answer to a get */
};

static const char g_get[] = "get bench\r\n";

static void client_close(struct client *c)
{
    for (size_t i = 0; i < CONNECTIONS; i++) {
        closep(&c->at[i].fd);
    }
}
#define _cleanup_client_ _cleanup_(client_close)

static int send_next(struct client *c, struct connection *at, struct error **err)
{
    const bool set = at->sent % (GETS_A_SET + 1) == 0;
    const char *text = set ? c->set : g_get;
    const size_t size = set ? c->set_size : sizeof(g_get) - 1;

    at->sent++;
    at->got = 0;
    at->expected = set ? STORED_SIZE : c->value_answer;
    return send(at->fd, text, size, MSG_NOSIGNAL) == (ssize_t)size
               ? 0
               : error_set_errno(err, errno, "sending to memcached");
}

static int client_connect(struct client *c, uint16_t port, struct error **err)
{
    const struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char value[VALUE_SIZE + 1];
    const int on = 1;

    memset(value, 'v', VALUE_SIZE);
    value[VALUE_SIZE] = '\0';
    c->set_size =
        (size_t)snprintf(c->set, sizeof(c->set), "set bench 0 0 %u\r\n%s\r\n", VALUE_SIZE, value);
    c->value_answer = strlen("VALUE bench 0 100\r\n") + VALUE_SIZE + strlen("\r\nEND\r\n");
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *at = &c->at[i];

        at->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (at->fd < 0 || connect(at->fd, (const struct sockaddr *)&a, sizeof(a)) < 0) {
            return error_set_errno(err, errno, "connecting to memcached");
        }
        (void)setsockopt(at->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        c->poll[i] = (struct pollfd){.fd = at->fd, .events = POLLIN};
    }
    return 0;
}

/* Reads what is there; *ret_done counts answers that are complete. */
static int take(struct client *c, struct connection *at, uint64_t *ret_done, struct error **err)
{
    char buf[512];
    const ssize_t n = recv(at->fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n <= 0 || at->got + (size_t)n > at->expected) {
        return error_set(err, EIO, "memcached's answer is not what was stored");
    }
    at->got += (size_t)n;
    if (at->got < at->expected) {
        return 0;
    }
    (*ret_done)++;
    return send_next(c, at, err);
}

static int load(const struct bench_service *s, double *ret_ops, double *ret_ns, struct error **err)
{
    _cleanup_client_ struct client c = {};
    uint64_t done = 0;
    int r;

    for (size_t i = 0; i < CONNECTIONS; i++) {
        c.at[i].fd = -1;
    }
    r = client_connect(&c, s->port, err);
    const double start = bench_now_ns();

    for (size_t i = 0; i < CONNECTIONS && r == 0; i++) {
        r = send_next(&c, &c.at[i], err);
    }
    while (r == 0 && done < REQUESTS) {
        if (poll(c.poll, CONNECTIONS, 10000) <= 0) {
            return error_set(err, ETIMEDOUT, "memcached answers nothing for 10 s");
        }
        for (size_t i = 0; i < CONNECTIONS && r == 0; i++) {
            if (c.poll[i].revents != 0) {
                r = take(&c, &c.at[i], &done, err);
            }
        }
    }
    *ret_ops = (double)done;
    *ret_ns = bench_now_ns() - start;
    return r;
}

const struct bench_row bench_row_memcached = {
    .id = "memcached",
    .unit = "op/s",
    .work = "memcached -t 4: ten gets to a set of 100 bytes, 32 connections",
    .arg =
        &(const struct bench_service_plan){
            .argv = {"memcached", "-u", "root", "-l", "127.0.0.1", "-p", BENCH_PORT, "-t", "4"},
            .load = load,
        },
    BENCH_SERVICE,
};
