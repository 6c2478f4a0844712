/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/tar_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/overflow.h"

struct header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[8]; /* "ustar\0" "00", or GNU's "ustar  \0" */
    char uname[32];
    char gname[32];
    char dev_major[8];
    char dev_minor[8];
    char prefix[155];
    char pad[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "POSIX ustar");

/* GNU's own use of the bytes behind dev_minor. */
#define GNU_SPARSE_AT   386u /* 4 pairs of 12-digit numbers */
#define GNU_EXTENDED_AT 482u
#define GNU_REALSIZE_AT 483u
#define GNU_EXT_PAIRS   21u
#define GNU_EXT_MORE_AT 504u

#define SIZE_LIMIT (1ull << 62)

struct tar_reader {
    tar_read_fn read;
    tar_skip_fn seek; /* or NULL */
    void *ctx;
    const uint8_t *in; /* what the stream gave last, unread part */
    size_t in_size;
    uint64_t position; /* bytes consumed */
    bool ended;
    uint64_t stored_left; /* data of the entry still in the stream */
    uint64_t stored;
    uint64_t padding; /* behind it */
    uint64_t at;      /* position in the file, holes included */
    size_t segment;   /* index of the segment `at` is in or before */
    struct tar_entry entry;
    struct tar_extra extra;
};

static void entry_done(struct tar_entry *e)
{
    free(e->path);
    free(e->link);
    img_xattrs_done(&e->xattrs);
    *e = (struct tar_entry){0};
}

struct tar_reader *tar_reader_free(struct tar_reader *t)
{
    if (t != NULL) {
        entry_done(&t->entry);
        tar_extra_done(&t->extra);
        free(t);
    }
    return NULL;
}

int tar_reader_new(tar_read_fn read, void *ctx, struct tar_reader **ret, struct error **err)
{
    struct tar_reader *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return error_set_errno(err, ENOMEM, "reading a tar stream");
    }
    t->read = read;
    t->ctx = ctx;
    *ret = t;
    return 0;
}

void tar_reader_set_skip(struct tar_reader *t, tar_skip_fn seek)
{
    t->seek = seek;
}

uint64_t tar_position(const struct tar_reader *t)
{
    return t->position;
}

uint64_t tar_stored_size(const struct tar_reader *t)
{
    return t->stored;
}

/* Gives between 1 and `max` bytes; 0 bytes at the end of the stream. */
static int take(struct tar_reader *t, uint64_t max, const uint8_t **ret, size_t *ret_size,
                struct error **err)
{
    size_t size;

    if (t->in_size == 0) {
        int r = t->read(t->ctx, &t->in, &t->in_size, err);

        if (r < 0) {
            return r;
        }
    }
    size = (size_t)MIN(max, (uint64_t)t->in_size);
    *ret = t->in;
    *ret_size = size;
    t->in += size;
    t->in_size -= size;
    t->position += size;
    return 0;
}

static int cut_off(const struct tar_reader *t, struct error **err)
{
    return error_set(err, EBADMSG, "the tar stream is cut off at byte %llu",
                     (unsigned long long)t->position);
}

static int take_exact(struct tar_reader *t, void *dst, size_t size, struct error **err)
{
    uint8_t *p = dst;

    while (size > 0) {
        const uint8_t *from;
        size_t n;
        int r = take(t, size, &from, &n, err);

        if (r < 0) {
            return r;
        }
        if (n == 0) {
            return cut_off(t, err);
        }
        memcpy(p, from, n);
        p += n;
        size -= n;
    }
    return 0;
}

static int skip(struct tar_reader *t, uint64_t size, struct error **err)
{
    if (t->seek != NULL && size > t->in_size) {
        int r = t->seek(t->ctx, size - t->in_size, err);

        t->position += size;
        t->in_size = 0;
        return r;
    }
    while (size > 0) {
        const uint8_t *from;
        size_t n;
        int r = take(t, size, &from, &n, err);

        if (r < 0) {
            return r;
        }
        if (n == 0) {
            return cut_off(t, err);
        }
        size -= n;
    }
    return 0;
}

