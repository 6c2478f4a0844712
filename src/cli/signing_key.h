/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* This user's own signing key, for people who have not made one: <state dir>/sign/key.pem, made on
 * first use. */

#include "base/crypto.h"

[[nodiscard]] int signing_key_default(struct evp_pkey_st **ret, struct error **err);
