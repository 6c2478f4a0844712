/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Blocks out of a hostile file. What the host may do: change, cut or swap the file at any moment.
 * So every page and block is copied into enclave memory first, and what is there is judged; GCM
 * reads its input twice, which untrusted memory must never be given to. A file that was cut short
 * faults when it is read: sealed_raw_copy() ends then, the cipher could not. The copy is a quarter
 * of a first read's time; new memory for the block is more (docs/benchmarks.md).
 */

#include "core/ct.h"
#include "libos/fs/sealed/sealed_internal.h"
#include "libos/host/host.h"
#include "libos/host/host_mem.h"
#include "libos/lib/simd.h"
#include "libos/lib/uapi.h"
#include "libos/mm/kmem.h"

/* Tag and tree pages kept: all of a 1 GiB image; a larger one verifies some again. */
#define PAGES_MAX  1280u
/* Lines of the log a broken image may fill. */
#define LOGGED_MAX 64u

void store_report(struct sealed_store *s, uint64_t offset, const char *what)
{
    bool first;

    spin_lock(&s->log_lock);
    s->faults++;
    first = (offset != s->logged_at || s->logged == 0) && s->logged < LOGGED_MAX;
    s->logged += first ? 1 : 0;
    s->logged_at = offset;
    spin_unlock(&s->log_lock);
    if (first) {
        libos_log(LOG_ERROR, "audit: the sealed image %s (byte %lu of the file)", what, offset);
    }
}

static int read_map(void *ctx, uint64_t offset, void *dst, size_t size)
{
    const struct sealed_store *s = ctx;

    /* The reader stays within the size it was opened with, which is the mapping's. */
    return sealed_raw_copy(dst, s->map + offset, size) == 0 ? 0 : -EIO;
}

static int open_map(struct sealed_store *s, int fd)
{
    const void *map = NULL;
    struct host_stat st;
    int r = host_fstat(fd, &st);

    if (r < 0) {
        return r;
    }
    if (!S_ISREG(st.mode) || st.size < (int64_t)SEALED_BLOCK_SIZE) {
        return -EBADMSG;
    }
    r = host_map_file(fd, 0, (uint64_t)st.size, &map);
    if (r < 0) {
        return r;
    }
    s->map = map;
    s->map_size = (uint64_t)st.size;
    s->fd = fd;
    return 0;
}

static int alloc_pages(struct sealed_store *s)
{
    /* An upper bound of the image's own count: one tag page per MiB, trees on top. */
    uint64_t want = s->map_size / ((uint64_t)SEALED_TAGS_PER_PAGE * SEALED_BLOCK_SIZE) + 8;
    size_t count = (size_t)MIN(want + want / 2, (uint64_t)PAGES_MAX);

    count = MAX(count / SEAL_PAGE_WAYS * SEAL_PAGE_WAYS, (size_t)SEAL_PAGES_MIN);
    s->page_bytes = page_align_up(count * sizeof(struct seal_page));
    s->pages = kpages_alloc(s->page_bytes >> NACRE_PAGE_SHIFT);
    if (s->pages == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        s->pages[i].id = 0;
        s->pages[i].used = 0;
    }
    return (int)count;
}

int store_open(struct sealed_store *s, const struct sealed_options *o)
{
    struct simd_state simd;
    int count;
    int r = open_map(s, o->fd);

    if (r < 0) {
        libos_log(LOG_ERROR, "the sealed image cannot be mapped: error %d", -r);
        return r;
    }
    count = alloc_pages(s);
    if (count < 0) {
        store_close(s);
        return count;
    }
    simd_begin(&simd);
    r = seal_open(&s->reader, read_map, s, s->map_size, o->key, o->root, s->pages, (size_t)count);
    simd_end(&simd);
    if (r < 0) {
        libos_log(LOG_ERROR, "audit: the sealed image %s", seal_fault_text(s->reader.fault));
        store_close(s);
        return r;
    }
    r = block_cache_init(&s->cache, s->reader.geometry.block_count, o->cache_max);
    if (r < 0) {
        store_close(s);
    }
    return r;
}

void store_close(struct sealed_store *s)
{
    struct simd_state simd;

    block_cache_free(&s->cache);
    if (s->pages != NULL) {
        kpages_free(s->pages, s->page_bytes >> NACRE_PAGE_SHIFT);
        s->pages = NULL;
    }
    if (s->map != NULL) {
        host_unmap(s->map, s->map_size);
        s->map = NULL;
    }
    simd_begin(&simd);
    seal_close(&s->reader);
    simd_end(&simd);
}

