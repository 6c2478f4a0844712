/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The software root: what Intel's provisioning service is to a processor, for softsgx. Three
 * authorities (root, PCK CA, TCB signing) and one platform (PCK key and certificate, attestation
 * key), in the state directory, made on first use; and the collateral a verifier needs, in the
 * shapes Intel's service answers with. It proves who made an image run on which machine's software
 * processor; it proves nothing about hardware, and every name in it says so.
 *
 *   <state dir>/softsgx/root-1/             mode 0700, made whole and renamed into place
 *     root.pem pck_ca.pem tcb_signing.pem pck.pem          certificates
 *     root.key pck_ca.key tcb_signing.key pck.key att.key  PKCS#8 PEM, mode 0600
 *     collateral/                                          public; see soft_root_export
 *
 * A test lab shares the three authorities, so that one root and one set of collateral serve all of
 * its machines: see soft_root_init.
 */

#include "abi/sgx_arch.h"
#include "base/error.h"

#define SOFT_ROOT_NAME        "nacre software root - no hardware protection"
#define SOFT_PCK_CA_NAME      "nacre software PCK CA - no hardware protection"
#define SOFT_PCK_NAME         "nacre software PCK - no hardware protection"
#define SOFT_TCB_SIGNING_NAME "nacre software TCB signing - no hardware protection"

/* The one TCB level of the software platform. */
#define SOFT_TCB_COMPONENT 1u /* each of the 16 */
#define SOFT_PCE_SVN       1u

/* The software quoting enclave as its reports and its identity describe it. */
#define SOFT_QE_ISV_PROD_ID 1u
#define SOFT_QE_ISV_SVN     1u
#define SOFT_QE_FLAGS       0x15ull /* INIT, MODE64BIT, PROVISIONKEY */
#define SOFT_QE_XFRM        SGX_XFRM_LEGACY
void soft_qe_mrenclave(uint8_t ret[static 32]);
void soft_qe_mrsigner(uint8_t ret[static 32]);

struct soft_root;

/* Opens this machine's root, making it when there is none, and renews collateral that ends within
 * half a year. Processes may do this at the same time. */
[[nodiscard]] int soft_root_open(struct soft_root **ret, struct error **err);
struct soft_root *soft_root_free(struct soft_root *root);
static inline void soft_root_freep(struct soft_root **root)
{
    *root = soft_root_free(*root);
}
#define _cleanup_soft_root_ _cleanup_(soft_root_freep)

struct soft_root_info {
    const char *dir;         /* where it is kept */
    uint8_t fingerprint[32]; /* SHA-256 of the root certificate's DER */
    uint8_t fmspc[6];
    uint8_t ppid[16];
    int64_t not_after;            /* of the certificates */
    int64_t collateral_not_after; /* next update of the revocation lists */
    bool fresh;                   /* made by this call */
};
/* Pointers are borrowed from `root`. */
void soft_root_info(const struct soft_root *root, struct soft_root_info *ret);

/* Makes this machine's root now. With `lab_dir` its authorities are those in that directory, which
 * is filled when it is empty: copy it to each machine of the lab, or mount it there for this one
 * call. -EEXIST when there is a root already and not `force`; `force` replaces it, and quotes of
 * the old one stop verifying under the new root. */
[[nodiscard]] int soft_root_init(const char *lab_dir, bool force, struct error **err);

/* Writes what verifiers need into `dir` (made when missing; files of the same names are replaced):
 * root_ca.pem and one collateral set: tcb_info.json, qe_identity.json, tcb_signing_chain.pem,
 * pck_crl.der, root_ca_crl.der. Nothing secret. */
[[nodiscard]] int soft_root_export(const struct soft_root *root, const char *dir,
                                   struct error **err);
