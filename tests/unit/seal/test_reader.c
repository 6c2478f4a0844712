/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "image/seal_write.h"
#include "seal/seal.h"

/* A sealed file in memory, which can be told to fail or to change under the reader. */
struct memory_file {
    uint8_t *data;
    size_t size;
    uint64_t calls;
    uint64_t fail_at;      /* the n-th call fails; 0 never */
    uint64_t change_after; /* bytes read after this many calls are inverted; 0 never */
};

static const uint8_t key_a[32] = {0xaa, 1};
static const uint8_t key_b[32] = {0xbb, 2};
static const uint8_t salt[32] = {0x5a};

static char g_dir[] = "/tmp/nacre-test-seal-XXXXXX";

static int setup(void **state)
{
    return mkdtemp(g_dir) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    return rmdir(g_dir);
}

static int memory_read(void *ctx, uint64_t offset, void *dst, size_t size)
{
    struct memory_file *f = ctx;

    f->calls++;
    assert_true(offset + size <= f->size);
    if (f->calls == f->fail_at) {
        return -EIO;
    }
    memcpy(dst, f->data + offset, size);
    if (f->change_after != 0 && f->calls > f->change_after) {
        for (size_t i = 0; i < size; i++) {
            ((uint8_t *)dst)[i] ^= 0xff;
        }
    }
    return 0;
}

static void plain_block(uint64_t block, uint8_t seed, uint8_t dst[static 4096])
{
    for (size_t i = 0; i < 4096; i++) {
        dst[i] = (uint8_t)(block * 31 + i * 7 + i / 256 + seed);
    }
}

/* Seals `blocks` blocks and loads the file. */
static void make_image(uint64_t blocks, const uint8_t *key, uint8_t seed, struct memory_file *ret,
                       uint8_t root[static 32])
{
    _cleanup_seal_writer_ struct seal_writer *w = NULL;
    uint8_t plain[4096];
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/image", g_dir);
    assert_int_equal(seal_writer_new(path, blocks, key, salt, &w, NULL), 0);
    for (uint64_t i = blocks; i-- > 0;) { /* any order is allowed */
        plain_block(i, seed, plain);
        assert_int_equal(seal_writer_put(w, i, plain, 1, NULL), 0);
    }
    assert_int_equal(seal_writer_finish(w, root, NULL), 0);
    *ret = (struct memory_file){0};
    assert_int_equal(fs_read_file(path, 1u << 30, &ret->data, &ret->size, NULL), 0);
    assert_int_equal(unlink(path), 0);
}

/* Opens, verifies the tree, reads every block and compares. The first failure is returned. */
static int check_all(struct memory_file *f, const uint8_t *key, const uint8_t *root, uint8_t seed,
                     enum seal_fault *ret_fault)
{
    static struct seal_page pages[SEAL_PAGES_MIN];
    struct seal_reader r;
    int code;

    memset(pages, 0, sizeof(pages));
    code = seal_open(&r, memory_read, f, f->size, key, root, pages, SEAL_PAGES_MIN);
    if (code == 0) {
        code = seal_verify_tree(&r);
    }
    for (uint64_t i = 0; code == 0 && i < r.geometry.block_count; i++) {
        uint8_t want[4096];
        uint8_t got[4096];

        code = seal_read_block(&r, i, got);
        if (code == 0) {
            plain_block(i, seed, want);
            assert_memory_equal(got, want, sizeof(got));
        } else {
            memset(want, 0, sizeof(want));
            if (r.fault == SEAL_FAULT_BLOCK) {
                assert_memory_equal(got, want, sizeof(got));
            }
        }
    }
    if (ret_fault != NULL) {
        *ret_fault = r.fault;
    }
    seal_close(&r);
    return code;
}

static void test_reader_reads_back_what_was_sealed(void **state)
{
    static const uint64_t sizes[] = {1, 255, 256, 257, 1000};

    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        struct memory_file f;
        uint8_t root[32];

        make_image(sizes[i], key_a, 3, &f, root);
        assert_int_equal(check_all(&f, key_a, root, 3, NULL), 0);
        assert_int_equal(check_all(&f, key_a, NULL, 3, NULL), 0);
        free(f.data);
    }
}

