/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * CPUID raises #UD in an enclave. The answers are ours, not the host's: a processor every target
 * has (Ice Lake-SP), cut down to the vector state this enclave really has (XGETBV says so), so that
 * a program never uses what the host merely claims.
 */

#include "libos/boot/emulate.h"

#include "libos/mm/user.h"

struct leaf {
    uint32_t number;
    uint32_t sub;
    uint32_t eax, ebx, ecx, edx;
};

#define ANY UINT32_MAX

#define L1_AVX        0x30001000u /* AVX, F16C, FMA */
#define L7_AVX2       0x00000020u
#define L7_AVX512     0xf1230000u /* F DQ IFMA PF ER CD BW VL and what needs them */
#define L7_AVX512_ECX 0x00005f42u
#define L7_VEX_ECX    0x00000700u /* GFNI, VAES, VPCLMULQDQ live with AVX */
#define XFRM_AVX      0x4u
#define XFRM_AVX512   0xe0u

static const struct leaf leaves[] = {
    {0x0, ANY, 0x16, 0x756e6547, 0x6c65746e, 0x49656e69}, /* GenuineIntel */
    {0x1, ANY, 0x000606a6, 0x00100800, 0x76fa3203, 0x178bfbff},
    {0x2, ANY, 0x00feff01, 0x000000f0, 0, 0},
    {0x4, 0, 0x04004121, 0x02c0003f, 0x0000003f, 0},
    {0x4, 1, 0x04004122, 0x01c0003f, 0x0000003f, 0},
    {0x4, 2, 0x04004143, 0x04c0003f, 0x000003ff, 0},
    {0x4, 3, 0x0407c163, 0x02c0003f, 0x00007fff, 0x4},
    {0x6, ANY, 0x00000004, 0, 0, 0},
    {0x7, 0, 0, 0xd18f27eb, 0x00405f42, 0xbc000410},
    {0x15, ANY, 0, 0, 0, 0},
    {0x16, ANY, 2400, 3400, 100, 0},
    {0x80000000, ANY, 0x80000008, 0, 0, 0},
    {0x80000001, ANY, 0, 0, 0x00000121, 0x2c100800},
    {0x80000002, ANY, 0x72636e45, 0x76616c65, 0x72702065, 0x7365636f}, /* "Enclave processor" */
    {0x80000003, ANY, 0x00726f73, 0, 0, 0},
    {0x80000006, ANY, 0, 0, 0x05006040, 0},
    {0x80000007, ANY, 0, 0, 0, 0x100}, /* invariant TSC */
    {0x80000008, ANY, 0x00003030, 0, 0, 0},
};

static uint64_t xgetbv0(void)
{
    uint32_t lo;
    uint32_t hi;

    __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

/* Leaf 0xd: offsets and sizes are architectural for the components XFRM can have. */
static void xsave_leaf(uint32_t sub, uint64_t xfrm, struct leaf *r)
{
    static const uint16_t offsets[][2] = {
        {0, 0},     {0, 0},      {576, 256},   {0, 0}, {0, 0},
        {1088, 64}, {1152, 512}, {1664, 1024}, {0, 0}, {2688, 8},
    };
    uint32_t size = 576;

    for (uint32_t i = 2; i < ARRAY_COUNT(offsets); i++) {
        if ((xfrm >> i & 1) != 0) {
            size = MAX(size, (uint32_t)offsets[i][0] + offsets[i][1]);
        }
    }
    if (sub == 0) {
        *r = (struct leaf){.eax = (uint32_t)xfrm, .ebx = size, .ecx = size};
    } else if (sub == 1) {
        *r = (struct leaf){.eax = 0x7, .ebx = size}; /* XSAVEOPT, XSAVEC, XGETBV(1) */
    } else if (sub < ARRAY_COUNT(offsets) && (xfrm >> sub & 1) != 0) {
        *r = (struct leaf){.eax = offsets[sub][1], .ebx = offsets[sub][0]};
    }
}

static void cpuid(uint32_t number, uint32_t sub, struct leaf *r)
{
    const uint64_t xfrm = xgetbv0();

    *r = (struct leaf){0};
    if (number == 0xd) {
        xsave_leaf(sub, xfrm, r);
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(leaves); i++) {
        if (leaves[i].number == number && (leaves[i].sub == ANY || leaves[i].sub == sub)) {
            *r = leaves[i];
            break;
        }
    }
    if (number == 1 && (xfrm & XFRM_AVX) == 0) {
        r->ecx &= ~L1_AVX;
    }
    if (number == 7 && sub == 0 && (xfrm & XFRM_AVX) == 0) {
        r->ebx &= ~L7_AVX2;
        r->ecx &= ~L7_VEX_ECX;
    }
    if (number == 7 && sub == 0 && (xfrm & XFRM_AVX512) != XFRM_AVX512) {
        r->ebx &= ~L7_AVX512;
        r->ecx &= ~(L7_AVX512_ECX & ~L7_VEX_ECX);
    }
}

void emulate_cpuid(uint32_t leaf, uint32_t sub, uint32_t ret[4])
{
    struct leaf r;

    cpuid(leaf, sub, &r);
    ret[0] = r.eax;
    ret[1] = r.ebx;
    ret[2] = r.ecx;
    ret[3] = r.edx;
}

bool emulate_instruction(struct cpu_context *ctx)
{
    uint8_t code[2];
    struct leaf r;

    if (user_copy_in(code, ctx->rip, sizeof(code)) < 0 || code[0] != 0x0f || code[1] != 0xa2) {
        return false;
    }
    cpuid((uint32_t)ctx->rax, (uint32_t)ctx->rcx, &r);
    ctx->rax = r.eax;
    ctx->rbx = r.ebx;
    ctx->rcx = r.ecx;
    ctx->rdx = r.edx;
    ctx->rip += 2;
    return true;
}
