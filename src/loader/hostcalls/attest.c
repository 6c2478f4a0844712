/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/hostcalls/hostcalls_internal.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

/* The enclave sees a number; the reason goes to whoever runs the host. */
static int64_t failed(int r, const struct error *err)
{
    (void)dprintf(STDERR_FILENO, "nacre: quoting: %s\n", error_text(err));
    return r;
}

int64_t hostcall_quote_target(struct loader_thread *t, const uint64_t *a)
{
    _cleanup_error_ struct error *err = NULL;
    struct sgx_targetinfo target;
    int r = t->loader->backend->quote_target(&target, &err);

    if (r < 0) {
        return failed(r, err);
    }
    memcpy((void *)(uintptr_t)a[0], &target, sizeof(target));
    return 0;
}

int64_t hostcall_quote(struct loader_thread *t, const uint64_t *a)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ uint8_t *quote = NULL;
    struct sgx_report report;
    size_t size;
    int r;

    memcpy(&report, (const void *)(uintptr_t)a[0], sizeof(report));
    r = t->loader->backend->quote(&report, &quote, &size, &err);
    if (r < 0) {
        return failed(r, err);
    }
    if (size > a[2]) {
        return -ENOSPC;
    }
    memcpy((void *)(uintptr_t)a[1], quote, size);
    return (int64_t)size;
}
