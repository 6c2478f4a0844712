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
#include "image/layer_stream.h"

#define PLAIN_SIZE 3000000u

static uint8_t *g_plain;

static int setup(void **state)
{
    g_plain = malloc(PLAIN_SIZE);
    for (uint32_t i = 0; g_plain != NULL && i < PLAIN_SIZE; i++) {
        g_plain[i] = (uint8_t)(i / 3 ^ i / 1009);
    }
    return g_plain == NULL;
}

static int teardown(void **state)
{
    free(g_plain);
    return 0;
}

struct blob {
    uint8_t *data;
    size_t size;
};

static void blob_done(struct blob *b)
{
    free(b->data);
}

static struct blob gzip(const uint8_t *data, size_t size)
{
    struct isal_zstream z;
    struct blob b = {.data = malloc(size + 4096)};

    assert_non_null(b.data);
    isal_deflate_stateless_init(&z);
    z.gzip_flag = IGZIP_GZIP;
    z.end_of_stream = 1;
    memcpy(&z.next_in, &data, sizeof(data));
    z.avail_in = (uint32_t)size;
    z.next_out = b.data;
    z.avail_out = (uint32_t)size + 4096;
    assert_int_equal(isal_deflate_stateless(&z), COMP_OK);
    b.size = z.total_out;
    return b;
}

static struct blob zstd(const uint8_t *data, size_t size)
{
    struct blob b = {.data = malloc(ZSTD_compressBound(size))};

    assert_non_null(b.data);
    b.size = ZSTD_compress(b.data, ZSTD_compressBound(size), data, size, 1);
    assert_false(ZSTD_isError(b.size));
    return b;
}

static void append(struct blob *b, const void *data, size_t size)
{
    b->data = realloc(b->data, b->size + size);
    assert_non_null(b->data);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

/* Reads a blob whole through a stream. Returns bytes, or the failure. */
static int64_t read_all(const struct blob *b, struct img_layer *layer, uint64_t allowed,
                        struct error **err)
{
    _cleanup_close_ int fd = memfd_create("blob", MFD_CLOEXEC);
    _cleanup_layer_stream_ struct layer_stream *s = NULL;
    const struct img_progress silent = {0};
    struct img_budget budget = {.left = allowed, .ratio_free = UINT64_MAX};
    const uint8_t *p;
    size_t n = 1;
    size_t total = 0;
    int r;

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, b->data, b->size, 100), b->size);
    layer->region = (struct img_region){.fd = fd, .offset = 100, .size = b->size};
    (void)snprintf(layer->name, sizeof(layer->name), "layer");
    r = layer_stream_open(layer, &budget, &silent, true, &s, err);
    while (r == 0 && n > 0) {
        r = layer_stream_read(s, &p, &n, err);
        if (r == 0) {
            assert_true(total + n <= 2 * PLAIN_SIZE);
            for (size_t at = 0; at < n;) { /* the plain bytes, over and over */
                const size_t take = MIN(n - at, PLAIN_SIZE - (total + at) % PLAIN_SIZE);

                assert_memory_equal(p + at, g_plain + (total + at) % PLAIN_SIZE, take);
                at += take;
            }
            total += n;
        }
    }
    r = r == 0 ? layer_stream_finish(s, err) : r;
    return r < 0 ? r : (int64_t)total;
}

static void pin(struct img_layer *layer, const struct blob *b, const uint8_t *plain, size_t size)
{
    *layer = (struct img_layer){.has_digest = true, .has_diff_id = true};
    sha256(b->data, b->size, layer->digest);
    sha256(plain, size, layer->diff_id);
}

static void test_layer_stream_every_packing_reads_and_checks(void **state)
{
    struct blob blobs[3] = {gzip(g_plain, PLAIN_SIZE), zstd(g_plain, PLAIN_SIZE)};

    append(&blobs[2], g_plain, PLAIN_SIZE);
    for (int i = 0; i < 3; i++) {
        _cleanup_error_ struct error *err = NULL;
        struct img_layer layer;

        pin(&layer, &blobs[i], g_plain, PLAIN_SIZE);
        assert_int_equal(read_all(&blobs[i], &layer, PLAIN_SIZE, &err), PLAIN_SIZE);
        assert_int_equal(read_all(&blobs[i], &layer, PLAIN_SIZE - 1, &err), -EFBIG);
        layer.digest[31] ^= 1;
        assert_int_equal(read_all(&blobs[i], &layer, PLAIN_SIZE, &err), -EBADMSG);
        assert_non_null(strstr(error_text(err), "the blob is sha256:"));
        layer.digest[31] ^= 1;
        layer.diff_id[0] ^= 1;
        assert_int_equal(read_all(&blobs[i], &layer, PLAIN_SIZE, &err), -EBADMSG);
        assert_non_null(strstr(error_text(err), "the unpacked layer is sha256:"));
    }
    for (int i = 0; i < 3; i++) {
        blob_done(&blobs[i]);
    }
}

