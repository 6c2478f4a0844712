/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/seal_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/ct.h"
#include "image/out_file.h"
#include "image/slot_ring.h"

/*
 * The caller encrypts, a thread of its own writes, which takes the kernel twice as long. A ring of
 * batches lies between them. A batch that goes on where the last one ended begins at a multiple of
 * its size in the file: the kernel then keeps it in one piece, which is cheaper to write and, since
 * the image is read through a mapping, cheaper to map.
 */

#define BATCHES      4u
#define BATCH_BLOCKS 64u   /* ciphertext written per system call: 256 KiB */
#define SMALL_MAX    1024u /* blocks of an image that is not worth a thread */

struct batch {
    uint64_t block;
    size_t count;
    uint8_t cipher[BATCH_BLOCKS * SEALED_BLOCK_SIZE];
    uint8_t tags[BATCH_BLOCKS * SEALED_TAG_SIZE];
};

struct seal_writer {
    struct seal_geometry geometry;
    struct seal_keys keys;
    struct img_out out;
    bool scratch;      /* never committed */
    uint64_t *written; /* one bit a block */
    uint64_t written_count;
    uint8_t salt[SEALED_SALT_SIZE];
    struct slot_ring ring;
    pthread_t thread;
    bool threaded;
    struct batch *open; /* not full yet, or NULL */
    struct batch batches[BATCHES];
};

static int write_batch(struct seal_writer *w, const struct batch *b, struct error **err)
{
    int r = img_out_write(&w->out, seal_block_offset(b->block), b->cipher,
                          b->count * SEALED_BLOCK_SIZE, err);

    return r < 0 ? r
                 : img_out_write(&w->out, w->geometry.tag_offset + b->block * SEALED_TAG_SIZE,
                                 b->tags, b->count * SEALED_TAG_SIZE, err);
}

static void *write_batches(void *arg)
{
    struct seal_writer *w = arg;
    struct error *error = NULL;
    unsigned slot;
    int r = 0;

    while (r == 0 && slot_ring_wait_full(&w->ring, &slot)) {
        r = write_batch(w, &w->batches[slot], &error);
        if (r == 0 && !w->scratch) { /* the disk begins now, not when all is to be safe on it */
            (void)sync_file_range(w->out.fd, (off_t)seal_block_offset(w->batches[slot].block),
                                  (off_t)(w->batches[slot].count * SEALED_BLOCK_SIZE),
                                  SYNC_FILE_RANGE_WRITE);
        }
        if (r == 0) {
            slot_ring_pop(&w->ring);
        }
    }
    slot_ring_stop(&w->ring, r, error);
    return NULL;
}

static int join(struct seal_writer *w, struct error **err)
{
    if (!w->threaded) {
        return 0;
    }
    slot_ring_end(&w->ring, 0, NULL);
    (void)pthread_join(w->thread, NULL);
    w->threaded = false;
    return slot_ring_outcome(&w->ring, err);
}

struct seal_writer *seal_writer_free(struct seal_writer *w)
{
    if (w != NULL) {
        (void)join(w, NULL);
        slot_ring_done(&w->ring);
        img_out_discard(&w->out);
        free(w->written);
        seal_keys_wipe(&w->keys);
        free(w);
    }
    return NULL;
}

static int writer_new(const char *path, bool scratch, uint64_t block_count,
                      const uint8_t sealing_key[static SEALED_KEY_SIZE],
                      const uint8_t salt[static SEALED_SALT_SIZE], struct seal_writer **ret,
                      struct error **err)
{
    _cleanup_seal_writer_ struct seal_writer *w = NULL;
    struct seal_geometry g;
    int r;

    if (seal_geometry_make(block_count, &g) < 0) {
        return error_set(err, EFBIG, "a sealed image holds 1 to %llu blocks of 4 KiB, not %llu",
                         (unsigned long long)SEALED_BLOCKS_MAX, (unsigned long long)block_count);
    }
    w = aligned_alloc(64, (sizeof(*w) + 63) / 64 * 64);
    if (w == NULL) {
        return error_set_errno(err, ENOMEM, "sealing %s", path);
    }
    memset(w, 0, sizeof(*w));
    w->out = IMG_OUT_NONE;
    w->geometry = g;
    slot_ring_init(&w->ring, BATCHES);
    w->written = calloc((size_t)(block_count / 64 + 1), sizeof(uint64_t));
    if (w->written == NULL) {
        return error_set_errno(err, ENOMEM, "sealing %s", path);
    }
    w->scratch = scratch;
    r = scratch ? img_out_open_scratch(&w->out, path, g.file_size, err)
                : img_out_open(&w->out, path, g.file_size, 0644, err);
    if (r < 0) {
        return r;
    }
    if (ftruncate(w->out.fd, (off_t)g.file_size) < 0) {
        return error_set_errno(err, errno, "cannot size %s", path);
    }
    seal_keys_init(&w->keys, sealing_key);
    memcpy(w->salt, salt, sizeof(w->salt));
    /* Without a thread it is only slower. */
    w->threaded =
        block_count > SMALL_MAX && pthread_create(&w->thread, NULL, write_batches, w) == 0;
    *ret = TAKE_PTR(w);
    return 0;
}