/* Two tree levels and far more tag pages than the cache holds, read in a scattered order. */
static void test_reader_walks_a_deep_tree_with_a_small_cache(void **state)
{
    enum { BLOCKS = 256 * 128 + 300 };
    struct seal_page pages[SEAL_PAGES_MIN] = {0};
    struct memory_file f;
    struct seal_reader r;
    uint8_t root[32];

    make_image(BLOCKS, key_a, 9, &f, root);
    assert_int_equal(seal_open(&r, memory_read, &f, f.size, key_a, root, pages, SEAL_PAGES_MIN), 0);
    assert_int_equal(r.geometry.levels, 2);
    for (uint64_t i = 0; i < 4000; i++) {
        const uint64_t block = i * 7919 % BLOCKS;
        uint8_t want[4096];
        uint8_t got[4096];

        assert_int_equal(seal_read_block(&r, block, got), 0);
        plain_block(block, 9, want);
        assert_memory_equal(got, want, sizeof(got));
    }
    seal_close(&r);
    free(f.data);
}

static void test_reader_every_flipped_byte_is_detected(void **state)
{
    struct memory_file f;
    uint8_t root[32];

    make_image(3, key_a, 1, &f, root);
    assert_int_equal(f.size, 6 * 4096);
    for (size_t i = 0; i < f.size; i++) {
        enum seal_fault fault = SEAL_FAULT_NONE;

        f.data[i] ^= (uint8_t)(1u << i % 8);
        assert_true(check_all(&f, key_a, NULL, 1, &fault) < 0);
        if (i >= 4096 && i < 4 * 4096) {
            assert_int_equal(fault, SEAL_FAULT_BLOCK);
        } else if (i >= 4 * 4096 && i < 5 * 4096) {
            assert_int_equal(fault, SEAL_FAULT_TAGS);
        } else if (i >= 5 * 4096) {
            assert_int_equal(fault, SEAL_FAULT_TREE);
        }
        /* Without the key, but with the root, everything except the blocks is covered. */
        if (i < 4096 || i >= 4 * 4096) {
            struct seal_page pages[SEAL_PAGES_MIN] = {0};
            struct seal_reader r;
            int code = seal_open(&r, memory_read, &f, f.size, NULL, root, pages, SEAL_PAGES_MIN);

            if (code == 0) {
                code = seal_verify_tree(&r);
            }
            assert_true(code < 0);
        }
        f.data[i] ^= (uint8_t)(1u << i % 8);
    }
    assert_int_equal(check_all(&f, key_a, root, 1, NULL), 0);
    free(f.data);
}

static void test_reader_other_length_is_detected(void **state)
{
    struct memory_file f;
    uint8_t root[32];
    const uint8_t *keys[] = {key_a, NULL};
    size_t size;

    make_image(260, key_a, 1, &f, root);
    size = f.size;
    f.data = realloc(f.data, size + 8192);
    assert_non_null(f.data);
    memset(f.data + size, 0, 8192);
    for (size_t k = 0; k < 2; k++) {
        for (size_t cut = 0; cut < size; cut += 4096) {
            f.size = cut;
            assert_true(check_all(&f, keys[k], root, 1, NULL) < 0);
        }
        f.size = size - 1;
        assert_int_equal(check_all(&f, keys[k], root, 1, NULL), -EBADMSG);
        f.size = size + 1;
        assert_int_equal(check_all(&f, keys[k], root, 1, NULL), -EBADMSG);
        f.size = size + 4096;
        assert_int_equal(check_all(&f, keys[k], root, 1, NULL), -EBADMSG);
    }
    f.size = size;
    assert_int_equal(check_all(&f, key_a, root, 1, NULL), 0);
    free(f.data);
}

static void swap_bytes(uint8_t *a, uint8_t *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t t = a[i];

        a[i] = b[i];
        b[i] = t;
    }
}

