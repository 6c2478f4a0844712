/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * EMODPR, EMODT, EREMOVE, EAUG as the Linux driver's ioctls use them: page by page, then one ETRACK
 * cycle. The driver's refusals are -Exxx, the instruction's are in *ret_result.
 */

#include "softsgx/internal.h"

#include <errno.h>
#include <sys/mman.h>

static int finish(uint64_t code, uint64_t *ret_result)
{
    if (ret_result != NULL) {
        *ret_result = code;
    }
    return code == SGX_SUCCESS ? 0 : -EFAULT;
}

static int check(const struct sgx_enclave *e, uint64_t offset, size_t size)
{
    int r = soft_check_range(e, offset, size);

    return r < 0 ? r : e->initialized ? 0 : -EINVAL;
}

/* The ETRACK cycle after which EACCEPT takes these pages. */
static void tracked(struct sgx_enclave *e, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        (void)__atomic_and_fetch(&e->epcm[first + i], ~EPCM_UNTRACKED, __ATOMIC_SEQ_CST);
    }
}

int soft_augment(struct sgx_enclave *e, uint64_t offset, size_t size)
{
    uint64_t first = offset >> NACRE_PAGE_SHIFT;
    uint64_t count = size >> NACRE_PAGE_SHIFT;
    int r = check(e, offset, size);

    for (uint64_t i = 0; i < count && r == 0; i++) {
        (void)soft_eaug(e, first + i);
    }
    return r;
}

/* Threads remember what EENTER found out about their TCS and its SSA frames; they look again when
 * one of those changed. The marks are made before the look (tcs.c), the bump comes after the
 * change: whoever looked too early for the change was early enough for the bump. */
static void bump_if_entered(uint64_t seen)
{
    if ((seen & EPCM_ENTERED) != 0) {
        soft_bump_epoch();
    }
}

static uint64_t emodpr(struct sgx_enclave *e, uint64_t page, uint64_t perm, uint64_t *seen)
{
    uint64_t entry = soft_epcm_load(e, page);

    do {
        if ((entry & EPCM_VALID) == 0) {
            return SGX_PG_INVLD;
        }
        if (epcm_type(entry) != SGX_PT_REG || (entry & (EPCM_PENDING | EPCM_MODIFIED)) != 0) {
            return SGX_PAGE_NOT_MODIFIABLE;
        }
    } while (
        !soft_epcm_swap(e, page, &entry, (entry & (~EPCM_RWX | perm)) | EPCM_PR | EPCM_UNTRACKED));
    *seen |= entry;
    return SGX_SUCCESS;
}

int soft_restrict_permissions(struct sgx_enclave *e, uint64_t offset, size_t size,
                              uint64_t secinfo_perm, uint64_t *ret_result)
{
    uint64_t first = offset >> NACRE_PAGE_SHIFT;
    uint64_t count = size >> NACRE_PAGE_SHIFT;
    uint64_t code = SGX_SUCCESS;
    uint64_t done = 0;
    uint64_t seen = 0;
    sigset_t old;
    int r = check(e, offset, size);

    if (r < 0) {
        return r;
    }
    /* As the driver: no page without R, and no reserved bits. */
    if ((secinfo_perm & ~SGX_SECINFO_RWX) != 0 || (secinfo_perm & SGX_SECINFO_R) == 0) {
        return -EINVAL;
    }
    soft_host_lock(e, &old);
    while (done < count && code == SGX_SUCCESS) {
        code = emodpr(e, first + done, secinfo_perm, &seen);
        done += code == SGX_SUCCESS ? 1 : 0;
    }
    bump_if_entered(seen);
    r = done == 0 ? 0 : soft_apply_range_locked(e, first, done);
    tracked(e, first, done);
    soft_host_unlock(e, &old);
    return r < 0 ? r : finish(code, ret_result);
}