int seal_writer_new(const char *path, uint64_t block_count,
                    const uint8_t sealing_key[static SEALED_KEY_SIZE],
                    const uint8_t salt[static SEALED_SALT_SIZE], struct seal_writer **ret,
                    struct error **err)
{
    return writer_new(path, /*scratch=*/false, block_count, sealing_key, salt, ret, err);
}

int seal_writer_new_scratch(const char *beside, uint64_t block_count,
                            const uint8_t sealing_key[static SEALED_KEY_SIZE],
                            const uint8_t salt[static SEALED_SALT_SIZE], struct seal_writer **ret,
                            struct error **err)
{
    return writer_new(beside, /*scratch=*/true, block_count, sealing_key, salt, ret, err);
}

int seal_writer_take_fd(struct seal_writer *w)
{
    return TAKE_FD(w->out.fd);
}

/* Marks a block as stored; a second time would spend its nonce twice. */
static int claim(struct seal_writer *w, uint64_t block, struct error **err)
{
    const uint64_t bit = 1ull << block % 64;

    if (block >= w->geometry.block_count) {
        return error_set(err, EINVAL, "block %llu lies behind the image's %llu blocks",
                         (unsigned long long)block, (unsigned long long)w->geometry.block_count);
    }
    if ((w->written[block / 64] & bit) != 0) {
        return error_set(err, EEXIST, "block %llu is stored already", (unsigned long long)block);
    }
    w->written[block / 64] |= bit;
    w->written_count++;
    return 0;
}

/* `count` blocks more at the end of a batch. */
static int encrypt(struct seal_writer *w, struct batch *b, const uint8_t *data, size_t count,
                   struct error **err)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t block = b->block + b->count;
        uint8_t nonce[SEALED_NONCE_SIZE];
        int r = claim(w, block, err);

        if (r < 0) {
            return r;
        }
        seal_nonce(block, nonce);
        aead_seal(&w->keys.data, nonce, NULL, 0, data + i * SEALED_BLOCK_SIZE, SEALED_BLOCK_SIZE,
                  b->cipher + b->count * SEALED_BLOCK_SIZE, b->tags + b->count * SEALED_TAG_SIZE);
        b->count++;
    }
    return 0;
}

static int open_batch(struct seal_writer *w, uint64_t block, struct error **err)
{
    unsigned slot = 0;

    if (w->threaded && !slot_ring_wait_free(&w->ring, &slot)) {
        return slot_ring_outcome(&w->ring, err);
    }
    w->open = &w->batches[slot];
    w->open->block = block;
    w->open->count = 0;
    return 0;
}

static int close_batch(struct seal_writer *w, struct error **err)
{
    const struct batch *b = TAKE_PTR(w->open);

    if (b == NULL || b->count == 0) {
        return 0;
    }
    if (w->threaded) {
        slot_ring_push(&w->ring);
        return 0;
    }
    return write_batch(w, b, err);
}

/* Blocks from `block` on, up to a multiple of a batch's size in the file. */
static size_t room_from(uint64_t block)
{
    return BATCH_BLOCKS - (size_t)(seal_block_offset(block) / SEALED_BLOCK_SIZE % BATCH_BLOCKS);
}

int seal_writer_put(struct seal_writer *w, uint64_t block, const uint8_t *data, size_t count,
                    struct error **err)
{
    int r = 0;

    if (w->open != NULL && w->open->block + w->open->count != block) {
        r = close_batch(w, err);
    }
    while (r == 0 && count > 0) {
        const size_t room = room_from(block);
        const size_t n = MIN(count, room);

        r = w->open == NULL ? open_batch(w, block, err) : 0;
        if (r == 0) {
            r = encrypt(w, w->open, data, n, err);
        }
        if (r == 0 && n == room) {
            r = close_batch(w, err);
        }
        block += n;
        data += n * SEALED_BLOCK_SIZE;
        count -= n;
    }
    return r;
}

int seal_writer_wait(struct seal_writer *w, struct error **err)
{
    int r = close_batch(w, err);
    int joined = join(w, r < 0 ? NULL : err);

    return r < 0 ? r : joined;
}

