/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Values in the formats of $$SCONE::name:format$$. Encodings are RFC 4648's. */

#include <stdlib.h>
#include <string.h>

#include "cas/secrets.h"
#include "core/hex.h"

static int to_hex(const struct cas_bytes *in, struct cas_bytes *ret)
{
    char *p = malloc(2 * in->size + 1);

    if (p == NULL) {
        return -ENOMEM;
    }
    hex_encode(p, in->p, in->size);
    *ret = (struct cas_bytes){.p = (uint8_t *)p, .size = 2 * in->size};
    return 0;
}

/* `bits` of input make one digit; a group is the least number of digits that holds whole bytes. */
static int to_digits(const struct cas_bytes *in, const char *digits, unsigned bits, size_t group,
                     bool pad, struct cas_bytes *ret)
{
    const size_t most = (in->size * 8 + bits - 1) / bits + group;
    uint8_t *p = malloc(most + 1);
    uint32_t window = 0;
    unsigned have = 0;
    size_t at = 0;

    if (p == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < in->size; i++) {
        window = window << 8 | in->p[i];
        have += 8;
        while (have >= bits) {
            have -= bits;
            p[at++] = (uint8_t)digits[window >> have & ((1u << bits) - 1)];
        }
    }
    if (have > 0) {
        p[at++] = (uint8_t)digits[window << (bits - have) & ((1u << bits) - 1)];
    }
    while (pad && at % group != 0) {
        p[at++] = '=';
    }
    p[at] = '\0';
    *ret = (struct cas_bytes){.p = p, .size = at};
    return 0;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char base32_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* The private key: of a certificate, or the secret itself. */
static const struct cas_bytes *key_of(const struct cas_view *v)
{
    return v->kind == SECRET_PRIVATE_KEY ? &v->data : &v->key;
}

static int chain(const struct cas_view *v, struct cas_bytes *ret)
{
    int r = 0;

    for (size_t i = 0; i < v->chain_count && r == 0; i++) {
        r = ca_pem_append("CERTIFICATE", &v->chain[i], ret);
    }
    return r == 0 && ret->p == NULL ? cas_bytes_copy("", 0, ret) : r;
}

static int chain_root_first(const struct cas_view *v, struct cas_bytes *ret)
{
    int r = 0;

    for (size_t i = v->chain_count; i > 0 && r == 0; i--) {
        r = ca_pem_append("CERTIFICATE", &v->chain[i - 1], ret);
    }
    return r == 0 ? ca_pem_append("CERTIFICATE", &v->data, ret) : r;
}

static int format_into(const struct cas_view *v, enum pol_format format, struct cas_bytes *ret,
                       struct error **err)
{
    const struct cas_bytes *key = key_of(v);

    switch (format) {
    case POL_FORMAT_RAW:
    case POL_FORMAT_SPKI_DER:
    case POL_FORMAT_CRT_DER: return cas_bytes_copy(v->data.p, v->data.size, ret);
    case POL_FORMAT_HEX: return to_hex(&v->data, ret);
    case POL_FORMAT_BASE64: return to_digits(&v->data, base64_digits, 6, 4, /*pad=*/true, ret);
    case POL_FORMAT_BASE64URL: return to_digits(&v->data, base64url_digits, 6, 4, true, ret);
    case POL_FORMAT_BASE32: return to_digits(&v->data, base32_digits, 5, 8, true, ret);
    case POL_FORMAT_BASE32NOPAD: return to_digits(&v->data, base32_digits, 5, 8, false, ret);
    case POL_FORMAT_KEY_PEM: return ca_pem_append("PRIVATE KEY", key, ret);
    case POL_FORMAT_KEY_DER: return cas_bytes_copy(key->p, key->size, ret);
    case POL_FORMAT_SPKI_PEM: return ca_pem_append("PUBLIC KEY", &v->data, ret);
    case POL_FORMAT_CRT_PEM: return ca_pem_append("CERTIFICATE", &v->data, ret);
    case POL_FORMAT_CHAIN: return chain(v, ret);
    case POL_FORMAT_CHAIN_ROOT_FIRST: return chain_root_first(v, ret);
    case POL_FORMAT_PKCS12: return ca_pkcs12(&v->data, key, v->chain, v->chain_count, ret, err);
    }
    return -EINVAL;
}

int cas_secret_format(const struct cas_view *v, enum pol_format format, struct cas_bytes *ret,
                      struct error **err)
{
    _cleanup_bytes_ struct cas_bytes out = {0};
    const bool wants_key =
        format == POL_FORMAT_KEY_PEM || format == POL_FORMAT_KEY_DER || format == POL_FORMAT_PKCS12;
    int r;

    if (wants_key && key_of(v)->size == 0) {
        return error_set(err, EACCES,
                         "the certificate's private key is not available: it has none "
                         "in its session, or it is not exported");
    }
    r = format_into(v, format, &out, err);
    if (r < 0) {
        return err != NULL && *err != NULL ? r : error_set_errno(err, -r, "encoding a secret");
    }
    *ret = out;
    out = (struct cas_bytes){0};
    return 0;
}
