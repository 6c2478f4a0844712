/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* EINIT (SDM 40.3): the SIGSTRUCT against the enclave, with flexible launch control as Linux uses
 * it: any signer, no EINITTOKEN, EINITTOKENKEY not for anybody. */

#include "softsgx/internal.h"

#include <errno.h>
#include <string.h>

#include "core/ct.h"
#include "core/sha256.h"
#include "softsgx/einit.h"
#include "softsgx/rsa.h"

#define VENDOR_INTEL 0x8086u

static const char *error_name(uint64_t code)
{
    switch (code) {
#define X(name, value) \
    case (value): return "SGX_" #name;
        SGX_ERROR_TABLE(X)
#undef X
    default: return "?";
    }
}

static uint64_t refuse(const char **ret_field, const char *field, uint64_t code)
{
    *ret_field = field;
    return code;
}

static uint64_t check_constants(const struct sgx_sigstruct *s, bool kss, const char **ret_field)
{
    static const uint8_t header[16] = SGX_SIGSTRUCT_HEADER;
    static const uint8_t header2[16] = SGX_SIGSTRUCT_HEADER2;

    if (memcmp(s->header, header, 16) != 0) {
        return refuse(ret_field, "HEADER", SGX_INVALID_SIG_STRUCT);
    }
    if (s->vendor != 0 && s->vendor != VENDOR_INTEL) {
        return refuse(ret_field, "VENDOR", SGX_INVALID_SIG_STRUCT);
    }
    if (memcmp(s->header2, header2, 16) != 0) {
        return refuse(ret_field, "HEADER2", SGX_INVALID_SIG_STRUCT);
    }
    if (s->exponent != SGX_RSA_EXPONENT) {
        return refuse(ret_field, "EXPONENT", SGX_INVALID_SIG_STRUCT);
    }
    if (!ct_is_zero(s->reserved1, sizeof(s->reserved1)) ||
        !ct_is_zero(s->reserved2, sizeof(s->reserved2)) ||
        !ct_is_zero(s->reserved3, sizeof(s->reserved3)) ||
        !ct_is_zero(s->reserved4, sizeof(s->reserved4))) {
        return refuse(ret_field, "a reserved field", SGX_INVALID_SIG_STRUCT);
    }
    if (!kss && (!ct_is_zero(s->isv_family_id, sizeof(s->isv_family_id)) ||
                 !ct_is_zero(s->isv_ext_prod_id, sizeof(s->isv_ext_prod_id)))) {
        return refuse(ret_field, "ISVFAMILYID or ISVEXTPRODID without KSS", SGX_INVALID_SIG_STRUCT);
    }
    return SGX_SUCCESS;
}

static bool bcd_date(uint32_t date)
{
    static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned digit[8];
    unsigned month;
    unsigned day;

    for (unsigned i = 0; i < 8; i++) {
        digit[i] = (date >> (28 - 4 * i)) & 0xf;
        if (digit[i] > 9) {
            return false;
        }
    }
    month = digit[4] * 10 + digit[5];
    day = digit[6] * 10 + digit[7];
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
}

/* The processor hashes DATE and looks no further; a malformed one is a signer's mistake that this
 * one reports. */
static uint64_t check_signature(const struct sgx_sigstruct *s, const char **ret_field)
{
    const uint8_t *bytes = (const uint8_t *)s;
    struct sha256 hash;
    uint8_t digest[SHA256_SIZE];

    if (!bcd_date(s->date)) {
        return refuse(ret_field, "DATE", SGX_INVALID_SIG_STRUCT);
    }
    sha256_init(&hash);
    sha256_update(&hash, bytes + SGX_SIGSTRUCT_SIGNED1_OFFSET, SGX_SIGSTRUCT_SIGNED1_SIZE);
    sha256_update(&hash, bytes + SGX_SIGSTRUCT_SIGNED2_OFFSET, SGX_SIGSTRUCT_SIGNED2_SIZE);
    sha256_final(&hash, digest);
    if (!soft_rsa_verify(s, digest)) {
        return refuse(ret_field, "SIGNATURE", SGX_INVALID_SIGNATURE);
    }
    return SGX_SUCCESS;
}

