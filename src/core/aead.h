/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * AES-256-GCM (NIST SP 800-38D), one call per message, in both worlds: a thin layer over the direct
 * GCM functions of intel-ipsec-mb (no manager, no allocation, no CPUID). Source and destination may
 * be the same buffer, else they must not overlap. A nonce must never meet the same key twice with
 * different messages: that is the caller's promise.
 */

#include "core/types.h"

#define AEAD_KEY_SIZE   32u
#define AEAD_NONCE_SIZE 12u
#define AEAD_TAG_SIZE   16u

/* What the processor has. Each level computes the same bytes. */
enum aead_level {
    AEAD_SSE,    /* AES-NI, PCLMULQDQ, SSE4.1 */
    AEAD_AVX2,   /* and AVX2 */
    AEAD_AVX512, /* and AVX-512 F/BW/DQ/VL, VAES, VPCLMULQDQ with their XSAVE state enabled */
};

struct aead_key {
    uint8_t expanded[1024] _aligned_(64); /* round keys and GHASH powers, as the level wants them */
    enum aead_level level;
};

/*
 * Chooses the level of keys made from now on. Hosted code need not call it: the best level is found
 * with CPUID at the first key. Inside an enclave CPUID is not to be had and the level stays
 * AEAD_SSE until the library OS sets it from its own XCR0 and the host's hint; a host that lies
 * gets #UD.
 */
void aead_set_level(enum aead_level level);
/* The level new keys get. */
enum aead_level aead_get_level(void);

void aead_key_init(struct aead_key *k, const uint8_t key[static AEAD_KEY_SIZE]);
void aead_key_wipe(struct aead_key *k);

/* Encrypts `size` bytes and writes the tag. */
void aead_seal(const struct aead_key *k, const uint8_t nonce[static AEAD_NONCE_SIZE],
               const void *aad, size_t aad_size, const void *src, size_t size, void *dst,
               uint8_t ret_tag[static AEAD_TAG_SIZE]);

/* Decrypts and checks the tag in constant time. -EBADMSG when it differs; `dst` is then zeros. */
[[nodiscard]] int aead_open(const struct aead_key *k, const uint8_t nonce[static AEAD_NONCE_SIZE],
                            const void *aad, size_t aad_size, const void *src, size_t size,
                            void *dst, const uint8_t tag[static AEAD_TAG_SIZE]);
