/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "seal/erofs.h"

#include "core/overflow.h"
#include "seal/erofs_internal.h"

#define MODE_TYPE 0170000u
#define MODE_REG  0100000u
#define MODE_LNK  0120000u

/* Files above this would overflow a loff_t. */
#define SIZE_MAX_FILE 0x7fffffffffffffffull

int erofs_get(const struct erofs *fs, uint64_t block, const uint8_t **ret)
{
    if (block >= fs->block_count) {
        return -EUCLEAN;
    }
    return fs->io->get(fs->ctx, block, ret);
}

void erofs_put(const struct erofs *fs, uint64_t block, const uint8_t *data)
{
    if (fs->io->put != NULL) {
        fs->io->put(fs->ctx, block, data);
    }
}

int erofs_pread(const struct erofs *fs, uint64_t offset, void *dst, size_t size)
{
    uint8_t *p = dst;

    if (!range_within(offset, size, 0, fs->block_count * EROFS_BLOCK_SIZE)) {
        return -EUCLEAN;
    }
    while (size > 0) {
        const uint64_t block = offset / EROFS_BLOCK_SIZE;
        const size_t at = (size_t)(offset % EROFS_BLOCK_SIZE);
        const size_t take = MIN(size, EROFS_BLOCK_SIZE - at);
        const uint8_t *data;
        int r = erofs_get(fs, block, &data);

        if (r < 0) {
            return r;
        }
        __builtin_memcpy(p, data + at, take);
        erofs_put(fs, block, data);
        p += take;
        offset += take;
        size -= take;
    }
    return 0;
}

/* Bitwise: only the superblock's block is ever summed. Reflected polynomial, no final inversion. */
uint32_t erofs_crc32c(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1u)));
        }
    }
    return crc;
}

static int check_sum(const uint8_t *block, uint32_t stored)
{
    static const uint8_t zero[4];
    const uint8_t *sb = block + EROFS_SUPER_OFFSET;
    uint32_t crc = erofs_crc32c(0xffffffffu, sb, 4);

    crc = erofs_crc32c(crc, zero, sizeof(zero));
    crc = erofs_crc32c(crc, sb + 8, EROFS_BLOCK_SIZE - EROFS_SUPER_OFFSET - 8);
    return crc == stored ? 0 : -EUCLEAN;
}

static int check_super(struct erofs *fs, const struct erofs_super_block *sb)
{
    const uint32_t known = EROFS_INCOMPAT_ZERO_PADDING | EROFS_INCOMPAT_CHUNKED_FILE;

    if (sb->magic != EROFS_MAGIC) {
        return -EUCLEAN;
    }
    if (sb->blkszbits != EROFS_BLOCK_BITS || sb->dirblkbits != 0 ||
        (sb->feature_incompat & ~known) != 0) {
        return -EOPNOTSUPP;
    }
    if (sb->blocks == 0 || sb->blocks > fs->block_count || sb->meta_blkaddr >= sb->blocks ||
        sb->xattr_blkaddr >= sb->blocks) {
        return -EUCLEAN;
    }
    fs->block_count = sb->blocks;
    fs->meta_offset = (uint64_t)sb->meta_blkaddr * EROFS_BLOCK_SIZE;
    fs->xattr_offset = (uint64_t)sb->xattr_blkaddr * EROFS_BLOCK_SIZE;
    fs->root_nid = sb->root_nid;
    fs->inode_count = sb->inos;
    fs->build_time = (int64_t)sb->build_time;
    fs->build_time_nsec = sb->build_time_nsec;
    return sb->build_time_nsec < 1000000000u ? 0 : -EUCLEAN;
}

int erofs_open(struct erofs *fs, const struct erofs_io *io, void *ctx, uint64_t block_count)
{
    struct erofs f = {.io = io, .ctx = ctx, .block_count = block_count};
    struct erofs_super_block sb;
    struct erofs_inode root;
    const uint8_t *block;
    int r;

    r = erofs_get(&f, 0, &block);
    if (r < 0) {
        return r;
    }
    __builtin_memcpy(&sb, block + EROFS_SUPER_OFFSET, sizeof(sb));
    r = check_super(&f, &sb);
    if (r == 0 && (sb.feature_compat & EROFS_COMPAT_SB_CHKSUM) != 0) {
        r = check_sum(block, sb.checksum);
    }
    erofs_put(&f, 0, block);
    if (r < 0) {
        return r;
    }
    r = erofs_inode_read(&f, f.root_nid, &root);
    if (r < 0) {
        return r;
    }
    if (!erofs_is_dir(&root)) {
        return -EUCLEAN;
    }
    *fs = f;
    return 0;
}

