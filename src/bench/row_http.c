/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* A small HTTP server in three languages' own libraries, under wrk. The run before the measured one
 * lets their compilers do their work; its exits count like the others. */
#include <stdlib.h>

#include "base/alloc.h"
#include "bench/bench.h"

/* As in py-start: one that lies in PATH may be a script which looks for another. */
#define PYTHON "/usr/bin/python3"

struct server {
    struct bench_service service;
    char *file; /* NULL or malloc'd */
};

static const char g_node[] =
    "require('http').createServer((q, a) => a.end('hello\\n')).listen(+process.argv[1], "
    "'127.0.0.1')";
static const char g_python[] = "import sys, http.server\n"
                               "class Handler(http.server.BaseHTTPRequestHandler):\n"
                               "    protocol_version = 'HTTP/1.1'\n"
                               "    def log_message(self, *args): pass\n"
                               "    def do_GET(self):\n"
                               "        self.send_response(200)\n"
                               "        self.send_header('Content-Length', '6')\n"
                               "        self.end_headers()\n"
                               "        self.wfile.write(b'hello\\n')\n"
                               "class Server(http.server.ThreadingHTTPServer):\n"
                               "    request_queue_size = 128\n"
                               "Handler.wbufsize = 4096\n"
                               "Server(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n";

static void teardown(void *state)
{
    struct server *s = state;

    free(s->file);
    free(s);
}

static int finish(const struct bench_context *c, struct server *s, void **ret, struct error **err)
{
    s->service.client = "wrk";
    s->service.load = bench_wrk;
    s->service.warm_up = bench_wrk;
    s->service.arg = "/";
    int r = bench_service_prepare(c, &s->service, err);

    if (r < 0) {
        teardown(s);
        return r;
    }
    *ret = s;
    return 0;
}

static struct server *server_new(struct error **err)
{
    struct server *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        (void)error_set(err, ENOMEM, "out of memory");
    }
    return s;
}

static int setup_node(const struct bench_context *c, void **ret, struct error **err)
{
    struct server *s = server_new(err);

    if (s == NULL) {
        return -ENOMEM;
    }
    s->service = (struct bench_service){.argv = {"node", "-e", g_node, BENCH_PORT}};
    return finish(c, s, ret, err);
}

static int setup_python(const struct bench_context *c, void **ret, struct error **err)
{
    struct server *s = server_new(err);

    if (s == NULL) {
        return -ENOMEM;
    }
    s->service = (struct bench_service){.argv = {PYTHON, "-c", g_python, BENCH_PORT}};
    return finish(c, s, ret, err);
}

static int setup_java(const struct bench_context *c, void **ret, struct error **err)
{
    struct server *s = server_new(err);
    int r = s == NULL ? -ENOMEM : bench_built_file(c, "../bench/bench_http.java", &s->file, err);

    if (r == 0) {
        r = bench_need_exec(c, s->file, err);
    }
    if (r < 0) {
        if (s != NULL) {
            teardown(s);
        }
        return r;
    }
    s->service = (struct bench_service){
        .argv = {"java", "-Xmx256m", "-Dsun.net.httpserver.nodelay=true", s->file, BENCH_PORT}};
    return finish(c, s, ret, err);
}

static int native(const struct bench_context *c, void *state, struct bench_sample *ret,
                  struct error **err)
{
    struct server *s = state;

    return bench_service_run(c, &s->service, /*inside=*/false, ret, err);
}

static int nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                 struct error **err)
{
    struct server *s = state;

    return bench_service_run(c, &s->service, /*inside=*/true, ret, err);
}

extern const struct bench_row bench_row_node_http;
const struct bench_row bench_row_node_http = {
    .id = "node-http",
    .unit = "req/s",
    .work = "node: its http module, keep-alive, 16 connections of wrk",
    .setup = setup_node,
    .native = native,
    .nacre = nacre,
    .teardown = teardown,
};

extern const struct bench_row bench_row_python_http;
const struct bench_row bench_row_python_http = {
    .id = "python-http",
    .unit = "req/s",
    .work = "python: ThreadingHTTPServer, keep-alive, 16 connections of wrk",
    .setup = setup_python,
    .native = native,
    .nacre = nacre,
    .teardown = teardown,
};

extern const struct bench_row bench_row_java_http;
const struct bench_row bench_row_java_http = {
    .id = "java-http",
    .unit = "req/s",
    .work = "java: com.sun.net.httpserver, 4 threads, keep-alive, 16 connections of wrk",
    .setup = setup_java,
    .native = native,
    .nacre = nacre,
    .teardown = teardown,
};
