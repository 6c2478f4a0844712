/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "seal/seal.h"

#include "core/ct.h"
#include "core/le.h"

/*
 * Verification is lazy and bounded. A block's tag lies in a tag page; the tag page's hash lies in a
 * level-0 tree page, whose hash lies one level up, and so on to the root in the superblock. Pages
 * are copied into trusted memory before they are hashed and used from there, so a file that changes
 * under the reader changes nothing that was verified. The copies live in a set-associative cache
 * the caller sized; a page that was evicted is verified again.
 */

static int fail(struct seal_reader *r, enum seal_fault fault, uint64_t at)
{
    static const int codes[] = {
#define X(name, error, text) [SEAL_FAULT_##name] = error,
#include "seal/fault.tbl.h"
#undef X
    };

    r->fault = fault;
    r->fault_at = at;
    return -codes[fault];
}

static enum seal_fault check_superblock(const struct sealed_superblock *sb, uint64_t file_size,
                                        struct seal_geometry *ret)
{
    struct seal_geometry g;

    if (__builtin_memcmp(sb->magic, SEALED_MAGIC, SEALED_MAGIC_SIZE) != 0) {
        return SEAL_FAULT_NOT_SEALED;
    }
    if (sb->version != SEALED_VERSION || sb->cipher != SEALED_CIPHER_AES256_GCM ||
        sb->hash != SEALED_HASH_SHA256 || sb->block_shift != SEALED_BLOCK_SHIFT ||
        sb->reserved0 != 0 || !ct_is_zero(sb->reserved, sizeof(sb->reserved))) {
        return SEAL_FAULT_VERSION;
    }
    if (seal_geometry_make(sb->block_count, &g) < 0 || sb->tag_page_count != g.tag_page_count ||
        sb->tree_page_count != g.tree_page_count || sb->file_size != g.file_size ||
        file_size != g.file_size) {
        return SEAL_FAULT_SHAPE;
    }
    *ret = g;
    return SEAL_FAULT_NONE;
}

static enum seal_fault check_key(struct seal_reader *r, const struct sealed_superblock *sb,
                                 const uint8_t *sealing_key)
{
    uint8_t mac[SEALED_HASH_SIZE];

    seal_keys_init(&r->keys, sealing_key);
    if (!ct_equal(r->keys.id, sb->key_id, sizeof(sb->key_id))) {
        return SEAL_FAULT_KEY;
    }
    seal_superblock_mac(&r->keys, sb, mac);
    return ct_equal(mac, sb->mac, sizeof(mac)) ? SEAL_FAULT_NONE : SEAL_FAULT_SUPERBLOCK;
}

int seal_open(struct seal_reader *r, seal_read_fn read, void *ctx, uint64_t file_size,
              const uint8_t *sealing_key, const uint8_t *pinned_root, struct seal_page *pages,
              size_t page_count)
{
    struct sealed_superblock sb;
    enum seal_fault fault;

    *r = (struct seal_reader){.read = read,
                              .ctx = ctx,
                              .pages = pages,
                              .page_sets = page_count / SEAL_PAGE_WAYS,
                              .has_key = sealing_key != NULL};
    if (page_count < SEAL_PAGES_MIN || page_count % SEAL_PAGE_WAYS != 0 ||
        (sealing_key == NULL && pinned_root == NULL)) {
        return -EINVAL;
    }
    if (file_size < sizeof(sb)) {
        return fail(r, SEAL_FAULT_NOT_SEALED, 0);
    }
    if (read(ctx, 0, &sb, sizeof(sb)) < 0) {
        return fail(r, SEAL_FAULT_IO, 0);
    }
    fault = check_superblock(&sb, file_size, &r->geometry);
    if (fault == SEAL_FAULT_NONE && sealing_key != NULL) {
        fault = check_key(r, &sb, sealing_key);
    }
    seal_root(&sb, r->root);
    if (fault == SEAL_FAULT_NONE && pinned_root != NULL &&
        !ct_equal(r->root, pinned_root, SEALED_HASH_SIZE)) {
        fault = SEAL_FAULT_ROOT;
    }
    if (fault != SEAL_FAULT_NONE) {
        seal_keys_wipe(&r->keys);
        return fail(r, fault, 0);
    }
    __builtin_memcpy(r->tree_root, sb.tree_root, sizeof(r->tree_root));
    return 0;
}