/* The authentic tags of `count` blocks from `block` on; how many could be had. */
static int get_tags(struct sealed_store *s, uint64_t block, uint32_t count,
                    uint8_t ret[][SEALED_TAG_SIZE])
{
    enum seal_fault fault = SEAL_FAULT_NONE;
    struct simd_state simd;
    uint64_t fault_at = 0;
    uint32_t n = 0;
    int r = 0;

    mutex_lock(&s->tag_lock);
    for (; n < count; n++) {
        r = seal_cached_tag(&s->reader, block + n, ret[n]);
        if (r == -EAGAIN) {
            if (n > 0 && (block + n) % SEALED_TAGS_PER_PAGE == 0) {
                break; /* readahead ends with the tag page at hand */
            }
            simd_begin(&simd);
            r = seal_read_tag(&s->reader, block + n, ret[n]);
            simd_end(&simd);
        }
        if (r < 0) {
            fault = s->reader.fault;
            fault_at = s->reader.fault_at;
            break;
        }
    }
    mutex_unlock(&s->tag_lock);
    if (n > 0) {
        return (int)n;
    }
    store_report(s, fault_at, seal_fault_text(fault));
    return -EIO;
}

/* Copies and opens blocks into frames; how many from the first on are good. */
static uint32_t open_blocks(struct sealed_store *s, uint64_t block, uint32_t count,
                            uint8_t (*tags)[SEALED_TAG_SIZE], struct block_frame *const *frames)
{
    enum seal_fault fault = SEAL_FAULT_NONE;
    struct simd_state simd;
    uint32_t copied = 0;
    uint32_t good = 0;

    while (copied < count && read_map(s, seal_block_offset(block + copied), frames[copied]->data,
                                      SEALED_BLOCK_SIZE) == 0) {
        copied++;
    }
    simd_begin(&simd);
    while (good < copied &&
           seal_decrypt_block(&s->reader, block + good, tags[good], frames[good]->data) == 0) {
        good++;
    }
    simd_end(&simd);
    /* Ciphertext that was never opened does not stay around as if it were data. */
    for (uint32_t i = good; i < copied; i++) {
        __builtin_memset(frames[i]->data, 0, SEALED_BLOCK_SIZE);
    }
    (void)__atomic_add_fetch(&s->opened, good, __ATOMIC_RELAXED);
    if (good == 0) {
        fault = copied == 0 ? SEAL_FAULT_IO : SEAL_FAULT_BLOCK;
        store_report(s, seal_block_offset(block), seal_fault_text(fault));
    }
    return good;
}

/* Opens up to `count` blocks from `block` on into the cache. The first is asked for; the others
 * are a guess, and one that cannot be opened is left for who really wants it. */
static int fill(struct sealed_store *s, uint64_t block, uint32_t count, struct block_frame **ret)
{
    struct block_frame *frames[BLOCK_FILL_MAX];
    uint8_t tags[BLOCK_FILL_MAX][SEALED_TAG_SIZE];
    struct block_frame *f;
    uint32_t good;
    int r = get_tags(s, block, count, tags);
    int have;

    if (r < 0) {
        return r;
    }
    have = block_cache_take(&s->cache, frames, (uint32_t)r);
    if (have < 0) {
        return have;
    }
    good = open_blocks(s, block, (uint32_t)have, tags, frames);
    block_cache_give(&s->cache, frames + good, (uint32_t)have - good);
    if (good == 0) {
        return -EIO;
    }
    r = block_cache_insert(&s->cache, block, frames[0], ret);
    for (uint32_t i = 1; i < good; i++) {
        if (block_cache_insert(&s->cache, block + i, frames[i], &f) == 0) {
            block_cache_unpin(&s->cache, f);
        }
    }
    return r;
}

int store_pin(struct sealed_store *s, uint64_t block, uint32_t ahead, struct block_frame **ret)
{
    struct block_frame *f = block_cache_pin(&s->cache, block);
    uint64_t count = s->reader.geometry.block_count;
    uint32_t n = 1;

    if (likely(f != NULL)) {
        *ret = f;
        return 0;
    }
    ahead = MIN(ahead, BLOCK_FILL_MAX);
    while (n < ahead && block + n < count && !block_cache_has(&s->cache, block + n)) {
        n++;
    }
    return fill(s, block, n, ret);
}

/* ---- for the EROFS reader ---- */

static int io_get(void *ctx, uint64_t block, const uint8_t **ret)
{
    struct block_frame *f;
    int r = store_pin(ctx, block, 1, &f);

    if (r == 0) {
        *ret = f->data;
    }
    return r;
}

static void io_put(void *ctx, uint64_t block, const uint8_t *data)
{
    struct sealed_store *s = ctx;

    block_cache_unpin_block(&s->cache, block);
}

const struct erofs_io store_erofs_io = {.get = io_get, .put = io_put};
