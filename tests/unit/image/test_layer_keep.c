/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "base/alloc.h"
#include "image/layer_keep.h"
#include "image/layer_stream.h"

/* Three times what the smallest keep holds, and hardly to be packed. */
#define PLAIN_SIZE (24u << 20)
#define KEEP_SMALL ((uint64_t)8 << 20)

enum packing { PLAIN, GZIP, ZSTD, PACKINGS };

static uint8_t *g_plain;
static uint8_t *g_packed[PACKINGS];
static size_t g_packed_size[PACKINGS];

static int setup(void **state)
{
    uint64_t x = 88172645463325252ull;

    g_plain = malloc(PLAIN_SIZE);
    for (uint32_t i = 0; g_plain != NULL && i < PLAIN_SIZE; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        g_plain[i] = (uint8_t)(x & 0x3f);
    }
    return g_plain == NULL;
}

static int teardown(void **state)
{
    free(g_plain);
    for (int i = 0; i < PACKINGS; i++) {
        free(g_packed[i]);
    }
    return 0;
}

static uint8_t *pack(enum packing packing, size_t *ret_size)
{
    const size_t cap = ZSTD_compressBound(PLAIN_SIZE) + 65536;
    uint8_t *p = malloc(cap);

    assert_non_null(p);
    if (packing == GZIP) {
        struct isal_zstream z;

        isal_deflate_stateless_init(&z);
        z.gzip_flag = IGZIP_GZIP;
        z.end_of_stream = 1;
        z.next_in = g_plain;
        z.avail_in = PLAIN_SIZE;
        z.next_out = p;
        z.avail_out = (uint32_t)cap;
        assert_int_equal(isal_deflate_stateless(&z), COMP_OK);
        *ret_size = z.total_out;
    } else if (packing == ZSTD) {
        *ret_size = ZSTD_compress(p, cap, g_plain, PLAIN_SIZE, 1);
        assert_false(ZSTD_isError(*ret_size));
    } else {
        memcpy(p, g_plain, PLAIN_SIZE);
        *ret_size = PLAIN_SIZE;
    }
    return p;
}

struct fixture {
    int fd;
    size_t size;
    struct img_layer layer;
    struct layer_keep *keep;
};

static void begin(struct fixture *f, enum packing packing, uint64_t keep_max, bool with_digest)
{
    if (g_packed[packing] == NULL) {
        g_packed[packing] = pack(packing, &g_packed_size[packing]);
    }
    f->size = g_packed_size[packing];
    f->fd = memfd_create("blob", MFD_CLOEXEC);
    assert_true(f->fd >= 0);
    assert_int_equal(pwrite(f->fd, g_packed[packing], f->size, 0), f->size);
    f->layer = (struct img_layer){.region = {.fd = f->fd, .size = f->size},
                                  .has_digest = with_digest,
                                  .has_diff_id = true,
                                  .name = "layer"};
    sha256(g_packed[packing], f->size, f->layer.digest);
    sha256(g_plain, PLAIN_SIZE, f->layer.diff_id);
    assert_int_equal(layer_keep_new(keep_max, 1, &f->keep, NULL), 0);
}

static void end(struct fixture *f)
{
    f->keep = layer_keep_free(f->keep);
    (void)close(f->fd);
}

/* One reading; the tree is said to take `tree` bytes when half of it is done. */
static int read_whole(struct fixture *f, bool second, uint64_t tree, uint64_t *ret_reported)
{
    _cleanup_layer_stream_ struct layer_stream *s = NULL;
    _cleanup_error_ struct error *err = NULL;
    const struct img_progress silent = {0};
    struct img_budget budget = img_budget_make(0);
    const uint8_t *p;
    size_t total = 0;
    size_t n = 1;
    int r = (second ? layer_stream_open_second
                    : layer_stream_open_first)(&f->layer, 1, f->keep, &budget, &silent, &s, &err);

    while (r == 0 && n > 0) {
        r = layer_stream_read(s, &p, &n, &err);
        if (r == 0) {
            assert_true(total + n <= PLAIN_SIZE);
            if (memcmp(p, g_plain + total, n) != 0) {
                r = -EUCLEAN; /* what a digest has to find at the end */
                break;
            }
            total += n;
            if (total > PLAIN_SIZE / 2) {
                r = layer_stream_tree(s, tree, &err);
            }
        }
    }
    if (r == -EUCLEAN) {
        const int late = layer_stream_finish(s, &err);

        r = late < 0 ? late : r;
    } else if (r == 0) {
        assert_int_equal(total, PLAIN_SIZE);
        r = layer_stream_finish(s, &err);
    }
    *ret_reported = img_budget_make(0).left - budget.left;
    return r;
}

static void test_layer_keep_what_is_kept_is_not_unpacked_again(void **state)
{
    for (int i = 0; i < PACKINGS; i++) {
        for (int with_digest = 0; with_digest < 2; with_digest++) {
            struct fixture f;
            uint64_t unpacked;

            begin(&f, (enum packing)i, 0, with_digest != 0); /* all of it fits */
            assert_int_equal(read_whole(&f, false, 0, &unpacked), 0);
            assert_int_equal(unpacked, PLAIN_SIZE);
            assert_int_equal(read_whole(&f, true, 0, &unpacked), 0);
            assert_int_equal(unpacked, 0);
            end(&f);
        }
    }
}

