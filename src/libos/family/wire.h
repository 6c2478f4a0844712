/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Requests and answers about shared objects (family/ops.tbl.h). A handle names an open file or an
 * inode of the owner's for one member; 0 is none. It counts how often it was granted, so that a
 * grant on its way and a handle given back do not miss each other.
 */

#include "core/types.h"

struct wire_time {
    int64_t sec;
    uint32_t nsec;
    uint32_t zero;
};

/* Answer of lookup, create, tmpfile, getattr, setattr …: a grant of `handle` unless it is 0. */
struct wire_attr {
    uint32_t handle;
    uint32_t inode_flags;
    uint64_t dev, ino, rdev, size, blocks;
    uint32_t mode, uid, gid, nlink;
    uint32_t seals;
    uint32_t sb_flags;
    uint64_t lower_ino; /* the same as this inode of the lower file system; 0: not (any more) */
    struct wire_time atime, mtime, ctime, btime;
};
_Static_assert(sizeof(struct wire_attr) == 144, "wire");

struct wire_grant {
    uint32_t handle;
    uint32_t grants;
} _packed_;

#define WIRE_AT  0x1u /* `pos` is meant, not the position of the open file */
#define WIRE_ARM 0x2u /* when it would have to wait: tell when that may have changed */
struct wire_file_io {
    uint32_t handle;
    uint32_t flags; /* RWF_* */
    uint64_t pos;
    uint32_t size;
    uint32_t how; /* WIRE_* */
} _packed_;       /* file_write: and the bytes */

struct wire_file_seek {
    uint32_t handle;
    int32_t whence;
    int64_t offset;
} _packed_;

struct wire_file_word {
    uint32_t handle;
    uint32_t word; /* poll: WIRE_ARM; flags: the flags */
} _packed_;

struct wire_pipe_size {
    uint32_t handle;
    uint64_t size;
} _packed_;

struct wire_open {
    uint32_t handle; /* of an inode */
    uint32_t flags;
    uint64_t pos;
} _packed_;

struct wire_opened { /* answer */
    uint32_t handle;
    uint32_t zero;
    uint64_t writers; /* of a FIFO, just before */
};

struct wire_name { /* and `size` bytes of name, all that follow */
    uint32_t handle;
} _packed_;

struct wire_create { /* and the name, and for symbolic links the text */
    uint32_t handle;
    uint32_t mode, uid, gid;
    uint64_t rdev;
    uint32_t name_size;
    uint32_t zero;
} _packed_;

struct wire_link { /* and the name */
    uint32_t handle;
    uint32_t target;
} _packed_;

struct wire_rename { /* and both names */
    uint32_t from, to;
    uint32_t flags; /* RENAME_* */
    uint16_t from_size, to_size;
} _packed_;

struct wire_readdir {
    uint32_t handle;
    uint32_t zero;
    uint64_t pos;
} _packed_;
struct wire_entry { /* and the name */
    uint64_t ino, next;
    uint8_t type;
    uint8_t name_size;
} _packed_;

/* Beside the flags of a file system in wire_attr.sb_flags: somebody uses inotify. */
#define WIRE_SB_NOTIFY 0x80000000u

struct wire_setattr {
    uint32_t handle;
    uint32_t valid;
    uint32_t mode, uid, gid;
    uint32_t zero;
    uint64_t size;
    int64_t atime_sec, mtime_sec;
    uint32_t atime_nsec, mtime_nsec;
} _packed_;
_Static_assert(sizeof(struct wire_setattr) == 56, "wire");

struct wire_io {
    uint32_t handle;
    uint32_t word; /* read: size; write: 1 to append; fallocate: mode; seek_data: 1 for a hole */
    uint64_t offset;
} _packed_;
struct wire_io_size { /* write: and the bytes */
    struct wire_io io;
    uint64_t size;
} _packed_;
struct wire_written { /* answer of write */
    uint64_t offset, size;
};

struct wire_xattr { /* and the name, and the value when it is set */
    uint32_t handle;
    uint32_t size; /* get, list: room; set: of the value */
} _packed_;
struct wire_setxattr {
    uint32_t handle;
    uint32_t flags;
    uint32_t name_size;
} _packed_;

#define WIRE_LOCK_TEST 0x1u
#define WIRE_LOCK_ARM  0x2u
struct wire_lock {
    uint32_t inode;
    uint32_t file; /* handle of the open file whose lock it is, or 0 */
    uint64_t owner;
    uint32_t kind;
    int32_t type;
    uint64_t start, end;
    int32_t pid;
    uint32_t how; /* WIRE_LOCK_* */
} _packed_;
_Static_assert(sizeof(struct wire_lock) == 48, "wire");
struct wire_unlock {
    uint32_t inode;
    uint32_t file;
    uint64_t owner;
    uint32_t kind;
    uint32_t zero;
} _packed_;

/* Whose socket call it is: what SO_PEERCRED and SCM_CREDENTIALS will say. */
struct wire_sock {
    uint32_t handle;
    uint32_t word, word2;
    int32_t pid;
    uint32_t uid, gid;
};
_Static_assert(sizeof(struct wire_sock) == 24, "wire");

/* What a message has beside its data. Sending, it follows struct wire_sock (word: flags); in the
 * answer of receive it comes first. Then wire_passed for each file, the address, the data. */
struct wire_message {
    uint32_t flags; /* received: MSG_* for the caller */
    uint32_t addr_size;
    uint32_t has_addr;
    uint32_t has_cred;
    int32_t pid;
    uint32_t uid, gid;
    uint32_t file_count;
};
#define WIRE_FILES_MAX 64u

/* An open file on its way: a handle of the sender's, or a grant for the receiver. */
struct wire_passed {
    uint32_t handle;
    uint32_t inode; /* regular files: a grant of the inode as well */
    uint32_t mode;  /* S_IFMT */
    uint32_t flags, file_mode;
    int32_t family, type; /* sockets */
    uint32_t zero;
    struct wire_attr attr; /* regular files */
};

/* Event: `ino` of file system `dev` differs from the lower from now on; acknowledge `value`.
 * Request: those from the `ino`-th on (24 bytes shorter by `value`); the answer is an array of
 * numbers. */
struct wire_touched {
    uint64_t dev, ino, value;
};

struct wire_timer { /* answers: struct itimerspec64 */
    uint32_t handle;
    uint32_t flags; /* TFD_TIMER_* */
    uint64_t value, interval;
} _packed_;

struct wire_watch {
    uint32_t handle; /* of the inotify */
    uint32_t inode;  /* 0: one that is not the family's */
    uint32_t mask;
} _packed_;

struct wire_notify { /* and the name */
    uint32_t dir;    /* 0: it has no name */
    uint32_t inode;
    uint32_t mask;
} _packed_;

struct wire_ready { /* event */
    uint32_t handle;
    uint32_t events; /* EV_*; 0: look */
} _packed_;
