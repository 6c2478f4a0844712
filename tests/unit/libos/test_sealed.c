/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The sealed root: everything comes back, and whatever was changed is an error, never wrong data.
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/hostcall.h"
#include "image/erofs_fixture.h"
#include "libos/fs/dentry.h"
#include "libos/fs/dirindex.h"
#include "libos/fs/overlay/overlay.h"
#include "libos/lib/uapi.h"
#include "seal/seal.h"
#include "unit/libos/call.h"
#include "unit/libos/fake_host.h"
#include "unit/libos/fake_kernel.h"
#include "unit/libos/fake_sealed.h"
#include "unit/libos/sealed_fixture.h"
#include "unit/unit.h"

#include <asm/stat.h>

#define SMALL (300u * 4096 + 17)

static struct sealed_image g_image;

static int setup(void **state)
{
    fake_boot(-1, 1);
    fake_sealed_cut_at(0);
    return 0;
}

static int teardown(void **state)
{
    fake_shutdown();
    return 0;
}

static int setup_all(void **state)
{
    sealed_image_make(&g_image, SMALL, 1);
    return 0;
}

static int teardown_all(void **state)
{
    sealed_image_done(&g_image);
    return 0;
}

static struct superblock *open_good(uint64_t cache, int *ret_fd)
{
    struct superblock *sb = NULL;

    assert_int_equal(
        sealed_image_open(&g_image, g_image.size, g_image.key, g_image.root, cache, ret_fd, &sb),
        0);
    return sb;
}

/* Calls of the host; the enclave has a clock of its own. */
static uint64_t exits(void)
{
    return fake_host_calls() - fake_host_calls_of(HOSTCALL_clock_gettime);
}

static void test_everything_comes_back(void **state)
{
    struct superblock *sb = open_good(0, NULL);
    struct walk_result w;
    struct sealed_stats st;
    struct kstatfs fs;
    const uint64_t before = exits();

    sealed_walk(&g_image, sb, &w);
    assert_int_equal(w.errors, 0);
    assert_int_equal(w.files, g_image.tree.live_entries);
    assert_true(w.good_bytes > SMALL);
    /* no exit for any of this, and every block opened once */
    assert_int_equal(exits(), before);
    sealed_stats(sb, &st);
    assert_int_equal(st.opened, g_image.blocks);
    assert_int_equal(st.faults, 0);
    /* what streamed by is opened once more, and then it stays */
    assert_in_range(st.passed, 1, SMALL / 4096 + 1);
    for (uint64_t opened = st.opened + st.passed, i = 0; i < 2; i++) {
        sealed_walk(&g_image, sb, &w);
        assert_int_equal(w.errors, 0);
        sealed_stats(sb, &st);
        assert_int_equal(st.opened, opened);
    }
    assert_int_equal(sb->ops->statfs(sb, &fs), 0);
    assert_int_equal(fs.magic, 0xe0f5e1e2);
    assert_int_equal(fs.blocks, g_image.blocks);
    super_free(sb);
}

static void test_names_of_one_file_are_one_inode(void **state)
{
    struct superblock *sb = open_good(0, NULL);
    struct inode *a = sealed_find(sb, "etc/passwd");
    struct inode *b = sealed_find(sb, "second-name");

    assert_ptr_equal(a, b);
    assert_int_equal(a->nlink, 2);
    assert_null(sealed_find(sb, "etc/passwd "));
    assert_null(sealed_find(sb, "etc/passwd/x"));
    inode_put(a);
    inode_put(b);
    super_free(sb);
}

static void test_xattrs(void **state)
{
    struct superblock *sb = open_good(0, NULL);
    struct inode *i = sealed_find(sb, "etc/passwd");
    char buf[64];

    assert_int_equal(i->ops->getxattr(i, "user.colour", NULL, 0), 4);
    assert_int_equal(i->ops->getxattr(i, "user.colour", buf, 3), -ERANGE);
    assert_int_equal(i->ops->getxattr(i, "user.colour", buf, sizeof(buf)), 4);
    assert_memory_equal(buf, "blue", 4);
    assert_int_equal(i->ops->getxattr(i, "user.none", buf, sizeof(buf)), -ENODATA);
    assert_int_equal(i->ops->listxattr(i, NULL, 0),
                     sizeof("user.colour") + sizeof("trusted.hidden"));
    assert_int_equal(i->ops->listxattr(i, buf, 5), -ERANGE);
    fake_set_ids(1000, 1000);
    assert_int_equal(i->ops->listxattr(i, buf, sizeof(buf)), sizeof("user.colour"));
    assert_string_equal(buf, "user.colour");
    fake_set_ids(0, 0);
    inode_put(i);
    super_free(sb);
}

