/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The cryptography hosted code needs, over OpenSSL 3, in the shapes SGX uses: RSA-3072 numbers are
 * 384 little-endian bytes, P-256 points and signatures are 64 big-endian bytes (x || y, r || s).
 * Trusted code has core/ instead. Nothing here logs; nothing keeps state but OpenSSL's own.
 *
 * Return values: 0, -EBADMSG "does not verify", -EINVAL "cannot be such a key", -ENOMEM, -EIO
 * "OpenSSL failed" (no entropy, broken provider).
 */

#include "base/error.h"

struct evp_pkey_st; /* OpenSSL's EVP_PKEY, so that callers need no OpenSSL header */

struct evp_pkey_st *crypto_key_free(struct evp_pkey_st *key);
static inline void crypto_key_freep(struct evp_pkey_st **key)
{
    *key = crypto_key_free(*key);
}
#define _cleanup_key_ _cleanup_(crypto_key_freep)

/* --- random, hashes, symmetric --- */

[[nodiscard]] int crypto_random(void *ret, size_t size);

/* SHA-256 and SHA-512 live in core/. */

/* AES-128-CMAC (NIST SP 800-38B): SGX's report MAC and key derivation. */
[[nodiscard]] int crypto_aes128_cmac(const uint8_t key[static 16], const void *data, size_t size,
                                     uint8_t ret[static 16]);

#define CRYPTO_GCM_NONCE_SIZE 12u
#define CRYPTO_GCM_TAG_SIZE   16u

/* AES-GCM with a key of 16 or 32 bytes. `ret` takes `size` bytes and may be `data` itself. A nonce
 * never meets the same key twice: the caller's duty. */
[[nodiscard]] int crypto_gcm_seal(const uint8_t *key, size_t key_size,
                                  const uint8_t nonce[static 12], const void *aad, size_t aad_size,
                                  const void *data, size_t size, void *ret,
                                  uint8_t ret_tag[static 16]);
/* -EBADMSG when the tag does not verify; `ret` is then zeros. */
[[nodiscard]] int crypto_gcm_open(const uint8_t *key, size_t key_size,
                                  const uint8_t nonce[static 12], const void *aad, size_t aad_size,
                                  const void *data, size_t size, const uint8_t tag[static 16],
                                  void *ret);

/* --- RSA-3072, exponent 3, PKCS#1 v1.5 with SHA-256 (SDM volume 3D, 35.14) --- */

#define CRYPTO_RSA3072_SIZE 384u

[[nodiscard]] int crypto_rsa3072_generate(struct evp_pkey_st **ret);

/* Refuses, with the reason, everything that is not RSA of 3072 bits with exponent 3. */
[[nodiscard]] int crypto_rsa3072_check(const struct evp_pkey_st *key, struct error **err);

/* The modulus, little-endian. The key passed crypto_rsa3072_check. */
[[nodiscard]] int crypto_rsa3072_modulus(const struct evp_pkey_st *key,
                                         uint8_t ret_modulus[static 384]);

/* Signs a SHA-256 digest. The signature is little-endian. */
[[nodiscard]] int crypto_rsa3072_sign_digest(struct evp_pkey_st *key,
                                             const uint8_t digest[static 32],
                                             uint8_t ret_signature[static 384]);
[[nodiscard]] int crypto_rsa3072_sign(struct evp_pkey_st *key, const void *data, size_t size,
                                      uint8_t ret_signature[static 384]);

/* Verifies under (modulus, 3), all little-endian. The padding is compared whole, never parsed. */
[[nodiscard]] int crypto_rsa3072_verify_digest(const uint8_t modulus[static 384],
                                               const uint8_t signature[static 384],
                                               const uint8_t digest[static 32]);
[[nodiscard]] int crypto_rsa3072_verify(const uint8_t modulus[static 384],
                                        const uint8_t signature[static 384], const void *data,
                                        size_t size);

/* SIGSTRUCT's helpers for the processor: q1 = s^2 / m, q2 = (s^3 - q1 s m) / m, rounded down.
 * -EINVAL when m has not exactly 3072 bits, is even, or s >= m. */
[[nodiscard]] int crypto_rsa3072_q(const uint8_t modulus[static 384],
                                   const uint8_t signature[static 384], uint8_t ret_q1[static 384],
                                   uint8_t ret_q2[static 384]);

/* Copies 384 bytes in reverse: big-endian to little-endian and back. dst and src do not overlap. */
void crypto_rsa3072_reverse(uint8_t dst[static 384], const uint8_t src[static 384]);

/* --- ECDSA on P-256 with SHA-256 --- */

#define CRYPTO_P256_SIZE 64u /* of a public point and of a signature */

[[nodiscard]] int crypto_p256_generate(struct evp_pkey_st **ret);

/* The key of a given private scalar (big-endian, 1 <= d < n) with its public point. -EINVAL. */
[[nodiscard]] int crypto_p256_from_scalar(const uint8_t scalar[static 32],
                                          struct evp_pkey_st **ret);
/* A public key from x || y. -EINVAL when the point is not on the curve. */
[[nodiscard]] int crypto_p256_from_point(const uint8_t point[static 64], struct evp_pkey_st **ret);

[[nodiscard]] bool crypto_is_p256(const struct evp_pkey_st *key);
[[nodiscard]] int crypto_p256_point(const struct evp_pkey_st *key, uint8_t ret_point[static 64]);

[[nodiscard]] int crypto_p256_sign(struct evp_pkey_st *key, const void *data, size_t size,
                                   uint8_t ret_signature[static 64]);
[[nodiscard]] int crypto_p256_verify(struct evp_pkey_st *key, const void *data, size_t size,
                                     const uint8_t signature[static 64]);

/* --- PEM --- */

#define CRYPTO_PEM_MAX ((size_t)64 * 1024)

/* Reads one private key ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE
 * KEY"). `passphrase` may be NULL. Errors name what was found instead and what to do; `name` is
 * how the message calls the input. -EINVAL malformed, -ENOKEY encrypted and no passphrase,
 * -EKEYREJECTED wrong passphrase. */
[[nodiscard]] int crypto_pem_read_private(const void *pem, size_t size, const char *name,
                                          const char *passphrase, struct evp_pkey_st **ret,
                                          struct error **err);

/* Reads one public key ("PUBLIC KEY", "RSA PUBLIC KEY", or the key of a "CERTIFICATE"). */
[[nodiscard]] int crypto_pem_read_public(const void *pem, size_t size, const char *name,
                                         struct evp_pkey_st **ret, struct error **err);

/* PKCS#8 PEM; with a passphrase encrypted (PBKDF2-HMAC-SHA256, AES-256-CBC). The text is malloc'd
 * and the caller wipes it (crypto_pem_wipe). */
[[nodiscard]] int crypto_pem_write_private(struct evp_pkey_st *key, const char *passphrase,
                                           char **ret_pem, size_t *ret_size);
[[nodiscard]] int crypto_pem_write_public(struct evp_pkey_st *key, char **ret_pem,
                                          size_t *ret_size);

/* Wipes and frees. Accepts NULL. */
void crypto_pem_wipe(char *pem, size_t size);
