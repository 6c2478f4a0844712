/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/erofs_emit.h"

#include <string.h>

#include "core/le.h"

#define MAP_BATCH 256u

static uint64_t chunk_count(const struct img_inode *i)
{
    const unsigned shift = EROFS_BLOCK_BITS + i->chunk_bits;

    return (i->size >> shift) + ((i->size & ((1ull << shift) - 1)) != 0);
}

bool erofs_emit_chunk_present(const struct img_tree *t, const struct img_inode *i, uint64_t chunk)
{
    return (t->arena[i->holes + chunk / 8] & 1u << chunk % 8) != 0;
}

/* Blocks of one chunk: the last chunk of a file ends with the file. */
static uint64_t blocks_of_chunk(const struct img_inode *i, uint64_t chunk)
{
    const uint64_t per_chunk = 1ull << i->chunk_bits;
    const uint64_t blocks = (i->size + EROFS_BLOCK_SIZE - 1) / EROFS_BLOCK_SIZE;

    return MIN(per_chunk, blocks - chunk * per_chunk);
}

uint64_t erofs_emit_chunk_blocks(const struct img_tree *t, const struct img_inode *i)
{
    uint64_t blocks = 0;

    for (uint64_t c = 0; c < chunk_count(i); c++) {
        blocks += erofs_emit_chunk_present(t, i, c) ? blocks_of_chunk(i, c) : 0;
    }
    return blocks;
}

uint64_t erofs_emit_inode_size(const struct img_inode *i)
{
    uint64_t size = sizeof(struct erofs_inode_extended) + i->xattr_size;

    if (i->layout == EROFS_CHUNK_BASED) {
        size += 4 * chunk_count(i);
    }
    return size;
}

static int emit_chunk_map(const struct img_tree *t, const struct img_inode *i, erofs_emit_fn emit,
                          void *ctx, struct error **err)
{
    const uint64_t chunks = chunk_count(i);
    uint32_t map[MAP_BATCH];
    uint32_t block = i->blkaddr;
    size_t n = 0;

    for (uint64_t c = 0; c < chunks; c++) {
        if (erofs_emit_chunk_present(t, i, c)) {
            map[n++] = block;
            block += (uint32_t)blocks_of_chunk(i, c);
        } else {
            map[n++] = EROFS_NULL_ADDR;
        }
        if (n == MAP_BATCH || c + 1 == chunks) {
            int r = emit(ctx, map, n * sizeof(map[0]), err);

            if (r < 0) {
                return r;
            }
            n = 0;
        }
    }
    return 0;
}

static int emit_xattrs(const struct img_tree *t, const struct img_inode *i, erofs_emit_fn emit,
                       void *ctx, struct error **err)
{
    const struct erofs_xattr_ibody_header header = {0};
    uint32_t left = i->xattr_size - (uint32_t)sizeof(header);
    const uint8_t *p = img_arena(t, i->xattrs);
    int r = emit(ctx, &header, sizeof(header), err);

    while (r == 0 && left > 0) {
        static const uint8_t zero[4];
        const struct erofs_xattr_entry e = {
            .e_name_index = p[0], .e_name_len = p[1], .e_value_size = le16_load(p + 2)};
        const uint32_t size = (uint32_t)sizeof(e) + e.e_name_len + e.e_value_size;
        const uint32_t padded = (size + 3) & ~3u;

        r = emit(ctx, &e, sizeof(e), err);
        if (r == 0) {
            r = emit(ctx, p + 4, size - sizeof(e), err);
        }
        if (r == 0 && padded > size) {
            r = emit(ctx, zero, padded - size, err);
        }
        p += size; /* the packed form has a header of the same size */
        left -= padded;
    }
    return r;
}

static uint32_t inode_union(const struct img_inode *i)
{
    const uint32_t type = i->mode & 0170000u;

    if (i->layout == EROFS_CHUNK_BASED) {
        return i->chunk_bits;
    }
    if (type == 0020000u || type == 0060000u) {
        return i->rdev;
    }
    return i->blkaddr;
}

int erofs_emit_inode(const struct img_tree *t, const struct img_inode *i, uint32_t number,
                     erofs_emit_fn emit, void *ctx, struct error **err)
{
    const struct erofs_inode_extended e = {
        .i_format = (uint16_t)(EROFS_FORMAT_EXTENDED | i->layout << EROFS_FORMAT_LAYOUT_SHIFT),
        .i_xattr_icount =
            i->xattr_size == 0
                ? 0
                : (uint16_t)((i->xattr_size - sizeof(struct erofs_xattr_ibody_header)) / 4 + 1),
        .i_mode = (uint16_t)i->mode,
        .i_size = i->size,
        .i_u = inode_union(i),
        .i_ino = number,
        .i_uid = i->uid,
        .i_gid = i->gid,
        .i_mtime = (uint64_t)i->mtime,
        .i_mtime_nsec = i->mtime_nsec,
        .i_nlink = i->links,
    };
    int r = emit(ctx, &e, sizeof(e), err);

    if (r == 0 && i->xattr_size > 0) {
        r = emit_xattrs(t, i, emit, ctx, err);
    }
    if (r == 0 && i->layout == EROFS_CHUNK_BASED) {
        r = emit_chunk_map(t, i, emit, ctx, err);
    }
    return r;
}

