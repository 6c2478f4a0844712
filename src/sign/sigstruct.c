/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "sign/sigstruct.h"

#include <string.h>

#include "base/crypto.h"
#include "core/ct.h"
#include "core/sha256.h"

static const uint8_t header1[16] = SGX_SIGSTRUCT_HEADER;
static const uint8_t header2[16] = SGX_SIGSTRUCT_HEADER2;

void sigstruct_params_default(struct sigstruct_params *ret)
{
    *ret = (struct sigstruct_params){
        .miscselect = SGX_MISC_EXINFO,
        .miscmask = UINT32_MAX,
        .attributes = {.flags = SGX_FLAGS_MODE64BIT | SGX_FLAGS_KSS, .xfrm = SGX_XFRM_LEGACY},
        /* The enclave saves whatever the machine offers: XFRM features beyond the legacy ones are
         * the host's choice at ECREATE, so that one SIGSTRUCT serves every processor. */
        .attribute_mask = {.flags = UINT64_MAX, .xfrm = SGX_XFRM_LEGACY},
        .cet_attributes_mask = UINT8_MAX,
    };
}

static unsigned from_bcd(uint32_t bcd, unsigned digits)
{
    unsigned v = 0;

    for (unsigned i = digits; i-- > 0;) {
        const unsigned digit = bcd >> (4 * i) & 15;

        if (digit > 9) {
            return UINT32_MAX;
        }
        v = v * 10 + digit;
    }
    return v;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

int sigstruct_date(unsigned year, unsigned month, unsigned day, uint32_t *ret)
{
    const uint32_t decimal = year * 10000 + month * 100 + day;
    uint32_t rest = decimal;
    uint32_t bcd = 0;

    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month)) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < 8; i++) {
        bcd |= rest % 10 << (4 * i);
        rest /= 10;
    }
    *ret = bcd;
    return 0;
}

bool sigstruct_date_is_valid(uint32_t bcd)
{
    uint32_t back;

    return sigstruct_date(from_bcd(bcd >> 16, 4), from_bcd(bcd >> 8 & 0xff, 2),
                          from_bcd(bcd & 0xff, 2), &back) == 0 &&
           back == bcd;
}

/* One field that is not what the SDM wants; `code` tells builders from verifiers. */
static int bad_field(struct error **err, int code, size_t offset, const char *field,
                     const char *why)
{
    return error_set(err, code, "SIGSTRUCT.%s (offset %zu): %s", field, offset, why);
}
#define BAD_FIELD(err, code, member, name, why) \
    bad_field(err, code, offsetof(struct sgx_sigstruct, member), name, why)

/* Constants and reserved fields: what EINIT answers with SGX_INVALID_SIG_STRUCT. */
static int check_fixed(const struct sgx_sigstruct *s, int code, struct error **err)
{
    static const char constant[] = "does not hold the constant of SDM table 35-19";
    static const char reserved[] = "a reserved field is not zero";

    if (memcmp(s->header, header1, sizeof(header1)) != 0) {
        return BAD_FIELD(err, code, header, "HEADER", constant);
    }
    if (s->vendor != 0 && s->vendor != SIGSTRUCT_VENDOR_INTEL) {
        return BAD_FIELD(err, code, vendor, "VENDOR", "is neither 0 nor 0x8086");
    }
    if (!sigstruct_date_is_valid(s->date)) {
        return BAD_FIELD(err, code, date, "DATE", "is no calendar day in BCD yyyymmdd");
    }
    if (memcmp(s->header2, header2, sizeof(header2)) != 0) {
        return BAD_FIELD(err, code, header2, "HEADER2", constant);
    }
    if (!ct_is_zero(s->reserved1, sizeof(s->reserved1))) {
        return BAD_FIELD(err, code, reserved1, "RESERVED1", reserved);
    }
    if (!ct_is_zero(s->reserved2, sizeof(s->reserved2))) {
        return BAD_FIELD(err, code, reserved2, "RESERVED2", reserved);
    }
    if (!ct_is_zero(s->reserved3, sizeof(s->reserved3))) {
        return BAD_FIELD(err, code, reserved3, "RESERVED3", reserved);
    }
    if (!ct_is_zero(s->reserved4, sizeof(s->reserved4))) {
        return BAD_FIELD(err, code, reserved4, "RESERVED4", reserved);
    }
    return 0;
}

