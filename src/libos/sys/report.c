/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Counters, and what is told of them at the end: --syscall-report as lines of the log, --stats as
 * one JSON object for the loader. */

#include "libos/host/report.h"
#include "abi/hostcall.h"
#include "libos/boot/rewrite.h"
#include "libos/boot/thread_page.h"
#include "libos/fs/touched.h"
#include "libos/host/host.h"
#include "libos/lib/kvprintf.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/mm/kmem_backend.h"
#include "libos/mm/page.h"
#include "libos/sys/trace.h"

static bool g_report;
static bool g_stats;
static uint64_t g_missing[SYSCALL_MAX];
static uint64_t g_unknown;
static uint64_t g_hostcalls[HOSTCALL_MAX];
static uint64_t g_traps;
static uint64_t g_faults;

void trace_init(bool strace, bool report, bool stats)
{
    g_trace_on = strace;
    g_report = report;
    g_stats = stats;
}

static void count(uint64_t *c)
{
    (void)__atomic_add_fetch(c, 1, __ATOMIC_RELAXED);
}

void trace_after_fork(void)
{
    g_stats = false; /* one object, of the first process: it is what the whole is compared by */
    __builtin_memset(g_missing, 0, sizeof(g_missing));
    __builtin_memset(g_hostcalls, 0, sizeof(g_hostcalls));
    g_unknown = 0;
    g_traps = 0;
    g_faults = 0;
}

void trace_missing(uint64_t number)
{
    count(&g_missing[number]);
}

void trace_unknown(uint64_t number)
{
    count(&g_unknown);
}

void trace_count_hostcall(uint32_t number)
{
    if (number < HOSTCALL_MAX) {
        count(&g_hostcalls[number]);
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

static void report_missing(void)
{
    bool any = false;

    for (uint64_t i = 0; i < SYSCALL_MAX; i++) {
        const struct syscall_row *row = &syscall_table[i];

        if (g_missing[i] == 0) {
            continue;
        }
        any = true;
        if (row->state == SYS_REFUSE) {
            report_line("syscall-report: %s refused %lu times (%s)", row->name, g_missing[i],
                        row->note);
        } else {
            report_line("syscall-report: %s not implemented, called %lu times",
                        row->name != NULL ? row->name : "(unknown)", g_missing[i]);
        }
    }
    if (g_unknown != 0) {
        report_line("syscall-report: %lu calls with numbers Linux does not have", g_unknown);
    } else if (!any) {
        report_line("syscall-report: nothing was missing or refused");
    }
}

#define STATS_SIZE 8192u

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

static size_t add(char *text, size_t at, const char *fmt, ...) _printf_(3, 4);
static size_t add(char *text, size_t at, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = kvprintf(text + at, STATS_SIZE - at, fmt, ap);
    va_end(ap);
    return MIN(at + (size_t)n, (size_t)STATS_SIZE - 1);
}

static void report_stats(void)
{
    struct page_counters pages;
    struct rewrite_counters sites;
    char *text = kmalloc(STATS_SIZE);
    uint64_t exits = 0;
    bool first = true;
    size_t at = 0;

    if (text == NULL) {
        return;
    }
    page_counters(&pages);
    rewrite_counters(&sites);
    at = add(text, at, "{\"hostcalls\": {");
    for (uint32_t i = 0; i < HOSTCALL_MAX; i++) {
        if (g_hostcalls[i] != 0) {
            at =
                add(text, at, "%s\"%s\": %lu", first ? "" : ", ", hostcall_name(i), g_hostcalls[i]);
            exits += g_hostcalls[i];
            first = false;
        }
    }
    at = add(text, at,
             "}, \"exits\": %lu, \"aex\": %lu, \"page_faults\": %lu, \"syscall_traps\": %lu, "
             "\"sites_patched\": %lu, \"sites_left\": %lu, ",
             exits, thread_page()->aex_count, g_faults, g_traps, sites.patched, sites.left);
    at = add(text, at,
             "\"pages_committed\": %lu, \"pages_peak\": %lu, \"page_commits\": %lu, "
             "\"page_decommits\": %lu, \"page_protects\": %lu, \"heap_free_pages\": %lu}",
             pages.committed, pages.peak, pages.commits, pages.decommits, pages.protects,
             kmem_free_pages());
    host_report_stats(text, at);
    kfree(text);
}

void trace_report(void)
{
    touched_report();
    if (g_report) {
        report_missing();
    }
    if (g_stats) {
        report_stats();
    }
}
