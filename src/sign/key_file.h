/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Signing keys as PEM files: RSA-3072 with exponent 3 and nothing else, PKCS#8 when written,
 * optionally encrypted. Also the files of detached signing, where the key is somewhere else.
 */

#include "abi/sgx_arch.h"
#include "base/error.h"
#include "base/secret.h"

struct evp_pkey_st;

#define KEY_FILE_PASSPHRASE_ENV "NACRE_KEY_PASSPHRASE"
#define KEY_FILE_PASSPHRASE_MAX 1024u

/* The passphrase: the first line of `file` (0600 it) when not NULL, else the environment's
 * NACRE_KEY_PASSPHRASE, else *ret = NULL. */
[[nodiscard]] int key_file_passphrase(const char *file, struct secret **ret, struct error **err);

/* Loads a private signing key. `passphrase` may be NULL. Errors name the file and what is wrong
 * with the key. */
[[nodiscard]] int key_file_load(const char *path, const struct secret *passphrase,
                                struct evp_pkey_st **ret, struct error **err);

/* Loads the public part of a signing key: PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE. */
[[nodiscard]] int key_file_load_public(const char *path, struct evp_pkey_st **ret,
                                       struct error **err);

/* Writes a private key, mode 0600. Refuses to touch an existing file unless `force`: a lost signing
 * key cannot be made again. */
[[nodiscard]] int key_file_save(const char *path, struct evp_pkey_st *key,
                                const struct secret *passphrase, bool force, struct error **err);

/* Writes the public part, mode 0644, under the same rule. */
[[nodiscard]] int key_file_save_public(const char *path, struct evp_pkey_st *key, bool force,
                                       struct error **err);

/* True when others than the owner may read or write the file: worth a warning. */
bool key_file_is_exposed(const char *path);

/* --- detached signing --- */

/* Writes the SIGSTRUCT_SIGNED_SIZE bytes to be signed to `path`, and beside it `path`.json, which
 * shows people what they are about to sign. An unsigned structure from sigstruct_build(). */
[[nodiscard]] int key_file_dump(const char *path, const struct sgx_sigstruct *s,
                                struct error **err);

/* Rebuilds the structure from the dumped bytes and completes it with the signature in
 * `signature_path`: 384 raw bytes as OpenSSL and PKCS#11 tools write them (big-endian). -EBADMSG
 * when the signature does not verify under the public key in `public_path`. */
[[nodiscard]] int key_file_import(const char *path, const char *signature_path,
                                  const char *public_path, struct sgx_sigstruct *ret,
                                  struct error **err);
