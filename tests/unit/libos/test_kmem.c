/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "libos/lib/sync.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/mm/kmem_backend.h"

/* --- a backend over anonymous memory: void pages fault, so use after decommit is found --- */

#define ARENA_PAGES (1ull << 16)

static uint64_t g_committed;
static uint64_t g_fail_after = UINT64_MAX; /* commits that still succeed */

void kmem_backend_area(uint64_t *ret_arena, uint64_t *ret_pages, uint64_t *ret_meta)
{
    uint8_t *p = mmap(NULL, (ARENA_PAGES + ARENA_PAGES / 256) * 4096, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    assert_ptr_not_equal(p, MAP_FAILED);
    *ret_arena = (uint64_t)p;
    *ret_pages = ARENA_PAGES;
    *ret_meta = (uint64_t)p + ARENA_PAGES * 4096;
}

int kmem_backend_commit(uint64_t address, uint64_t size)
{
    if (g_fail_after == 0) {
        return -ENOMEM;
    }
    if (g_fail_after != UINT64_MAX) {
        g_fail_after--;
    }
    assert_int_equal(mprotect((void *)address, size, PROT_READ | PROT_WRITE), 0);
    g_committed += size / 4096;
    return 0;
}

void kmem_backend_decommit(uint64_t address, uint64_t size)
{
    assert_int_equal(madvise((void *)address, size, MADV_DONTNEED), 0);
    assert_int_equal(mprotect((void *)address, size, PROT_NONE), 0);
    g_committed -= size / 4096;
}

/* --- the rest of the world: one thread --- */

void spin_lock(struct spinlock *l)
{
    assert_int_equal(l->locked, 0);
    l->locked = 1;
}

void spin_unlock(struct spinlock *l)
{
    l->locked = 0;
}

void mutex_lock(struct mutex *m)
{
    assert_int_equal(m->state, 0);
    m->state = 1;
}

void mutex_unlock(struct mutex *m)
{
    m->state = 0;
}

void libos_panic(const char *fmt, ...)
{
    (void)fmt;
    mock_assert(false, "libos_panic", __FILE__, __LINE__);
    abort();
}

/* --- tests --- */

struct block {
    uint8_t *p;
    size_t size;
    uint8_t fill;
};

static void fill(struct block *b, uint8_t v)
{
    b->fill = v;
    memset(b->p, v, b->size);
}

static void check(const struct block *b)
{
    for (size_t i = 0; i < b->size; i++) {
        assert_int_equal(b->p[i], b->fill);
    }
}

static size_t random_size(unsigned *seed)
{
    switch (rand_r(seed) % 8) {
    case 0: return (size_t)rand_r(seed) % 300000;
    case 1: return (size_t)rand_r(seed) % 9000;
    default: return (size_t)rand_r(seed) % 700;
    }
}

static void test_kmem_random_blocks_keep_their_content(void **state)
{
    static struct block blocks[400];
    unsigned seed = 7;

    for (int step = 0; step < 40000; step++) {
        struct block *b = &blocks[rand_r(&seed) % 400];

        if (b->p == NULL) {
            b->size = random_size(&seed);
            b->p = kmalloc(b->size);
            assert_non_null(b->p);
            assert_int_equal((uintptr_t)b->p % 16, 0);
            fill(b, (uint8_t)step);
        } else if (rand_r(&seed) % 4 == 0) {
            const size_t size = random_size(&seed);
            uint8_t *p = krealloc(b->p, size);

            assert_non_null(p);
            b->p = p;
            b->size = MIN(b->size, size);
            check(b);
            b->size = size;
            fill(b, (uint8_t)step);
        } else {
            check(b);
            kfree(b->p);
            b->p = NULL;
        }
    }
    for (size_t i = 0; i < 400; i++) {
        kfree(blocks[i].p);
    }
}

static void test_kmem_runs_of_pages(void **state)
{
    static void *runs[200];
    static size_t sizes[200];

    for (size_t i = 0; i < 200; i++) {
        sizes[i] = 1 + i * 7 % 33;
        runs[i] = kpages_alloc(sizes[i]);
        assert_non_null(runs[i]);
        assert_int_equal((uintptr_t)runs[i] % 4096, 0);
        memset(runs[i], (int)i, sizes[i] * 4096);
    }
    for (size_t i = 0; i < 200; i++) {
        const uint8_t *p = runs[i];

        assert_int_equal(p[0], (uint8_t)i);
        assert_int_equal(p[sizes[i] * 4096 - 1], (uint8_t)i);
        kpages_free(runs[i], sizes[i]);
    }
}

static void test_kmem_gives_pages_back(void **state)
{
    void *big = kpages_alloc(20000);

    assert_non_null(big);
    memset(big, 1, 20000ul * 4096);
    kpages_free(big, 20000);
    /* At most what the heap keeps for itself, and what live slabs pin. */
    assert_true(kmem_free_pages() <= 2048 + 64);
    assert_true(g_committed < 4096);
}

static void test_kmem_exhaustion_returns_null_and_recovers(void **state)
{
    void *p = kmalloc(64);

    assert_non_null(p);
    assert_null(kpages_alloc(ARENA_PAGES + 1));
    assert_null(kpages_alloc(0));
    g_fail_after = 0;
    assert_null(kpages_alloc(30000));
    assert_null(kmalloc(100ul << 20));
    g_fail_after = UINT64_MAX;
    kfree(kpages_alloc(30000));
    kfree(p);
    kfree(NULL);
}

static void test_kmem_bad_frees_are_caught(void **state)
{
    uint8_t *p = kmalloc(100);
    uint8_t *run = kpages_alloc(3);

    assert_non_null(p);
    assert_non_null(run);
    expect_assert_failure(kfree(p + 16));
    expect_assert_failure(kfree((void *)0x1000));
    expect_assert_failure(kpages_free(run, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kmem_random_blocks_keep_their_content),
        cmocka_unit_test(test_kmem_runs_of_pages),
        cmocka_unit_test(test_kmem_gives_pages_back),
        cmocka_unit_test(test_kmem_exhaustion_returns_null_and_recovers),
        cmocka_unit_test(test_kmem_bad_frees_are_caught),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
