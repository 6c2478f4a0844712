/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* ECREATE (SDM 40.3), the registry of enclaves, and their end. */

#include "softsgx/internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/ct.h"
#include "softsgx/keys.h"

#define ADDR_BITS  47u
#define SIZE_MIN   (2 * (uint64_t)NACRE_PAGE_SIZE)
#define MISC_KNOWN SGX_MISC_EXINFO
#define FLAGS_OFFERED \
    (SGX_FLAGS_DEBUG | SGX_FLAGS_MODE64BIT | SGX_FLAGS_PROVISIONKEY | SGX_FLAGS_KSS)

static struct sgx_enclave *g_enclaves[SOFT_ENCLAVE_MAX];
struct soft_locks soft_locks;

int soft_register(struct sgx_enclave *e)
{
    int r = -ENOSPC;

    soft_lock(&soft_locks.registry);
    for (size_t i = 0; i < SOFT_ENCLAVE_MAX && r < 0; i++) {
        if (g_enclaves[i] == NULL) {
            __atomic_store_n(&g_enclaves[i], e, __ATOMIC_RELEASE);
            r = 0;
        }
    }
    soft_unlock(&soft_locks.registry);
    return r;
}

void soft_unregister(struct sgx_enclave *e)
{
    soft_lock(&soft_locks.registry);
    for (size_t i = 0; i < SOFT_ENCLAVE_MAX; i++) {
        if (g_enclaves[i] == e) {
            __atomic_store_n(&g_enclaves[i], NULL, __ATOMIC_RELEASE);
        }
    }
    soft_unlock(&soft_locks.registry);
}

struct sgx_enclave *soft_find(uint64_t addr)
{
    for (size_t i = 0; i < SOFT_ENCLAVE_MAX; i++) {
        struct sgx_enclave *e = __atomic_load_n(&g_enclaves[i], __ATOMIC_ACQUIRE);

        if (e != NULL && soft_in_elrange(e, addr)) {
            return e;
        }
    }
    return NULL;
}

uint64_t soft_highest_end(void)
{
    uint64_t end = NACRE_PAGE_SIZE;

    for (size_t i = 0; i < SOFT_ENCLAVE_MAX; i++) {
        struct sgx_enclave *e = __atomic_load_n(&g_enclaves[i], __ATOMIC_ACQUIRE);

        if (e != NULL && e->base + e->size > end) {
            end = e->base + e->size;
        }
    }
    return end;
}

static int check_attributes(const struct sgx_secs *s, struct error **err)
{
    uint64_t xcr0 = soft_xcr0();
    uint64_t xfrm = s->attributes.xfrm;

    if ((s->attributes.flags & ~FLAGS_OFFERED) != 0) {
        return error_set(err, EINVAL,
                         "ECREATE: ATTRIBUTES 0x%llx asks for flags this processor does not have "
                         "(0x%llx)",
                         (unsigned long long)s->attributes.flags,
                         (unsigned long long)(s->attributes.flags & ~FLAGS_OFFERED));
    }
    if ((s->attributes.flags & SGX_FLAGS_MODE64BIT) == 0) {
        return error_set(err, EINVAL,
                         "ECREATE: ATTRIBUTES.MODE64BIT is not set; 32-bit enclaves "
                         "are not supported");
    }
    if ((xfrm & SGX_XFRM_LEGACY) != SGX_XFRM_LEGACY || (xfrm & ~xcr0) != 0 ||
        ((xfrm & SGX_XFRM_AVX512) != 0 &&
         (xfrm & (SGX_XFRM_AVX512 | SGX_XFRM_AVX)) != (SGX_XFRM_AVX512 | SGX_XFRM_AVX))) {
        return error_set(err, EINVAL,
                         "ECREATE: XFRM 0x%llx is not a valid choice from what this machine has "
                         "(XCR0 0x%llx; bits 0 and 1 are required, AVX-512 needs AVX)",
                         (unsigned long long)xfrm, (unsigned long long)xcr0);
    }
    if ((s->attributes.flags & SGX_FLAGS_KSS) == 0 &&
        (s->config_svn != 0 || !ct_is_zero(s->config_id, sizeof(s->config_id)))) {
        return error_set(err, EINVAL, "ECREATE: CONFIGID and CONFIGSVN need ATTRIBUTES.KSS");
    }
    return 0;
}

