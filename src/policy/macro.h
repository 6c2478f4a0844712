/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * $$SCONE::name[:format][|escape(json)]$$ in values: finding and reading them. Which secret and
 * which format a name means is decided where the session's secrets are known (check.c).
 */

#include "core/types.h"

#define MACRO_LENGTH_MAX 700 /* characters with the signs around */

enum pol_format {
    POL_FORMAT_RAW,
    POL_FORMAT_HEX,
    POL_FORMAT_BASE64,
    POL_FORMAT_BASE64URL,
    POL_FORMAT_BASE32,
    POL_FORMAT_BASE32NOPAD,
    POL_FORMAT_KEY_PEM, /* PKCS#8 */
    POL_FORMAT_KEY_DER,
    POL_FORMAT_SPKI_PEM,
    POL_FORMAT_SPKI_DER,
    POL_FORMAT_CRT_PEM,
    POL_FORMAT_CRT_DER,
    POL_FORMAT_CHAIN, /* PEM: the issuer up to the root, without the certificate itself */
    POL_FORMAT_CHAIN_ROOT_FIRST, /* PEM: the root first, the certificate itself last */
    POL_FORMAT_PKCS12,           /* with the private key, empty password */
};

struct macro {
    const char *at; /* where it stands in the text; everything borrowed from there */
    size_t len;
    const char *name;
    size_t name_len;
    const char *format; /* behind the colon; empty: none */
    size_t format_len;
    bool escape_json;
};

/* The length of the macro that begins at p, signs included; 0 when none does (or it has no end). */
size_t macro_length(const char *p, size_t left);

/* Finds the next macro from *pos on and steps over it. Returns 1 with *ret; 0 when there is none
 * left; -EINVAL for something that begins like a macro and is none: *ret_why says what is wrong. */
[[nodiscard]] int macro_next(const char *text, size_t len, size_t *pos, struct macro *ret,
                             const char **ret_why);
