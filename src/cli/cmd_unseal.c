/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>

#include "cli/sealed_args.h"
#include "image/unseal.h"

static void print_losses(const struct img_unpack_result *res)
{
    if (res->not_owned > 0) {
        fprintf(stderr, "not root: %llu files kept your user and group as owner\n",
                (unsigned long long)res->not_owned);
    }
    if (res->not_made > 0) {
        fprintf(stderr, "not root: %llu device files were left out\n",
                (unsigned long long)res->not_made);
    }
    if (res->xattrs_lost > 0) {
        fprintf(stderr, "%llu extended attributes could not be set here\n",
                (unsigned long long)res->xattrs_lost);
    }
}

static int unseal(const char *file, const struct secret *key, const uint8_t *root, const char *dir,
                  const char *erofs, struct error **err)
{
    _cleanup_sealed_file_ struct sealed_file *f = NULL;
    struct img_unpack_result res;
    int r = sealed_file_open(file, key->data, root, &f, err);

    if (r == 0 && erofs != NULL) {
        r = img_unseal_erofs(f, erofs, err);
    }
    if (r == 0 && dir != NULL) {
        r = img_unseal_dir(f, dir, &res, err);
        if (r == 0) {
            print_losses(&res);
        }
    }
    return r;
}

int cmd_unseal(int argc, char **argv, struct error **err)
{
    const char *key_path = NULL;
    const char *root_text = NULL;
    const char *dir = NULL;
    const char *erofs = NULL;
    const struct arg_option options[] = {
        {"key", 'k', ARG_STRING, "FILE", "the sealing key", &key_path},
        {"root", 'r', ARG_STRING, "HEX", "the sealed root the image must have", &root_text},
        {"out", 'o', ARG_STRING, "DIR", "unpack into this directory, which is made", &dir},
        {"erofs", 'e', ARG_STRING, "FILE", "write the plain EROFS image", &erofs},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre unseal",
        .synopsis = "--key FILE (--out DIR | --erofs FILE) IMAGE",
        .summary = "Decrypt a sealed image for an owner who holds its key.",
        .options = options,
        .examples = "  nacre unseal --key app.key --out tree app.nseal\n"
                    "  nacre unseal --key app.key --erofs app.erofs app.nseal && \\\n"
                    "      mount -t erofs -o loop app.erofs /mnt\n",
        .notes = "The output is in clear. It appears complete or not at all: any changed byte in\n"
                 "IMAGE ends the work with exit code 3. Owners, devices and some attributes need\n"
                 "root.",
        .min_args = 1,
        .max_args = 1,
    };
    _cleanup_secret_ struct secret *key = NULL;
    uint8_t root[SEALED_HASH_SIZE];
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (key_path == NULL || (dir == NULL && erofs == NULL)) {
        (void)error_set(err, EINVAL,
                        key_path == NULL ? "--key is missing" : "give --out DIR or --erofs FILE");
        return CLI_USAGE;
    }
    if (root_text != NULL && sealed_parse_hex32("--root", root_text, root, err) < 0) {
        return CLI_USAGE;
    }
    r = sealed_read_key(key_path, &key, err);
    if (r == 0) {
        r = unseal(argv[0], key, root_text == NULL ? NULL : root, dir, erofs, err);
    }
    return r < 0 ? sealed_exit(r) : CLI_OK;
}
