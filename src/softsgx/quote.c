/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "softsgx/quote.h"

#include "core/ct.h"
#include "softsgx/keys.h"
#include "softsgx/root_internal.h"

/* Published once, never changed and never freed. No lock: a fork at any moment leaves the child
 * with either nothing or all of it. */
static struct soft_qe *g_qe;

static int start(struct soft_qe **ret, struct error **err)
{
    _cleanup_soft_root_ struct soft_root *root = NULL;
    struct soft_qe *none = NULL;
    struct soft_qe *fresh = NULL;
    struct soft_qe *qe = __atomic_load_n(&g_qe, __ATOMIC_ACQUIRE);
    int r;

    if (qe != NULL) {
        *ret = qe;
        return 0;
    }
    r = soft_fuse_load(err);
    r = r < 0 ? r : soft_root_open(&root, err);
    r = r < 0 ? r : soft_qe_new(root, &fresh, err);
    if (r < 0) {
        return r;
    }
    if (!__atomic_compare_exchange_n(&g_qe, &none, fresh, /*weak=*/false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        (void)soft_qe_free(fresh); /* another thread was faster */
        fresh = none;
    }
    *ret = fresh;
    return 0;
}

int soft_quote_target(struct sgx_targetinfo *ret, struct error **err)
{
    struct soft_qe *qe;
    int r = start(&qe, err); /* whoever asks wants a quote next: say now what is in its way */

    if (r == 0) {
        soft_qe_target(ret);
    }
    return r;
}

int soft_quote(const struct sgx_report *report, uint8_t **ret_quote, size_t *ret_size,
               struct error **err)
{
    struct sgx_targetinfo target;
    uint8_t key[16];
    struct soft_qe *qe;
    int r = start(&qe, err);

    if (r < 0) {
        return r;
    }
    soft_qe_target(&target);
    soft_report_key(&target, report->key_id, key);
    r = soft_qe_quote(qe, report, key, ret_quote, ret_size, err);
    ct_wipe(key, sizeof(key));
    return r;
}
