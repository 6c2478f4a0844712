/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Which secret and which format a macro means, within its session. */

#include "policy/ast.h"
#include "policy/macro.h"

#define POL_CHAIN_MAX 8 /* certificates above a certificate */

/* *ret_format is the text of the format ("" = none, ".crt" = the legacy form): give it to
 * pol_format_of once the kind is known (imports may not say). -ENOENT: there is no such secret. */
[[nodiscard]] int pol_macro_resolve(const struct pol_session *s, const struct macro *m,
                                    const struct pol_secret **ret_secret, const char **ret_format,
                                    size_t *ret_format_len);

/* -EINVAL: secrets of this kind do not have the format. */
[[nodiscard]] int pol_format_of(enum secret_kind kind, const char *text, size_t len,
                                enum pol_format *ret);
