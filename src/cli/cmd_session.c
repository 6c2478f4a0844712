/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* nacre session: the verbs, and those that need no CAS. */

#include "cli/session_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/hex.h"

/* The newest -e wins, then the environment when asked for. */
static const char *get_variable(void *ctx, const char *name, size_t len)
{
    const struct session_call *o = ctx;
    char word[129];

    for (size_t i = o->variables.count; i > 0; i--) {
        const char *v = o->variables.values[i - 1];

        if (strncmp(v, name, len) == 0 && v[len] == '=') {
            return v + len + 1;
        }
    }
    if (!o->use_env || len >= sizeof(word)) {
        return NULL;
    }
    memcpy(word, name, len);
    word[len] = '\0';
    return getenv(word);
}

static int check_variables(const struct session_call *o, struct error **err)
{
    for (size_t i = 0; i < o->variables.count; i++) {
        if (strchr(o->variables.values[i], '=') == NULL) {
            return error_set(err, EINVAL, "-e wants NAME=VALUE, not '%s'", o->variables.values[i]);
        }
    }
    return 0;
}

int session_load(const char *path, struct session_call *o, struct pol_session **ret,
                 struct error **err)
{
    const struct pol_variables vars = {.get = get_variable, .ctx = o};
    _cleanup_diags_ struct pol_diags d = {0};
    _cleanup_free_ uint8_t *text = NULL;
    bool complete;
    size_t size;
    int r = check_variables(o, err);

    if (r < 0) {
        return CLI_USAGE;
    }
    if (fs_read_file(path, POL_TEXT_MAX, &text, &size, err) < 0) {
        return CLI_FAILED;
    }
    complete = strncmp((const char *)text, POL_COMPLETE_MARK, strlen(POL_COMPLETE_MARK)) == 0;
    r = pol_parse((const char *)text, size, complete ? NULL : &vars, &d, ret);
    pol_diags_print(&d, path, stderr);
    if (r == -ENOMEM) {
        (void)error_set_errno(err, ENOMEM, "checking %s", path);
        return CLI_FAILED;
    }
    if (r < 0) {
        (void)error_set(err, EINVAL, "%s: %zu error%s", path, d.errors, d.errors == 1 ? "" : "s");
        return CLI_FAILED;
    }
    if (o->fail_on_warning && d.warnings > 0) {
        pol_freep(ret);
        (void)error_set(err, EINVAL, "%s: %zu warning%s, and --fail-on-warning was given", path,
                        d.warnings, d.warnings == 1 ? "" : "s");
        return CLI_FAILED;
    }
    return CLI_OK;
}

