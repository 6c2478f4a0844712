/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * EDMM. The host adds, trims and restricts pages; nothing counts until EACCEPT has seen it, with
 * exactly the state that was asked for. A host that does something else, or nothing, is found out
 * there and then.
 *
 * The library OS's own area keeps its books elsewhere (kpages.c): the state table here covers the
 * application's part and takes its nodes from the heap.
 */

#include "libos/mm/page.h"

#include "abi/enclave_layout.h"
#include "abi/sgx_arch.h"
#include "libos/boot/boot.h"
#include "libos/host/host.h"
#include "libos/mm/enclu.h"
#include "libos/mm/keep.h"
#include "libos/mm/kmem.h"
#include "libos/mm/page_raw.h"

/* Pages from which the host is told before EACCEPT runs into them one by one. */
#define AUGMENT_HINT_PAGES 32u

#define LEAF_BITS  9u
#define LEAF_PAGES (1u << LEAF_BITS) /* 2 MiB */
#define MID_BITS   9u
#define MID_COUNT  (1u << MID_BITS) /* 1 GiB */
#define ROOT_COUNT ((size_t)(ELRANGE_SIZE >> (NACRE_PAGE_SHIFT + LEAF_BITS + MID_BITS)))

struct mid {
    uint8_t *leaf[MID_COUNT];
};

static struct mid *g_root[ROOT_COUNT];
static uint64_t g_limit_pages;
static uint64_t g_committed;
static uint64_t g_peak;
static uint64_t g_commits;
static uint64_t g_decommits;
static uint64_t g_protects;

static uint64_t to_offset(uint64_t address)
{
    return address - g_enclave_base;
}

int page_init(uint64_t limit, uint64_t measured)
{
    if (limit == 0) {
        limit = PAGE_LIMIT_DEFAULT;
    }
    g_limit_pages = limit >> NACRE_PAGE_SHIFT;
    g_committed = measured >> NACRE_PAGE_SHIFT;
    g_peak = g_committed;
    if (g_limit_pages < g_committed + 256) {
        libos_log(LOG_ERROR, "the memory limit of %lu bytes is less than the enclave itself needs",
                  limit);
        return -ENOMEM;
    }
    /* The upper bound the EPCM narrows: everything that is committed later. */
    return host_map(USER_MIN_ADDR, ENCLAVE_IMAGE_OFFSET - USER_MIN_ADDR, 7);
}

/* ---- accounting ---- */

static bool account(uint64_t pages)
{
    uint64_t now = __atomic_add_fetch(&g_committed, pages, __ATOMIC_RELAXED);

    if (now > g_limit_pages) {
        __atomic_sub_fetch(&g_committed, pages, __ATOMIC_RELAXED);
        return false;
    }
    if (now > __atomic_load_n(&g_peak, __ATOMIC_RELAXED)) {
        __atomic_store_n(&g_peak, now, __ATOMIC_RELAXED);
    }
    __atomic_add_fetch(&g_commits, pages, __ATOMIC_RELAXED);
    return true;
}

static bool account_or_make_room(uint64_t pages)
{
    return account(pages) || (keep_drop_all() && account(pages));
}

static void unaccount(uint64_t pages)
{
    __atomic_sub_fetch(&g_committed, pages, __ATOMIC_RELAXED);
}

void page_counters(struct page_counters *ret)
{
    *ret = (struct page_counters){
        .limit = g_limit_pages << NACRE_PAGE_SHIFT,
        .committed =
            __atomic_load_n(&g_committed, __ATOMIC_RELAXED) - (keep_bytes() >> NACRE_PAGE_SHIFT),
        .peak = __atomic_load_n(&g_peak, __ATOMIC_RELAXED),
        .commits = __atomic_load_n(&g_commits, __ATOMIC_RELAXED),
        .decommits = __atomic_load_n(&g_decommits, __ATOMIC_RELAXED),
        .protects = __atomic_load_n(&g_protects, __ATOMIC_RELAXED),
    };
}

