/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* nacre cas: the verbs that ask a CAS who and how it is. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attest/verifier.h"
#include "base/alloc.h"
#include "base/base64.h"
#include "base/crypto.h"
#include "cas/evidence.h"
#include "cas/pins.h"
#include "cas/self.h"
#include "cli/cas_service_verbs.h"
#include "cli/claims_print.h"
#include "core/ct.h"
#include "core/hex.h"
#include "policy/text.h"

struct attest {
    struct cas_client_options client;
    struct arg_list collateral;
    struct arg_list software;
    struct arg_list mrenclaves;
    struct arg_list mrsigners;
    struct arg_list tolerate;
    bool allow_debug;
    bool first_use;
    bool no_store;
    bool json;
    /* what was found out */
    uint8_t key[32];
    bool has_evidence;
    bool verified; /* the evidence is genuine and acceptable */
    bool expected; /* and of an enclave the caller named */
    struct verified v;
    char why[512]; /* why the evidence proves nothing */
    const char *trusted_by;
};

/* ---- evidence ------------------------------------------------------------------------------- */

static bool named(const struct arg_list *list, const uint8_t value[static 32])
{
    for (size_t i = 0; i < list->count; i++) {
        uint8_t want[32];

        if (hex_decode(want, sizeof(want), list->values[i], strlen(list->values[i])) == 0 &&
            ct_equal(want, value, sizeof(want))) {
            return true;
        }
    }
    return false;
}

static int check_hex(const struct arg_list *list, const char *option, struct error **err)
{
    for (size_t i = 0; i < list->count; i++) {
        uint8_t value[32];

        if (hex_decode(value, sizeof(value), list->values[i], strlen(list->values[i])) < 0) {
            return error_set(err, EINVAL, "%s wants 64 hex digits", option);
        }
    }
    return 0;
}

static int read_policy(const struct attest *a, struct att_policy *ret, struct error **err)
{
    *ret =
        (struct att_policy){.allow_debug = a->allow_debug, .allow_software = a->software.count > 0};
    for (size_t i = 0; i < a->tolerate.count; i++) {
        enum att_tcb_status status;

        if (att_tcb_status_from_name(a->tolerate.values[i], &status) < 0 ||
            !att_tcb_status_tolerable(status)) {
            return error_set(err, EINVAL, "--tolerate: '%s' is no status that can be tolerated",
                             a->tolerate.values[i]);
        }
        ret->tolerate |= 1u << status;
    }
    return 0;
}

static void explain(struct attest *a, const struct att_reason *why)
{
    (void)snprintf(a->why, sizeof(a->why), "%s%s%s; %s", att_code_sentence(why->code),
                   why->detail[0] != '\0' ? ": " : "", why->detail, att_code_advice(why->code));
}

/* Leaves in `a` what the evidence proves. Fails only when it cannot be looked at. */
static int judge(struct attest *a, const uint8_t *quote, size_t size,
                 const uint8_t wanted[static 64], struct error **err)
{
    const struct evidence_options eo = {
        .dir_count = a->collateral.count,
        .dirs = a->collateral.values,
        .software_count = a->software.count,
        .software_dirs = a->software.values,
    };
    _cleanup_evidence_ struct evidence *e = NULL;
    struct att_policy policy;
    struct att_reason why = {0};
    int r = read_policy(a, &policy, err);

    if (r == 0) {
        r = evidence_new(&eo, &e, err);
    }
    if (r < 0) {
        return r;
    }
    if (evidence_verify(e, quote, size, (int64_t)time(NULL), &a->v, &why) < 0) {
        explain(a, &why);
        return 0;
    }
    if (!ct_equal(a->v.claims.report_data, wanted, 64)) {
        (void)snprintf(a->why, sizeof(a->why),
                       "the evidence was not made for this TLS key and nonce: it is somebody "
                       "else's");
        return 0;
    }
    if (att_appraise(&a->v.claims, &policy, &why) < 0) {
        explain(a, &why);
        return 0;
    }
    a->verified = true;
    a->expected = (a->mrenclaves.count > 0 || a->mrsigners.count > 0) &&
                  (a->mrenclaves.count == 0 || named(&a->mrenclaves, a->v.claims.mrenclave)) &&
                  (a->mrsigners.count == 0 || named(&a->mrsigners, a->v.claims.mrsigner));
    if (!a->expected) {
        (void)snprintf(a->why, sizeof(a->why), "%s",
                       a->mrenclaves.count + a->mrsigners.count > 0
                           ? "it is another enclave than --mrenclave and --mrsigner name"
                           : "no --mrenclave or --mrsigner says which enclave it should be");
    }
    return 0;
}

