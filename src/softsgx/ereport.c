/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* EREPORT (SDM 40.4). Host FS base; vector registers saved by the caller. */

#include "softsgx/internal.h"

#include <string.h>

#include "core/cmac.h"
#include "core/ct.h"
#include "softsgx/keys.h"

enum soft_result soft_ereport(struct soft_thread *th, struct soft_tcs *tcs, struct soft_regs *regs,
                              struct soft_fault *ret_fault)
{
    struct sgx_enclave *e = tcs->enclave;
    const struct soft_identity *id = &e->id;
    struct sgx_targetinfo target;
    struct sgx_report report = {0};
    uint8_t key[16];

    if (soft_operand(e, regs->rbx, SGX_TARGETINFO_ALIGN, EPCM_R, ret_fault) != SOFT_OK ||
        soft_operand(e, regs->rcx, SGX_REPORTDATA_ALIGN, EPCM_R, ret_fault) != SOFT_OK ||
        soft_operand(e, regs->rdx, SGX_REPORT_ALIGN, EPCM_R | EPCM_W, ret_fault) != SOFT_OK) {
        return SOFT_FAULT;
    }
    memcpy(&target, (const void *)regs->rbx, sizeof(target));
    if (target.reserved1 != 0 || !ct_is_zero(target.reserved2, sizeof(target.reserved2)) ||
        !ct_is_zero(target.reserved3, sizeof(target.reserved3))) {
        return soft_gp(ret_fault);
    }
    memcpy(report.body.cpu_svn, soft_cpu_svn, sizeof(report.body.cpu_svn));
    report.body.miscselect = id->miscselect;
    memcpy(report.body.isv_ext_prod_id, id->isv_ext_prod_id, sizeof(id->isv_ext_prod_id));
    report.body.attributes = id->attributes;
    memcpy(report.body.mrenclave, id->mrenclave, sizeof(id->mrenclave));
    memcpy(report.body.mrsigner, id->mrsigner, sizeof(id->mrsigner));
    memcpy(report.body.config_id, id->config_id, sizeof(id->config_id));
    report.body.isv_prod_id = id->isv_prod_id;
    report.body.isv_svn = id->isv_svn;
    report.body.config_svn = id->config_svn;
    memcpy(report.body.isv_family_id, id->isv_family_id, sizeof(id->isv_family_id));
    memcpy(report.body.report_data, (const void *)regs->rcx, sizeof(report.body.report_data));
    memcpy(report.key_id, soft_report_key_id(), sizeof(report.key_id));
    soft_report_key(&target, report.key_id, key);
    cmac_aes128(key, &report.body, sizeof(report.body), report.mac);
    ct_wipe(key, sizeof(key));
    memcpy((void *)regs->rdx, &report, sizeof(report));
    return SOFT_OK;
}
