/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "core/hex.h"
#include "sign/key_file.h"
#include "sign/sigstruct.h"

struct expected {
    const char *mrenclave;
    const char *mrsigner;
};

static int load(const char *path, struct sgx_sigstruct *ret, struct error **err)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r = fs_read_file(path, 64 * 1024, &data, &size, err);

    r = r < 0 ? r : sigstruct_parse(data, size, ret, err);
    if (r == -EBADMSG) {
        (void)error_wrap(err, "%s", path);
    }
    return r;
}

static int show(const char *path, bool json, struct error **err)
{
    struct sgx_sigstruct s;
    int r = load(path, &s, err);

    if (r < 0) {
        return r == -EBADMSG ? CLI_REFUSED : CLI_FAILED;
    }
    r = json ? sigstruct_print_json(&s, stdout) : sigstruct_print(&s, stdout);
    if (r < 0) {
        error_set_errno(err, -r, "printing %s", path);
        return CLI_FAILED;
    }
    return CLI_OK;
}

/* -EINVAL: the option is malformed; -EBADMSG: the value is another one. */
static int compare(const char *want, const uint8_t *have, const char *name, struct error **err)
{
    uint8_t bytes[32];
    char hex[65];

    if (want == NULL) {
        return 0;
    }
    if (hex_decode(bytes, sizeof(bytes), want, strlen(want)) < 0) {
        return error_set(err, EINVAL, "--%s wants 64 hexadecimal digits, not '%s'", name, want);
    }
    hex_encode(hex, have, 32);
    return memcmp(bytes, have, sizeof(bytes)) == 0
               ? 0
               : error_set(err, EBADMSG, "%s is %s, expected %s", name, hex, want);
}

static int verify(const char *path, const struct expected *want, bool json, struct error **err)
{
    struct sgx_sigstruct s;
    uint8_t mrsigner[32];
    int r = load(path, &s, err);

    if (r == 0) {
        r = sigstruct_verify(&s, err);
        if (r < 0) {
            (void)error_wrap(err, "%s", path);
        }
    }
    if (r == 0) {
        sigstruct_mrsigner(s.modulus, mrsigner);
        r = compare(want->mrenclave, s.enclave_hash, "mrenclave", err);
        r = r < 0 ? r : compare(want->mrsigner, mrsigner, "mrsigner", err);
    }
    if (r == -EINVAL) {
        return CLI_USAGE;
    }
    if (r < 0) {
        return r == -EBADMSG ? CLI_REFUSED : CLI_FAILED;
    }
    if (json) {
        return show(path, json, err);
    }
    printf("%s: valid\n", path);
    return CLI_OK;
}

static int print_mrsigner(const char *path, struct error **err)
{
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    uint8_t modulus[SGX_RSA_SIZE];
    uint8_t mrsigner[32];
    char hex[65];
    int r = key_file_load_public(path, &key, err);

    if (r < 0) {
        return CLI_FAILED;
    }
    r = crypto_rsa3072_modulus(key, modulus);
    if (r < 0) {
        error_set_errno(err, -r, "reading the modulus of %s", path);
        return CLI_FAILED;
    }
    sigstruct_mrsigner(modulus, mrsigner);
    hex_encode(hex, mrsigner, sizeof(mrsigner));
    printf("%s\n", hex);
    return CLI_OK;
}

int cmd_sigstruct(int argc, char **argv, struct error **err)
{
    struct expected want = {};
    bool json = false;
    const struct arg_option options[] = {
        {"mrenclave", 0, ARG_STRING, "HEX", "verify: refuse another measurement", &want.mrenclave},
        {"mrsigner", 0, ARG_STRING, "HEX", "verify: refuse another signer", &want.mrsigner},
        {"json", 0, ARG_FLAG, NULL, "print JSON", &json},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre sigstruct",
        .synopsis = "(show | verify | mrsigner) [OPTIONS] FILE",
        .summary = "Look at an enclave's SIGSTRUCT, or check all of it as EINIT would.",
        .options = options,
        .examples = "  nacre sigstruct show enclave.sig\n"
                    "  nacre sigstruct verify enclave.sig --mrsigner \"$(nacre sigstruct mrsigner "
                    "vendor.pub.pem)\"\n",
        .notes =
            "'show' prints the fields and checks nothing. 'verify' checks constants, reserved "
            "fields,\n"
            "exponent, date, signature, q1 and q2, and exits 3 with the name of the first field "
            "that\n"
            "does not hold. 'mrsigner' prints the MRSIGNER of a public key.",
        .min_args = 2,
        .max_args = 2,
    };
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (strcmp(argv[0], "verify") == 0) {
        return verify(argv[1], &want, json, err);
    }
    if (want.mrenclave != NULL || want.mrsigner != NULL) {
        error_set(err, EINVAL, "--mrenclave and --mrsigner go with 'verify'");
        return CLI_USAGE;
    }
    if (strcmp(argv[0], "show") == 0) {
        return show(argv[1], json, err);
    }
    if (strcmp(argv[0], "mrsigner") == 0) {
        return print_mrsigner(argv[1], err);
    }
    error_set(err, EINVAL, "'%s' is none of show, verify and mrsigner", argv[0]);
    return CLI_USAGE;
}
