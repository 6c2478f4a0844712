/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * SIGSTRUCT (SDM volume 3D, 35.14): the certificate that EINIT checks before an enclave may run.
 * It is made in three steps, so that the key can stay elsewhere: sigstruct_build() fills the signed
 * fields, somebody signs sigstruct_signed_bytes(), sigstruct_set_signature() checks that signature
 * and completes the structure. sigstruct_sign() does the last two with a key at hand.
 */

#include <stdio.h>

#include "abi/sgx_arch.h"
#include "base/error.h"

struct evp_pkey_st;
struct json_t;

#define SIGSTRUCT_SIZE        sizeof(struct sgx_sigstruct)
#define SIGSTRUCT_SIGNED_SIZE (SGX_SIGSTRUCT_SIGNED1_SIZE + SGX_SIGSTRUCT_SIGNED2_SIZE)

#define SIGSTRUCT_VENDOR_INTEL 0x8086u

/* What the signer chooses. Everything else in a SIGSTRUCT is constant or computed. */
struct sigstruct_params {
    uint32_t vendor; /* 0, or SIGSTRUCT_VENDOR_INTEL */
    uint32_t date;   /* BCD 0xyyyymmdd */
    uint32_t swdefined;
    uint32_t miscselect;
    uint32_t miscmask;
    uint8_t cet_attributes;
    uint8_t cet_attributes_mask;
    struct sgx_attributes attributes;
    struct sgx_attributes attribute_mask;
    uint8_t mrenclave[32];
    uint8_t isv_family_id[16];   /* not zero only with SGX_FLAGS_KSS */
    uint8_t isv_ext_prod_id[16]; /* not zero only with SGX_FLAGS_KSS */
    uint16_t isv_prod_id;
    uint16_t isv_svn;
};

/* A production enclave as nacre builds them: 64-bit, KSS, x87 + SSE demanded and every other XSAVE
 * feature left to the machine, DEBUG pinned to 0, EXINFO demanded. mrenclave and date are zero. */
void sigstruct_params_default(struct sigstruct_params *ret);

/* yyyymmdd in BCD. -EINVAL when it is no calendar day. */
[[nodiscard]] int sigstruct_date(unsigned year, unsigned month, unsigned day, uint32_t *ret);
[[nodiscard]] bool sigstruct_date_is_valid(uint32_t bcd);

/* Fills every field but the key's and the signature's. -EINVAL names the offending field. */
[[nodiscard]] int sigstruct_build(const struct sigstruct_params *p, struct sgx_sigstruct *ret,
                                  struct error **err);

/* The bytes RSA signs: 0..127 and 900..1027 of the structure. */
void sigstruct_signed_bytes(const struct sgx_sigstruct *s,
                            uint8_t ret[static SIGSTRUCT_SIGNED_SIZE]);

/* The way back: an unsigned structure from those bytes, all of its fields checked. */
[[nodiscard]] int sigstruct_from_signed_bytes(const uint8_t *bytes, size_t size,
                                              struct sgx_sigstruct *ret, struct error **err);

/* Signs with an RSA-3072 key of exponent 3. *s is untouched on failure. */
[[nodiscard]] int sigstruct_sign(struct sgx_sigstruct *s, struct evp_pkey_st *key,
                                 struct error **err);

/* Completes a built structure with a signature made elsewhere (both little-endian). -EBADMSG when
 * the signature is not one of this structure under this key; *s is then untouched. */
[[nodiscard]] int sigstruct_set_signature(struct sgx_sigstruct *s,
                                          const uint8_t modulus[static 384],
                                          const uint8_t signature[static 384], struct error **err);

/* Takes exactly SIGSTRUCT_SIZE bytes; looks at nothing else. */
[[nodiscard]] int sigstruct_parse(const void *data, size_t size, struct sgx_sigstruct *ret,
                                  struct error **err);

/* Everything that can be checked without the enclave: constants, reserved fields, exponent, date,
 * signature, q1 and q2. -EBADMSG names the field. */
[[nodiscard]] int sigstruct_verify(const struct sgx_sigstruct *s, struct error **err);

/* MRSIGNER: SHA-256 of the modulus as it stands in the structure (little-endian). */
void sigstruct_mrsigner(const uint8_t modulus[static 384], uint8_t ret[static 32]);

/* For people, one field a line; and for scripts, one JSON object and a newline. */
[[nodiscard]] int sigstruct_print(const struct sgx_sigstruct *s, FILE *out);
[[nodiscard]] int sigstruct_print_json(const struct sgx_sigstruct *s, FILE *out);

/* The same object for a caller that adds to it (jansson; the caller's reference). NULL: no memory.
 */
struct json_t *sigstruct_json(const struct sgx_sigstruct *s);
