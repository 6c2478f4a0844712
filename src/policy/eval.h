/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Decisions: is this evidence good enough for that service, may this caller do that, may that
 * session import this, and what is in a value once its macros are replaced. Every refusal carries
 * its reason in *err (code EACCES), meant for the audit log and not for the one who was refused.
 */

#include "base/error.h"
#include "policy/ast.h"
#include "policy/policy.h"

/* ---- evidence ------------------------------------------------------------------------------- */

/* What a verifier found out, in the policy's own terms; whoever verifies fills it in. */

enum pol_tcb_status {
    POL_TCB_UP_TO_DATE,
    POL_TCB_SW_HARDENING_NEEDED,
    POL_TCB_CONFIGURATION_NEEDED,
    POL_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    POL_TCB_OUT_OF_DATE,
    POL_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    POL_TCB_REVOKED,
};

struct pol_claims {
    bool present; /* false: the service showed no evidence */
    bool software_root;
    uint8_t root_id[32]; /* SHA-256 of the root's SubjectPublicKeyInfo */
    uint8_t mrenclave[32];
    uint8_t mrsigner[32];
    uint16_t isvprodid;
    uint16_t isvsvn;
    bool debug;
    uint8_t qe_id[16];
    enum pol_tcb_status tcb_status; /* the worse of platform and quoting enclave */
    size_t advisory_count;
    const char *const *advisories; /* "INTEL-SA-00161" */
    uint32_t tcb_evaluation;
    uint64_t collateral_age; /* seconds since the oldest piece of collateral was issued */
};

/* 0: the service may be provisioned. -ENOENT: there is no such service. -EACCES: *err says why. */
[[nodiscard]] int pol_evaluate(const struct pol_session *s, const char *service,
                               const struct pol_claims *claims, struct error **err);

/* ---- callers -------------------------------------------------------------------------------- */

struct pol_signer {
    uint8_t version; /* KEY_ID_VERSION_… */
    struct pol_hash id;
};

struct pol_caller {
    bool has_key; /* a client certificate whose private key was proven in the handshake */
    struct pol_hash key;
    size_t signer_count; /* signatures over this very request that verified */
    const struct pol_signer *signers;
};

/* 0 or -EACCES. Absent rights have the language's defaults: read and update CREATOR,
 * create_sessions as update, list_sessions as read (and who may create may list), read_secrets
 * NONE. */
[[nodiscard]] int pol_access(const struct pol_session *s, enum pol_right right,
                             const struct pol_caller *caller, struct error **err);

/* ---- exports -------------------------------------------------------------------------------- */

/* True when `from` exports `secret` to the session `name` with the hash `hash`. */
[[nodiscard]] bool pol_exports_to(const struct pol_session *from, const struct pol_secret *secret,
                                  const char *name, const uint8_t hash[static POL_HASH_SIZE]);

/* The export of a volume to that session, or NULL. */
const struct pol_volume_export *pol_volume_exports_to(const struct pol_session *from,
                                                      const struct pol_volume *volume,
                                                      const char *name,
                                                      const uint8_t hash[static POL_HASH_SIZE]);

/* ---- values --------------------------------------------------------------------------------- */

/* Gives the bytes of a secret in a format (the text of it, see pol_format_of). The result is
 * malloc'd; the expansion wipes and frees it. */
struct pol_values {
    int (*get)(void *ctx, const struct pol_secret *secret, const char *format, size_t format_len,
               uint8_t **ret, size_t *ret_size, struct error **err);
    void *ctx;
};

#define POL_EXPANDED_MAX ((size_t)4 * 1024 * 1024)

/* Replaces the macros of a text. *ret is malloc'd, NUL-terminated behind its bytes, and the
 * caller's to wipe and free. */
[[nodiscard]] int pol_expand(const struct pol_session *s, const char *text,
                             const struct pol_values *values, uint8_t **ret, size_t *ret_size,
                             struct error **err);

/* As pol_expand for places that are C strings (arguments, environment): a NUL byte in the result is
 * an error. */
[[nodiscard]] int pol_expand_string(const struct pol_session *s, const char *text,
                                    const struct pol_values *values, char **ret,
                                    struct error **err);
