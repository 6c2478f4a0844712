/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The session language: parse, check, print, hash. Pure: bytes in, data or diagnostics out; no
 * files, no clock, no sockets. docs/policy-language.md describes the language.
 */

#include "base/error.h"
#include "policy/ast.h"
#include "policy/diag.h"
#include "policy/template.h"

/* Parses and checks one document. `vars`: the template variables ($NAME); NULL: a `$` is a `$`, as
 * in documents that CAS receives or prints. Returns 0 with *ret (free with pol_free); -EINVAL with
 * errors in `d`; -ENOMEM. Warnings may be there either way. */
[[nodiscard]] int pol_parse(const char *text, size_t size, const struct pol_variables *vars,
                            struct pol_diags *d, struct pol_session **ret);

void pol_free(struct pol_session *s);
static inline void pol_freep(struct pol_session **s)
{
    pol_free(*s);
    *s = NULL;
}
#define _cleanup_session_ _cleanup_(pol_freep)

/* As pol_parse without variables; the first error becomes *err. */
[[nodiscard]] int pol_parse_text(const char *text, size_t size, struct pol_session **ret,
                                 struct error **err);

/* The first line of a document that holds no template variables any more: nobody who reads a file
 * that begins so may replace a `$NAME` in it. A comment for everybody else. */
#define POL_COMPLETE_MARK "# complete session: a $ is a $\n"

#define POL_HASH_SIZE 32

enum pol_print_flags {
    POL_PRINT_WITHHOLD = 1, /* "value_withheld: true" instead of explicit values of secrets */
};

/* The canonical text: YAML with a fixed order, defaults left out, references resolved, key names
 * instead of certificates. Parsing it gives an equal session. malloc'd, the caller's. -ENOMEM. */
[[nodiscard]] int pol_print(const struct pol_session *s, unsigned flags, char **ret);

/* The same as JSON, for scripts. `spaces` 0: one line. */
[[nodiscard]] int pol_print_json(const struct pol_session *s, unsigned flags, unsigned spaces,
                                 char **ret);

/* The session hash (docs/formats/session-hash.md): names this content and, through `predecessor`,
 * its whole history. */
[[nodiscard]] int pol_hash(const struct pol_session *s, uint8_t ret[static POL_HASH_SIZE]);

/* The hash of one secret's definition within its session: as long as it stays the same, an update
 * keeps the secret's value. Covers what the value depends on, the definitions of its private key
 * and its issuer included, and nothing else (not exports). */
[[nodiscard]] int pol_secret_hash(const struct pol_session *s, const struct pol_secret *secret,
                                  uint8_t ret[static POL_HASH_SIZE]);

/* The JSON Schema of the language, for editors. malloc'd. */
[[nodiscard]] int pol_schema(char **ret);
