/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <jansson.h>
#include <string.h>

#include "base/fs.h"
#include "bench/bench.h"

void bench_print_head(FILE *out)
{
    fprintf(out, "%-20s %6s %12s %12s %8s %8s %10s %10s  %s\n", "id", "unit", "native", "nacre",
            "ratio", "exits/op", "cpu us/op", "native cpu", "bar");
}

static void format_bar(const struct bench_result *r, char *dst, size_t size)
{
    static const char *const forms[] = {
        [BENCH_BAR_MAX] = "<= %g",
        [BENCH_BAR_MIN] = ">= %g",
        [BENCH_BAR_NATIVE_PLUS] = "<= native + %g",
        [BENCH_BAR_RATIO_MAX] = "ratio <= %g",
        [BENCH_BAR_RATIO_MIN] = "ratio >= %g",
    };
    char bar[64];

    if (!r->has_bar) {
        dst[0] = '\0';
        return;
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(bar, sizeof(bar), forms[r->row->bar], r->row->bar_value);
#pragma GCC diagnostic pop
    if (r->row->exits_max > 0) {
        const size_t n = strlen(bar);

        (void)snprintf(bar + n, sizeof(bar) - n, ", exits <= %g", r->row->exits_max);
    }
    (void)snprintf(dst, size, "%s %s", bar, r->bar_met ? "ok" : "MISSED");
}

static void format_number(char *dst, size_t size, double v)
{
    (void)snprintf(dst, size, v < 10 ? "%.3f" : v < 1000 ? "%.1f" : "%.0f", v);
}

void bench_print(FILE *out, const struct bench_result *r)
{
    char native[32] = "-";
    char ratio[32] = "-";
    char nacre[32];
    char cpu[32];
    char native_cpu[32] = "-";
    char bar[96];

    if (r->skipped) {
        fprintf(out, "%-20s skipped: %s\n", r->row->id, r->reason);
        return;
    }
    if (r->has_native) {
        format_number(native, sizeof(native), r->native);
        format_number(native_cpu, sizeof(native_cpu), r->native_cpu_us);
        (void)snprintf(ratio, sizeof(ratio), "%.2f", r->ratio);
    }
    format_number(nacre, sizeof(nacre), r->nacre);
    format_number(cpu, sizeof(cpu), r->cpu_us);
    format_bar(r, bar, sizeof(bar));
    fprintf(out, "%-20s %6s %12s %12s %8s %8.2f %10s %10s  %s\n", r->row->id, r->row->unit, native,
            nacre, ratio, r->exits, cpu, native_cpu, bar);
    fflush(out);
}

static json_t *to_json(const struct bench_result *r)
{
    json_t *o = json_pack("{s:s, s:s}", "id", r->row->id, "unit", r->row->unit);

    if (o == NULL) {
        return NULL;
    }
    (void)json_object_set_new(o, "native", r->has_native ? json_real(r->native) : json_null());
    (void)json_object_set_new(o, "nacre", json_real(r->nacre));
    (void)json_object_set_new(o, "ratio", r->has_native ? json_real(r->ratio) : json_null());
    (void)json_object_set_new(o, "exits_per_op", json_real(r->exits));
    (void)json_object_set_new(o, "cpu_us_per_op", json_real(r->cpu_us));
    (void)json_object_set_new(o, "n", json_integer((json_int_t)r->n));
    return o;
}

int bench_write_json(const char *path, const struct bench_result *results, size_t count,
                     struct error **err)
{
    json_t *list = json_array();
    char *text;
    int r;

    for (size_t i = 0; i < count; i++) {
        if (!results[i].skipped) {
            (void)json_array_append_new(list, to_json(&results[i]));
        }
    }
    text = json_dumps(list, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(list);
    if (text == NULL) {
        return error_set(err, ENOMEM, "writing %s", path);
    }
    r = fs_write_file_atomic(path, text, strlen(text), 0644, err);
    free(text);
    return r;
}
