/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The table the loader sees. */

#include "softsgx/softsgx.h"

#include <cpuid.h>
#include <errno.h>
#include <sys/auxv.h>

#include "softsgx/internal.h"
#include "softsgx/quote.h"

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE (1 << 1)
#endif

static int soft_probe(struct error **err)
{
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;

    if ((getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) == 0) {
        return error_set(err, ENOTSUP,
                         "softsgx needs FSGSBASE (Linux 5.9 or later and a processor "
                         "that has it)");
    }
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_AES) == 0 || (c & bit_OSXSAVE) == 0) {
        return error_set(err, ENOTSUP, "softsgx needs a processor with AES-NI and XSAVE");
    }
    return soft_sud_probe(err);
}

static vdso_sgx_enter_enclave_t soft_enter_function(struct sgx_enclave *e)
{
    return soft_enter;
}

const struct sgx_backend sgx_backend_soft = {
    .name = "soft",
    .label = "softsgx: SGX is emulated in software on this machine; nothing is isolated from the "
             "host",
    .probe = soft_probe,
    .create = soft_create,
    .add_pages = soft_add_pages,
    .hint_slots = soft_hint_slots,
    .init = soft_init,
    .map = soft_map_pages,
    .augment = soft_augment,
    .restrict_permissions = soft_restrict_permissions,
    .modify_types = soft_modify_types,
    .remove_pages = soft_remove_pages,
    .thread_attach = soft_thread_attach,
    .thread_detach = soft_thread_detach,
    .enter_function = soft_enter_function,
    .sigaction = soft_sigaction,
    .is_at_aep = soft_is_at_aep,
    .quote_target = soft_quote_target,
    .quote = soft_quote,
    .destroy = soft_destroy,
};