/* One byte changed at a time, in every block of the file, at a place that differs from block to
 * block: opening fails, or what was changed is EIO and everything else is right. */
static void test_a_changed_byte_anywhere_is_an_error(void **state)
{
    const size_t blocks = g_image.size / SEALED_BLOCK_SIZE;
    const struct walk_result clean = {0};

    for (size_t b = 0; b < blocks; b++) {
        const size_t at = b * SEALED_BLOCK_SIZE + b * 2654435761u % SEALED_BLOCK_SIZE;
        struct walk_result w = clean;
        struct sealed_stats st;
        struct superblock *sb;
        int r;

        g_image.data[at] ^= (uint8_t)(1u << b % 8);
        r = sealed_image_open(&g_image, g_image.size, g_image.key, g_image.root, 0, NULL, &sb);
        if (r == 0) {
            sealed_walk(&g_image, sb, &w);
            sealed_stats(sb, &st);
            if (w.errors == 0 || st.faults == 0) {
                fail_msg("byte %zu was changed and nothing noticed", at);
            }
            super_free(sb);
        } else {
            assert_true(r == -EBADMSG || r == -EKEYREJECTED || r == -EPROTONOSUPPORT || r == -EIO);
        }
        g_image.data[at] ^= (uint8_t)(1u << b % 8);
    }
}

static void test_every_byte_of_the_superblock_counts(void **state)
{
    for (size_t at = 0; at < SEALED_BLOCK_SIZE; at += at < 160 ? 1 : 97) {
        struct superblock *sb;

        g_image.data[at] ^= 0x10;
        assert_true(sealed_image_open(&g_image, g_image.size, g_image.key, NULL, 0, NULL, &sb) < 0);
        g_image.data[at] ^= 0x10;
    }
}

static void test_truncated_and_extended_files_are_refused(void **state)
{
    static const size_t cuts[] = {0, 1, 4095, 4096, 4097, 8192};
    uint8_t *more = calloc(1, g_image.size + 4096);
    uint8_t *kept = g_image.data;
    struct superblock *sb;

    for (size_t i = 0; i < ARRAY_COUNT(cuts); i++) {
        assert_int_equal(
            sealed_image_open(&g_image, cuts[i], g_image.key, g_image.root, 0, NULL, &sb),
            -EBADMSG);
        assert_int_equal(sealed_image_open(&g_image, g_image.size - 1 - cuts[i] % g_image.size,
                                           g_image.key, g_image.root, 0, NULL, &sb),
                         -EBADMSG);
    }
    assert_non_null(more);
    memcpy(more, g_image.data, g_image.size);
    g_image.data = more;
    assert_int_equal(
        sealed_image_open(&g_image, g_image.size + 4096, g_image.key, g_image.root, 0, NULL, &sb),
        -EBADMSG);
    g_image.data = kept;
    free(more);
}

static void test_wrong_key_wrong_root_and_another_image_are_refused(void **state)
{
    struct sealed_image other;
    uint8_t wrong[32];
    struct superblock *sb;

    memcpy(wrong, g_image.key, sizeof(wrong));
    wrong[31] ^= 1;
    assert_int_equal(sealed_image_open(&g_image, g_image.size, wrong, g_image.root, 0, NULL, &sb),
                     -EKEYREJECTED);
    memcpy(wrong, g_image.root, sizeof(wrong));
    wrong[0] ^= 0x80;
    assert_int_equal(sealed_image_open(&g_image, g_image.size, g_image.key, wrong, 0, NULL, &sb),
                     -EKEYREJECTED);
    /* another image of the same key: only the root tells */
    sealed_image_make(&other, SMALL - 5000, 1);
    assert_int_equal(sealed_image_open(&other, other.size, g_image.key, NULL, 0, NULL, &sb), 0);
    super_free(sb);
    assert_int_equal(sealed_image_open(&other, other.size, g_image.key, g_image.root, 0, NULL, &sb),
                     -EKEYREJECTED);
    sealed_image_done(&other);
    sealed_image_make(&other, SMALL, 2);
    assert_int_equal(sealed_image_open(&other, other.size, g_image.key, g_image.root, 0, NULL, &sb),
                     -EKEYREJECTED);
    sealed_image_done(&other);
}