static int bad_header(const struct tar_reader *t, const char *what, struct error **err)
{
    return error_set(err, EBADMSG, "the tar header before byte %llu has a bad %s",
                     (unsigned long long)t->position, what);
}

/* Octal text, or (first bit set) a big-endian two's complement number of GNU tar. */
static int number(const char *field, size_t size, int64_t *ret)
{
    const uint8_t *p = (const uint8_t *)field;
    uint64_t v = 0;
    size_t i = 0;

    if ((p[0] & 0x80) != 0) {
        int64_t n = (p[0] & 0x40) != 0 ? -1 : 0;

        n = (int64_t)((uint64_t)n << 6 | (p[0] & 0x3f));
        for (i = 1; i < size; i++) {
            if (n > INT64_MAX >> 8 || n < INT64_MIN >> 8) {
                return -ERANGE;
            }
            n = (int64_t)((uint64_t)n << 8 | p[i]);
        }
        *ret = n;
        return 0;
    }
    while (i < size && p[i] == ' ') {
        i++;
    }
    for (; i < size && p[i] >= '0' && p[i] <= '7'; i++) {
        v = v << 3 | (uint64_t)(p[i] - '0');
    }
    for (; i < size; i++) {
        if (p[i] != ' ' && p[i] != '\0') {
            return -EINVAL;
        }
    }
    *ret = (int64_t)v; /* 12 octal digits at most */
    return 0;
}

static int checked(const struct tar_reader *t, const char *field, size_t size, uint64_t max,
                   const char *what, uint64_t *ret, struct error **err)
{
    int64_t n;

    if (number(field, size, &n) < 0 || n < 0 || (uint64_t)n > max) {
        return bad_header(t, what, err);
    }
    *ret = (uint64_t)n;
    return 0;
}

/* The sum with the checksum field as spaces; old tars summed signed bytes. */
static bool checksum_matches(const struct header *h)
{
    const uint8_t *p = (const uint8_t *)h;
    const size_t at = offsetof(struct header, checksum);
    int64_t want;
    int64_t unsigned_sum = 0;
    int64_t signed_sum = 0;

    for (size_t i = 0; i < sizeof(*h); i++) {
        const uint8_t c = i >= at && i < at + sizeof(h->checksum) ? ' ' : p[i];

        unsigned_sum += c;
        signed_sum += (int8_t)c;
    }
    return number(h->checksum, sizeof(h->checksum), &want) == 0 &&
           (want == unsigned_sum || want == signed_sum);
}

/* Reads one header; 0 at the end of the archive (a zero block, or the stream's end between
 * entries). */
static int read_header(struct tar_reader *t, struct header *h, struct error **err)
{
    const uint8_t *p;
    size_t n;
    int r = take(t, TAR_BLOCK, &p, &n, err);

    if (r < 0) {
        return r;
    }
    if (n == 0) {
        t->ended = true;
        return 0;
    }
    memcpy(h, p, n);
    r = take_exact(t, (uint8_t *)h + n, TAR_BLOCK - n, err);
    if (r < 0) {
        return r;
    }
    if (h->name[0] == '\0' && h->checksum[0] == '\0') {
        const uint8_t *b = (const uint8_t *)h;

        for (size_t i = 0; i < TAR_BLOCK; i++) {
            if (b[i] != 0) {
                return bad_header(t, "checksum", err);
            }
        }
        t->ended = true;
        return 0;
    }
    return checksum_matches(h) ? 1 : bad_header(t, "checksum", err);
}

