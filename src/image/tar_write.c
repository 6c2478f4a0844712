/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/tar_write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "image/fetch.h"
#include "image/layer_write.h"
#include "image/out_file.h"
#include "seal/erofs.h"

#define BUFFER_SIZE  (256u * 1024)
#define USTAR_ID_MAX 07777777u
#define USTAR_SIZE   (1ull << 33)
#define NAME_FIELD   100u

struct prefix {
    uint8_t index;
    const char *text;
};

static const struct prefix prefixes[] = {
#define X(index, text, follows) {index, text},
#include "seal/xattr_prefix.tbl.h"
#undef X
};

struct tar_out {
    struct img_out file;
    uint64_t at; /* bytes written, those in the buffer not */
    size_t have;
    struct sha256 digest;
    const struct img_tree *tree;
    uint32_t *first_name; /* by inode: the entry whose name carries the data; IMG_NONE */
    uint64_t left;        /* bytes the file under way still needs */
    uint64_t size;        /* of that file */
    uint8_t buffer[BUFFER_SIZE];
};

static void tar_out_free(struct tar_out **o)
{
    if (*o != NULL) {
        img_out_discard(&(*o)->file);
        free((*o)->first_name);
        free(*o);
    }
}
#define _cleanup_tar_out_ _cleanup_(tar_out_free)

static int flush(struct tar_out *o, struct error **err)
{
    int r = img_out_write(&o->file, o->at, o->buffer, o->have, err);

    sha256_update(&o->digest, o->buffer, o->have);
    o->at += o->have;
    o->have = 0;
    return r;
}

