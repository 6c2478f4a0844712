/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/image_facts.h"
#include "cli/print_json.h"
#include "cli/reference.h"
#include "cli/sealed_args.h"
#include "core/hex.h"
#include "image/leftovers.h"
#include "policy/text.h"

static const char *result_text(enum image_result r)
{
    return r == RESULT_GOOD ? "good" : r == RESULT_BAD ? "BAD" : "not checked";
}

static json_t *mounts_json(const struct image_facts *f)
{
    struct cursor c = f->manifest.mounts;
    json_t *list = json_array();
    const char *path;
    uint8_t flags;

    while (manifest_next_mount(&c, &flags, &path) > 0) {
        (void)json_array_append_new(list, json_pack("{s:s,s:b}", "path", path, "writable",
                                                    (int)((flags & MANIFEST_MOUNT_WRITABLE) != 0)));
    }
    return list;
}

static json_t *hex_json(const uint8_t *p, uint64_t present)
{
    char hex[65];

    if (present == 0) {
        return json_null();
    }
    hex_encode(hex, p, 32);
    return json_string(hex);
}

static json_t *checks_json(const struct image_facts *f)
{
    json_t *checks = json_object();

    for (size_t i = 0; i < CHECK_COUNT; i++) {
        json_t *value = f->results[i] == RESULT_NOT_ASKED
                            ? json_null()
                            : json_boolean(f->results[i] == RESULT_GOOD);

        (void)json_object_set_new(checks, image_check_names[i], value);
    }
    return checks;
}

static int print_json(const struct image_facts *f, struct error **err)
{
    const struct manifest_header *h = &f->manifest.header;
    json_t *j = json_pack(
        "{s:s,s:b,s:o,s:o,s:o,s:i,s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:b,s:s?,s:s?,s:O,s:I,s:I,s:I,s:"
        "I,"
        "s:I,s:I}",
        "verdict", image_facts_verdict(f), "good", (int)image_facts_good(f), "checks",
        checks_json(f), "mrenclave", hex_json(f->measured.mrenclave, 1), "mrsigner",
        hex_json(f->mrsigner, 1), "isv_prod_id", (int)f->sigstruct.isv_prod_id, "isv_svn",
        (int)f->sigstruct.isv_svn, "sealed_root",
        hex_json(h->sealed_root, h->flags & MANIFEST_SEALED_ROOT), "agent",
        hex_json(h->agent, h->flags & MANIFEST_AGENT), "cas_key",
        hex_json(h->cas_key, h->flags & MANIFEST_CAS_KEY), "session_hash",
        hex_json(h->session, h->flags & MANIFEST_SESSION), "host_environment",
        manifest_names_json(&f->manifest), "host_paths", mounts_json(f), "host_below",
        (int)((h->flags & MANIFEST_HOST_BELOW) != 0), "host_trusted",
        (int)((h->flags & MANIFEST_HOST_TRUSTED) != 0), "config_id", f->config_id, "cas", f->cas,
        "ports", f->ports, "sealed_bytes", (json_int_t)f->sealed_size, "unprotected_layers",
        (json_int_t)f->below_count, "unprotected_bytes", (json_int_t)f->below_size, "enclave_bytes",
        (json_int_t)f->libos_size, "agent_bytes", (json_int_t)f->agent_size, "measured_bytes",
        (json_int_t)f->measured.size);

    return cli_print_json(j, err);
}

static void print_hex(const char *what, const uint8_t *p)
{
    char hex[65];

    hex_encode(hex, p, 32);
    printf("%-14s%s\n", what, hex);
}

static void print_unprotected(const struct image_facts *f)
{
    struct cursor mounts = f->manifest.mounts;
    struct cursor names = f->manifest.names;
    const char *text;
    uint8_t flags;
    char size[24];

    if ((f->manifest.header.flags & MANIFEST_HOST_BELOW) != 0) {
        printf("unprotected   %zu layer%s below the seal, %s: names the seal does not have come "
               "from there\n",
               f->below_count, f->below_count == 1 ? "" : "s",
               format_bytes(f->below_size, size, sizeof(size)));
    } else if (f->below_count > 0) {
        printf("unused        %zu layer%s below the bundle, which the application never sees\n",
               f->below_count, f->below_count == 1 ? "" : "s");
    }
    while (manifest_next_mount(&mounts, &flags, &text) > 0) {
        printf("unprotected   %s, served by the host%s\n", text,
               (flags & MANIFEST_MOUNT_WRITABLE) != 0 ? ", writable" : "");
    }
    while (manifest_next_name(&names, &text) > 0) {
        printf("host may set  %s\n", text);
    }
}

