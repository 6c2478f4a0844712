/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The collateral of a software root, byte for byte in the shapes of Intel's provisioning service
 * (PCS API v4): compact JSON with the members in its order, the signature over the exact bytes of
 * the inner object.
 */

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "core/hex.h"
#include "softsgx/root_internal.h"

#define YEAR_SECONDS ((time_t)365 * 24 * 3600)
#define BACKDATED    ((time_t)24 * 3600)
#define CRL_FILE_MAX ((size_t)64 * 1024)

#define TCB_DATE              "2026-01-01T00:00:00Z"
#define TCB_EVALUATION_NUMBER 1

const char *const soft_collateral_files[] = {
    "tcb_info.json", "qe_identity.json", "tcb_signing_chain.pem",
    "pck_crl.der",   "root_ca_crl.der",  NULL,
};

struct dates {
    char issued[32];
    char next[32];
};

static int format_time(time_t t, char ret[static 32])
{
    struct tm tm;

    return gmtime_r(&t, &tm) != NULL && strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) != 0 ? 0
                                                                                          : -EINVAL;
}

static void upper_hex(char *dst, const void *src, size_t size)
{
    hex_encode(dst, src, size);
    for (char *p = dst; *p != '\0'; p++) {
        *p = *p >= 'a' && *p <= 'f' ? (char)(*p - 'a' + 'A') : *p;
    }
}

static int tcb_info(const uint8_t fmspc[static 6], const struct dates *d, char **ret)
{
    char fmspc_hex[13];
    char components[16 * 16];
    size_t at = 0;

    upper_hex(fmspc_hex, fmspc, 6);
    for (int i = 0; i < 16; i++) {
        at += (size_t)snprintf(components + at, sizeof(components) - at, "%s{\"svn\":%u}",
                               i == 0 ? "" : ",", SOFT_TCB_COMPONENT);
    }
    return asprintf(ret,
                    "{\"id\":\"SGX\",\"version\":3,\"issueDate\":\"%s\",\"nextUpdate\":\"%s\","
                    "\"fmspc\":\"%s\",\"pceId\":\"0000\",\"tcbType\":0,"
                    "\"tcbEvaluationDataNumber\":%d,\"tcbLevels\":[{\"tcb\":{"
                    "\"sgxtcbcomponents\":[%s],\"pcesvn\":%u},\"tcbDate\":\"" TCB_DATE "\","
                    "\"tcbStatus\":\"UpToDate\"}]}",
                    d->issued, d->next, fmspc_hex, TCB_EVALUATION_NUMBER, components,
                    SOFT_PCE_SVN) < 0
               ? -ENOMEM
               : 0;
}

static int qe_identity(const struct dates *d, char **ret)
{
    /* As Intel's: every flag but MODE64BIT; XFRM is the machine's. */
    const struct sgx_attributes mask = {.flags = ~(uint64_t)SGX_FLAGS_MODE64BIT};
    const struct sgx_attributes attributes = {.flags = SOFT_QE_FLAGS & mask.flags};
    uint8_t mrsigner[32];
    char attributes_hex[33];
    char mask_hex[33];
    char mrsigner_hex[65];

    soft_qe_mrsigner(mrsigner);
    upper_hex(attributes_hex, &attributes, sizeof(attributes));
    upper_hex(mask_hex, &mask, sizeof(mask));
    upper_hex(mrsigner_hex, mrsigner, sizeof(mrsigner));
    return asprintf(ret,
                    "{\"id\":\"QE\",\"version\":2,\"issueDate\":\"%s\",\"nextUpdate\":\"%s\","
                    "\"tcbEvaluationDataNumber\":%d,\"miscselect\":\"00000000\","
                    "\"miscselectMask\":\"FFFFFFFF\",\"attributes\":\"%s\","
                    "\"attributesMask\":\"%s\",\"mrsigner\":\"%s\",\"isvprodid\":%u,"
                    "\"tcbLevels\":[{\"tcb\":{\"isvsvn\":%u},\"tcbDate\":\"" TCB_DATE "\","
                    "\"tcbStatus\":\"UpToDate\"}]}",
                    d->issued, d->next, TCB_EVALUATION_NUMBER, attributes_hex, mask_hex,
                    mrsigner_hex, SOFT_QE_ISV_PROD_ID, SOFT_QE_ISV_SVN) < 0
               ? -ENOMEM
               : 0;
}