static int check_secs(const struct sgx_secs *s, struct error **err)
{
    uint64_t need;

    if (s->size < SIZE_MIN || (s->size & (s->size - 1)) != 0 || s->size > 1ull << ADDR_BITS) {
        return error_set(err, EINVAL,
                         "ECREATE: SECS.SIZE 0x%llx is not a power of two of at least "
                         "two pages",
                         (unsigned long long)s->size);
    }
    if ((s->base & (s->size - 1)) != 0 || s->base > (1ull << ADDR_BITS) - s->size) {
        return error_set(err, EINVAL,
                         "ECREATE: SECS.BASEADDR 0x%llx is not a multiple of SECS.SIZE 0x%llx in "
                         "user space",
                         (unsigned long long)s->base, (unsigned long long)s->size);
    }
    if ((s->miscselect & ~MISC_KNOWN) != 0) {
        return error_set(err, EINVAL, "ECREATE: MISCSELECT 0x%x has bits other than EXINFO",
                         s->miscselect);
    }
    if (s->cet_leg_bitmap_offset != 0 || s->cet_attributes != 0) {
        return error_set(err, EINVAL, "ECREATE: CET fields must be zero without ATTRIBUTES.CET");
    }
    if (!ct_is_zero(s->reserved1, sizeof(s->reserved1)) ||
        !ct_is_zero(s->reserved2, sizeof(s->reserved2)) ||
        !ct_is_zero(s->reserved3, sizeof(s->reserved3)) ||
        !ct_is_zero(s->reserved4, sizeof(s->reserved4))) {
        return error_set(err, EINVAL, "ECREATE: a reserved field of SECS is not zero");
    }
    if (check_attributes(s, err) < 0) {
        return -EINVAL;
    }
    need = soft_xsave_size(s->attributes.xfrm) + sizeof(struct sgx_gprsgx) +
           ((s->miscselect & SGX_MISC_EXINFO) != 0 ? sizeof(struct sgx_exinfo) : 0);
    if (s->ssa_frame_size == 0 || (uint64_t)s->ssa_frame_size * NACRE_PAGE_SIZE < need ||
        (uint64_t)s->ssa_frame_size * NACRE_PAGE_SIZE > s->size) {
        return error_set(err, EINVAL,
                         "ECREATE: SSAFRAMESIZE of %u pages does not hold %llu bytes of state",
                         s->ssa_frame_size, (unsigned long long)need);
    }
    return 0;
}

static uint64_t mmap_min_addr(void)
{
    _cleanup_fclose_ FILE *f = fopen("/proc/sys/vm/mmap_min_addr", "re");
    unsigned long long v = 65536;

    if (f != NULL && fscanf(f, "%llu", &v) != 1) {
        v = 65536;
    }
    return page_align_up(MAX(v, (unsigned long long)NACRE_PAGE_SIZE));
}

