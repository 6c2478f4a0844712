/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* A small HTTP server in three languages' own libraries, under wrk. The run before the measured one
 * lets their compilers do their work; its exits count like the others. */
#include "bench/service.h"

/* As in py-start: one that lies in PATH may be a script which looks for another. */
#define PYTHON "/usr/bin/python3"

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

#define HTTP_ROW(name, row_id, text, ...)                           \
    const struct bench_row bench_row_##name = {                     \
        .id = (row_id),                                             \
        .unit = "req/s",                                            \
        .work = (text),                                             \
        .arg =                                                      \
            &(const struct bench_service_plan){                     \
                .argv = {__VA_ARGS__},                              \
                .client = "wrk",                                    \
                .load = bench_wrk,                                  \
                .warm_up = bench_wrk,                               \
                .load_arg = &(const struct bench_wrk_arg){"/", 16}, \
            },                                                      \
        BENCH_SERVICE,                                              \
    }

HTTP_ROW(node_http, "node-http", "node: its http module, keep-alive, 16 connections of wrk", "node",
         "-e", g_node, BENCH_PORT);
HTTP_ROW(python_http, "python-http",
         "python: ThreadingHTTPServer, keep-alive, 16 connections of wrk", PYTHON, "-c", g_python,
         BENCH_PORT);
HTTP_ROW(java_http, "java-http",
         "java: com.sun.net.httpserver, 4 threads, keep-alive, 16 connections of wrk", "java",
         "-Xmx256m", "-Dsun.net.httpserver.nodelay=true", BENCH_BUILT "../bench/bench_http.java",
         BENCH_PORT);
