/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/collateral_dir.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/fs.h"

enum { FILE_TCB_INFO, FILE_QE_IDENTITY, FILE_CHAIN, FILE_PCK_CRL, FILE_ROOT_CRL, FILE_PCK_CHAIN };

static const struct {
    const char *name;
    size_t max;
    bool optional;
} collateral_files[] = {
    [FILE_TCB_INFO] = {"tcb_info.json", ATT_JSON_MAX, false},
    [FILE_QE_IDENTITY] = {"qe_identity.json", ATT_JSON_MAX, false},
    [FILE_CHAIN] = {"tcb_signing_chain.pem", ATT_CHAIN_MAX, false},
    [FILE_PCK_CRL] = {"pck_crl.der", ATT_CRL_MAX, false},
    [FILE_ROOT_CRL] = {"root_ca_crl.der", ATT_CRL_MAX, false},
    [FILE_PCK_CHAIN] = {"pck_chain.pem", ATT_CHAIN_MAX, true},
};
_Static_assert(ARRAY_COUNT(collateral_files) == COLLATERAL_DIR_FILES, "one blob a file");

void collateral_dir_done(struct collateral_dir *d)
{
    for (size_t i = 0; i < COLLATERAL_DIR_FILES; i++) {
        free(d->owned[i]);
    }
}

int collateral_dir_read(const char *dir, struct collateral_dir *ret, struct error **err)
{
    for (size_t i = 0; i < COLLATERAL_DIR_FILES; i++) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (asprintf(&path, "%s/%s", dir, collateral_files[i].name) < 0) {
            return error_set(err, ENOMEM, "out of memory");
        }
        if (collateral_files[i].optional && access(path, F_OK) != 0) {
            continue;
        }
        r = fs_read_file(path, collateral_files[i].max, &ret->owned[i], &ret->blobs[i].size, err);
        if (r < 0) {
            return error_wrap(err, "reading collateral");
        }
        ret->blobs[i].data = ret->owned[i];
    }
    ret->input = (struct att_collateral_input){
        .tcb_info = ret->blobs[FILE_TCB_INFO],
        .qe_identity = ret->blobs[FILE_QE_IDENTITY],
        .tcb_signing_chain = ret->blobs[FILE_CHAIN],
        .pck_crl = ret->blobs[FILE_PCK_CRL],
        .root_ca_crl = ret->blobs[FILE_ROOT_CRL],
        .pck_chain = ret->blobs[FILE_PCK_CHAIN],
    };
    return 0;
}