static int sink_put(void *ctx, uint64_t block, const uint8_t *data, size_t count,
                    struct error **err)
{
    return seal_writer_put(ctx, block, data, count, err);
}

struct img_sink seal_writer_sink(struct seal_writer *w)
{
    return (struct img_sink){.put = sink_put, .ctx = w};
}

static int read_page(struct seal_writer *w, uint64_t offset, uint8_t *page, struct error **err)
{
    size_t have = 0;

    while (have < SEALED_BLOCK_SIZE) {
        ssize_t n = pread(w->out.fd, page + have, SEALED_BLOCK_SIZE - have, (off_t)(offset + have));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return error_set_errno(err, n < 0 ? errno : EIO, "cannot read back %s", w->out.path);
        }
        have += (size_t)n;
    }
    return 0;
}

/* Hashes `count` pages at `from` into full tree pages at `to`. */
static int write_level(struct seal_writer *w, uint64_t from, uint64_t count, uint8_t domain,
                       uint64_t to, struct error **err)
{
    uint8_t tree[SEALED_BLOCK_SIZE];
    uint8_t page[SEALED_BLOCK_SIZE];
    int r;

    for (uint64_t i = 0; i < count; i++) {
        const size_t slot = (size_t)(i % SEALED_HASHES_PER_PAGE);

        if (slot == 0) {
            memset(tree, 0, sizeof(tree));
        }
        r = read_page(w, from + i * SEALED_BLOCK_SIZE, page, err);
        if (r < 0) {
            return r;
        }
        seal_hash_page(domain, page, tree + slot * SEALED_HASH_SIZE);
        if (slot + 1 == SEALED_HASHES_PER_PAGE || i + 1 == count) {
            r = img_out_write(&w->out, to + i / SEALED_HASHES_PER_PAGE * SEALED_BLOCK_SIZE, tree,
                              sizeof(tree), err);
            if (r < 0) {
                return r;
            }
        }
    }
    return 0;
}

static int write_tree(struct seal_writer *w, uint8_t ret_root[static SEALED_HASH_SIZE],
                      struct error **err)
{
    const struct seal_geometry *g = &w->geometry;
    uint64_t from = g->tag_offset;
    uint64_t count = g->tag_page_count;
    uint8_t domain = SEALED_DOMAIN_TAG_PAGE;
    uint8_t top[SEALED_BLOCK_SIZE];
    int r;

    for (uint32_t i = 0; i < g->levels; i++) {
        const uint64_t to = g->tree_offset + g->level[i].first * SEALED_BLOCK_SIZE;

        r = write_level(w, from, count, domain, to, err);
        if (r < 0) {
            return r;
        }
        from = to;
        count = g->level[i].count;
        domain = SEALED_DOMAIN_TREE_PAGE;
    }
    r = read_page(w, from, top, err);
    if (r == 0) {
        seal_hash_page(SEALED_DOMAIN_TREE_PAGE, top, ret_root);
    }
    return r;
}

int seal_writer_finish(struct seal_writer *w, uint8_t ret_root[static SEALED_HASH_SIZE],
                       struct error **err)
{
    const struct seal_geometry *g = &w->geometry;
    struct sealed_superblock sb = {
        .version = SEALED_VERSION,
        .cipher = SEALED_CIPHER_AES256_GCM,
        .hash = SEALED_HASH_SHA256,
        .block_shift = SEALED_BLOCK_SHIFT,
        .block_count = g->block_count,
        .tag_page_count = g->tag_page_count,
        .tree_page_count = g->tree_page_count,
        .file_size = g->file_size,
    };
    int r;

    if (w->written_count != g->block_count) {
        return error_set(err, EINVAL, "%llu of %llu blocks were never stored",
                         (unsigned long long)(g->block_count - w->written_count),
                         (unsigned long long)g->block_count);
    }
    r = seal_writer_wait(w, err);
    if (r == 0) {
        r = write_tree(w, sb.tree_root, err);
    }
    if (r < 0) {
        return r;
    }
    memcpy(sb.magic, SEALED_MAGIC, SEALED_MAGIC_SIZE);
    memcpy(sb.salt, w->salt, sizeof(sb.salt));
    memcpy(sb.key_id, w->keys.id, sizeof(sb.key_id));
    seal_superblock_mac(&w->keys, &sb, sb.mac);
    r = img_out_write(&w->out, 0, &sb, sizeof(sb), err);
    if (r == 0 && !w->scratch) {
        r = img_out_commit(&w->out, err);
    }
    if (r == 0) {
        seal_root(&sb, ret_root);
    }
    return r;
}