static uint64_t check_enclave(const struct sgx_enclave *e, const struct sgx_sigstruct *s,
                              const uint8_t mrenclave[static 32], const char **ret_field)
{
    const struct sgx_secs *secs = &e->secs;

    if (!ct_equal(mrenclave, s->enclave_hash, 32)) {
        return refuse(ret_field, "ENCLAVEHASH", SGX_INVALID_MEASUREMENT);
    }
    if ((secs->attributes.flags & SGX_FLAGS_EINITTOKENKEY) != 0 ||
        (s->attributes.flags & SGX_FLAGS_EINITTOKENKEY) != 0) {
        return refuse(ret_field, "ATTRIBUTES.EINITTOKENKEY", SGX_INVALID_ATTRIBUTE);
    }
    if (((secs->attributes.flags ^ s->attributes.flags) & s->attribute_mask.flags) != 0) {
        return refuse(ret_field, "ATTRIBUTES", SGX_INVALID_ATTRIBUTE);
    }
    if (((secs->attributes.xfrm ^ s->attributes.xfrm) & s->attribute_mask.xfrm) != 0) {
        return refuse(ret_field, "ATTRIBUTES.XFRM", SGX_INVALID_ATTRIBUTE);
    }
    if (((secs->miscselect ^ s->miscselect) & s->miscmask) != 0) {
        return refuse(ret_field, "MISCSELECT", SGX_INVALID_ATTRIBUTE);
    }
    if (((secs->cet_attributes ^ s->cet_attributes) & s->cet_attributes_mask) != 0) {
        return refuse(ret_field, "CET_ATTRIBUTES", SGX_INVALID_ATTRIBUTE);
    }
    return SGX_SUCCESS;
}

uint64_t soft_einit_check(const struct sgx_enclave *e, const struct sgx_sigstruct *s,
                          const char **ret_field)
{
    bool kss = (e->secs.attributes.flags & SGX_FLAGS_KSS) != 0;
    uint8_t mrenclave[32];
    uint64_t code;

    code = check_constants(s, kss, ret_field);
    if (code == SGX_SUCCESS) {
        code = check_signature(s, ret_field);
    }
    if (code == SGX_SUCCESS) {
        soft_measure_final(e->measure, mrenclave);
        code = check_enclave(e, s, mrenclave, ret_field);
    }
    return code;
}

int soft_init(struct sgx_enclave *e, const struct sgx_sigstruct *s, struct error **err)
{
    const char *field = "";
    uint64_t code;
    sigset_t old;
    int r;

    if (e->initialized) {
        return error_set(err, EINVAL, "EINIT: the enclave is initialised already");
    }
    code = soft_einit_check(e, s, &field);
    if (code != SGX_SUCCESS) {
        return error_set(err, EPERM, "EINIT refused the enclave: %s (%u), SIGSTRUCT field %s",
                         error_name(code), (unsigned)code, field);
    }
    soft_measure_final(e->measure, e->id.mrenclave);
    sha256(s->modulus, sizeof(s->modulus), e->id.mrsigner);
    memcpy(e->id.isv_family_id, s->isv_family_id, sizeof(e->id.isv_family_id));
    memcpy(e->id.isv_ext_prod_id, s->isv_ext_prod_id, sizeof(e->id.isv_ext_prod_id));
    e->id.isv_prod_id = s->isv_prod_id;
    e->id.isv_svn = s->isv_svn;
    e->id.attributes.flags |= SGX_FLAGS_INIT;
    e->measure = soft_measure_free(e->measure);
    soft_host_lock(e, &old);
    r = soft_slots_rewrite(e);
    e->initialized = true;
    if (r == 0) {
        r = soft_reapply_locked(e, 0, e->size >> NACRE_PAGE_SHIFT);
    }
    soft_host_unlock(e, &old);
    soft_bump_epoch();
    return r < 0 ? error_set_errno(err, -r, "EINIT: cannot open the enclave's pages") : 0;
}
