/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* PEM lists of certificates (RFC 7468, strict), and finding one's way in them. */

#include "attest/x509_internal.h"

#include <stdlib.h>
#include <string.h>

#include "attest/reason_internal.h"

static const char pem_begin[] = "-----BEGIN CERTIFICATE-----";
static const char pem_end[] = "-----END CERTIFICATE-----";

/* Steps over "\n" or "\r\n". */
static bool skip_newline(struct cursor *c)
{
    size_t n = 0;

    if (c->left >= 1 && c->p[0] == '\n') {
        n = 1;
    } else if (c->left >= 2 && c->p[0] == '\r' && c->p[1] == '\n') {
        n = 2;
    }
    *c = cursor_make(c->p + n, c->left - n);
    return n != 0;
}

static void skip_blank(struct cursor *c)
{
    while (skip_newline(c)) {
    }
}

static bool skip_text(struct cursor *c, const char *text, size_t len)
{
    if (c->left < len || memcmp(c->p, text, len) != 0) {
        return false;
    }
    *c = cursor_make(c->p + len, c->left - len);
    return true;
}

static int base64_value(uint8_t ch)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch - 'A';
    }
    if (ch >= 'a' && ch <= 'z') {
        return ch - 'a' + 26;
    }
    if (ch >= '0' && ch <= '9') {
        return ch - '0' + 52;
    }
    return ch == '+' ? 62 : ch == '/' ? 63 : -1;
}

/* Decodes base64 with line breaks up to the first '-'. Padding must be right and the unused bits
 * zero, so that one text stands for one certificate. `dst` has room for 3/4 of c->left. */
static int decode_base64(struct cursor *c, uint8_t *dst, size_t *ret_size)
{
    uint32_t acc = 0;
    size_t symbols = 0;
    size_t pad = 0;
    size_t size = 0;

    while (c->left != 0 && c->p[0] != '-') {
        int v;

        if (skip_newline(c)) {
            continue;
        }
        v = base64_value(c->p[0]);
        if (c->p[0] == '=') {
            pad++;
            v = 0;
        } else if (v < 0 || pad != 0) {
            return -EBADMSG;
        }
        *c = cursor_make(c->p + 1, c->left - 1);
        acc = acc << 6 | (uint32_t)v;
        if (++symbols % 4 == 0) {
            if (pad > 2 || (pad == 2 && (acc & 0xffff) != 0) || (pad == 1 && (acc & 0xff) != 0)) {
                return -EBADMSG;
            }
            dst[size] = (uint8_t)(acc >> 16);
            dst[size + 1] = (uint8_t)(acc >> 8);
            dst[size + 2] = (uint8_t)acc;
            size += 3 - pad;
            acc = 0;
        }
    }
    if (symbols % 4 != 0 || size == 0) {
        return -EBADMSG;
    }
    *ret_size = size;
    return 0;
}

static int parse_one(struct cursor *c, struct x509_chain *chain, uint8_t **at, const char *what,
                     struct att_reason *why)
{
    size_t size;

    if (chain->count == X509_CHAIN_MAX) {
        return att_refuse(why, ATT_CHAIN_INCOMPLETE, "%s: more than %u certificates", what,
                          X509_CHAIN_MAX);
    }
    if (!skip_text(c, pem_begin, sizeof(pem_begin) - 1) || !skip_newline(c) ||
        decode_base64(c, *at, &size) != 0 || !skip_text(c, pem_end, sizeof(pem_end) - 1)) {
        return att_refuse(why, ATT_PEM_MALFORMED, "%s: certificate %zu", what, chain->count + 1);
    }
    if (x509_cert_parse(cursor_make(*at, size), &chain->certs[chain->count], why) != 0) {
        char detail[ATT_DETAIL_MAX];

        if (why != NULL) {
            memcpy(detail, why->detail, sizeof(detail));
            detail[120] = '\0';
        } else {
            detail[0] = '\0';
        }
        return att_refuse(why, ATT_CERT_MALFORMED, "%s, number %zu: %s", what, chain->count + 1,
                          detail);
    }
    *at += size;
    chain->count++;
    return 0;
}

int x509_chain_parse(const void *pem, size_t size, const char *what, struct x509_chain *ret,
                     struct att_reason *why)
{
    struct cursor c = cursor_make(pem, size);
    struct x509_chain chain = {0};
    uint8_t *at;
    int r = 0;

    if (size == 0 || size > ATT_CHAIN_MAX) {
        return att_refuse(why, ATT_PEM_MALFORMED, "%s: %zu bytes", what, size);
    }
    if (c.p[size - 1] == '\0') {
        c.left--;
    }
    chain.der = malloc(size);
    if (chain.der == NULL) {
        return att_refuse(why, ATT_INTERNAL, "%s", what);
    }
    at = chain.der;
    skip_blank(&c);
    while (r == 0 && c.left != 0) {
        r = parse_one(&c, &chain, &at, what, why);
        skip_blank(&c);
    }
    if (r == 0 && chain.count == 0) {
        r = att_refuse(why, ATT_PEM_MALFORMED, "%s: no certificate", what);
    }
    if (r != 0) {
        x509_chain_done(&chain);
        return r;
    }
    *ret = chain;
    return 0;
}

void x509_chain_done(struct x509_chain *chain)
{
    free(chain->der);
    *chain = (struct x509_chain){0};
}

int x509_chain_root(const struct x509_chain *chain, const char *what, const struct x509_cert **ret,
                    struct att_reason *why)
{
    const struct x509_cert *root = NULL;

    for (size_t i = 0; i < chain->count; i++) {
        const struct x509_cert *cert = &chain->certs[i];

        if (!cursor_equal(&cert->issuer, &cert->subject)) {
            continue;
        }
        if (root != NULL) {
            return att_refuse(why, ATT_CHAIN_INCOMPLETE, "%s: two roots", what);
        }
        root = cert;
    }
    if (root == NULL) {
        return att_refuse(why, ATT_CHAIN_INCOMPLETE, "%s: no root", what);
    }
    *ret = root;
    return 0;
}
