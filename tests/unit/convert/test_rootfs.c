/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "convert/user.h"
#include "unit/convert/fake_rootfs.h"

#define DIR       0040755
#define FILE_MODE 0100644
#define LINK      0120777

static const struct fake_file tree[] = {
    {"/usr", DIR},
    {"/usr/bin", DIR},
    {"/usr/bin/tool", 0100755, "x"},
    {"/bin", LINK, "usr/bin"},
    {"/abs", LINK, "/usr/bin/../bin/./tool"},
    {"/out", LINK, "../../../usr"},
    {"/loop-a", LINK, "loop-b"},
    {"/loop-b", LINK, "/loop-a"},
    {"/through", LINK, "/usr/bin/tool/"},
    {"/dangling", LINK, "nowhere"},
    {"/etc", DIR},
    {"/etc/passwd", FILE_MODE,
     "# comment\nroot:x:0:0::/:/bin/sh\nbroken\nweb:x:33:34:w:/:\nnumber:x:4294967295:1::/:\n"
     "other:x:1000:1000::/:/bin/sh"},
    {"/etc/group", FILE_MODE,
     "web:x:34:\nextra:x:50:other,web\nmore:x:51:webber,web\nbad:x:x:web\n"},
    {NULL},
};

static void test_resolve_follows_links_inside_the_image(void **state)
{
    static const struct {
        const char *cwd, *path, *want;
        int code;
    } cases[] = {
        {"/", "/usr/bin/tool", "/usr/bin/tool", 0},
        {"/", "/bin/tool", "/usr/bin/tool", 0},
        {"/", "//bin//./tool", "/usr/bin/tool", 0},
        {"/usr", "bin/tool", "/usr/bin/tool", 0},
        {"/usr/bin", "../../abs", "/usr/bin/tool", 0},
        {"/", "/../../usr", "/usr", 0},
        {"/", "/out/bin", "/usr/bin", 0},
        {"/", "/", "/", 0},
        {"/", "/usr/bin/..", "/usr", 0},
        {"/", "/loop-a", NULL, -ELOOP},
        {"/", "/dangling", NULL, -ENOENT},
        {"/", "/usr/bin/tool/x", NULL, -ENOTDIR},
        {"/", "/usr/bin/tool/", NULL, -ENOTDIR},
        {"/", "/through", NULL, -ENOTDIR},
        {"/", "/nope", NULL, -ENOENT},
    };
    struct rootfs_file *f = malloc(sizeof(*f));
    struct rootfs fs;

    assert_non_null(f);
    fake_rootfs(tree, &fs);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const int r = rootfs_resolve(&fs, cases[i].cwd, cases[i].path, f, NULL);

        if (r != cases[i].code || (r == 0 && strcmp(f->path, cases[i].want) != 0)) {
            fail_msg("%s: %d, %s", cases[i].path, r, r == 0 ? f->path : "");
        }
    }
    free(f);
}

static void test_resolve_too_long(void **state)
{
    char path[ROOTFS_PATH_MAX + 3000];
    struct rootfs_file *f = malloc(sizeof(*f));
    struct rootfs fs;

    assert_non_null(f);
    fake_rootfs(tree, &fs);
    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(rootfs_resolve(&fs, "/", path, f, NULL), -ENOENT);
    memset(path, '/', sizeof(path) - 1); /* as long, and harmless */
    assert_int_equal(rootfs_resolve(&fs, "/", path, f, NULL), 0);
    free(f);
}

static void test_read_all_has_a_bound(void **state)
{
    struct rootfs_file *f = malloc(sizeof(*f));
    _cleanup_free_ char *data = NULL;
    struct rootfs fs;
    size_t size;

    assert_non_null(f);
    fake_rootfs(tree, &fs);
    assert_int_equal(rootfs_resolve(&fs, "/", "/etc/passwd", f, NULL), 0);
    assert_int_equal(rootfs_read_all(&fs, f, (size_t)f->node.size, &data, &size, NULL), 0);
    assert_int_equal(size, f->node.size);
    assert_int_equal(strlen(data), size);
    assert_int_equal(rootfs_read_all(&fs, f, (size_t)f->node.size - 1, &data, &size, NULL), -EFBIG);
    free(f);
}

static void test_user_is_resolved_as_engines_do(void **state)
{
    static const struct {
        const char *text, *want; /* NULL: root and nothing else */
        int code;
    } cases[] = {
        {"", NULL, 0},
        {"root", NULL, 0},
        {"0", NULL, 0},
        {"web", "33:34:34,50,51", 0},
        {"33", "33:34:34,50,51", 0},
        {"web:extra", "33:50:50", 0},
        {"web:7", "33:7:7", 0},
        {"77", "77:0:0", 0},
        {"77:88", "77:88:88", 0},
        {"other", "1000:1000:1000,50", 0},
        {":extra", "0:50:50", 0},
        {"nobody", NULL, -ENOENT},
        {"web:nogroup", NULL, -ENOENT},
        {"number", NULL, -ENOENT},     /* its number is no user's */
        {"4294967295", NULL, -ENOENT}, /* neither is this */
        {"-1", NULL, -ENOENT},
        {"web:bad", NULL, -ENOENT},
    };
    struct rootfs fs;

    fake_rootfs(tree, &fs);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct pol_user u = {0};
        char text[512] = "";
        const int r = user_resolve(&fs, cases[i].text, &u, NULL);

        user_print(&u, text, sizeof(text));
        if (r != cases[i].code || (r == 0 && u.present != (cases[i].want != NULL)) ||
            (r == 0 && u.present && strcmp(text, cases[i].want) != 0)) {
            fail_msg("'%s': %d, %s", cases[i].text, r, text);
        }
    }
}

static void test_user_without_passwd(void **state)
{
    static const struct fake_file empty[] = {{NULL}};
    struct pol_user u = {0};
    struct rootfs fs;

    fake_rootfs(empty, &fs);
    assert_int_equal(user_resolve(&fs, "12:13", &u, NULL), 0);
    assert_int_equal(u.uid, 12);
    assert_int_equal(user_resolve(&fs, "web", &u, NULL), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolve_follows_links_inside_the_image),
        cmocka_unit_test(test_resolve_too_long),
        cmocka_unit_test(test_read_all_has_a_bound),
        cmocka_unit_test(test_user_is_resolved_as_engines_do),
        cmocka_unit_test(test_user_without_passwd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
