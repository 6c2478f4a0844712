/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "seal/seal.h"

#include "core/ct.h"
#include "core/hmac.h"
#include "core/le.h"

const char *seal_fault_text(enum seal_fault fault)
{
    static const char *const texts[] = {
#define X(name, error, text) [SEAL_FAULT_##name] = text,
#include "seal/fault.tbl.h"
#undef X
    };

    return (size_t)fault < ARRAY_COUNT(texts) ? texts[fault] : "has an unknown fault";
}

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

int seal_geometry_make(uint64_t block_count, struct seal_geometry *ret)
{
    struct seal_geometry g = {.block_count = block_count};
    uint64_t entries;

    if (block_count == 0 || block_count > SEALED_BLOCKS_MAX) {
        return -EINVAL;
    }
    g.tag_page_count = ceil_div(block_count, SEALED_TAGS_PER_PAGE);
    g.tag_offset = seal_block_offset(block_count);
    g.tree_offset = g.tag_offset + g.tag_page_count * SEALED_BLOCK_SIZE;
    entries = g.tag_page_count;
    do {
        g.level[g.levels].first = g.tree_page_count;
        g.level[g.levels].count = ceil_div(entries, SEALED_HASHES_PER_PAGE);
        entries = g.level[g.levels].count;
        g.tree_page_count += entries;
        g.levels++;
    } while (entries > 1 && g.levels < SEALED_LEVELS_MAX);
    g.file_size = g.tree_offset + g.tree_page_count * SEALED_BLOCK_SIZE;
    *ret = g;
    return 0;
}

static void expand(const uint8_t *prk, const char *label, size_t label_size, void *dst, size_t size)
{
    /* Cannot fail: every size here is far below 255 hashes. */
    (void)hkdf_sha256_expand(prk, label, label_size, dst, size);
}

void seal_keys_init(struct seal_keys *k, const uint8_t sealing_key[static SEALED_KEY_SIZE])
{
    uint8_t data[SEALED_KEY_SIZE];

    expand(sealing_key, SEALED_LABEL_DATA, sizeof(SEALED_LABEL_DATA) - 1, data, sizeof(data));
    expand(sealing_key, SEALED_LABEL_MAC, sizeof(SEALED_LABEL_MAC) - 1, k->mac, sizeof(k->mac));
    expand(sealing_key, SEALED_LABEL_ID, sizeof(SEALED_LABEL_ID) - 1, k->id, sizeof(k->id));
    aead_key_init(&k->data, data);
    ct_wipe(data, sizeof(data));
}

void seal_keys_wipe(struct seal_keys *k)
{
    ct_wipe(k, sizeof(*k));
}

static void hash_field(struct sha256 *ctx, const void *data, size_t size)
{
    uint8_t length[8];

    le64_store(length, size);
    sha256_update(ctx, length, sizeof(length));
    sha256_update(ctx, data, size);
}

void seal_key_derive(const struct seal_derivation *d, uint8_t ret_key[static SEALED_KEY_SIZE])
{
    uint8_t info[sizeof(SEALED_LABEL_KEY) - 1 + SHA256_SIZE];
    uint8_t prk[SHA256_SIZE];
    struct sha256 ctx;

    /* Each field goes in behind its length, so that no two sets of fields give the same bytes. */
    sha256_init(&ctx);
    hash_field(&ctx, d->source, __builtin_strlen(d->source));
    hash_field(&ctx, d->params, __builtin_strlen(d->params));
    hash_field(&ctx, d->layout, SHA256_SIZE);
    __builtin_memcpy(info, SEALED_LABEL_KEY, sizeof(SEALED_LABEL_KEY) - 1);
    sha256_final(&ctx, info + sizeof(SEALED_LABEL_KEY) - 1);

    hkdf_sha256_extract(d->salt, SEALED_SALT_SIZE, d->master, SEALED_KEY_SIZE, prk);
    (void)hkdf_sha256_expand(prk, info, sizeof(info), ret_key, SEALED_KEY_SIZE);
    ct_wipe(prk, sizeof(prk));
}

void seal_nonce(uint64_t block, uint8_t ret[static SEALED_NONCE_SIZE])
{
    le64_store(ret, block);
    __builtin_memset(ret + 8, 0, SEALED_NONCE_SIZE - 8);
}

void seal_hash_page(uint8_t domain, const uint8_t page[static SEALED_BLOCK_SIZE],
                    uint8_t ret[static SEALED_HASH_SIZE])
{
    struct sha256 ctx;

    sha256_init(&ctx);
    sha256_update(&ctx, &domain, 1);
    sha256_update(&ctx, page, SEALED_BLOCK_SIZE);
    sha256_final(&ctx, ret);
}

void seal_superblock_mac(const struct seal_keys *k, const struct sealed_superblock *sb,
                         uint8_t ret[static SEALED_HASH_SIZE])
{
    static const uint8_t zeros[SEALED_HASH_SIZE];
    const uint8_t *p = (const uint8_t *)sb;
    const size_t before = offsetof(struct sealed_superblock, mac);
    const size_t after = before + sizeof(sb->mac);
    struct hmac_sha256 ctx;

    hmac_sha256_init(&ctx, k->mac, sizeof(k->mac));
    hmac_sha256_update(&ctx, p, before);
    hmac_sha256_update(&ctx, zeros, sizeof(zeros));
    hmac_sha256_update(&ctx, p + after, sizeof(*sb) - after);
    hmac_sha256_final(&ctx, ret);
}

void seal_root(const struct sealed_superblock *sb, uint8_t ret[static SEALED_HASH_SIZE])
{
    struct sha256 ctx;

    sha256_init(&ctx);
    sha256_update(&ctx, SEALED_LABEL_ROOT, sizeof(SEALED_LABEL_ROOT) - 1);
    sha256_update(&ctx, sb, sizeof(*sb));
    sha256_final(&ctx, ret);
}