uint64_t page_available(void)
{
    const uint64_t used =
        __atomic_load_n(&g_committed, __ATOMIC_RELAXED) - (keep_bytes() >> NACRE_PAGE_SHIFT);

    return used >= g_limit_pages ? 0 : (g_limit_pages - used) << NACRE_PAGE_SHIFT;
}

/* ---- raw: no state kept ---- */

/* The EACCEPT argument must not change under the processor's hands, so it lives on our stack. */
static uint64_t eaccept(uint64_t address, uint64_t flags)
{
    struct sgx_secinfo info = {.flags = flags};

    return enclu(ENCLU_EACCEPT, &info, address, 0);
}

int page_raw_commit(uint64_t address, uint64_t size)
{
    const uint64_t pages = size >> NACRE_PAGE_SHIFT;

    if (!account_or_make_room(pages)) {
        return -ENOMEM;
    }
    if (pages >= AUGMENT_HINT_PAGES) {
        (void)host_augment(to_offset(address), size);
    }
    for (uint64_t i = 0; i < pages; i++) {
        const uint64_t p = address + (i << NACRE_PAGE_SHIFT);

        if (eaccept(p, SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W | SGX_SECINFO_PENDING) !=
            SGX_SUCCESS) {
            libos_panic("the host gave a page that is not new (EACCEPT refused it)");
        }
    }
    return 0;
}

void page_raw_decommit(uint64_t address, uint64_t size)
{
    const uint64_t pages = size >> NACRE_PAGE_SHIFT;

    if (host_modify_types(to_offset(address), size, SGX_PT_TRIM) < 0) {
        libos_panic("the host refuses to trim pages");
    }
    for (uint64_t i = 0; i < pages; i++) {
        if (eaccept(address + (i << NACRE_PAGE_SHIFT), SGX_SECINFO_TRIM | SGX_SECINFO_MODIFIED) !=
            SGX_SUCCESS) {
            libos_panic("the host did not trim a page it was asked to");
        }
    }
    /* A host that keeps the pages wastes its own memory; the next EACCEPT there would tell. */
    if (host_remove_pages(to_offset(address), size) < 0) {
        libos_panic("the host refuses to remove trimmed pages");
    }
    unaccount(pages);
    __atomic_add_fetch(&g_decommits, pages, __ATOMIC_RELAXED);
}

int page_raw_make_tcs(uint64_t address)
{
    if (host_modify_types(to_offset(address), NACRE_PAGE_SIZE, SGX_PT_TCS) < 0) {
        return -EAGAIN;
    }
    if (eaccept(address, SGX_SECINFO_TCS | SGX_SECINFO_MODIFIED) != SGX_SUCCESS) {
        libos_panic("the host did not make a page a TCS (EACCEPT refused it)");
    }
    return 0;
}

/* ---- state table ---- */

static uint8_t *state_of(uint64_t address)
{
    const uint64_t n = to_offset(address) >> NACRE_PAGE_SHIFT;
    const struct mid *mid;
    uint8_t *leaf;

    if (n >= ELRANGE_SIZE >> NACRE_PAGE_SHIFT) {
        return NULL;
    }
    mid = g_root[n >> (LEAF_BITS + MID_BITS)];
    if (mid == NULL) {
        return NULL;
    }
    leaf = mid->leaf[(n >> LEAF_BITS) % MID_COUNT];
    return leaf == NULL ? NULL : &leaf[n % LEAF_PAGES];
}

uint8_t page_state(uint64_t address)
{
    const uint8_t *s = state_of(address);

    return s == NULL ? 0 : *s;
}

void page_state_set(uint64_t address, uint8_t set, uint8_t clear)
{
    uint8_t *s = state_of(address);

    if (s != NULL) {
        *s = (uint8_t)((*s & ~clear) | set);
    }
}

