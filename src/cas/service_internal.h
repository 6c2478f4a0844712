/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include <pthread.h>

#include "cas/service.h"

/*
 * Two locks. `store_lock` is held for one call of the store. `write_lock` is held over a whole
 * change (its checks included), so that nothing a change was allowed by goes away before it
 * happens. Order: write_lock, then store_lock.
 */
struct snapshots;

struct cas {
    struct store *store;
    struct snapshots *snapshots;
    struct audit *audit;
    int64_t (*now)(void);
    pthread_mutex_t store_lock;
    pthread_mutex_t write_lock;
    struct cas_stats counters;
};

/* A stored session, parsed and checked against its hash. */
struct cas_loaded {
    struct store_session row;
    struct pol_session *session;
};

[[nodiscard]] int cas_load(struct cas *c, const char *name, const uint8_t *hash,
                           struct cas_loaded *ret, struct error **err);
void cas_loaded_clear(struct cas_loaded *l);
[[nodiscard]] int cas_load_secrets(struct cas *c, const char *name, struct cas_secrets *ret,
                                   struct error **err);

/* Context of cas_imports.get: the importing session has (or will have) `hash`. */
struct cas_import_source {
    struct cas *cas;
    uint8_t hash[POL_HASH_SIZE];
    unsigned depth;
};

int cas_import_get(void *ctx, const struct pol_session *s, const struct pol_secret *wanted,
                   struct cas_view *ret, struct error **err);

json_t *cas_log_fields(const struct cas_caller *who, const char *session, const uint8_t *hash);

/* Logs a refusal and returns `r`. */
int cas_deny(struct cas *c, const struct cas_caller *who, const char *what, const char *session,
             int r, struct error **err);

/* The session's values, with certificates that are due renewed first. Returns 1 when some were, and
 * 0 otherwise. */
[[nodiscard]] int cas_current_secrets(struct cas *c, const struct cas_loaded *l,
                                      struct cas_secrets *ret, struct error **err);
