/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The sealed image on disk, version 1. docs/formats/sealed-image.md is the specification; this file
 * is its byte layout. All integers are little-endian.
 *
 *   superblock (one block) | data blocks | tag pages | tree pages
 */

#include "core/types.h"

#define SEALED_MAGIC      "\x89NSEAL\r\n" /* high bit and line ends: text-mode transfers break it */
#define SEALED_MAGIC_SIZE 8u
#define SEALED_VERSION    1u

#define SEALED_BLOCK_SIZE  4096u
#define SEALED_BLOCK_SHIFT 12u

#define SEALED_CIPHER_AES256_GCM 1u
#define SEALED_HASH_SHA256       1u

#define SEALED_KEY_SIZE    32u
#define SEALED_SALT_SIZE   32u
#define SEALED_KEY_ID_SIZE 16u
#define SEALED_HASH_SIZE   32u
#define SEALED_TAG_SIZE    16u
#define SEALED_NONCE_SIZE  12u /* the block number as u64, then four zero bytes */

#define SEALED_TAGS_PER_PAGE   (SEALED_BLOCK_SIZE / SEALED_TAG_SIZE)  /* 256: one MiB of data */
#define SEALED_HASHES_PER_PAGE (SEALED_BLOCK_SIZE / SEALED_HASH_SIZE) /* 128 */

/* EROFS addresses blocks with 32 bits, all ones meaning "hole". */
#define SEALED_BLOCKS_MAX 0xfffffffeull
/* 2^24 tag pages need 2^17 + 2^10 + 2^3 + 1 tree pages. */
#define SEALED_LEVELS_MAX 4u

/* Hash domains: the first byte hashed. */
#define SEALED_DOMAIN_TAG_PAGE  0x00
#define SEALED_DOMAIN_TREE_PAGE 0x01

/* Labels of key derivation and of the sealed root, without their terminating NUL. */
#define SEALED_LABEL_KEY  "nacre sealed image v1 key"
#define SEALED_LABEL_DATA "nacre sealed image v1 data"
#define SEALED_LABEL_MAC  "nacre sealed image v1 superblock"
#define SEALED_LABEL_ID   "nacre sealed image v1 key id"
#define SEALED_LABEL_ROOT "nacre sealed image v1 root"

struct sealed_superblock {
    uint8_t magic[SEALED_MAGIC_SIZE];
    uint32_t version;
    uint8_t cipher;
    uint8_t hash;
    uint8_t block_shift;
    uint8_t reserved0;
    uint64_t block_count;     /* data blocks */
    uint64_t tag_page_count;  /* follows from block_count; must agree */
    uint64_t tree_page_count; /* follows from block_count; must agree */
    uint64_t file_size;       /* follows from block_count; must agree, with the file too */
    uint8_t salt[SEALED_SALT_SIZE];
    uint8_t key_id[SEALED_KEY_ID_SIZE];
    uint8_t tree_root[SEALED_HASH_SIZE];
    uint8_t mac[SEALED_HASH_SIZE]; /* HMAC-SHA256 of this block with these 32 bytes zero */
    uint8_t reserved[3936];        /* zero */
} _packed_;

_Static_assert(sizeof(struct sealed_superblock) == SEALED_BLOCK_SIZE, "one block");
_Static_assert(offsetof(struct sealed_superblock, block_count) == 16, "layout");
_Static_assert(offsetof(struct sealed_superblock, salt) == 48, "layout");
_Static_assert(offsetof(struct sealed_superblock, key_id) == 80, "layout");
_Static_assert(offsetof(struct sealed_superblock, tree_root) == 96, "layout");
_Static_assert(offsetof(struct sealed_superblock, mac) == 128, "layout");
_Static_assert(offsetof(struct sealed_superblock, reserved) == 160, "layout");
