/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Signatures over requests, for sessions that several people must agree to change. Whoever signs
 * need not be connected: a signature names the CAS, the request and until when it holds, and
 * travels in a header of whoever sends the request.
 *
 *   Nacre-Signature: UNTIL KEY SIGNATURE
 *
 * UNTIL: unix seconds, decimal. KEY: SubjectPublicKeyInfo, base64. SIGNATURE: base64; Ed25519,
 * ECDSA or RSA (PKCS#1 v1.5), the latter two with SHA-256, over
 *
 *   "nacre request v1" 00 ‖ SHA-256(SPKI of the CAS) ‖ UNTIL (u64le) ‖ method 00 ‖ path 00 ‖
 *   SHA-256(body)
 *
 * and, for a request with a query, because it changes what is asked, over
 *
 *   "nacre request v2" 00 ‖ SHA-256(SPKI of the CAS) ‖ UNTIL (u64le) ‖ method 00 ‖ path 00 ‖
 *   number of parameters (u8) ‖ for each, in their order: name 00 value 00 ‖ SHA-256(body)
 *
 * Names and values are decoded. A POST stays at v1: all its query can say is that nothing is to be
 * done (verify=true).
 */

#include "base/error.h"
#include "cas/http.h"
#include "policy/eval.h"

#define SIGNATURE_HEADER   "Nacre-Signature"
#define SIGNATURE_MAX      8                         /* of one request */
#define SIGNATURE_LIFE_MAX ((int64_t)31 * 24 * 3600) /* seconds ahead */

struct signed_request {
    const uint8_t *cas_key; /* 32 bytes */
    const char *method;
    const char *path; /* decoded, without the query */
    const struct http_param *query;
    size_t query_count; /* up to HTTP_QUERY_MAX */
    const void *body;
    size_t size;
};

/* Checks one header's value. On success two entries of `ret` may be written: the key's hash, and
 * for Ed25519 the key itself. -EINVAL: not such a value; -EKEYEXPIRED; -EKEYREJECTED. */
[[nodiscard]] int signature_verify(const struct signed_request *req, const char *value, int64_t now,
                                   struct pol_signer ret[static 2], size_t *ret_count,
                                   struct error **err);

/* A header's value by the private key in `pem` (with whatever stands beside it). malloc'd. */
[[nodiscard]] int signature_make(const struct signed_request *req, const char *pem, size_t size,
                                 int64_t until, char **ret, struct error **err);