static int ensure_leaf(uint64_t address)
{
    const uint64_t n = to_offset(address) >> NACRE_PAGE_SHIFT;
    struct mid **mid = &g_root[n >> (LEAF_BITS + MID_BITS)];
    uint8_t **leaf;

    if (*mid == NULL) {
        *mid = kzalloc(sizeof(**mid));
        if (*mid == NULL) {
            return -ENOMEM;
        }
    }
    leaf = &(*mid)->leaf[(n >> LEAF_BITS) % MID_COUNT];
    if (*leaf == NULL) {
        *leaf = kzalloc(LEAF_PAGES);
        if (*leaf == NULL) {
            return -ENOMEM;
        }
    }
    return 0;
}

int page_prepare(uint64_t address, uint64_t size)
{
    const uint64_t leaf_size = (uint64_t)LEAF_PAGES << NACRE_PAGE_SHIFT;
    int r = 0;

    for (uint64_t at = address & ~(leaf_size - 1); r == 0 && at < address + size; at += leaf_size) {
        r = ensure_leaf(at);
    }
    return r;
}

/* Bytes from `address` to the end of its 2 MiB leaf or to `end`. */
static uint64_t leaf_span(uint64_t address, uint64_t end)
{
    const uint64_t leaf_size = (uint64_t)LEAF_PAGES << NACRE_PAGE_SHIFT;
    const uint64_t offset = to_offset(address);

    return MIN(end - address, leaf_size - offset % leaf_size);
}

/* Pages at `s` (of `max`) whose state under `mask` is `want`. */
static uint64_t run_length(const uint8_t *s, uint64_t max, uint8_t mask, uint8_t want)
{
    uint64_t n = 0;

    while (n < max && (s[n] & mask) == want) {
        n++;
    }
    return n;
}

uint64_t page_run(uint64_t address, uint64_t end, uint8_t mask)
{
    const uint8_t want = page_state(address) & mask;
    uint64_t total = 0;

    while (address < end) {
        const uint64_t span = leaf_span(address, end) >> NACRE_PAGE_SHIFT;
        const uint8_t *s = state_of(address);
        const uint64_t n = s != NULL ? run_length(s, span, mask, want) : want == 0 ? span : 0;

        total += n;
        if (n < span) {
            break;
        }
        address += span << NACRE_PAGE_SHIFT;
    }
    return total;
}

/* ---- permissions ---- */

static void extend(uint64_t address, uint64_t pages, uint8_t prot)
{
    struct sgx_secinfo info = {.flags = SGX_SECINFO_REG | (uint64_t)(prot >> 1)};

    for (uint64_t i = 0; i < pages; i++) {
        (void)enclu(ENCLU_EMODPE, &info, address + (i << NACRE_PAGE_SHIFT), 0);
    }
}

static int restrict_to(uint64_t address, uint64_t pages, uint8_t prot)
{
    const uint64_t perm = prot >> 1;

    if (host_restrict_permissions(to_offset(address), pages << NACRE_PAGE_SHIFT, perm) < 0) {
        return -EAGAIN;
    }
    for (uint64_t i = 0; i < pages; i++) {
        if (eaccept(address + (i << NACRE_PAGE_SHIFT), SGX_SECINFO_REG | SGX_SECINFO_PR | perm) !=
            SGX_SUCCESS) {
            libos_panic("the host did not restrict a page it was asked to");
        }
    }
    return 0;
}

int page_hide(uint64_t address, uint64_t size, bool hidden)
{
    return host_map(to_offset(address), size, hidden ? 0 : 7);
}

