/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/tar_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/overflow.h"

void tar_extra_done(struct tar_extra *x)
{
    free(x->path);
    free(x->link);
    free(x->sparse_name);
    free(x->segments);
    img_xattrs_done(&x->xattrs);
    *x = (struct tar_extra){0};
}

int tar_decimal(const char *s, size_t size, uint64_t *ret)
{
    uint64_t v = 0;

    if (size == 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < size; i++) {
        if (s[i] < '0' || s[i] > '9' || mul_overflow(v, 10u, &v) ||
            add_overflow(v, (uint64_t)(s[i] - '0'), &v)) {
            return -EINVAL;
        }
    }
    *ret = v;
    return 0;
}

int tar_add_segment(struct tar_extra *x, uint64_t offset, uint64_t size, struct error **err)
{
    if (x->segment_count >= TAR_SEGMENTS_MAX) {
        return error_set(err, EFBIG, "a sparse file has more than %u pieces", TAR_SEGMENTS_MAX);
    }
    if (x->segment_count == x->segment_cap) {
        const size_t cap = x->segment_cap == 0 ? 64 : 2 * x->segment_cap;
        struct tar_segment *grown = reallocarray(x->segments, cap, sizeof(*grown));

        if (grown == NULL) {
            return error_set_errno(err, ENOMEM, "reading a sparse file's map");
        }
        x->segments = grown;
        x->segment_cap = cap;
    }
    x->segments[x->segment_count++] = (struct tar_segment){.offset = offset, .size = size};
    return 0;
}

/* One record's value; a name or target may hold any byte but NUL. */
struct value {
    const char *key;
    const char *p;
    size_t size;
};

static int bad(const struct value *v, struct error **err)
{
    return error_set(err, EBADMSG, "a tar extended header has a bad value for '%.40s'", v->key);
}

static int set_string(const struct value *v, char **dst, struct error **err)
{
    char *copy;

    if (v->size > IMG_PATH_MAX || memchr(v->p, '\0', v->size) != NULL) {
        return bad(v, err);
    }
    copy = strndup(v->p, v->size);
    if (copy == NULL) {
        return error_set_errno(err, ENOMEM, "reading a tar header");
    }
    free(*dst);
    *dst = copy;
    return 0;
}

static int set_u64(const struct value *v, uint64_t *dst, bool *has, struct error **err)
{
    if (tar_decimal(v->p, v->size, dst) < 0) {
        return bad(v, err);
    }
    *has = true;
    return 0;
}

static int set_id(const struct value *v, uint32_t *dst, bool *has, struct error **err)
{
    uint64_t n;

    if (tar_decimal(v->p, v->size, &n) < 0 || n >= UINT32_MAX) {
        return bad(v, err);
    }
    *dst = (uint32_t)n;
    *has = true;
    return 0;
}

/* "-12.5": seconds and a fraction, rounded down to nanoseconds. */
static int set_time(const struct value *v, struct tar_extra *x, struct error **err)
{
    const bool negative = v->size > 0 && v->p[0] == '-';
    const char *p = v->p + negative;
    const size_t size = v->size - negative;
    const char *dot = memchr(p, '.', size);
    const size_t whole = dot == NULL ? size : (size_t)(dot - p);
    uint32_t nsec = 0;
    uint32_t unit = 100000000;
    uint64_t sec;

    if (tar_decimal(p, whole, &sec) < 0 || sec > (1ull << 53)) {
        return bad(v, err);
    }
    for (size_t i = whole + 1; i < size; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return bad(v, err);
        }
        nsec += unit * (uint32_t)(p[i] - '0');
        unit /= 10;
    }
    x->mtime = negative ? -(int64_t)sec : (int64_t)sec;
    if (negative && nsec > 0) {
        x->mtime -= 1;
        nsec = 1000000000u - nsec;
    }
    x->mtime_nsec = nsec;
    x->has_mtime = true;
    return 0;
}

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* LIBARCHIVE.xattr values: base64, padding optional. */
static int set_xattr_base64(const struct value *v, const char *name, struct tar_extra *x,
                            struct error **err)
{
    _cleanup_free_ uint8_t *raw = malloc(v->size + 1);
    size_t size = 0;
    uint32_t acc = 0;
    unsigned bits = 0;

    if (raw == NULL) {
        return error_set_errno(err, ENOMEM, "reading a tar header");
    }
    for (size_t i = 0; i < v->size; i++) {
        const int d = base64_value((uint8_t)v->p[i]);

        if (v->p[i] == '=' || v->p[i] == '\n') {
            continue;
        }
        if (d < 0) {
            return bad(v, err);
        }
        acc = acc << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            raw[size++] = (uint8_t)(acc >> bits);
        }
    }
    return img_xattrs_add(&x->xattrs, name, raw, size, err);
}

