/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "attest/verifier.h"
#include "base/alloc.h"
#include "base/fs.h"

struct quote_options {
    const char *collateral;
    const char *root;
    const char *software_root;
    const char *time;
    struct arg_list tolerate;
    bool allow_debug;
    bool json;
};

/* What a run of the verb knows at its end; printed in one of two ways. */
struct outcome {
    bool verifying;
    bool genuine; /* the claims are verified */
    bool has_claims;
    bool accepted;
    struct att_claims claims;
    struct att_reason why;
};

static void json_freep(json_t **j)
{
    json_decref(*j);
}

/* --- input --- */

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
#define COLLATERAL_FILE_COUNT ARRAY_COUNT(collateral_files)

struct collateral_bytes {
    struct att_blob blobs[COLLATERAL_FILE_COUNT];
    uint8_t *owned[COLLATERAL_FILE_COUNT];
};

static void collateral_bytes_done(struct collateral_bytes *b)
{
    for (size_t i = 0; i < COLLATERAL_FILE_COUNT; i++) {
        free(b->owned[i]);
    }
}

static int read_collateral(const char *dir, struct collateral_bytes *ret, struct error **err)
{
    for (size_t i = 0; i < COLLATERAL_FILE_COUNT; i++) {
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
    return 0;
}

static int read_root(const char *path, enum att_root_class root_class, struct att_root *ret,
                     struct error **err)
{
    _cleanup_free_ uint8_t *data = NULL;
    struct att_reason why;
    const char *slash = strrchr(path, '/');
    size_t size;
    int r = fs_read_file(path, ATT_CHAIN_MAX, &data, &size, err);

    if (r < 0) {
        return r;
    }
    /* Named after the file: a certificate can call itself anything. */
    r = att_root_from_cert(data, size, root_class, slash != NULL ? slash + 1 : path, ret, &why);
    if (r < 0) {
        return error_set(err, -r, "%s: %s (%s)", path, att_code_sentence(why.code), why.detail);
    }
    return 0;
}

static int read_policy(const struct quote_options *o, struct att_policy *ret, struct error **err)
{
    struct att_policy policy = {
        .allow_debug = o->allow_debug,
        .allow_software = o->software_root != NULL,
    };

    for (size_t i = 0; i < o->tolerate.count; i++) {
        const char *name = o->tolerate.values[i];
        enum att_tcb_status status;

        if (att_tcb_status_from_name(name, &status) < 0) {
            return error_set(err, EINVAL,
                             "--tolerate: there is no status '%s'; see 'nacre quote --help'", name);
        }
        if (!att_tcb_status_tolerable(status)) {
            return error_set(err, EINVAL, "--tolerate: %s can never be tolerated", name);
        }
        policy.tolerate |= 1u << status;
    }
    *ret = policy;
    return 0;
}

/* --- output --- */

static bool has_claim(const struct att_claims *c, const struct att_claim_info *info)
{
    return (c->groups & info->group) != 0;
}

static json_t *claim_to_json(const struct att_claims *c, const struct att_claim_info *info)
{
    char text[ATT_CLAIM_TEXT_MAX];
    const uint8_t *p = (const uint8_t *)c + info->offset;
    uint32_t number = 0;

    switch (info->kind) {
    case ATT_KIND_BOOL: return json_boolean(*(const bool *)p);
    case ATT_KIND_U16:
    case ATT_KIND_U32:
        memcpy(&number, p, info->size); /* little-endian, like all of nacre */
        return json_integer(number);
    default: att_claim_format(c, info, text, sizeof(text)); return json_string(text);
    }
}

static json_t *claims_to_json(const struct att_claims *c)
{
    static const char *const sources[] = {"platform", "module", "qe"};
    json_t *object = json_object();
    json_t *ids = json_array();
    json_t *sourced = json_array();

    for (size_t i = 0; i < att_claim_count; i++) {
        if (has_claim(c, &att_claim_table[i])) {
            json_object_set_new(object, att_claim_table[i].name,
                                claim_to_json(c, &att_claim_table[i]));
        }
    }
    for (size_t i = 0; i < c->advisory_count; i++) {
        json_array_append_new(ids, json_string(c->advisories[i].id));
        json_array_append_new(sourced, json_pack("{s:s,s:s}", "id", c->advisories[i].id, "source",
                                                 sources[c->advisories[i].source]));
    }
    json_object_set_new(object, "advisory_ids", ids);
    json_object_set_new(object, "advisories", sourced);
    return object;
}

static int print_json(const struct outcome *o)
{
    _cleanup_(json_freep) json_t *root = o->has_claims ? claims_to_json(&o->claims) : json_object();

    json_object_set_new(root, "verified", json_boolean(o->genuine));
    if (o->verifying) {
        json_object_set_new(root, "accepted", json_boolean(o->accepted));
        json_object_set_new(root, "reason",
                            o->accepted
                                ? json_null()
                                : json_pack("{s:s,s:s,s:s,s:s}", "code", att_code_name(o->why.code),
                                            "sentence", att_code_sentence(o->why.code), "detail",
                                            o->why.detail, "advice", att_code_advice(o->why.code)));
    }
    return json_dumpf(root, stdout, JSON_INDENT(2)) == 0 && putchar('\n') == '\n' ? 0 : -EIO;
}

static bool seen_before(const struct att_claims *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(c->advisories[i].id, c->advisories[n].id) == 0) {
            return true;
        }
    }
    return false;
}