/* One run of equal state to `prot`. */
static int protect_run(uint64_t address, uint64_t pages, uint8_t from, uint8_t to)
{
    const uint8_t have = from == 0 ? PAGE_R : from;
    const uint8_t want = to == 0 ? PAGE_R : to;
    int r = 0;

    if (from == to) {
        return 0;
    }
    __atomic_add_fetch(&g_protects, pages, __ATOMIC_RELAXED);
    if (from == 0) {
        r = page_hide(address, pages << NACRE_PAGE_SHIFT, /*hidden=*/false);
    }
    if (r == 0 && (want & ~have) != 0) {
        extend(address, pages, want | have);
    }
    if (r == 0 && (have & ~want) != 0) {
        r = restrict_to(address, pages, want);
    }
    if (r == 0 && to == 0) {
        r = page_hide(address, pages << NACRE_PAGE_SHIFT, /*hidden=*/true);
    }
    return r;
}

int page_raw_protect(uint64_t address, uint64_t size, uint8_t from, uint8_t to)
{
    return protect_run(address, size >> NACRE_PAGE_SHIFT, from, to);
}

int page_protect(uint64_t address, uint64_t size, uint8_t prot)
{
    const uint64_t end = address + size;

    while (address < end) {
        const uint64_t span = leaf_span(address, end);
        uint64_t left = span >> NACRE_PAGE_SHIFT;
        uint8_t *s = state_of(address);
        uint64_t p = address;

        while (s != NULL && left > 0) {
            const uint8_t state = *s & (PAGE_COMMITTED | PAGE_RWX);
            const uint64_t n = run_length(s, left, PAGE_COMMITTED | PAGE_RWX, state);

            if ((state & PAGE_COMMITTED) != 0) {
                int r = protect_run(p, n, state & PAGE_RWX, prot);

                if (r < 0) {
                    return r;
                }
                for (uint64_t i = 0; i < n; i++) {
                    s[i] = (uint8_t)((s[i] & ~PAGE_RWX) | prot);
                }
            }
            s += n;
            left -= n;
            p += n << NACRE_PAGE_SHIFT;
        }
        address += span;
    }
    return 0;
}

/* ---- commit, decommit ---- */

static int commit_span(uint64_t address, uint64_t pages, uint8_t *s, uint8_t prot)
{
    while (pages > 0) {
        const uint8_t have = *s & (PAGE_COMMITTED | PAGE_KEPT);
        const uint64_t n = run_length(s, pages, PAGE_COMMITTED | PAGE_KEPT, have);
        int r;

        if (have == PAGE_KEPT) {
            keep_drop(address, n << NACRE_PAGE_SHIFT);
            continue;
        }
        if (have == 0) {
            r = page_raw_commit(address, n << NACRE_PAGE_SHIFT);
            if (r < 0) {
                return r;
            }
            for (uint64_t i = 0; i < n; i++) {
                s[i] = (uint8_t)(PAGE_COMMITTED | PAGE_R | PAGE_W);
            }
            r = protect_run(address, n, PAGE_R | PAGE_W, prot);
            if (r < 0) {
                return r;
            }
            for (uint64_t i = 0; i < n; i++) {
                s[i] = (uint8_t)(PAGE_COMMITTED | prot);
            }
        }
        s += n;
        pages -= n;
        address += n << NACRE_PAGE_SHIFT;
    }
    return 0;
}

int page_commit(uint64_t address, uint64_t size, uint8_t prot)
{
    const uint64_t end = address + size;

    while (address < end) {
        const uint64_t span = leaf_span(address, end);
        int r = ensure_leaf(address);

        if (r == 0) {
            r = commit_span(address, span >> NACRE_PAGE_SHIFT, state_of(address), prot);
        }
        if (r < 0) {
            return r;
        }
        address += span;
    }
    return 0;
}

int page_commit_copy(uint64_t address, const void *src, uint8_t prot)
{
    struct sgx_secinfo info = {.flags = SGX_SECINFO_REG | (uint64_t)(prot >> 1)};
    int r = ensure_leaf(address);
    uint8_t *s;

    if (r < 0) {
        return r;
    }
    s = state_of(address);
    if ((*s & PAGE_COMMITTED) != 0) {
        return 0;
    }
    if ((*s & PAGE_KEPT) != 0) {
        keep_drop(address, NACRE_PAGE_SIZE);
    }
    if (!account_or_make_room(1)) {
        return -ENOMEM;
    }
    if (enclu(ENCLU_EACCEPTCOPY, &info, address, (uint64_t)src) != SGX_SUCCESS) {
        libos_panic("the host gave a page that is not new (EACCEPTCOPY refused it)");
    }
    *s = (uint8_t)(PAGE_COMMITTED | PAGE_R | PAGE_W | prot);
    return 0;
}

