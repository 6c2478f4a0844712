/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What CAS does, without HTTP: sessions and values, with every right checked and every change in
 * the audit log before it happens. Any number of threads may call.
 *
 * Errors: -EINVAL (the document is wrong), -EACCES (no right), -ENOENT, -EEXIST, -ESTALE (changed
 * meanwhile), -ENOTEMPTY, others are the server's own trouble. Who is told why: the message of
 * -EACCES says which right is missing, never what the session holds.
 */

#include "cas/audit.h"
#include "cas/store/store.h"
#include "policy/eval.h"
#include "policy/text.h"

struct cas;

struct cas_options {
    struct store *store;  /* taken over */
    struct audit *audit;  /* taken over */
    int64_t (*now)(void); /* NULL: the system's clock */
};

/* Takes the store and the log over on success. */
[[nodiscard]] int cas_new(const struct cas_options *options, struct cas **ret, struct error **err);
struct cas *cas_free(struct cas *c);
static inline void cas_freep(struct cas **c)
{
    *c = cas_free(*c);
}
#define _cleanup_cas_ _cleanup_(cas_freep)

struct cas_caller {
    struct pol_caller policy;
    const char *peer; /* address, for the log */
};

struct cas_put_result {
    uint8_t hash[POL_HASH_SIZE];
    bool created; /* not an update */
    char name[POL_NAME_MAX + 1];
};

/* Creates or updates (when the document has a predecessor). `d` takes what is wrong with the
 * document, and warnings. */
[[nodiscard]] int cas_session_put(struct cas *c, const struct cas_caller *who, const char *text,
                                  size_t size, struct pol_diags *d, struct cas_put_result *ret,
                                  struct error **err);

/* What put would do, without doing it: checks document, rights and imports. */
[[nodiscard]] int cas_session_verify(struct cas *c, const struct cas_caller *who, const char *text,
                                     size_t size, struct pol_diags *d, struct cas_put_result *ret,
                                     struct error **err);

struct cas_read_result {
    char *document; /* canonical YAML, explicit values withheld unless read_secrets allows */
    uint8_t hash[POL_HASH_SIZE];
    int64_t created;
};

void cas_read_result_clear(struct cas_read_result *r);
#define _cleanup_read_ _cleanup_(cas_read_result_clear)

/* `hash`: an older version, or NULL. The rights are those of the current one. */
[[nodiscard]] int cas_session_read(struct cas *c, const struct cas_caller *who, const char *name,
                                   const uint8_t *hash, struct cas_read_result *ret,
                                   struct error **err);

/* `hash`: what the caller believes to be current; NULL: whatever it is. */
[[nodiscard]] int cas_session_delete(struct cas *c, const struct cas_caller *who, const char *name,
                                     const uint8_t *hash, struct error **err);

#define CAS_LIST_MAX 100

/* Names and hashes of the sessions below `namespace` ("/": all) that the caller may know of, as a
 * JSON object {"sessions": [{"name", "hash"}], "next": NAME or null}. */
[[nodiscard]] int cas_session_list(struct cas *c, const struct cas_caller *who,
                                   const char *namespace, const char *after, json_t **ret,
                                   struct error **err);

/* The values of a session that the caller may see: those with export_public, and all of them with
 * the right read_secrets. `secret` NULL: {"values": {NAME: {kind, value, …}}}, else that object
 * alone. */
[[nodiscard]] int cas_values(struct cas *c, const struct cas_caller *who, const char *name,
                             const char *secret, json_t **ret, struct error **err);

#define CAS_REFUSALS_MAX 8 /* kinds of them: refusals.tbl.h */

struct cas_stats {
    uint64_t sessions;
    uint64_t provisioned;
    uint64_t refused[CAS_REFUSALS_MAX]; /* provisionings, by enum refusal */
    uint64_t created;
    uint64_t updated;
    uint64_t deleted;
    uint64_t read;
    uint64_t denied;
    uint64_t values;
    uint64_t audit_seq;
};

[[nodiscard]] int cas_stats(struct cas *c, struct cas_stats *ret, struct error **err);

void cas_audit_last(struct cas *c, uint64_t *ret_seq, uint8_t ret_hash[static AUDIT_HASH_SIZE]);

/* For the server: what happened before a request got here (refused connections, start, stop). */
[[nodiscard]] int cas_note(struct cas *c, const char *event, json_t *fields, struct error **err);