static void from_extended(struct erofs_inode *in, const struct erofs_inode_extended *e)
{
    in->mode = e->i_mode;
    in->size = e->i_size;
    in->uid = e->i_uid;
    in->gid = e->i_gid;
    in->nlink = e->i_nlink;
    in->ino = e->i_ino;
    in->mtime = (int64_t)e->i_mtime;
    in->mtime_nsec = e->i_mtime_nsec;
}

static void from_compact(const struct erofs *fs, struct erofs_inode *in,
                         const struct erofs_inode_compact *c)
{
    in->mode = c->i_mode;
    in->size = c->i_size;
    in->uid = c->i_uid;
    in->gid = c->i_gid;
    in->nlink = c->i_nlink;
    in->ino = c->i_ino;
    in->mtime = fs->build_time;
    in->mtime_nsec = fs->build_time_nsec;
}

/* Flat files: all whole blocks, and the tail, must lie inside the image. */
static int check_flat(const struct erofs *fs, const struct erofs_inode *in)
{
    const uint64_t tail = in->size % EROFS_BLOCK_SIZE;
    uint64_t blocks = in->size / EROFS_BLOCK_SIZE;

    if (in->layout == EROFS_FLAT_INLINE && tail > 0) {
        /* The format forbids a tail that crosses a block. */
        if (in->body_offset % EROFS_BLOCK_SIZE + tail > EROFS_BLOCK_SIZE ||
            !range_within(in->body_offset, tail, 0, fs->block_count * EROFS_BLOCK_SIZE)) {
            return -EUCLEAN;
        }
    } else {
        blocks += tail > 0;
    }
    if (blocks > 0 && !range_within(in->blkaddr, blocks, 0, fs->block_count)) {
        return -EUCLEAN;
    }
    return 0;
}

static int check_chunks(const struct erofs *fs, struct erofs_inode *in, uint32_t format)
{
    uint64_t entries;
    uint64_t map_size;

    if ((format & ~(EROFS_CHUNK_BITS_MASK | EROFS_CHUNK_INDEXES)) != 0 ||
        (in->mode & MODE_TYPE) != MODE_REG) {
        return -EUCLEAN;
    }
    in->chunk_shift = EROFS_BLOCK_BITS + (format & EROFS_CHUNK_BITS_MASK);
    in->chunk_entry = (format & EROFS_CHUNK_INDEXES) != 0 ? 8 : 4;
    in->body_offset = (in->body_offset + in->chunk_entry - 1) & ~(uint64_t)(in->chunk_entry - 1);
    entries = (in->size >> in->chunk_shift) + ((in->size & ((1ull << in->chunk_shift) - 1)) != 0);
    if (mul_overflow(entries, in->chunk_entry, &map_size) ||
        !range_within(in->body_offset, map_size, 0, fs->block_count * EROFS_BLOCK_SIZE)) {
        return -EUCLEAN;
    }
    return 0;
}

static int check_inode(const struct erofs *fs, struct erofs_inode *in, uint32_t u)
{
    static const uint8_t known_type[16] = {
        [1] = 1, [2] = 1, [4] = 1, [6] = 1, [8] = 1, [10] = 1, [12] = 1};
    const uint32_t type = in->mode & MODE_TYPE;

    if (known_type[type >> 12] == 0 || in->size > SIZE_MAX_FILE || in->mtime_nsec >= 1000000000u) {
        return -EUCLEAN;
    }
    if (!erofs_is_dir(in) && type != MODE_REG && type != MODE_LNK) {
        in->rdev = u;
        in->size = 0;
        return 0;
    }
    switch (in->layout) {
    case EROFS_FLAT_PLAIN:
    case EROFS_FLAT_INLINE: in->blkaddr = u; return check_flat(fs, in);
    case EROFS_CHUNK_BASED: return check_chunks(fs, in, u);
    }
    return -EOPNOTSUPP;
}

