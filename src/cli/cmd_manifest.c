/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "cli/sealed_args.h"
#include "core/hex.h"
#include "core/sha256.h"
#include "seal/manifest.h"

#define AGENT_MAX ((size_t)64 << 20)

#define X(name, function, summary) int function(int argc, char **argv, struct error **err);
#include "cli/manifest.tbl.h"
#undef X

static const struct cli_verb verbs[] = {
#define X(name, function, summary) {name, function, summary},
#include "cli/manifest.tbl.h"
#undef X
};

/* ---- build ---- */

struct build_options {
    const char *sealed_root;
    const char *agent;
    const char *cas_key;
    const char *cas_measurement;
    const char *session;
    const char *output;
    struct arg_list env;
    struct arg_list mounts;
    bool host_below;
    bool host_trusted;
};

/* A hash in digits, into its field, and the flag that says it is there. */
static int set_hash(struct manifest_header *h, uint64_t flag, const char *option, const char *text,
                    uint8_t field[static MANIFEST_HASH_SIZE], struct error **err)
{
    if (text == NULL) {
        return 0;
    }
    h->flags |= flag;
    return sealed_parse_hex32(option, text, field, err);
}

static int set_agent(struct manifest_header *h, const char *path, struct error **err)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r;

    if (path == NULL) {
        return 0;
    }
    r = fs_read_file(path, AGENT_MAX, &data, &size, err);
    if (r == 0) {
        sha256(data, size, h->agent);
        h->flags |= MANIFEST_AGENT;
    }
    return r;
}

static int fill_header(const struct build_options *o, struct manifest_header *h, struct error **err)
{
    int r = set_hash(h, MANIFEST_SEALED_ROOT, "--sealed-root", o->sealed_root, h->sealed_root, err);

    r = r < 0 ? r : set_agent(h, o->agent, err);
    r = r < 0 ? r : set_hash(h, MANIFEST_CAS_KEY, "--cas-key", o->cas_key, h->cas_key, err);
    r = r < 0 ? r
              : set_hash(h, MANIFEST_CAS_MEASUREMENT, "--cas-measurement", o->cas_measurement,
                         h->cas_measurement, err);
    if (o->session != NULL) {
        sha256(o->session, strlen(o->session), h->session);
        h->flags |= MANIFEST_SESSION;
    }
    h->flags |= o->host_below ? MANIFEST_HOST_BELOW : 0;
    h->flags |= o->host_trusted ? MANIFEST_HOST_TRUSTED : 0;
    if (r == 0 && o->host_below && o->sealed_root == NULL) {
        r = error_set(err, EINVAL,
                      "--host-below needs --sealed-root: it lies below a sealed image");
    }
    if (r == 0 && !o->host_trusted && (o->agent == NULL || o->cas_key == NULL)) {
        r = error_set(err, EINVAL,
                      "--agent and --cas-key say where key and arguments come from; without them "
                      "use --host-trusted, for development");
    }
    return r;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct manifest_mount *)a)->path,
                  ((const struct manifest_mount *)b)->path);
}

/* "PATH" or "PATH:rw"; the text is cut where it lies. */
static void take_mount(const char *text, struct manifest_mount *ret)
{
    char *end = strrchr(text, (int)':');

    *ret = (struct manifest_mount){.path = text};
    if (end != NULL && strcmp(end, ":rw") == 0) {
        *end = '\0';
        ret->flags = MANIFEST_MOUNT_WRITABLE;
    }
}

static int build(struct build_options *o, struct error **err)
{
    _cleanup_free_ uint8_t *data = malloc(MANIFEST_SIZE_MAX);
    struct manifest_header header = {};
    struct manifest_mount mounts[ARG_LIST_MAX];
    size_t size;
    int r = data == NULL ? error_set_errno(err, ENOMEM, "starting") : fill_header(o, &header, err);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < o->mounts.count; i++) {
        take_mount(o->mounts.values[i], &mounts[i]);
    }
    qsort(o->env.values, o->env.count, sizeof(o->env.values[0]), by_name);
    qsort(mounts, o->mounts.count, sizeof(mounts[0]), by_path);
    if (manifest_encode(&header, o->env.values, o->env.count, mounts, o->mounts.count, data,
                        MANIFEST_SIZE_MAX, &size) < 0) {
        return error_set(err, EINVAL,
                         "not a manifest: names of variables are printable and without '=', paths "
                         "absolute and clean, none comes twice, %u and %u at most",
                         MANIFEST_NAMES_MAX, MANIFEST_MOUNTS_MAX);
    }
    return fs_write_file_atomic(o->output, data, size, 0644, err);
}

int cmd_manifest_build(int argc, char **argv, struct error **err)
{
    struct build_options o = {.output = "-"};
    const struct arg_option options[] = {
        {"sealed-root", 0, ARG_STRING, "HEX", "the sealed image that is /", &o.sealed_root},
        {"agent", 0, ARG_STRING, "FILE", "the program that attests", &o.agent},
        {"cas-key", 0, ARG_STRING, "HEX", "SHA-256 of the CAS's public key (its fingerprint)",
         &o.cas_key},
        {"cas-measurement", 0, ARG_STRING, "HEX", "measurement of a CAS that runs in an enclave",
         &o.cas_measurement},
        {"session", 0, ARG_STRING, "NAME", "the only session this enclave may ask for", &o.session},
        {"env", 'e', ARG_LIST, "NAME", "a variable the host may set", &o.env},
        {"mount", 0, ARG_LIST, "PATH[:rw]", "a host directory that is passed through, unprotected",
         &o.mounts},
        {"host-below", 0, ARG_FLAG, NULL, "host files below the sealed image, unprotected",
         &o.host_below},
        {"host-trusted", 0, ARG_FLAG, NULL, "development: key and arguments may come from the host",
         &o.host_trusted},
        {"output", 'o', ARG_STRING, "FILE", "where to write it (default: standard output)",
         &o.output},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre manifest build",
        .synopsis = "[OPTIONS]",
        .summary = "Write a manifest: what an enclave is, beyond its code.",
        .options = options,
        .examples = "  nacre manifest build --sealed-root \"$(cat root)\" --agent agent "
                    "--cas-key \"$FINGERPRINT\" -o manifest\n"
                    "  nacre manifest build --host-trusted --sealed-root \"$(cat root)\" -o dev\n",
        .notes = "'nacre convert' writes manifests by itself. Nothing in one is secret.",
        .max_args = 0,
    };
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    return build(&o, err) < 0 ? CLI_FAILED : CLI_OK;
}

