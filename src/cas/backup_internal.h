/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include <stdio.h>

#include "cas/backup.h"

#define BACKUP_HEADER_SIZE 128u
#define BACKUP_LOCK_SIZE   112u
#define BACKUP_CHUNK_MAX   ((size_t)64 * 1024)

/* --- backup_key.c --- */

/* Fills the header and makes its key. */
[[nodiscard]] int backup_key_make(const struct backup_lock *lock,
                                  uint8_t ret_header[static BACKUP_HEADER_SIZE],
                                  uint8_t ret_key[static 32], struct error **err);
/* The key a header asks for. */
[[nodiscard]] int backup_key_open(const struct backup_lock *lock,
                                  const uint8_t header[static BACKUP_HEADER_SIZE],
                                  uint8_t ret_key[static 32], struct error **err);

/* --- backup_stream.c --- */

struct backup_stream {
    FILE *f; /* borrowed */
    uint8_t key[32];
    uint8_t bound[33]; /* additional data: hash of the header, last or not */
    uint64_t number;   /* of the next chunk */
    uint8_t *buf;
    size_t used; /* writing: bytes in buf. Reading: bytes of the chunk */
    size_t at;   /* reading: bytes taken out */
    bool last;   /* reading: the chunk is the last one */
};

[[nodiscard]] int backup_stream_open(FILE *f, const uint8_t header[static BACKUP_HEADER_SIZE],
                                     const uint8_t key[static 32], struct backup_stream *ret);
void backup_stream_clear(struct backup_stream *s);

[[nodiscard]] int backup_put(struct backup_stream *s, const void *data, size_t size);
[[nodiscard]] int backup_finish(struct backup_stream *s); /* writes the last chunk */

/* Exactly `size` bytes. -EBADMSG. */
[[nodiscard]] int backup_get(struct backup_stream *s, void *ret, size_t size);
/* 0 when nothing is left and nothing was cut off. -EBADMSG. */
[[nodiscard]] int backup_end(struct backup_stream *s);