static void print_claims(const struct att_claims *c)
{
    for (size_t i = 0; i < att_claim_count; i++) {
        char text[ATT_CLAIM_TEXT_MAX];

        if (has_claim(c, &att_claim_table[i])) {
            att_claim_format(c, &att_claim_table[i], text, sizeof(text));
            printf("  %-22s %s\n", att_claim_table[i].name, text);
        }
    }
    for (size_t i = 0; i < c->advisory_count; i++) {
        if (!seen_before(c, i)) {
            printf("  %-22s %s\n", i == 0 ? "advisories" : "", c->advisories[i].id);
        }
    }
}

static void print_text(const struct outcome *o)
{
    if (!o->verifying) {
        printf("NOT VERIFIED: this is what the quote says of itself.\n");
    } else if (o->genuine) {
        printf("Genuine: signed by a %s platform, root \"%s\".\nTCB status %s: %s.\n",
               o->claims.root_class == ATT_ROOT_HARDWARE ? "hardware" : "SOFTWARE-EMULATED",
               o->claims.root_name, att_tcb_status_name(o->claims.tcb_status),
               att_tcb_status_meaning(o->claims.tcb_status));
    }
    if (o->has_claims) {
        print_claims(&o->claims);
    }
    if (!o->verifying) {
        return;
    }
    if (o->accepted) {
        printf("ACCEPTED\n");
        return;
    }
    printf("REFUSED (%s): %s.\n", att_code_name(o->why.code), att_code_sentence(o->why.code));
    if (o->why.detail[0] != '\0') {
        printf("  what: %s\n", o->why.detail);
    }
    printf("  next: %s\n", att_code_advice(o->why.code));
}

/* --- the two actions --- */

static int verify(const struct quote_options *o, const uint8_t *quote, size_t size,
                  struct outcome *out, struct error **err)
{
    _cleanup_(att_collateral_freep) struct att_collateral *collateral = NULL;
    _cleanup_(collateral_bytes_done) struct collateral_bytes files = {0};
    struct att_root roots[2] = {att_root_intel};
    struct att_collateral_input input;
    struct att_policy policy;
    size_t root_count = 1;
    int64_t when = (int64_t)time(NULL);
    int r;

    if (o->time != NULL && att_time_parse(o->time, &when) < 0) {
        return error_set(err, EINVAL, "--time wants 2025-08-30T05:09:06Z or unix seconds, not '%s'",
                         o->time);
    }
    r = read_policy(o, &policy, err);
    if (r == 0 && o->root != NULL) {
        r = read_root(o->root, ATT_ROOT_HARDWARE, &roots[0], err);
    }
    if (r == 0 && o->software_root != NULL) {
        r = read_root(o->software_root, ATT_ROOT_SOFTWARE, &roots[root_count++], err);
    }
    if (r == 0) {
        r = read_collateral(o->collateral, &files, err);
    }
    if (r < 0) {
        return r;
    }
    input = (struct att_collateral_input){
        .tcb_info = files.blobs[FILE_TCB_INFO],
        .qe_identity = files.blobs[FILE_QE_IDENTITY],
        .tcb_signing_chain = files.blobs[FILE_CHAIN],
        .pck_crl = files.blobs[FILE_PCK_CRL],
        .root_ca_crl = files.blobs[FILE_ROOT_CRL],
        .pck_chain = files.blobs[FILE_PCK_CHAIN],
    };
    out->verifying = true;
    r = att_collateral_new(&input, roots, root_count, &collateral, &out->why);
    if (r == 0) {
        r = att_verify(quote, size, collateral, when, &out->claims, &out->why);
    }
    out->genuine = r == 0;
    out->has_claims = r == 0;
    out->accepted = r == 0 && att_appraise(&out->claims, &policy, &out->why) == 0;
    return 0;
}

