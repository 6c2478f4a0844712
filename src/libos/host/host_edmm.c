/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Enclave pages come and go at our request. The host's "done" means nothing: the EACCEPT that
 * follows each request fails when it did not do exactly that, and the caller stops there.
 */

#include "libos/host/host.h"
#include "libos/host/host_mem.h"

int host_augment(uint64_t offset, uint64_t size)
{
    return host_status(host_call(HOSTCALL_augment, offset, size, 0, 0, 0, 0));
}

int host_restrict_permissions(uint64_t offset, uint64_t size, uint64_t perm)
{
    return host_status(host_call(HOSTCALL_restrict_permissions, offset, size, perm, 0, 0, 0));
}

int host_modify_types(uint64_t offset, uint64_t size, uint32_t type)
{
    return host_status(host_call(HOSTCALL_modify_types, offset, size, type, 0, 0, 0));
}

int host_remove_pages(uint64_t offset, uint64_t size)
{
    return host_status(host_call(HOSTCALL_remove_pages, offset, size, 0, 0, 0, 0));
}

int host_map(uint64_t offset, uint64_t size, int prot)
{
    return host_status(host_call(HOSTCALL_map, offset, size, (uint64_t)(int64_t)prot, 0, 0, 0));
}
