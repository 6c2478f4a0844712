/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * EROFS images. The reader is asked everything about whatever it can reach, within bounds. Names it
 * lists must be found by lookup, and what it maps must lie inside the image. The checksum of the
 * superblock is switched off, so that the fuzzer gets past it.
 */

#include <string.h>

#include "base/alloc.h"
#include "core/types.h"
#include "fuzz/fuzz.h"
#include "seal/erofs.h"

#define DEPTH_MAX   8
#define ENTRIES_MAX 400u
#define READ_MAX    65536u

struct image {
    uint8_t *data;
    uint64_t blocks;
    uint64_t gets;
    int pins;
    unsigned entries;
    struct erofs fs;
};

static int get(void *ctx, uint64_t block, const uint8_t **ret)
{
    struct image *m = ctx;

    FUZZ_CHECK(block < m->blocks);
    m->gets++;
    m->pins++;
    *ret = m->data + block * 4096;
    return 0;
}

static void put(void *ctx, uint64_t block, const uint8_t *data)
{
    struct image *m = ctx;

    FUZZ_CHECK(data == m->data + block * 4096);
    m->pins--;
}

static const struct erofs_io io = {.get = get, .put = put};

static void ask_data(struct image *m, const struct erofs_inode *in)
{
    static uint8_t buf[READ_MAX];
    const uint64_t offsets[] = {0, 1, 4095, 4096, in->size / 2, in->size - 1, in->size, UINT64_MAX};
    struct erofs_extent x;
    char target[64];
    size_t n;

    for (size_t i = 0; i < ARRAY_COUNT(offsets); i++) {
        if (erofs_map(&m->fs, in, offsets[i], &x) == 0 && x.length > 0) {
            FUZZ_CHECK(offsets[i] < in->size && x.length <= in->size - offsets[i]);
            FUZZ_CHECK(x.hole ||
                       (x.image < m->blocks * 4096 && x.length <= m->blocks * 4096 - x.image));
        }
        if (erofs_read(&m->fs, in, offsets[i], buf, sizeof(buf), &n) == 0) {
            FUZZ_CHECK(n <= sizeof(buf) && (offsets[i] < in->size) == (n > 0));
        }
    }
    if (erofs_readlink(&m->fs, in, target, sizeof(target), &n) == 0) {
        FUZZ_CHECK(n <= sizeof(target) && memchr(target, '\0', n) == NULL);
    }
}

static void ask_xattrs(struct image *m, const struct erofs_inode *in)
{
    static uint8_t value[65536];
    struct erofs_xattr x;
    uint64_t pos = 0;
    size_t n;

    for (int i = 0; i < 50 && erofs_xattr_next(&m->fs, in, &pos, &x) == 1; i++) {
        FUZZ_CHECK(strlen(x.name) == x.name_size && x.name_size <= EROFS_XATTR_NAME_MAX);
        if (erofs_xattr_get(&m->fs, in, x.name, value, sizeof(value), &n) == 0) {
            FUZZ_CHECK(n <= sizeof(value));
        }
    }
}

static void walk(struct image *m, uint64_t nid, int depth)
{
    struct erofs_inode in;
    struct erofs_entry e;
    uint64_t pos = 0;

    if (m->entries++ > ENTRIES_MAX || depth > DEPTH_MAX || erofs_inode_read(&m->fs, nid, &in) < 0) {
        return;
    }
    ask_data(m, &in);
    ask_xattrs(m, &in);
    while (m->entries < ENTRIES_MAX && erofs_readdir(&m->fs, &in, &pos, &e) == 1) {
        enum erofs_file_type type;
        uint64_t found;

        FUZZ_CHECK(strlen(e.name) == e.name_size && strchr(e.name, '/') == NULL);
        /* An image whose names are out of order may hide some of them, no more. */
        (void)erofs_lookup(&m->fs, &in, e.name, e.name_size, &found, &type);
        walk(m, e.nid, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image m = {.blocks = size / 4096};
    const size_t compat = EROFS_SUPER_OFFSET + offsetof(struct erofs_super_block, feature_compat);

    if (m.blocks == 0) {
        return 0;
    }
    m.data = malloc(m.blocks * 4096);
    if (m.data == NULL) {
        return 0;
    }
    memcpy(m.data, data, m.blocks * 4096);
    m.data[compat] &= (uint8_t)~EROFS_COMPAT_SB_CHKSUM;
    if (erofs_open(&m.fs, &io, &m, m.blocks) == 0) {
        walk(&m, m.fs.root_nid, 0);
    }
    FUZZ_CHECK(m.pins == 0);
    free(m.data);
    return 0;
}
