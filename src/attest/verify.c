/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <string.h>

#include "attest/dcap_internal.h"
#include "attest/reason_internal.h"

const struct att_verifier *const att_verifiers[] = {&att_sgx_dcap, &att_tdx_dcap, NULL};

static const struct att_verifier *find_verifier(const uint8_t *evidence, size_t size)
{
    for (size_t i = 0; att_verifiers[i] != NULL; i++) {
        if (att_verifiers[i]->recognises(evidence, size)) {
            return att_verifiers[i];
        }
    }
    return NULL;
}

/* A verifier that leaves out what its kind always says would let a policy compare zeros. */
static int check_contract(const struct att_verifier *v, const struct att_claims *claims,
                          struct att_reason *why)
{
    if ((claims->groups & v->claim_groups) != v->claim_groups) {
        return att_refuse(why, ATT_INTERNAL, "%s: claims are missing", v->name);
    }
    return 0;
}

static int refuse_unknown(const uint8_t *evidence, size_t size, struct att_reason *why)
{
    if (size < 8) {
        return att_refuse(why, ATT_EVIDENCE_UNKNOWN, "%zu bytes", size);
    }
    return att_refuse(why, ATT_EVIDENCE_UNKNOWN,
                      "%zu bytes that start with %02x%02x%02x%02x %02x%02x%02x%02x", size,
                      evidence[0], evidence[1], evidence[2], evidence[3], evidence[4], evidence[5],
                      evidence[6], evidence[7]);
}

int att_verify(const void *evidence, size_t size, const struct att_collateral *collateral,
               int64_t time, struct att_claims *ret_claims, struct att_reason *why)
{
    const struct att_verifier *v = find_verifier(evidence, size);
    struct att_claims claims;
    int r;

    if (v == NULL) {
        return refuse_unknown(evidence, size, why);
    }
    r = v->verify(evidence, size, collateral, time, &claims, why);
    if (r == 0) {
        r = check_contract(v, &claims, why);
    }
    if (r == 0) {
        *ret_claims = claims;
    }
    return r;
}

int att_inspect(const void *evidence, size_t size, struct att_claims *ret_claims,
                struct att_reason *why)
{
    const struct att_verifier *v = find_verifier(evidence, size);

    if (v == NULL) {
        return refuse_unknown(evidence, size, why);
    }
    return v->inspect(evidence, size, ret_claims, why);
}

static bool is_ignored(const struct att_policy *p, const char *id)
{
    for (size_t i = 0; i < p->ignore_count; i++) {
        if (strcmp(p->ignore_advisories[i], id) == 0) {
            return true;
        }
    }
    return false;
}

int att_appraise(const struct att_claims *claims, const struct att_policy *policy,
                 struct att_reason *why)
{
    enum att_tcb_status status = claims->tcb_status;

    if ((claims->groups & ATT_GROUP_APPRAISED) == 0) {
        return att_refuse(why, ATT_INTERNAL, "these claims were never verified");
    }
    if (claims->root_class != ATT_ROOT_HARDWARE && !policy->allow_software) {
        return att_refuse(why, ATT_ROOT_CLASS, "root \"%.63s\"", claims->root_name);
    }
    if (claims->debug && !policy->allow_debug) {
        return att_refuse(why, ATT_DEBUG, "%s", claims->evidence_type);
    }
    if (status != ATT_TCB_UpToDate &&
        (!att_tcb_status_tolerable(status) || (policy->tolerate & 1u << status) == 0)) {
        return att_refuse(why, ATT_TCB_STATUS, "%s: %s", att_tcb_status_name(status),
                          att_tcb_status_meaning(status));
    }
    for (size_t i = 0; policy->check_advisories && i < claims->advisory_count; i++) {
        if (!is_ignored(policy, claims->advisories[i].id)) {
            return att_refuse(why, ATT_ADVISORY, "%s", claims->advisories[i].id);
        }
    }
    return 0;
}
