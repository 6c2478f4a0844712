/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The certificates and revocation lists of DCAP: X.509 v3 and CRL v2 (RFC 5280), ECDSA P-256 with
 * SHA-256 throughout. The profile is narrow on purpose: another algorithm, an unknown critical
 * extension, a repeated extension or a byte left over is a refusal. Parsed structures borrow the
 * bytes they were parsed from.
 */

#include "attest/p256_internal.h"
#include "attest/verifier.h"
#include "core/cursor.h"

#define X509_KU_DIGITAL_SIGNATURE 0x80u
#define X509_KU_CERT_SIGN         0x04u
#define X509_KU_CRL_SIGN          0x02u

struct x509_cert {
    struct cursor whole;
    struct cursor tbs; /* what the signature covers, tag included */
    struct cursor serial;
    struct cursor issuer;  /* the Name, tag included */
    struct cursor subject; /* the Name, tag included */
    struct cursor subject_key_id;
    struct cursor authority_key_id;
    struct cursor sgx_extension; /* contents of 1.2.840.113741.1.13.1, or empty */
    int64_t not_before;
    int64_t not_after;
    uint8_t key[P256_KEY_SIZE];
    uint8_t signature[P256_SIG_SIZE];
    bool is_ca;
    bool has_path_length;
    uint32_t path_length;
    uint8_t key_usage;
};

/* `whole` holds exactly one certificate. */
[[nodiscard]] int x509_cert_parse(struct cursor whole, struct x509_cert *ret,
                                  struct att_reason *why);

/* Copies the subject's common name; "" when there is none or it does not fit. */
void x509_common_name(const struct x509_cert *cert, char *dst, size_t cap);

/* `cert` was issued by `issuer`: names and key identifiers agree, the issuer may sign certificates,
 * and the signature verifies under `issuer_key`, the issuer's parsed key. `what` names the
 * certificate in the reason. */
[[nodiscard]] int x509_check_issued(const struct x509_cert *cert, const struct x509_cert *issuer,
                                    const struct p256_key *issuer_key, const char *what,
                                    struct att_reason *why);

/* notBefore <= time <= notAfter. */
[[nodiscard]] int x509_check_time(const struct x509_cert *cert, int64_t time, const char *what,
                                  struct att_reason *why);

struct x509_crl {
    struct cursor tbs;
    struct cursor issuer;
    struct cursor authority_key_id;
    struct cursor revoked; /* the entries, checked by the parser */
    int64_t this_update;
    int64_t next_update;
    uint8_t signature[P256_SIG_SIZE];
};

[[nodiscard]] int x509_crl_parse(struct cursor whole, const char *what, struct x509_crl *ret,
                                 struct att_reason *why);
/* The list was issued and signed by `issuer`. */
[[nodiscard]] int x509_crl_check_issued(const struct x509_crl *crl, const struct x509_cert *issuer,
                                        const struct p256_key *issuer_key, const char *what,
                                        struct att_reason *why);
[[nodiscard]] int x509_crl_check_time(const struct x509_crl *crl, int64_t time, const char *what,
                                      struct att_reason *why);
bool x509_crl_has(const struct x509_crl *crl, const struct cursor *serial);

/* --- chains --- */

#define X509_CHAIN_MAX 4u

struct x509_chain {
    size_t count;
    struct x509_cert certs[X509_CHAIN_MAX];
    uint8_t *der; /* owned: the decoded bytes the certificates borrow */
};

/* Reads PEM certificates. White space around them and one final NUL (Intel's quoting library counts
 * its terminator) are fine, anything else between them is not. */
[[nodiscard]] int x509_chain_parse(const void *pem, size_t size, const char *what,
                                   struct x509_chain *ret, struct att_reason *why);
void x509_chain_done(struct x509_chain *chain);

/* The one certificate that names itself as its issuer. Its signature is not looked at: see
 * x509_check_issued(root, root, …). */
[[nodiscard]] int x509_chain_root(const struct x509_chain *chain, const char *what,
                                  const struct x509_cert **ret, struct att_reason *why);

static inline bool cursor_equal(const struct cursor *a, const struct cursor *b)
{
    return a->left == b->left && (a->left == 0 || __builtin_memcmp(a->p, b->p, a->left) == 0);
}
