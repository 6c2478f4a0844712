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
#include "cli/claims_print.h"
#include "cli/collateral_dir.h"

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
        claims_print(&o->claims);
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
    _cleanup_(collateral_dir_done) struct collateral_dir files = {0};
    struct att_root roots[2] = {att_root_intel};
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
        r = collateral_dir_read(o->collateral, &files, err);
    }
    if (r < 0) {
        return r;
    }
    out->verifying = true;
    r = att_collateral_new(&files.input, roots, root_count, &collateral, &out->why);
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
            return CLI_REFUSED;
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
    if (out.verifying && !out.accepted) {
        error_set(err, EACCES, "%s: refused (%s): %s", path, att_code_name(out.why.code),
                  att_code_sentence(out.why.code));
        return CLI_REFUSED;
    }
    return CLI_OK;
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
