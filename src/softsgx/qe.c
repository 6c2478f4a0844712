/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The software quoting enclave. It does what Intel's does with the same bytes: checks the REPORT's
 * MAC, signs header and body with the attestation key, and brings along its own report, signed by
 * the PCK key, whose REPORTDATA binds the attestation key ("SGX ECDSA QuoteGenReference", appendix
 * A.4). Everything but the body and one signature is the same in each quote, so it is made once.
 */

#include <stdlib.h>
#include <string.h>

#include "abi/sgx_quote.h"
#include "base/crypto.h"
#include "core/cmac.h"
#include "core/ct.h"
#include "core/le.h"
#include "core/sha256.h"
#include "softsgx/keys.h"
#include "softsgx/root_internal.h"

#define AUTH_SIZE 32u

static const char mrenclave_text[] = "nacre software quoting enclave 1";
static const char mrsigner_text[] = "nacre software quoting enclave signer: no hardware protection";

struct soft_qe {
    EVP_PKEY *att_key;
    size_t size;
    uint8_t quote[QUOTE_MAX_SIZE]; /* body and signature are zero */
};

void soft_qe_mrenclave(uint8_t ret[static 32])
{
    sha256(mrenclave_text, sizeof(mrenclave_text) - 1, ret);
}

void soft_qe_mrsigner(uint8_t ret[static 32])
{
    sha256(mrsigner_text, sizeof(mrsigner_text) - 1, ret);
}

void soft_qe_target(struct sgx_targetinfo *ret)
{
    *ret = (struct sgx_targetinfo){
        .attributes = {.flags = SOFT_QE_FLAGS, .xfrm = SOFT_QE_XFRM},
    };
    soft_qe_mrenclave(ret->mrenclave);
}

static void qe_report(const uint8_t att_point[static 64], const uint8_t auth[static AUTH_SIZE],
                      struct sgx_report_body *ret)
{
    struct sha256 ctx;

    *ret = (struct sgx_report_body){
        .attributes = {.flags = SOFT_QE_FLAGS, .xfrm = SOFT_QE_XFRM},
        .isv_prod_id = SOFT_QE_ISV_PROD_ID,
        .isv_svn = SOFT_QE_ISV_SVN,
    };
    memcpy(ret->cpu_svn, soft_cpu_svn, sizeof(ret->cpu_svn));
    soft_qe_mrenclave(ret->mrenclave);
    soft_qe_mrsigner(ret->mrsigner);
    sha256_init(&ctx);
    sha256_update(&ctx, att_point, CRYPTO_P256_SIZE);
    sha256_update(&ctx, auth, AUTH_SIZE);
    sha256_final(&ctx, ret->report_data); /* the other 32 bytes are zero */
}

static int fill_template(const struct soft_root *root, struct soft_qe *qe)
{
    const size_t chain_size = strlen(root->pck_chain) + 1; /* Intel's ends with a NUL too */
    struct quote_v3_fixed fixed = {
        .header =
            {
                .version = QUOTE_VERSION_3,
                .att_key_type = QUOTE_ATT_KEY_ECDSA_P256,
                .qe_svn = SOFT_QE_ISV_SVN,
                .pce_svn = SOFT_PCE_SVN,
                .qe_vendor_id = QUOTE_INTEL_QE_VENDOR_ID,
            },
    };
    struct quote_v3_signature sig = {0};
    uint8_t auth[AUTH_SIZE];
    uint8_t *p = qe->quote;
    int r = crypto_p256_point(root->att_key, sig.att_key);

    if (r < 0) {
        return r;
    }
    qe->size = sizeof(fixed) + sizeof(sig) + 2 + AUTH_SIZE + 2 + 4 + chain_size;
    if (qe->size > sizeof(qe->quote)) {
        return -E2BIG;
    }
    for (size_t i = 0; i < sizeof(auth); i++) {
        auth[i] = (uint8_t)i; /* as Intel's: nothing is bound besides the key */
    }
    qe_report(sig.att_key, auth, &sig.qe_report);
    r = crypto_p256_sign(root->pck.key, &sig.qe_report, sizeof(sig.qe_report),
                         sig.qe_report_signature);
    if (r < 0) {
        return r;
    }
    memcpy(fixed.header.user_data, root->ppid, sizeof(root->ppid)); /* QE ID */
    fixed.signature_size = (uint32_t)(qe->size - sizeof(fixed));
    memcpy(p, &fixed, sizeof(fixed));
    p += sizeof(fixed);
    memcpy(p, &sig, sizeof(sig));
    p += sizeof(sig);
    le16_store(p, AUTH_SIZE);
    memcpy(p + 2, auth, AUTH_SIZE);
    p += 2 + AUTH_SIZE;
    le16_store(p, QUOTE_CERT_PCK_CHAIN);
    le32_store(p + 2, (uint32_t)chain_size);
    memcpy(p + 6, root->pck_chain, chain_size);
    return 0;
}

struct soft_qe *soft_qe_free(struct soft_qe *qe)
{
    if (qe != NULL) {
        (void)crypto_key_free(qe->att_key);
        free(qe);
    }
    return NULL;
}

int soft_qe_new(const struct soft_root *root, struct soft_qe **ret, struct error **err)
{
    struct soft_qe *qe = calloc(1, sizeof(*qe));
    int r = qe != NULL ? fill_template(root, qe) : -ENOMEM;

    if (r == 0 && EVP_PKEY_up_ref(root->att_key) != 1) {
        r = -EIO;
    }
    if (r < 0) {
        free(qe);
        return error_set_errno(err, -r, "starting the software quoting enclave");
    }
    qe->att_key = root->att_key;
    *ret = qe;
    return 0;
}

int soft_qe_quote(const struct soft_qe *qe, const struct sgx_report *report,
                  const uint8_t report_key[static 16], uint8_t **ret, size_t *ret_size,
                  struct error **err)
{
    uint8_t mac[16];
    uint8_t *quote;
    int r;

    cmac_aes128(report_key, &report->body, sizeof(report->body), mac);
    if (!ct_equal(mac, report->mac, sizeof(mac))) {
        return error_set(err, EACCES,
                         "the REPORT's MAC does not verify: it was not made by this machine's "
                         "processor, or not for the quoting enclave (EREPORT must name the target "
                         "info that comes with quoting)");
    }
    quote = malloc(qe->size);
    if (quote == NULL) {
        return error_set_errno(err, ENOMEM, "quoting");
    }
    memcpy(quote, qe->quote, qe->size);
    memcpy(quote + offsetof(struct quote_v3_fixed, body), &report->body, sizeof(report->body));
    r = crypto_p256_sign(qe->att_key, quote, offsetof(struct quote_v3_fixed, signature_size),
                         quote + sizeof(struct quote_v3_fixed));
    if (r < 0) {
        free(quote);
        return error_set_errno(err, -r, "signing the quote");
    }
    *ret = quote;
    *ret_size = qe->size;
    return 0;
}