static void test_layer_stream_members_and_frames_are_joined(void **state)
{
    struct img_layer layer = {0};
    __attribute__((cleanup(blob_done))) struct blob g = gzip(g_plain, 1000);
    __attribute__((cleanup(blob_done))) struct blob g2 = gzip(g_plain + 1000, PLAIN_SIZE - 1000);
    __attribute__((cleanup(blob_done))) struct blob z = zstd(g_plain, 1000);
    __attribute__((cleanup(blob_done))) struct blob z2 = zstd(g_plain + 1000, PLAIN_SIZE - 1000);
    _cleanup_error_ struct error *err = NULL;

    append(&g, g2.data, g2.size);
    assert_int_equal(read_all(&g, &layer, 1u << 30, NULL), PLAIN_SIZE);
    append(&g, (uint8_t[5000]){0}, 5000); /* padding, as some tools leave */
    assert_int_equal(read_all(&g, &layer, 1u << 30, NULL), PLAIN_SIZE);
    append(&g, "x", 1);
    assert_int_equal(read_all(&g, &layer, 1u << 30, &err), -EBADMSG);
    assert_non_null(strstr(error_text(err), "behind the gzip stream"));
    append(&z, "\x50\x2a\x4d\x18\x03\0\0\0abc", 11); /* a skippable frame, as zstd:chunked has */
    append(&z, z2.data, z2.size);
    assert_int_equal(read_all(&z, &layer, 1u << 30, NULL), PLAIN_SIZE);
}

static void test_layer_stream_cut_or_changed_data_is_refused(void **state)
{
    for (int packing = 0; packing < 2; packing++) {
        __attribute__((cleanup(blob_done))) struct blob b =
            packing == 0 ? gzip(g_plain, 100000) : zstd(g_plain, 100000);
        struct img_layer layer;
        const size_t size = b.size;

        pin(&layer, &b, g_plain, 100000);
        for (size_t i = 4; i < size; i += 1 + size / 60) {
            b.size = i; /* too short; the digest would tell as well, but this comes first */
            assert_int_equal(read_all(&b, &layer, 1u << 30, NULL), -EBADMSG);
            b.size = size;
        }
        assert_int_equal(read_all(&b, &layer, 1u << 30, NULL), 100000);
    }
}

/* The caller may lose interest while the producer waits for a free buffer. */
static void test_layer_stream_closing_early_ends_the_thread(void **state)
{
    _cleanup_close_ int fd = memfd_create("blob", MFD_CLOEXEC);
    const struct img_progress silent = {0};

    assert_int_equal(ftruncate(fd, 64 << 20), 0);
    for (int i = 0; i < 50; i++) {
        const struct img_layer layer = {.region = {.fd = fd, .size = 64 << 20}, .name = "layer"};
        struct layer_stream *s;
        struct img_budget budget = img_budget_make(0);
        const uint8_t *p;
        size_t n;

        assert_int_equal(layer_stream_open(&layer, &budget, &silent, true, &s, NULL), 0);
        for (int k = 0; k < i % 4; k++) {
            assert_int_equal(layer_stream_read(s, &p, &n, NULL), 0);
            assert_true(n > 0);
        }
        s = layer_stream_free(s);
    }
}

static void test_layer_stream_bombs_are_refused(void **state)
{
    __attribute__((cleanup(blob_done))) struct blob b = {.data = calloc(1, 1u << 20)};
    __attribute__((cleanup(blob_done))) struct blob frame = {0};
    _cleanup_error_ struct error *err = NULL;
    _cleanup_close_ int fd = memfd_create("blob", MFD_CLOEXEC);
    _cleanup_layer_stream_ struct layer_stream *s = NULL;
    const struct img_progress silent = {0};
    struct img_layer layer = {.name = "layer"};
    struct img_budget budget = {.left = UINT64_MAX, .ratio_free = 1u << 30};
    const uint8_t *p;
    size_t n;
    int r;

    /* zstd packs zeros more than a thousandfold: 1.5 GiB in frames of 64 MiB. */
    frame.data = malloc(ZSTD_compressBound(64u << 20));
    b.data = realloc(b.data, 64u << 20);
    assert_non_null(b.data);
    memset(b.data, 0, 64u << 20);
    frame.size = ZSTD_compress(frame.data, ZSTD_compressBound(64u << 20), b.data, 64u << 20, 1);
    for (int i = 0; i < 24; i++) {
        assert_int_equal(pwrite(fd, frame.data, frame.size, (off_t)(frame.size * (size_t)i)),
                         frame.size);
    }
    layer.region = (struct img_region){.fd = fd, .size = 24 * frame.size};
    assert_int_equal(layer_stream_open(&layer, &budget, &silent, true, &s, NULL), 0);
    do {
        r = layer_stream_read(s, &p, &n, &err);
    } while (r == 0 && n > 0);
    assert_int_equal(r, -EFBIG);
    assert_non_null(strstr(error_text(err), "refused as a bomb"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layer_stream_every_packing_reads_and_checks),
        cmocka_unit_test(test_layer_stream_members_and_frames_are_joined),
        cmocka_unit_test(test_layer_stream_cut_or_changed_data_is_refused),
        cmocka_unit_test(test_layer_stream_closing_early_ends_the_thread),
        cmocka_unit_test(test_layer_stream_bombs_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
