/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Issues the certificates and revocation lists of a software root: P-256, SHA-256, and exactly the
 * extensions Intel's have (RFC 5280; "Intel SGX PCK Certificate and CRL Profile Specification").
 */

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <time.h>

#include "base/error.h"

static inline void pki_cert_freep(X509 **cert)
{
    X509_free(*cert);
    *cert = NULL;
}
#define _cleanup_cert_ _cleanup_(pki_cert_freep)

enum pki_role {
    PKI_ROOT,   /* self-signed, may issue one more CA */
    PKI_CA,     /* issues leaves and CRLs */
    PKI_SIGNER, /* signs documents */
};

struct pki_request {
    const char *common_name;
    enum pki_role role;
    EVP_PKEY *key;        /* the subject's; borrowed */
    X509 *issuer;         /* borrowed; NULL: self-signed */
    EVP_PKEY *issuer_key; /* borrowed; NULL: self-signed */
    time_t not_before;
    time_t not_after;
    const uint8_t *sgx_extension; /* DER value of 1.2.840.113741.1.13.1, or NULL */
    size_t sgx_extension_size;
};

[[nodiscard]] int pki_issue(const struct pki_request *q, X509 **ret);

/* An empty revocation list in DER, malloc'd. */
[[nodiscard]] int pki_empty_crl(X509 *issuer, EVP_PKEY *issuer_key, time_t this_update,
                                time_t next_update, uint8_t **ret, size_t *ret_size);
[[nodiscard]] int pki_crl_next_update(const uint8_t *der, size_t size, time_t *ret);

/* PEM text of one certificate, malloc'd. */
[[nodiscard]] int pki_cert_to_pem(X509 *cert, char **ret);
[[nodiscard]] int pki_cert_from_pem(const char *pem, size_t size, X509 **ret);
[[nodiscard]] int pki_cert_not_after(const X509 *cert, time_t *ret);

/* --- the SGX extension of PCK certificates --- */

#define PKI_SGX_EXTENSION_MAX 1024

struct pki_sgx_platform {
    uint8_t ppid[16];
    uint8_t components[16];
    uint16_t pce_svn;
    uint8_t cpu_svn[16];
    uint8_t pce_id[2];
    uint8_t fmspc[6];
};

/* Writes the DER value; returns its size (it always fits PKI_SGX_EXTENSION_MAX). */
size_t pki_sgx_extension(const struct pki_sgx_platform *p,
                         uint8_t ret[static PKI_SGX_EXTENSION_MAX]);
