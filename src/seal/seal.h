/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The sealed image (abi/sealed_format.h, docs/formats/sealed-image.md): geometry, keys and the
 * verifying reader. Freestanding: compiled into the library OS and into the hosted tools. No
 * allocation; the caller owns every buffer. The file is hostile: each byte is copied in through the
 * caller's callback first and judged afterwards, so it may live in memory somebody else writes.
 */

#include "abi/sealed_format.h"
#include "core/aead.h"
#include "core/sha256.h"

enum seal_fault {
#define X(name, error, text) SEAL_FAULT_##name,
#include "seal/fault.tbl.h"
#undef X
};

/* "has a data block that was changed": ends a sentence that starts with the file's name. */
const char *seal_fault_text(enum seal_fault fault);

/* Where everything is. Follows from the number of data blocks alone. */
struct seal_geometry {
    uint64_t block_count;
    uint64_t tag_page_count;
    uint64_t tree_page_count;
    uint64_t tag_offset;  /* bytes from the start of the file */
    uint64_t tree_offset; /* bytes */
    uint64_t file_size;   /* bytes */
    uint32_t levels;      /* 1 … SEALED_LEVELS_MAX; level 0 holds the hashes of tag pages */
    struct {
        uint64_t first; /* first page of the level, counted from tree_offset */
        uint64_t count; /* pages */
    } level[SEALED_LEVELS_MAX];
};

/* -EINVAL when block_count is 0 or above SEALED_BLOCKS_MAX. */
[[nodiscard]] int seal_geometry_make(uint64_t block_count, struct seal_geometry *ret);

static inline uint64_t seal_block_offset(uint64_t block)
{
    return (block + 1) * SEALED_BLOCK_SIZE;
}

/* What a sealing key turns into. */
struct seal_keys {
    struct aead_key data;
    uint8_t mac[SEALED_KEY_SIZE];
    uint8_t id[SEALED_KEY_ID_SIZE]; /* public: tells "wrong key" from "changed file" */
};

void seal_keys_init(struct seal_keys *k, const uint8_t sealing_key[static SEALED_KEY_SIZE]);
void seal_keys_wipe(struct seal_keys *k);

/*
 * The sealing key of one conversion: HKDF(master, salt; label, source, parameters, layout). The
 * layout is the SHA-256 of the EROFS metadata, so that a key cannot meet two plaintexts even when
 * the writer itself changes between two versions of nacre.
 */
struct seal_derivation {
    const uint8_t *master; /* SEALED_KEY_SIZE bytes */
    const uint8_t *salt;   /* SEALED_SALT_SIZE bytes */
    const char *source;    /* digest of the source image, "sha256:…" */
    const char *params;    /* conversion parameters, canonical text */
    const uint8_t *layout; /* SHA256_SIZE bytes */
};

void seal_key_derive(const struct seal_derivation *d, uint8_t ret_key[static SEALED_KEY_SIZE]);

void seal_nonce(uint64_t block, uint8_t ret[static SEALED_NONCE_SIZE]);
void seal_hash_page(uint8_t domain, const uint8_t page[static SEALED_BLOCK_SIZE],
                    uint8_t ret[static SEALED_HASH_SIZE]);
void seal_superblock_mac(const struct seal_keys *k, const struct sealed_superblock *sb,
                         uint8_t ret[static SEALED_HASH_SIZE]);
/* The sealed root: what the manifest and the policy pin. */
void seal_root(const struct sealed_superblock *sb, uint8_t ret[static SEALED_HASH_SIZE]);

/*
 * Copies `size` bytes at `offset` of the file to dst. Returns 0 or -Exxx; the reader never asks
 * beyond the file size it was opened with.
 */
typedef int (*seal_read_fn)(void *ctx, uint64_t offset, void *dst, size_t size);

/* One verified tag or tree page kept by the reader. Zero-initialise. */
struct seal_page {
    uint64_t id;   /* 0: empty */
    uint64_t used; /* age for replacement */
    uint8_t bytes[SEALED_BLOCK_SIZE];
};

#define SEAL_PAGE_WAYS 4u
/* Fewer pages than this and a walk would evict its own path. */
#define SEAL_PAGES_MIN (SEAL_PAGE_WAYS * 4)

/* Contains keys: lives in trusted memory, ends with seal_close(). */
struct seal_reader {
    struct seal_geometry geometry;
    struct seal_keys keys;
    uint8_t tree_root[SEALED_HASH_SIZE];
    uint8_t root[SEALED_HASH_SIZE]; /* the sealed root of the open image */
    bool has_key;
    seal_read_fn read;
    void *ctx;
    struct seal_page *pages; /* borrowed, must outlive the reader */
    size_t page_sets;
    uint64_t clock;
    enum seal_fault fault; /* of the last call that failed */
    uint64_t fault_at;     /* byte offset in the file the fault was found at */
};

/*
 * Opens an image: reads and checks the superblock only, whatever the size. `sealing_key` may be
 * NULL: then the tree can be walked (seal_read_tag) but no block opened, and `pinned_root` must be
 * given. `pinned_root` may be NULL when the key is trusted alone: the superblock carries a MAC.
 * `page_count` pages (a multiple of SEAL_PAGE_WAYS, at least SEAL_PAGES_MIN) bound the memory used.
 * On failure `fault` says what is wrong and nothing needs closing.
 */
[[nodiscard]] int seal_open(struct seal_reader *r, seal_read_fn read, void *ctx, uint64_t file_size,
                            const uint8_t *sealing_key, const uint8_t *pinned_root,
                            struct seal_page *pages, size_t page_count);
void seal_close(struct seal_reader *r);

/*
 * Fetches the authentic tag of a block, verifying pages on first touch up to the root. Changes the
 * page cache: callers serialise. Cheap when the tag page is cached.
 */
[[nodiscard]] int seal_read_tag(struct seal_reader *r, uint64_t block,
                                uint8_t ret_tag[static SEALED_TAG_SIZE]);

/* Tags of `count` blocks (at least one) from `block` on whose tag page is cached, without any
 * cryptography: how many, up to the end of that page; -EAGAIN when it is not cached. Callers
 * serialise, as for seal_read_tag(). */
[[nodiscard]] int seal_cached_tags(struct seal_reader *r, uint64_t block, uint32_t count,
                                   uint8_t (*ret)[SEALED_TAG_SIZE]);

/* Opens a block in place whose ciphertext the caller copied in already. Changes nothing in the
 * reader, so any number of threads may. -EBADMSG when it was changed: `data` is then zeros. */
[[nodiscard]] int seal_decrypt_block(const struct seal_reader *r, uint64_t block,
                                     const uint8_t tag[static SEALED_TAG_SIZE],
                                     uint8_t data[static SEALED_BLOCK_SIZE]);

/*
 * Reads and opens one block with its authentic tag. Touches no shared state but the fault report,
 * so any number of threads may decrypt at once. dst holds zeros after a failure.
 */
[[nodiscard]] int seal_open_block(struct seal_reader *r, uint64_t block,
                                  const uint8_t tag[static SEALED_TAG_SIZE],
                                  uint8_t dst[static SEALED_BLOCK_SIZE]);

/* Both of the above. Callers serialise. */
[[nodiscard]] int seal_read_block(struct seal_reader *r, uint64_t block,
                                  uint8_t dst[static SEALED_BLOCK_SIZE]);

/* Verifies every tree and tag page, those no data block needs included. */
[[nodiscard]] int seal_verify_tree(struct seal_reader *r);
