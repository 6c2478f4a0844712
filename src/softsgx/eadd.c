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
    uint64_t all = ~0ull;

    (void)soft_syscall(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)ret_old, 8);
    soft_lock(&e->lock);
}

void soft_host_unlock(struct sgx_enclave *e, const sigset_t *old)
{
    soft_unlock(&e->lock);
    (void)soft_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)old, 0, 8);
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
    entry = (entry & EPCM_HOST_MASK) | EPCM_VALID | flags | (uint64_t)slot << EPCM_SLOT_SHIFT;
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

int soft_map_pages(struct sgx_enclave *e, uint64_t offset, size_t size, int prot,
                   struct error **err)
{
    uint32_t bits = ((prot & PROT_READ) != 0 ? EPCM_R : 0) |
                    ((prot & PROT_WRITE) != 0 ? EPCM_W : 0) |
                    ((prot & PROT_EXEC) != 0 ? EPCM_X : 0);
    uint64_t first = offset >> NACRE_PAGE_SHIFT;
    uint64_t count = size >> NACRE_PAGE_SHIFT;
    struct soft_maps *m;
    sigset_t old;
    int r;

    if (soft_check_range(e, offset, size) < 0) {
        return error_set(err, EINVAL, "map: 0x%llx+0x%zx are not whole pages inside the enclave",
                         (unsigned long long)offset, size);
    }
    soft_host_lock(e, &old);
    m = replace(e->maps, e->base + offset, e->base + offset + size, bits);
    if (m == NULL) {
        soft_host_unlock(e, &old);
        return error_set(err, ENOMEM, "out of memory");
    }
    m->older = e->maps;
    __atomic_store_n(&e->maps, m, __ATOMIC_RELEASE);
    r = soft_reapply_locked(e, first, count);
    soft_host_unlock(e, &old);
    soft_bump_epoch();
    return r < 0 ? error_set_errno(err, -r, "map: cannot change page permissions") : 0;
}
