/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "core/hex.h"

void hex_encode(char *dst, const void *src, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *s = src;

    for (size_t i = 0; i < size; i++) {
        dst[2 * i] = digits[s[i] >> 4];
        dst[2 * i + 1] = digits[s[i] & 15];
    }
    dst[2 * size] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -EINVAL;
}

int hex_decode(void *dst, size_t size, const char *src, size_t len)
{
    uint8_t *d = dst;

    if (len / 2 != size || len % 2 != 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < size; i++) {
        int hi = hex_digit(src[2 * i]);
        int lo = hex_digit(src[2 * i + 1]);

        if (hi < 0 || lo < 0) {
            return -EINVAL;
        }
        d[i] = (uint8_t)(hi << 4 | lo);
    }
    return 0;
}
