/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "core/overflow.h"
#include "seal/erofs_internal.h"

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

/* Reads the entry at `offset`, which must end at or before `end`. */
static int read_entry(const struct erofs *fs, uint64_t offset, uint64_t end,
                      struct erofs_xattr *ret, uint64_t *ret_next)
{
    const struct prefix *prefix = NULL;
    struct erofs_xattr_entry e;
    uint64_t size;
    size_t prefix_size;
    int r;

    if (!range_within(offset, sizeof(e), 0, end)) {
        return -EUCLEAN;
    }
    r = erofs_pread(fs, offset, &e, sizeof(e));
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < ARRAY_COUNT(prefixes); i++) {
        if (prefixes[i].index == e.e_name_index) {
            prefix = &prefixes[i];
        }
    }
    size = sizeof(e) + (uint64_t)e.e_name_len + e.e_value_size;
    if (prefix == NULL || (e.e_name_len > 0) != prefix->name_follows ||
        !range_within(offset, size, 0, end)) {
        return -EUCLEAN;
    }
    prefix_size = __builtin_strlen(prefix->text);
    ret->name_size = prefix_size + e.e_name_len;
    if (ret->name_size > EROFS_XATTR_NAME_MAX) {
        return -EUCLEAN;
    }
    __builtin_memcpy(ret->name, prefix->text, prefix_size);
    r = erofs_pread(fs, offset + sizeof(e), ret->name + prefix_size, e.e_name_len);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < ret->name_size; i++) {
        if (ret->name[i] == '\0') {
            return -EUCLEAN;
        }
    }
    ret->name[ret->name_size] = '\0';
    ret->value = offset + sizeof(e) + e.e_name_len;
    ret->value_size = e.e_value_size;
    *ret_next = offset + ((size + 3) & ~3ull);
    return 0;
}

/* *pos counts shared attributes first, then bytes of the area behind the header and the ids. */
int erofs_xattr_next(const struct erofs *fs, const struct erofs_inode *in, uint64_t *pos,
                     struct erofs_xattr *ret)
{
    const uint64_t image_end = fs->block_count * EROFS_BLOCK_SIZE;
    const uint64_t area_end = in->xattr_offset + in->xattr_size;
    struct erofs_xattr_ibody_header h;
    uint64_t next;
    uint64_t at;
    int r;

    if (in->xattr_size == 0) {
        return 0;
    }
    r = erofs_pread(fs, in->xattr_offset, &h, sizeof(h));
    if (r < 0) {
        return r;
    }
    if (sizeof(h) + 4ull * h.h_shared_count > in->xattr_size) {
        return -EUCLEAN;
    }
    if (*pos < h.h_shared_count) {
        uint32_t id;

        r = erofs_pread(fs, in->xattr_offset + sizeof(h) + 4 * *pos, &id, sizeof(id));
        if (r == 0) {
            r = read_entry(fs, fs->xattr_offset + 4ull * id, image_end, ret, &next);
        }
        *pos += r == 0;
        return r < 0 ? r : 1;
    }
    at = in->xattr_offset + sizeof(h) + 4ull * h.h_shared_count + (*pos - h.h_shared_count);
    if (at + sizeof(struct erofs_xattr_entry) > area_end) {
        return 0;
    }
    r = read_entry(fs, at, area_end, ret, &next);
    if (r < 0) {
        return r;
    }
    *pos += next - at;
    return 1;
}

int erofs_xattr_get(const struct erofs *fs, const struct erofs_inode *in, const char *name,
                    void *dst, size_t size, size_t *ret_size)
{
    const size_t name_size = __builtin_strlen(name);
    struct erofs_xattr x;
    uint64_t pos = 0;
    int r;

    for (;;) {
        r = erofs_xattr_next(fs, in, &pos, &x);
        if (r <= 0) {
            return r < 0 ? r : -ENODATA;
        }
        if (x.name_size == name_size && __builtin_memcmp(x.name, name, name_size) == 0) {
            break;
        }
    }
    if (size > 0) {
        if (x.value_size > size) {
            return -ERANGE;
        }
        r = erofs_pread(fs, x.value, dst, x.value_size);
        if (r < 0) {
            return r;
        }
    }
    *ret_size = x.value_size;
    return 0;
}