void seal_close(struct seal_reader *r)
{
    ct_wipe(r, sizeof(*r));
}

/* Level 0 … are tree pages; tag pages count as the level below. Never 0. */
static uint64_t page_id(uint32_t height, uint64_t index)
{
    return (uint64_t)(height + 1) << 56 | index;
}

static struct seal_page *cache_set(struct seal_reader *r, uint64_t id)
{
    uint64_t mixed = id * 0x9e3779b97f4a7c15ull;

    return &r->pages[(mixed >> 32) % r->page_sets * SEAL_PAGE_WAYS];
}

static struct seal_page *cache_find(struct seal_reader *r, uint64_t id)
{
    struct seal_page *set = cache_set(r, id);

    for (size_t i = 0; i < SEAL_PAGE_WAYS; i++) {
        if (set[i].id == id) {
            set[i].used = ++r->clock;
            return &set[i];
        }
    }
    return NULL;
}

/* Copies a page in and keeps it when its hash is the expected one. */
static int load_page(struct seal_reader *r, uint64_t id, uint64_t offset, uint8_t domain,
                     const uint8_t expected[static SEALED_HASH_SIZE], struct seal_page **ret)
{
    struct seal_page *set = cache_set(r, id);
    struct seal_page *victim = &set[0];
    uint8_t hash[SEALED_HASH_SIZE];

    for (size_t i = 1; i < SEAL_PAGE_WAYS; i++) {
        if (set[i].used < victim->used) {
            victim = &set[i];
        }
    }
    victim->id = 0;
    victim->used = 0;
    if (r->read(r->ctx, offset, victim->bytes, SEALED_BLOCK_SIZE) < 0) {
        return fail(r, SEAL_FAULT_IO, offset);
    }
    seal_hash_page(domain, victim->bytes, hash);
    if (!ct_equal(hash, expected, sizeof(hash))) {
        return fail(r, domain == SEALED_DOMAIN_TAG_PAGE ? SEAL_FAULT_TAGS : SEAL_FAULT_TREE,
                    offset);
    }
    victim->id = id;
    victim->used = ++r->clock;
    *ret = victim;
    return 0;
}

/* Walks from the root to the tag page; each step needs only the hash found in the step before. */
static int tag_page(struct seal_reader *r, uint64_t index, const struct seal_page **ret)
{
    const struct seal_geometry *g = &r->geometry;
    const uint64_t id = page_id(0, index);
    struct seal_page *page = cache_find(r, id);
    uint8_t expected[SEALED_HASH_SIZE];
    int code;

    if (page != NULL) {
        *ret = page;
        return 0;
    }
    __builtin_memcpy(expected, r->tree_root, sizeof(expected));
    for (uint32_t level = g->levels; level-- > 0;) {
        /* 128 hashes a page: seven bits of the tag page's number per level. */
        const uint64_t entry = index >> (7 * level);
        const uint64_t tree_index = entry / SEALED_HASHES_PER_PAGE;
        const uint64_t at = g->level[level].first + tree_index;

        page = cache_find(r, page_id(level + 1, tree_index));
        if (page == NULL) {
            code = load_page(r, page_id(level + 1, tree_index),
                             g->tree_offset + at * SEALED_BLOCK_SIZE, SEALED_DOMAIN_TREE_PAGE,
                             expected, &page);
            if (code < 0) {
                return code;
            }
        }
        __builtin_memcpy(expected, page->bytes + entry % SEALED_HASHES_PER_PAGE * SEALED_HASH_SIZE,
                         sizeof(expected));
    }
    code = load_page(r, id, g->tag_offset + index * SEALED_BLOCK_SIZE, SEALED_DOMAIN_TAG_PAGE,
                     expected, &page);
    if (code < 0) {
        return code;
    }
    *ret = page;
    return 0;
}

