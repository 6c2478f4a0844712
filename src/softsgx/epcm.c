/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The EPCM and its shadow, the host's page table. An entry says what enclave software may do; the
 * host's table is opened to that lazily (a fault, or the end of a batch of EACCEPTs) and closed at
 * once. So nothing is ever reachable that the EPCM forbids, and a loop of EACCEPTs costs one
 * mprotect instead of one each.
 *
 * Microcode: see internal.h for what this file may not use.
 */

#include "softsgx/internal.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* --- what libc would have done --- */

long soft_syscall(long nr, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    long ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return ret;
}

void soft_copy(void *dst, const void *src, size_t size)
{
    __asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(size) : : "memory");
}

void soft_zero(void *dst, size_t size)
{
    __asm__ volatile("rep stosb" : "+D"(dst), "+c"(size) : "a"(0) : "memory");
}

/* 0 free, 1 taken, 2 taken and somebody waits. */
void soft_lock(int *lock)
{
    int seen = 0;

    if (__atomic_compare_exchange_n(lock, &seen, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return;
    }
    while (__atomic_exchange_n(lock, 2, __ATOMIC_ACQUIRE) != 0) {
        (void)soft_syscall(SYS_futex, (long)lock, FUTEX_WAIT_PRIVATE, 2, 0);
    }
}

void soft_unlock(int *lock)
{
    if (__atomic_exchange_n(lock, 0, __ATOMIC_RELEASE) == 2) {
        (void)soft_syscall(SYS_futex, (long)lock, FUTEX_WAKE_PRIVATE, 1, 0);
    }
}

/* --- permissions --- */

uint64_t soft_map_prot(const struct sgx_enclave *e, uint64_t page)
{
    const struct soft_maps *m = __atomic_load_n(&e->maps, __ATOMIC_ACQUIRE);
    uint64_t addr = e->base + (page << NACRE_PAGE_SHIFT);
    size_t lo = 0;
    size_t hi = m == NULL ? 0 : m->count;

    if ((soft_epcm_load(e, page) & EPCM_CLOSED) != 0) {
        return 0;
    }
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (addr < m->range[mid].start) {
            hi = mid;
        } else if (addr >= m->range[mid].end) {
            lo = mid + 1;
        } else {
            return m->range[mid].prot;
        }
    }
    return 0;
}

/* What the EPCM alone allows. */
static uint64_t entry_prot(const struct sgx_enclave *e, uint64_t entry)
{
    if ((entry & EPCM_VALID) == 0 || (entry & (EPCM_PENDING | EPCM_MODIFIED)) != 0 ||
        epcm_type(entry) != SGX_PT_REG || !e->initialized) {
        return 0;
    }
    return entry & EPCM_RWX;
}

uint64_t soft_wanted_prot(const struct sgx_enclave *e, uint64_t page, uint64_t entry)
{
    const uint64_t prot = entry_prot(e, entry);

    return prot == 0 ? 0 : prot & soft_map_prot(e, page);
}

static uint64_t host_prot(uint64_t entry)
{
    return (entry & EPCM_HOST_MASK) >> EPCM_HOST_SHIFT;
}

static void set_host_prot(struct sgx_enclave *e, uint64_t page, uint64_t prot)
{
    uint64_t old = soft_epcm_load(e, page);

    while (!soft_epcm_swap(e, page, &old, (old & ~EPCM_HOST_MASK) | (prot << EPCM_HOST_SHIFT))) {
    }
}

#define CHUNK 512u /* pages a byte of `touched` stands for */

bool soft_strict;

static long protect(struct sgx_enclave *e, uint64_t first, uint64_t count, uint64_t prot)
{
    long host = ((prot & EPCM_R) != 0 ? PROT_READ : 0) | ((prot & EPCM_W) != 0 ? PROT_WRITE : 0) |
                ((prot & EPCM_X) != 0 ? PROT_EXEC : 0);

    return soft_syscall(SYS_mprotect, (long)(e->base + (first << NACRE_PAGE_SHIFT)),
                        (long)(count << NACRE_PAGE_SHIFT), host, 0);
}

/* May the page have `prot` in the host's table so that one mapping covers more? Only one that is
 * not there at all, or has it anyway. */
static bool may_join(const struct sgx_enclave *e, uint64_t page, uint64_t prot)
{
    uint64_t entry = soft_epcm_load(e, page);

    if ((entry & EPCM_VALID) == 0) {
        return (prot & ~soft_map_prot(e, page)) == 0;
    }
    return soft_wanted_prot(e, page, entry) == prot;
}

/*
 * The kernel allows a process vm.max_map_count mappings, the EPCM any pattern. When they run out,
 * pages of the same 2 MiB that are not there are opened together with their neighbours: touching
 * one of those no longer faults. NACRE_SOFTSGX_STRICT=1 forbids it (the enclave then gets #PF).
 */
