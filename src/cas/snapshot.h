/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Sessions as provisioning sees them: the document and the values of one and the same version,
 * parsed, kept in memory as long as nothing changes. A rotated secret must never meet the old
 * policy, nor an old secret the new one.
 */

#include "cas/service_internal.h"

struct cas_snapshot {
    unsigned references;
    uint64_t generation; /* of the cache when it was read */
    struct cas_loaded loaded;
    struct cas_secrets secrets;
    int64_t renewal_checked; /* when certificates were looked at last */
};

#define SNAPSHOT_SLOTS   4096u                      /* a power of two */
#define SNAPSHOT_BYTES   ((size_t)32 * 1024 * 1024) /* of documents in memory */
#define SNAPSHOT_ONE_MAX ((size_t)1024 * 1024)      /* larger ones are read every time */

struct snapshots;
[[nodiscard]] int snapshots_new(struct snapshots **ret);
void snapshots_free(struct snapshots *s);

/* The current version with its values; certificates that are due are renewed first. Give it back
 * with cas_snapshot_put. -ENOENT. */
[[nodiscard]] int cas_snapshot_get(struct cas *c, const char *name, struct cas_snapshot **ret,
                                   struct error **err);
void cas_snapshot_put(struct cas *c, struct cas_snapshot *s);

/* Every change of the session or of its values says so, after the store has it and before anybody
 * is told. */
void cas_snapshot_forget(struct cas *c, const char *name);

/* Document and values of the current version, by one look at the store. */
[[nodiscard]] int cas_load_whole(struct cas *c, const char *name, struct cas_loaded *ret,
                                 struct cas_secrets *ret_secrets, struct error **err);
