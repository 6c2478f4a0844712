/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/sealed_args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/hex.h"

#define KEY_FILE_MAX 128u

int sealed_read_key(const char *path, struct secret **ret, struct error **err)
{
    _cleanup_secret_ struct secret *file = NULL;
    _cleanup_secret_ struct secret *key = NULL;
    size_t size;
    int r = secret_read_file(path, KEY_FILE_MAX, &file, err);

    if (r < 0) {
        return r;
    }
    r = secret_new(SEALED_KEY_SIZE, &key);
    if (r < 0) {
        return error_set_errno(err, -r, "reading the key");
    }
    size = file->size;
    if (size == SEALED_KEY_SIZE) {
        memcpy(key->data, file->data, SEALED_KEY_SIZE);
        *ret = TAKE_PTR(key);
        return 0;
    }
    while (size > 0 && (file->data[size - 1] == '\n' || file->data[size - 1] == '\r')) {
        size--;
    }
    if (hex_decode(key->data, SEALED_KEY_SIZE, (const char *)file->data, size) < 0) {
        return error_set(err, EINVAL, "%s is no key: 64 hexadecimal digits or 32 bytes are wanted",
                         path);
    }
    *ret = TAKE_PTR(key);
    return 0;
}

int sealed_parse_hex32(const char *option, const char *text, uint8_t ret[static SEALED_HASH_SIZE],
                       struct error **err)
{
    if (hex_decode(ret, SEALED_HASH_SIZE, text, strlen(text)) < 0) {
        return error_set(err, EINVAL, "%s wants 64 hexadecimal digits", option);
    }
    return 0;
}

int sealed_exit(int r)
{
    switch (r) {
    case -EBADMSG:
    case -EKEYREJECTED:
    case -EUCLEAN: return CLI_REFUSED;
    case -EPROTONOSUPPORT: return CLI_UNSUPPORTED;
    default: return CLI_FAILED;
    }
}

const char *format_bytes(uint64_t bytes, char *dst, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double v = (double)bytes;
    size_t u = 0;

    while (v >= 1024 && u + 1 < ARRAY_COUNT(units)) {
        v /= 1024;
        u++;
    }
    (void)snprintf(dst, size, u == 0 ? "%.0f %s" : "%.1f %s", v, units[u]);
    return dst;
}

static double now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void progress_start(struct progress_line *p, const char *what, uint64_t total)
{
    *p = (struct progress_line){
        .what = what, .total = total, .started = now(), .on = isatty(STDERR_FILENO) == 1};
}

static void draw(struct progress_line *p, double t)
{
    const double elapsed = t - p->started;
    const double rate = elapsed > 0 ? (double)p->done / elapsed : 0;
    const uint64_t left = p->total - MIN(p->done, p->total);
    char done[24];
    char total[24];
    char speed[24];

    fprintf(stderr, "\r\033[K%s: %s of %s (%u %%), %s/s, %.0f s left", p->what,
            format_bytes(p->done, done, sizeof(done)), format_bytes(p->total, total, sizeof(total)),
            p->total == 0 ? 100u : (unsigned)(100 * MIN(p->done, p->total) / p->total),
            format_bytes((uint64_t)rate, speed, sizeof(speed)), rate > 0 ? (double)left / rate : 0);
    fflush(stderr);
    p->drawn = t;
}

static void report(void *ctx, uint64_t bytes)
{
    struct progress_line *p = ctx;
    double t;

    p->done += bytes;
    if (p->on && (t = now()) - p->drawn > 0.1) {
        draw(p, t);
    }
}

struct img_progress progress_hook(struct progress_line *p)
{
    return (struct img_progress){.report = report, .ctx = p};
}

void progress_end(struct progress_line *p)
{
    if (p->on) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
    }
}
