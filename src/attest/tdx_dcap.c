/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * TDX trust domains: DCAP ECDSA quotes of version 4 and 5. Beside the platform and the quoting
 * enclave the TDX module has a TCB of its own, and a TD 1.5 report tells two: the one the TD was
 * launched with and the one the platform has now.
 */

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "attest/dcap_internal.h"
#include "attest/reason_internal.h"
#include "core/ct.h"

struct tdx_verdict {
    const struct tcb_level *level;
    const struct isv_level *module_level;
    bool has_module;
    enum att_tcb_status platform;
    enum att_tcb_status module;
    enum att_tcb_status status; /* of platform, module and quoting enclave */
};

static bool tdx_recognises(const uint8_t *evidence, size_t size)
{
    const char *name = quote_kind_name(evidence, size);

    return name != NULL && strcmp(name, "tdx-dcap") == 0;
}

/* The module identity for this major version, or the base entry for version 0 (TDX 1.0). */
static const struct tdx_module *find_module(const struct tcb_info *info, uint8_t major)
{
    char id[8];

    if (major == 0) {
        return &info->base_module;
    }
    (void)snprintf(id, sizeof(id), "TDX_%02X", major);
    for (size_t i = 0; i < info->module_count; i++) {
        /* The hexadecimal digits come in either case. */
        if (strcasecmp(info->modules[i].id, id) == 0) {
            return &info->modules[i];
        }
    }
    return NULL;
}

static int check_module(const struct td_report10 *r, const struct tdx_module *module,
                        struct att_reason *why)
{
    if (!ct_equal(r->mrsignerseam, module->mrsigner, sizeof(module->mrsigner))) {
        return att_refuse(why, ATT_TDX_MODULE_MISMATCH, "MRSIGNERSEAM");
    }
    for (size_t i = 0; i < sizeof(module->attributes); i++) {
        if ((r->seam_attributes[i] & module->attributes_mask[i]) != module->attributes[i]) {
            return att_refuse(why, ATT_TDX_MODULE_MISMATCH, "SEAMATTRIBUTES, byte %zu", i);
        }
    }
    return 0;
}

static int evaluate(const struct dcap *d, const uint8_t *tee_tcb_svn, enum att_tcb_status qe,
                    struct tdx_verdict *ret, struct att_reason *why)
{
    const struct tcb_info *info = &d->collateral->tcb;
    const struct tdx_module *module = find_module(info, tee_tcb_svn[1]);
    struct tdx_verdict v = {.module = ATT_TCB_UpToDate};
    int r;

    if (module == NULL) {
        return att_refuse(why, ATT_TDX_MODULE_MISMATCH, "no identity for TDX_%02X", tee_tcb_svn[1]);
    }
    r = check_module(&d->quote.body.td.base, module, why);
    if (r != 0) {
        return r;
    }
    v.level = tcb_find_level(info, &d->pck, tee_tcb_svn);
    v.platform = v.level != NULL ? v.level->status : ATT_TCB_TCB_NOT_SUPPORTED;
    v.has_module = tee_tcb_svn[1] > 0;
    if (v.has_module) {
        v.module_level = tcb_find_isv_level(&module->tcb, tee_tcb_svn[0]);
        v.module = v.module_level != NULL ? v.module_level->status : ATT_TCB_TCB_NOT_SUPPORTED;
    }
    v.status = tcb_converge(tcb_converge(v.platform, v.module), qe);
    *ret = v;
    return 0;
}

static int add_advisories(struct att_claims *claims, const struct dcap *d,
                          const struct tdx_verdict *v, const struct isv_level *qe_level,
                          struct att_reason *why)
{
    const struct att_collateral *c = d->collateral;
    int r;

    if (v->level == NULL) {
        return 0;
    }
    r = dcap_add_advisories(claims, &c->tcb.pool, &v->level->advisories, ATT_ADVISORY_PLATFORM,
                            why);
    if (r == 0 && v->module_level != NULL) {
        r = dcap_add_advisories(claims, &c->tcb.pool, &v->module_level->advisories,
                                ATT_ADVISORY_MODULE, why);
    }
    if (r == 0 && qe_level != NULL) {
        r = dcap_add_advisories(claims, &c->qe.pool, &qe_level->advisories, ATT_ADVISORY_QE, why);
    }
    return r;
}

static int tdx_verify(const uint8_t *evidence, size_t size, const struct att_collateral *collateral,
                      int64_t time, struct att_claims *ret_claims, struct att_reason *why)
{
    struct att_claims claims;
    struct tdx_verdict launch;
    struct tdx_verdict current;
    const struct isv_level *qe_level;
    struct dcap d;
    int r = dcap_authenticate(evidence, size, collateral, time, &d, why);

    if (r != 0) {
        return r;
    }
    dcap_claims(&d, time, &claims);
    claims.qe_status = dcap_qe_status(&d, &qe_level);
    r = evaluate(&d, d.quote.body.td.base.tee_tcb_svn, claims.qe_status, &launch, why);
    if (r != 0) {
        return r;
    }
    claims.platform_status = launch.platform;
    claims.tcb_status = launch.status;
    if (launch.has_module) {
        claims.groups |= ATT_GROUP_MODULE;
        claims.module_status = launch.module;
    }
    if (launch.level != NULL) {
        claims.groups |= ATT_GROUP_LEVEL;
        claims.tcb_date = launch.level->date;
    }
    if (d.quote.kind == QUOTE_BODY_TDX15) {
        r = evaluate(&d, d.quote.body.td.tee_tcb_svn2, claims.qe_status, &current, why);
        if (r != 0) {
            return r;
        }
        claims.groups |= ATT_GROUP_TD15;
        claims.launch_status = launch.status;
        claims.current_status = current.status;
        claims.tcb_status = tcb_relaunch(launch.status, current.status);
    }
    r = add_advisories(&claims, &d, &launch, qe_level, why);
    if (r == 0) {
        *ret_claims = claims;
    }
    return r;
}

static int tdx_inspect(const uint8_t *evidence, size_t size, struct att_claims *ret_claims,
                       struct att_reason *why)
{
    struct quote q;
    int r = quote_parse(evidence, size, &q, why);

    if (r == 0) {
        quote_claims(&q, ret_claims);
    }
    return r;
}

const struct att_verifier att_tdx_dcap = {
    .name = "tdx-dcap",
    .claim_groups = ATT_GROUP_ALWAYS | ATT_GROUP_APPRAISED | ATT_GROUP_TDX | ATT_GROUP_PCK,
    .recognises = tdx_recognises,
    .verify = tdx_verify,
    .inspect = tdx_inspect,
};
