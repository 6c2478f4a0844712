/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <string.h>

#include "seal/manifest.h"

static const char *const names[] = {"LANG", "TZ", "TZ2"};
static const struct manifest_mount mounts[] = {{"/data", MANIFEST_MOUNT_WRITABLE}, {"/data/in", 0}};
static const struct manifest_header content = {
    .flags = MANIFEST_SEALED_ROOT | MANIFEST_SESSION,
    .sealed_root = {1, 2, 3},
    .session = {4},
};

static size_t make(uint8_t *dst, size_t cap)
{
    size_t size = 0;

    assert_int_equal(manifest_encode(&content, names, 3, mounts, 2, dst, cap, &size), 0);
    return size;
}

static void test_parse_gives_back_what_was_encoded(void **state)
{
    uint8_t a[512];
    uint8_t b[512];
    const size_t size = make(a, sizeof(a));
    struct manifest m;
    struct cursor c;
    const char *text;
    uint8_t flags;

    assert_int_equal(make(b, sizeof(b)), size);
    assert_memory_equal(a, b, size);
    assert_int_equal(manifest_parse(a, size, &m), 0);
    assert_memory_equal(m.header.sealed_root, content.sealed_root, 32);
    c = m.names;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(manifest_next_name(&c, &text), 1);
        assert_string_equal(text, names[i]);
    }
    assert_int_equal(manifest_next_name(&c, &text), 0);
    c = m.mounts;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(manifest_next_mount(&c, &flags, &text), 1);
        assert_string_equal(text, mounts[i].path);
        assert_int_equal(flags, mounts[i].flags);
    }
    assert_int_equal(manifest_next_mount(&c, &flags, &text), 0);
    assert_true(manifest_allows_name(&m, "TZ=UTC", 2));
    assert_false(manifest_allows_name(&m, "TZ", 1));
    assert_false(manifest_allows_name(&m, "LD_PRELOAD", 10));
}

/* Cut anywhere or one byte longer: refused. Changed anywhere: refused, or another content that has
 * this very encoding. */
static void test_parse_takes_one_encoding_alone(void **state)
{
    uint8_t a[513] = {0};
    const size_t size = make(a, 512);
    struct manifest m;

    for (size_t cut = 0; cut < size; cut++) {
        assert_true(manifest_parse(a, cut, &m) < 0);
    }
    assert_int_equal(manifest_parse(a, size + 1, &m), -EBADMSG);
    for (size_t i = 0; i < size * 8; i++) {
        const uint8_t *at = a + i / 8;
        const bool hash = i / 8 >= 24 && i / 8 < 24 + 160;

        a[i / 8] ^= (uint8_t)(1u << i % 8);
        if (manifest_parse(a, size, &m) == 0) {
            /* a hash that is present, the flags without a field, a letter of a name, a mount's flag
             */
            assert_true(hash || i == 16 * 8 + 5 || i == 16 * 8 + 6 ||
                        at >= a + sizeof(struct manifest_header));
        }
        a[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    a[8] = 2;
    assert_int_equal(manifest_parse(a, size, &m), -EPROTONOSUPPORT);
}

static void refuse(const char *name, const char *path)
{
    const struct manifest_mount mount = {path, 0};
    uint8_t a[8192];
    size_t size;

    assert_int_equal(manifest_encode(&content, &name, 1, &mount, 1, a, sizeof(a), &size), -EINVAL);
}

static void test_encode_refuses_what_would_not_parse(void **state)
{
    static const char *const wrong[] = {"B", "A"};
    struct manifest_header h = content;
    uint8_t a[512];
    size_t size;

    refuse("", "/a");
    refuse("A=B", "/a");
    refuse("A B", "/a");
    refuse("A", "a");
    refuse("A", "/");
    refuse("A", "/a/");
    refuse("A", "/a//b");
    refuse("A", "/a/../b");
    refuse("A", "/./b");
    assert_int_equal(manifest_encode(&content, wrong, 2, NULL, 0, a, sizeof(a), &size), -EINVAL);
    assert_int_equal(manifest_encode(&content, names, 3, mounts, 2, a, 230, &size), -ENOSPC);
    assert_int_equal(
        manifest_encode(&content, names, MANIFEST_NAMES_MAX + 1, NULL, 0, a, sizeof(a), &size),
        -EINVAL);
    h.flags &= ~MANIFEST_SESSION; /* a field without its flag */
    assert_int_equal(manifest_encode(&h, NULL, 0, NULL, 0, a, sizeof(a), &size), -EINVAL);
    h = content;
    h.flags |= MANIFEST_HOST_BELOW;
    assert_int_equal(manifest_encode(&h, NULL, 0, NULL, 0, a, sizeof(a), &size), 0);
    h.flags &= ~MANIFEST_SEALED_ROOT; /* below what? */
    memset(h.sealed_root, 0, sizeof(h.sealed_root));
    assert_int_equal(manifest_encode(&h, NULL, 0, NULL, 0, a, sizeof(a), &size), -EINVAL);
    h = content;
    h.flags |= MANIFEST_AGENT; /* a flag without its field */
    assert_int_equal(manifest_encode(&h, NULL, 0, NULL, 0, a, sizeof(a), &size), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_gives_back_what_was_encoded),
        cmocka_unit_test(test_parse_takes_one_encoding_alone),
        cmocka_unit_test(test_encode_refuses_what_would_not_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