/* NULL means zeros. */
static int put(struct tar_out *o, const void *data, uint64_t size, struct error **err)
{
    const uint8_t *p = data;

    while (size > 0) {
        const size_t n = (size_t)MIN(size, (uint64_t)(BUFFER_SIZE - o->have));
        int r;

        if (p == NULL) {
            memset(o->buffer + o->have, 0, n);
        } else {
            memcpy(o->buffer + o->have, p, n);
            p += n;
        }
        o->have += n;
        size -= n;
        r = o->have == BUFFER_SIZE ? flush(o, err) : 0;
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int pad(struct tar_out *o, uint64_t size, struct error **err)
{
    return put(o, NULL, (TAR_HEADER_SIZE - size % TAR_HEADER_SIZE) % TAR_HEADER_SIZE, err);
}

/* ---- pax records ---------------------------------------------------------------------------- */

struct records {
    char *p;
    size_t size;
    bool failed;
};

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void add_record(struct records *rec, const char *key, const void *value, size_t size)
{
    const size_t body = strlen(key) + size + 3; /* blank, '=', line end */
    size_t digits = 1;
    char *grown;

    for (size_t limit = 10; body + digits >= limit; limit *= 10) {
        digits++;
    }
    grown = rec->failed ? NULL : realloc(rec->p, rec->size + body + digits + 1);
    if (grown == NULL) {
        rec->failed = true;
        return;
    }
    rec->p = grown;
    grown += rec->size;
    grown += snprintf(grown, body + digits, "%zu %s=", body + digits, key);
    memcpy(grown, value, size);
    grown[size] = '\n';
    rec->size += body + digits;
}

static void add_number(struct records *rec, const char *key, uint64_t value)
{
    char text[24];

    add_record(rec, key, text,
               (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)value));
}

static void add_time(struct records *rec, const struct img_inode *i)
{
    const bool back = i->mtime < 0 && i->mtime_nsec > 0;
    const int64_t whole = back ? i->mtime + 1 : i->mtime;
    const uint32_t nsec = back ? 1000000000u - i->mtime_nsec : i->mtime_nsec;
    char text[40];
    int n;

    if (i->mtime >= 0 && i->mtime < (int64_t)USTAR_SIZE && i->mtime_nsec == 0) {
        return;
    }
    n = snprintf(text, sizeof(text), "%s%lld.%09u", back && whole == 0 ? "-" : "", (long long)whole,
                 nsec);
    add_record(rec, "mtime", text, (size_t)n);
}

static void add_xattrs(struct records *rec, const struct img_tree *t, const struct img_inode *i)
{
    const uint8_t *p;
    size_t left;

    if (i->xattrs == IMG_NONE) {
        return;
    }
    p = img_arena(t, i->xattrs);
    /* As stored: a header, then each attribute padded to four bytes; packed they are shorter. */
    left = i->xattr_size - sizeof(struct erofs_xattr_ibody_header);
    while (left > 0) {
        char key[16 + 32 + 256] = "SCHILY.xattr.";
        uint16_t value_size;
        size_t n = strlen(key);

        memcpy(&value_size, p + 2, sizeof(value_size));
        for (size_t k = 0; k < ARRAY_COUNT(prefixes); k++) {
            if (prefixes[k].index == p[0]) {
                n += (size_t)snprintf(key + n, sizeof(key) - n, "%s", prefixes[k].text);
            }
        }
        memcpy(key + n, p + 4, p[1]);
        key[n + p[1]] = '\0';
        add_record(rec, key, p + 4 + p[1], value_size);
        left -= MIN(left, (4u + p[1] + value_size + 3u) & ~(size_t)3);
        p += 4u + p[1] + value_size;
    }
}

/* ---- entries -------------------------------------------------------------------------------- */

static char type_of(const struct img_inode *i)
{
    switch (i->mode & 0170000u) {
    case 0040000: return '5';
    case 0120000: return '2';
    case 0020000: return '3';
    case 0060000: return '4';
    case 0010000: return '6';
    default: return '0';
    }
}

static void octal(uint8_t *field, size_t size, uint64_t value)
{
    for (size_t i = size - 1; i-- > 0; value >>= 3) {
        field[i] = (uint8_t)('0' + (value & 7));
    }
    field[size - 1] = '\0';
}

static void fill_header(uint8_t h[static TAR_HEADER_SIZE], const char *name, char type,
                        const struct img_inode *i, const char *link, uint64_t size)
{
    const bool old = i->mtime < 0 || i->mtime >= (int64_t)USTAR_SIZE;
    unsigned sum = 0;

    memset(h, 0, TAR_HEADER_SIZE);
    memcpy(h, name, strnlen(name, NAME_FIELD));
    octal(h + 100, 8, i->mode & 07777);
    octal(h + 108, 8, MIN(i->uid, USTAR_ID_MAX));
    octal(h + 116, 8, MIN(i->gid, USTAR_ID_MAX));
    octal(h + 124, 12, size < USTAR_SIZE ? size : 0);
    octal(h + 136, 12, old ? 0 : (uint64_t)i->mtime);
    h[156] = (uint8_t)type;
    memcpy(h + 157, link, strnlen(link, NAME_FIELD));
    memcpy(h + 257, "ustar\00000", 8);
    octal(h + 329, 8, type == '3' || type == '4' ? erofs_rdev_major(i->rdev) : 0);
    octal(h + 337, 8, type == '3' || type == '4' ? erofs_rdev_minor(i->rdev) : 0);
    memset(h + 148, ' ', 8);
    for (size_t k = 0; k < TAR_HEADER_SIZE; k++) {
        sum += h[k];
    }
    octal(h + 148, 7, sum);
}

static int put_records(struct tar_out *o, const struct records *rec, struct error **err)
{
    const struct img_inode plain = {.mode = 0100644};
    uint8_t h[TAR_HEADER_SIZE];
    int r;

    if (rec->failed) {
        return error_set_errno(err, ENOMEM, "writing a layer");
    }
    if (rec->size == 0) {
        return 0;
    }
    fill_header(h, "PaxHeaders/entry", 'x', &plain, "", rec->size);
    r = put(o, h, sizeof(h), err);
    r = r < 0 ? r : put(o, rec->p, rec->size, err);
    return r < 0 ? r : pad(o, rec->size, err);
}

static bool is_plain(const char *s)
{
    for (; *s != '\0'; s++) {
        if ((uint8_t)*s >= 0x80) {
            return false;
        }
    }
    return true;
}

/* Everything of an entry but a file's bytes. `link` is another name of the file, or NULL. */
static int put_entry(struct tar_out *o, uint32_t entry, const char *link, struct error **err)
{
    const struct img_inode *i = img_inode_of(o->tree, entry);
    const char type = link != NULL ? '1' : type_of(i);
    const uint64_t size = type == '0' ? i->size : 0;
    struct records rec = {0};
    uint8_t h[TAR_HEADER_SIZE];
    _cleanup_free_ char *path = img_tree_path(o->tree, entry);
    _cleanup_free_ char *name = NULL;
    _cleanup_free_ char *target = NULL;
    int r;

    if (path == NULL || asprintf(&name, "%s%s", path, type == '5' ? "/" : "") < 0) {
        name = NULL;
        return error_set_errno(err, ENOMEM, "writing a layer");
    }
    if (type == '2') {
        target = strndup((const char *)img_arena(o->tree, i->target), (size_t)i->size);
        link = target;
        if (link == NULL) {
            return error_set_errno(err, ENOMEM, "writing a layer");
        }
    }
    link = link == NULL ? "" : link;
    if (strlen(name) > NAME_FIELD || !is_plain(name)) {
        add_record(&rec, "path", name, strlen(name));
    }
    if (strlen(link) > NAME_FIELD || !is_plain(link)) {
        add_record(&rec, "linkpath", link, strlen(link));
    }
    if (size >= USTAR_SIZE) {
        add_number(&rec, "size", size);
    }
    if (i->uid > USTAR_ID_MAX) {
        add_number(&rec, "uid", i->uid);
    }
    if (i->gid > USTAR_ID_MAX) {
        add_number(&rec, "gid", i->gid);
    }
    add_time(&rec, i);
    if (type != '1') {
        add_xattrs(&rec, o->tree, i);
    }
    r = put_records(o, &rec, err);
    free(rec.p);
    fill_header(h, name, type, i, link, size);
    return r < 0 ? r : put(o, h, sizeof(h), err);
}

static int file_begin(void *ctx, uint32_t inode, struct error **err)
{
    struct tar_out *o = ctx;

    o->left = o->size = o->tree->inodes[inode].size;
    return put_entry(o, o->first_name[inode], NULL, err);
}

static int file_data(void *ctx, const uint8_t *p, uint64_t size, struct error **err)
{
    struct tar_out *o = ctx;

    if (size > o->left) {
        return error_set(err, EBADMSG, "a file has grown between two readings of its layer");
    }
    o->left -= size;
    return put(o, p, size, err);
}

static int file_end(void *ctx, uint32_t inode, struct error **err)
{
    struct tar_out *o = ctx;

    return o->left > 0
               ? error_set(err, EBADMSG, "a file has shrunk between two readings of its layer")
               : pad(o, o->size, err);
}

/* First everything without bytes, in the order of the tree; then files in the order of the layers;
 * then further names of what has several. */
static int put_all(struct tar_out *o, const struct img_source *source,
                   const struct img_tar_options *opt, uint32_t *files, uint64_t *ret_names,
                   struct error **err)
{
    const struct img_tree *t = o->tree;
    const struct img_fetch fetch = {
        .source = source,
        .tree = t,
        .unpacked_max = opt->unpacked_max,
        .progress = opt->progress,
        .begin = file_begin,
        .data = file_data,
        .end = file_end,
        .ctx = o,
    };
    size_t file_count = 0;
    int r = 0;

    for (uint32_t e = img_tree_next(t, IMG_ROOT); r == 0 && e != IMG_NONE;
         e = img_tree_next(t, e)) {
        const uint32_t inode = t->entries[e].inode;

        if (!opt->wants(opt->ctx, t, e)) {
            continue;
        }
        (*ret_names)++;
        if (o->first_name[inode] != IMG_NONE) {
            continue;
        }
        o->first_name[inode] = e;
        if (img_is_reg(&t->inodes[inode])) {
            files[file_count++] = inode;
        } else {
            r = put_entry(o, e, NULL, err);
        }
    }
    r = r < 0 ? r : img_fetch(&fetch, files, file_count, err);
    for (uint32_t e = img_tree_next(t, IMG_ROOT); r == 0 && e != IMG_NONE;
         e = img_tree_next(t, e)) {
        const uint32_t first = o->first_name[t->entries[e].inode];
        _cleanup_free_ char *link = NULL;

        if (first == e || first == IMG_NONE || !opt->wants(opt->ctx, t, e)) {
            continue;
        }
        link = img_tree_path(t, first);
        r = link == NULL ? error_set_errno(err, ENOMEM, "writing a layer")
                         : put_entry(o, e, link, err);
    }
    return r;
}

int img_tar_write(const struct img_source *source, const struct img_tree *t,
                  const struct img_tar_options *opt, int *ret_fd, struct img_layer *ret_layer,
                  uint64_t *ret_names, struct error **err)
{
    _cleanup_tar_out_ struct tar_out *o = calloc(1, sizeof(*o));
    _cleanup_free_ uint32_t *files = calloc(t->inode_count + 1, sizeof(*files));
    struct img_layer layer = {.has_digest = true, .has_diff_id = true};
    uint64_t names = 0;
    int r;

    if (o == NULL || files == NULL) {
        return error_set_errno(err, ENOMEM, "writing a layer");
    }
    o->file = IMG_OUT_NONE;
    o->tree = t;
    o->first_name = malloc((t->inode_count + 1) * sizeof(*o->first_name));
    if (o->first_name == NULL) {
        return error_set_errno(err, ENOMEM, "writing a layer");
    }
    memset(o->first_name, 0xff, (t->inode_count + 1) * sizeof(*o->first_name));
    sha256_init(&o->digest);
    r = img_scratch(&o->file.fd, err);
    r = r < 0 ? r : put_all(o, source, opt, files, &names, err);
    r = r < 0 ? r : put(o, NULL, 2 * TAR_HEADER_SIZE, err);
    r = r < 0 ? r : flush(o, err);
    if (r < 0) {
        return r;
    }
    sha256_final(&o->digest, layer.digest);
    memcpy(layer.diff_id, layer.digest, sizeof(layer.diff_id));
    (void)snprintf(layer.name, sizeof(layer.name), "the unprotected layer");
    layer.region = (struct img_region){.fd = o->file.fd, .size = o->at};
    *ret_fd = TAKE_FD(o->file.fd);
    *ret_layer = layer;
    *ret_names = names;
    return 0;
}