/* Hidden pages must become reachable again for EACCEPT. */
static void show_hidden(const uint8_t *s, uint64_t address, uint64_t pages)
{
    for (uint64_t i = 0; i < pages;) {
        const uint64_t n = (s[i] & PAGE_RWX) == 0 ? run_length(&s[i], pages - i, PAGE_RWX, 0) : 0;

        if (n > 0) {
            (void)page_hide(address + (i << NACRE_PAGE_SHIFT), n << NACRE_PAGE_SHIFT,
                            /*hidden=*/false);
        }
        i += MAX(n, (uint64_t)1);
    }
}

void page_decommit(uint64_t address, uint64_t size)
{
    const uint64_t end = address + size;

    while (address < end) {
        const uint64_t span = leaf_span(address, end);
        uint64_t left = span >> NACRE_PAGE_SHIFT;
        uint8_t *s = state_of(address);
        uint64_t p = address;

        while (s != NULL && left > 0) {
            const uint8_t have = *s & PAGE_COMMITTED;
            const uint64_t n = run_length(s, left, PAGE_COMMITTED, have);

            if (have != 0) {
                show_hidden(s, p, n);
                page_raw_decommit(p, n << NACRE_PAGE_SHIFT);
                __builtin_memset(s, 0, n);
            }
            s += n;
            left -= n;
            p += n << NACRE_PAGE_SHIFT;
        }
        address += span;
    }
}

uint64_t page_count_committed(uint64_t address, uint64_t size)
{
    const uint64_t end = address + size;
    uint64_t count = 0;

    while (address < end) {
        const uint64_t span = leaf_span(address, end);
        const uint8_t *s = state_of(address);

        for (uint64_t i = 0; s != NULL && i < span >> NACRE_PAGE_SHIFT; i++) {
            count += s[i] & PAGE_COMMITTED;
        }
        address += span;
    }
    return count;
}

int page_for_each_run(uint64_t address, uint64_t size,
                      int (*emit)(void *arg, uint64_t address, uint64_t size, uint8_t prot),
                      void *arg)
{
    const uint64_t end = address + size;

    while (address < end) {
        const uint64_t span = leaf_span(address, end);
        uint64_t left = span >> NACRE_PAGE_SHIFT;
        const uint8_t *s = state_of(address);
        uint64_t p = address;

        while (s != NULL && left > 0) {
            const uint8_t state = *s & (PAGE_COMMITTED | PAGE_RWX);
            const uint64_t n = run_length(s, left, PAGE_COMMITTED | PAGE_RWX, state);

            if ((state & PAGE_COMMITTED) != 0) {
                int r = emit(arg, p, n << NACRE_PAGE_SHIFT, state & PAGE_RWX);

                if (r < 0) {
                    return r;
                }
            }
            s += n;
            left -= n;
            p += n << NACRE_PAGE_SHIFT;
        }
        address += span;
    }
    return 0;
}

void page_forget(uint64_t address, uint64_t size)
{
    const uint64_t end = address + size;

    while (address < end) {
        const uint64_t span = leaf_span(address, end);
        uint8_t *s = state_of(address);

        if (s != NULL) {
            __builtin_memset(s, 0, span >> NACRE_PAGE_SHIFT);
        }
        address += span;
    }
}

void page_after_fork(uint64_t committed)
{
    g_committed = committed;
    g_peak = committed;
    g_commits = committed;
    g_decommits = 0;
    g_protects = 0;
}