static void *sparse(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static int reserve(struct sgx_enclave *e, struct error **err)
{
    void *want;
    void *p;

    e->low = MAX(e->base, mmap_min_addr());
    if (e->low >= e->base + e->size) {
        return error_set(err, EINVAL, "the enclave lies below vm.mmap_min_addr");
    }
    want = (void *)e->low;
    p = mmap(want, e->base + e->size - e->low, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (p != want) {
        int r = p == MAP_FAILED ? errno : EEXIST;

        if (p != MAP_FAILED) {
            (void)munmap(p, e->base + e->size - e->low);
        }
        return error_set_errno(err, r, "cannot reserve the enclave's address range 0x%llx-0x%llx",
                               (unsigned long long)e->low, (unsigned long long)(e->base + e->size));
    }
    /* As the driver's mappings: a forked child does not get them. */
    (void)madvise(p, e->base + e->size - e->low, MADV_DONTFORK);
    /* Only committed pages are ever open, so huge pages appear where 2 MiB are committed at once
     * and waste nothing; a page fault costs as much as clearing dozens of pages. */
    (void)madvise(p, e->base + e->size - e->low, MADV_HUGEPAGE);
    return 0;
}

/* Threads that held a lock do not exist in the child. */
static void in_forked_child(void)
{
    soft_locks = (struct soft_locks){0};
    for (size_t i = 0; i < SOFT_ENCLAVE_MAX; i++) {
        if (g_enclaves[i] != NULL) {
            g_enclaves[i]->lock = 0;
        }
    }
}

static int once(void)
{
    const char *strict = getenv("NACRE_SOFTSGX_STRICT");
    int r = 0;

    soft_lock(&soft_locks.tcs);
    if (soft_tcs_arena == NULL) {
        soft_strict = strict != NULL && strict[0] == '1';
        soft_tcs_arena = sparse(SOFT_TCS_MAX * sizeof(*soft_tcs_arena));
        r = soft_tcs_arena == NULL ? -ENOMEM : -pthread_atfork(NULL, NULL, in_forked_child);
    }
    soft_unlock(&soft_locks.tcs);
    return r;
}

static void release(struct sgx_enclave *e)
{
    uint64_t pages = e->size >> NACRE_PAGE_SHIFT;
    struct soft_maps *m = e->maps;

    while (m != NULL) {
        struct soft_maps *older = m->older;

        free(m);
        m = older;
    }
    if (e->epcm != NULL) {
        (void)munmap(e->epcm, pages * sizeof(*e->epcm));
    }
    if (e->touched != NULL) {
        (void)munmap(e->touched, pages / 512 + 1);
    }
    if (e->gs_table != NULL) {
        (void)munmap((void *)e->gs_table, pages * sizeof(*e->gs_table));
    }
    free(e->slots);
    soft_measure_free(e->measure);
    free(e);
}

int soft_create(const struct sgx_secs *secs, struct sgx_enclave **ret, struct error **err)
{
    uint64_t here = (uint64_t)(uintptr_t)soft_ucode_start;
    struct sgx_enclave *e;
    uint64_t pages;
    int r;

    r = check_secs(secs, err);
    if (r < 0) {
        return r;
    }
    /* Syscall User Dispatch has one allowed range, and it must hold all host code. */
    if (here < secs->base + secs->size) {
        return error_set(err, EINVAL,
                         "the enclave must lie below the program (which is at 0x%llx); choose a "
                         "lower base",
                         (unsigned long long)here);
    }
    e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return error_set(err, ENOMEM, "out of memory");
    }
    e->base = secs->base;
    e->size = secs->size;
    e->ssa_frame_size = (uint64_t)secs->ssa_frame_size * NACRE_PAGE_SIZE;
    e->xfrm = secs->attributes.xfrm;
    e->debug = (secs->attributes.flags & SGX_FLAGS_DEBUG) != 0;
    e->secs = *secs;
    e->pid = getpid();
    e->id.attributes = secs->attributes;
    e->id.miscselect = secs->miscselect;
    e->id.config_svn = secs->config_svn;
    memcpy(e->id.config_id, secs->config_id, sizeof(e->id.config_id));
    pages = e->size >> NACRE_PAGE_SHIFT;
    e->epcm = sparse(pages * sizeof(*e->epcm));
    e->touched = sparse(pages / 512 + 1);
    e->gs_table = sparse(pages * sizeof(*e->gs_table));
    e->measure = soft_measure_new();
    if (e->epcm == NULL || e->touched == NULL || e->gs_table == NULL || e->measure == NULL ||
        once() < 0) {
        release(e);
        return error_set(err, ENOMEM, "cannot reserve the enclave page cache map");
    }
    r = soft_fuse_load(err);
    if (r == 0) {
        r = reserve(e, err);
    }
    if (r < 0) {
        release(e);
        return r;
    }
    r = soft_slots_map(e);
    if (r == 0) {
        r = soft_register(e);
    }
    if (r < 0) {
        soft_slots_unmap(e);
        (void)munmap((void *)e->low, e->base + e->size - e->low);
        release(e);
        return error_set_errno(err, -r, "cannot create another enclave");
    }
    soft_measure_create(e->measure, secs->ssa_frame_size, secs->size);
    *ret = e;
    return 0;
}

void soft_destroy(struct sgx_enclave *e)
{
    if (e == NULL) {
        return;
    }
    soft_unregister(e);
    soft_bump_epoch();
    soft_tcs_remove_all(e);
    /* A forked child never had the pages: by now another enclave may live there. */
    if (e->pid == getpid()) {
        (void)munmap((void *)e->low, e->base + e->size - e->low);
    }
    soft_slots_unmap(e);
    release(e);
}