static void test_reader_swapped_blocks_are_detected(void **state)
{
    struct memory_file f;
    struct memory_file other;
    uint8_t root[32];
    uint8_t other_root[32];
    enum seal_fault fault;
    uint8_t *tags;

    make_image(300, key_a, 1, &f, root);
    tags = f.data + 4096 * 301;
    swap_bytes(f.data + 4096 * 1, f.data + 4096 * 2, 4096);
    assert_int_equal(check_all(&f, key_a, root, 1, &fault), -EBADMSG);
    assert_int_equal(fault, SEAL_FAULT_BLOCK);
    swap_bytes(tags, tags + 16, 16); /* their tags as well */
    assert_int_equal(check_all(&f, key_a, root, 1, &fault), -EBADMSG);
    assert_int_equal(fault, SEAL_FAULT_TAGS);
    swap_bytes(tags, tags + 16, 16);
    swap_bytes(f.data + 4096 * 1, f.data + 4096 * 2, 4096);
    swap_bytes(tags, tags + 4096, 4096); /* two tag pages */
    assert_int_equal(check_all(&f, key_a, root, 1, &fault), -EBADMSG);
    assert_int_equal(fault, SEAL_FAULT_TAGS);
    swap_bytes(tags, tags + 4096, 4096);
    assert_int_equal(check_all(&f, key_a, root, 1, NULL), 0);

    /* Parts of an image sealed with the same key from other content. */
    make_image(300, key_a, 2, &other, other_root);
    swap_bytes(f.data + 4096, other.data + 4096, 4096);
    assert_int_equal(check_all(&f, key_a, root, 1, &fault), -EBADMSG);
    assert_int_equal(fault, SEAL_FAULT_BLOCK);
    swap_bytes(f.data + 4096, other.data + 4096, 4096);
    swap_bytes(f.data, other.data, 4096); /* the other superblock */
    assert_int_equal(check_all(&f, key_a, NULL, 1, &fault), -EBADMSG);
    assert_int_equal(fault, SEAL_FAULT_TREE);
    swap_bytes(f.data, other.data, 4096);
    /* The whole other image: only the pinned root tells. */
    assert_int_equal(check_all(&other, key_a, root, 2, &fault), -EKEYREJECTED);
    assert_int_equal(fault, SEAL_FAULT_ROOT);
    assert_int_equal(check_all(&other, key_a, other_root, 2, &fault), 0);
    free(f.data);
    free(other.data);
}

static void test_reader_wrong_key_is_told_from_a_changed_file(void **state)
{
    struct memory_file f;
    uint8_t root[32];
    enum seal_fault fault;

    make_image(2, key_a, 1, &f, root);
    assert_int_equal(check_all(&f, key_b, root, 1, &fault), -EKEYREJECTED);
    assert_int_equal(fault, SEAL_FAULT_KEY);
    f.data[0] ^= 1;
    assert_int_equal(check_all(&f, key_a, root, 1, &fault), -EBADMSG);
    assert_int_equal(fault, SEAL_FAULT_NOT_SEALED);
    f.data[0] ^= 1;
    f.data[8]++; /* version 2 */
    assert_int_equal(check_all(&f, key_a, root, 1, &fault), -EPROTONOSUPPORT);
    assert_int_equal(fault, SEAL_FAULT_VERSION);
    f.data[8]--;
    f.data[48] ^= 1; /* the salt: public, yet covered */
    assert_int_equal(check_all(&f, key_a, NULL, 1, &fault), -EBADMSG);
    assert_int_equal(fault, SEAL_FAULT_SUPERBLOCK);
    free(f.data);
}

/* What was verified is used from the reader's own copy: the file may change afterwards. */
static void test_reader_file_changing_later_never_yields_wrong_data(void **state)
{
    struct memory_file f;
    uint8_t root[32];

    make_image(300, key_a, 1, &f, root);
    f.calls = 0;
    assert_int_equal(check_all(&f, key_a, root, 1, NULL), 0);
    for (uint64_t n = 1, all = f.calls; n < all; n++) {
        f.calls = 0;
        f.change_after = n;
        assert_true(check_all(&f, key_a, root, 1, NULL) < 0);
    }
    free(f.data);
}

