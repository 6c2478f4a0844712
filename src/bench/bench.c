/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "bench/bench.h"

#include <stdlib.h>
#include <string.h>

static const struct bench_row *const rows[] = {
#define X(name) &bench_row_##name,
#include "bench/rows.tbl.h"
#undef X
};

size_t bench_row_count(void)
{
    return ARRAY_COUNT(rows);
}

const struct bench_row *bench_row_at(size_t i)
{
    return rows[i];
}

const struct bench_row *bench_row_find(const char *id)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (strcmp(rows[i]->id, id) == 0) {
            return rows[i];
        }
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(values[0]), by_value);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static bool bar_met(const struct bench_row *row, const struct bench_result *r)
{
    if (row->exits_max > 0 && r->exits > row->exits_max) {
        return false;
    }
    switch (row->bar) {
    case BENCH_BAR_MAX: return r->nacre <= row->bar_value;
    case BENCH_BAR_MIN: return r->nacre >= row->bar_value;
    case BENCH_BAR_NATIVE_PLUS: return r->nacre <= r->native + row->bar_value;
    case BENCH_BAR_RATIO_MAX: return r->ratio <= row->bar_value;
    case BENCH_BAR_RATIO_MIN: return r->ratio >= row->bar_value;
    default: return true;
    }
}

/* The batches of a row: native and nacre in turn, so that a slow spell of the machine hits both. */
static int run_rounds(const struct bench_row *row, const struct bench_context *c, void *state,
                      unsigned rounds, struct bench_result *ret, struct error **err)
{
    double native[BENCH_ROUNDS_MAX];
    double nacre[BENCH_ROUNDS_MAX];
    double cpu[BENCH_ROUNDS_MAX];
    double native_cpu[BENCH_ROUNDS_MAX];
    double exits[BENCH_ROUNDS_MAX];

    for (unsigned i = 0; i < rounds; i++) {
        struct bench_sample a = {};
        struct bench_sample b = {};
        int r = row->native != NULL ? row->native(c, state, &a, err) : 0;

        if (r == 0) {
            r = row->nacre(c, state, &b, err);
        }
        if (r < 0) {
            return r;
        }
        native[i] = a.value;
        nacre[i] = b.value;
        cpu[i] = b.cpu_us;
        native_cpu[i] = a.cpu_us;
        exits[i] = b.exits;
        ret->n += b.n;
    }
    ret->has_native = row->native != NULL;
    ret->native = median(native, rounds);
    ret->nacre = median(nacre, rounds);
    ret->cpu_us = median(cpu, rounds);
    ret->native_cpu_us = median(native_cpu, rounds);
    ret->exits = median(exits, rounds);
    ret->ratio = ret->has_native && ret->native > 0 ? ret->nacre / ret->native : 0;
    ret->has_bar = row->bar != BENCH_BAR_NONE;
    ret->bar_met = bar_met(row, ret);
    return 0;
}

int bench_run(const struct bench_row *row, const struct bench_context *run, unsigned rounds,
              struct bench_result *ret, struct error **err)
{
    struct bench_context context = *run;
    const struct bench_context *c = &context;
    void *state = NULL;
    int r = 0;

    context.row = row;
    *ret = (struct bench_result){.row = row};
    if (rounds < BENCH_ROUNDS_MIN || rounds > BENCH_ROUNDS_MAX) {
        return error_set(err, EINVAL, "%u rounds: use %u to %u", rounds, BENCH_ROUNDS_MIN,
                         BENCH_ROUNDS_MAX);
    }
    if (row->setup != NULL) {
        _cleanup_error_ struct error *why = NULL;

        r = row->setup(c, &state, &why);
        if (r == -EOPNOTSUPP) {
            ret->skipped = true;
            (void)snprintf(ret->reason, sizeof(ret->reason), "%s", error_text(why));
            return 0;
        }
        if (r < 0) {
            return error_set(err, -r, "%s: %s", row->id, error_text(why));
        }
    }
    r = run_rounds(row, c, state, rounds, ret, err);
    if (row->teardown != NULL) {
        row->teardown(state);
    }
    if (r < 0) {
        error_wrap(err, "%s", row->id);
    }
    return r;
}
