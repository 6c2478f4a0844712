/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Keys and certificates of sessions (RFC 5280). Keys travel as PKCS#8 DER, certificates as DER.
 * Time is an argument: the caller has the clock.
 */

#include "base/error.h"
#include "policy/ast.h"

/* Bytes that may be secret: wiped when they go. */
struct cas_bytes {
    uint8_t *p; /* malloc'd */
    size_t size;
};

void cas_bytes_clear(struct cas_bytes *b);
#define _cleanup_bytes_ _cleanup_(cas_bytes_clear)
[[nodiscard]] int cas_bytes_copy(const void *p, size_t size, struct cas_bytes *ret);

/* A new private key. */
[[nodiscard]] int ca_key_generate(enum key_type type, struct cas_bytes *ret, struct error **err);

/* Reads a PEM private key (unencrypted) of a kind ca_key_generate makes, any RSA from 2048 to 4096
 * bits included. */
[[nodiscard]] int ca_key_from_pem(const char *pem, size_t size, struct cas_bytes *ret,
                                  struct error **err);

/* The SubjectPublicKeyInfo of a private key, of a PEM public key. */
[[nodiscard]] int ca_public_from_key(const struct cas_bytes *key, struct cas_bytes *ret,
                                     struct error **err);
[[nodiscard]] int ca_public_from_pem(const char *pem, size_t size, struct cas_bytes *ret,
                                     struct error **err);

/* Reads exactly one PEM certificate. */
[[nodiscard]] int ca_certificate_from_pem(const char *pem, size_t size, struct cas_bytes *ret,
                                          struct error **err);

struct ca_request {
    bool is_ca;
    const char *common_name;
    enum secret_endpoint endpoint;
    const struct pol_texts *dns;
    const struct pol_texts *ip;
    int64_t not_before;
    int64_t not_after;                   /* cut to the issuer's */
    const struct cas_bytes *key;         /* of the subject */
    const struct cas_bytes *issuer_cert; /* NULL: self-signed */
    const struct cas_bytes *issuer_key;
};

[[nodiscard]] int ca_issue(const struct ca_request *req, struct cas_bytes *ret, struct error **err);

/* What a certificate says of its time, in unix seconds. */
[[nodiscard]] int ca_validity(const struct cas_bytes *cert, int64_t *ret_not_before,
                              int64_t *ret_not_after);

/* True when `key` is the private key of `cert`. */
[[nodiscard]] bool ca_key_matches(const struct cas_bytes *cert, const struct cas_bytes *key);

/* True when `issuer` signed `cert` (names, key identifiers and signature; not the time). */
[[nodiscard]] bool ca_signed_by(const struct cas_bytes *cert, const struct cas_bytes *issuer);

[[nodiscard]] bool ca_self_signed(const struct cas_bytes *cert);

/* PEM of DER: "CERTIFICATE", "PRIVATE KEY", "PUBLIC KEY". Appends to *io. */
[[nodiscard]] int ca_pem_append(const char *label, const struct cas_bytes *der,
                                struct cas_bytes *io);

/* PKCS#12 with the key, the certificate and its chain, under the empty password. */
[[nodiscard]] int ca_pkcs12(const struct cas_bytes *cert, const struct cas_bytes *key,
                            const struct cas_bytes *chain, size_t chain_count,
                            struct cas_bytes *ret, struct error **err);