static int ask(struct attest *a, struct cas_client *c, struct error **err)
{
    _cleanup_json_ json_t *j = NULL;
    _cleanup_free_ uint8_t *quote = NULL;
    uint8_t nonce[SELF_NONCE];
    uint8_t wanted[64];
    char query[6 + 2 * SELF_NONCE + 1] = "nonce=";
    const char *text;
    size_t size;
    int r = crypto_random(nonce, sizeof(nonce));

    if (r < 0) {
        return error_set_errno(err, EIO, "no random numbers");
    }
    hex_encode(query + 6, nonce, sizeof(nonce));
    r = cas_client_ask(c, "GET", "/v1/attest", NULL, query, NULL, 0, &j, err);
    if (r < 0) {
        return r;
    }
    if (!cas_client_peer(c, a->key)) {
        return error_set(err, EOPNOTSUPP, "this libcurl does not tell which key the server has");
    }
    a->has_evidence = strcmp(cas_text(j, "type"), "sgx-dcap") == 0;
    if (!a->has_evidence) {
        (void)snprintf(a->why, sizeof(a->why), "this CAS runs in no TEE, or shows no evidence");
        return 0;
    }
    text = cas_text(j, "quote");
    quote = malloc(BASE64_DECODED_MAX(strlen(text)) + 1);
    if (quote == NULL) {
        return error_set_errno(err, ENOMEM, "reading the evidence");
    }
    if (base64_decode(quote, text, strlen(text), &size) < 0) {
        return error_set(err, EREMOTEIO, "the evidence of this CAS is not base64");
    }
    self_report_data(a->key, nonce, wanted);
    return judge(a, quote, size, wanted, err);
}

/* ---- what to make of it --------------------------------------------------------------------- */

static const char *decide(const struct attest *a, const struct cas_client *c)
{
    /* Evidence that was asked for by name must be right, whatever else is known. */
    if (a->mrenclaves.count + a->mrsigners.count > 0 && !a->expected) {
        return NULL;
    }
    if (cas_client_is_pinned(c)) {
        return "pin";
    }
    if (a->expected) {
        return "evidence";
    }
    return a->first_use ? "first use" : NULL;
}

static void print_json(const struct attest *a, const char *address, const char *key, bool stored)
{
    _cleanup_json_ json_t *j =
        json_pack("{s:s, s:s, s:b, s:s?, s:b, s:s, s:b, s:o}", "address", address, "key", key,
                  "trusted", a->trusted_by != NULL, "trusted_by", a->trusted_by, "stored", stored,
                  "type", a->has_evidence ? "sgx-dcap" : "none", "verified", a->verified, "claims",
                  a->verified ? claims_to_json(&a->v.claims) : json_null());

    (void)json_object_set_new(j, "reason", a->why[0] != '\0' ? json_string(a->why) : json_null());
    (void)json_dumpf(j, stdout, JSON_INDENT(2));
    (void)putchar('\n');
}

static void print_text(const struct attest *a, const char *address, const char *key, bool stored)
{
    printf("CAS:      %s\nkey:      %s\nevidence: %s\n", address, key,
           !a->has_evidence ? "none"
           : a->verified    ? "genuine, bound to this key"
                            : "does not verify");
    if (a->verified) {
        claims_print(&a->v.claims);
    }
    if (a->why[0] != '\0') {
        printf("note:     %s\n", a->why);
    }
    if (a->trusted_by != NULL) {
        printf("trusted:  by %s%s\n", a->trusted_by,
               stored ? "; the key is pinned from now on" : "");
    }
}

static int attest(struct attest *a, struct error **err)
{
    _cleanup_client_ struct cas_client *c = NULL;
    char key[KEY_ID_TEXT_MAX];
    bool stored = false;
    int r;

    a->client.learn = true;
    r = cas_client_new(&a->client, &c, err);
    if (r == 0) {
        r = ask(a, c, err);
    }
    if (r < 0) {
        return r;
    }
    a->trusted_by = decide(a, c);
    if (a->trusted_by != NULL && !a->no_store) {
        r = pins_put(cas_client_address(c), a->key, err);
        stored = r == 0;
    }
    key_id_print(KEY_ID_VERSION_KEY, a->key, key);
    (a->json ? print_json : print_text)(a, cas_client_address(c), key, stored);
    if (r == 0 && a->trusted_by == NULL) {
        r = error_set(err, EACCES,
                      "nothing says that this is the CAS you mean: compare the key with the one "
                      "'nacre cas serve' prints and give it with --pin, name its enclave with "
                      "--mrenclave, or say --trust-on-first-use");
    }
    return r;
}

