/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Quotes. The host may return anything: a quote is worthless until a verifier has checked its
 * signature chain, so only its size is checked here.
 */

#include "abi/sgx_arch.h"
#include "libos/host/host.h"
#include "libos/host/host_mem.h"

int host_quote_target(struct sgx_targetinfo *ret)
{
    _cleanup_bounce_ struct bounce b = bounce_take(sizeof(*ret), sizeof(*ret));

    if (b.p == NULL) {
        return -ENOMEM;
    }
    int r = host_status(host_call(HOSTCALL_quote_target, (uintptr_t)b.p, 0, 0, 0, 0, 0));

    if (r == 0) {
        host_copy_in(ret, b.p, sizeof(*ret));
    }
    return r;
}

int64_t host_quote(const struct sgx_report *report, void *dst, size_t size)
{
    _cleanup_bounce_ struct bounce in = bounce_take(sizeof(*report), sizeof(*report));
    _cleanup_bounce_ struct bounce out = bounce_take(size, MAX(size, (size_t)1));

    if (in.p == NULL || out.p == NULL) {
        return -ENOMEM;
    }
    host_copy_out(in.p, report, sizeof(*report));
    int64_t r = host_count(
        host_call(HOSTCALL_quote, (uintptr_t)in.p, (uintptr_t)out.p, size, 0, 0, 0), size);

    if (r > 0) {
        host_copy_in(dst, out.p, (size_t)r);
    }
    return r;
}
