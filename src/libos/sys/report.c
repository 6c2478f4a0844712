/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Counters, and what is told of them at the end: --syscall-report as lines of the log, --stats as
 * one JSON object for the loader. A family prints once, by its first process. */

#include "libos/host/report.h"
#include "libos/boot/rewrite.h"
#include "libos/boot/thread_page.h"
#include "libos/family/rpc.h"
#include "libos/fs/touched.h"
#include "libos/host/host.h"
#include "libos/lib/kvprintf.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/mm/kmem_backend.h"
#include "libos/mm/page.h"
#include "libos/sys/report.h"
#include "libos/sys/trace.h"

static bool g_report;
static bool g_stats;
static struct report_counts g_counts;
static uint64_t g_traps;
static uint64_t g_faults;

void trace_init(bool strace, bool report, bool stats)
{
    g_trace_on = strace;
    g_report = report;
    g_stats = stats;
    report_family_init();
}

static void count(uint64_t *c)
{
    (void)__atomic_add_fetch(c, 1, __ATOMIC_RELAXED);
}

void trace_after_fork(void)
{
    __builtin_memset(&g_counts, 0, sizeof(g_counts));
    g_traps = 0;
    g_faults = 0;
}

void trace_missing(uint64_t number)
{
    count(&g_counts.missing[number]);
}

void trace_unknown(uint64_t number)
{
    count(&g_counts.unknown);
}

void trace_count_hostcall(uint32_t number)
{
    if (number < HOSTCALL_MAX) {
        count(&g_counts.hostcalls[number]);
    }
}

void trace_count_trap(void)
{
    count(&g_traps);
}

void trace_count_fault(void)
{
    count(&g_faults);
}

/* ---- --syscall-report ---- */

static void report_line(const char *fmt, ...) _printf_(1, 2);
static void report_line(const char *fmt, ...)
{
    char line[256];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = kvprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    host_log(LOG_ERROR, line, MIN((size_t)n, sizeof(line) - 1));
}

static void report_missing(const struct report_counts *c)
{
    bool any = false;

    for (uint64_t i = 0; i < SYSCALL_MAX; i++) {
        const struct syscall_row *row = &syscall_table[i];

        if (c->missing[i] == 0) {
            continue;
        }
        any = true;
        if (row->state == SYS_REFUSE) {
            report_line("syscall-report: %s refused %lu times (%s)", row->name, c->missing[i],
                        row->note);
        } else {
            report_line("syscall-report: %s not implemented, called %lu times",
                        row->name != NULL ? row->name : "(unknown)", c->missing[i]);
        }
    }
    if (c->unknown != 0) {
        report_line("syscall-report: %lu calls with numbers Linux does not have", c->unknown);
    } else if (!any) {
        report_line("syscall-report: nothing was missing or refused");
    }
}

static void report_process(const struct report_head *h)
{
    report_line("syscall-report: process %d (%s): %lu refused, %lu not implemented", h->pid,
                h->comm, h->refused, h->missing);
}

/* The processes one by one, when there were several. */
static void report_processes(const struct report_head *own, size_t members)
{
    struct report_head h;
    size_t i;

    if (members == 0) {
        return;
    }
    report_process(own);
    for (i = 0; report_next(i, &h); i++) {
        report_process(&h);
    }
    if (i < members) {
        report_line("syscall-report: %zu more processes are not shown", members - i);
    }
}

/* ---- --stats ---- */

static const char *hostcall_name(uint32_t number)
{
    switch (number) {
#define X(n, name, args, description) \
    case n:                           \
        return #name;
#include "abi/hostcall.tbl.h"
#undef X
    default: return "?";
    }
}

static const char *const g_value_names[REPORT_VALUES] = {
#define X(name, summed, description) #name,
#include "libos/sys/report_values.tbl.h"
#undef X
};

static void put_counts(struct strbuf *b, const struct report_counts *c)
{
    bool first = true;

    strbuf_puts(b, "\"hostcalls\": {");
    for (uint32_t i = 0; i < HOSTCALL_MAX; i++) {
        if (c->hostcalls[i] != 0) {
            strbuf_printf(b, "%s\"%s\": %lu", first ? "" : ", ", hostcall_name(i), c->hostcalls[i]);
            first = false;
        }
    }
    strbuf_puts(b, "}");
}