int cas_attest_verb(int argc, char **argv, struct error **err)
{
    struct attest a = {0};
    _cleanup_free_ char *local = NULL;
    const struct arg_option options[] = {
        CLIENT_OPTIONS(a.client),
        {"mrenclave", 0, ARG_LIST, "HEX", "the enclave it must be; one of several", &a.mrenclaves},
        {"mrsigner", 0, ARG_LIST, "HEX", "who must have signed it; one of several", &a.mrsigners},
        {"collateral", 'c', ARG_LIST, "DIR", "collateral of its platform", &a.collateral},
        {"software-root", 0, ARG_LIST, "DIR|local", "also accept evidence below a software root",
         &a.software},
        {"tolerate", 0, ARG_LIST, "STATUS", "accept this TCB status, as 'nacre quote' does",
         &a.tolerate},
        {"allow-debug", 0, ARG_FLAG, NULL, "accept a debuggable enclave", &a.allow_debug},
        {"trust-on-first-use", 0, ARG_FLAG, NULL,
         "take the key it shows now for its key, with nothing to prove it", &a.first_use},
        {"no-store", 0, ARG_FLAG, NULL, "remember nothing", &a.no_store},
        {"json", 0, ARG_FLAG, NULL, "print JSON", &a.json},
        {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre cas attest",
        .synopsis = "[OPTIONS] [ADDR]",
        .summary = "Find out whether a CAS is the one you mean, and remember its key.",
        .options = options,
        .examples =
            "  nacre cas attest cas.example.org --pin 4fmeux...\n"
            "  nacre cas attest cas.example.org --mrenclave 5f2c... --collateral /etc/nacre/coll\n"
            "  nacre cas attest localhost --trust-on-first-use",
        .notes = "A CAS is trusted by a key given before (--pin, --cacert, or remembered), by "
                 "evidence of an enclave\nyou name, or because you say so. Verbs that ask CAS then "
                 "need no --pin. Exit code 3: it is not\ntrusted, or has another key than the one "
                 "remembered.",
        .min_args = 0,
        .max_args = 1,
    };
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (count > 0) {
        a.client.address = argv[0];
    }
    if (check_hex(&a.mrenclaves, "--mrenclave", err) < 0 ||
        check_hex(&a.mrsigners, "--mrsigner", err) < 0) {
        return CLI_USAGE;
    }
    r = cas_use_local_root(&a.software, &local, err);
    return cas_exit(r == 0 ? attest(&a, err) : r);
}

/* ---- status --------------------------------------------------------------------------------- */

static void print_status(const struct cas_client *c, const json_t *j)
{
    const json_t *collateral = json_object_get(j, "collateral");
    const long long uptime = json_integer_value(json_object_get(j, "uptime"));
    const char *until = json_string_value(json_object_get(collateral, "valid_until"));
    char key[KEY_ID_TEXT_MAX] = "?";
    uint8_t id[32];

    if (cas_client_peer(c, id)) {
        key_id_print(KEY_ID_VERSION_KEY, id, key);
    }
    printf("CAS:          %s\n"
           "health:       %s\n"
           "version:      %s\n"
           "key:          %s\n"
           "in a TEE:     %s\n"
           "sessions:     %lld\n"
           "provisioning: %s, %lld served\n"
           "collateral:   %lld hardware, %lld software%s%s\n"
           "up:           %lldd %lldh %lldm %llds\n",
           cas_client_address(c), cas_text(j, "status"), cas_text(j, "version"), key,
           json_is_true(json_object_get(j, "tee")) ? "yes" : "no",
           (long long)json_integer_value(json_object_get(j, "sessions")),
           json_is_true(json_object_get(j, "provisioning")) ? "on" : "off",
           (long long)json_integer_value(json_object_get(j, "provisioned")),
           (long long)json_integer_value(json_object_get(collateral, "hardware")),
           (long long)json_integer_value(json_object_get(collateral, "software")),
           until != NULL ? ", valid until " : "", until != NULL ? until : "", uptime / 86400,
           uptime / 3600 % 24, uptime / 60 % 60, uptime % 60);
}

int cas_status_verb(int argc, char **argv, struct error **err)
{
    struct cas_client_options client = {0};
    bool as_json = false;
    const struct arg_option options[] = {
        CLIENT_OPTIONS(client), {"json", 0, ARG_FLAG, NULL, "print JSON", &as_json}, {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre cas status",
        .synopsis = "[OPTIONS] [ADDR]",
        .summary = "Say how a CAS is: health, version, key, sessions, collateral, uptime.",
        .options = options,
        .examples = "  nacre cas status cas.example.org\n"
                    "  nacre cas status --json | jq .collateral.valid_until",
        .min_args = 0,
        .max_args = 1,
    };
    _cleanup_client_ struct cas_client *c = NULL;
    _cleanup_json_ json_t *j = NULL;
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (count > 0) {
        client.address = argv[0];
    }
    r = cas_client_new(&client, &c, err);
    if (r == 0) {
        r = cas_client_ask(c, "GET", "/v1/status", NULL, NULL, NULL, 0, &j, err);
    }
    if (r == 0 && as_json) {
        (void)json_dumpf(j, stdout, JSON_INDENT(2));
        (void)putchar('\n');
    } else if (r == 0) {
        print_status(c, j);
    }
    return cas_exit(r);
}
