/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <string.h>

#include "core/hex.h"
#include "seal/seal.h"

static void test_geometry_counts_and_places_every_page(void **state)
{
    static const struct {
        uint64_t blocks, tag_pages, tree_pages;
        uint32_t levels;
    } cases[] = {
        {1, 1, 1, 1},
        {256, 1, 1, 1},
        {257, 2, 1, 1},
        {256 * 128, 128, 1, 1},
        {256 * 128 + 1, 129, 3, 2},
        {256ull * 128 * 128, 16384, 129, 2},
        {256ull * 128 * 128 + 1, 16385, 132, 3},
        {SEALED_BLOCKS_MAX, 1 << 24, (1 << 17) + (1 << 10) + 8 + 1, 4},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct seal_geometry g;
        uint64_t at = 0;

        assert_int_equal(seal_geometry_make(cases[i].blocks, &g), 0);
        assert_int_equal(g.tag_page_count, cases[i].tag_pages);
        assert_int_equal(g.tree_page_count, cases[i].tree_pages);
        assert_int_equal(g.levels, cases[i].levels);
        assert_int_equal(g.tag_offset, 4096 * (1 + cases[i].blocks));
        assert_int_equal(g.tree_offset, g.tag_offset + 4096 * g.tag_page_count);
        assert_int_equal(g.file_size, g.tree_offset + 4096 * g.tree_page_count);
        for (uint32_t l = 0; l < g.levels; l++) {
            assert_int_equal(g.level[l].first, at);
            at += g.level[l].count;
        }
        assert_int_equal(at, g.tree_page_count);
        assert_int_equal(g.level[g.levels - 1].count, 1);
    }
}

static void test_geometry_out_of_range_is_refused(void **state)
{
    struct seal_geometry g;

    assert_int_equal(seal_geometry_make(0, &g), -EINVAL);
    assert_int_equal(seal_geometry_make(SEALED_BLOCKS_MAX + 1, &g), -EINVAL);
    assert_int_equal(seal_geometry_make(UINT64_MAX, &g), -EINVAL);
}

/* The vectors of docs/formats/sealed-image.md. */
static void test_key_derivation_gives_the_documented_vectors(void **state)
{
    uint8_t master[32];
    uint8_t salt[32];
    uint8_t layout[32];
    uint8_t key[32];
    char hex[65];
    struct seal_keys keys;
    const struct seal_derivation d = {
        .master = master,
        .salt = salt,
        .source = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        .params = "erofs=1",
        .layout = layout,
    };

    memset(master, 0x01, sizeof(master));
    memset(salt, 0x02, sizeof(salt));
    memset(layout, 0x03, sizeof(layout));
    seal_key_derive(&d, key);
    hex_encode(hex, key, 32);
    assert_string_equal(hex, "0f831b7509d8941417d331d7c9ad93a4086861b684edfb7336ada46f44536f92");
    seal_keys_init(&keys, key);
    hex_encode(hex, keys.id, 16);
    assert_string_equal(hex, "47f926b47173b9a51280a545070508c7");
    hex_encode(hex, keys.mac, 32);
    assert_string_equal(hex, "d41c5e69d9cfa810c0cac555b911a4083cb6a164d6d43c93ea6dfc9e86ba3b28");
}

static void test_key_derivation_every_input_changes_the_key(void **state)
{
    uint8_t bytes[4][32] = {{1}, {2}, {3}, {4}};
    struct seal_derivation d = {
        .master = bytes[0], .salt = bytes[1], .layout = bytes[2], .source = "ab", .params = "c"};
    uint8_t base[32];
    uint8_t key[32];

    seal_key_derive(&d, base);
    d.source = "a";
    d.params = "bc"; /* the same characters, cut elsewhere */
    seal_key_derive(&d, key);
    assert_memory_not_equal(base, key, 32);
    d.source = "ab";
    d.params = "c";
    seal_key_derive(&d, key);
    assert_memory_equal(base, key, 32);
    for (size_t i = 0; i < 3; i++) {
        const uint8_t **field[] = {&d.master, &d.salt, &d.layout};
        const uint8_t *keep = *field[i];

        *field[i] = bytes[3];
        seal_key_derive(&d, key);
        assert_memory_not_equal(base, key, 32);
        *field[i] = keep;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_geometry_counts_and_places_every_page),
        cmocka_unit_test(test_geometry_out_of_range_is_refused),
        cmocka_unit_test(test_key_derivation_gives_the_documented_vectors),
        cmocka_unit_test(test_key_derivation_every_input_changes_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
