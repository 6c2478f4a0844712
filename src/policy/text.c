/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "policy/text.h"

#include <stdio.h>
#include <string.h>

#include "core/ct.h"
#include "core/overflow.h"
#include "core/sha256.h"

bool utf8_valid(const char *s, size_t len)
{
    const uint8_t *p = (const uint8_t *)s;

    for (size_t i = 0; i < len;) {
        const uint8_t c = p[i++];
        uint32_t code;
        uint32_t least;
        unsigned more;

        if (c < 0x80) {
            continue;
        }
        if (c >= 0xc2 && c <= 0xdf) {
            more = 1, code = c & 0x1f, least = 0x80;
        } else if (c >= 0xe0 && c <= 0xef) {
            more = 2, code = c & 0x0f, least = 0x800;
        } else if (c >= 0xf0 && c <= 0xf4) {
            more = 3, code = c & 0x07, least = 0x10000;
        } else {
            return false;
        }
        for (; more > 0; more--, i++) {
            if (i >= len || (p[i] & 0xc0) != 0x80) {
                return false;
            }
            code = code << 6 | (p[i] & 0x3f);
        }
        if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
    }
    return true;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '~';
}

bool name_word_valid(const char *s)
{
    size_t len = 0;

    for (; s[len] != '\0'; len++) {
        if (!is_name_char(s[len]) || len == POL_WORD_MAX) {
            return false;
        }
    }
    return len > 0;
}

/* One part of a path, up to '/' or the end. */
static bool part_valid(const char *s, size_t len)
{
    if (len == 0 || (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.')) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_name_char(s[i])) {
            return false;
        }
    }
    return true;
}

bool name_session_valid(const char *s)
{
    if (strcmp(s, "/") == 0) {
        return true;
    }
    if (strnlen(s, POL_NAME_MAX + 1) > POL_NAME_MAX) {
        return false;
    }
    for (;;) {
        const size_t len = strcspn(s, "/");

        if (!part_valid(s, len)) {
            return false;
        }
        if (s[len] == '\0') {
            return true;
        }
        s += len + 1;
    }
}

bool name_session_ref_valid(const char *s)
{
    if (strncmp(s, "./", 2) == 0) {
        s += 2;
    }
    while (strncmp(s, "../", 3) == 0) {
        s += 3;
    }
    return strcmp(s, "/") != 0 && name_session_valid(s);
}

int name_session_resolve(const char *from, const char *ref, char *ret, size_t size)
{
    size_t keep;
    int n;

    if (strncmp(ref, "./", 2) != 0 && strncmp(ref, "../", 3) != 0) {
        n = snprintf(ret, size, "%s", ref);
        return n < 0 || (size_t)n >= size ? -ENOSPC : 0;
    }
    keep = strlen(from);
    while (keep > 0 && from[keep - 1] != '/') {
        keep--; /* the namespace `from` is in, with its slash */
    }
    if (ref[1] == '/') {
        ref += 2;
    }
    for (; strncmp(ref, "../", 3) == 0; ref += 3) {
        if (keep == 0) {
            return -EINVAL;
        }
        for (keep--; keep > 0 && from[keep - 1] != '/';) {
            keep--;
        }
    }
    n = snprintf(ret, size, "%.*s%s", (int)keep, from, ref);
    return n < 0 || (size_t)n >= size ? -ENOSPC : 0;
}

static const struct {
    const char *word;
    uint64_t seconds;
} units[] = {
    {"years", 365 * 86400ULL},
    {"year", 365 * 86400ULL},
    {"y", 365 * 86400ULL},
    {"weeks", 7 * 86400ULL},
    {"week", 7 * 86400ULL},
    {"w", 7 * 86400ULL},
    {"days", 86400},
    {"day", 86400},
    {"d", 86400},
    {"hours", 3600},
    {"hour", 3600},
    {"h", 3600},
    {"minutes", 60},
    {"minute", 60},
    {"min", 60},
    {"m", 60},
    {"seconds", 1},
    {"second", 1},
    {"s", 1},
};

int duration_parse(const char *s, uint64_t *ret_seconds)
{
    uint64_t n = 0;
    const char *p = s;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (mul_overflow(n, 10U, &n) || add_overflow(n, (uint64_t)(*p - '0'), &n)) {
            return -ERANGE;
        }
    }
    if (p == s) {
        return -EINVAL;
    }
    while (*p == ' ') {
        p++;
    }
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (strcmp(units[i].word, p) == 0) {
            if (mul_overflow(n, units[i].seconds, &n) || n == 0 || n > 100 * 365 * 86400ULL) {
                return -ERANGE;
            }
            *ret_seconds = n;
            return 0;
        }
    }
    return -EINVAL;
}

void duration_print(uint64_t seconds, char *buf, size_t size)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } exact[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

    for (size_t i = 0; i < ARRAY_COUNT(exact); i++) {
        if (seconds % exact[i].seconds == 0) {
            (void)snprintf(buf, size, "%llu%c", (unsigned long long)(seconds / exact[i].seconds),
                           exact[i].unit);
            return;
        }
    }
}

#define B58_BYTES (1 + KEY_ID_SIZE + 4)

static const char b58_digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

static void b58_checksum(const uint8_t *p, uint8_t ret[static 4])
{
    uint8_t h[SHA256_SIZE];

    sha256(p, 1 + KEY_ID_SIZE, h);
    sha256(h, sizeof(h), h);
    memcpy(ret, h, 4);
}

void key_id_print(uint8_t version, const uint8_t id[static KEY_ID_SIZE],
                  char ret[static KEY_ID_TEXT_MAX])
{
    uint8_t num[B58_BYTES] = {version};
    char rev[KEY_ID_TEXT_MAX];
    size_t len = 0;
    size_t at = 0;

    memcpy(num + 1, id, KEY_ID_SIZE);
    b58_checksum(num, num + 1 + KEY_ID_SIZE);
    /* Long division by 58 until nothing is left; version is never 0, so there are no leading 1s. */
    while (!ct_is_zero(num, sizeof(num))) {
        unsigned rest = 0;

        for (size_t i = 0; i < sizeof(num); i++) {
            const unsigned v = rest << 8 | num[i];

            num[i] = (uint8_t)(v / 58);
            rest = v % 58;
        }
        rev[len++] = b58_digits[rest];
    }
    while (len > 0) {
        ret[at++] = rev[--len];
    }
    ret[at] = '\0';
}

int key_id_parse(const char *s, uint8_t *ret_version, uint8_t ret_id[static KEY_ID_SIZE])
{
    uint8_t num[B58_BYTES] = {0};
    uint8_t sum[4];
    const size_t len = strnlen(s, KEY_ID_TEXT_MAX);

    if (len < 45 || len > 51) {
        return -EINVAL;
    }
    for (size_t i = 0; i < len; i++) {
        const char *digit = strchr(b58_digits, s[i]);
        unsigned carry;

        if (digit == NULL) {
            return -EINVAL;
        }
        carry = (unsigned)(digit - b58_digits);
        for (size_t j = sizeof(num); j > 0; j--) {
            carry += 58u * num[j - 1];
            num[j - 1] = (uint8_t)carry;
            carry >>= 8;
        }
        if (carry != 0) {
            return -EINVAL;
        }
    }
    b58_checksum(num, sum);
    if (!ct_equal(sum, num + 1 + KEY_ID_SIZE, sizeof(sum))) {
        return -EPROTO;
    }
    *ret_version = num[0];
    memcpy(ret_id, num + 1, KEY_ID_SIZE);
    return num[0] != 0 ? 0 : -EINVAL;
}
