/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include <stdatomic.h>

#include "attest/tcb_internal.h"
#include "attest/x509_internal.h"

/*
 * An issuing CA that was found genuine once: issued by the collateral's root, and signer of the PCK
 * revocation list. Remembering it changes no verdict, only saves two signature checks a quote.
 */
struct known_issuer {
    uint8_t *der; /* owned */
    struct x509_cert cert;
    struct p256_key *key;
};

struct att_collateral {
    uint8_t *crl_bytes; /* owned: both CRLs */
    struct x509_crl pck_crl;
    struct x509_crl root_crl;
    struct x509_chain signing_chain;
    const struct x509_cert *root;   /* in signing_chain */
    const struct x509_cert *signer; /* in signing_chain */
    struct att_root trust;          /* the root the chain ends in */
    struct p256_key *root_key;
    struct tcb_info tcb;
    struct qe_identity qe;
    uint8_t *pck_chain; /* owned PEM, for quotes that carry none; or NULL */
    size_t pck_chain_size;
    /* Set once, by the first quote whose issuer proved genuine; then read-only. */
    _Atomic(struct known_issuer *) issuer;
};

struct known_issuer *known_issuer_free(struct known_issuer *k);

/* The parsed key of this certificate's root; fails when it is not the collateral's own root key.
 * The certificate must have signed itself. */
[[nodiscard]] int collateral_check_root(const struct att_collateral *c,
                                        const struct x509_cert *root, struct att_reason *why);
/* Everything but the PCK certificates at this time: signing chain, CRLs, TCB info, QE identity. */
[[nodiscard]] int collateral_check_time(const struct att_collateral *c, int64_t time,
                                        struct att_reason *why);
/* The period in which all of that is valid. */
void collateral_window(const struct att_collateral *c, int64_t *ret_from, int64_t *ret_until);

/* Hardware roots issue under fixed names; a software root names its certificates as it likes. */
[[nodiscard]] int collateral_check_name(const struct att_root *root, const struct x509_cert *cert,
                                        const char *const *names, const char *what,
                                        struct att_reason *why);
