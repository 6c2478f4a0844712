/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The audit log: one JSON object a line, each naming the hash of the one before. Whoever keeps the
 * hash of a line can tell later whether anything up to it was changed, removed or put in between.
 * docs/formats/audit-log.md
 */

#include <jansson.h>

#include "base/error.h"

#define AUDIT_HASH_SIZE 32
#define AUDIT_LINE_MAX  ((size_t)64 * 1024)

struct audit;

/* Opens or makes the log (mode 0600), verifies it whole, and cuts off a last line that a crash left
 * incomplete (which is then said in a line of its own). -EBADMSG: the chain is broken. */
[[nodiscard]] int audit_open(const char *path, struct audit **ret, struct error **err);

/* Appends one event and returns when it is on the disk. `fields` (may be NULL; taken over in any
 * case) must not hold secrets nor the keys seq, time, event, prev and hash. Calls may come from any
 * thread. After a failure the log refuses everything until it is opened again. */
[[nodiscard]] int audit_append(struct audit *a, int64_t now, const char *event, json_t *fields,
                               struct error **err);

void audit_last(struct audit *a, uint64_t *ret_seq, uint8_t ret_hash[static AUDIT_HASH_SIZE]);

struct audit *audit_close(struct audit *a);
static inline void audit_closep(struct audit **a)
{
    *a = audit_close(*a);
}
#define _cleanup_audit_ _cleanup_(audit_closep)

struct audit_summary {
    uint64_t lines;
    uint8_t last_hash[AUDIT_HASH_SIZE];
    int64_t complete_size; /* bytes up to the last complete line */
    bool torn;             /* an incomplete line follows */
    bool found;            /* the expected hash was met */
};

/* Checks a log. `expect` (may be NULL): a hash that must occur, remembered from before. -EBADMSG
 * with the number of the first bad line; -ENOKEY when `expect` does not occur. */
[[nodiscard]] int audit_verify(const char *path, const uint8_t *expect, struct audit_summary *ret,
                               struct error **err);
