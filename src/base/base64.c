/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "base/base64.h"

/* 0xff when lo <= c <= hi, else 0. All three below 256. */
static uint32_t within(uint32_t c, uint32_t lo, uint32_t hi)
{
    return (((lo - 1 - c) & (c - hi - 1)) >> 8) & 0xff;
}

static char digit(uint32_t v)
{
    const uint32_t c = (within(v, 0, 25) & (v + 'A')) | (within(v, 26, 51) & (v - 26 + 'a')) |
                       (within(v, 52, 61) & (v - 52 + '0')) | (within(v, 62, 62) & '+') |
                       (within(v, 63, 63) & '/');

    return (char)c;
}

/* The value of a digit, or -1. */
static int32_t value(char ch)
{
    const uint32_t c = (uint8_t)ch;
    const uint32_t v = (within(c, 'A', 'Z') & (c - 'A' + 1)) |
                       (within(c, 'a', 'z') & (c - 'a' + 27)) |
                       (within(c, '0', '9') & (c - '0' + 53)) | (within(c, '+', '+') & 63) |
                       (within(c, '/', '/') & 64);

    return (int32_t)v - 1;
}

void base64_encode(char *dst, const void *src, size_t size)
{
    const uint8_t *p = src;

    for (; size >= 3; size -= 3, p += 3, dst += 4) {
        const uint32_t w = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

        dst[0] = digit(w >> 18);
        dst[1] = digit(w >> 12 & 63);
        dst[2] = digit(w >> 6 & 63);
        dst[3] = digit(w & 63);
    }
    if (size > 0) {
        const uint32_t w = (uint32_t)p[0] << 16 | (size == 2 ? (uint32_t)p[1] << 8 : 0);

        dst[0] = digit(w >> 18);
        dst[1] = digit(w >> 12 & 63);
        dst[2] = size == 2 ? digit(w >> 6 & 63) : '=';
        dst[3] = '=';
    }
}

int base64_decode(void *dst, const char *src, size_t len, size_t *ret_size)
{
    uint8_t *p = dst;
    size_t size = len / 4 * 3;
    size_t pad = 0;

    if (len % 4 != 0) {
        return -EINVAL;
    }
    if (len > 0 && src[len - 1] == '=') {
        pad = src[len - 2] == '=' ? 2 : 1;
    }
    for (size_t i = 0; i < len; i += 4) {
        const size_t digits = i + 4 == len ? 4 - pad : 4;
        uint32_t w = 0;

        for (size_t j = 0; j < 4; j++) {
            const int32_t v = j < digits ? value(src[i + j]) : 0;

            if (v < 0) {
                return -EINVAL;
            }
            w = w << 6 | (uint32_t)v;
        }
        if ((digits == 3 && (w & 0xff) != 0) || (digits == 2 && (w & 0xffff) != 0)) {
            return -EINVAL; /* two texts would mean the same bytes */
        }
        *p++ = (uint8_t)(w >> 16);
        if (digits > 2) {
            *p++ = (uint8_t)(w >> 8);
        }
        if (digits > 3) {
            *p++ = (uint8_t)w;
        }
    }
    *ret_size = size - pad;
    return 0;
}
