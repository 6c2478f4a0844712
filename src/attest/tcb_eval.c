/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Levels and how statuses combine. Source: Intel's quote verification library 4.1.2.5, evaluation
 * order; docs/attestation.md has the tables. */

#include "attest/tcb_internal.h"

static bool components_reach(const uint8_t *have, const uint8_t *need, size_t from)
{
    for (size_t i = from; i < TCB_COMPONENTS; i++) {
        if (have[i] < need[i]) {
            return false;
        }
    }
    return true;
}

const struct tcb_level *tcb_find_level(const struct tcb_info *info, const struct pck *pck,
                                       const uint8_t *tee_tcb_svn)
{
    /* TEE_TCB_SVN[0] and [1] are the TDX module's minor and major version when a module identity
     * exists; that identity's own levels judge them. */
    size_t tdx_from = tee_tcb_svn != NULL && tee_tcb_svn[1] > 0 ? 2 : 0;

    for (size_t i = 0; i < info->level_count; i++) {
        const struct tcb_level *level = &info->levels[i];

        if (components_reach(pck->components, level->sgx, 0) && pck->pce_svn >= level->pce_svn &&
            (tee_tcb_svn == NULL || components_reach(tee_tcb_svn, level->tdx, tdx_from))) {
            return level;
        }
    }
    return NULL;
}

const struct isv_level *tcb_find_isv_level(const struct isv_levels *levels, uint16_t isv_svn)
{
    for (size_t i = 0; i < levels->count; i++) {
        if (levels->levels[i].isv_svn <= isv_svn) {
            return &levels->levels[i];
        }
    }
    return NULL;
}

enum att_tcb_status tcb_converge(enum att_tcb_status platform, enum att_tcb_status part)
{
    if (platform == ATT_TCB_TCB_NOT_SUPPORTED || part == ATT_TCB_TCB_NOT_SUPPORTED) {
        return ATT_TCB_TCB_NOT_SUPPORTED;
    }
    if (platform == ATT_TCB_Revoked || part == ATT_TCB_Revoked) {
        return ATT_TCB_Revoked;
    }
    if (part != ATT_TCB_OutOfDate) {
        return platform;
    }
    switch (platform) {
    case ATT_TCB_ConfigurationNeeded:
    case ATT_TCB_ConfigurationAndSWHardeningNeeded:
    case ATT_TCB_OutOfDateConfigurationNeeded: return ATT_TCB_OutOfDateConfigurationNeeded;
    default: return ATT_TCB_OutOfDate;
    }
}

static bool is_out_of_date(enum att_tcb_status s)
{
    return s == ATT_TCB_OutOfDate || s == ATT_TCB_OutOfDateConfigurationNeeded;
}

static bool needs_configuration(enum att_tcb_status s)
{
    return s == ATT_TCB_ConfigurationNeeded || s == ATT_TCB_ConfigurationAndSWHardeningNeeded ||
           s == ATT_TCB_OutOfDateConfigurationNeeded;
}

enum att_tcb_status tcb_relaunch(enum att_tcb_status launch, enum att_tcb_status current)
{
    if (current == ATT_TCB_TCB_NOT_SUPPORTED || current == ATT_TCB_Revoked ||
        is_out_of_date(current)) {
        /* The platform now is no better: the worse of the two. */
        return tcb_converge(launch, is_out_of_date(current) ? ATT_TCB_OutOfDate : current);
    }
    if (!is_out_of_date(launch)) {
        return launch;
    }
    return needs_configuration(launch) || needs_configuration(current)
               ? ATT_TCB_TDRelaunchAdvisedConfigurationNeeded
               : ATT_TCB_TDRelaunchAdvised;
}
