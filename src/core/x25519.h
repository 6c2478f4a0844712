/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * X25519 (RFC 7748): Diffie-Hellman on Curve25519. Constant time: no branch and no index depends on
 * a secret.
 */

#include "core/types.h"

#define X25519_SIZE 32u

/* The public key of a secret of 32 random bytes. */
void x25519_public(uint8_t ret[static X25519_SIZE], const uint8_t secret[static X25519_SIZE]);

/* The shared secret. -EINVAL when it is all zeros: the other side sent a point of small order (RFC
 * 7748 section 6.1), and the result would not depend on our secret. */
[[nodiscard]] int x25519_shared(uint8_t ret[static X25519_SIZE],
                                const uint8_t secret[static X25519_SIZE],
                                const uint8_t public_key[static X25519_SIZE]);