/* A TCS that somebody is in cannot change; the driver would wait for ETRACK. */
static bool tcs_busy(uint64_t entry)
{
    return epcm_type(entry) == SGX_PT_TCS &&
           __atomic_load_n(&soft_tcs_arena[entry >> EPCM_SLOT_SHIFT].owner, __ATOMIC_SEQ_CST) !=
               NULL;
}

static uint64_t emodt(struct sgx_enclave *e, uint64_t page, enum sgx_page_type type, uint64_t *seen)
{
    uint64_t entry = soft_epcm_load(e, page);
    uint64_t now;

    do {
        if ((entry & EPCM_VALID) == 0) {
            return SGX_PG_INVLD;
        }
        if ((epcm_type(entry) != SGX_PT_REG &&
             !(epcm_type(entry) == SGX_PT_TCS && type == SGX_PT_TRIM)) ||
            (entry & (EPCM_PENDING | EPCM_MODIFIED)) != 0) {
            return SGX_PAGE_NOT_MODIFIABLE;
        }
        if (tcs_busy(entry)) {
            return SGX_EPC_PAGE_CONFLICT;
        }
        now = (entry & ~(EPCM_RWX | EPCM_PR | EPCM_PT_MASK)) | EPCM_PT(type) | EPCM_MODIFIED |
              EPCM_UNTRACKED;
        if (epcm_type(entry) == SGX_PT_TCS) {
            now &= 0xffffffffull;
        }
    } while (!soft_epcm_swap(e, page, &entry, now));
    if (epcm_type(entry) == SGX_PT_TCS) {
        soft_tcs_remove(e, (uint32_t)(entry >> EPCM_SLOT_SHIFT));
        *seen |= EPCM_ENTERED;
    }
    *seen |= entry;
    return SGX_SUCCESS;
}

int soft_modify_types(struct sgx_enclave *e, uint64_t offset, size_t size, enum sgx_page_type type,
                      uint64_t *ret_result)
{
    uint64_t first = offset >> NACRE_PAGE_SHIFT;
    uint64_t count = size >> NACRE_PAGE_SHIFT;
    uint64_t code = SGX_SUCCESS;
    uint64_t done = 0;
    uint64_t seen = 0;
    sigset_t old;
    int r = check(e, offset, size);

    if (r < 0) {
        return r;
    }
    if (type != SGX_PT_TCS && type != SGX_PT_TRIM) {
        return -EINVAL;
    }
    soft_host_lock(e, &old);
    while (done < count && code == SGX_SUCCESS) {
        code = emodt(e, first + done, type, &seen);
        done += code == SGX_SUCCESS ? 1 : 0;
    }
    bump_if_entered(seen);
    r = done == 0 ? 0 : soft_apply_range_locked(e, first, done);
    tracked(e, first, done);
    soft_host_unlock(e, &old);
    return r < 0 ? r : finish(code, ret_result);
}

/* As the driver: only pages that were trimmed and whose trim the enclave accepted. */
int soft_remove_pages(struct sgx_enclave *e, uint64_t offset, size_t size)
{
    uint64_t first = offset >> NACRE_PAGE_SHIFT;
    uint64_t count = size >> NACRE_PAGE_SHIFT;
    uint64_t done = 0;
    sigset_t old;
    int r = check(e, offset, size);

    if (r < 0) {
        return r;
    }
    soft_host_lock(e, &old);
    while (done < count && r == 0) {
        uint64_t entry = soft_epcm_load(e, first + done);

        if ((entry & EPCM_VALID) == 0 || epcm_type(entry) != SGX_PT_TRIM ||
            (entry & EPCM_MODIFIED) != 0) {
            r = (entry & EPCM_VALID) == 0 ? -ENOENT : -EPERM;
            break;
        }
        __atomic_store_n(&e->epcm[first + done], entry & EPCM_STAY_MASK, __ATOMIC_RELEASE);
        done++;
    }
    if (done != 0) {
        /* Whoever adds these pages again finds zeros, as EAUG promises. */
        (void)madvise((void *)(e->base + offset), done << NACRE_PAGE_SHIFT, MADV_DONTNEED);
    }
    soft_host_unlock(e, &old);
    return r;
}
