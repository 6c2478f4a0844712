/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The secrets of one session: made, kept over updates, renewed, and given out in the formats of the
 * session language. Everything that depends on a key, an issuer or a previous value is decided
 * here; storing and transporting is others' work.
 */

#include "cas/ca.h"
#include "policy/eval.h"
#include "policy/macro.h"
#include "policy/policy.h"
#include "policy/resolve.h"

/* One value as it is stored. `data` by kind: the bytes (ascii, binary), PKCS#8 (private-key),
 * SubjectPublicKeyInfo (public-key), certificate (x509, x509-ca), all DER. */
struct cas_secret {
    char *name;
    enum secret_kind kind;
    uint8_t definition[POL_HASH_SIZE];
    struct cas_bytes data;
    bool fresh; /* made or renewed by the call that gave the set */
};

struct cas_secrets {
    size_t count;
    struct cas_secret *items;
};

void cas_secrets_clear(struct cas_secrets *s);
#define _cleanup_secrets_ _cleanup_(cas_secrets_clear)

/* Room for `count` entries, all zero. */
[[nodiscard]] int cas_secrets_new(size_t count, struct cas_secrets *ret);

const struct cas_secret *cas_secrets_find(const struct cas_secrets *s, const char *name);

/* A secret with what belongs to it. Certificates bring their private key when it is to be had, and
 * the certificates above them, issuer first. */
struct cas_view {
    enum secret_kind kind;
    struct cas_bytes data;
    struct cas_bytes key; /* empty: not available */
    size_t chain_count;
    struct cas_bytes chain[POL_CHAIN_MAX];
};

void cas_view_clear(struct cas_view *v);
#define _cleanup_view_ _cleanup_(cas_view_clear)

/* Where imports come from. `get` checks that the other session exports the secret to this one. */
struct cas_imports {
    int (*get)(void *ctx, const struct pol_session *s, const struct pol_secret *secret,
               struct cas_view *ret, struct error **err);
    void *ctx;
};

/* Makes the values of session `s` at time `now`. `previous` (may be NULL) are the values of the
 * version before: a value is kept when its definition hash is the same, unless migrate: false asks
 * for a new one, and certificates also only while key and issuer are still theirs and more than a
 * third of their validity is left. Imported secrets are not part of the set. */
[[nodiscard]] int cas_secrets_make(const struct pol_session *s, const struct cas_secrets *previous,
                                   const struct cas_imports *imports, int64_t now,
                                   struct cas_secrets *ret, struct error **err);

/* True when a certificate of the set should be renewed at `now`. */
[[nodiscard]] bool cas_secrets_due(const struct cas_secrets *set, int64_t now);

/* The same set with such certificates renewed, and what those signed; no definition has changed, so
 * everything else stays, migrate: false included. */
[[nodiscard]] int cas_secrets_renew(const struct pol_session *s, const struct cas_secrets *previous,
                                    const struct cas_imports *imports, int64_t now,
                                    struct cas_secrets *ret, struct error **err);

/* The view of one secret of the session, imported or own. */
[[nodiscard]] int cas_secrets_view(const struct pol_session *s, const struct cas_secrets *set,
                                   const struct cas_imports *imports,
                                   const struct pol_secret *secret, struct cas_view *ret,
                                   struct error **err);

/* A view in a format. -EINVAL with the reason when it does not have it. */
[[nodiscard]] int cas_secret_format(const struct cas_view *v, enum pol_format format,
                                    struct cas_bytes *ret, struct error **err);

/* What pol_expand needs: `get` of pol_values with a struct cas_value_source as context. */
struct cas_value_source {
    const struct pol_session *session;
    const struct cas_secrets *set;
    const struct cas_imports *imports;
};

int cas_value_get(void *source, const struct pol_secret *secret, const char *format,
                  size_t format_len, uint8_t **ret, size_t *ret_size, struct error **err);