/* "offset,size,offset,size…" (sparse format 0.1). */
static int set_map(const struct value *v, struct tar_extra *x, struct error **err)
{
    const char *p = v->p;
    const char *end = v->p + v->size;
    uint64_t pair[2];
    unsigned n = 0;

    x->segment_count = 0;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma == NULL ? end : comma;
        int r;

        if (tar_decimal(p, (size_t)(stop - p), &pair[n]) < 0) {
            return bad(v, err);
        }
        n++;
        if (n == 2) {
            n = 0;
            r = tar_add_segment(x, pair[0], pair[1], err);
            if (r < 0) {
                return r;
            }
        }
        p = comma == NULL ? end : comma + 1;
    }
    return n == 0 ? 0 : bad(v, err);
}

static int sparse_record(const struct value *v, struct tar_extra *x, struct error **err)
{
    const char *key = v->key + strlen("GNU.sparse.");
    uint64_t n;

    x->sparse = true;
    if (strcmp(key, "name") == 0) {
        return set_string(v, &x->sparse_name, err);
    }
    if (strcmp(key, "realsize") == 0 || strcmp(key, "size") == 0) {
        return set_u64(v, &x->real_size, &x->has_real_size, err);
    }
    if (strcmp(key, "map") == 0) {
        return set_map(v, x, err);
    }
    if (tar_decimal(v->p, v->size, &n) < 0) {
        return bad(v, err);
    }
    if (strcmp(key, "major") == 0) {
        x->sparse_v1 = n == 1;
        return n <= 1 ? 0 : bad(v, err);
    }
    if (strcmp(key, "offset") == 0) {
        if (x->half_segment) {
            return bad(v, err);
        }
        x->half_segment = true;
        return tar_add_segment(x, n, 0, err);
    }
    if (strcmp(key, "numbytes") == 0) {
        if (!x->half_segment) {
            return bad(v, err);
        }
        x->half_segment = false;
        x->segments[x->segment_count - 1].size = n;
    }
    return 0; /* minor, numblocks: nothing depends on them */
}

static int apply_record(const struct value *v, struct tar_extra *x, struct error **err)
{
    static const char schily[] = "SCHILY.xattr.";
    static const char libarchive[] = "LIBARCHIVE.xattr.";

    if (strcmp(v->key, "path") == 0) {
        return set_string(v, &x->path, err);
    }
    if (strcmp(v->key, "linkpath") == 0) {
        return set_string(v, &x->link, err);
    }
    if (strcmp(v->key, "size") == 0) {
        return set_u64(v, &x->size, &x->has_size, err);
    }
    if (strcmp(v->key, "uid") == 0) {
        return set_id(v, &x->uid, &x->has_uid, err);
    }
    if (strcmp(v->key, "gid") == 0) {
        return set_id(v, &x->gid, &x->has_gid, err);
    }
    if (strcmp(v->key, "mtime") == 0) {
        return set_time(v, x, err);
    }
    if (strncmp(v->key, schily, sizeof(schily) - 1) == 0) {
        return img_xattrs_add(&x->xattrs, v->key + sizeof(schily) - 1, v->p, v->size, err);
    }
    if (strncmp(v->key, libarchive, sizeof(libarchive) - 1) == 0) {
        return set_xattr_base64(v, v->key + sizeof(libarchive) - 1, x, err);
    }
    if (strncmp(v->key, "GNU.sparse.", 11) == 0) {
        return sparse_record(v, x, err);
    }
    return 0; /* atime, ctime, uname, comment …: not kept by images */
}

/* "LENGTH KEY=VALUE\n", LENGTH counting all of it. */
int tar_pax_parse(struct tar_extra *x, const uint8_t *data, size_t size, struct error **err)
{
    const char *p = (const char *)data;
    const char *end = p + size;

    while (p < end) {
        const char *space = memchr(p, ' ', MIN((size_t)(end - p), (size_t)21));
        struct value v;
        const char *equals;
        char key[512];
        uint64_t length;
        int r;

        if (space == NULL || tar_decimal(p, (size_t)(space - p), &length) < 0 ||
            length > (uint64_t)(end - p) || length < (uint64_t)(space - p) + 3 ||
            p[length - 1] != '\n') {
            return error_set(err, EBADMSG, "a tar extended header has a malformed record");
        }
        equals = memchr(space + 1, '=', (size_t)(p + length - (space + 1)));
        if (equals == NULL || equals == space + 1 || (size_t)(equals - space - 1) >= sizeof(key) ||
            memchr(space + 1, '\0', (size_t)(equals - space - 1)) != NULL) {
            return error_set(err, EBADMSG, "a tar extended header has a record without a key");
        }
        memcpy(key, space + 1, (size_t)(equals - space - 1));
        key[equals - space - 1] = '\0';
        v = (struct value){.key = key, .p = equals + 1, .size = (size_t)(p + length - 2 - equals)};
        r = apply_record(&v, x, err);
        if (r < 0) {
            return r;
        }
        p += length;
    }
    return 0;
}
