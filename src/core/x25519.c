/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Field elements modulo p = 2^255 - 19 are five limbs of 51 bits. Multiplication takes and gives
 * limbs below 2^52; an addition or subtraction in front of it may let them grow to 2^54 (the
 * products then fit 128 bits: 5 * 19 * 2^108 < 2^116).
 */
#include "core/x25519.h"

#include <asm/errno.h>

#include "core/ct.h"
#include "core/le.h"

#define LIMB_BITS 51
#define LIMB_MASK ((1ull << LIMB_BITS) - 1)
#define A24       121665u /* (486662 - 2) / 4 */

typedef unsigned __int128 uint128;

struct fe {
    uint64_t v[5];
};

static struct fe fe_load(const uint8_t s[static X25519_SIZE])
{
    const uint64_t a = le64_load(s);
    const uint64_t b = le64_load(s + 8);
    const uint64_t c = le64_load(s + 16);
    const uint64_t d = le64_load(s + 24);

    /* The top bit is ignored (RFC 7748 section 5). */
    return (struct fe){{a & LIMB_MASK, (a >> 51 | b << 13) & LIMB_MASK,
                        (b >> 38 | c << 26) & LIMB_MASK, (c >> 25 | d << 39) & LIMB_MASK,
                        (d >> 12) & LIMB_MASK}};
}

static struct fe fe_add(const struct fe *a, const struct fe *b)
{
    struct fe r;

    for (int i = 0; i < 5; i++) {
        r.v[i] = a->v[i] + b->v[i];
    }
    return r;
}

/* a - b + 4p, so that no limb goes below zero for limbs of b up to 2^52. */
static struct fe fe_sub(const struct fe *a, const struct fe *b)
{
    struct fe r;

    r.v[0] = a->v[0] + (4 * (LIMB_MASK - 18)) - b->v[0];
    for (int i = 1; i < 5; i++) {
        r.v[i] = a->v[i] + 4 * LIMB_MASK - b->v[i];
    }
    return r;
}

static struct fe carry(uint128 t[static 5])
{
    struct fe r;
    uint64_t c = 0;

    for (int i = 0; i < 5; i++) {
        t[i] += c;
        r.v[i] = (uint64_t)t[i] & LIMB_MASK;
        c = (uint64_t)(t[i] >> LIMB_BITS);
    }
    r.v[0] += 19 * c;
    r.v[1] += r.v[0] >> LIMB_BITS;
    r.v[0] &= LIMB_MASK;
    return r;
}

static struct fe fe_mul(const struct fe *x, const struct fe *y)
{
    const uint64_t *a = x->v;
    const uint64_t *b = y->v;
    const uint64_t b1 = 19 * b[1];
    const uint64_t b2 = 19 * b[2];
    const uint64_t b3 = 19 * b[3];
    const uint64_t b4 = 19 * b[4];
    uint128 t[5] = {
        (uint128)a[0] * b[0] + (uint128)a[1] * b4 + (uint128)a[2] * b3 + (uint128)a[3] * b2 +
            (uint128)a[4] * b1,
        (uint128)a[0] * b[1] + (uint128)a[1] * b[0] + (uint128)a[2] * b4 + (uint128)a[3] * b3 +
            (uint128)a[4] * b2,
        (uint128)a[0] * b[2] + (uint128)a[1] * b[1] + (uint128)a[2] * b[0] + (uint128)a[3] * b4 +
            (uint128)a[4] * b3,
        (uint128)a[0] * b[3] + (uint128)a[1] * b[2] + (uint128)a[2] * b[1] + (uint128)a[3] * b[0] +
            (uint128)a[4] * b4,
        (uint128)a[0] * b[4] + (uint128)a[1] * b[3] + (uint128)a[2] * b[2] + (uint128)a[3] * b[1] +
            (uint128)a[4] * b[0],
    };

    return carry(t);
}

static struct fe fe_small(const struct fe *a, uint64_t k)
{
    uint128 t[5];

    for (int i = 0; i < 5; i++) {
        t[i] = (uint128)a->v[i] * k;
    }
    return carry(t);
}

static struct fe fe_square_times(struct fe a, int times)
{
    for (int i = 0; i < times; i++) {
        a = fe_mul(&a, &a);
    }
    return a;
}

/* a^(p - 2) = a^(2^255 - 21). */
static struct fe fe_invert(const struct fe *a)
{
    struct fe t = fe_square_times(*a, 1); /* 2 */
    struct fe a9 = fe_square_times(t, 2);
    struct fe a11;
    struct fe x5; /* 2^5 - 1, then the other runs of ones */
    struct fe x10;
    struct fe x20;
    struct fe x50;
    struct fe x100;

