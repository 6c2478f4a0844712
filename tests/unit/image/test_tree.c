/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "image/erofs_fixture.h"
#include "image/tree.h"

static void test_tree_names_are_found_and_gone_after_unlink(void **state)
{
    _cleanup_img_tree_ struct img_tree t = {0};
    char name[32];

    assert_int_equal(img_tree_init(&t, NULL), 0);
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(name, sizeof(name), "n%d", i);
        (void)tree_add(&t, IMG_ROOT, name, 0100644, 0);
    }
    for (int i = 0; i < 5000; i += 2) {
        (void)snprintf(name, sizeof(name), "n%d", i);
        img_tree_unlink(&t, img_tree_child(&t, IMG_ROOT, name, strlen(name)));
    }
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(img_tree_child(&t, IMG_ROOT, name, strlen(name)) == IMG_NONE, i % 2 == 0);
    }
    assert_int_equal(t.live_entries, 2501);
    (void)tree_add(&t, IMG_ROOT, "again", 0100644, 0); /* takes a free slot */
    assert_int_equal(t.entry_count, 5001);
    assert_int_equal(t.inode_count, 5001);
}

static void test_tree_unlink_takes_everything_below(void **state)
{
    _cleanup_img_tree_ struct img_tree t = {0};
    uint32_t dir;
    uint32_t file;
    uint32_t other;
    uint32_t top;

    assert_int_equal(img_tree_init(&t, NULL), 0);
    top = dir = tree_add(&t, IMG_ROOT, "top", 0040755, 0);
    file = tree_add(&t, dir, "file", 0100644, 1);
    for (int i = 0; i < 300; i++) { /* deep: no recursion here */
        dir = tree_add(&t, dir, "d", 0040755, 0);
        (void)tree_add(&t, dir, "leaf", 0100644, 1);
    }
    assert_int_equal(
        img_tree_link(&t, IMG_ROOT, "kept", 4, img_entry_at(&t, file)->inode, 1, &other, NULL), 0);
    img_tree_unlink(&t, IMG_ROOT); /* never the root */
    img_tree_unlink(&t, top);
    assert_int_equal(t.live_entries, 2);
    assert_int_equal(img_inode_of(&t, other)->links, 1);
    assert_int_equal(img_inode_of(&t, other)->size, 1);
}

static void test_tree_opaque_keeps_what_the_layer_gave(void **state)
{
    _cleanup_img_tree_ struct img_tree t = {0};
    uint32_t dir;
    uint32_t old;
    uint32_t entry;
    uint32_t inode;

    assert_int_equal(img_tree_init(&t, NULL), 0);
    dir = tree_add(&t, IMG_ROOT, "dir", 0040755, 0);
    (void)tree_add(&t, dir, "gone", 0100644, 0);
    old = tree_add(&t, dir, "old", 0040755, 0);
    (void)tree_add(&t, old, "gone too", 0100644, 0);
    assert_int_equal(img_tree_new_inode(&t, 0100644, &inode, NULL), 0);
    assert_int_equal(img_tree_link(&t, old, "new", 3, inode, 2, &entry, NULL), 0);
    img_tree_touch(&t, old, 2);
    assert_int_equal(img_entry_at(&t, dir)->layer, 2); /* and all above */
    img_tree_make_opaque(&t, dir, 2);
    assert_int_equal(t.live_entries, 4); /* root, dir, old, new */
    assert_int_not_equal(img_tree_child(&t, old, "new", 3), IMG_NONE);
}

static void test_tree_sort_is_bytewise(void **state)
{
    static const char *const want[] = {"A", "B", "a", "a-", "a.", "aa", "b", "\xc3\xa9", "\xff"};
    _cleanup_img_tree_ struct img_tree t = {0};
    uint32_t e;

    assert_int_equal(img_tree_init(&t, NULL), 0);
    for (size_t i = 0; i < ARRAY_COUNT(want); i++) {
        (void)tree_add(&t, IMG_ROOT, want[(i * 5 + 3) % ARRAY_COUNT(want)], 0100644, 0);
    }
    assert_int_equal(img_tree_sort(&t, NULL), 0);
    e = img_entry_at(&t, IMG_ROOT)->first;
    for (size_t i = 0; i < ARRAY_COUNT(want); i++, e = img_entry_at(&t, e)->next) {
        _cleanup_free_ char *path = img_tree_path(&t, e);

        assert_string_equal(path, want[i]);
    }
    assert_int_equal(e, IMG_NONE);
}

static void test_tree_more_names_than_allowed_are_refused(void **state)
{
    _cleanup_img_tree_ struct img_tree t = {0};
    _cleanup_error_ struct error *err = NULL;
    uint32_t inode;
    uint32_t entry;
    char name[16];
    int r = 0;

    assert_int_equal(img_tree_init(&t, NULL), 0);
    assert_int_equal(img_tree_new_inode(&t, 0100644, &inode, NULL), 0);
    for (uint32_t i = 0; r == 0; i++) {
        (void)snprintf(name, sizeof(name), "%x", i);
        r = img_tree_link(&t, IMG_ROOT, name, strlen(name), inode, 1, &entry, &err);
    }
    assert_int_equal(r, -EFBIG);
    assert_int_equal(t.live_entries, IMG_ENTRIES_MAX);
    assert_non_null(strstr(error_text(err), "more than 1000000 names"));
}

static void test_xattrs_sets_are_sorted_replaced_and_bounded(void **state)
{
    _cleanup_img_xattrs_ struct img_xattrs a = {0};
    _cleanup_img_xattrs_ struct img_xattrs b = {0};
    _cleanup_error_ struct error *err = NULL;
    static uint8_t big[IMG_XATTR_SIZE_MAX + 1];
    char name[300] = "user.";

    assert_int_equal(img_xattrs_add(&a, "user.b", "1", 1, NULL), 0);
    assert_int_equal(img_xattrs_add(&a, "user.a", "22", 2, NULL), 0);
    assert_int_equal(img_xattrs_add(&a, "user.b", "333", 3, NULL), 0);
    assert_int_equal(img_xattrs_add(&a, "com.apple.quarantine", "x", 1, NULL), 0);
    assert_int_equal(img_xattrs_add(&a, "user.", "x", 1, NULL), 0);
    assert_int_equal(a.skipped, 2);
    assert_int_equal(img_xattrs_add(&b, "user.a", "22", 2, NULL), 0);
    assert_int_equal(img_xattrs_add(&b, "user.b", "333", 3, NULL), 0);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    assert_int_equal(img_xattrs_add(&a, "user.big", big, sizeof(big), &err), -E2BIG);
    memset(name + 5, 'n', 251);
    assert_int_equal(img_xattrs_add(&a, name, "", 0, &err), -E2BIG);
    assert_int_equal(img_xattrs_add(&a, "user.c", big, 65535, &err), 0);
    assert_int_equal(img_xattrs_add(&a, "user.d", big, 65535, &err), -E2BIG);
    assert_non_null(strstr(error_text(err), "131072"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_names_are_found_and_gone_after_unlink),
        cmocka_unit_test(test_tree_unlink_takes_everything_below),
        cmocka_unit_test(test_tree_opaque_keeps_what_the_layer_gave),
        cmocka_unit_test(test_tree_sort_is_bytewise),
        cmocka_unit_test(test_tree_more_names_than_allowed_are_refused),
        cmocka_unit_test(test_xattrs_sets_are_sorted_replaced_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
