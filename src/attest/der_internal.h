/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A bounded DER reader (X.690) over a cursor: definite, minimal lengths; one-byte tags; minimal
 * integers; canonical booleans. What is BER but not DER is refused. Every function returns 0 or
 * -EBADMSG.
 */

#include "core/cursor.h"

#define DER_BOOLEAN      0x01
#define DER_INTEGER      0x02
#define DER_BIT_STRING   0x03
#define DER_OCTET_STRING 0x04
#define DER_OID          0x06
#define DER_ENUMERATED   0x0a
#define DER_UTF8_STRING  0x0c
#define DER_PRINTABLE    0x13
#define DER_IA5_STRING   0x16
#define DER_UTC_TIME     0x17
#define DER_GENERAL_TIME 0x18
#define DER_SEQUENCE     0x30
#define DER_SET          0x31
#define DER_CONTEXT(n)   (0xa0 | (n)) /* constructed */
#define DER_CONTEXT_P(n) (0x80 | (n)) /* primitive */

/* The next element: its tag, its contents, and (when asked) tag, length and contents together. */
[[nodiscard]] int der_any(struct cursor *c, uint8_t *ret_tag, struct cursor *ret_body,
                          struct cursor *ret_whole);
/* The next element, which must have this tag. */
[[nodiscard]] int der_enter(struct cursor *c, uint8_t tag, struct cursor *ret_body);
/* True when the next element has this tag. */
bool der_peek(const struct cursor *c, uint8_t tag);

[[nodiscard]] int der_bool(struct cursor *c, bool *ret);
/* A non-negative INTEGER (or ENUMERATED) of at most 32 bits. */
[[nodiscard]] int der_u32(struct cursor *c, uint8_t tag, uint32_t *ret);
/* A positive INTEGER of any size; its contents octets as they stand. */
[[nodiscard]] int der_positive(struct cursor *c, struct cursor *ret);
/* A positive INTEGER below 2^256, right-aligned into 32 bytes. */
[[nodiscard]] int der_scalar(struct cursor *c, uint8_t ret[static 32]);
/* An OBJECT IDENTIFIER in its one proper encoding (X.690 8.19); its contents octets. */
[[nodiscard]] int der_oid(struct cursor *c, struct cursor *ret);
/* A BIT STRING without unused bits. */
[[nodiscard]] int der_bits(struct cursor *c, struct cursor *ret);
/* An OCTET STRING of exactly `size` bytes. */
[[nodiscard]] int der_octets(struct cursor *c, void *dst, size_t size);
/* UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 profiles them. */
[[nodiscard]] int der_time(struct cursor *c, int64_t *ret);

bool der_equal(const struct cursor *a, const void *b, size_t size);