/* Choices that no processor would ever run, caught before somebody signs them. */
static int check_params(const struct sigstruct_params *p, struct error **err)
{
    const uint64_t kss = p->attributes.flags & SGX_FLAGS_KSS;

    if (p->attributes.flags & SGX_FLAGS_INIT) {
        return BAD_FIELD(err, EINVAL, attributes, "ATTRIBUTES", "INIT is the processor's own bit");
    }
    if (!(p->attributes.flags & SGX_FLAGS_MODE64BIT)) {
        return BAD_FIELD(err, EINVAL, attributes, "ATTRIBUTES",
                         "MODE64BIT is not set, and nacre's enclaves are 64-bit");
    }
    if ((p->attributes.xfrm & SGX_XFRM_LEGACY) != SGX_XFRM_LEGACY) {
        return BAD_FIELD(err, EINVAL, attributes, "ATTRIBUTES.XFRM",
                         "x87 and SSE (0x3) must be set");
    }
    if (!kss && !ct_is_zero(p->isv_family_id, sizeof(p->isv_family_id))) {
        return BAD_FIELD(err, EINVAL, isv_family_id, "ISVFAMILYID", "needs the KSS attribute");
    }
    if (!kss && !ct_is_zero(p->isv_ext_prod_id, sizeof(p->isv_ext_prod_id))) {
        return BAD_FIELD(err, EINVAL, isv_ext_prod_id, "ISVEXTPRODID", "needs the KSS attribute");
    }
    return 0;
}

int sigstruct_build(const struct sigstruct_params *p, struct sgx_sigstruct *ret, struct error **err)
{
    struct sgx_sigstruct s = {0};
    int r = check_params(p, err);

    if (r < 0) {
        return r;
    }
    memcpy(s.header, header1, sizeof(header1));
    memcpy(s.header2, header2, sizeof(header2));
    s.vendor = p->vendor;
    s.date = p->date;
    s.swdefined = p->swdefined;
    s.miscselect = p->miscselect;
    s.miscmask = p->miscmask;
    s.cet_attributes = p->cet_attributes;
    s.cet_attributes_mask = p->cet_attributes_mask;
    memcpy(s.isv_family_id, p->isv_family_id, sizeof(s.isv_family_id));
    s.attributes = p->attributes;
    s.attribute_mask = p->attribute_mask;
    memcpy(s.enclave_hash, p->mrenclave, sizeof(s.enclave_hash));
    memcpy(s.isv_ext_prod_id, p->isv_ext_prod_id, sizeof(s.isv_ext_prod_id));
    s.isv_prod_id = p->isv_prod_id;
    s.isv_svn = p->isv_svn;
    r = check_fixed(&s, EINVAL, err);
    if (r == 0) {
        *ret = s;
    }
    return r;
}

void sigstruct_signed_bytes(const struct sgx_sigstruct *s,
                            uint8_t ret[static SIGSTRUCT_SIGNED_SIZE])
{
    const uint8_t *p = (const uint8_t *)s;

    memcpy(ret, p + SGX_SIGSTRUCT_SIGNED1_OFFSET, SGX_SIGSTRUCT_SIGNED1_SIZE);
    memcpy(ret + SGX_SIGSTRUCT_SIGNED1_SIZE, p + SGX_SIGSTRUCT_SIGNED2_OFFSET,
           SGX_SIGSTRUCT_SIGNED2_SIZE);
}

int sigstruct_from_signed_bytes(const uint8_t *bytes, size_t size, struct sgx_sigstruct *ret,
                                struct error **err)
{
    struct sgx_sigstruct s = {0};
    uint8_t *p = (uint8_t *)&s;
    int r;

    if (size != SIGSTRUCT_SIGNED_SIZE) {
        return error_set(err, EINVAL, "the signed part of a SIGSTRUCT has %u bytes, not %zu",
                         SIGSTRUCT_SIGNED_SIZE, size);
    }
    memcpy(p + SGX_SIGSTRUCT_SIGNED1_OFFSET, bytes, SGX_SIGSTRUCT_SIGNED1_SIZE);
    memcpy(p + SGX_SIGSTRUCT_SIGNED2_OFFSET, bytes + SGX_SIGSTRUCT_SIGNED1_SIZE,
           SGX_SIGSTRUCT_SIGNED2_SIZE);
    r = check_fixed(&s, EINVAL, err);
    if (r == 0) {
        *ret = s;
    }
    return r;
}

