/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
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
#include "core/sha256.h"

/* What was found, one object a difference, for both kinds of output. */
struct diff {
    const struct image_facts *a;
    const struct image_facts *b;
    json_t *list;
    bool failed;
};

static void add(struct diff *d, const char *what, bool measured, json_t *a, json_t *b,
                const char *meaning)
{
    json_t *j = json_pack("{s:s,s:b,s:o?,s:o?,s:s}", "what", what, "measured", (int)measured, "a",
                          a, "b", b, "meaning", meaning);

    d->failed |= j == NULL || json_array_append_new(d->list, j) < 0;
}

static json_t *hex_of(const uint8_t *p)
{
    char hex[65];

    hex_encode(hex, p, 32);
    return json_string(hex);
}

static void compare_hash(struct diff *d, const char *what, const uint8_t *a, const uint8_t *b,
                         bool measured, const char *meaning)
{
    if (memcmp(a, b, 32) != 0) {
        add(d, what, measured, hex_of(a), hex_of(b), meaning);
    }
}

static json_t *flag_words(uint64_t flags)
{
    static const struct {
        uint64_t flag;
        const char *word;
    } words[] = {
        {MANIFEST_SEALED_ROOT, "sealed root"}, {MANIFEST_AGENT, "agent"},
        {MANIFEST_CAS_KEY, "CAS key"},         {MANIFEST_CAS_MEASUREMENT, "CAS measurement"},
        {MANIFEST_SESSION, "session"},         {MANIFEST_HOST_TRUSTED, "host trusted"},
        {MANIFEST_HOST_BELOW, "host below"},
    };
    json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if ((flags & words[i].flag) != 0) {
            (void)json_array_append_new(list, json_string(words[i].word));
        }
    }
    return list;
}

static json_t *mount_list(const struct manifest *m)
{
    struct cursor c = m->mounts;
    json_t *list = json_array();
    const char *path;
    uint8_t flags;

    while (manifest_next_mount(&c, &flags, &path) > 0) {
        (void)json_array_append_new(
            list, json_sprintf("%s%s", path, (flags & MANIFEST_MOUNT_WRITABLE) != 0 ? ":rw" : ""));
    }
    return list;
}

static void compare_lists(struct diff *d, const char *what, json_t *a, json_t *b,
                          const char *meaning)
{
    if (json_equal(a, b)) {
        json_decref(a);
        json_decref(b);
        return;
    }
    add(d, what, /*measured=*/true, a, b, meaning);
}

static void compare_measured(struct diff *d)
{
    const struct manifest_header *a = &d->a->manifest.header;
    const struct manifest_header *b = &d->b->manifest.header;
    uint8_t elf_a[SHA256_SIZE];
    uint8_t elf_b[SHA256_SIZE];

    sha256(d->a->libos, d->a->libos_size, elf_a);
    sha256(d->b->libos, d->b->libos_size, elf_b);
    compare_hash(
        d, "enclave", elf_a, elf_b, true,
        "another build of the library OS: the images come from different versions of nacre");
    compare_hash(d, "sealed root", a->sealed_root, b->sealed_root, true,
                 "other files, or the same files under another key: only a --master-key makes two "
                 "conversions of one image equal");
    compare_hash(d, "agent", a->agent, b->agent, true, "another build of the agent");
    compare_hash(d, "CAS key", a->cas_key, b->cas_key, true, "they trust different CAS");
    compare_hash(d, "CAS measurement", a->cas_measurement, b->cas_measurement, true,
                 "they trust different CAS");
    compare_hash(d, "session", a->session, b->session, true,
                 "they belong to different sessions (the name is measured)");
    if (a->flags != b->flags) {
        add(d, "flags", true, flag_words(a->flags), flag_words(b->flags),
            "the kinds of protection differ");
    }
    compare_lists(d, "host environment", manifest_names_json(&d->a->manifest),
                  manifest_names_json(&d->b->manifest),
                  "the host may set different variables (--allow-env)");
    compare_lists(d, "host paths", mount_list(&d->a->manifest), mount_list(&d->b->manifest),
                  "the host serves different paths (--host-path)");
}