static uint64_t padding_of(uint64_t size)
{
    return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

/* Content of a special entry, NUL-terminated and malloc'd. */
static int read_content(struct tar_reader *t, const struct header *h, uint8_t **ret,
                        size_t *ret_size, struct error **err)
{
    _cleanup_free_ uint8_t *data = NULL;
    uint64_t size;
    int r =
        checked(t, h->size, sizeof(h->size), TAR_PAX_MAX, "size of an extended header", &size, err);

    if (r < 0) {
        return r;
    }
    data = malloc((size_t)size + 1);
    if (data == NULL) {
        return error_set_errno(err, ENOMEM, "reading a tar header");
    }
    r = take_exact(t, data, (size_t)size, err);
    if (r == 0) {
        r = skip(t, padding_of(size), err);
    }
    if (r < 0) {
        return r;
    }
    data[size] = '\0';
    *ret = TAKE_PTR(data);
    *ret_size = (size_t)size;
    return 0;
}

/* Extended headers fill t->extra. Returns 1 when `h` was one. */
static int read_extended(struct tar_reader *t, const struct header *h, struct error **err)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r;

    if (strchr("xXgLKV", h->type) == NULL || h->type == '\0') {
        return 0;
    }
    r = read_content(t, h, &data, &size, err);
    if (r < 0) {
        return r;
    }
    if (h->type == 'x' || h->type == 'X') {
        r = tar_pax_parse(&t->extra, data, size, err);
        return r < 0 ? r : 1;
    }
    if (h->type == 'L' || h->type == 'K') {
        char **dst = h->type == 'L' ? &t->extra.path : &t->extra.link;

        if (strlen((char *)data) > IMG_PATH_MAX) {
            return bad_header(t, "long name", err);
        }
        free(*dst);
        *dst = (char *)TAKE_PTR(data);
    }
    return 1; /* 'g' and 'V' say nothing about files */
}

static char *field_string(const char *p, size_t size)
{
    return strndup(p, strnlen(p, size));
}

static char *header_path(const struct header *h)
{
    const bool posix = memcmp(h->magic, "ustar", 6) == 0;
    char *path = NULL;

    if (!posix || h->prefix[0] == '\0') {
        return field_string(h->name, sizeof(h->name));
    }
    if (asprintf(&path, "%.*s/%.*s", (int)sizeof(h->prefix), h->prefix, (int)sizeof(h->name),
                 h->name) < 0) {
        return NULL;
    }
    return path;
}

static int set_names(struct tar_reader *t, const struct header *h, struct error **err)
{
    struct tar_extra *x = &t->extra;
    struct tar_entry *e = &t->entry;

    e->path = x->sparse_name != NULL ? TAKE_PTR(x->sparse_name)
              : x->path != NULL      ? TAKE_PTR(x->path)
                                     : header_path(h);
    e->link = x->link != NULL ? TAKE_PTR(x->link) : field_string(h->link, sizeof(h->link));
    if (e->path == NULL || e->link == NULL) {
        return error_set_errno(err, ENOMEM, "reading a tar header");
    }
    return 0;
}

static int set_attributes(struct tar_reader *t, const struct header *h, struct error **err)
{
    const struct tar_extra *x = &t->extra;
    struct tar_entry *e = &t->entry;
    uint64_t mode = 0;
    uint64_t id = 0;
    uint64_t major = 0;
    uint64_t minor = 0;
    int r = checked(t, h->mode, sizeof(h->mode), UINT32_MAX, "mode", &mode, err);

    if (r < 0) {
        return r;
    }
    e->mode = (uint32_t)mode & 07777;
    e->uid = x->uid;
    e->gid = x->gid;
    if (!x->has_uid) {
        r = checked(t, h->uid, sizeof(h->uid), UINT32_MAX - 1, "user id", &id, err);
        e->uid = (uint32_t)id;
    }
    if (r == 0 && !x->has_gid) {
        r = checked(t, h->gid, sizeof(h->gid), UINT32_MAX - 1, "group id", &id, err);
        e->gid = (uint32_t)id;
    }
    e->mtime = x->mtime;
    e->mtime_nsec = x->mtime_nsec;
    if (r == 0 && !x->has_mtime && number(h->mtime, sizeof(h->mtime), &e->mtime) < 0) {
        r = bad_header(t, "time", err);
    }
    if (r == 0 && (e->type == '3' || e->type == '4')) {
        r = checked(t, h->dev_major, sizeof(h->dev_major), 0xfff, "device number", &major, err);
        if (r == 0) {
            r = checked(t, h->dev_minor, sizeof(h->dev_minor), 0xfffff, "device number", &minor,
                        err);
        }
        if (r == 0) {
            e->dev_major = (uint32_t)major;
            e->dev_minor = (uint32_t)minor;
        }
    }
    return r;
}

