/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Blocks out of a hostile file. What the host may do: change, cut or swap the file at any moment.
 * So every page and block is copied into enclave memory first, and what is there is judged; GCM
 * reads its input twice, which untrusted memory must never be given to. A file that was cut short
 * faults when it is read: sealed_raw_copy() ends then, the cipher could not. Copying and opening
 * take turns in batches that the first-level cache holds (docs/benchmarks.md has the figures).
 */

#include "core/ct.h"
#include "libos/fs/sealed/sealed_internal.h"
#include "libos/host/host.h"
#include "libos/host/host_mem.h"
#include "libos/lib/simd.h"
#include "libos/lib/uapi.h"
#include "libos/mm/kmem.h"

/* Tag and tree pages kept: all of a 1 GiB image; a larger one verifies some again. */
#define PAGES_MAX    1280u
/* Lines of the log a broken image may fill. */
#define LOGGED_MAX   64u
/* Blocks copied, then opened: few enough for the first-level cache to hold them in between. */
#define OPEN_BATCH   8u
#define CACHE_LINE   64u
/* What Linux maps of a file at one fault. */
#define FAULT_AROUND ((uint64_t)64 << 10)

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
    while (n < count) {
        r = seal_cached_tags(&s->reader, block + n, count - n, &ret[n]);
        if (r == -EAGAIN) {
            if (n > 0) {
                break; /* readahead ends with the tag page at hand */
            }
            simd_begin(&simd);
            r = seal_read_tag(&s->reader, block, ret[0]);
            simd_end(&simd);
            r = r < 0 ? r : 1;
        }
        if (r < 0) {
            fault = s->reader.fault;
            fault_at = s->reader.fault_at;
            break;
        }
        n += (uint32_t)r;
    }
    mutex_unlock(&s->tag_lock);
    if (n > 0) {
        return (int)n;
    }
    store_report(s, fault_at, seal_fault_text(fault));
    return -EIO;
}

/*
 * Asks for a block that will be copied soon. A hint to the processor, which drops it where the
 * host's page table has nothing yet; so the first block of what the host maps at one fault is
 * touched in earnest: that fault is due anyway, and it comes early enough for the others.
 */
static void prefetch(const struct sealed_store *s, uint64_t block)
{
    const uint64_t offset = seal_block_offset(block);
    uint64_t ignored;

    if (offset + SEALED_BLOCK_SIZE > s->map_size) {
        return;
    }
    if (offset % FAULT_AROUND == 0) {
        (void)sealed_raw_copy(&ignored, s->map + offset, sizeof(ignored));
    }
    for (uint64_t i = 0; i < SEALED_BLOCK_SIZE; i += CACHE_LINE) {
        __builtin_prefetch(s->map + offset + i, /*rw=*/0, /*locality=*/3);
    }
}

/* One batch: copies `count` blocks, then opens them. How many from the first on are good. */
static uint32_t open_batch(struct sealed_store *s, const struct block_fill *f,
                           uint8_t (*tags)[SEALED_TAG_SIZE], uint32_t first, uint32_t count,
                           uint32_t *ret_copied)
{
    uint32_t copied = 0;
    uint32_t good = 0;

    while (copied < count && read_map(s, seal_block_offset(f->block + first + copied),
                                      f->frames[first + copied]->data, SEALED_BLOCK_SIZE) == 0) {
        copied++;
    }
    for (; good < copied; good++) {
        const uint32_t i = first + good;

        if (f->once || i + OPEN_BATCH < f->count) {
            prefetch(s, f->block + i + OPEN_BATCH);
        }
        if (seal_decrypt_block(&s->reader, f->block + i, tags[i], f->frames[i]->data) < 0) {
            break;
        }
    }
    *ret_copied = first + copied;
    return good;
}

/* Copies and opens blocks into frames; how many from the first on are good. */
static uint32_t open_blocks(struct sealed_store *s, const struct block_fill *f,
                            uint8_t (*tags)[SEALED_TAG_SIZE])
{
    enum seal_fault fault = SEAL_FAULT_NONE;
    struct simd_state simd;
    uint32_t copied = 0;
    uint32_t good = 0;

    simd_begin(&simd);
    while (good == copied && good < f->count) {
        const uint32_t n = MIN(f->count - good, OPEN_BATCH);
        const uint32_t got = open_batch(s, f, tags, good, n, &copied);

        good += got;
        if (got < n) {
            break;
        }
    }
    simd_end(&simd);
    /* Ciphertext that was never opened does not stay around as if it were data. */
    for (uint32_t i = good; i < copied; i++) {
        __builtin_memset(f->frames[i]->data, 0, SEALED_BLOCK_SIZE);
    }
    (void)__atomic_add_fetch(&s->opened, good, __ATOMIC_RELAXED);
    if (good == 0) {
        fault = copied == 0 ? SEAL_FAULT_IO : SEAL_FAULT_BLOCK;
        store_report(s, seal_block_offset(f->block), seal_fault_text(fault));
    }
    return good;
}

/* Opens blocks into the cache. The first is asked for; the others are a guess, and one that cannot
 * be opened is left for who really wants it. */
static int fill(struct sealed_store *s, struct block_fill *f, struct block_frame **ret,
                uint32_t want)
{
    uint8_t tags[BLOCK_FILL_MAX][SEALED_TAG_SIZE];
    uint32_t have;
    int r = get_tags(s, f->block, f->count, tags);

    if (r < 0) {
        return r;
    }
    r = block_cache_take(&s->cache, f->frames, (uint32_t)r);
    if (r < 0) {
        return r;
    }
    have = (uint32_t)r;
    f->count = have;
    f->count = open_blocks(s, f, tags);
    block_cache_give(&s->cache, f->frames + f->count, have - f->count);
    return f->count == 0 ? -EIO : block_cache_insert(&s->cache, f, ret, want);
}

int store_pin(struct sealed_store *s, const struct store_plan *plan, struct block_frame **ret,
              uint32_t want)
{
    const uint64_t end = s->reader.geometry.block_count;
    const uint32_t ahead = MIN(plan->ahead, BLOCK_FILL_MAX);
    struct block_fill f;

    f.block = plan->block;
    f.once = plan->once;
    f.count = 1;
    while (f.count < ahead && f.block + f.count < end &&
           !block_cache_has(&s->cache, f.block + f.count)) {
        f.count++;
    }
    return fill(s, &f, ret, want);
}

/* ---- for the EROFS reader ---- */

static int io_get(void *ctx, uint64_t block, const uint8_t **ret)
{
    struct sealed_store *s = ctx;
    struct block_frame *f;
    int r = (int)block_cache_pin(&s->cache, block, &f, 1);

    if (r == 0) {
        r = store_pin(s, &(struct store_plan){.block = block, .ahead = 1}, &f, 1);
    }
    if (r < 0) {
        return r;
    }
    *ret = f->data;
    return 0;
}

static void io_put(void *ctx, uint64_t block, const uint8_t *data)
{
    struct sealed_store *s = ctx;

    block_cache_unpin_block(&s->cache, block);
}

const struct erofs_io store_erofs_io = {.get = io_get, .put = io_put};