int seal_read_tag(struct seal_reader *r, uint64_t block, uint8_t ret_tag[static SEALED_TAG_SIZE])
{
    const struct seal_page *page;
    int code;

    if (block >= r->geometry.block_count) {
        return -EINVAL;
    }
    code = tag_page(r, block / SEALED_TAGS_PER_PAGE, &page);
    if (code < 0) {
        return code;
    }
    __builtin_memcpy(ret_tag, page->bytes + block % SEALED_TAGS_PER_PAGE * SEALED_TAG_SIZE,
                     SEALED_TAG_SIZE);
    return 0;
}

int seal_cached_tags(struct seal_reader *r, uint64_t block, uint32_t count,
                     uint8_t (*ret)[SEALED_TAG_SIZE])
{
    const uint32_t first = (uint32_t)(block % SEALED_TAGS_PER_PAGE);
    const struct seal_page *page;

    if (block >= r->geometry.block_count || count > r->geometry.block_count - block) {
        return -EINVAL;
    }
    page = cache_find(r, page_id(0, block / SEALED_TAGS_PER_PAGE));
    if (page == NULL) {
        return -EAGAIN;
    }
    count = MIN(count, SEALED_TAGS_PER_PAGE - first);
    __builtin_memcpy(ret, page->bytes + first * SEALED_TAG_SIZE, count * SEALED_TAG_SIZE);
    return (int)count;
}

int seal_decrypt_block(const struct seal_reader *r, uint64_t block,
                       const uint8_t tag[static SEALED_TAG_SIZE],
                       uint8_t data[static SEALED_BLOCK_SIZE])
{
    uint8_t nonce[SEALED_NONCE_SIZE];

    if (block >= r->geometry.block_count || !r->has_key) {
        return -EINVAL;
    }
    seal_nonce(block, nonce);
    return aead_open(&r->keys.data, nonce, NULL, 0, data, SEALED_BLOCK_SIZE, data, tag);
}

int seal_open_block(struct seal_reader *r, uint64_t block,
                    const uint8_t tag[static SEALED_TAG_SIZE],
                    uint8_t dst[static SEALED_BLOCK_SIZE])
{
    if (block >= r->geometry.block_count || !r->has_key) {
        return -EINVAL;
    }
    /* The ciphertext is copied once and opened in place: GCM reads its input twice (to hash and to
     * decrypt), and what it reads must not change in between. */
    if (r->read(r->ctx, seal_block_offset(block), dst, SEALED_BLOCK_SIZE) < 0) {
        __builtin_memset(dst, 0, SEALED_BLOCK_SIZE);
        return fail(r, SEAL_FAULT_IO, seal_block_offset(block));
    }
    if (seal_decrypt_block(r, block, tag, dst) < 0) {
        return fail(r, SEAL_FAULT_BLOCK, seal_block_offset(block));
    }
    return 0;
}

int seal_read_block(struct seal_reader *r, uint64_t block, uint8_t dst[static SEALED_BLOCK_SIZE])
{
    uint8_t tag[SEALED_TAG_SIZE];
    int code = seal_read_tag(r, block, tag);

    if (code < 0) {
        return code;
    }
    return seal_open_block(r, block, tag, dst);
}

/* Hashes of entries that do not exist, and tags of blocks that do not exist, are zero. */
static bool tail_is_zero(const struct seal_page *page, uint64_t used, size_t entry_size)
{
    return ct_is_zero(page->bytes + used * entry_size, SEALED_BLOCK_SIZE - used * entry_size);
}

int seal_verify_tree(struct seal_reader *r)
{
    const struct seal_geometry *g = &r->geometry;

    for (uint64_t i = 0; i < g->tag_page_count; i++) {
        const uint64_t left = g->block_count - i * SEALED_TAGS_PER_PAGE;
        const struct seal_page *page;
        int code = tag_page(r, i, &page);

        if (code < 0) {
            return code;
        }
        if (left < SEALED_TAGS_PER_PAGE && !tail_is_zero(page, left, SEALED_TAG_SIZE)) {
            return fail(r, SEAL_FAULT_TAGS, g->tag_offset + i * SEALED_BLOCK_SIZE);
        }
    }
    return 0;
}
