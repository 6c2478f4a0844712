/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "cli/print_json.h"
#include "cli/sealed_args.h"
#include "core/ct.h"
#include "core/hex.h"
#include "image/seal_image.h"

struct seal_args {
    const char *from;
    const char *key_out;
    const char *master;
    const char *salt;
    uint64_t max_size;
    bool json;
    bool force;
    bool key_written;
};

/* Called before the image gets its name: a key without an image is nothing, an image without its
 * key would be lost work. An older key is never overwritten unless asked: its image would be lost.
 */
static int write_key(void *ctx, const uint8_t key[static SEALED_KEY_SIZE], struct error **err)
{
    struct seal_args *a = ctx;
    char text[2 * SEALED_KEY_SIZE + 1];
    int r;

    hex_encode(text, key, SEALED_KEY_SIZE);
    text[2 * SEALED_KEY_SIZE] = '\n';
    r = fs_write_file_atomic(a->key_out, text, sizeof(text), 0600, err);
    ct_wipe(text, sizeof(text));
    a->key_written = r == 0;
    return r;
}

static int check_key_path(const struct seal_args *a, struct error **err)
{
    struct stat st;

    if (!a->force && strcmp(a->key_out, "-") != 0 && lstat(a->key_out, &st) == 0) {
        return error_set(err, EEXIST,
                         "%s exists already, and its image could not be opened without it; name "
                         "another file or give --force",
                         a->key_out);
    }
    return 0;
}

static int print_json(const struct img_source *source, const struct img_seal_result *res,
                      struct error **err)
{
    char root[2 * SEALED_HASH_SIZE + 1];
    char salt[2 * SEALED_SALT_SIZE + 1];
    json_t *j;

    hex_encode(root, res->root, sizeof(res->root));
    hex_encode(salt, res->salt, sizeof(res->salt));
    j = json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "sealed_root", root, "salt", salt,
                  "source", source->digest, "layers", (json_int_t)source->layer_count, "names",
                  (json_int_t)res->names, "file_bytes", (json_int_t)res->file_bytes, "blocks",
                  (json_int_t)res->block_count, "whiteouts", (json_int_t)res->stats.whiteouts,
                  "xattrs_skipped", (json_int_t)res->stats.xattrs_skipped);
    return cli_print_json(j, err);
}

static void print_human(const struct img_source *source, const struct img_seal_result *res)
{
    char root[2 * SEALED_HASH_SIZE + 1];
    char files[24];
    char image[24];

    hex_encode(root, res->root, sizeof(res->root));
    fprintf(stderr, "%s: %zu layers, %llu names, %s of files, sealed into %s\n", source->digest,
            source->layer_count, (unsigned long long)res->names,
            format_bytes(res->file_bytes, files, sizeof(files)),
            format_bytes(res->block_count * SEALED_BLOCK_SIZE, image, sizeof(image)));
    if (res->stats.xattrs_skipped > 0) {
        fprintf(stderr,
                "%llu extended attributes with prefixes Linux does not have were left out\n",
                (unsigned long long)res->stats.xattrs_skipped);
    }
    printf("%s\n", root);
}

static int seal_into(struct seal_args *a, const char *out, struct error **err)
{
    _cleanup_img_source_ struct img_source *source = NULL;
    _cleanup_secret_ struct secret *master = NULL;
    struct img_seal_options options = {.unpacked_max = a->max_size};
    struct img_seal_result res;
    struct progress_line line;
    uint8_t salt[SEALED_SALT_SIZE];
    int r = check_key_path(a, err);

    if (r == 0 && a->salt != NULL) {
        r = sealed_parse_hex32("--salt", a->salt, salt, err);
        options.salt = salt;
    }
    if (r == 0 && a->master != NULL) {
        r = sealed_read_key(a->master, &master, err);
        options.master = r == 0 ? master->data : NULL;
    }
    if (r == 0) {
        r = img_source_open(a->from, &source, err);
    }
    if (r < 0) {
        return r;
    }
    progress_start(&line, "sealing", 2 * source->layers_size);
    options.progress = progress_hook(&line);
    options.key_ready = write_key;
    options.key_ctx = a;
    r = img_seal(source, out, &options, &res, err);
    progress_end(&line);
    if (r < 0) {
        if (a->key_written && strcmp(a->key_out, "-") != 0) {
            (void)unlink(a->key_out); /* of an image that does not exist */
        }
        return r;
    }
    if (a->json) {
        return print_json(source, &res, err);
    }
    print_human(source, &res);
    return 0;
}

int cmd_seal(int argc, char **argv, struct error **err)
{
    struct seal_args a = {0};
    const struct arg_option options[] = {
        {"from", 'f', ARG_STRING, "IMAGE", "where the image comes from (see below)", &a.from},
        {"key-out", 'k', ARG_STRING, "FILE", "where the sealing key goes (mode 0600)", &a.key_out},
        {"master-key", 'm', ARG_STRING, "FILE", "derive the key from this one; default: random",
         &a.master},
        {"salt", 0, ARG_STRING, "HEX", "32 bytes; default: random", &a.salt},
        {"max-size", 0, ARG_U64, "BYTES", "refuse images that unpack to more; default 512G",
         &a.max_size},
        {"json", 0, ARG_FLAG, NULL, "print JSON instead of the sealed root", &a.json},
        {"force", 0, ARG_FLAG, NULL, "overwrite an existing key file", &a.force},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre seal",
        .synopsis = "--from IMAGE --key-out FILE [OPTIONS] OUT",
        .summary = "Turn a container image into one encrypted, authenticated file system image.",
        .options = options,
        .examples = "  nacre seal --from oci:layout:latest --key-out app.key app.nseal\n"
                    "  nacre seal --from docker-archive:app.tar --key-out app.key app.nseal\n"
                    "  nacre seal --from docker://docker.io/library/nginx:1.25 \\\n"
                    "      --key-out nginx.key --json nginx.nseal\n",
        .notes =
            "IMAGE is oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]; and\n"
            "through skopeo docker://NAME, docker-daemon:NAME or containers-storage:NAME.\n"
            "Neither root nor a container engine is needed. The same image, master key and salt\n"
            "give the same bits. This is the plumbing under 'nacre convert'.",
        .min_args = 1,
        .max_args = 1,
    };
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (a.from == NULL || a.key_out == NULL) {
        (void)error_set(err, EINVAL, "--%s is missing", a.from == NULL ? "from" : "key-out");
        return CLI_USAGE;
    }
    r = seal_into(&a, argv[0], err);
    return r < 0 ? sealed_exit(r) : CLI_OK;
}
