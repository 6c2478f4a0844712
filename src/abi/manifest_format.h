/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The manifest, version 1: what an enclave is, beyond its code. Its bytes are measured, so that
 * MRENCLAVE names the image content. docs/formats/manifest.md is the specification. There is one
 * encoding of each content: whatever could be written in two ways is refused in all but one.
 *
 *   header | names of the environment | mounts
 */

#include "core/types.h"

#define MANIFEST_MAGIC      "\x89NMANI\r\n"
#define MANIFEST_MAGIC_SIZE 8u
#define MANIFEST_VERSION    1u
#define MANIFEST_HASH_SIZE  32u
#define MANIFEST_SIZE_MAX   65536u
#define MANIFEST_NAMES_MAX  256u
#define MANIFEST_NAME_MAX   255u
#define MANIFEST_MOUNTS_MAX 64u
#define MANIFEST_PATH_MAX   4095u

/* A field is meaningful when its flag is set, and zero when it is not. */
#define MANIFEST_SEALED_ROOT     (1ull << 0) /* / is this sealed image */
#define MANIFEST_AGENT           (1ull << 1)
#define MANIFEST_CAS_KEY         (1ull << 2)
#define MANIFEST_CAS_MEASUREMENT (1ull << 3)
#define MANIFEST_SESSION         (1ull << 4)
/* Development: sealing key, arguments and environment may come from the host. */
#define MANIFEST_HOST_TRUSTED    (1ull << 5)
/* With a sealed root: names it does not have are looked up in a directory of the host, unprotected.
 * Directories of the image with the attribute trusted.overlay.opaque = "y" are whole. */
#define MANIFEST_HOST_BELOW      (1ull << 6)
#define MANIFEST_FLAGS_KNOWN     ((1ull << 7) - 1)

struct manifest_header {
    uint8_t magic[MANIFEST_MAGIC_SIZE];
    uint32_t version;
    uint32_t size; /* of the whole manifest */
    uint64_t flags;
    uint8_t sealed_root[MANIFEST_HASH_SIZE];
    uint8_t agent[MANIFEST_HASH_SIZE];   /* SHA-256 of the agent program */
    uint8_t cas_key[MANIFEST_HASH_SIZE]; /* SHA-256 of the CAS's SubjectPublicKeyInfo */
    uint8_t cas_measurement[MANIFEST_HASH_SIZE];
    uint8_t session[MANIFEST_HASH_SIZE]; /* SHA-256 of the session's name */
    uint32_t name_count;                 /* environment names the host may set */
    uint32_t mount_count;                /* host directories that may be passed through */
    uint8_t reserved[32];                /* zero */
} _packed_;
_Static_assert(sizeof(struct manifest_header) == 224, "on disk");

/* name: bytes and a NUL, ascending, none twice. mount: one byte of flags, absolute path, NUL. */
#define MANIFEST_MOUNT_WRITABLE 0x01u