/* Two blocks, or two tag pages, change places: each is authentic, but not there. */
static void test_blocks_that_change_places_are_refused(void **state)
{
    const size_t a = g_image.size / 4096 / 3 * 4096;
    uint8_t kept[2 * 4096];
    struct superblock *sb;
    struct walk_result w;

    memcpy(kept, g_image.data + a, sizeof(kept));
    memcpy(g_image.data + a, kept + 4096, 4096);
    memcpy(g_image.data + a + 4096, kept, 4096);
    assert_int_equal(
        sealed_image_open(&g_image, g_image.size, g_image.key, g_image.root, 0, NULL, &sb), 0);
    sealed_walk(&g_image, sb, &w);
    assert_true(w.errors >= 2);
    super_free(sb);
    memcpy(g_image.data + a, kept, sizeof(kept));
}

/* As one read call of the whole file; what it returned. */
static int64_t read_at(struct inode *inode, uint8_t *dst, size_t size, uint64_t offset)
{
    struct iter it;

    iter_init_kernel(&it, dst, size);
    return inode->ops->read(inode, &it, offset);
}

static void overwrite(int fd)
{
    uint8_t junk[4096];

    memset(junk, 0x77, sizeof(junk));
    for (size_t at = 4096; at + 4096 <= g_image.size; at += 4096) {
        assert_int_equal(pwrite(fd, junk, sizeof(junk), (off_t)at), sizeof(junk));
    }
}

static void test_what_was_kept_stays_when_the_file_changes(void **state)
{
    int fd = -1;
    struct superblock *sb = open_good(0, &fd);
    struct inode *big = sealed_find(sb, "big");
    static uint8_t got[64 * 4096];
    static uint8_t want[64 * 4096];
    struct walk_result w;

    assert_int_equal(read_at(big, want, sizeof(want), 0), sizeof(want));
    assert_int_equal(read_at(big, got, sizeof(got), 0), sizeof(got)); /* the second time stays */
    overwrite(fd);
    memset(got, 0, sizeof(got));
    assert_int_equal(read_at(big, got, sizeof(got), 0), sizeof(got));
    assert_memory_equal(got, want, sizeof(got));
    sealed_walk(&g_image, sb, &w);
    assert_true(w.errors > 0);
    inode_put(big);
    super_free(sb);
    close(fd);
}

static void test_what_passed_by_is_an_error_when_the_file_changes(void **state)
{
    int fd = -1;
    struct superblock *sb = open_good(0, &fd);
    struct inode *big = sealed_find(sb, "big");
    static uint8_t got[64 * 4096];
    static const uint8_t nothing[sizeof(got)];

    assert_int_equal(read_at(big, got, sizeof(got), 0), sizeof(got));
    overwrite(fd);
    memset(got, 0, sizeof(got));
    assert_int_equal(read_at(big, got, sizeof(got), 0), -EIO);
    assert_memory_equal(got, nothing, sizeof(got));
    inode_put(big);
    super_free(sb);
    close(fd);
}

/* ---- a file that streams by ---- */

static uint8_t g_want[SMALL];
static uint8_t g_got[SMALL];

static const struct img_inode *big_file(void)
{
    const struct img_inode *i = NULL;

    for (uint32_t e = IMG_ROOT; e != IMG_NONE; e = img_tree_next(&g_image.tree, e)) {
        const struct img_inode *at = img_inode_of(&g_image.tree, e);

        i = at->size == SMALL && img_is_reg(at) ? at : i;
    }
    return i;
}

/* The whole file, `chunk` bytes a call, starting over behind a block that cannot be had: how many
 * of those there were. Nothing but the file's own bytes is ever put out. */
static uint64_t stream(struct inode *big, size_t chunk)
{
    uint64_t errors = 0;

    file_pattern(&g_image.tree, big_file(), 0, g_want, SMALL);
    for (size_t at = 0; at < SMALL;) {
        int64_t n;

        memset(g_got, 0xee, chunk);
        n = read_at(big, g_got, MIN(chunk, SMALL - at), at);
        if (n < 0) {
            assert_int_equal(n, -EIO);
            assert_int_equal(g_got[0], 0xee);
            errors++;
            at += 4096 - at % 4096;
            continue;
        }
        assert_in_range(n, 1, MIN(chunk, SMALL - at));
        assert_memory_equal(g_got, g_want + at, n);
        for (size_t i = (size_t)n; i < chunk; i++) {
            assert_int_equal(g_got[i], 0xee);
        }
        at += (size_t)n;
    }
    return errors;
}

