/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/hostcalls/hostcalls_internal.h"

/* Offsets and sizes are checked here once, so that every backend gets whole pages of the ELRANGE.
 */
static bool in_enclave(const uint64_t *a)
{
    return a[1] != 0 && is_page_aligned(a[0]) && is_page_aligned(a[1]) &&
           range_within(a[0], a[1], 0, ENCLAVE_SIZE);
}

int64_t hostcall_augment(struct loader_thread *t, const uint64_t *a)
{
    const struct loader *l = t->loader;

    return in_enclave(a) ? l->backend->augment(l->enclave, a[0], a[1]) : -EINVAL;
}

int64_t hostcall_restrict_permissions(struct loader_thread *t, const uint64_t *a)
{
    const struct loader *l = t->loader;

    if (!in_enclave(a) || (a[2] & ~SGX_SECINFO_RWX) != 0) {
        return -EINVAL;
    }
    return l->backend->restrict_permissions(l->enclave, a[0], a[1], a[2], NULL);
}

int64_t hostcall_modify_types(struct loader_thread *t, const uint64_t *a)
{
    const struct loader *l = t->loader;

    if (!in_enclave(a) || (a[2] != SGX_PT_TCS && a[2] != SGX_PT_TRIM)) {
        return -EINVAL;
    }
    return l->backend->modify_types(l->enclave, a[0], a[1], (enum sgx_page_type)a[2], NULL);
}

int64_t hostcall_remove_pages(struct loader_thread *t, const uint64_t *a)
{
    const struct loader *l = t->loader;

    return in_enclave(a) ? l->backend->remove_pages(l->enclave, a[0], a[1]) : -EINVAL;
}

int64_t hostcall_map(struct loader_thread *t, const uint64_t *a)
{
    const struct loader *l = t->loader;

    if (!in_enclave(a) || (a[2] & ~7ull) != 0) {
        return -EINVAL;
    }
    return l->backend->map(l->enclave, a[0], a[1], (int)a[2], NULL);
}