/* Walks a sorted directory with "." and ".." at their places in the order. */
struct walk {
    const struct img_tree *t;
    uint32_t dir;
    uint32_t next;
    unsigned dots; /* how many of "." and ".." were given */
};

struct walk_name {
    const char *name;
    size_t size;
    uint32_t inode;
};

static bool walk_next(struct walk *w, struct walk_name *ret)
{
    static const char dots[] = "..";
    const struct img_entry *e = w->next == IMG_NONE ? NULL : img_entry_at(w->t, w->next);

    if (w->dots < 2) {
        const size_t size = w->dots + 1u;
        const char *name = e == NULL ? NULL : (const char *)img_arena(w->t, e->name);
        const int c = e == NULL ? -1 : memcmp(dots, name, MIN(size, (size_t)e->name_size));

        if (c < 0 || (c == 0 && size <= e->name_size)) {
            const uint32_t entry = w->dots == 0 ? w->dir : img_entry_at(w->t, w->dir)->parent;

            *ret = (struct walk_name){
                .name = dots, .size = size, .inode = img_entry_at(w->t, entry)->inode};
            w->dots++;
            return true;
        }
    }
    if (e == NULL) {
        return false;
    }
    *ret = (struct walk_name){
        .name = (const char *)img_arena(w->t, e->name), .size = e->name_size, .inode = e->inode};
    w->next = e->next;
    return true;
}

static struct walk walk_start(const struct img_tree *t, uint32_t dir)
{
    return (struct walk){.t = t, .dir = dir, .next = img_entry_at(t, dir)->first};
}

uint64_t erofs_emit_dir_size(const struct img_tree *t, uint32_t dir)
{
    struct walk w = walk_start(t, dir);
    struct walk_name n;
    uint64_t blocks = 0;
    size_t used = 0;

    while (walk_next(&w, &n)) {
        const size_t need = sizeof(struct erofs_dirent) + n.size;

        if (used + need > EROFS_BLOCK_SIZE) {
            blocks++;
            used = 0;
        }
        used += need;
    }
    return blocks * EROFS_BLOCK_SIZE + used;
}

static uint8_t file_type(uint32_t mode)
{
    switch (mode & 0170000u) {
    case 0040000u: return EROFS_FT_DIR;
    case 0020000u: return EROFS_FT_CHR;
    case 0060000u: return EROFS_FT_BLK;
    case 0010000u: return EROFS_FT_FIFO;
    case 0140000u: return EROFS_FT_SOCK;
    case 0120000u: return EROFS_FT_SYMLINK;
    default: return EROFS_FT_REG;
    }
}

/* Builds one block from the names gathered. Returns the bytes used. */
static size_t build_block(const struct img_tree *t, const struct walk_name *names, size_t count,
                          uint8_t block[static EROFS_BLOCK_SIZE])
{
    size_t at = count * sizeof(struct erofs_dirent);

    memset(block, 0, EROFS_BLOCK_SIZE);
    for (size_t i = 0; i < count; i++) {
        const struct img_inode *in = &t->inodes[names[i].inode];
        const struct erofs_dirent d = {
            .nid = in->nid, .nameoff = (uint16_t)at, .file_type = file_type(in->mode)};

        memcpy(block + i * sizeof(d), &d, sizeof(d));
        memcpy(block + at, names[i].name, names[i].size);
        at += names[i].size;
    }
    return at;
}

int erofs_emit_dir(const struct img_tree *t, uint32_t dir, erofs_emit_fn emit, void *ctx,
                   struct error **err)
{
    struct walk_name names[EROFS_BLOCK_SIZE / sizeof(struct erofs_dirent)];
    uint8_t block[EROFS_BLOCK_SIZE];
    struct walk w = walk_start(t, dir);
    struct walk_name n;
    size_t count = 0;
    size_t used = 0;

    while (walk_next(&w, &n)) {
        const size_t need = sizeof(struct erofs_dirent) + n.size;

        if (used + need > EROFS_BLOCK_SIZE) {
            int r;

            (void)build_block(t, names, count, block);
            r = emit(ctx, block, sizeof(block), err);
            if (r < 0) {
                return r;
            }
            count = 0;
            used = 0;
        }
        names[count++] = n;
        used += need;
    }
    return emit(ctx, block, build_block(t, names, count, block), err);
}
