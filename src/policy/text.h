/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Small words: UTF-8, names, durations, Base58Check, command lines. No allocation. */

#include "core/types.h"

#define POL_NAME_MAX 512 /* characters of a session name with its namespaces */
#define POL_WORD_MAX 128 /* characters of a service, secret, image or volume name */

[[nodiscard]] bool utf8_valid(const char *s, size_t len);

/* A service, secret, image or volume name: 1…POL_WORD_MAX of [A-Za-z0-9_.~-]. */
[[nodiscard]] bool name_word_valid(const char *s);

/* A session name: words joined by '/', or "/" alone (the root namespace). No "." or ".." parts. */
[[nodiscard]] bool name_session_valid(const char *s);

/* As name_session_valid, and relative forms: leading "./" and "../" parts. */
[[nodiscard]] bool name_session_ref_valid(const char *s);

/* Resolves a (possibly relative) reference made by session `from`: "x/y" stays, "./y" is in
 * `from`'s own namespace, "../y" one above. -EINVAL when it leads above the root, -ENOSPC. */
[[nodiscard]] int name_session_resolve(const char *from, const char *ref, char *ret, size_t size);

/* "90 days", "59d", "1 year", "12h", "30 minutes" → seconds, 1…100 years. -EINVAL, -ERANGE. */
[[nodiscard]] int duration_parse(const char *s, uint64_t *ret_seconds);
/* The shortest exact form, "90d"; `buf` of at least 24. */
void duration_print(uint64_t seconds, char *buf, size_t size);

#define KEY_ID_SIZE     32
#define KEY_ID_TEXT_MAX 64 /* with NUL */

/* Key and signer names as SCONE writes them: Base58Check (Bitcoin's alphabet, four bytes of double
 * SHA-256) over a version byte and 32 bytes. */
#define KEY_ID_VERSION_KEY    0x01 /* SHA-256 of the public key's SubjectPublicKeyInfo */
#define KEY_ID_VERSION_SIGNER 0x0a /* a raw Ed25519 public key */

void key_id_print(uint8_t version, const uint8_t id[static KEY_ID_SIZE],
                  char ret[static KEY_ID_TEXT_MAX]);
/* -EINVAL: not Base58Check of 33 bytes; -EPROTO: the checksum does not match (a typing error). */
[[nodiscard]] int key_id_parse(const char *s, uint8_t *ret_version,
                               uint8_t ret_id[static KEY_ID_SIZE]);
