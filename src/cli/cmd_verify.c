/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>

#include "cli/sealed_args.h"
#include "core/hex.h"
#include "image/unseal.h"

static void print_result(const struct sealed_file *f, const struct img_verify_result *res,
                         bool with_key, bool json)
{
    char root[2 * SEALED_HASH_SIZE + 1];

    hex_encode(root, sealed_file_root(f), SEALED_HASH_SIZE);
    if (json) {
        printf("{\n  \"sealed_root\": \"%s\",\n  \"bytes\": %llu,\n  \"blocks\": %llu,\n"
               "  \"content_checked\": %s",
               root, (unsigned long long)sealed_file_size(f),
               (unsigned long long)sealed_file_block_count(f), with_key ? "true" : "false");
        if (with_key) {
            printf(",\n  \"inodes\": %llu,\n  \"file_bytes\": %llu",
                   (unsigned long long)res->inodes, (unsigned long long)res->file_bytes);
        }
        printf("\n}\n");
        return;
    }
    if (with_key) {
        printf("intact: every block, %llu files, sealed root %s\n", (unsigned long long)res->inodes,
               root);
    } else {
        printf("intact: superblock, tree and tags belong to sealed root %s\n"
               "not checked: the encrypted blocks themselves (that takes --key)\n",
               root);
    }
}

static int verify(const char *file, const struct secret *key, const uint8_t *root, bool json,
                  struct error **err)
{
    _cleanup_sealed_file_ struct sealed_file *f = NULL;
    struct img_verify_result res = {0};
    int r = sealed_file_open(file, key == NULL ? NULL : key->data, root, &f, err);

    if (r == 0) {
        r = img_verify(f, key != NULL, &res, err);
    }
    if (r == 0) {
        print_result(f, &res, key != NULL, json);
    }
    return r;
}

int cmd_verify(int argc, char **argv, struct error **err)
{
    const char *key_path = NULL;
    const char *root_text = NULL;
    bool json = false;
    const struct arg_option options[] = {
        {"key", 'k', ARG_STRING, "FILE", "the sealing key: checks every block and the file system",
         &key_path},
        {"root", 'r', ARG_STRING, "HEX", "the sealed root the image must have", &root_text},
        {"json", 0, ARG_FLAG, NULL, "print JSON", &json},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre verify",
        .synopsis = "(--key FILE | --root HEX) [OPTIONS] IMAGE",
        .summary = "Check a sealed image from the first byte to the last.",
        .options = options,
        .examples = "  nacre verify --key app.key app.nseal\n"
                    "  nacre verify --root \"$(cat app.root)\" app.nseal\n",
        .notes = "Exit codes: 0 intact; 3 changed, truncated, another key or another image; 4 a\n"
                 "format version this nacre does not know; 1 the file could not be read.\n"
                 "--key alone proves the image whole and made by a holder of the key; --root pins\n"
                 "the very image.",
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
    if (key_path == NULL && root_text == NULL) {
        (void)error_set(err, EINVAL, "give --key FILE or --root HEX, or both");
        return CLI_USAGE;
    }
    if (root_text != NULL && sealed_parse_hex32("--root", root_text, root, err) < 0) {
        return CLI_USAGE;
    }
    if (key_path != NULL) {
        r = sealed_read_key(key_path, &key, err);
    }
    if (r == 0) {
        r = verify(argv[0], key, root_text == NULL ? NULL : root, json, err);
    }
    return r < 0 ? sealed_exit(r) : CLI_OK;
}