/* `all`: also those that say nothing when summed. */
static void put_values(struct strbuf *b, const struct report_head *h, bool all)
{
    static const bool summed[REPORT_VALUES] = {
#define X(name, is_summed, description) is_summed,
#include "libos/sys/report_values.tbl.h"
#undef X
    };

    for (size_t i = 0; i < REPORT_VALUES; i++) {
        if (all || summed[i]) {
            strbuf_printf(b, ", \"%s\": %lu", g_value_names[i], h->values[i]);
        }
    }
}

/* A name may be anything: what JSON would have to escape becomes a question mark. */
static void put_process(struct strbuf *b, const struct report_head *h)
{
    char name[PIDS_COMM];

    for (size_t i = 0; i < sizeof(name); i++) {
        const char c = h->comm[i];

        name[i] = (char)(c == '\0' || (c >= ' ' && c < 0x7f && c != '"' && c != '\\') ? c : '?');
    }
    name[sizeof(name) - 1] = '\0';
    strbuf_printf(b, "{\"pid\": %d, \"command\": \"%s\"", h->pid, name);
    put_values(b, h, /*all=*/true);
    strbuf_puts(b, "}");
}

static void put_family(struct strbuf *b, const struct report_head *own,
                       const struct report_head *sum, const struct report_counts *total,
                       size_t members)
{
    struct report_head h;

    strbuf_printf(b, ", \"family\": {\"processes\": %zu, ", members + 1);
    put_counts(b, total);
    put_values(b, sum, /*all=*/false);
    strbuf_puts(b, ", \"each\": [");
    put_process(b, own);
    for (size_t i = 0; report_next(i, &h); i++) {
        strbuf_puts(b, ", ");
        put_process(b, &h);
    }
    strbuf_puts(b, "]}");
}

/* The first process, as if it were alone; and, when there were others, all of them. */
static void report_stats(const struct report_head *own, const struct report_head *sum,
                         const struct report_counts *total, size_t members)
{
    struct strbuf b = {0};

    strbuf_puts(&b, "{");
    put_counts(&b, &g_counts);
    put_values(&b, own, /*all=*/true);
    if (members > 0) {
        put_family(&b, own, sum, total, members);
    }
    strbuf_puts(&b, "}");
    if (!b.failed) {
        host_report_stats(b.s, b.len);
    }
    strbuf_free(&b);
}

/* ---- the end ---- */

static void fill(struct report_head *ret)
{
    const struct process *p = process_first();
    struct page_counters pages;
    struct rewrite_counters sites;
    uint64_t *v = ret->values;

    *ret = (struct report_head){.pid = p->pid};
    __builtin_memcpy(ret->comm, p->comm, sizeof(ret->comm));
    page_counters(&pages);
    rewrite_counters(&sites);
    for (uint32_t i = 0; i < HOSTCALL_MAX; i++) {
        v[REPORT_exits] += g_counts.hostcalls[i];
    }
    v[REPORT_aex] = thread_page()->aex_count;
    v[REPORT_page_faults] = g_faults;
    v[REPORT_syscall_traps] = g_traps;
    v[REPORT_sites_patched] = sites.patched;
    v[REPORT_sites_left] = sites.left;
    v[REPORT_pages_committed] = pages.committed;
    v[REPORT_pages_peak] = pages.peak;
    v[REPORT_page_commits] = pages.commits;
    v[REPORT_page_decommits] = pages.decommits;
    v[REPORT_page_protects] = pages.protects;
    v[REPORT_heap_free_pages] = kmem_free_pages();
    for (uint32_t i = 0; i < SYSCALL_MAX; i++) {
        *(syscall_table[i].state == SYS_REFUSE ? &ret->refused : &ret->missing) +=
            g_counts.missing[i];
    }
    ret->missing += g_counts.unknown;
}

static void report_all(const struct report_head *own)
{
    struct report_counts *total = kmalloc(sizeof(*total));
    struct report_head sum = *own;
    size_t members;

    if (total == NULL) {
        return;
    }
    *total = g_counts;
    members = report_collect(&sum, total);
    if (g_report) {
        report_missing(total);
        report_processes(own, members);
    }
    if (g_stats) {
        report_stats(own, &sum, total, members);
    }
    kfree(total);
}

void trace_report(void)
{
    struct report_head own;

    touched_report();
    if (!g_report && !g_stats) {
        return;
    }
    fill(&own);
    if (family_is_member()) {
        report_send(&own, &g_counts);
    } else {
        report_all(&own);
    }
}
