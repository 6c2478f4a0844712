/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* nginx serving static files to wrk over kept connections. One process, as one worker is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "bench/service.h"

static const struct {
    const char *name;
    size_t size;
} g_files[] = {{"1k", 1024}, {"10k", 10240}, {"1m", 1 << 20}};

#define LARGEST (1 << 20)

/* Debian's settings, with keep-alive that outlasts the load. */
static const char g_conf[] =
    "daemon off; master_process off; error_log /dev/null; pid %s/pid;\n"
    "events { worker_connections 768; }\n"
    "http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;\n"
    "client_body_temp_path %s/t1; proxy_temp_path %s/t2; fastcgi_temp_path %s/t3;\n"
    "uwsgi_temp_path %s/t4; scgi_temp_path %s/t5;\n"
    "server { listen 127.0.0.1:%u; root %s; } }\n";

static int write_in(const char *dir, const char *name, const void *data, size_t size,
                    struct error **err)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        path = NULL;
        return error_set(err, ENOMEM, "out of memory");
    }
    return fs_write_file_atomic(path, data, size, 0644, err);
}

static int fill(const struct bench_service *s, struct error **err)
{
    _cleanup_free_ uint8_t *content = calloc(1, LARGEST);
    _cleanup_free_ char *conf = NULL;
    const char *d = s->dir;
    int r;

    if (asprintf(&conf, g_conf, d, d, d, d, d, d, s->port, d) < 0) {
        conf = NULL;
    }
    if (content == NULL || conf == NULL) {
        return error_set(err, ENOMEM, "out of memory");
    }
    r = write_in(d, "nginx.conf", conf, strlen(conf), err);
    for (size_t i = 0; r == 0 && i < ARRAY_COUNT(g_files); i++) {
        r = write_in(d, g_files[i].name, content, g_files[i].size, err);
    }
    return r;
}

#define NGINX_ROW(name, row_id, limit, file, text)                     \
    const struct bench_row bench_row_##name = {                        \
        .id = (row_id),                                                \
        .unit = "req/s",                                               \
        .work = (text),                                                \
        .bar = BENCH_BAR_RATIO_MIN,                                    \
        .bar_value = 0.90,                                             \
        .exits_max = (limit),                                          \
        .arg =                                                         \
            &(const struct bench_service_plan){                        \
                .argv = {"nginx", "-c", BENCH_DIR "nginx.conf"},       \
                .client = "wrk",                                       \
                .load = bench_wrk,                                     \
                .load_arg = &(const struct bench_wrk_arg){(file), 16}, \
                .fill = fill,                                          \
            },                                                         \
        BENCH_SERVICE,                                                 \
    }

NGINX_ROW(nginx_1k, "nginx-1k", 4, "/1k",
          "nginx: a static file of 1 KiB, keep-alive, 16 connections of wrk");
NGINX_ROW(nginx_10k, "nginx-10k", 4, "/10k",
          "nginx: a static file of 10 KiB, keep-alive, 16 connections of wrk");
NGINX_ROW(nginx_1m, "nginx-1m", 0, "/1m",
          "nginx: a static file of 1 MiB, keep-alive, 16 connections of wrk");
