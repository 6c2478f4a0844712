/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What CAS knows about platforms: collateral from directories, parsed and with its signatures
 * checked once, and what a quote is worth under it. Which root may be trusted for what is decided
 * where the session is known: here a root is hardware (Intel's key) or software (any other), and
 * the result names it.
 *
 * Any number of threads may verify while another one reloads.
 */

#include "attest/verifier.h"
#include "base/error.h"

struct evidence;

#define EVIDENCE_SETS_MAX 256u

struct evidence_options {
    /* Directories that hold a set of collateral (docs/attestation.md, "Collateral") or directories
     * of such; a file stands for the directory it is in (so that a root's certificate can be
     * named). Borrowed until evidence_free. What `dirs` hold must end in Intel's root; what
     * `software_dirs` hold counts as software whatever it ends in. */
    size_t dir_count;
    const char *const *dirs;
    size_t software_count;
    const char *const *software_dirs;
    /* Where fetched collateral lies: as `dirs`, but may be empty. NULL: nowhere. */
    const char *cache_dir;
    /* Brings collateral for a platform that nothing here knows, into cache_dir. NULL: nobody does.
     * Called by one thread at a time. */
    int (*fetch)(void *ctx, const struct att_platform *platform, struct error **err);
    void *fetch_ctx;
};

/* Reads what is there. A directory without any set, or with one that does not hold together, is an
 * error that names it. No directories: every quote is refused. */
[[nodiscard]] int evidence_new(const struct evidence_options *options, struct evidence **ret,
                               struct error **err);
struct evidence *evidence_free(struct evidence *e);
static inline void evidence_freep(struct evidence **e)
{
    *e = evidence_free(*e);
}
#define _cleanup_evidence_ _cleanup_(evidence_freep)

/* Reads everything again. On failure what was read before stays in use. */
[[nodiscard]] int evidence_reload(struct evidence *e, struct error **err);

/* Reloads when a file has changed since the last time. 1: it did; 0: nothing changed. After a
 * failure it waits for the next change. */
[[nodiscard]] int evidence_refresh(struct evidence *e, struct error **err);

struct evidence_summary {
    size_t sets;
    size_t hardware;     /* of these, below Intel's root */
    int64_t valid_until; /* of the set that ends first; INT64_MAX without any */
};
void evidence_summary(struct evidence *e, struct evidence_summary *ret);

struct verified {
    struct att_claims claims;
    uint8_t root_id[32]; /* SHA-256 of the root's SubjectPublicKeyInfo */
    int64_t issued_at;   /* of the older of TCB info and QE identity */
};

/* Verifies under the set that is meant for this platform, fetching one when there is none. Negative
 * with *why filled: not genuine, or nothing here can say so; the code ATT_INTERNAL says that it may
 * go better in a moment. Appraise the claims before you trust them. */
[[nodiscard]] int evidence_verify(struct evidence *e, const void *quote, size_t size, int64_t now,
                                  struct verified *ret, struct att_reason *why);

/* Does the set in `dir` hold together, up to Intel's root? */
[[nodiscard]] int evidence_check_set(const char *dir, struct error **err);

/* SHA-256 of the SubjectPublicKeyInfo (RFC 5480) of a P-256 key x || y. */
void evidence_key_id(const uint8_t key[static 64], uint8_t ret[static 32]);
