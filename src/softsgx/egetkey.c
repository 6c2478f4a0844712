/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* EGETKEY (SDM 40.4, key dependencies in table 40-64). Host FS base; vector registers saved. */

#include "softsgx/internal.h"

#include <string.h>

#include "core/ct.h"
#include "softsgx/keys.h"

#define POLICY_KSS                                                                    \
    (SGX_KEYPOLICY_NOISVPRODID | SGX_KEYPOLICY_CONFIGID | SGX_KEYPOLICY_ISVFAMILYID | \
     SGX_KEYPOLICY_ISVEXTPRODID)
#define POLICY_KNOWN   (SGX_KEYPOLICY_MRENCLAVE | SGX_KEYPOLICY_MRSIGNER | POLICY_KSS)
/* Attributes that separate keys whatever the mask says (SDM: REQUIRED_SEALING_MASK). */
#define REQUIRED_FLAGS (SGX_FLAGS_INIT | SGX_FLAGS_DEBUG)

static bool well_formed(const struct sgx_keyrequest *q, bool kss)
{
    if (q->reserved1 != 0 || q->cet_attributes_mask != 0 ||
        !ct_is_zero(q->reserved2, sizeof(q->reserved2)) || (q->key_policy & ~POLICY_KNOWN) != 0) {
        return false;
    }
    return kss || ((q->key_policy & POLICY_KSS) == 0 && q->config_svn == 0);
}

static bool cpu_svn_beyond(const uint8_t svn[static 16])
{
    for (unsigned i = 0; i < 16; i++) {
        if (svn[i] > soft_cpu_svn[i]) {
            return true;
        }
    }
    return false;
}

static uint64_t check_svns(const struct soft_identity *id, const struct sgx_keyrequest *q)
{
    if (cpu_svn_beyond(q->cpu_svn)) {
        return SGX_INVALID_CPUSVN;
    }
    if (q->isv_svn > id->isv_svn || q->config_svn > id->config_svn) {
        return SGX_INVALID_ISVSVN;
    }
    return SGX_SUCCESS;
}

/* What all keys but the report key share. */
static void common(struct soft_key_deps *d, const struct soft_identity *id,
                   const struct sgx_keyrequest *q)
{
    d->isv_prod_id = id->isv_prod_id;
    d->isv_svn = q->isv_svn;
    d->attributes.flags = id->attributes.flags & (q->attribute_mask.flags | REQUIRED_FLAGS);
    d->attributes.xfrm = id->attributes.xfrm & q->attribute_mask.xfrm;
    d->attribute_mask = q->attribute_mask;
    d->miscselect = id->miscselect & q->misc_mask;
    d->misc_mask = ~q->misc_mask;
    memcpy(d->cpu_svn, q->cpu_svn, sizeof(d->cpu_svn));
}

/* KEYPOLICY, for the two sealing keys. */
static void policy(struct soft_key_deps *d, const struct soft_identity *id,
                   const struct sgx_keyrequest *q)
{
    d->key_policy = q->key_policy;
    if ((q->key_policy & SGX_KEYPOLICY_NOISVPRODID) != 0) {
        d->isv_prod_id = 0;
    }
    if ((q->key_policy & SGX_KEYPOLICY_CONFIGID) != 0) {
        memcpy(d->config_id, id->config_id, sizeof(d->config_id));
        d->config_svn = q->config_svn;
    }
    if ((q->key_policy & SGX_KEYPOLICY_ISVFAMILYID) != 0) {
        memcpy(d->isv_family_id, id->isv_family_id, sizeof(d->isv_family_id));
    }
    if ((q->key_policy & SGX_KEYPOLICY_ISVEXTPRODID) != 0) {
        memcpy(d->isv_ext_prod_id, id->isv_ext_prod_id, sizeof(d->isv_ext_prod_id));
    }
}

static void report_deps(struct soft_key_deps *d, const struct soft_identity *id)
{
    d->attributes = id->attributes;
    d->miscselect = id->miscselect;
    d->config_svn = id->config_svn;
    memcpy(d->mrenclave, id->mrenclave, sizeof(d->mrenclave));
    memcpy(d->config_id, id->config_id, sizeof(d->config_id));
    memcpy(d->cpu_svn, soft_cpu_svn, sizeof(d->cpu_svn));
}

static uint64_t dependencies(const struct soft_identity *id, const struct sgx_keyrequest *q,
                             struct soft_key_deps *d)
{
    uint64_t code;

    d->key_name = q->key_name;
    if (q->key_name == SGX_KEY_REPORT) {
        report_deps(d, id);
        memcpy(d->key_id, q->key_id, sizeof(d->key_id));
        return SGX_SUCCESS;
    }
    if (q->key_name > SGX_KEY_SEAL) {
        return SGX_INVALID_KEYNAME;
    }
    if ((q->key_name == SGX_KEY_EINITTOKEN &&
         (id->attributes.flags & SGX_FLAGS_EINITTOKENKEY) == 0) ||
        ((q->key_name == SGX_KEY_PROVISION || q->key_name == SGX_KEY_PROVISION_SEAL) &&
         (id->attributes.flags & SGX_FLAGS_PROVISIONKEY) == 0)) {
        return SGX_INVALID_ATTRIBUTE;
    }
    code = check_svns(id, q);
    if (code != SGX_SUCCESS) {
        return code;
    }
    common(d, id, q);
    if (q->key_name == SGX_KEY_SEAL) {
        policy(d, id, q);
        memcpy(d->key_id, q->key_id, sizeof(d->key_id));
        if ((q->key_policy & SGX_KEYPOLICY_MRENCLAVE) != 0) {
            memcpy(d->mrenclave, id->mrenclave, sizeof(d->mrenclave));
        }
        if ((q->key_policy & SGX_KEYPOLICY_MRSIGNER) != 0) {
            memcpy(d->mrsigner, id->mrsigner, sizeof(d->mrsigner));
        }
        return SGX_SUCCESS;
    }
    /* The others always depend on the signer. */
    memcpy(d->mrsigner, id->mrsigner, sizeof(d->mrsigner));
    if (q->key_name == SGX_KEY_PROVISION_SEAL) {
        policy(d, id, q);
    } else if (q->key_name == SGX_KEY_EINITTOKEN) {
        memcpy(d->key_id, q->key_id, sizeof(d->key_id));
    }
    return SGX_SUCCESS;
}

enum soft_result soft_egetkey(struct soft_thread *th, struct soft_tcs *tcs, struct soft_regs *regs,
                              struct soft_fault *ret_fault)
{
    struct sgx_enclave *e = tcs->enclave;
    struct soft_key_deps deps = {0};
    struct sgx_keyrequest q;
    uint8_t key[16];
    uint64_t code;

    if (soft_operand(e, regs->rbx, SGX_KEYREQUEST_ALIGN, EPCM_R, ret_fault) != SOFT_OK ||
        soft_operand(e, regs->rcx, SGX_KEY_ALIGN, EPCM_R | EPCM_W, ret_fault) != SOFT_OK) {
        return SOFT_FAULT;
    }
    memcpy(&q, (const void *)regs->rbx, sizeof(q));
    if (!well_formed(&q, (e->id.attributes.flags & SGX_FLAGS_KSS) != 0)) {
        return soft_gp(ret_fault);
    }
    code = dependencies(&e->id, &q, &deps);
    if (code == SGX_SUCCESS) {
        soft_derive_key(&deps, q.key_name == SGX_KEY_PROVISION, key);
        memcpy((void *)regs->rcx, key, sizeof(key));
        ct_wipe(key, sizeof(key));
    }
    soft_set_result(regs, code);
    return SOFT_OK;
}