static void test_a_stream_needs_no_memory_until_it_comes_again(void **state)
{
    static const size_t chunks[] = {128 << 10, SMALL, 4096, 1000};

    for (size_t i = 0; i < ARRAY_COUNT(chunks); i++) {
        struct superblock *sb = open_good(8 << 20, NULL);
        struct inode *big = sealed_find(sb, "big");
        struct sealed_stats first, second, third;

        assert_int_equal(stream(big, chunks[i]), 0);
        sealed_stats(sb, &first);
        assert_in_range(first.bytes, 1, 256 << 10);
        assert_in_range(first.passed, SMALL / 4096 - 64, SMALL / 4096 + 1);
        assert_int_equal(stream(big, chunks[i]), 0);
        sealed_stats(sb, &second);
        assert_int_equal(second.passed, first.passed);
        assert_int_equal(second.opened, first.opened + first.passed);
        assert_int_equal(stream(big, chunks[i]), 0);
        sealed_stats(sb, &third);
        assert_int_equal(third.opened, second.opened);
        assert_int_equal(third.faults + third.evicted, 0);
        inode_put(big);
        super_free(sb);
    }
}

/* Small pieces here and there stay at once, as do the blocks names and inodes are in. */
static void test_what_is_no_stream_stays_at_once(void **state)
{
    struct superblock *sb = open_good(0, NULL);
    struct inode *big = sealed_find(sb, "big");
    struct sealed_stats before, after;

    for (size_t at = 0; at + 31 * 4096 < SMALL; at += 40 * 4096) {
        assert_int_equal(read_at(big, g_got, 31 * 4096, at), 31 * 4096);
    }
    sealed_stats(sb, &before);
    assert_int_equal(before.passed, 0);
    for (size_t at = 0; at + 31 * 4096 < SMALL; at += 40 * 4096) {
        assert_int_equal(read_at(big, g_got, 31 * 4096, at), 31 * 4096);
    }
    sealed_stats(sb, &after);
    assert_int_equal(after.opened, before.opened);
    inode_put(big);
    super_free(sb);
}

/* One bit of one block at a time: that block is an error whatever the size of the reads, the others
 * are as they should be, and so is all of it when the bit is back. */
static void test_a_changed_block_in_a_stream_is_an_error(void **state)
{
    static const size_t chunks[] = {128 << 10, SMALL, 4096};
    uint64_t found = 0;

    for (size_t b = 1; b <= g_image.blocks; b++) {
        uint8_t *at = &g_image.data[b * 4096 + b * 2654435761u % 4096];
        struct superblock *sb = NULL;
        struct inode *big;
        int fd = -1;

        *at ^= (uint8_t)(1u << b % 8);
        if (sealed_image_open(&g_image, g_image.size, g_image.key, g_image.root, 0, &fd, &sb) ==
            0) {
            struct sealed_stats st;
            uint64_t errors;

            big = sealed_find(sb, "big");
            errors = big == NULL ? 0 : stream(big, chunks[b % ARRAY_COUNT(chunks)]);
            sealed_stats(sb, &st);
            assert_int_equal(errors > 0, big != NULL && st.faults > 0);
            found += errors;
            *at ^= (uint8_t)(1u << b % 8);
            assert_int_equal(pwrite(fd, at, 1, at - g_image.data), 1);
            if (big != NULL) {
                assert_int_equal(stream(big, chunks[b % ARRAY_COUNT(chunks)]), 0);
                inode_put(big);
            }
            super_free(sb);
            close(fd);
        } else {
            *at ^= (uint8_t)(1u << b % 8);
        }
    }
    assert_int_equal(found, SMALL / 4096); /* the tail lies beside the inode, which is not found */
}

/* The host changes what one copy finds, and only that one: no more than a block is lost, and it is
 * there when it is asked for again. A hint that is lied to changes nothing. */
static void test_a_host_that_changes_a_block_during_the_read(void **state)
{
    uint64_t lost = 0;

    for (uint64_t n = 1; n < 340; n += n < 80 ? 1 : 5) {
        struct superblock *sb = open_good(0, NULL);
        struct inode *big = sealed_find(sb, "big");

        fake_sealed_change_at(n);
        lost += stream(big, n % 2 == 0 ? SMALL : 128 << 10);
        fake_sealed_change_at(0);
        assert_int_equal(stream(big, 128 << 10), 0);
        inode_put(big);
        super_free(sb);
    }
    assert_true(lost > 0);
}

