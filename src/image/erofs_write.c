/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/erofs_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/erofs_emit.h"
#include "image/holes.h"
#include "seal/erofs.h"

#define STREAM_BLOCKS 64u

/* A run of blocks that is filled from front to back. */
struct stream {
    uint64_t block; /* of buf[0] */
    size_t used;    /* bytes */
    uint8_t buf[STREAM_BLOCKS * IMG_BLOCK_SIZE];
};

struct erofs_writer {
    const struct erofs_plan *plan;
    struct img_sink sink;
    uint32_t next;  /* index in plan->order */
    uint64_t got;   /* bytes of that file so far */
    size_t tail_at; /* bytes in tail */
    uint8_t tail[EROFS_BLOCK_SIZE];
    struct stream meta;
    struct stream dirs;
    struct stream data;
};

struct erofs_writer *erofs_writer_free(struct erofs_writer *w)
{
    free(w);
    return NULL;
}

/* Block 0 also carries the superblock, whose checksum covers the inodes behind it. */
static void put_superblock(const struct erofs_writer *w, uint8_t *block)
{
    struct erofs_super_block sb = {
        .magic = EROFS_MAGIC,
        .feature_compat = EROFS_COMPAT_SB_CHKSUM | EROFS_COMPAT_MTIME,
        .blkszbits = EROFS_BLOCK_BITS,
        .root_nid = (uint16_t)img_inode_of(w->plan->tree, IMG_ROOT)->nid,
        .inos = w->plan->count,
        .blocks = (uint32_t)w->plan->block_count,
        .volume_name = "nacre",
        .feature_incompat = EROFS_INCOMPAT_CHUNKED_FILE,
    };

    memcpy(block + EROFS_SUPER_OFFSET, &sb, sizeof(sb));
    sb.checksum = erofs_crc32c(0xffffffffu, block + EROFS_SUPER_OFFSET,
                               EROFS_BLOCK_SIZE - EROFS_SUPER_OFFSET);
    memcpy(block + EROFS_SUPER_OFFSET, &sb, sizeof(sb));
}

/* Hands whole blocks to the sink; the rest moves to the front. */
static int flush(struct erofs_writer *w, struct stream *s, struct error **err)
{
    const size_t blocks = s->used / IMG_BLOCK_SIZE;
    int r;

    if (blocks == 0) {
        return 0;
    }
    if (s == &w->meta && s->block == 0) {
        put_superblock(w, s->buf);
    }
    r = w->sink.put(w->sink.ctx, s->block, s->buf, blocks, err);
    if (r < 0) {
        return r;
    }
    s->block += blocks;
    s->used -= blocks * IMG_BLOCK_SIZE;
    memmove(s->buf, s->buf + blocks * IMG_BLOCK_SIZE, s->used);
    return 0;
}

static int append(struct erofs_writer *w, struct stream *s, const void *data, uint64_t size,
                  struct error **err)
{
    const uint8_t *p = data;

    while (size > 0) {
        const size_t take = (size_t)MIN(size, (uint64_t)(sizeof(s->buf) - s->used));

        if (p != NULL) {
            memcpy(s->buf + s->used, p, take);
            p += take;
        } else {
            memset(s->buf + s->used, 0, take);
        }
        s->used += take;
        size -= take;
        if (s->used == sizeof(s->buf)) {
            int r = flush(w, s, err);

            if (r < 0) {
                return r;
            }
        }
    }
    return 0;
}

static int pad_block(struct erofs_writer *w, struct stream *s, struct error **err)
{
    const size_t rest = s->used % IMG_BLOCK_SIZE;

    return rest == 0 ? 0 : append(w, s, NULL, IMG_BLOCK_SIZE - rest, err);
}

/* Moves the metadata stream forward to an inode's place. */
static int seek_meta(struct erofs_writer *w, uint64_t offset, struct error **err)
{
    const uint64_t at = w->meta.block * IMG_BLOCK_SIZE + w->meta.used;

    return append(w, &w->meta, NULL, offset - at, err);
}

static int append_meta(void *ctx, const void *data, size_t size, struct error **err)
{
    struct erofs_writer *w = ctx;

    return append(w, &w->meta, data, size, err);
}

/* Whole blocks of a directory go to the directory blocks, a short one stays for the tail. */
static int append_dir(void *ctx, const void *data, size_t size, struct error **err)
{
    struct erofs_writer *w = ctx;
    const struct img_inode *i = &w->plan->tree->inodes[w->plan->order[w->next]];
    int r;

    if (size < EROFS_BLOCK_SIZE && i->layout == EROFS_FLAT_INLINE) {
        memcpy(w->tail, data, size);
        w->tail_at = size;
        return 0;
    }
    r = append(w, &w->dirs, data, size, err);
    return r < 0 ? r : pad_block(w, &w->dirs, err);
}

/* Stores the inode at plan->order[next] and its tail, and moves on. */
static int write_inode(struct erofs_writer *w, struct error **err)
{
    const struct img_inode *i = &w->plan->tree->inodes[w->plan->order[w->next]];
    int r = seek_meta(w, i->nid * EROFS_NID_SIZE, err);

    if (r == 0) {
        r = erofs_emit_inode(w->plan->tree, i, w->next + 1, append_meta, w, err);
    }
    if (r == 0) {
        r = append(w, &w->meta, w->tail, w->tail_at, err);
    }
    w->tail_at = 0;
    w->next++;
    return r;
}