static long protect_wide(struct sgx_enclave *e, uint64_t *first, uint64_t *count, uint64_t prot)
{
    uint64_t lowest = page_align_up(e->low - e->base) >> NACRE_PAGE_SHIFT;
    uint64_t from = *first;
    uint64_t to = *first + *count;

    while (from % CHUNK != 0 && from > lowest && may_join(e, from - 1, prot)) {
        from--;
    }
    while (to % CHUNK != 0 && may_join(e, to, prot)) {
        to++;
    }
    *first = from;
    *count = to - from;
    return protect(e, from, to - from, prot);
}

int soft_protect_locked(struct sgx_enclave *e, uint64_t first, uint64_t count, uint64_t prot)
{
    long r = protect(e, first, count, prot);

    if (r == -ENOMEM && prot != 0 && !soft_strict) {
        r = protect_wide(e, &first, &count, prot);
    }
    if (r < 0) {
        return (int)r;
    }
    for (uint64_t i = 0; i < count; i++) {
        set_host_prot(e, first + i, prot);
    }
    for (uint64_t i = first / CHUNK; prot != 0 && i <= (first + count - 1) / CHUNK; i++) {
        e->touched[i] = 1;
    }
    return 0;
}

/* The first chunk from `chunk` on that has been open, or `end`: eight at a glance, since a range
 * may be all of 1 TiB. */
uint64_t soft_touched_from(const struct sgx_enclave *e, uint64_t chunk, uint64_t end)
{
    while (chunk < end && e->touched[chunk] == 0) {
        chunk++;
        while (chunk % 8 == 0 && chunk + 8 <= end &&
               *(const uint64_t *)(const void *)&e->touched[chunk] == 0) {
            chunk += 8;
        }
    }
    return chunk;
}

