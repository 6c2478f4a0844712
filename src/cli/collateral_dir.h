/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* A folder of collateral as docs/attestation.md lays it out. */

#include "attest/verifier.h"
#include "base/error.h"

#define COLLATERAL_DIR_FILES 6

struct collateral_dir {
    struct att_collateral_input input; /* borrows what follows */
    struct att_blob blobs[COLLATERAL_DIR_FILES];
    uint8_t *owned[COLLATERAL_DIR_FILES];
};

/* Reads every file; the PCK chain may be absent. Call collateral_dir_done() on failure as well. */
[[nodiscard]] int collateral_dir_read(const char *dir, struct collateral_dir *ret,
                                      struct error **err);
void collateral_dir_done(struct collateral_dir *d);
