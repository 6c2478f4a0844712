/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Memory running out at the n-th allocation, for every n: a reason, no crash, no leak, and never a
 * verdict that differs. The wrapped functions are those the library itself calls.
 */

#include <string.h>

#include "unit/attest/case.h"
#include "unit/unit.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *p, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *p, size_t count, size_t size);

static size_t g_left; /* allocations that still succeed; 0: no limit is set */
static bool g_limited;

static bool may_allocate(void)
{
    if (!g_limited) {
        return true;
    }
    if (g_left == 0) {
        return false;
    }
    g_left--;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_reallocarray(void *p, size_t count, size_t size)
{
    return may_allocate() ? __real_reallocarray(p, count, size) : NULL;
}

static void check_all(const char *name)
{
    struct att_claims want;
    struct att_root root;
    struct test_case c;
    size_t n;

    own_case(name, &c);
    own_root("root.pem", ATT_ROOT_SOFTWARE, &root);
    assert_int_equal(case_verify(&c, &root, OWN_VERIFY_TIME, &want, NULL), 0);
    for (n = 0; n < 1000; n++) {
        struct att_reason why = {0};
        struct att_claims claims;
        int r;

        g_left = n;
        g_limited = true;
        r = case_verify(&c, &root, OWN_VERIFY_TIME, &claims, &why);
        g_limited = false;
        if (r == 0) {
            assert_memory_equal(&claims, &want, sizeof(claims));
            if (g_left > 0) {
                break;
            }
            continue;
        }
        assert_int_equal(r, -ENOMEM);
        assert_int_equal(why.code, ATT_INTERNAL);
    }
    print_message("# %s: %zu allocations\n", name, n);
    assert_true(n > 5 && n < 1000);
    case_free(&c);
}

static void test_verify_sgx_survives_every_failed_allocation(void **state)
{
    check_all("status-outofdate");
}

static void test_verify_tdx_survives_every_failed_allocation(void **state)
{
    check_all("tdx-relaunch-advised-module");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify_sgx_survives_every_failed_allocation),
        cmocka_unit_test(test_verify_tdx_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
