/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Which key each CAS has, as this user found out once: <state dir>/client/known_cas, a line each,
 * "HOST:PORT KEY". */

#include "base/error.h"

/* 1 with the key; 0: nothing is known of this CAS. -EBADMSG: the file is damaged. */
[[nodiscard]] int pins_get(const char *address, uint8_t ret_key[static 32], struct error **err);

/* Remembers the key, in the place of another one. */
[[nodiscard]] int pins_put(const char *address, const uint8_t key[static 32], struct error **err);
