/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A client of the HTTP API. It talks only to the CAS whose key was pinned (or whose certificate the
 * given file vouches for) and shows its own certificate, made on first use. Pins come from the
 * options, the environment, or from what `nacre cas attest` remembered.
 */

#include <jansson.h>

#include "base/error.h"

struct cas_client_options {
    const char
        *address; /* "HOST", "HOST:PORT", "https://HOST:PORT"; NULL: $NACRE_CAS, $SCONE_CAS_ADDR */
    const char *pin;      /* key name or 64 hex digits; NULL: $NACRE_CAS_PIN */
    const char *cacert;   /* PEM file; NULL: $NACRE_CAS_CACERT */
    const char *identity; /* PEM file with key and certificate; NULL: $NACRE_IDENTITY, else the one
                             in the state directory */
    bool learn; /* no pin is needed: the first answer's key is taken, and kept for this client */
};

struct cas_client;

/* -EINVAL: what is missing and how to give it. */
[[nodiscard]] int cas_client_new(const struct cas_client_options *options, struct cas_client **ret,
                                 struct error **err);
struct cas_client *cas_client_free(struct cas_client *c);
static inline void cas_client_freep(struct cas_client **c)
{
    *c = cas_client_free(*c);
}
#define _cleanup_client_ _cleanup_(cas_client_freep)

/* "HOST:PORT" */
const char *cas_client_address(const struct cas_client *c);

/* The PEM file with key and certificate this client shows. */
const char *cas_client_identity(const struct cas_client *c);

/* True when a pin or a certificate said beforehand who the server must be. */
bool cas_client_is_pinned(const struct cas_client *c);

/* SHA-256 of the public key the server proved in the last exchange. False: there was none. */
bool cas_client_peer(const struct cas_client *c, uint8_t ret[static 32]);

/* Asks `path` (and below it `name`, escaped; may be NULL; then `query`, may be NULL). With a `body`
 * of `size` bytes. Returns 0 with the answer's JSON (may be given as NULL). Refusals by the server:
 * -EACCES (401, 403), -ENOENT (404), -EEXIST (409), -EINVAL (400), -EREMOTEIO (others), with its
 * words in *err. -EKEYREJECTED: the server is not the one that was pinned. */
[[nodiscard]] int cas_client_ask(struct cas_client *c, const char *method, const char *path,
                                 const char *name, const char *query, const char *body, size_t size,
                                 json_t **ret, struct error **err);

/* A signature (signatures.h) that goes with every further request. */
[[nodiscard]] int cas_client_add_signature(struct cas_client *c, const char *value,
                                           struct error **err);
