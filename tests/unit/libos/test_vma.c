/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "libos/mm/vma.h"

#define PAGE  4096ull
#define LOW   (16 * PAGE)
#define PAGES 400u
#define HIGH  (LOW + PAGES * PAGE)

/* The model: one byte a page. */
static uint8_t g_model[PAGES];

static uint64_t address(size_t page)
{
    return LOW + page * PAGE;
}

static void mark(uint64_t start, uint64_t end, uint8_t v)
{
    memset(g_model + (start - LOW) / PAGE, v, (end - start) / PAGE);
}

static bool model_free(uint64_t start, uint64_t end)
{
    for (uint64_t a = start; a < end; a += PAGE) {
        if (g_model[(a - LOW) / PAGE] != 0) {
            return false;
        }
    }
    return true;
}

/* Highest free run of `pages` within [low, high), by trying. */
static uint64_t model_gap(size_t pages, uint64_t low, uint64_t high)
{
    for (uint64_t at = high - pages * PAGE;; at -= PAGE) {
        if (at < low || at > high) {
            return 0;
        }
        if (model_free(at, at + pages * PAGE)) {
            return at;
        }
    }
}

static int32_t check_subtree(const struct vma *v, uint64_t *gap)
{
    uint64_t left_gap = 0;
    uint64_t right_gap = 0;
    int32_t l;
    int32_t r;

    if (v == NULL) {
        *gap = 0;
        return 0;
    }
    l = check_subtree(v->left, &left_gap);
    r = check_subtree(v->right, &right_gap);
    assert_in_range(l - r + 1, 0, 2);
    assert_int_equal(v->height, 1 + MAX(l, r));
    *gap = MAX(v->gap, MAX(left_gap, right_gap));
    assert_int_equal(v->max_gap, *gap);
    return v->height;
}

static void check_tree(const struct vma_tree *t)
{
    uint64_t before = LOW;
    uint64_t gap;
    size_t n = 0;

    (void)check_subtree(t->root, &gap);
    for (const struct vma *v = vma_first(t); v != NULL; v = vma_next(v)) {
        assert_true(v->start >= before && v->end > v->start);
        assert_int_equal(v->gap, v->start - before);
        if (n > 0) {
            assert_ptr_equal(vma_next(vma_prev(v)), v);
        } else {
            assert_null(vma_prev(v));
        }
        before = v->end;
        n++;
    }
    assert_int_equal(n, t->count);
}

static void check_against_model(const struct vma_tree *t)
{
    for (size_t i = 0; i < PAGES; i++) {
        const struct vma *v = vma_find(t, address(i));

        assert_int_equal(v != NULL && v->start <= address(i), g_model[i]);
    }
}

static struct vma *new_vma(uint64_t start, uint64_t end)
{
    struct vma *v = calloc(1, sizeof(*v));

    v->start = start;
    v->end = end;
    return v;
}

static void drop_all(struct vma_tree *t)
{
    struct vma *v;

    while ((v = vma_first(t)) != NULL) {
        vma_remove(t, v);
        free(v);
    }
    assert_null(t->root);
    assert_int_equal(t->count, 0);
}

static void test_vma_empty_tree_finds_room_everywhere(void **state)
{
    struct vma_tree t;

    vma_tree_init(&t, LOW, HIGH);
    assert_null(vma_find(&t, LOW));
    assert_null(vma_first(&t));
    assert_int_equal(vma_find_gap(&t, PAGE, LOW, HIGH), HIGH - PAGE);
    assert_int_equal(vma_find_gap(&t, HIGH - LOW, LOW, HIGH), LOW);
    assert_int_equal(vma_find_gap(&t, HIGH - LOW + PAGE, LOW, HIGH), 0);
    assert_int_equal(vma_find_gap(&t, 0, LOW, HIGH), 0);
    assert_int_equal(vma_find_gap(&t, UINT64_MAX & ~(PAGE - 1), LOW, HIGH), 0);
    assert_true(vma_range_free(&t, LOW, HIGH));
}

static void test_vma_random_operations_match_model(void **state)
{
    struct vma_tree t;
    unsigned seed = 12345;

    memset(g_model, 0, sizeof(g_model));
    vma_tree_init(&t, LOW, HIGH);
    for (int step = 0; step < 20000; step++) {
        const size_t page = (size_t)rand_r(&seed) % PAGES;
        const size_t pages = 1 + (size_t)rand_r(&seed) % 12;
        const uint64_t start = address(page);
        const uint64_t end = MIN(address(page + pages), HIGH);
        struct vma *v = vma_find(&t, start);

        if (rand_r(&seed) % 3 != 0) {
            assert_int_equal(vma_range_free(&t, start, end), model_free(start, end));
            if (model_free(start, end)) {
                vma_insert(&t, new_vma(start, end));
                mark(start, end, 1);
            }
        } else if (v != NULL && v->end - v->start > PAGE && rand_r(&seed) % 2 == 0) {
            mark(v->end - PAGE, v->end, 0);
            vma_resize(&t, v, v->start, v->end - PAGE);
        } else if (v != NULL) {
            mark(v->start, v->end, 0);
            vma_remove(&t, v);
            free(v);
        }
        if (step % 50 == 0) {
            const uint64_t low = address((size_t)rand_r(&seed) % (PAGES / 2));
            const uint64_t high = address(PAGES / 2 + (size_t)rand_r(&seed) % (PAGES / 2));

            check_tree(&t);
            check_against_model(&t);
            assert_int_equal(vma_find_gap(&t, pages * PAGE, low, high),
                             model_gap(pages, low, high));
        }
    }
    drop_all(&t);
}

static void test_vma_find_returns_next_above(void **state)
{
    struct vma_tree t;
    struct vma *v = new_vma(address(10), address(12));

    vma_tree_init(&t, LOW, HIGH);
    vma_insert(&t, v);
    assert_ptr_equal(vma_find(&t, address(3)), v);
    assert_ptr_equal(vma_find(&t, address(11)), v);
    assert_null(vma_find(&t, address(12)));
    assert_false(vma_range_free(&t, address(9), address(11)));
    assert_true(vma_range_free(&t, address(12), address(20)));
    drop_all(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vma_empty_tree_finds_room_everywhere),
        cmocka_unit_test(test_vma_random_operations_match_model),
        cmocka_unit_test(test_vma_find_returns_next_above),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
