/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/signing_key.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/state_dir.h"
#include "sign/key_file.h"

/* *ret_path, when wanted: malloc'd, where the key was made, if it was. */
static int own_key(const char *folder, const char *file, char **ret_path, struct evp_pkey_st **ret,
                   struct error **err)
{
    _cleanup_free_ char *dir = NULL;
    _cleanup_free_ char *path = NULL;
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    _cleanup_close_ int lock = -1;
    int r = state_dir_make(folder, &dir, err);

    if (r < 0) {
        return r;
    }
    if (asprintf(&path, "%s/%s", dir, file) < 0) {
        path = NULL;
        return error_set_errno(err, ENOMEM, "finding the signing key");
    }
    r = state_dir_lock(dir, &lock, err);
    if (r < 0) {
        return r;
    }
    if (access(path, F_OK) == 0) {
        return key_file_load(path, NULL, ret, err);
    }
    r = crypto_rsa3072_generate(&key);
    if (r < 0) {
        return error_set_errno(err, -r, "generating the signing key");
    }
    r = key_file_save(path, key, NULL, /*force=*/false, err);
    if (r == 0 && ret_path != NULL) {
        *ret_path = TAKE_PTR(path);
    }
    if (r == 0) {
        *ret = TAKE_PTR(key);
    }
    return r;
}

int signing_key_default(struct evp_pkey_st **ret, struct error **err)
{
    _cleanup_free_ char *made = NULL;
    int r = own_key("sign", "key.pem", &made, ret, err);

    if (made != NULL) {
        fprintf(stderr, "made your signing key: %s\n", made);
    }
    return r;
}

int signing_key_development(struct evp_pkey_st **ret, struct error **err)
{
    return own_key("exec", "development-key.pem", NULL, ret, err);
}
