/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* EADD and EEXTEND (SDM 40.3), many pages at a time as the driver's ioctl does it; host mappings.
 */

#include "softsgx/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

void soft_host_lock(struct sgx_enclave *e, sigset_t *ret_old)
{
    struct soft_thread *th = soft_self;
    uint64_t all = ~0ull;

    if (th != NULL) {
        th->hold = 1; /* the handler puts signals off: cheaper than two system calls */
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    } else {
        (void)soft_syscall(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)ret_old, 8);
    }
    soft_lock(&e->lock);
}

void soft_host_unlock(struct sgx_enclave *e, const sigset_t *old)
{
    struct soft_thread *th = soft_self;

    soft_unlock(&e->lock);
    if (th == NULL) {
        (void)soft_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)old, 0, 8);
        return;
    }
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    th->hold = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (th->deferred != 0) {
        soft_leaf_deferred(th);
    }
}

int soft_check_range(const struct sgx_enclave *e, uint64_t offset, size_t size)
{
    if (size == 0 || !is_page_aligned(offset) || !is_page_aligned(size) || offset >= e->size ||
        size > e->size - offset || e->base + offset < e->low) {
        return -EINVAL;
    }
    return 0;
}

static int check_add(struct sgx_enclave *e, uint64_t offset, const void *src, size_t size,
                     uint64_t flags, struct error **err)
{
    enum sgx_page_type type = epcm_type(flags);

    if (e->initialized) {
        return error_set(err, EINVAL, "EADD: the enclave is initialised already");
    }
    if (soft_check_range(e, offset, size) < 0) {
        return error_set(err, EINVAL,
                         "EADD: pages 0x%llx+0x%zx are not whole pages inside the enclave (its "
                         "first usable offset is 0x%llx)",
                         (unsigned long long)offset, size, (unsigned long long)(e->low - e->base));
    }
    if (((uintptr_t)src & (NACRE_PAGE_SIZE - 1)) != 0) {
        return error_set(err, EINVAL, "EADD: the source is not page aligned");
    }
    if ((flags & ~(SGX_SECINFO_RWX | SGX_SECINFO_PT_MASK)) != 0 ||
        (type != SGX_PT_REG && type != SGX_PT_TCS)) {
        return error_set(err, EINVAL, "EADD: SECINFO.FLAGS 0x%llx: page type must be REG or TCS",
                         (unsigned long long)flags);
    }
    if ((flags & (SGX_SECINFO_R | SGX_SECINFO_W)) == SGX_SECINFO_W) {
        return error_set(err, EINVAL, "EADD: SECINFO.FLAGS 0x%llx: W without R",
                         (unsigned long long)flags);
    }
    if (type == SGX_PT_TCS && (flags & SGX_SECINFO_RWX) != 0) {
        return error_set(err, EINVAL, "EADD: a TCS page has no permissions");
    }
    return 0;
}

/* One page's EPCM entry; the TCS copy when it is one. The caller holds the lock. */
static int add_one(struct sgx_enclave *e, uint64_t page, const uint8_t *src, uint64_t flags)
{
    uint64_t entry = soft_epcm_load(e, page);
    uint32_t slot = 0;

    if ((entry & EPCM_VALID) != 0) {
        return -EEXIST;
    }
    if (epcm_type(flags) == SGX_PT_TCS) {
        const struct sgx_tcs *tcs = (const struct sgx_tcs *)(const void *)src;
        int r;

        r = soft_tcs_add(e, page, tcs, &slot);
        if (r < 0) {
            return r;
        }
    }
    entry = (entry & EPCM_STAY_MASK) | EPCM_VALID | flags | (uint64_t)slot << EPCM_SLOT_SHIFT;
    __atomic_store_n(&e->epcm[page], entry, __ATOMIC_RELEASE);
    return 0;
}

int soft_add_pages(struct sgx_enclave *e, uint64_t offset, const void *src, size_t size,
                   uint64_t secinfo_flags, bool measure, struct error **err)
{
    const uint8_t *from = src;
    uint64_t first = offset >> NACRE_PAGE_SHIFT;
    uint64_t count = size >> NACRE_PAGE_SHIFT;
    sigset_t old;
    int r = check_add(e, offset, src, size, secinfo_flags, err);

    if (r < 0) {
        return r;
    }
    soft_host_lock(e, &old);
    for (uint64_t i = 0; i < count && r == 0; i++) {
        r = add_one(e, first + i, from + i * NACRE_PAGE_SIZE, secinfo_flags);
        if (r < 0) {
            (void)error_set(err, -r,
                            r == -EEXIST ? "EADD: the page at offset 0x%llx was added before"
                                         : "EADD: the TCS at offset 0x%llx has reserved bits set, "
                                           "unaligned fields or offsets outside the enclave",
                            (unsigned long long)(offset + i * NACRE_PAGE_SIZE));
        }
    }
    if (r == 0) {
        r = soft_protect_locked(e, first, count, EPCM_R | EPCM_W);
        if (r < 0) {
            (void)error_set_errno(err, -r, "EADD: no memory for %llu pages",
                                  (unsigned long long)count);
        }
    }
    if (r == 0) {
        /* All of them at once instead of a fault each; what fails now faults then. */
        (void)madvise((void *)(e->base + offset), size, MADV_POPULATE_WRITE);
        memcpy((void *)(e->base + offset), src, size);
        (void)soft_apply_range_locked(e, first, count);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t at = offset + i * NACRE_PAGE_SIZE;

            soft_measure_add(e->measure, at, secinfo_flags);
            if (measure) {
                soft_measure_extend(e->measure, at, from + i * NACRE_PAGE_SIZE);
            }
        }
    }
    soft_host_unlock(e, &old);
    return r;
}

