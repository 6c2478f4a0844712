/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Pages are cleared when they come back to life, not when they are put away: by then they are
 * sealed off, so that no thread that still writes to memory it has unmapped can spoil the zeros
 * somebody else was promised. That is also why only a new mapping, whose address no thread knows
 * yet, may revive them; pages that appear in a mapping in use (a fault, brk, a growing stack) are
 * taken from the host.
 */

#include "libos/mm/keep.h"

#include "libos/host/host.h"
#include "libos/lib/sync.h"
#include "libos/libos.h"
#include "libos/mm/page.h"
#include "libos/mm/page_raw.h"

#define RUNS_MAX      32u
#define RUN_PAGES_MAX 64u /* clearing more costs more than new pages do */
#define PAGES_MAX     512u
/* Keeping pays when pages come back. A revival earns credit, a drop in vain costs some; without
 * credit one run in PROBE is kept to see whether times have changed. */
#define CREDIT_MAX    32u
#define CREDIT_ONE    4u
#define PROBE         16u

struct run {
    uint64_t start;
    uint64_t pages;
};

static struct mutex g_lock;
static struct run g_runs[RUNS_MAX]; /* oldest first */
static uint32_t g_count;
static uint64_t g_pages;
static uint32_t g_credit = CREDIT_MAX;
static uint32_t g_probe;

static uint64_t run_end(const struct run *r)
{
    return r->start + (r->pages << NACRE_PAGE_SHIFT);
}

static void mark(uint64_t start, uint64_t pages, uint8_t state)
{
    for (uint64_t i = 0; i < pages; i++) {
        page_state_set(start + (i << NACRE_PAGE_SHIFT), state, 0xff);
    }
}

static void remove_at(uint32_t i)
{
    g_pages -= g_runs[i].pages;
    g_count--;
    __builtin_memmove(&g_runs[i], &g_runs[i + 1], (g_count - i) * sizeof(g_runs[0]));
}

static void give_back(uint64_t start, uint64_t pages)
{
    const uint64_t size = pages << NACRE_PAGE_SHIFT;

    /* EACCEPT wants to reach them. */
    if (page_hide(start, size, /*hidden=*/false) < 0) {
        libos_panic("the host refuses to map pages of the enclave again");
    }
    page_raw_decommit(start, size);
    mark(start, pages, 0);
}

static void drop_at(uint32_t i)
{
    const struct run r = g_runs[i];

    remove_at(i);
    give_back(r.start, r.pages);
    g_credit -= g_credit > 0 ? 1 : 0;
}

static void put(uint64_t start, uint64_t pages)
{
    while (g_count == RUNS_MAX || (g_count > 0 && g_pages + pages > PAGES_MAX)) {
        drop_at(0);
    }
    g_runs[g_count++] = (struct run){.start = start, .pages = pages};
    g_pages += pages;
}

/* ---- in ---- */

static bool worth_it(uint64_t pages)
{
    return pages <= RUN_PAGES_MAX && (g_credit > 0 || ++g_probe % PROBE == 0);
}

static void keep_run(uint64_t start, uint64_t pages)
{
    const uint64_t size = pages << NACRE_PAGE_SHIFT;

    mutex_lock(&g_lock);
    if (worth_it(pages) && page_hide(start, size, /*hidden=*/true) == 0) {
        mark(start, pages, PAGE_KEPT);
        put(start, pages);
    } else {
        page_decommit(start, size);
    }
    mutex_unlock(&g_lock);
}

void keep_or_decommit(uint64_t address, uint64_t size)
{
    const uint64_t end = address + size;

    while (address < end) {
        const uint64_t pages = page_run(address, end, PAGE_COMMITTED | PAGE_RWX | PAGE_PATCHED);
        const uint8_t state = page_state(address);
        const uint64_t bytes = pages << NACRE_PAGE_SHIFT;

        if ((state & (PAGE_COMMITTED | PAGE_RWX | PAGE_PATCHED)) ==
            (PAGE_COMMITTED | PAGE_R | PAGE_W)) {
            keep_run(address, pages);
        } else if ((state & PAGE_COMMITTED) != 0) {
            page_decommit(address, bytes);
        }
        address += bytes;
    }
}

/* ---- out ---- */

/* Takes what a run has in common with [start, end) out of it; the rest stays. */
static struct run cut(uint32_t i, uint64_t start, uint64_t end)
{
    const struct run r = g_runs[i];
    const uint64_t from = MAX(start, r.start);
    const uint64_t to = MIN(end, run_end(&r));

    remove_at(i);
    if (from > r.start) {
        put(r.start, (from - r.start) >> NACRE_PAGE_SHIFT);
    }
    if (to < run_end(&r)) {
        put(to, (run_end(&r) - to) >> NACRE_PAGE_SHIFT);
    }
    return (struct run){.start = from, .pages = (to - from) >> NACRE_PAGE_SHIFT};
}

static bool find(uint64_t start, uint64_t end, uint32_t *ret)
{
    for (uint32_t i = g_count; i-- > 0;) {
        if (g_runs[i].start < end && start < run_end(&g_runs[i])) {
            *ret = i;
            return true;
        }
    }
    return false;
}

int keep_revive(uint64_t address, uint64_t size, uint8_t prot)
{
    uint32_t i;
    int r = 0;

    mutex_lock(&g_lock);
    while (r == 0 && g_count > 0 && find(address, address + size, &i)) {
        const struct run found = cut(i, address, address + size);
        const uint64_t bytes = found.pages << NACRE_PAGE_SHIFT;

        if (page_hide(found.start, bytes, /*hidden=*/false) < 0) {
            libos_panic("the host refuses to map pages of the enclave again");
        }
        __builtin_memset((void *)found.start, 0, bytes);
        mark(found.start, found.pages, PAGE_COMMITTED | PAGE_R | PAGE_W);
        r = page_protect(found.start, bytes, prot);
        g_credit = MIN(g_credit + CREDIT_ONE, CREDIT_MAX);
    }
    mutex_unlock(&g_lock);
    return r;
}

void keep_drop(uint64_t address, uint64_t size)
{
    uint32_t i;

    mutex_lock(&g_lock);
    while (g_count > 0 && find(address, address + size, &i)) {
        const struct run found = cut(i, address, address + size);

        give_back(found.start, found.pages);
    }
    mutex_unlock(&g_lock);
}

bool keep_drop_all(void)
{
    bool any;

    mutex_lock(&g_lock);
    any = g_count > 0;
    while (g_count > 0) {
        drop_at(g_count - 1);
    }
    mutex_unlock(&g_lock);
    return any;
}

uint64_t keep_bytes(void)
{
    return __atomic_load_n(&g_pages, __ATOMIC_RELAXED) << NACRE_PAGE_SHIFT;
}