/* The file ends in the middle of a stream: what was copied before is good, nothing after it is. */
static void test_a_file_cut_during_a_stream(void **state)
{
    for (uint64_t n = 1; n <= SMALL / 4096; n += n < 80 ? 1 : 13) {
        struct superblock *sb = open_good(0, NULL);
        struct inode *big = sealed_find(sb, "big");

        fake_sealed_cut_at(n);
        assert_true(stream(big, n % 2 == 0 ? SMALL : 128 << 10) > 0);
        fake_sealed_cut_at(0);
        assert_int_equal(stream(big, 128 << 10), 0);
        inode_put(big);
        super_free(sb);
    }
}

/* The host cuts the file under its mapping: a fault in the copy at any moment. */
static void test_a_file_cut_under_the_mapping_is_an_error(void **state)
{
    for (uint64_t n = 1; n < 60; n += n < 12 ? 1 : 7) {
        struct superblock *sb;
        struct walk_result w;

        fake_sealed_cut_at(n);
        if (sealed_image_open(&g_image, g_image.size, g_image.key, g_image.root, 0, NULL, &sb) ==
            0) {
            sealed_walk(&g_image, sb, &w);
            assert_true(w.errors > 0);
            fake_sealed_cut_at(0); /* and nothing half-copied stayed behind */
            sealed_walk(&g_image, sb, &w);
            assert_int_equal(w.errors, 0);
            super_free(sb);
        }
    }
}

static void test_the_cache_is_bounded(void **state)
{
    struct sealed_image large;
    struct superblock *sb;
    struct sealed_stats st;
    struct walk_result w;

    sealed_image_make(&large, 6u << 20, 3);
    assert_int_equal(sealed_image_open(&large, large.size, large.key, large.root, 1, NULL, &sb), 0);
    for (int i = 0; i < 2; i++) {
        sealed_walk(&large, sb, &w);
        assert_int_equal(w.errors, 0);
        assert_int_equal(w.files, large.tree.live_entries);
    }
    sealed_stats(sb, &st);
    assert_int_equal(st.bytes, 1u << 20);
    assert_true(st.evicted > large.blocks / 2);
    super_free(sb);
    sealed_image_done(&large);
}

static void test_failing_allocations(void **state)
{
    uint64_t n = 1;
    bool clean = false;

    for (; !clean && n < 100000; n += n < 60 ? 1 : 31) {
        struct superblock *sb = NULL;
        struct walk_result w = {0};
        int r;

        fake_alloc_fail_at(n);
        r = sealed_image_open(&g_image, g_image.size, g_image.key, g_image.root, 0, NULL, &sb);
        if (r == 0) {
            sealed_walk(&g_image, sb, &w);
            clean = w.no_memory == 0 && fake_alloc_count() < n;
            assert_int_equal(w.errors, 0);
            fake_alloc_fail_at(0);
            super_free(sb);
        } else {
            assert_int_equal(r, -ENOMEM);
        }
    }
    fake_alloc_fail_at(0);
    assert_true(n > 20);
}

/* ---- several threads ---- */

struct reader {
    pthread_t thread;
    struct inode *inode;
    uint32_t seed;
    uint64_t wrong;
};

static void *read_at_random(void *arg)
{
    struct reader *r = arg;
    const struct img_inode *i = big_file();
    uint8_t got[9000];
    uint8_t want[9000];

    fake_thread_begin((int)r->seed + 10);
    for (int n = 0; n < 3000; n++) {
        struct iter it;
        uint64_t offset;
        int64_t size;

        r->seed = r->seed * 1103515245u + 12345;
        offset = r->seed % SMALL;
        iter_init_kernel(&it, got, sizeof(got));
        size = r->inode->ops->read(r->inode, &it, offset);
        file_pattern(&g_image.tree, i, offset, want, size > 0 ? (size_t)size : 0);
        if (size != (int64_t)MIN(sizeof(got), SMALL - offset) ||
            memcmp(got, want, (size_t)size) != 0) {
            r->wrong++;
        }
    }
    fake_thread_end();
    return NULL;
}

/* From end to end, each at a pace of its own, so that they meet blocks another one is about to let
 * go. */
