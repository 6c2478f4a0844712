/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Layer tars. Whatever the tar reader accepts is flattened, laid out and written as EROFS, and
 * every name of the tree must be found in the result. Header checksums are made right in place, so
 * that the fuzzer need not guess them. The first byte cuts the stream into pieces.
 */

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "fuzz/fuzz.h"
#include "image/erofs_write.h"
#include "image/flatten.h"
#include "seal/erofs.h"

#define BLOCKS_MAX 2048u /* larger images are planned, not written */

struct stream {
    const uint8_t *p;
    size_t left;
    size_t piece;
};

static int read_piece(void *ctx, const uint8_t **ret, size_t *ret_size, struct error **err)
{
    struct stream *s = ctx;
    const size_t n = MIN(s->piece, s->left);

    *ret = s->p;
    *ret_size = n;
    s->p += n;
    s->left -= n;
    return 0;
}

/* Every 512-byte block gets a checksum that fits if it looks like a header. */
static void fix_checksums(uint8_t *p, size_t size)
{
    for (; size >= 512; p += 512, size -= 512) {
        unsigned sum = 8 * ' ';

        if (memcmp(p + 257, "ustar", 5) != 0) {
            continue;
        }
        for (size_t i = 0; i < 512; i++) {
            sum += i >= 148 && i < 156 ? 0 : p[i];
        }
        for (int i = 5; i >= 0; i--, sum >>= 3) {
            p[148 + i] = (uint8_t)('0' + (sum & 7));
        }
        p[154] = '\0';
        p[155] = ' ';
    }
}

struct memory {
    uint8_t *data;
    uint64_t blocks;
};

static int put(void *ctx, uint64_t block, const uint8_t *data, size_t count, struct error **err)
{
    struct memory *m = ctx;

    FUZZ_CHECK(block + count <= m->blocks);
    memcpy(m->data + block * 4096, data, count * 4096);
    return 0;
}

static int get(void *ctx, uint64_t block, const uint8_t **ret)
{
    const struct memory *m = ctx;

    FUZZ_CHECK(block < m->blocks);
    *ret = m->data + block * 4096;
    return 0;
}

static const struct erofs_io io = {.get = get};

static void check_names(const struct img_tree *t, struct memory *m)
{
    struct erofs fs;

    FUZZ_CHECK(erofs_open(&fs, &io, m, m->blocks) == 0);
    for (uint32_t e = IMG_ROOT; e != IMG_NONE; e = img_tree_next(t, e)) {
        const struct img_entry *x = img_entry_at(t, e);
        struct erofs_inode dir;
        struct erofs_inode in;
        enum erofs_file_type type;
        uint64_t nid = fs.root_nid;

        FUZZ_CHECK(erofs_inode_read(&fs, img_inode_of(t, x->parent)->nid, &dir) == 0);
        FUZZ_CHECK(e == IMG_ROOT || erofs_lookup(&fs, &dir, (const char *)t->arena + x->name,
                                                 x->name_size, &nid, &type) == 0);
        FUZZ_CHECK(nid == img_inode_of(t, e)->nid);
        FUZZ_CHECK(erofs_inode_read(&fs, nid, &in) == 0 && in.mode == img_inode_of(t, e)->mode);
    }
}

static void write_out(struct img_tree *t)
{
    _cleanup_erofs_plan_ struct erofs_plan plan = {0};
    _cleanup_erofs_writer_ struct erofs_writer *w = NULL;
    struct memory m;
    uint16_t layer;
    uint32_t source;

    if (erofs_plan_make(t, &plan, NULL) < 0 || plan.block_count > BLOCKS_MAX) {
        return;
    }
    m = (struct memory){.data = calloc(plan.block_count, 4096), .blocks = plan.block_count};
    if (m.data == NULL) {
        return;
    }
    FUZZ_CHECK(erofs_writer_new(&plan, (struct img_sink){put, &m}, &w, NULL) == 0);
    while (erofs_writer_wants(w, &layer, &source)) {
        const struct img_inode *i = NULL;

        for (uint32_t n = plan.first_file; n < plan.count && i == NULL; n++) {
            const struct img_inode *c = &t->inodes[plan.order[n]];

            i = c->source == source && c->layer == layer ? c : NULL;
        }
        FUZZ_CHECK(i != NULL && erofs_writer_data(w, NULL, i->size, NULL) == 0);
        FUZZ_CHECK(erofs_writer_file_done(w, NULL) == 0);
    }
    FUZZ_CHECK(erofs_writer_finish(w, NULL) == 0);
    check_names(t, &m);
    free(m.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ uint8_t *copy = malloc(size + 1);
    _cleanup_img_tree_ struct img_tree t = {0};
    _cleanup_tar_reader_ struct tar_reader *tar = NULL;
    struct img_flatten_stats stats = {0};
    struct stream s;
    struct tar_entry *e;
    uint32_t source = 0;

    if (size < 1 || copy == NULL || img_tree_init(&t, NULL) < 0) {
        return 0;
    }
    memcpy(copy, data + 1, size - 1);
    fix_checksums(copy, size - 1);
    s = (struct stream){.p = copy, .left = size - 1, .piece = 1 + data[0] * 37u};
    if (tar_reader_new(read_piece, &s, &tar, NULL) < 0) {
        return 0;
    }
    while (tar_next(tar, &e, NULL) == 1) {
        /* Entries alternate between two layers, so that whiteouts meet something. */
        if (img_flatten_entry(&t, tar, e, (uint16_t)(1 + source / 4), source, &stats, NULL) < 0) {
            break;
        }
        source++;
    }
    write_out(&t);
    return 0;
}