int soft_reapply_locked(struct sgx_enclave *e, uint64_t first, uint64_t count)
{
    uint64_t end = first + count;
    uint64_t last = (end + CHUNK - 1) / CHUNK;

    for (uint64_t chunk = soft_touched_from(e, first / CHUNK, last); chunk < last;
         chunk = soft_touched_from(e, chunk + 1, last)) {
        uint64_t from = chunk * CHUNK < first ? first : chunk * CHUNK;
        uint64_t to = (chunk + 1) * CHUNK < end ? (chunk + 1) * CHUNK : end;
        int r = soft_apply_range_locked(e, from, to - from);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int soft_apply_range_locked(struct sgx_enclave *e, uint64_t first, uint64_t count)
{
    uint64_t end = first + count;
    uint64_t page = first;

    while (page < end) {
        uint64_t entry = soft_epcm_load(e, page);
        uint64_t want = soft_wanted_prot(e, page, entry);
        uint64_t run = page;
        int r;

        if (want == host_prot(entry)) {
            page++;
            continue;
        }
        while (run < end) {
            entry = soft_epcm_load(e, run);
            if (soft_wanted_prot(e, run, entry) != want) {
                break;
            }
            run++;
        }
        r = soft_protect_locked(e, page, run - page, want);
        if (r < 0) {
            return r;
        }
        page = run;
    }
    return 0;
}

/* Pages from `first` on, at most `count`, that get the same protection; does the host's table have
 * to change for it? */
static uint64_t close_run(const struct sgx_enclave *e, uint64_t first, uint64_t count,
                          uint64_t prot, uint64_t *ret_want, bool *ret_change)
{
    uint64_t n = 0;

    *ret_change = false;
    for (; n < count; n++) {
        const uint64_t entry = soft_epcm_load(e, first + n);
        const uint64_t want = prot & entry_prot(e, entry);

        if (n == 0) {
            *ret_want = want;
        }
        if (want != *ret_want) {
            break;
        }
        *ret_change = *ret_change || host_prot(entry) != want;
    }
    return n;
}

int soft_close_locked(struct sgx_enclave *e, uint64_t first, uint64_t count, uint64_t prot,
                      uint64_t *seen)
{
    const uint64_t end = first + count;
    int r = 0;

    for (uint64_t page = first; page < end && r == 0;) {
        bool change;
        uint64_t want;
        const uint64_t n = close_run(e, page, end - page, prot, &want, &change);
        const uint64_t bits = want << EPCM_HOST_SHIFT | (prot == 0 ? EPCM_CLOSED : 0);

        r = change ? (int)protect(e, page, n, want) : 0;
        for (uint64_t p = page; p < page + n && r == 0; p++) {
            uint64_t entry = soft_epcm_load(e, p);

            while (!soft_epcm_swap(e, p, &entry, (entry & ~EPCM_STAY_MASK) | bits)) {
            }
            *seen |= entry;
        }
        for (uint64_t i = page / CHUNK; i <= (page + n - 1) / CHUNK; i++) {
            e->touched[i] = 1;
        }
        page += n;
    }
    return r;
}

int soft_apply_range(struct sgx_enclave *e, uint64_t first, uint64_t count)
{
    int r;

    soft_lock(&e->lock);
    r = soft_apply_range_locked(e, first, count);
    soft_unlock(&e->lock);
    return r;
}

#define APPLY_REACH 65536u /* pages looked at on either side of a fault */

int soft_apply(struct sgx_enclave *e, uint64_t page)
{
    uint64_t lowest = page_align_up(e->low - e->base) >> NACRE_PAGE_SHIFT;
    uint64_t pages = e->size >> NACRE_PAGE_SHIFT;
    uint64_t first = page;
    uint64_t last = page;
    uint64_t entry;
    uint64_t want;
    int r = 0;

    soft_lock(&e->lock);
    entry = soft_epcm_load(e, page);
    want = soft_wanted_prot(e, page, entry);
    if (want != host_prot(entry)) {
        while (first > lowest && page - first < APPLY_REACH) {
            entry = soft_epcm_load(e, first - 1);
            if (soft_wanted_prot(e, first - 1, entry) != want || host_prot(entry) == want) {
                break;
            }
            first--;
        }
        while (last + 1 < pages && last - page < APPLY_REACH) {
            entry = soft_epcm_load(e, last + 1);
            if (soft_wanted_prot(e, last + 1, entry) != want || host_prot(entry) == want) {
                break;
            }
            last++;
        }
        r = soft_protect_locked(e, first, last - first + 1, want);
    }
    soft_unlock(&e->lock);
    return r;
}

/* --- adding on demand, and access by microcode --- */

bool soft_eaug(struct sgx_enclave *e, uint64_t page)
{
    uint64_t entry = soft_epcm_load(e, page);

    if ((entry & EPCM_VALID) != 0 || !e->initialized || soft_map_prot(e, page) == 0) {
        return false;
    }
    if ((host_prot(entry) & EPCM_W) != 0) { /* protect_wide() opened it: zero as EAUG promises */
        soft_zero((void *)(e->base + (page << NACRE_PAGE_SHIFT)), NACRE_PAGE_SIZE);
    }
    return soft_epcm_swap(
        e, page, &entry, entry | EPCM_VALID | EPCM_R | EPCM_W | EPCM_PENDING | EPCM_PT(SGX_PT_REG));
}

enum soft_result soft_access(struct sgx_enclave *e, uint64_t addr, uint64_t need,
                             struct soft_fault *ret_fault)
{
    uint64_t page = soft_page_of(e, addr);
    uint32_t code = X86_PF_U | ((need & EPCM_W) != 0 ? X86_PF_W : 0);
    uint64_t entry;

    if (!soft_in_elrange(e, addr) || (need & ~soft_map_prot(e, page)) != 0) {
        return soft_pf(ret_fault, addr, code);
    }
    (void)soft_eaug(e, page);
    entry = soft_epcm_load(e, page);
    if ((entry & EPCM_VALID) == 0 || (entry & (EPCM_PENDING | EPCM_MODIFIED)) != 0 ||
        epcm_type(entry) != SGX_PT_REG || (need & ~entry) != 0) {
        return soft_pf(ret_fault, addr, code | X86_PF_P | X86_PF_SGX);
    }
    if ((need & ~host_prot(entry)) != 0 && soft_apply(e, page) < 0) {
        return soft_pf(ret_fault, addr, code);
    }
    return SOFT_OK;
}

enum soft_result soft_operand(struct sgx_enclave *e, uint64_t addr, uint64_t align, uint64_t need,
                              struct soft_fault *ret_fault)
{
    if ((addr & (align - 1)) != 0 || !soft_in_elrange(e, addr)) {
        return soft_gp(ret_fault);
    }
    return soft_access(e, addr, need, ret_fault);
}

/* --- batches of accepted pages --- */

void soft_flush_open(struct soft_thread *th)
{
    if (th->flush != 0) {
        struct sgx_enclave *e = th->flush_enclave;

        th->flush = 0;
        (void)soft_apply_range(e, th->flush_first, th->flush_last - th->flush_first + 1);
    }
}

void soft_open_later(struct soft_thread *th, struct sgx_enclave *e, uint64_t page)
{
    if (th->flush != 0 && th->flush_enclave == e) {
        if (page == th->flush_last + 1) {
            th->flush_last = page;
            return;
        }
        if (page + 1 == th->flush_first) {
            th->flush_first = page;
            return;
        }
        if (page >= th->flush_first && page <= th->flush_last) {
            return;
        }
    }
    soft_flush_open(th);
    th->flush_enclave = e;
    th->flush_first = page;
    th->flush_last = page;
    th->flush = 1;
}