/* --- host mappings: sorted, disjoint ranges, published as a whole --- */

static void put(struct soft_maps *m, uint64_t start, uint64_t end, uint32_t prot)
{
    struct soft_map *last = m->count == 0 ? NULL : &m->range[m->count - 1];

    if (start >= end || prot == 0) {
        return;
    }
    if (last != NULL && last->end == start && last->prot == prot) {
        last->end = end;
        return;
    }
    m->range[m->count++] = (struct soft_map){.start = start, .end = end, .prot = prot};
}

static struct soft_maps *replace(const struct soft_maps *was, uint64_t start, uint64_t end,
                                 uint32_t prot)
{
    size_t count = was == NULL ? 0 : was->count;
    struct soft_maps *m = malloc(sizeof(*m) + (count + 2) * sizeof(m->range[0]));
    bool done = false;

    if (m == NULL) {
        return NULL;
    }
    m->count = 0;
    m->older = NULL;
    for (size_t i = 0; i < count; i++) {
        struct soft_map r = was->range[i];

        put(m, r.start, MIN(r.end, start), r.prot);
        if (!done && r.end > start) {
            put(m, start, end, prot);
            done = true;
        }
        put(m, MAX(r.start, end), r.end, r.prot);
    }
    if (!done) {
        put(m, start, end, prot);
    }
    return m;
}

/* The protection of the one range all of these pages lie in; UINT32_MAX: there is no such range. */
static uint32_t range_prot(const struct soft_maps *m, uint64_t start, uint64_t end)
{
    for (size_t i = 0; m != NULL && i < m->count; i++) {
        if (start >= m->range[i].start && end <= m->range[i].end) {
            return m->range[i].prot;
        }
    }
    return UINT32_MAX;
}

/* Nothing in a range of any size is closed any more. */
static void forget_closed(struct sgx_enclave *e, uint64_t first, uint64_t count)
{
    const uint64_t end = first + count;
    const uint64_t last = (end + 511) / 512;

    for (uint64_t chunk = soft_touched_from(e, first / 512, last); chunk < last;
         chunk = soft_touched_from(e, chunk + 1, last)) {
        for (uint64_t p = MAX(first, chunk * 512); p < MIN(end, (chunk + 1) * 512); p++) {
            (void)__atomic_and_fetch(&e->epcm[p], ~EPCM_CLOSED, __ATOMIC_SEQ_CST);
        }
    }
}

#define CLOSE_MAX 65536u /* pages: more than that makes a range of its own */

/*
 * Guard pages and memory that is kept for later come and go by the thousand: they are marks at the
 * pages. Everything else is a new table of ranges (readers hold the old ones, which stay).
 */
int soft_map_pages(struct sgx_enclave *e, uint64_t offset, size_t size, int prot,
                   struct error **err)
{
    uint32_t bits = ((prot & PROT_READ) != 0 ? EPCM_R : 0) |
                    ((prot & PROT_WRITE) != 0 ? EPCM_W : 0) |
                    ((prot & PROT_EXEC) != 0 ? EPCM_X : 0);
    uint64_t first = offset >> NACRE_PAGE_SHIFT;
    uint64_t count = size >> NACRE_PAGE_SHIFT;
    uint64_t start = e->base + offset;
    uint64_t seen = 0;
    uint32_t whole;
    sigset_t old;
    int r;

    if (soft_check_range(e, offset, size) < 0) {
        return error_set(err, EINVAL, "map: 0x%llx+0x%zx are not whole pages inside the enclave",
                         (unsigned long long)offset, size);
    }
    soft_host_lock(e, &old);
    whole = count <= CLOSE_MAX ? range_prot(e->maps, start, start + size) : UINT32_MAX;
    if (whole != UINT32_MAX && (bits == 0 || bits == whole)) {
        r = soft_close_locked(e, first, count, bits, &seen);
    } else {
        r = -EAGAIN;
    }
    /* The kernel has a limit of mappings, and ways around it that are not worth it here. */
    if (r < 0) {
        struct soft_maps *m = replace(e->maps, start, start + size, bits);

        if (m == NULL) {
            soft_host_unlock(e, &old);
            return error_set(err, ENOMEM, "out of memory");
        }
        m->older = e->maps;
        __atomic_store_n(&e->maps, m, __ATOMIC_RELEASE);
        seen = EPCM_ENTERED;
        forget_closed(e, first, count);
        r = soft_reapply_locked(e, first, count);
    }
    soft_host_unlock(e, &old);
    if ((seen & EPCM_ENTERED) != 0) {
        soft_bump_epoch();
    }
    return r < 0 ? error_set_errno(err, -r, "map: cannot change page permissions") : 0;
}
