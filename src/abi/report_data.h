/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Report data (64 bytes) that begins with "nacre/" is the library OS's and its agent's alone: the
 * library OS gives no application a report or a quote over it. Whoever talks an application into
 * quoting something for him (a service that attests itself does little else) cannot make it say
 * what the agent says to a CAS, or what enclaves of one family say to each other.
 */

#include "core/types.h"

#define REPORT_DATA_SIZE          64u
#define REPORT_DATA_RESERVED      "nacre/"
#define REPORT_DATA_RESERVED_SIZE 6u
#define REPORT_DATA_TAG_SIZE      8u
#define REPORT_DATA_PROVISIONING  "nacre/p1" /* docs/formats/provisioning.md */
#define REPORT_DATA_FAMILY        "nacre/f1" /* between enclaves of one application */

static inline bool report_data_reserved(const uint8_t data[static REPORT_DATA_SIZE])
{
    return __builtin_memcmp(data, REPORT_DATA_RESERVED, REPORT_DATA_RESERVED_SIZE) == 0;
}

/* A SHA-512 digest becomes a tag and the first 56 bytes of the digest. */
static inline void report_data_tag(uint8_t data[static REPORT_DATA_SIZE], const char *tag)
{
    __builtin_memmove(data + REPORT_DATA_TAG_SIZE, data, REPORT_DATA_SIZE - REPORT_DATA_TAG_SIZE);
    __builtin_memcpy(data, tag, REPORT_DATA_TAG_SIZE);
}
