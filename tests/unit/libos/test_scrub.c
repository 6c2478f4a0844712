/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* What is left in the vector registers after the scrub of the exit path, for every combination of
 * components in use that this processor knows. */
#include <cpuid.h>
#include <string.h>

#include "core/types.h"
#include "unit/unit.h"

#define AREA       16384
#define LEGACY     512
#define MXCSR_AT   24
#define MXCSR_INIT 0x1f80u
#define SECRET     0xa5

extern void scrub_between(const uint8_t *before, uint8_t *after, const uint8_t *init);

static _Alignas(64) uint8_t g_before[AREA];
static _Alignas(64) uint8_t g_after[AREA];
static _Alignas(64) uint8_t g_init[AREA];

static uint32_t xcr0(void)
{
    uint32_t a;
    uint32_t d;

    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return a;
}

static void component(unsigned i, uint32_t *ret_offset, uint32_t *ret_size)
{
    uint32_t c;
    uint32_t d;

    __cpuid_count(13, i, *ret_size, *ret_offset, c, d);
}

static void put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, sizeof(v));
}

static void make_area(uint8_t *area, uint64_t in_use)
{
    const uint16_t fcw = 0x37f;

    memset(area, 0, AREA);
    memcpy(area, &fcw, sizeof(fcw));
    put32(area + MXCSR_AT, MXCSR_INIT);
    memcpy(area + LEGACY, &in_use, sizeof(in_use));
}

static bool all_zero(const uint8_t *p, size_t size)
{
    uint8_t any = 0;

    for (size_t i = 0; i < size; i++) {
        any |= p[i];
    }
    return any == 0;
}

/* x87 (bit 0), SSE, AVX, opmask, ZMM_Hi256, Hi16_ZMM filled with a secret. */
static void fill(uint8_t *area, uint64_t in_use)
{
    make_area(area, in_use);
    if ((in_use & 1) != 0) {
        for (unsigned i = 0; i < 8; i++) {
            memset(area + 32 + i * 16, SECRET, 10);
        }
    }
    if ((in_use & 2) != 0) {
        memset(area + 160, SECRET, 256);
        put32(area + MXCSR_AT, 0x7f80); /* rounds to zero */
    }
    for (unsigned i = 2; i < 8; i++) {
        uint32_t offset;
        uint32_t size;

        if ((in_use & (1u << i)) != 0) {
            component(i, &offset, &size);
            memset(area + offset, SECRET, size);
        }
    }
}

static void check_scrubbed(uint64_t in_use)
{
    uint32_t mxcsr;

    fill(g_before, in_use);
    memset(g_after, 0, AREA);
    scrub_between(g_before, g_after, g_init);
    memcpy(&mxcsr, g_after + MXCSR_AT, sizeof(mxcsr));
    assert_int_equal(mxcsr, MXCSR_INIT);
    assert_true(all_zero(g_after + 32, 128));  /* ST0 to ST7 */
    assert_true(all_zero(g_after + 160, 256)); /* XMM0 to XMM15 */
    for (unsigned i = 2; i < 8; i++) {
        uint32_t offset;
        uint32_t size;

        if ((xcr0() & (1u << i)) != 0) {
            component(i, &offset, &size);
            assert_true(all_zero(g_after + offset, size));
        }
    }
}

static void test_scrub_any_components_in_use_leaves_nothing(void **state)
{
    const uint32_t have = xcr0() & 0xe7;

    make_area(g_init, 0);
    for (uint32_t in_use = 0; in_use < 0x100; in_use++) {
        if ((in_use & ~have) == 0) {
            check_scrubbed(in_use);
        }
    }
}

/* The check itself: registers that were not scrubbed do show. */
static void test_fill_without_scrub_shows_the_secret(void **state)
{
    fill(g_before, 3);
    __asm__ volatile("xrstor64 %1\n\txsave64 %0"
                     : "=m"(g_after)
                     : "m"(g_before), "a"(-1), "d"(-1)
                     : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    make_area(g_init, 0);
    __asm__ volatile("xrstor64 %0" : : "m"(g_init), "a"(-1), "d"(-1) : "memory");
    assert_false(all_zero(g_after + 32, 128));
    assert_false(all_zero(g_after + 160, 256));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scrub_any_components_in_use_leaves_nothing),
        cmocka_unit_test(test_fill_without_scrub_shows_the_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