int sigstruct_set_signature(struct sgx_sigstruct *s, const uint8_t modulus[static 384],
                            const uint8_t signature[static 384], struct error **err)
{
    uint8_t bytes[SIGSTRUCT_SIGNED_SIZE];
    struct sgx_sigstruct done = *s;
    int r;

    sigstruct_signed_bytes(s, bytes);
    r = crypto_rsa3072_verify(modulus, signature, bytes, sizeof(bytes));
    if (r == -EBADMSG || r == -EINVAL) {
        return error_set(err, EBADMSG,
                         "the signature does not verify: it was made over other bytes, with "
                         "another key, or not as RSA PKCS#1 v1.5 with SHA-256");
    }
    if (r < 0) {
        return error_set_errno(err, -r, "checking the signature");
    }
    memcpy(done.modulus, modulus, sizeof(done.modulus));
    memcpy(done.signature, signature, sizeof(done.signature));
    done.exponent = SGX_RSA_EXPONENT;
    r = crypto_rsa3072_q(modulus, signature, done.q1, done.q2);
    if (r < 0) {
        return error_set_errno(err, -r, "computing q1 and q2");
    }
    *s = done;
    return 0;
}

int sigstruct_sign(struct sgx_sigstruct *s, struct evp_pkey_st *key, struct error **err)
{
    uint8_t bytes[SIGSTRUCT_SIGNED_SIZE];
    uint8_t modulus[SGX_RSA_SIZE];
    uint8_t signature[SGX_RSA_SIZE];
    int r = crypto_rsa3072_check(key, err);

    if (r < 0) {
        (void)error_wrap(err, "the signing key does not fit");
        return r;
    }
    sigstruct_signed_bytes(s, bytes);
    r = crypto_rsa3072_modulus(key, modulus);
    r = r < 0 ? r : crypto_rsa3072_sign(key, bytes, sizeof(bytes), signature);
    if (r < 0) {
        return error_set_errno(err, -r, "signing");
    }
    /* Verified at once: a fault during the private operation must not leave this function. */
    r = sigstruct_set_signature(s, modulus, signature, err);
    if (r == -EBADMSG) {
        return error_set(err, EBADMSG,
                         "what the key signs does not verify under its own modulus: the key is "
                         "damaged; restore it from a copy");
    }
    return r;
}

int sigstruct_parse(const void *data, size_t size, struct sgx_sigstruct *ret, struct error **err)
{
    if (size != SIGSTRUCT_SIZE) {
        return error_set(err, EBADMSG, "a SIGSTRUCT has %zu bytes, this has %zu", SIGSTRUCT_SIZE,
                         size);
    }
    memcpy(ret, data, SIGSTRUCT_SIZE);
    return 0;
}

int sigstruct_verify(const struct sgx_sigstruct *s, struct error **err)
{
    uint8_t bytes[SIGSTRUCT_SIGNED_SIZE];
    uint8_t q1[SGX_RSA_SIZE];
    uint8_t q2[SGX_RSA_SIZE];
    int r = check_fixed(s, EBADMSG, err);

    if (r < 0) {
        return r;
    }
    if (s->exponent != SGX_RSA_EXPONENT) {
        return BAD_FIELD(err, EBADMSG, exponent, "EXPONENT", "is not 3");
    }
    sigstruct_signed_bytes(s, bytes);
    r = crypto_rsa3072_q(s->modulus, s->signature, q1, q2);
    if (r == -EINVAL) {
        return BAD_FIELD(err, EBADMSG, modulus, "MODULUS",
                         "is not an odd number of 3072 bits above SIGNATURE");
    }
    r = r < 0 ? r : crypto_rsa3072_verify(s->modulus, s->signature, bytes, sizeof(bytes));
    if (r == -EBADMSG) {
        return BAD_FIELD(err, EBADMSG, signature, "SIGNATURE",
                         "does not verify over bytes 0..127 and 900..1027");
    }
    if (r < 0) {
        return error_set_errno(err, -r, "verifying the SIGSTRUCT");
    }
    if (memcmp(s->q1, q1, sizeof(q1)) != 0) {
        return BAD_FIELD(err, EBADMSG, q1, "Q1", "is not floor(SIGNATURE^2 / MODULUS)");
    }
    if (memcmp(s->q2, q2, sizeof(q2)) != 0) {
        return BAD_FIELD(err, EBADMSG, q2, "Q2",
                         "is not floor((SIGNATURE^3 - Q1 * SIGNATURE * MODULUS) / MODULUS)");
    }
    return 0;
}

void sigstruct_mrsigner(const uint8_t modulus[static 384], uint8_t ret[static 32])
{
    sha256(modulus, SGX_RSA_SIZE, ret);
}
