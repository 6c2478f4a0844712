/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* What a converted image is: read out of it, measured again and checked against itself. For `nacre
 * inspect` and `nacre diff`. Nothing in the image is believed. */

#include <jansson.h>

#include "abi/sgx_arch.h"
#include "base/error.h"
#include "loader/loader.h"
#include "seal/manifest.h"

enum image_check {
    CHECK_SIGNATURE,   /* the SIGSTRUCT is one */
    CHECK_MEASUREMENT, /* and is over this enclave with this manifest */
    CHECK_AGENT,
    CHECK_SEALED,  /* superblock, tree and tags of the sealed image, under the manifest's root */
    CHECK_BLOCKS,  /* every block of it: only with the key */
    CHECK_SESSION, /* the session the image asks for is the measured one */
    CHECK_COUNT,
};

enum image_result { RESULT_NOT_ASKED, RESULT_GOOD, RESULT_BAD };

struct image_facts {
    char *dir; /* the bundle, in a temporary directory; removed at the end */
    uint8_t *libos;
    size_t libos_size;
    uint8_t *manifest_bytes;
    size_t manifest_size;
    struct manifest manifest; /* borrows manifest_bytes */
    struct sgx_sigstruct sigstruct;
    uint8_t mrsigner[32];
    struct loader_measurement measured;
    uint64_t agent_size;
    uint64_t sealed_size;
    uint64_t sealed_blocks;
    uint64_t below_size; /* bytes of layers under the bundle's */
    size_t below_count;
    char *config_id; /* SESSION/SERVICE of the image, or NULL */
    char *cas;       /* HOST[:PORT] of the image, or NULL */
    json_t *ports;   /* list */
    enum image_result results[CHECK_COUNT];
    char *why[CHECK_COUNT]; /* of bad ones */
};

/* `key` (32 bytes) may be NULL. Fails only when the image cannot be read at all or has no bundle:
 * what does not fit together is in the results. */
[[nodiscard]] int image_facts_read(const char *reference, const uint8_t *key,
                                   struct image_facts *ret, struct error **err);
void image_facts_done(struct image_facts *f);
#define _cleanup_facts_ _cleanup_(image_facts_done)

/* "signature", "measurement", …: the names of the checks, in order. */
extern const char *const image_check_names[CHECK_COUNT];

bool image_facts_good(const struct image_facts *f);

/* One line for people: what protection is to be had from this image. */
const char *image_facts_verdict(const struct image_facts *f);

/* The names of the host environment that the manifest lets in, as a list. */
json_t *manifest_names_json(const struct manifest *m);
