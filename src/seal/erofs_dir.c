/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "seal/erofs_internal.h"

/*
 * A directory is a file of blocks. Each starts with an array of erofs_dirent, then their names in
 * the same order, packed; the first nameoff tells how many there are. Names ascend (bytewise)
 * through the whole directory, which makes bisection over blocks and within one possible.
 */

/* One block of a directory, pinned. */
struct dir_block {
    uint64_t block; /* of the image */
    const uint8_t *pin;
    const uint8_t *p;
    size_t size;
    size_t count;
};

static void release(const struct erofs *fs, struct dir_block *b)
{
    erofs_put(fs, b->block, b->pin);
}

static struct erofs_dirent dirent_at(const struct dir_block *b, size_t i)
{
    struct erofs_dirent d;

    __builtin_memcpy(&d, b->p + i * sizeof(d), sizeof(d));
    return d;
}

static int open_block(const struct erofs *fs, const struct erofs_inode *dir, uint64_t index,
                      struct dir_block *ret)
{
    struct erofs_extent x;
    struct dir_block b;
    size_t names;
    int r = erofs_map(fs, dir, index * EROFS_BLOCK_SIZE, &x);

    if (r < 0) {
        return r;
    }
    b.block = x.image / EROFS_BLOCK_SIZE;
    b.size = (size_t)MIN(x.length, (uint64_t)EROFS_BLOCK_SIZE);
    if (x.hole || x.image % EROFS_BLOCK_SIZE + b.size > EROFS_BLOCK_SIZE ||
        b.size < sizeof(struct erofs_dirent)) {
        return -EUCLEAN;
    }
    r = erofs_get(fs, b.block, &b.pin);
    if (r < 0) {
        return r;
    }
    b.p = b.pin + x.image % EROFS_BLOCK_SIZE;
    names = dirent_at(&b, 0).nameoff;
    b.count = names / sizeof(struct erofs_dirent);
    if (b.count == 0 || names % sizeof(struct erofs_dirent) != 0 || names >= b.size) {
        release(fs, &b);
        return -EUCLEAN;
    }
    *ret = b;
    return 0;
}

/* The name of entry i: bounded, not empty, no slash, no NUL. */
static int entry_name(const struct dir_block *b, size_t i, const char **ret, size_t *ret_size)
{
    const size_t start = dirent_at(b, i).nameoff;
    const bool last = i + 1 == b->count;
    const size_t end = last ? b->size : dirent_at(b, i + 1).nameoff;
    size_t size = 0;

    if (start < b->count * sizeof(struct erofs_dirent) || end > b->size || start >= end) {
        return -EUCLEAN;
    }
    while (start + size < end && b->p[start + size] != '\0') {
        if (b->p[start + size] == '/' || size >= EROFS_NAME_MAX) {
            return -EUCLEAN;
        }
        size++;
    }
    /* Only the last name of a block may be followed by padding. */
    if (size == 0 || (!last && start + size != end)) {
        return -EUCLEAN;
    }
    *ret = (const char *)b->p + start;
    *ret_size = size;
    return 0;
}

static int compare(const char *a, size_t a_size, const char *b, size_t b_size)
{
    const int c = __builtin_memcmp(a, b, MIN(a_size, b_size));

    if (c != 0) {
        return c;
    }
    return a_size < b_size ? -1 : a_size > b_size;
}

static int compare_entry(const struct dir_block *b, size_t i, const char *name, size_t name_size,
                         int *ret)
{
    const char *entry;
    size_t entry_size;
    int r = entry_name(b, i, &entry, &entry_size);

    if (r < 0) {
        return r;
    }
    *ret = compare(name, name_size, entry, entry_size);
    return 0;
}

/* Bisects one block whose first name is not above the wanted one. */
static int search_block(const struct dir_block *b, const char *name, size_t name_size,
                        struct erofs_dirent *ret)
{
    size_t low = 0;
    size_t high = b->count;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        int c;
        int r = compare_entry(b, mid, name, name_size, &c);

        if (r < 0) {
            return r;
        }
        if (c == 0) {
            *ret = dirent_at(b, mid);
            return ret->file_type < EROFS_FT_COUNT ? 0 : -EUCLEAN;
        }
        if (c < 0) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return -ENOENT;
}

int erofs_lookup(const struct erofs *fs, const struct erofs_inode *dir, const char *name,
                 size_t name_size, uint64_t *ret_nid, enum erofs_file_type *ret_type)
{
    const uint64_t blocks = dir->size / EROFS_BLOCK_SIZE + (dir->size % EROFS_BLOCK_SIZE != 0);
    uint64_t low = 0;
    uint64_t high = blocks;
    struct erofs_dirent found;
    struct dir_block b;
    int r;

    if (!erofs_is_dir(dir)) {
        return -ENOTDIR;
    }
    if (name_size > EROFS_NAME_MAX) {
        return -ENAMETOOLONG;
    }
    /* The last block whose first name is not above the wanted one lies just below `low`. */
    while (low < high) {
        const uint64_t mid = low + (high - low) / 2;
        int c;

        r = open_block(fs, dir, mid, &b);
        if (r < 0) {
            return r;
        }
        r = compare_entry(&b, 0, name, name_size, &c);
        release(fs, &b);
        if (r < 0) {
            return r;
        }
        if (c < 0) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    if (low == 0) {
        return -ENOENT;
    }
    r = open_block(fs, dir, low - 1, &b);
    if (r < 0) {
        return r;
    }
    r = search_block(&b, name, name_size, &found);
    release(fs, &b);
    if (r < 0) {
        return r;
    }
    *ret_nid = found.nid;
    *ret_type = (enum erofs_file_type)found.file_type;
    return 0;
}

/* A position is block * 4096 + entry; a block holds at most 341 entries. */
int erofs_readdir(const struct erofs *fs, const struct erofs_inode *dir, uint64_t *pos,
                  struct erofs_entry *ret)
{
    const uint64_t blocks = dir->size / EROFS_BLOCK_SIZE + (dir->size % EROFS_BLOCK_SIZE != 0);
    uint64_t index = *pos / EROFS_BLOCK_SIZE;
    size_t entry = (size_t)(*pos % EROFS_BLOCK_SIZE);

    if (!erofs_is_dir(dir)) {
        return -ENOTDIR;
    }
    for (; index < blocks; index++, entry = 0) {
        struct erofs_dirent d;
        struct dir_block b;
        const char *name;
        size_t name_size;
        int r = open_block(fs, dir, index, &b);

        if (r < 0) {
            return r;
        }
        if (entry >= b.count) {
            release(fs, &b);
            continue;
        }
        d = dirent_at(&b, entry);
        r = d.file_type < EROFS_FT_COUNT ? entry_name(&b, entry, &name, &name_size) : -EUCLEAN;
        if (r == 0) {
            ret->nid = d.nid;
            ret->type = (enum erofs_file_type)d.file_type;
            ret->name_size = name_size;
            __builtin_memcpy(ret->name, name, name_size);
            ret->name[name_size] = '\0';
            *pos = index * EROFS_BLOCK_SIZE + entry + 1;
        }
        release(fs, &b);
        return r < 0 ? r : 1;
    }
    return 0;
}