/* ---- show ---- */

static const struct {
    uint64_t flag;
    const char *name;
    size_t offset; /* of its hash; 0: none */
} fields[] = {
    {MANIFEST_SEALED_ROOT, "sealed_root", offsetof(struct manifest_header, sealed_root)},
    {MANIFEST_AGENT, "agent", offsetof(struct manifest_header, agent)},
    {MANIFEST_CAS_KEY, "cas_key", offsetof(struct manifest_header, cas_key)},
    {MANIFEST_CAS_MEASUREMENT, "cas_measurement",
     offsetof(struct manifest_header, cas_measurement)},
    {MANIFEST_SESSION, "session", offsetof(struct manifest_header, session)},
    {MANIFEST_HOST_TRUSTED, "host_trusted", 0},
    {MANIFEST_HOST_BELOW, "host_below", 0},
};

static json_t *to_json(const struct manifest *m)
{
    json_t *root = json_pack("{s:i}", "version", (int)m->header.version);
    json_t *env = json_array();
    json_t *mounts = json_array();
    struct cursor c = m->names;
    const char *text;
    uint8_t flags;

    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        char hex[2 * MANIFEST_HASH_SIZE + 1];
        const bool set = (m->header.flags & fields[i].flag) != 0;

        if (fields[i].offset == 0) {
            (void)json_object_set_new(root, fields[i].name, json_boolean(set));
            continue;
        }
        hex_encode(hex, (const uint8_t *)&m->header + fields[i].offset, MANIFEST_HASH_SIZE);
        (void)json_object_set_new(root, fields[i].name, set ? json_string(hex) : json_null());
    }
    while (manifest_next_name(&c, &text) > 0) {
        (void)json_array_append_new(env, json_string(text));
    }
    c = m->mounts;
    while (manifest_next_mount(&c, &flags, &text) > 0) {
        (void)json_array_append_new(mounts, json_pack("{s:s, s:b}", "path", text, "writable",
                                                      (flags & MANIFEST_MOUNT_WRITABLE) != 0));
    }
    (void)json_object_set_new(root, "environment", env);
    (void)json_object_set_new(root, "mounts", mounts);
    return root;
}

static void print_text(const struct manifest *m)
{
    struct cursor c = m->names;
    const char *text;
    uint8_t flags;

    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        char hex[2 * MANIFEST_HASH_SIZE + 1];

        if ((m->header.flags & fields[i].flag) == 0) {
            continue;
        }
        hex_encode(hex, (const uint8_t *)&m->header + fields[i].offset, MANIFEST_HASH_SIZE);
        printf("%-16s %s\n", fields[i].name, fields[i].offset == 0 ? "yes: unprotected" : hex);
    }
    while (manifest_next_name(&c, &text) > 0) {
        printf("%-16s %s\n", "environment", text);
    }
    c = m->mounts;
    while (manifest_next_mount(&c, &flags, &text) > 0) {
        printf("%-16s %s (%s, unprotected)\n", "mount", text,
               (flags & MANIFEST_MOUNT_WRITABLE) != 0 ? "writable" : "read-only");
    }
}

int cmd_manifest_show(int argc, char **argv, struct error **err)
{
    bool json = false;
    const struct arg_option options[] = {
        {"json", 0, ARG_FLAG, NULL, "print JSON", &json},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre manifest show",
        .synopsis = "[OPTIONS] FILE",
        .summary = "Print a manifest.",
        .options = options,
        .examples = "  nacre manifest show /nacre/manifest\n"
                    "  nacre manifest show --json manifest | jq -r .sealed_root\n",
        .min_args = 1,
        .max_args = 1,
    };
    _cleanup_free_ uint8_t *data = NULL;
    struct manifest m;
    json_t *root;
    size_t count;
    size_t size;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (fs_read_file(argv[0], MANIFEST_SIZE_MAX, &data, &size, err) < 0) {
        return CLI_FAILED;
    }
    if (manifest_parse(data, size, &m) < 0) {
        error_set(err, EBADMSG, "%s: not a manifest of version %u in its one encoding", argv[0],
                  MANIFEST_VERSION);
        return CLI_FAILED;
    }
    if (!json) {
        print_text(&m);
        return CLI_OK;
    }
    root = to_json(&m);
    (void)json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
    return CLI_OK;
}

/* ---- the verb ---- */

int cmd_manifest(int argc, char **argv, struct error **err)
{
    return cli_verbs_run(
        "manifest",
        "The manifest is measured with an enclave and says what it is: its sealed root,\n"
        "its agent, the CAS it trusts, what the host may set.",
        verbs, ARRAY_COUNT(verbs), argc, argv, err);
}
