/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* nginx serving static files to wrk over kept connections. One process, as one worker is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "bench/bench.h"

#define DIR_MAX 256

struct site {
    struct bench_service service; /* first: the rows' functions take it */
    char dir[DIR_MAX];
    char conf[DIR_MAX + 16];
};

static const char *const g_names[] = {"1k", "10k", "1m"};
static const size_t g_sizes[] = {1024, 10240, 1 << 20};

/* Debian's settings, with keep-alive that outlasts the load. */
static const char g_conf[] =
    "daemon off; master_process off; error_log /dev/null; pid %s/pid;\n"
    "events { worker_connections 768; }\n"
    "http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;\n"
    "client_body_temp_path %s/t1; proxy_temp_path %s/t2; fastcgi_temp_path %s/t3;\n"
    "uwsgi_temp_path %s/t4; scgi_temp_path %s/t5;\n"
    "server { listen 127.0.0.1:%u; root %s; } }\n";

static void remove_site(struct site *s)
{
    char path[DIR_MAX + 16];

    if (s->dir[0] == '\0') {
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(g_names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", s->dir, g_names[i]);
        (void)unlink(path);
    }
    for (int i = 1; i <= 5; i++) {
        (void)snprintf(path, sizeof(path), "%s/t%d", s->dir, i);
        (void)rmdir(path);
    }
    (void)unlink(s->conf);
    (void)snprintf(path, sizeof(path), "%s/pid", s->dir);
    (void)unlink(path);
    (void)rmdir(s->dir);
}

static void teardown(void *state)
{
    remove_site(state);
    free(state);
}

static int write_conf(struct site *s, uint16_t port, struct error **err)
{
    _cleanup_free_ char *text = NULL;
    const char *d = s->dir;

    if (asprintf(&text, g_conf, d, d, d, d, d, d, port, d) < 0) {
        text = NULL;
        return error_set(err, ENOMEM, "out of memory");
    }
    return fs_write_file_atomic(s->conf, text, strlen(text), 0644, err);
}

static int make_site(const struct bench_context *c, struct site *s, struct error **err)
{
    _cleanup_free_ uint8_t *content = calloc(1, g_sizes[ARRAY_COUNT(g_sizes) - 1]);

    /* Not under /tmp, which the enclave has for itself. */
    if (content == NULL ||
        snprintf(s->dir, sizeof(s->dir), "%s/../bench/nginx-XXXXXX", c->bin_dir) >= DIR_MAX) {
        s->dir[0] = '\0';
        return error_set(err, ENAMETOOLONG, "making files for nginx");
    }
    if (mkdtemp(s->dir) == NULL) {
        const int e = errno;

        s->dir[0] = '\0';
        return error_set(err, EOPNOTSUPP, "needs a build directory it can write to (%s)",
                         strerror(e));
    }
    (void)chmod(s->dir, 0755);
    (void)snprintf(s->conf, sizeof(s->conf), "%s/nginx.conf", s->dir);
    for (size_t i = 0; i < ARRAY_COUNT(g_names); i++) {
        char path[DIR_MAX + 16];

        (void)snprintf(path, sizeof(path), "%s/%s", s->dir, g_names[i]);
        int r = fs_write_file_atomic(path, content, g_sizes[i], 0644, err);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int setup(const struct bench_context *c, const char *path, void **ret, struct error **err)
{
    _cleanup_free_ struct site *s = calloc(1, sizeof(*s));
    int r;

    if (s == NULL) {
        return error_set(err, ENOMEM, "out of memory");
    }
    r = make_site(c, s, err);
    s->service = (struct bench_service){
        .argv = {"nginx", "-c", s->conf},
        .client = "wrk",
        .load = bench_wrk,
        .arg = path,
    };
    if (r == 0) {
        r = bench_service_port(&s->service, err);
    }
    if (r == 0) {
        r = write_conf(s, s->service.port, err);
    }
    if (r == 0) {
        r = bench_service_prepare(c, &s->service, err);
    }
    if (r < 0) {
        remove_site(s);
        return r;
    }
    *ret = TAKE_PTR(s);
    return 0;
}

static int setup_1k(const struct bench_context *c, void **ret, struct error **err)
{
    return setup(c, "/1k", ret, err);
}

static int setup_10k(const struct bench_context *c, void **ret, struct error **err)
{
    return setup(c, "/10k", ret, err);
}

static int setup_1m(const struct bench_context *c, void **ret, struct error **err)
{
    return setup(c, "/1m", ret, err);
}

static int native(const struct bench_context *c, void *state, struct bench_sample *ret,
                  struct error **err)
{
    struct site *s = state;

    return bench_service_run(c, &s->service, /*inside=*/false, ret, err);
}

static int nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                 struct error **err)
{
    struct site *s = state;

    return bench_service_run(c, &s->service, /*inside=*/true, ret, err);
}

extern const struct bench_row bench_row_nginx_1k;
const struct bench_row bench_row_nginx_1k = {
    .id = "nginx-1k",
    .unit = "req/s",
    .work = "nginx: a static file of 1 KiB, keep-alive, 16 connections of wrk",
    .bar = BENCH_BAR_RATIO_MIN,
    .bar_value = 0.90,
    .exits_max = 4,
    .setup = setup_1k,
    .native = native,
    .nacre = nacre,
    .teardown = teardown,
};

extern const struct bench_row bench_row_nginx_10k;
const struct bench_row bench_row_nginx_10k = {
    .id = "nginx-10k",
    .unit = "req/s",
    .work = "nginx: a static file of 10 KiB, keep-alive, 16 connections of wrk",
    .bar = BENCH_BAR_RATIO_MIN,
    .bar_value = 0.90,
    .exits_max = 4,
    .setup = setup_10k,
    .native = native,
    .nacre = nacre,
    .teardown = teardown,
};

extern const struct bench_row bench_row_nginx_1m;
const struct bench_row bench_row_nginx_1m = {
    .id = "nginx-1m",
    .unit = "req/s",
    .work = "nginx: a static file of 1 MiB, keep-alive, 16 connections of wrk",
    .bar = BENCH_BAR_RATIO_MIN,
    .bar_value = 0.90,
    .setup = setup_1m,
    .native = native,
    .nacre = nacre,
    .teardown = teardown,
};