static void *read_through(void *arg)
{
    struct reader *r = arg;
    const size_t chunk = (size_t)r->seed * 40960;
    uint8_t *got = malloc(2 * SMALL);
    uint8_t *want = got + SMALL;

    assert_non_null(got);
    fake_thread_begin((int)r->seed + 10);
    file_pattern(&g_image.tree, big_file(), 0, want, SMALL);
    for (int n = 0; n < 60; n++) {
        for (size_t at = 0; at < SMALL;) {
            const int64_t size = read_at(r->inode, got, MIN(chunk, SMALL - at), at);

            r->wrong += size <= 0 || memcmp(got, want + at, (size_t)size) != 0 ? 1 : 0;
            at += size <= 0 ? 4096 : (size_t)size;
        }
    }
    fake_thread_end();
    free(got);
    return NULL;
}

static void share_a_small_cache(void *(*work)(void *))
{
    struct superblock *sb = open_good(1, NULL);
    struct sealed_stats st;
    struct reader r[4];

    for (uint32_t i = 0; i < ARRAY_COUNT(r); i++) {
        r[i] = (struct reader){.inode = sealed_find(sb, "big"), .seed = i + 1};
        assert_int_equal(pthread_create(&r[i].thread, NULL, work, &r[i]), 0);
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(r); i++) {
        assert_int_equal(pthread_join(r[i].thread, NULL), 0);
        assert_int_equal(r[i].wrong, 0);
        inode_put(r[i].inode);
    }
    sealed_stats(sb, &st);
    assert_int_equal(st.bytes, 1u << 20);
    assert_int_equal(st.faults, 0);
    super_free(sb);
}

static void test_threads_share_a_small_cache(void **state)
{
    share_a_small_cache(read_at_random);
}

static void test_threads_stream_the_same_file(void **state)
{
    share_a_small_cache(read_through);
}

/* ---- by system call, under the overlay ---- */

static void test_the_overlay_above_it(void **state)
{
    struct superblock *sb = open_good(0, NULL);
    struct superblock *over = NULL;
    struct stat st;
    char buf[64];
    int fd;

    assert_int_equal(overlay_create(sb, &over), 0);
    assert_int_equal(SYS(mkdir, "/s", 0755), 0);
    assert_int_equal(mount_add("/s", over, 0, "overlay"), 0);
    fd = (int)SYS(open, "/s/etc/link", O_RDWR, 0);
    assert_true(fd >= 0);
    assert_int_equal(SYS(pwrite64, fd, "root", 4, 0), 4);
    assert_int_equal(SYS(pread64, fd, buf, 4, 0), 4);
    assert_memory_equal(buf, "root", 4);
    assert_int_equal(SYS(close, fd), 0);
    /* the second name sees the change; the image does not */
    fd = (int)SYS(open, "/s/second-name", O_RDONLY, 0);
    assert_int_equal(SYS(fstat, fd, &st), 0);
    assert_int_equal(st.st_nlink, 2);
    assert_int_equal(st.st_size, 1234);
    assert_int_equal(SYS(read, fd, buf, 4), 4);
    assert_memory_equal(buf, "root", 4);
    assert_int_equal(SYS(close, fd), 0);
    assert_int_equal(SYS(unlink, "/s/many/entry-00007"), 0);
    assert_int_equal(SYS(open, "/s/many/entry-00007", O_RDONLY, 0), -ENOENT);
    assert_int_equal(SYS(rename, "/s/big", "/s/etc/big"), 0);
    assert_int_equal(SYS(stat, "/s/etc/big", &st), 0);
    assert_int_equal(st.st_size, SMALL);
    assert_int_equal(SYS(getxattr, "/s/etc/passwd", "user.colour", buf, sizeof(buf)), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everything_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_of_one_file_are_one_inode, setup, teardown),
        cmocka_unit_test_setup_teardown(test_xattrs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_changed_byte_anywhere_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_byte_of_the_superblock_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncated_and_extended_files_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_wrong_key_wrong_root_and_another_image_are_refused,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_blocks_that_change_places_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_was_kept_stays_when_the_file_changes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_passed_by_is_an_error_when_the_file_changes,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_stream_needs_no_memory_until_it_comes_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_stream_stays_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_changed_block_in_a_stream_is_an_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_host_that_changes_a_block_during_the_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_file_cut_during_a_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads_stream_the_same_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_cut_under_the_mapping_is_an_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_cache_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failing_allocations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads_share_a_small_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_overlay_above_it, setup, teardown),
    };

    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
