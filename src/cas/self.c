/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/self.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "attest/verifier.h"
#include "base/alloc.h"
#include "base/fs.h"
#include "core/ct.h"
#include "core/sha512.h"

#define TYPE_MAX 64

void self_report_data(const uint8_t key_id[static 32], const uint8_t nonce[static SELF_NONCE],
                      uint8_t ret[static 64])
{
    static const char label[] = "nacre cas attestation v1"; /* with its NUL */
    struct sha512 ctx;

    sha512_init(&ctx);
    sha512_update(&ctx, label, sizeof(label));
    sha512_update(&ctx, key_id, 32);
    sha512_update(&ctx, nonce, SELF_NONCE);
    sha512_final(&ctx, ret);
}

static int path_of(const char *dir, const char *name, char **ret, struct error **err)
{
    if (asprintf(ret, "%s/%s", dir, name) < 0) {
        *ret = NULL;
        return error_set_errno(err, ENOMEM, "asking for evidence");
    }
    return 0;
}

/* 1: there is evidence to be had. */
static int read_type(const char *dir, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_free_ uint8_t *type = NULL;
    size_t size;
    int r = path_of(dir, "attestation_type", &path, err);

    if (r < 0) {
        return r;
    }
    if (access(path, F_OK) < 0) {
        return 0;
    }
    r = fs_read_file(path, TYPE_MAX, &type, &size, err);
    return r < 0 ? r : size > 0 && strncmp((const char *)type, "none", 4) != 0;
}

/* The file is an order and not a file: it takes exactly these bytes, in one write. */
static int write_report_data(const char *dir, const uint8_t data[static 64], struct error **err)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd = -1;
    int r = path_of(dir, "user_report_data", &path, err);

    if (r < 0) {
        return r;
    }
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_set_errno(err, errno, "cannot open %s", path);
    }
    if (write(fd, data, 64) != 64) {
        return error_set_errno(err, EIO, "cannot write %s", path);
    }
    return 0;
}

int self_quote(const char *dir, const uint8_t report_data[static 64], struct cas_bytes *ret,
               struct error **err)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_bytes_ struct cas_bytes quote = {0};
    struct att_claims claims;
    struct att_reason why;
    int r = read_type(dir, err);

    if (r <= 0) {
        return r;
    }
    r = write_report_data(dir, report_data, err);
    if (r == 0) {
        r = path_of(dir, "quote", &path, err);
    }
    if (r == 0) {
        r = fs_read_file(path, ATT_EVIDENCE_MAX, &quote.p, &quote.size, err);
    }
    if (r < 0) {
        return r;
    }
    /* Whether it is genuine is for others to say; that it says what was asked is checked here. */
    if (att_inspect(quote.p, quote.size, &claims, &why) < 0 ||
        !ct_equal(claims.report_data, report_data, 64)) {
        return error_set(err, EBADMSG, "%s gave a quote with other report data", path);
    }
    *ret = quote;
    quote = (struct cas_bytes){0};
    return 1;
}
