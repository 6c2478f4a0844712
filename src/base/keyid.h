/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The identity of a public key: SHA-256 of its SubjectPublicKeyInfo in DER. Two certificates of one
 * key have one identity; that is what access rules and pins compare.
 */

#include "core/types.h"

#define KEYID_SIZE    32
#define KEYID_PEM_MAX ((size_t)64 * 1024)

struct keyid {
    uint8_t spki_hash[KEYID_SIZE];
    bool is_ed25519;
    uint8_t ed25519[32]; /* the raw key, when it is one */
};

/* From one PEM certificate or one PEM public key; anything around it but white space is an error.
 * -EINVAL: not PEM of that kind or not readable; -ENOMEM. */
[[nodiscard]] int keyid_from_certificate_pem(const char *pem, size_t size, struct keyid *ret);
[[nodiscard]] int keyid_from_public_key_pem(const char *pem, size_t size, struct keyid *ret);