static void print_human(const struct image_facts *f)
{
    const struct manifest_header *h = &f->manifest.header;
    char key[KEY_ID_TEXT_MAX];
    char size[24];

    printf("%s\n\n", image_facts_verdict(f));
    print_hex("mrenclave", f->measured.mrenclave);
    print_hex("mrsigner", f->mrsigner);
    if ((h->flags & MANIFEST_SEALED_ROOT) != 0) {
        print_hex("sealed root", h->sealed_root);
    }
    if ((h->flags & MANIFEST_CAS_KEY) != 0) {
        key_id_print(KEY_ID_VERSION_KEY, h->cas_key, key);
        printf("%-14s%s\n", "CAS key", key);
    }
    if (f->config_id != NULL) {
        printf("%-14s%s\n", "session", f->config_id);
    }
    if (f->cas != NULL) {
        printf("%-14s%s\n", "asks CAS at", f->cas);
    }
    printf("%-14ssealed image %s", "sizes", format_bytes(f->sealed_size, size, sizeof(size)));
    printf(", enclave %s", format_bytes(f->libos_size, size, sizeof(size)));
    printf(" (measured %s)", format_bytes(f->measured.size, size, sizeof(size)));
    printf(", agent %s\n", format_bytes(f->agent_size, size, sizeof(size)));
    print_unprotected(f);
    printf(
        "where         on SGX hardware; on softsgx it runs the same and nothing is isolated\n\n");
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        printf("%-14s%s%s%s\n", image_check_names[i], result_text(f->results[i]),
               f->why[i] != NULL ? ": " : "", f->why[i] != NULL ? f->why[i] : "");
    }
}

static int inspect(const char *image, const char *key_file, bool json, bool mrenclave_only,
                   struct error **err)
{
    _cleanup_facts_ struct image_facts f = {0};
    _cleanup_secret_ struct secret *key = NULL;
    _cleanup_free_ char *reference = NULL;
    char hex[65];
    int r = reference_complete(image, /*to_write=*/false, &reference, err);

    if (r == 0 && key_file != NULL) {
        r = sealed_read_key(key_file, &key, err);
    }
    r = r < 0 ? r : img_leftovers_on_signals(err);
    r = r < 0 ? r : image_facts_read(reference, key != NULL ? key->data : NULL, &f, err);
    if (r < 0) {
        return sealed_exit(r);
    }
    if (mrenclave_only) {
        hex_encode(hex, f.measured.mrenclave, 32);
        printf("%s\n", hex);
    } else if (json) {
        if (print_json(&f, err) < 0) {
            return error_set_errno(err, ENOMEM, "printing") < 0 ? CLI_FAILED : CLI_OK;
        }
    } else {
        print_human(&f);
    }
    return image_facts_good(&f) ? CLI_OK : CLI_REFUSED;
}

int cmd_inspect(int argc, char **argv, struct error **err)
{
    const char *key = NULL;
    bool json = false;
    bool mrenclave = false;
    const struct arg_option options[] = {
        {"key", 'k', ARG_STRING, "FILE", "the sealing key: checks every block, too", &key},
        {"mrenclave", 0, ARG_FLAG, NULL, "print the measurement alone", &mrenclave},
        {"json", 0, ARG_FLAG, NULL, "print JSON", &json},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre inspect",
        .synopsis = "[OPTIONS] IMAGE",
        .summary = "Say what a converted image is, and whether what is in it fits together.",
        .options = options,
        .examples =
            "  nacre inspect oci:app-sealed\n"
            "  nacre inspect --json docker-daemon:app-sealed:1 | jq -r .mrenclave\n"
            "  nacre session check -e MRENCLAVE=$(nacre inspect --mrenclave oci:app-sealed) "
            "template.yml\n",
        .notes =
            "The enclave is measured again, the signature, the agent and the sealed image are\n"
            "checked against that. The first line is the verdict. Exit code 0: it fits together,\n"
            "3: it does not. Whether you want what it is, a session says: compare mrenclave and\n"
            "mrsigner. Images are named as for 'nacre convert'.",
        .min_args = 1,
        .max_args = 1,
    };
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    return r != 0 ? cli_args_exit(r) : inspect(argv[0], key, json, mrenclave, err);
}