int erofs_inode_read(const struct erofs *fs, uint64_t nid, struct erofs_inode *ret)
{
    struct erofs_inode in = {.nid = nid};
    struct erofs_inode_extended e;
    struct erofs_inode_compact c;
    uint32_t u;
    uint64_t offset;
    uint64_t header = sizeof(c);
    int r;

    if (mul_overflow(nid, EROFS_NID_SIZE, &offset) ||
        add_overflow(offset, fs->meta_offset, &offset)) {
        return -EUCLEAN;
    }
    r = erofs_pread(fs, offset, &c, sizeof(c));
    if (r < 0) {
        return r;
    }
    if ((c.i_format & ~EROFS_FORMAT_KNOWN_BITS) != 0) {
        return -EOPNOTSUPP;
    }
    if ((c.i_format & EROFS_FORMAT_EXTENDED) != 0) {
        r = erofs_pread(fs, offset, &e, sizeof(e));
        if (r < 0) {
            return r;
        }
        from_extended(&in, &e);
        u = e.i_u;
        header = sizeof(e);
    } else {
        from_compact(fs, &in, &c);
        u = c.i_u;
    }
    if (c.i_xattr_icount > 0) {
        in.xattr_size =
            (uint32_t)sizeof(struct erofs_xattr_ibody_header) + 4u * (c.i_xattr_icount - 1u);
    }
    in.layout = (enum erofs_layout)(c.i_format >> EROFS_FORMAT_LAYOUT_SHIFT);
    in.xattr_offset = offset + header;
    in.body_offset = in.xattr_offset + in.xattr_size;
    r = check_inode(fs, &in, u);
    if (r < 0) {
        return r;
    }
    *ret = in;
    return 0;
}

static int map_chunk(const struct erofs *fs, const struct erofs_inode *in, uint64_t offset,
                     struct erofs_extent *ret)
{
    const uint64_t index = offset >> in->chunk_shift;
    const uint64_t within = offset & ((1ull << in->chunk_shift) - 1);
    struct erofs_chunk_index entry = {0};
    uint64_t entry_offset;
    uint64_t start;
    int r;

    /* check_chunks() saw the whole map inside the image. */
    entry_offset = in->body_offset + index * in->chunk_entry;
    if (in->chunk_entry == 4) {
        r = erofs_pread(fs, entry_offset, &entry.blkaddr, 4);
    } else {
        r = erofs_pread(fs, entry_offset, &entry, sizeof(entry));
    }
    if (r < 0) {
        return r;
    }
    *ret = (struct erofs_extent){
        .length = MIN((1ull << in->chunk_shift) - within, in->size - offset),
        .hole = entry.blkaddr == EROFS_NULL_ADDR,
    };
    if (ret->hole) {
        return 0;
    }
    start = (uint64_t)entry.blkaddr * EROFS_BLOCK_SIZE + within;
    if (entry.device_id != 0) {
        return -EOPNOTSUPP;
    }
    if (!range_within(start, ret->length, 0, fs->block_count * EROFS_BLOCK_SIZE)) {
        return -EUCLEAN;
    }
    ret->image = start;
    return 0;
}

int erofs_map(const struct erofs *fs, const struct erofs_inode *in, uint64_t offset,
              struct erofs_extent *ret)
{
    const uint64_t whole = in->size & ~(uint64_t)(EROFS_BLOCK_SIZE - 1);

    if (offset >= in->size) {
        *ret = (struct erofs_extent){0};
        return 0;
    }
    if (in->layout == EROFS_CHUNK_BASED) {
        return map_chunk(fs, in, offset, ret);
    }
    if (in->layout == EROFS_FLAT_INLINE && offset >= whole) {
        *ret = (struct erofs_extent){.length = in->size - offset,
                                     .image = in->body_offset + (offset - whole)};
        return 0;
    }
    *ret = (struct erofs_extent){
        .length = (in->layout == EROFS_FLAT_INLINE ? whole : in->size) - offset,
        .image = (uint64_t)in->blkaddr * EROFS_BLOCK_SIZE + offset,
    };
    return 0;
}

int erofs_read(const struct erofs *fs, const struct erofs_inode *in, uint64_t offset, void *dst,
               size_t size, size_t *ret_size)
{
    uint8_t *p = dst;
    size_t done = 0;

    while (done < size) {
        struct erofs_extent x;
        size_t take;
        int r = erofs_map(fs, in, offset, &x);

        if (r < 0) {
            return r;
        }
        if (x.length == 0) {
            break;
        }
        take = (size_t)MIN(x.length, (uint64_t)(size - done));
        if (x.hole) {
            __builtin_memset(p + done, 0, take);
        } else {
            r = erofs_pread(fs, x.image, p + done, take);
            if (r < 0) {
                return r;
            }
        }
        done += take;
        offset += take;
    }
    *ret_size = done;
    return 0;
}

int erofs_readlink(const struct erofs *fs, const struct erofs_inode *in, char *dst, size_t size,
                   size_t *ret_size)
{
    size_t n;
    int r;

    if ((in->mode & MODE_TYPE) != MODE_LNK) {
        return -EINVAL;
    }
    if (in->size == 0 || in->size > EROFS_SYMLINK_MAX) {
        return -EUCLEAN;
    }
    r = erofs_read(fs, in, 0, dst, MIN(size, (size_t)in->size), &n);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < n; i++) {
        if (dst[i] == '\0') {
            return -EUCLEAN;
        }
    }
    *ret_size = n;
    return 0;
}