static int run(const char *action, const char *path, const struct quote_options *o,
               struct error **err)
{
    _cleanup_free_ uint8_t *quote = NULL;
    struct outcome out = {0};
    size_t size;
    int r = fs_read_file(path, ATT_EVIDENCE_MAX, &quote, &size, err);

    if (r < 0) {
        return CLI_FAILED;
    }
    if (strcmp(action, "verify") == 0) {
        r = verify(o, quote, size, &out, err);
        if (r < 0) {
            return r == -EINVAL ? CLI_USAGE : CLI_FAILED;
        }
    } else {
        r = att_inspect(quote, size, &out.claims, &out.why);
        if (r < 0) {
            error_set(err, -r, "%s: %s (%s)", path, att_code_sentence(out.why.code),
                      out.why.detail);
            return CLI_FAILED;
        }
        out.has_claims = true;
    }
    if (o->json) {
        if (print_json(&out) < 0) {
            error_set(err, EIO, "writing the result");
            return CLI_FAILED;
        }
    } else {
        print_text(&out);
    }
    return out.verifying && !out.accepted ? CLI_REFUSED : CLI_OK;
}

int cmd_quote(int argc, char **argv, struct error **err)
{
    struct quote_options o = {0};
    const struct arg_option options[] = {
        {"collateral", 'c', ARG_STRING, "DIR", "verify: TCB info, QE identity, chain and CRLs",
         &o.collateral},
        {"root", 'r', ARG_STRING, "FILE", "trust this hardware root instead of Intel's", &o.root},
        {"software-root", 's', ARG_STRING, "FILE",
         "also accept evidence emulated under this software root", &o.software_root},
        {"time", 't', ARG_STRING, "TIME", "evaluate at this time, not now", &o.time},
        {"tolerate", 0, ARG_LIST, "STATUS", "accept this TCB status; may be repeated", &o.tolerate},
        {"allow-debug", 0, ARG_FLAG, NULL, "accept a debuggable enclave or TD", &o.allow_debug},
        {"json", 0, ARG_FLAG, NULL, "print JSON", &o.json},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre quote",
        .synopsis = "show|verify [OPTIONS] FILE",
        .summary = "Show what an attestation quote says, or verify it in full.",
        .options = options,
        .examples =
            "  nacre quote show quote.bin\n"
            "  nacre quote verify quote.bin --collateral /etc/nacre/collateral\n"
            "  nacre quote verify quote.bin -c collateral --time 2025-08-30T05:09:06Z --json\n"
            "  nacre quote verify quote.bin -c collateral --tolerate SWHardeningNeeded\n"
            "  nacre quote verify quote.bin -c collateral --software-root root.pem\n",
        .notes =
            "DCAP ECDSA quotes of version 3, 4 and 5 for SGX and TDX. DIR holds tcb_info.json,\n"
            "qe_identity.json, tcb_signing_chain.pem, pck_crl.der and root_ca_crl.der with the\n"
            "exact bytes of the provisioning service, and pck_chain.pem when the quote carries no\n"
            "PCK chain. Only UpToDate is accepted unless --tolerate names another status:\n"
            "SWHardeningNeeded, ConfigurationNeeded, ConfigurationAndSWHardeningNeeded,\n"
            "OutOfDate, OutOfDateConfigurationNeeded, TDRelaunchAdvised,\n"
            "TDRelaunchAdvisedConfigurationNeeded. Exit code 3 means refused.",
        .min_args = 2,
        .max_args = 2,
    };
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (strcmp(argv[0], "show") != 0 && strcmp(argv[0], "verify") != 0) {
        error_set(err, EINVAL, "'%s' is not an action: say 'show' or 'verify'", argv[0]);
        return CLI_USAGE;
    }
    if (strcmp(argv[0], "verify") == 0 && o.collateral == NULL) {
        error_set(err, EINVAL, "verify needs --collateral DIR");
        return CLI_USAGE;
    }
    return run(argv[0], argv[1], &o, err);
}
