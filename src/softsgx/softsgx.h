/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A processor with SGX2, in user space (docs/softsgx.md). The loader uses the table; nothing else
 * of this component is anybody's business.
 */

#include "base/sgx_backend.h"

extern const struct sgx_backend sgx_backend_soft;
