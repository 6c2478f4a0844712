/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "core/hex.h"
#include "sign/key_file.h"
#include "sign/sigstruct.h"

#define DEFAULT_OUT "signing-key.pem"

static int generate(const char *out, const char *public_out, const char *passphrase_file,
                    bool force, char ret_mrsigner[static 65], struct error **err)
{
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    _cleanup_secret_ struct secret *passphrase = NULL;
    uint8_t modulus[SGX_RSA_SIZE];
    uint8_t mrsigner[32];
    int r = key_file_passphrase(passphrase_file, &passphrase, err);

    if (r < 0) {
        return r;
    }
    r = crypto_rsa3072_generate(&key);
    r = r < 0 ? r : crypto_rsa3072_modulus(key, modulus);
    if (r < 0) {
        return error_set_errno(err, -r, "generating the key");
    }
    r = key_file_save(out, key, passphrase, force, err);
    if (r == 0 && public_out != NULL) {
        r = key_file_save_public(public_out, key, force, err);
    }
    sigstruct_mrsigner(modulus, mrsigner);
    hex_encode(ret_mrsigner, mrsigner, sizeof(mrsigner));
    return r;
}

int cmd_keygen(int argc, char **argv, struct error **err)
{
    const char *out = DEFAULT_OUT;
    const char *public_out = NULL;
    const char *passphrase_file = NULL;
    bool force = false;
    const struct arg_option options[] = {
        {"out", 'o', ARG_STRING, "FILE", "the private key (default " DEFAULT_OUT ")", &out},
        {"public-out", 0, ARG_STRING, "FILE", "also write the public key", &public_out},
        {"passphrase-file", 0, ARG_STRING, "FILE", "encrypt with the first line of FILE",
         &passphrase_file},
        {"force", 'f', ARG_FLAG, NULL, "replace existing files", &force},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre keygen",
        .synopsis = "[OPTIONS]",
        .summary = "Make an RSA-3072 key (exponent 3) that signs enclaves; print its MRSIGNER.",
        .options = options,
        .examples = "  nacre keygen --out vendor.pem --public-out vendor.pub.pem\n"
                    "  nacre keygen --out vendor.pem --passphrase-file pass.txt\n",
        .notes = "The key is PKCS#8 PEM, mode 0600. Without --passphrase-file the passphrase comes "
                 "from\n" KEY_FILE_PASSPHRASE_ENV ", and without that the key is not encrypted. "
                 "Keep a copy in a safe\nplace: data sealed to MRSIGNER is lost with the key.",
    };
    char mrsigner[65];
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (generate(out, public_out, passphrase_file, force, mrsigner, err) < 0) {
        return CLI_FAILED;
    }
    if (strcmp(out, "-") != 0) {
        printf("%s\n", mrsigner);
    }
    return CLI_OK;
}