static void test_layer_keep_the_rest_goes_on_where_it_stood(void **state)
{
    for (int i = 0; i < PACKINGS; i++) {
        for (int with_digest = 0; with_digest < 2; with_digest++) {
            struct fixture f;
            uint64_t unpacked;

            begin(&f, (enum packing)i, KEEP_SMALL, with_digest != 0);
            assert_int_equal(read_whole(&f, false, 0, &unpacked), 0);
            assert_int_equal(read_whole(&f, true, 0, &unpacked), 0);
            if (i == ZSTD) { /* its decompressor cannot be copied */
                assert_int_equal(unpacked, PLAIN_SIZE);
            } else {
                assert_true(unpacked <= PLAIN_SIZE - KEEP_SMALL + (128u << 10));
                assert_true(unpacked >= PLAIN_SIZE - KEEP_SMALL);
            }
            end(&f);
        }
    }
}

enum change { CHANGE_BYTE, CHANGE_BACK, CHANGE_LENGTH, CHANGES };

static int read_changed(enum packing packing, bool with_digest, enum change change)
{
    struct fixture f;
    uint64_t unpacked;
    uint8_t byte;
    off_t at;
    int r;

    begin(&f, packing, KEEP_SMALL, with_digest);
    assert_int_equal(read_whole(&f, false, 0, &unpacked), 0);
    at = (off_t)f.size - 5000000;
    if (change == CHANGE_LENGTH) {
        assert_int_equal(ftruncate(f.fd, (off_t)f.size - 5000), 0);
    } else {
        for (int n = 0; n < (change == CHANGE_BACK ? 2 : 1); n++) {
            assert_int_equal(pread(f.fd, &byte, 1, at), 1);
            byte ^= 4;
            assert_int_equal(pwrite(f.fd, &byte, 1, at), 1);
        }
    }
    r = read_whole(&f, true, 0, &unpacked);
    end(&f);
    return r;
}

/* Between the readings the file changes: what was kept is what was checked; behind it the digest,
 * of the blob or of what is in it, tells. */
static void test_layer_keep_a_file_that_changes_in_between_is_found(void **state)
{
    for (int i = 0; i < PACKINGS; i++) {
        for (int with_digest = 0; with_digest < 2; with_digest++) {
            for (int c = 0; c < CHANGES; c++) {
                assert_int_equal(read_changed((enum packing)i, with_digest != 0, (enum change)c),
                                 c == CHANGE_BACK ? 0 : -EBADMSG);
            }
        }
    }
}

/* Its window counts, and what is kept makes way for it; names that leave it no room are refused. */
static void test_layer_keep_a_decompressor_that_needs_much_counts(void **state)
{
    _cleanup_layer_keep_ struct layer_keep *keep = NULL;
    _cleanup_error_ struct error *err = NULL;
    size_t cap;

    assert_int_equal(layer_keep_new(0, 1, &keep, NULL), 0);
    assert_non_null(layer_keep_room(keep, &cap));
    assert_int_equal(layer_keep_tree(keep, (uint64_t)60 << 20, &err), 0);
    assert_non_null(layer_keep_room(keep, &cap));
    layer_keep_unpacker(keep, (uint64_t)128 << 20);
    layer_keep_unpacker(keep, 0); /* it will be needed again */
    assert_null(layer_keep_room(keep, &cap));
    assert_false(layer_keep_over(keep)); /* nothing is kept yet */
    assert_int_equal(layer_keep_tree(keep, (uint64_t)90 << 20, &err), 0);
    assert_false(layer_keep_over(keep));
    assert_int_equal(layer_keep_tree(keep, ((uint64_t)90 << 20) + 1, &err), -EFBIG);
    assert_true(layer_keep_over(keep));
    assert_non_null(strstr(err->message, "names, links and attributes"));
}

static void test_layer_keep_nothing_unchecked_is_used(void **state)
{
    struct fixture f;
    uint64_t unpacked;

    begin(&f, GZIP, 0, /*with_digest=*/true);
    f.layer.diff_id[7] ^= 1;
    assert_int_equal(read_whole(&f, false, 0, &unpacked), -EBADMSG);
    assert_int_equal(read_whole(&f, true, 0, &unpacked), 0); /* checks the blob, as ever */
    assert_int_equal(unpacked, PLAIN_SIZE);
    end(&f);
}

static void test_layer_keep_makes_way_for_the_tree(void **state)
{
    const uint64_t sizes[] = {KEEP_SMALL, (uint64_t)16 << 20, 0}; /* 0: all fits but for the tree */

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct fixture f;
        uint64_t unpacked;
        size_t cap;

        begin(&f, GZIP, sizes[i], /*with_digest=*/true);
        assert_int_equal(read_whole(&f, false, LAYER_MEMORY_MAX, &unpacked), 0);
        assert_null(layer_keep_room(f.keep, &cap));
        assert_int_equal(layer_keep_layer(f.keep, 1)->count, 0);
        assert_int_equal(read_whole(&f, true, 0, &unpacked), 0);
        assert_int_equal(unpacked, PLAIN_SIZE);
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layer_keep_what_is_kept_is_not_unpacked_again),
        cmocka_unit_test(test_layer_keep_the_rest_goes_on_where_it_stood),
        cmocka_unit_test(test_layer_keep_a_file_that_changes_in_between_is_found),
        cmocka_unit_test(test_layer_keep_a_decompressor_that_needs_much_counts),
        cmocka_unit_test(test_layer_keep_nothing_unchecked_is_used),
        cmocka_unit_test(test_layer_keep_makes_way_for_the_tree),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