int session_run(const struct arg_spec *spec, unsigned needs, session_work work,
                struct session_call *c, int argc, char **argv, struct error **err)
{
    int r = args_parse(spec, argc, argv, &c->count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    c->args = argv;
    if ((needs & SESSION_DOCUMENT) != 0 && !c->deletion) {
        r = session_load(argv[0], c, &c->session, err);
    }
    if (r == 0 && (needs & SESSION_CAS) != 0) {
        r = cas_client_new(&c->client, &c->cas, err);
    }
    if (r == 0) {
        r = work(c, err);
    }
    cas_client_freep(&c->cas);
    pol_freep(&c->session);
    return r > 0 ? r : cas_exit(r);
}

static int check(struct session_call *c, struct error **err)
{
    for (size_t i = 0; i < c->count; i++) {
        _cleanup_session_ struct pol_session *s = NULL;
        int r = session_load(c->args[i], c, &s, err);

        if (r != CLI_OK) {
            return r;
        }
        printf("%s: session %s is well-formed (%zu service%s, %zu secret%s)\n", c->args[i], s->name,
               s->service_count, s->service_count == 1 ? "" : "s", s->secret_count,
               s->secret_count == 1 ? "" : "s");
    }
    return 0;
}

static int session_check(int argc, char **argv, struct error **err)
{
    struct session_call c = {0};
    const struct arg_option options[] = {VARIABLE_OPTIONS(c), {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session check",
        .synopsis = "[OPTIONS] FILE...",
        .summary = "Check session documents: every error with line, column and a hint.",
        .options = options,
        .examples =
            "  nacre session check session.yml\n"
            "  nacre session check -e SESSION=shop -e MRENCLAVE=$(nacre inspect --mrenclave img) "
            "template.yml",
        .min_args = 1,
        .max_args = 1024,
    };

    return session_run(&spec, 0, check, &c, argc, argv, err);
}

static int show(struct session_call *c, struct error **err)
{
    _cleanup_free_ char *text = NULL;
    const unsigned flags = c->withhold ? POL_PRINT_WITHHOLD : 0;
    int r =
        c->json ? pol_print_json(c->session, flags, 2, &text) : pol_print(c->session, flags, &text);

    if (r < 0) {
        return error_set_errno(err, -r, "printing %s", c->args[0]);
    }
    printf("%s%s", text, c->json ? "\n" : "");
    return 0;
}

static int session_show(int argc, char **argv, struct error **err)
{
    struct session_call c = {0};
    const struct arg_option options[] = {
        VARIABLE_OPTIONS(c),
        {"json", 0, ARG_FLAG, NULL, "print JSON instead of YAML", &c.json},
        {"withhold", 0, ARG_FLAG, NULL, "leave explicit values of secrets out", &c.withhold},
        {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session show",
        .synopsis = "[OPTIONS] FILE",
        .summary = "Print a session in its canonical form: variables replaced, defaults left out.",
        .options = options,
        .examples = "  nacre session show session.yml\n"
                    "  nacre session show --json template.yml --use-env | jq .services",
        .min_args = 1,
        .max_args = 1,
    };

    return session_run(&spec, SESSION_DOCUMENT, show, &c, argc, argv, err);
}

static int hash(struct session_call *c, struct error **err)
{
    uint8_t is[POL_HASH_SIZE];
    char hex[2 * POL_HASH_SIZE + 1];
    int r = pol_hash(c->session, is);

    if (r < 0) {
        return error_set_errno(err, -r, "hashing %s", c->args[0]);
    }
    hex_encode(hex, is, sizeof(is));
    printf("%s\n", hex);
    return 0;
}

static int session_hash(int argc, char **argv, struct error **err)
{
    struct session_call c = {0};
    const struct arg_option options[] = {VARIABLE_OPTIONS(c), {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session hash",
        .synopsis = "[OPTIONS] FILE",
        .summary = "Print the session hash: the name of this content and its history.",
        .options = options,
        .examples = "  nacre session hash session.yml",
        .notes =
            "CAS fills in 'creator' when a session is created without one and its access policy\n"
            "names CREATOR; the hash it answers with covers that too.",
        .min_args = 1,
        .max_args = 1,
    };

    return session_run(&spec, SESSION_DOCUMENT, hash, &c, argc, argv, err);
}

static int schema(struct session_call *c, struct error **err)
{
    _cleanup_free_ char *text = NULL;

    if (pol_schema(&text) < 0) {
        return error_set_errno(err, ENOMEM, "writing the schema");
    }
    printf("%s\n", text);
    return 0;
}

static int session_schema(int argc, char **argv, struct error **err)
{
    struct session_call c = {0};
    const struct arg_spec spec = {
        .verb = "nacre session schema",
        .synopsis = "",
        .summary = "Print the JSON Schema of session documents, for completion in editors.",
        .examples = "  nacre session schema > session.json",
    };

    return session_run(&spec, 0, schema, &c, argc, argv, err);
}

static const struct cli_verb verbs[] = {
    {"check", session_check, "check documents, with line, column and hints"},
    {"create", session_create, "create a session on CAS"},
    {"delete", session_delete, "delete sessions on CAS"},
    {"hash", session_hash, "print the session hash"},
    {"list", session_list, "list the sessions CAS has"},
    {"read", session_read, "print a session CAS has"},
    {"schema", session_schema, "print the JSON Schema, for editors"},
    {"show", session_show, "print the canonical form"},
    {"sign", session_sign, "agree to a change that somebody else sends"},
    {"update", session_update, "replace a session on CAS"},
    {"values", session_values, "print values of a session CAS has"},
    {"verify", session_verify, "check that CAS has exactly this session"},
};

int cmd_session(int argc, char **argv, struct error **err)
{
    return cli_verbs_run("session", "Work with session documents: what CAS gives to which enclave.",
                         verbs, ARRAY_COUNT(verbs), argc, argv, err);
}