static void compare_signed(struct diff *d)
{
    const struct sgx_sigstruct *a = &d->a->sigstruct;
    const struct sgx_sigstruct *b = &d->b->sigstruct;

    compare_hash(d, "signer", d->a->mrsigner, d->b->mrsigner, false,
                 "different keys signed them: a policy that names the signer tells them apart");
    if (a->isv_svn != b->isv_svn) {
        add(d, "isv_svn", false, json_integer(a->isv_svn), json_integer(b->isv_svn),
            "different security versions");
    }
    if (a->isv_prod_id != b->isv_prod_id) {
        add(d, "isv_prod_id", false, json_integer(a->isv_prod_id), json_integer(b->isv_prod_id),
            "different products");
    }
    if (d->a->below_size != d->b->below_size) {
        add(d, "unprotected layers", false, json_integer((json_int_t)d->a->below_size),
            json_integer((json_int_t)d->b->below_size),
            "bytes outside the seal, which nothing measures");
    }
}

static void print_value(const char *side, const json_t *v)
{
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

    printf("    %s %s\n", side, text != NULL ? text : "?");
    free(text);
}

static void print_human(const struct diff *d, bool same)
{
    json_t *item;
    size_t i;

    printf("%s\n", same ? "the same measurement" : "different measurements:");
    json_array_foreach(d->list, i, item)
    {
        if (!json_is_true(json_object_get(item, "measured"))) {
            continue;
        }
        printf("  %s: %s\n", json_string_value(json_object_get(item, "what")),
               json_string_value(json_object_get(item, "meaning")));
        print_value("a", json_object_get(item, "a"));
        print_value("b", json_object_get(item, "b"));
    }
    json_array_foreach(d->list, i, item)
    {
        if (json_is_true(json_object_get(item, "measured"))) {
            continue;
        }
        printf("not measured, but different: %s: %s\n",
               json_string_value(json_object_get(item, "what")),
               json_string_value(json_object_get(item, "meaning")));
        print_value("a", json_object_get(item, "a"));
        print_value("b", json_object_get(item, "b"));
    }
}

static int print_json(const struct diff *d, bool same, struct error **err)
{
    json_t *j = json_pack("{s:b,s:o,s:o,s:O}", "same_measurement", (int)same, "mrenclave_a",
                          hex_of(d->a->measured.mrenclave), "mrenclave_b",
                          hex_of(d->b->measured.mrenclave), "differences", d->list);

    return cli_print_json(j, err);
}

static int read_one(const char *image, struct image_facts *ret, struct error **err)
{
    _cleanup_free_ char *reference = NULL;
    int r = reference_complete(image, /*to_write=*/false, &reference, err);

    r = r < 0 ? r : image_facts_read(reference, NULL, ret, err);
    if (r == 0 && !image_facts_good(ret)) {
        r = error_set(err, EBADMSG, "%s does not fit together; 'nacre inspect' says where", image);
    }
    return r;
}

int cmd_diff(int argc, char **argv, struct error **err)
{
    bool json = false;
    const struct arg_option options[] = {
        {"json", 0, ARG_FLAG, NULL, "print JSON", &json},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre diff",
        .synopsis = "[OPTIONS] IMAGE_A IMAGE_B",
        .summary = "Say why the measurements of two converted images differ.",
        .options = options,
        .examples = "  nacre diff oci:app-1.0 oci:app-1.1\n"
                    "  nacre diff --json oci:mine docker://registry.example.org/app:1\n",
        .notes = "Exit code 0: the same measurement; 3: different ones, or an image that does not "
                 "fit\ntogether. Memory, threads and other tuning are in no measurement.",
        .min_args = 2,
        .max_args = 2,
    };
    _cleanup_facts_ struct image_facts a = {0};
    _cleanup_facts_ struct image_facts b = {0};
    struct diff d = {.a = &a, .b = &b};
    bool same;
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    r = read_one(argv[0], &a, err);
    r = r < 0 ? r : read_one(argv[1], &b, err);
    if (r < 0) {
        return sealed_exit(r);
    }
    d.list = json_array();
    compare_measured(&d);
    compare_signed(&d);
    same = memcmp(a.measured.mrenclave, b.measured.mrenclave, 32) == 0;
    if (d.failed || (json && print_json(&d, same, err) < 0)) {
        json_decref(d.list);
        (void)error_set_errno(err, ENOMEM, "comparing");
        return CLI_FAILED;
    }
    if (!json) {
        print_human(&d, same);
    }
    json_decref(d.list);
    return same ? CLI_OK : CLI_REFUSED;
}
