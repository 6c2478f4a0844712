/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Enclaves as streams of ECREATE, EADD and EEXTEND records, given to a backend. */

#include "base/sgx_backend.h"

/* A base for an ELRANGE of `size` bytes: a multiple of it, below the program. */
[[nodiscard]] int sgxs_base(uint64_t size, uint64_t *ret_base, struct error **err);

/* Adds the pages of a stream that loader_measure_sgxs() accepted. *ret_tcs is the offset of TCS
 * number `tcs`. -EINVAL, naming the byte, for what the driver cannot load: pages measured in part
 * or out of order, and a page that was not measured (its contents are not in the stream) is
 * zero-filled. */
[[nodiscard]] int sgxs_load(const struct sgx_backend *b, struct sgx_enclave *e,
                            const uint8_t *stream, size_t size, uint64_t tcs, uint64_t *ret_tcs,
                            struct error **err);
