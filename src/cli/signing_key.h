/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Keys this user has without having made them: <state dir>/FOLDER/FILE, made on first use. */

#include "base/crypto.h"

/* The one conversions are signed with; says so when it is made. */
[[nodiscard]] int signing_key_default(struct evp_pkey_st **ret, struct error **err);
/* The one of developer mode, whose signature means nothing. */
[[nodiscard]] int signing_key_development(struct evp_pkey_st **ret, struct error **err);