static void test_reader_each_failing_read_is_reported(void **state)
{
    struct memory_file f;
    uint8_t root[32];
    enum seal_fault fault;
    uint64_t all;

    make_image(300, key_a, 1, &f, root);
    assert_int_equal(check_all(&f, key_a, root, 1, NULL), 0);
    all = f.calls;
    for (uint64_t n = 1; n <= all; n++) {
        f.calls = 0;
        f.fail_at = n;
        assert_int_equal(check_all(&f, key_a, root, 1, &fault), -EIO);
        assert_int_equal(fault, SEAL_FAULT_IO);
    }
    free(f.data);
}

static void test_reader_misuse_is_refused(void **state)
{
    struct seal_page pages[SEAL_PAGES_MIN] = {0};
    struct memory_file f;
    struct seal_reader r;
    uint8_t root[32];
    uint8_t tag[16];
    uint8_t block[4096];

    make_image(2, key_a, 1, &f, root);
    assert_int_equal(seal_open(&r, memory_read, &f, f.size, NULL, NULL, pages, SEAL_PAGES_MIN),
                     -EINVAL);
    assert_int_equal(seal_open(&r, memory_read, &f, f.size, key_a, root, pages, SEAL_PAGES_MIN - 1),
                     -EINVAL);
    assert_int_equal(seal_open(&r, memory_read, &f, f.size, NULL, root, pages, SEAL_PAGES_MIN), 0);
    assert_int_equal(seal_read_tag(&r, 0, tag), 0);
    assert_int_equal(seal_read_tag(&r, 2, tag), -EINVAL);
    assert_int_equal(seal_open_block(&r, 0, tag, block), -EINVAL); /* opened without a key */
    free(f.data);
}

static void test_reader_cached_tags_end_with_their_page(void **state)
{
    struct seal_page pages[SEAL_PAGES_MIN] = {0};
    struct memory_file f;
    struct seal_reader r;
    uint8_t root[32];
    uint8_t want[16];
    uint8_t got[300][16];

    make_image(300, key_a, 1, &f, root);
    assert_int_equal(seal_open(&r, memory_read, &f, f.size, key_a, root, pages, SEAL_PAGES_MIN), 0);
    assert_int_equal(seal_cached_tags(&r, 0, 1, got), -EAGAIN);
    assert_int_equal(seal_read_tag(&r, 5, want), 0);
    assert_int_equal(seal_cached_tags(&r, 0, 300, got), 256);
    assert_memory_equal(got[5], want, 16);
    assert_int_equal(seal_cached_tags(&r, 250, 10, got), 6);
    assert_int_equal(seal_cached_tags(&r, 256, 1, got), -EAGAIN);
    assert_int_equal(seal_read_tag(&r, 299, want), 0);
    assert_int_equal(seal_cached_tags(&r, 256, 44, got), 44);
    assert_memory_equal(got[43], want, 16);
    assert_int_equal(seal_cached_tags(&r, 256, 45, got), -EINVAL);
    assert_int_equal(seal_cached_tags(&r, 300, 1, got), -EINVAL);
    assert_int_equal(seal_cached_tags(&r, UINT64_MAX, 2, got), -EINVAL);
    seal_close(&r);
    free(f.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_reads_back_what_was_sealed),
        cmocka_unit_test(test_reader_walks_a_deep_tree_with_a_small_cache),
        cmocka_unit_test(test_reader_every_flipped_byte_is_detected),
        cmocka_unit_test(test_reader_other_length_is_detected),
        cmocka_unit_test(test_reader_swapped_blocks_are_detected),
        cmocka_unit_test(test_reader_wrong_key_is_told_from_a_changed_file),
        cmocka_unit_test(test_reader_file_changing_later_never_yields_wrong_data),
        cmocka_unit_test(test_reader_each_failing_read_is_reported),
        cmocka_unit_test(test_reader_misuse_is_refused),
        cmocka_unit_test(test_reader_cached_tags_end_with_their_page),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
