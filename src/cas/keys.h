/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The directory of a CAS: made on first start, opened ever after. */

#include "cas/service.h"

struct cas_home {
    char *dir;
    int lock_fd;
    char *cert_path;           /* the certificate, for clients that pin a file */
    struct cas_bytes tls_key;  /* PKCS#8 DER */
    struct cas_bytes tls_cert; /* DER */
    uint8_t key_id[32];        /* SHA-256 of the public key: what clients pin */
    uint8_t master[STORE_KEY_SIZE];
};

void cas_home_clear(struct cas_home *h);
#define _cleanup_home_ _cleanup_(cas_home_clear)

/* Opens `dir` (NULL: "cas" in the state directory), takes its lock, reads or makes the master key
 * and the TLS key and certificate. -EBUSY: another CAS serves from it. -ENOKEY: there is a database
 * and no master key. */
[[nodiscard]] int cas_home_open(const char *dir, size_t name_count, const char *const *names,
                                struct cas_home *ret, struct error **err);

/* The path of a file in it. malloc'd; NULL when out of memory. */
char *cas_home_path(const struct cas_home *h, const char *name);
