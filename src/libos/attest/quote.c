/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Quotes. The host brings the target of its quoting enclave and the signature; a report made for
 * the wrong one, or bytes that are no quote, fail at whoever verifies.
 */

#include "libos/attest/report.h"

#include "libos/host/host.h"
#include "libos/mm/kmem.h"

#define QUOTE_MAX ((size_t)64 << 10)

int attest_quote(const uint8_t data[static REPORT_DATA_SIZE], uint8_t **ret, size_t *ret_size)
{
    struct sgx_targetinfo target;
    struct sgx_report report;
    uint8_t *quote;
    int64_t n = host_quote_target(&target);

    if (n == 0) {
        n = attest_report(&target, data, &report);
    }
    if (n < 0) {
        return (int)n;
    }
    quote = kmalloc(QUOTE_MAX);
    n = quote == NULL ? -ENOMEM : host_quote(&report, quote, QUOTE_MAX);
    if (n <= 0) {
        kfree(quote);
        return n == 0 ? -EIO : (int)n;
    }
    *ret = quote;
    *ret_size = (size_t)n;
    return 0;
}
