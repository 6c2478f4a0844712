/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/tree.h"
#include "seal/erofs_format.h"

#define PACKED_HEADER 4u

struct prefix {
    uint8_t index;
    const char *text;
    bool name_follows;
};

static const struct prefix prefixes[] = {
#define X(index, text, follows) {index, text, follows},
#include "seal/xattr_prefix.tbl.h"
#undef X
};

void img_xattrs_done(struct img_xattrs *x)
{
    free(x->data);
    *x = (struct img_xattrs){0};
}

static const struct prefix *find_prefix(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(prefixes); i++) {
        const size_t n = strlen(prefixes[i].text);

        if (prefixes[i].name_follows ? strncmp(name, prefixes[i].text, n) == 0 && name[n] != '\0'
                                     : strcmp(name, prefixes[i].text) == 0) {
            return &prefixes[i];
        }
    }
    return NULL;
}

static size_t packed_size(const uint8_t *p)
{
    uint16_t value_size;

    memcpy(&value_size, p + 2, sizeof(value_size));
    return PACKED_HEADER + p[1] + value_size;
}

/* Prefix index first, then the name bytewise. */
static int compare(const uint8_t *p, uint8_t index, const char *name, size_t name_size)
{
    int c;

    if (p[0] != index) {
        return p[0] < index ? -1 : 1;
    }
    c = memcmp(p + PACKED_HEADER, name, MIN((size_t)p[1], name_size));
    if (c != 0) {
        return c;
    }
    return p[1] < name_size ? -1 : p[1] > name_size;
}

int img_xattrs_add(struct img_xattrs *x, const char *name, const void *value, size_t value_size,
                   struct error **err)
{
    const struct prefix *prefix = find_prefix(name);
    const char *rest = prefix == NULL ? NULL : name + strlen(prefix->text);
    const uint16_t stored_size = (uint16_t)value_size;
    size_t size;
    size_t at = 0;

    if (prefix == NULL) {
        x->skipped++; /* e.g. com.apple.quarantine: setxattr(2) refuses it as well */
        return 0;
    }
    if (strlen(name) > IMG_NAME_MAX || value_size > IMG_XATTR_SIZE_MAX) {
        return error_set(err, E2BIG,
                         "extended attribute %.60s: names end at %u, values at %u bytes", name,
                         IMG_NAME_MAX, IMG_XATTR_SIZE_MAX);
    }
    while (at < x->size) {
        const int c = compare(x->data + at, prefix->index, rest, strlen(rest));

        if (c == 0) {
            const size_t old = packed_size(x->data + at);

            memmove(x->data + at, x->data + at + old, x->size - at - old);
            x->size -= old;
            break;
        }
        if (c > 0) {
            break;
        }
        at += packed_size(x->data + at);
    }
    size = PACKED_HEADER + strlen(rest) + value_size;
    if (x->size + size > IMG_XATTRS_MAX) {
        return error_set(err, E2BIG, "extended attributes of one file exceed %u bytes",
                         IMG_XATTRS_MAX);
    }
    if (x->size + size > x->cap) {
        uint8_t *grown = realloc(x->data, x->size + size + 512);

        if (grown == NULL) {
            return error_set_errno(err, ENOMEM, "keeping extended attributes");
        }
        x->data = grown;
        x->cap = x->size + size + 512;
    }
    memmove(x->data + at + size, x->data + at, x->size - at);
    x->data[at] = prefix->index;
    x->data[at + 1] = (uint8_t)strlen(rest);
    memcpy(x->data + at + 2, &stored_size, sizeof(stored_size));
    memcpy(x->data + at + PACKED_HEADER, rest, strlen(rest));
    if (value_size > 0) {
        memcpy(x->data + at + PACKED_HEADER + strlen(rest), value, value_size);
    }
    x->size += size;
    return 0;
}

int img_xattrs_store(struct img_tree *t, struct img_xattrs *x, uint32_t inode, struct error **err)
{
    uint32_t stored = (uint32_t)sizeof(struct erofs_xattr_ibody_header);
    uint32_t offset;
    int r;

    t->inodes[inode].xattrs = IMG_NONE;
    t->inodes[inode].xattr_size = 0;
    if (x->size == 0) {
        return 0;
    }
    for (size_t at = 0; at < x->size; at += packed_size(x->data + at)) {
        stored += (uint32_t)(packed_size(x->data + at) + 3) & ~3u;
    }
    r = img_tree_store(t, x->data, x->size, &offset, err);
    if (r < 0) {
        return r;
    }
    t->inodes[inode].xattrs = offset;
    t->inodes[inode].xattr_size = stored;
    return 0;
}

int img_xattrs_load(const struct img_tree *t, uint32_t inode, struct img_xattrs *ret,
                    struct error **err)
{
    const struct img_inode *i = &t->inodes[inode];
    const uint32_t header = (uint32_t)sizeof(struct erofs_xattr_ibody_header);
    struct img_xattrs x = {0};
    const uint8_t *p;

    if (i->xattrs != IMG_NONE) {
        p = img_arena(t, i->xattrs);
        for (uint32_t stored = header; stored < i->xattr_size;) {
            const size_t size = packed_size(p + x.size);

            stored += (uint32_t)(size + 3) & ~3u;
            x.size += size;
        }
        x.data = malloc(x.size);
        if (x.data == NULL) {
            return error_set_errno(err, ENOMEM, "keeping extended attributes");
        }
        memcpy(x.data, p, x.size);
        x.cap = x.size;
    }
    *ret = x;
    return 0;
}
