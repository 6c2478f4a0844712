/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* What the verbs on sealed images share: keys and roots from the command line, progress. */

#include "base/secret.h"
#include "image/layer_stream.h"
#include "seal/seal.h"

/* Reads a 32-byte key: 64 hexadecimal digits (and a line end), or 32 raw bytes. "-" is stdin. */
[[nodiscard]] int sealed_read_key(const char *path, struct secret **ret, struct error **err);

/* 64 hexadecimal digits. `option` names it in the message. */
[[nodiscard]] int sealed_parse_hex32(const char *option, const char *text,
                                     uint8_t ret[static SEALED_HASH_SIZE], struct error **err);

/* The exit code for a failure: refused when the image or key does not verify. */
int sealed_exit(int r);

/* A line on standard error, redrawn: bytes, share, speed, time left. Only on a terminal. */
struct progress_line {
    const char *what;
    uint64_t total;
    uint64_t done;
    double started;
    double drawn;
    bool on;
};

void progress_start(struct progress_line *p, const char *what, uint64_t total);
struct img_progress progress_hook(struct progress_line *p);
void progress_end(struct progress_line *p);

/* "1.5 GiB". */
const char *format_bytes(uint64_t bytes, char *dst, size_t size);