    a9 = fe_mul(&a9, a);
    a11 = fe_mul(&a9, &t);
    t = fe_square_times(a11, 1); /* 22 */
    x5 = fe_mul(&t, &a9);
    t = fe_square_times(x5, 5);
    x10 = fe_mul(&t, &x5);
    t = fe_square_times(x10, 10);
    x20 = fe_mul(&t, &x10);
    t = fe_square_times(x20, 20);
    t = fe_mul(&t, &x20); /* 2^40 - 1 */
    t = fe_square_times(t, 10);
    x50 = fe_mul(&t, &x10);
    t = fe_square_times(x50, 50);
    x100 = fe_mul(&t, &x50);
    t = fe_square_times(x100, 100);
    t = fe_mul(&t, &x100); /* 2^200 - 1 */
    t = fe_square_times(t, 50);
    t = fe_mul(&t, &x50); /* 2^250 - 1 */
    t = fe_square_times(t, 5);
    return fe_mul(&t, &a11);
}

/* The one representative below p. */
static void fe_store(uint8_t ret[static X25519_SIZE], const struct fe *a)
{
    uint128 t[5] = {a->v[0], a->v[1], a->v[2], a->v[3], a->v[4]};
    struct fe r = carry(t);
    uint64_t q = 19;

    /* q: 1 when r >= p, that is when r + 19 reaches bit 255. */
    for (int i = 0; i < 5; i++) {
        q = (r.v[i] + q) >> LIMB_BITS;
    }
    q *= 19;
    for (int i = 0; i < 5; i++) {
        r.v[i] += q;
        q = r.v[i] >> LIMB_BITS;
        r.v[i] &= LIMB_MASK;
    }
    le64_store(ret, r.v[0] | r.v[1] << 51);
    le64_store(ret + 8, r.v[1] >> 13 | r.v[2] << 38);
    le64_store(ret + 16, r.v[2] >> 26 | r.v[3] << 25);
    le64_store(ret + 24, r.v[3] >> 39 | r.v[4] << 12);
}

static void swap_if(uint64_t bit, struct fe *a, struct fe *b)
{
    const uint64_t mask = 0 - bit;

    for (int i = 0; i < 5; i++) {
        const uint64_t t = mask & (a->v[i] ^ b->v[i]);

        a->v[i] ^= t;
        b->v[i] ^= t;
    }
}

struct ladder {
    struct fe x2, z2, x3, z3;
};

/* One step of RFC 7748 section 5. */
static void step(struct ladder *l, const struct fe *x1)
{
    const struct fe a = fe_add(&l->x2, &l->z2);
    const struct fe b = fe_sub(&l->x2, &l->z2);
    const struct fe c = fe_add(&l->x3, &l->z3);
    const struct fe d = fe_sub(&l->x3, &l->z3);
    const struct fe aa = fe_mul(&a, &a);
    const struct fe bb = fe_mul(&b, &b);
    const struct fe e = fe_sub(&aa, &bb);
    const struct fe da = fe_mul(&d, &a);
    const struct fe cb = fe_mul(&c, &b);
    struct fe t = fe_add(&da, &cb);

    l->x3 = fe_mul(&t, &t);
    t = fe_sub(&da, &cb);
    t = fe_mul(&t, &t);
    l->z3 = fe_mul(&t, x1);
    l->x2 = fe_mul(&aa, &bb);
    t = fe_small(&e, A24);
    t = fe_add(&aa, &t);
    l->z2 = fe_mul(&e, &t);
}

static void scalar_mult(uint8_t ret[static X25519_SIZE], const uint8_t secret[static X25519_SIZE],
                        const uint8_t point[static X25519_SIZE])
{
    const struct fe x1 = fe_load(point);
    struct ladder l = {.x2 = {{1}}, .z2 = {{0}}, .x3 = x1, .z3 = {{1}}};
    uint8_t k[X25519_SIZE];
    uint64_t swap = 0;
    struct fe t;

    __builtin_memcpy(k, secret, sizeof(k));
    k[0] &= 248;
    k[31] = (uint8_t)((k[31] & 127) | 64);
    for (int i = 254; i >= 0; i--) {
        const uint64_t bit = (k[i / 8] >> (i % 8)) & 1;

        swap ^= bit;
        swap_if(swap, &l.x2, &l.x3);
        swap_if(swap, &l.z2, &l.z3);
        swap = bit;
        step(&l, &x1);
    }
    swap_if(swap, &l.x2, &l.x3);
    swap_if(swap, &l.z2, &l.z3);
    t = fe_invert(&l.z2);
    t = fe_mul(&l.x2, &t);
    fe_store(ret, &t);
    ct_wipe(k, sizeof(k));
    ct_wipe(&l, sizeof(l));
    ct_wipe(&t, sizeof(t));
}

void x25519_public(uint8_t ret[static X25519_SIZE], const uint8_t secret[static X25519_SIZE])
{
    static const uint8_t base[X25519_SIZE] = {9};

    scalar_mult(ret, secret, base);
}

int x25519_shared(uint8_t ret[static X25519_SIZE], const uint8_t secret[static X25519_SIZE],
                  const uint8_t public_key[static X25519_SIZE])
{
    uint8_t out[X25519_SIZE];

    scalar_mult(out, secret, public_key);
    if (ct_is_zero(out, sizeof(out))) {
        return -EINVAL;
    }
    __builtin_memcpy(ret, out, sizeof(out));
    ct_wipe(out, sizeof(out));
    return 0;
}
