/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * usage: softquote TEXT FILE, or softquote --hex HEX FILE: writes a software quote whose report
 * data begins with TEXT, or is HEX, of an enclave that never was. Whoever has a machine can make
 * any software evidence; this is that, for tests of verifiers.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/fs.h"
#include "core/hex.h"
#include "softsgx/keys.h"
#include "softsgx/quote.h"

static int make_quote(const uint8_t data[static 64], uint8_t **ret, size_t *ret_size,
                      struct error **err)
{
    struct sgx_report report = {
        .body =
            {
                .attributes = {.flags = SGX_FLAGS_INIT | SGX_FLAGS_MODE64BIT, .xfrm = 3},
                .isv_prod_id = 1,
                .isv_svn = 2,
            },
    };
    struct sgx_targetinfo target;
    uint8_t key[16];
    int r = soft_quote_target(&target, err);

    if (r < 0) {
        return r;
    }
    memset(report.body.mrenclave, 0x11, sizeof(report.body.mrenclave));
    memset(report.body.mrsigner, 0x22, sizeof(report.body.mrsigner));
    memcpy(report.body.cpu_svn, soft_cpu_svn, sizeof(report.body.cpu_svn));
    memcpy(report.body.report_data, data, sizeof(report.body.report_data));
    memcpy(report.key_id, soft_report_key_id(), sizeof(report.key_id));
    soft_report_key(&target, report.key_id, key);
    r = crypto_aes128_cmac(key, &report.body, sizeof(report.body), report.mac);
    return r < 0 ? r : soft_quote(&report, ret, ret_size, err);
}

int main(int argc, char **argv)
{
    _cleanup_error_ struct error *err = NULL;
    uint8_t data[64] = {0};
    uint8_t *quote = NULL;
    size_t size = 0;
    int r;

    if (argc == 3) {
        memcpy(data, argv[1], strnlen(argv[1], sizeof(data)));
    } else if (argc != 4 || strcmp(argv[1], "--hex") != 0 ||
               hex_decode(data, sizeof(data), argv[2], strlen(argv[2])) < 0) {
        fprintf(stderr, "usage: softquote TEXT FILE | softquote --hex HEX FILE\n");
        return 2;
    }
    r = make_quote(data, &quote, &size, &err);
    r = r < 0 ? r : fs_write_file_atomic(argv[argc - 1], quote, size, 0644, &err);
    free(quote);
    if (r < 0) {
        fprintf(stderr, "softquote: %s\n", error_text(err));
        return 1;
    }
    return 0;
}
