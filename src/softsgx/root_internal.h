/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "softsgx/pki_internal.h"
#include "softsgx/root.h"

/* One key with its certificate. */
struct soft_identity_pair {
    EVP_PKEY *key;
    X509 *cert;
};

struct soft_authority {
    struct soft_identity_pair root;
    struct soft_identity_pair ca;
    struct soft_identity_pair tcb;
};

struct soft_root {
    char *dir;
    X509 *root_cert;
    struct soft_identity_pair pck;
    EVP_PKEY *att_key;
    char *pck_chain; /* PEM: leaf, CA, root */
    uint8_t fmspc[6];
    uint8_t ppid[16];
    int64_t collateral_not_after;
    bool fresh;
};

/* FMSPC out of the root's key: every root has collateral of its own. */
[[nodiscard]] int soft_root_fmspc(X509 *root_cert, uint8_t ret[static 6]);

/* --- authority.c --- */

void soft_pair_done(struct soft_identity_pair *p);
void soft_authority_done(struct soft_authority *a);
#define _cleanup_authority_ _cleanup_(soft_authority_done)

/* Makes a key, unless *ret has one, and its certificate under `issuer` (NULL: self-signed). */
[[nodiscard]] int soft_pair_make(const char *common_name, enum pki_role role,
                                 const struct soft_identity_pair *issuer,
                                 const uint8_t *sgx_extension, size_t sgx_extension_size,
                                 time_t now, struct soft_identity_pair *ret);
[[nodiscard]] int soft_authority_make(time_t now, struct soft_authority *ret);
[[nodiscard]] int soft_authority_of_lab(const char *dir, time_t now, struct soft_authority *ret,
                                        struct error **err);

/* <dir>/<name>.key and <dir>/<name>.pem */
[[nodiscard]] int soft_key_save(const char *dir, const char *name, EVP_PKEY *key,
                                struct error **err);
[[nodiscard]] int soft_key_load(const char *dir, const char *name, EVP_PKEY **ret,
                                struct error **err);
[[nodiscard]] int soft_cert_save(const char *dir, const char *name, X509 *cert, struct error **err);
[[nodiscard]] int soft_cert_load(const char *dir, const char *name, X509 **ret, struct error **err);
[[nodiscard]] int soft_authority_save(const struct soft_authority *a, const char *dir,
                                      struct error **err);
[[nodiscard]] int soft_authority_load(const char *dir, struct soft_authority *ret,
                                      struct error **err);

/* --- collateral.c --- */

#define SOFT_COLLATERAL_DIR "collateral"

/* Writes a fresh set, valid from a day before `now` for a year, into `dir` (exists). */
[[nodiscard]] int soft_collateral_write(const struct soft_authority *a, const char *dir, time_t now,
                                        int64_t *ret_not_after, struct error **err);
/* When the set in `dir` ends. -ENOENT, -EBADMSG. */
[[nodiscard]] int soft_collateral_not_after(const char *dir, int64_t *ret);

/* The file names of a set, ending with NULL. */
extern const char *const soft_collateral_files[];

/* --- qe.c --- */

/* A software quoting enclave: a quote ready but for the report and its signature. */
struct soft_qe;
[[nodiscard]] int soft_qe_new(const struct soft_root *root, struct soft_qe **ret,
                              struct error **err);
struct soft_qe *soft_qe_free(struct soft_qe *qe);

/* Whom reports that are to be quoted must be directed to. */
void soft_qe_target(struct sgx_targetinfo *ret);

/* Checks the report's MAC with the report key of soft_qe_target() (for report->key_id) and quotes
 * it. -EACCES when it is not a report of this processor for the quoting enclave. The quote is
 * malloc'd. */
[[nodiscard]] int soft_qe_quote(const struct soft_qe *qe, const struct sgx_report *report,
                                const uint8_t report_key[static 16], uint8_t **ret,
                                size_t *ret_size, struct error **err);
