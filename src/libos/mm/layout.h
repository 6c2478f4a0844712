/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The library OS's own area below the image (abi/enclave_layout.h), as offsets from the base. */

#include "abi/enclave_layout.h"
#include "libos/libos.h"

#define LIBOS_HEAP_META_OFFSET LIBOS_AREA_START
#define LIBOS_HEAP_META_SIZE   (1ull << 30)
#define LIBOS_HEAP_OFFSET      (LIBOS_AREA_START + LIBOS_HEAP_META_SIZE)
#define LIBOS_HEAP_SIZE        (32ull << 30)
/* Thread slots beyond the measured ones: proc/slots.c. */
#define LIBOS_SLOTS_OFFSET     (LIBOS_HEAP_OFFSET + LIBOS_HEAP_SIZE)
#define LIBOS_SLOTS_SIZE       (16ull << 30)

_Static_assert(LIBOS_AREA_START == ENCLAVE_SYSTEM_OFFSET, "one map");
_Static_assert(LIBOS_SLOTS_OFFSET + LIBOS_SLOTS_SIZE <= ENCLAVE_IMAGE_OFFSET, "it fits");
