/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The members of a family count for themselves; at its end each tells the owner, which prints once
 * for all. A process the host kills tells nothing.
 */
#include "libos/sys/report.h"

#include "libos/family/rpc.h"
#include "libos/lib/sync.h"
#include "libos/mm/kmem.h"

#define LISTED_MAX 256u /* processes; all others are in the totals only */
#define PAIRS_MAX  (SYSCALL_MAX + HOSTCALL_MAX + 1u)

/* Behind the head: counters that are not zero. */
struct pair {
    uint32_t number; /* KIND_* | number */
    uint64_t count;
} _packed_;
#define KIND_MISSING  0x00000u
#define KIND_HOSTCALL 0x10000u
#define KIND_UNKNOWN  0x20000u
#define KIND_MASK     0xf0000u
_Static_assert(sizeof(struct pair) * PAIRS_MAX == 8076, "family/ops.tbl.h says so");

static struct {
    struct mutex lock;
    struct report_head sum;
    struct report_counts counts;
    struct report_head *listed; /* LISTED_MAX; made with the first */
    size_t count;
} g_members;

static const bool g_summed[REPORT_VALUES] = {
#define X(name, summed, description) summed,
#include "libos/sys/report_values.tbl.h"
#undef X
};

static void add_head(struct report_head *to, const struct report_head *from)
{
    for (size_t i = 0; i < REPORT_VALUES; i++) {
        to->values[i] += g_summed[i] ? from->values[i] : 0;
    }
    to->refused += from->refused;
    to->missing += from->missing;
}

/* False: no counter has this number. */
static bool add_pair(struct report_counts *c, const struct pair *p)
{
    const uint32_t number = p->number & ~KIND_MASK;

    switch (p->number & KIND_MASK) {
    case KIND_MISSING:
        if (number < SYSCALL_MAX) {
            c->missing[number] += p->count;
        }
        return number < SYSCALL_MAX;
    case KIND_HOSTCALL:
        if (number < HOSTCALL_MAX) {
            c->hostcalls[number] += p->count;
        }
        return number < HOSTCALL_MAX;
    case KIND_UNKNOWN: c->unknown += p->count; return number == 0;
    default: return false;
    }
}

static int64_t serve_report(struct family_request *q)
{
    struct report_head head;
    struct pair pair;
    int64_t r = 0;

    if (cursor_copy(&q->body, &head, sizeof(head)) < 0) {
        return -EBADMSG;
    }
    head.comm[PIDS_COMM - 1] = '\0';
    mutex_lock(&g_members.lock);
    if (g_members.listed == NULL) {
        g_members.listed = kzalloc(LISTED_MAX * sizeof(head));
    }
    if (g_members.listed != NULL && g_members.count < LISTED_MAX) {
        g_members.listed[g_members.count] = head;
    }
    g_members.count++;
    add_head(&g_members.sum, &head);
    while (r == 0 && q->body.left > 0) {
        if (cursor_copy(&q->body, &pair, sizeof(pair)) < 0 || !add_pair(&g_members.counts, &pair)) {
            r = -EBADMSG;
        }
    }
    mutex_unlock(&g_members.lock);
    return r;
}

void report_family_init(void)
{
    family_serve(FAMILY_OP_report, serve_report);
}

static size_t put_pairs(struct pair *to, uint32_t kind, const uint64_t *counts, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        if (counts[i] != 0) {
            to[n++] = (struct pair){.number = kind | (uint32_t)i, .count = counts[i]};
        }
    }
    return n;
}

void report_send(const struct report_head *head, const struct report_counts *counts)
{
    struct pair *pairs = kmalloc(PAIRS_MAX * sizeof(*pairs));
    size_t n = 0;

    if (pairs != NULL) {
        n = put_pairs(pairs, KIND_MISSING, counts->missing, SYSCALL_MAX);
        n += put_pairs(pairs + n, KIND_HOSTCALL, counts->hostcalls, HOSTCALL_MAX);
        n += put_pairs(pairs + n, KIND_UNKNOWN, &counts->unknown, 1);
    }
    const struct channel_part parts[] = {{head, sizeof(*head)}, {pairs, n * sizeof(*pairs)}};
    struct family_message m = {.op = FAMILY_OP_report,
                               .parts = parts,
                               .part_count = n == 0 ? 1 : ARRAY_COUNT(parts),
                               .steady = true};

    (void)!family_exchange(&m); /* without an owner nobody prints */
    kfree(pairs);
}

size_t report_collect(struct report_head *sum, struct report_counts *counts)
{
    size_t n;

    mutex_lock(&g_members.lock);
    n = g_members.count;
    add_head(sum, &g_members.sum);
    for (size_t i = 0; i < SYSCALL_MAX; i++) {
        counts->missing[i] += g_members.counts.missing[i];
    }
    for (size_t i = 0; i < HOSTCALL_MAX; i++) {
        counts->hostcalls[i] += g_members.counts.hostcalls[i];
    }
    counts->unknown += g_members.counts.unknown;
    mutex_unlock(&g_members.lock);
    return n;
}

bool report_next(size_t index, struct report_head *ret)
{
    bool there;

    mutex_lock(&g_members.lock);
    there = g_members.listed != NULL && index < MIN(g_members.count, (size_t)LISTED_MAX);
    if (there) {
        *ret = g_members.listed[index];
    }
    mutex_unlock(&g_members.lock);
    return there;
}
