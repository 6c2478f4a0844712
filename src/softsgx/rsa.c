/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * RSA-3072 with exponent 3 as the processor does it: no division, because SIGSTRUCT brings the
 * quotients q1 = s^2 / m and q2 = (s^3 - q1 s m) / m (SDM 35.14). Small enough to have here, and
 * the loader need not load OpenSSL to start an enclave.
 */

#include "softsgx/rsa.h"

#include <string.h>

#include "core/ct.h"
#include "core/le.h"

#define WORDS (SGX_RSA_SIZE / 8)

static void load(uint64_t *ret, const uint8_t *bytes)
{
    for (unsigned i = 0; i < WORDS; i++) {
        ret[i] = le64_load(bytes + 8 * i);
    }
}

/* ret (2 * WORDS words) = a * b */
static void multiply(uint64_t *ret, const uint64_t *a, const uint64_t *b)
{
    memset(ret, 0, 2 * WORDS * sizeof(*ret));
    for (unsigned i = 0; i < WORDS; i++) {
        unsigned __int128 carry = 0;

        for (unsigned j = 0; j < WORDS; j++) {
            carry += (unsigned __int128)a[i] * b[j] + ret[i + j];
            ret[i + j] = (uint64_t)carry;
            carry >>= 64;
        }
        ret[i + WORDS] = (uint64_t)carry;
    }
}

/* a -= b over 2 * WORDS words. True when the result would be negative. */
static bool subtract(uint64_t *a, const uint64_t *b)
{
    unsigned char borrow = 0;

    for (unsigned i = 0; i < 2 * WORDS; i++) {
        unsigned __int128 d = (unsigned __int128)a[i] - b[i] - borrow;

        a[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) != 0;
    }
    return borrow != 0;
}

static bool less(const uint64_t *a, const uint64_t *b)
{
    for (unsigned i = WORDS; i-- > 0;) {
        if (a[i] != b[i]) {
            return a[i] < b[i];
        }
    }
    return false;
}

/* ret (WORDS words) = x * y - q * m; true when 0 <= that < m. */
static bool reduce(uint64_t *ret, const uint64_t *x, const uint64_t *y, const uint64_t *q,
                   const uint64_t *m)
{
    uint64_t product[2 * WORDS];
    uint64_t multiple[2 * WORDS];

    multiply(product, x, y);
    multiply(multiple, q, m);
    if (subtract(product, multiple)) {
        return false;
    }
    for (unsigned i = WORDS; i < 2 * WORDS; i++) {
        if (product[i] != 0) {
            return false;
        }
    }
    memcpy(ret, product, WORDS * sizeof(*ret));
    return less(ret, m);
}

bool soft_rsa_verify(const struct sgx_sigstruct *s, const uint8_t digest[static 32])
{
    static const uint8_t prefix[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                     0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    uint64_t m[WORDS];
    uint64_t sig[WORDS];
    uint64_t q1[WORDS];
    uint64_t q2[WORDS];
    uint64_t r[WORDS];
    uint8_t want[SGX_RSA_SIZE]; /* big-endian */

    load(m, s->modulus);
    load(sig, s->signature);
    load(q1, s->q1);
    load(q2, s->q2);
    if ((m[WORDS - 1] >> 63) == 0 || (m[0] & 1) == 0 || !less(sig, m) ||
        !reduce(r, sig, sig, q1, m) || !reduce(r, r, sig, q2, m)) {
        return false;
    }
    /* EMSA-PKCS1-v1_5 (RFC 8017, 9.2), compared whole. */
    memset(want, 0xff, sizeof(want));
    want[0] = 0x00;
    want[1] = 0x01;
    want[SGX_RSA_SIZE - 32 - sizeof(prefix) - 1] = 0x00;
    memcpy(want + SGX_RSA_SIZE - 32 - sizeof(prefix), prefix, sizeof(prefix));
    memcpy(want + SGX_RSA_SIZE - 32, digest, 32);
    for (unsigned i = 0; i < WORDS; i++) {
        if (r[i] != be64_load(want + SGX_RSA_SIZE - 8 * (i + 1))) {
            return false;
        }
    }
    return true;
}