static int add_gnu_pairs(struct tar_reader *t, const uint8_t *p, size_t count, struct error **err)
{
    for (size_t i = 0; i < count; i++, p += 24) {
        uint64_t offset;
        uint64_t size;
        int r;

        if (p[0] == 0) {
            return 0; /* unused */
        }
        r = checked(t, (const char *)p, 12, SIZE_LIMIT, "sparse map", &offset, err);
        if (r == 0) {
            r = checked(t, (const char *)p + 12, 12, SIZE_LIMIT, "sparse map", &size, err);
        }
        if (r == 0) {
            r = tar_add_segment(&t->extra, offset, size, err);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Type 'S': the map stands in the header and in blocks behind it. */
static int read_gnu_sparse(struct tar_reader *t, const struct header *h, struct error **err)
{
    const uint8_t *p = (const uint8_t *)h;
    bool more = p[GNU_EXTENDED_AT] != 0;
    int r = add_gnu_pairs(t, p + GNU_SPARSE_AT, 4, err);

    while (r == 0 && more) {
        uint8_t block[TAR_BLOCK];

        r = take_exact(t, block, sizeof(block), err);
        if (r == 0) {
            r = add_gnu_pairs(t, block, GNU_EXT_PAIRS, err);
        }
        more = r == 0 && block[GNU_EXT_MORE_AT] != 0;
    }
    if (r == 0) {
        r = checked(t, (const char *)p + GNU_REALSIZE_AT, 12, SIZE_LIMIT, "size", &t->entry.size,
                    err);
    }
    t->extra.sparse = true;
    return r;
}

/* One decimal line of a format 1.0 map, taken from the entry's data. */
static int map_number(struct tar_reader *t, uint64_t *ret, struct error **err)
{
    char digits[24];
    size_t n = 0;

    for (;;) {
        uint8_t c;
        int r;

        if (t->stored_left == 0 || n == sizeof(digits)) {
            return bad_header(t, "sparse map", err);
        }
        r = take_exact(t, &c, 1, err);
        if (r < 0) {
            return r;
        }
        t->stored_left--;
        if (c == '\n') {
            return tar_decimal(digits, n, ret) < 0 ? bad_header(t, "sparse map", err) : 0;
        }
        digits[n++] = (char)c;
    }
}

static int read_map_v1(struct tar_reader *t, struct error **err)
{
    const uint64_t start = t->stored_left;
    uint64_t count;
    uint64_t rest;
    int r = map_number(t, &count, err);

    t->extra.segment_count = 0;
    for (uint64_t i = 0; r == 0 && i < count; i++) {
        uint64_t offset;
        uint64_t size;

        r = map_number(t, &offset, err);
        if (r == 0) {
            r = map_number(t, &size, err);
        }
        if (r == 0) {
            r = tar_add_segment(&t->extra, offset, size, err);
        }
    }
    if (r < 0) {
        return r;
    }
    rest = padding_of(start - t->stored_left);
    if (rest > t->stored_left) {
        return bad_header(t, "sparse map", err);
    }
    t->stored_left -= rest;
    return skip(t, rest, err);
}

/* Segments ascend, lie inside the file and use up exactly what is stored. */
static int check_segments(const struct tar_reader *t, struct error **err)
{
    uint64_t at = 0;
    uint64_t sum = 0;

    if (t->extra.half_segment) {
        return bad_header(t, "sparse map", err);
    }
    for (size_t i = 0; i < t->extra.segment_count; i++) {
        const struct tar_segment *s = &t->extra.segments[i];
        uint64_t end;

        if (s->offset < at || add_overflow(s->offset, s->size, &end) || end > t->entry.size) {
            return bad_header(t, "sparse map", err);
        }
        at = end;
        sum += s->size;
    }
    return sum == t->stored_left ? 0 : bad_header(t, "sparse map", err);
}

static int set_size(struct tar_reader *t, const struct header *h, struct error **err)
{
    struct tar_extra *x = &t->extra;
    uint64_t stored = x->size;
    int r = 0;

    if (!x->has_size) {
        r = checked(t, h->size, sizeof(h->size), SIZE_LIMIT, "size", &stored, err);
    }
    if (r < 0 || stored > SIZE_LIMIT) {
        return r < 0 ? r : bad_header(t, "size", err);
    }
    /* Links, devices, directories and fifos have no data, whatever the field says. */
    if (h->type >= '1' && h->type <= '6') {
        stored = 0;
    }
    t->stored_left = stored;
    t->padding = padding_of(stored);
    t->entry.size = t->entry.type == '0' ? stored : 0;
    if (h->type == 'S') {
        r = read_gnu_sparse(t, h, err);
    } else if (x->sparse && t->entry.type == '0') {
        t->entry.size = x->has_real_size ? x->real_size : stored;
        if (t->entry.size > SIZE_LIMIT) {
            return bad_header(t, "size", err);
        }
        if (x->sparse_v1) {
            r = read_map_v1(t, err);
        }
    }
    if (r == 0 && x->sparse) {
        r = check_segments(t, err);
    }
    t->stored = t->stored_left;
    return r;
}

static int set_type(struct tar_reader *t, const struct header *h, struct error **err)
{
    const size_t size = strlen(t->entry.path);
    char type = h->type;

    switch (type) {
    case '\0':
        /* Before POSIX a directory was a file whose name ends in a slash. */
        type = size > 0 && t->entry.path[size - 1] == '/' ? '5' : '0';
        break;
    case '7':
    case 'S': type = '0'; break;
    case 'D': type = '5'; break;
    default: break;
    }
    if (type < '0' || type > '6') {
        return error_set(err, EBADMSG,
                         "the tar header before byte %llu has the unknown type 0x%02x",
                         (unsigned long long)t->position, (unsigned)(uint8_t)h->type);
    }
    t->entry.type = type;
    return 0;
}

int tar_next(struct tar_reader *t, struct tar_entry **ret, struct error **err)
{
    struct header h;
    int r = skip(t, t->stored_left + t->padding, err);

    entry_done(&t->entry);
    tar_extra_done(&t->extra);
    t->stored_left = 0;
    t->padding = 0;
    t->at = 0;
    t->segment = 0;
    if (r < 0 || t->ended) {
        return r;
    }
    do {
        r = read_header(t, &h, err);
        if (r <= 0) {
            return r;
        }
        r = read_extended(t, &h, err);
    } while (r > 0);
    if (r == 0) {
        r = set_names(t, &h, err);
    }
    if (r == 0) {
        r = set_type(t, &h, err);
    }
    if (r == 0) {
        r = set_attributes(t, &h, err);
    }
    if (r == 0) {
        r = set_size(t, &h, err);
    }
    if (r < 0) {
        return r;
    }
    t->entry.xattrs = t->extra.xattrs;
    t->extra.xattrs = (struct img_xattrs){0};
    *ret = &t->entry;
    return 1;
}

int tar_data(struct tar_reader *t, const uint8_t **ret, uint64_t *ret_size, struct error **err)
{
    const struct tar_extra *x = &t->extra;
    uint64_t want = t->entry.size - t->at;
    size_t n;
    int r;

    if (want == 0) {
        return 0;
    }
    if (x->sparse) {
        while (t->segment < x->segment_count &&
               x->segments[t->segment].offset + x->segments[t->segment].size <= t->at) {
            t->segment++;
        }
        if (t->segment == x->segment_count || x->segments[t->segment].offset > t->at) {
            const uint64_t end =
                t->segment == x->segment_count ? t->entry.size : x->segments[t->segment].offset;

            *ret = NULL;
            *ret_size = end - t->at;
            t->at = end;
            return 1;
        }
        want = x->segments[t->segment].offset + x->segments[t->segment].size - t->at;
    }
    r = take(t, want, ret, &n, err);
    if (r < 0) {
        return r;
    }
    if (n == 0) {
        return cut_off(t, err);
    }
    t->at += n;
    t->stored_left -= n;
    *ret_size = n;
    return 1;
}
