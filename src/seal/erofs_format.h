/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * EROFS as Linux defines it (Documentation/filesystems/erofs.rst), the part without compression:
 * all that nacre writes, and what it reads. Little-endian; blocks of 4 KiB; an inode number ("nid")
 * is a position: meta block * 4096 + nid * 32.
 */

#include "core/types.h"

#define EROFS_MAGIC        0xe0f5e1e2u
#define EROFS_SUPER_OFFSET 1024u
#define EROFS_BLOCK_SIZE   4096u
#define EROFS_BLOCK_BITS   12u
#define EROFS_NID_SIZE     32u

#define EROFS_COMPAT_SB_CHKSUM 0x1u
#define EROFS_COMPAT_MTIME     0x2u

/* Set by mkfs.erofs on every image, compressed or not; without meaning for plain inodes. */
#define EROFS_INCOMPAT_ZERO_PADDING 0x1u
#define EROFS_INCOMPAT_CHUNKED_FILE 0x4u

struct erofs_super_block {
    uint32_t magic;
    uint32_t checksum; /* CRC-32C from this structure to the end of the block, this field zero */
    uint32_t feature_compat;
    uint8_t blkszbits;
    uint8_t sb_extslots;
    uint16_t root_nid;
    uint64_t inos;
    uint64_t build_time;
    uint32_t build_time_nsec;
    uint32_t blocks;
    uint32_t meta_blkaddr;
    uint32_t xattr_blkaddr;
    uint8_t uuid[16];
    uint8_t volume_name[16];
    uint32_t feature_incompat;
    uint16_t available_compr_algs;
    uint16_t extra_devices;
    uint16_t devt_slotoff;
    uint8_t dirblkbits;
    uint8_t xattr_prefix_count;
    uint32_t xattr_prefix_start;
    uint64_t packed_nid;
    uint8_t xattr_filter_reserved;
    uint8_t reserved2[23];
} _packed_;
_Static_assert(sizeof(struct erofs_super_block) == 128, "on disk");

/* i_format: bit 0 the version (1: extended), bits 1-3 the data layout. */
#define EROFS_FORMAT_EXTENDED     0x1u
#define EROFS_FORMAT_LAYOUT_SHIFT 1u
#define EROFS_FORMAT_KNOWN_BITS   0xfu

enum erofs_layout {
    EROFS_FLAT_PLAIN = 0,
    EROFS_FLAT_INLINE = 2, /* the last, partial block lies behind the inode */
    EROFS_CHUNK_BASED = 4,
};

#define EROFS_CHUNK_BITS_MASK 0x1fu
#define EROFS_CHUNK_INDEXES   0x20u /* 8-byte entries instead of 4-byte block addresses */
#define EROFS_NULL_ADDR       0xffffffffu

struct erofs_inode_compact {
    uint16_t i_format;
    uint16_t i_xattr_icount;
    uint16_t i_mode;
    uint16_t i_nlink;
    uint32_t i_size;
    uint32_t i_reserved;
    uint32_t i_u;
    uint32_t i_ino;
    uint16_t i_uid;
    uint16_t i_gid;
    uint32_t i_reserved2;
} _packed_;
_Static_assert(sizeof(struct erofs_inode_compact) == 32, "on disk");

struct erofs_inode_extended {
    uint16_t i_format;
    uint16_t i_xattr_icount;
    uint16_t i_mode;
    uint16_t i_reserved;
    uint64_t i_size;
    uint32_t i_u; /* block address, device number, or chunk format */
    uint32_t i_ino;
    uint32_t i_uid;
    uint32_t i_gid;
    uint64_t i_mtime;
    uint32_t i_mtime_nsec;
    uint32_t i_nlink;
    uint8_t i_reserved2[16];
} _packed_;
_Static_assert(sizeof(struct erofs_inode_extended) == 64, "on disk");

struct erofs_chunk_index {
    uint16_t advise;
    uint16_t device_id;
    uint32_t blkaddr;
} _packed_;

/* Extended attributes behind the inode: this header, shared ids, then entries, 4-byte aligned. */
struct erofs_xattr_ibody_header {
    uint32_t h_reserved;
    uint8_t h_shared_count;
    uint8_t h_reserved2[7];
} _packed_;
_Static_assert(sizeof(struct erofs_xattr_ibody_header) == 12, "on disk");

struct erofs_xattr_entry {
    uint8_t e_name_len;
    uint8_t e_name_index;
    uint16_t e_value_size;
} _packed_;
_Static_assert(sizeof(struct erofs_xattr_entry) == 4, "on disk");

struct erofs_dirent {
    uint64_t nid;
    uint16_t nameoff;
    uint8_t file_type;
    uint8_t reserved;
} _packed_;
_Static_assert(sizeof(struct erofs_dirent) == 12, "on disk");

#define EROFS_NAME_MAX 255u

enum erofs_file_type {
    EROFS_FT_UNKNOWN,
    EROFS_FT_REG,
    EROFS_FT_DIR,
    EROFS_FT_CHR,
    EROFS_FT_BLK,
    EROFS_FT_FIFO,
    EROFS_FT_SOCK,
    EROFS_FT_SYMLINK,
    EROFS_FT_COUNT,
};