static int put(const char *dir, const char *name, const void *data, size_t size, struct error **err)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        path = NULL;
        return error_set_errno(err, ENOMEM, "writing %s", name);
    }
    return fs_write_file_atomic(path, data, size, 0644, err);
}

/* {"<member>":<inner>,"signature":"<hex of r || s>"} */
static int put_signed(const char *dir, const char *name, const char *member, const char *inner,
                      EVP_PKEY *key, struct error **err)
{
    _cleanup_free_ char *document = NULL;
    uint8_t signature[CRYPTO_P256_SIZE];
    char hex[2 * CRYPTO_P256_SIZE + 1];
    int r = crypto_p256_sign(key, inner, strlen(inner), signature);

    if (r < 0) {
        return error_set_errno(err, -r, "signing %s", name);
    }
    hex_encode(hex, signature, sizeof(signature));
    if (asprintf(&document, "{\"%s\":%s,\"signature\":\"%s\"}", member, inner, hex) < 0) {
        document = NULL;
        return error_set_errno(err, ENOMEM, "writing %s", name);
    }
    return put(dir, name, document, strlen(document), err);
}

static int put_documents(const struct soft_authority *a, const char *dir, const struct dates *d,
                         struct error **err)
{
    _cleanup_free_ char *tcb = NULL;
    _cleanup_free_ char *qe = NULL;
    uint8_t fmspc[6];
    int r = soft_root_fmspc(a->root.cert, fmspc);

    r = r < 0 ? r : tcb_info(fmspc, d, &tcb);
    if (r < 0) {
        tcb = NULL;
        return error_set_errno(err, -r, "writing the TCB info");
    }
    r = qe_identity(d, &qe);
    if (r < 0) {
        qe = NULL;
        return error_set_errno(err, -r, "writing the QE identity");
    }
    r = put_signed(dir, "tcb_info.json", "tcbInfo", tcb, a->tcb.key, err);
    return r < 0 ? r : put_signed(dir, "qe_identity.json", "enclaveIdentity", qe, a->tcb.key, err);
}

static int put_chain(const struct soft_authority *a, const char *dir, struct error **err)
{
    _cleanup_free_ char *signer = NULL;
    _cleanup_free_ char *root = NULL;
    _cleanup_free_ char *chain = NULL;
    int r = pki_cert_to_pem(a->tcb.cert, &signer);

    r = r < 0 ? r : pki_cert_to_pem(a->root.cert, &root);
    if (r < 0 || asprintf(&chain, "%s%s", signer, root) < 0) {
        chain = NULL;
        return error_set_errno(err, ENOMEM, "writing the TCB signing chain");
    }
    return put(dir, "tcb_signing_chain.pem", chain, strlen(chain), err);
}

static int put_crl(const struct soft_identity_pair *issuer, const char *dir, const char *name,
                   time_t from, time_t until, struct error **err)
{
    _cleanup_free_ uint8_t *der = NULL;
    size_t size = 0;
    int r = pki_empty_crl(issuer->cert, issuer->key, from, until, &der, &size);

    if (r < 0) {
        return error_set_errno(err, -r, "making %s", name);
    }
    return put(dir, name, der, size, err);
}

int soft_collateral_write(const struct soft_authority *a, const char *dir, time_t now,
                          int64_t *ret_not_after, struct error **err)
{
    const time_t from = now - BACKDATED;
    const time_t until = now + YEAR_SECONDS;
    struct dates d;
    int r = format_time(from, d.issued);

    r = r < 0 ? r : format_time(until, d.next);
    if (r < 0) {
        return error_set(err, EINVAL, "the clock shows no date that can be written");
    }
    r = put_documents(a, dir, &d, err);
    r = r < 0 ? r : put_chain(a, dir, err);
    r = r < 0 ? r : put_crl(&a->root, dir, "root_ca_crl.der", from, until, err);
    /* Last: soft_collateral_not_after() looks at this one. */
    r = r < 0 ? r : put_crl(&a->ca, dir, "pck_crl.der", from, until, err);
    if (r == 0) {
        *ret_not_after = until;
    }
    return r;
}

int soft_collateral_not_after(const char *dir, int64_t *ret)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_free_ uint8_t *der = NULL;
    size_t size = 0;
    time_t t = 0;
    int r;

    if (asprintf(&path, "%s/pck_crl.der", dir) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    r = fs_read_file(path, CRL_FILE_MAX, &der, &size, NULL);
    r = r < 0 ? r : pki_crl_next_update(der, size, &t);
    if (r == 0) {
        *ret = t;
    }
    return r;
}