static int write_fileless(struct erofs_writer *w, struct error **err)
{
    const struct img_tree *t = w->plan->tree;

    while (w->next < w->plan->first_file) {
        const struct img_inode *i = &t->inodes[w->plan->order[w->next]];
        int r = 0;

        if (img_is_dir(i)) {
            r = erofs_emit_dir(t, i->target, append_dir, w, err);
        } else if (img_is_lnk(i)) {
            r = append_dir(w, img_arena(t, i->target), (size_t)i->size, err);
        }
        if (r == 0) {
            r = write_inode(w, err);
        }
        if (r < 0) {
            return r;
        }
    }
    return flush(w, &w->dirs, err);
}

int erofs_writer_new(const struct erofs_plan *plan, struct img_sink sink, struct erofs_writer **ret,
                     struct error **err)
{
    _cleanup_erofs_writer_ struct erofs_writer *w = calloc(1, sizeof(*w));
    int r;

    if (w == NULL) {
        return error_set_errno(err, ENOMEM, "writing the image");
    }
    w->plan = plan;
    w->sink = sink;
    w->dirs.block = plan->dir_block;
    w->data.block = plan->data_block;
    r = write_fileless(w, err);
    if (r < 0) {
        return r;
    }
    *ret = TAKE_PTR(w);
    return 0;
}

bool erofs_writer_wants(const struct erofs_writer *w, uint16_t *ret_layer, uint32_t *ret_source)
{
    const struct img_inode *i;

    if (w->next >= w->plan->count) {
        return false;
    }
    i = &w->plan->tree->inodes[w->plan->order[w->next]];
    *ret_layer = i->layer;
    *ret_source = i->source;
    return true;
}

static int append_chunks(struct erofs_writer *w, const struct img_inode *i, const uint8_t *p,
                         uint64_t size, struct error **err)
{
    const unsigned shift = EROFS_BLOCK_BITS + i->chunk_bits;

    while (size > 0) {
        const uint64_t chunk = w->got >> shift;
        const uint64_t take = MIN(size, ((chunk + 1) << shift) - w->got);
        int r = 0;

        if (erofs_emit_chunk_present(w->plan->tree, i, chunk)) {
            r = append(w, &w->data, p, take, err);
        } else if (p != NULL && !img_is_zero(p, (size_t)take)) {
            r = error_set(err, EBADMSG, "a file changed while the image was read twice");
        }
        if (r < 0) {
            return r;
        }
        p = p == NULL ? NULL : p + take;
        w->got += take;
        size -= take;
    }
    return 0;
}

int erofs_writer_data(struct erofs_writer *w, const void *data, uint64_t size, struct error **err)
{
    const struct img_inode *i;
    const uint8_t *p = data;
    uint64_t whole;
    uint64_t take;
    int r;

    if (w->next >= w->plan->count) {
        return error_set(err, EINVAL, "no file's data is wanted any more");
    }
    i = &w->plan->tree->inodes[w->plan->order[w->next]];
    if (size > i->size - w->got) {
        return error_set(err, EBADMSG, "a file holds more than the %llu bytes its header says",
                         (unsigned long long)i->size);
    }
    if (i->layout == EROFS_CHUNK_BASED) {
        return append_chunks(w, i, p, size, err);
    }
    whole = i->layout == EROFS_FLAT_INLINE ? i->size & ~(uint64_t)(EROFS_BLOCK_SIZE - 1) : i->size;
    take = w->got < whole ? MIN(size, whole - w->got) : 0;
    r = append(w, &w->data, p, take, err);
    if (r < 0) {
        return r;
    }
    if (size > take) {
        if (p != NULL) {
            memcpy(w->tail + w->tail_at, p + take, (size_t)(size - take));
        } else {
            memset(w->tail + w->tail_at, 0, (size_t)(size - take));
        }
        w->tail_at += (size_t)(size - take);
    }
    w->got += size;
    return 0;
}

int erofs_writer_file_done(struct erofs_writer *w, struct error **err)
{
    const struct img_inode *i;
    int r;

    if (w->next >= w->plan->count) {
        return error_set(err, EINVAL, "no file's data is wanted any more");
    }
    i = &w->plan->tree->inodes[w->plan->order[w->next]];
    if (w->got != i->size) {
        return error_set(err, EBADMSG, "a file ends after %llu of its %llu bytes",
                         (unsigned long long)w->got, (unsigned long long)i->size);
    }
    r = pad_block(w, &w->data, err);
    if (r == 0) {
        r = write_inode(w, err);
    }
    w->got = 0;
    return r;
}

int erofs_writer_finish(struct erofs_writer *w, struct error **err)
{
    int r;

    if (w->next != w->plan->count) {
        return error_set(err, EINVAL, "the data of %u files is missing", w->plan->count - w->next);
    }
    r = pad_block(w, &w->meta, err);
    if (r == 0) {
        r = flush(w, &w->meta, err);
    }
    if (r == 0) {
        r = flush(w, &w->data, err);
    }
    return r;
}
