/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * How the enclaves of a fork come to trust each other (docs/processes.md):
 *
 *   child  -> parent   hello_c = magic, version, nonce, ephemeral X25519 key
 *   parent -> child    hello_p = the same of the parent; report over H('p', hello_c, hello_p)
 *   child  -> parent   report over H('c', hello_c, hello_p)
 *
 * Each report (EREPORT) proves an enclave of our own identity on this processor, and that it is the
 * one which holds the secret of the key it names in exactly this exchange. Keys: HKDF of the shared
 * secret, salted with the exchange; they exist in two enclaves, for one snapshot.
 *
 * Nothing here allocates: the child runs it before it has a heap.
 */

#include "abi/sgx_arch.h"
#include "core/x25519.h"

#define HANDSHAKE_NONCE_SIZE 32u
#define HANDSHAKE_MAGIC      0x6b726f66u /* "fork" */
#define HANDSHAKE_VERSION    1u

struct handshake_hello {
    uint32_t magic;
    uint32_t version;
    uint8_t nonce[HANDSHAKE_NONCE_SIZE];
    uint8_t public_key[X25519_SIZE];
} _packed_;
_Static_assert(sizeof(struct handshake_hello) == 72, "no padding crosses");

/* What it needs of the world: the host's stream (whole messages or -errno), reports, randomness. */
struct handshake_world {
    int (*send)(void *ctx, const void *p, size_t size);
    int (*receive)(void *ctx, void *p, size_t size);
    int (*make_report)(const uint8_t data[static 64], struct sgx_report *ret);
    int (*check_report)(const struct sgx_report *r, const uint8_t data[static 64]);
    void (*random)(void *dst, size_t size);
};

struct handshake_keys {
    uint8_t to_child[32];
    uint8_t to_parent[32];
};

/* Each side's part. -EBADMSG: not our protocol; -EACCES: the other side is not an enclave like us,
 * or is not part of this exchange; -EINVAL: a key that is none; what send and receive say. */
[[nodiscard]] int handshake_parent(const struct handshake_world *w, void *ctx,
                                   struct handshake_keys *ret);
[[nodiscard]] int handshake_child(const struct handshake_world *w, void *ctx,
                                  struct handshake_keys *ret);
