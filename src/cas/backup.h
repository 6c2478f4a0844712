/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A CAS in one encrypted file, and a CAS out of it. docs/formats/cas-backup.md. The CAS may be
 * serving while it is backed up.
 */

#include "base/secret.h"

struct evp_pkey_st;

/* One of the two. */
struct backup_lock {
    const struct secret *passphrase;
    struct evp_pkey_st *key; /* P-256; to restore its private half is needed */
};

#define BACKUP_PASSPHRASE_MIN 12 /* characters */

/* `dir` NULL: the one in the state directory. The file must not exist. */
[[nodiscard]] int backup_write(const char *dir, const struct backup_lock *lock, const char *path,
                               struct error **err);

/* `dir` must not exist, or be empty. -EKEYREJECTED: another passphrase or key. -EBADMSG: damaged.
 */
[[nodiscard]] int backup_restore(const char *path, const struct backup_lock *lock, const char *dir,
                                 struct error **err);
