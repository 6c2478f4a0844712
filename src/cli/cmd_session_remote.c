/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* nacre session: what asks CAS. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "cas/signatures.h"
#include "cli/session_verbs.h"
#include "core/ct.h"
#include "core/hex.h"

#define CO_SIGN_MAX   ((size_t)64 * 1024)
#define CO_SIGN_NOW_S 600

/* ---- create, update ------------------------------------------------------------------------- */

/* What a signature over this document is about. The key of CAS is the one this client knows. */
static int signed_document(struct session_call *c, const char *text, uint8_t key[static 32],
                           struct signed_request *ret, struct error **err)
{
    int r = 0;

    if (!cas_client_peer(c->cas, key)) {
        r = cas_client_ask(c->cas, "GET", "/v1/health/live", NULL, NULL, NULL, 0, NULL, err);
    }
    if (r == 0 && !cas_client_peer(c->cas, key)) {
        r = error_set(err, EOPNOTSUPP, "this libcurl does not tell which key the server has");
    }
    *ret = (struct signed_request){
        .cas_key = key,
        .method = "POST",
        .path = "/v1/sessions",
        .body = text,
        .size = strlen(text),
    };
    return r;
}

/* --co-sign FILE: a private key that signs now, or what 'session sign' printed. */
static int co_sign_one(struct session_call *c, const struct signed_request *req, const char *path,
                       struct error **err)
{
    _cleanup_secret_ struct secret *file = NULL;
    _cleanup_free_ char *value = NULL;
    int r = secret_read_file(path, CO_SIGN_MAX, &file, err);

    if (r < 0) {
        return r;
    }
    if (strstr((const char *)file->data, "PRIVATE KEY-----") != NULL) {
        r = signature_make(req, (const char *)file->data, file->size,
                           (int64_t)time(NULL) + CO_SIGN_NOW_S, &value, err);
    } else {
        value = strndup((const char *)file->data, strcspn((const char *)file->data, "\r\n"));
        r = value != NULL ? 0 : error_set_errno(err, ENOMEM, "signing");
    }
    if (r < 0) {
        (void)error_wrap(err, "--co-sign %s", path);
        return r;
    }
    return cas_client_add_signature(c->cas, value, err);
}

static int co_sign(struct session_call *c, const char *text, struct error **err)
{
    struct signed_request req;
    uint8_t key[32];
    int r = c->co_sign.count > 0 ? signed_document(c, text, key, &req, err) : 0;

    for (size_t i = 0; i < c->co_sign.count && r == 0; i++) {
        r = co_sign_one(c, &req, c->co_sign.values[i], err);
    }
    return r;
}

static int send_document(struct session_call *c, struct error **err)
{
    _cleanup_json_ json_t *j = NULL;
    char *text = NULL;
    json_t *warning;
    size_t i;
    int r = pol_print(c->session, 0, &text);

    if (r < 0) {
        return error_set_errno(err, -r, "printing the session");
    }
    r = co_sign(c, text, err);
    r = r < 0 ? r
              : cas_client_ask(c->cas, "POST", "/v1/sessions", NULL, c->dry ? "verify=true" : NULL,
                               text, strlen(text), &j, err);
    ct_wipe(text, strlen(text)); /* it may hold secrets */
    free(text);
    if (r < 0) {
        return r;
    }
    json_array_foreach(json_object_get(j, "warnings"), i, warning)
    {
        fprintf(stderr, "warning: %s\n", json_string_value(warning));
    }
    printf("%s\n", cas_text(j, "hash"));
    return 0;
}

static int create(struct session_call *c, struct error **err)
{
    if (c->session->has_predecessor) {
        (void)error_set(err, EINVAL, "%s has a predecessor: use 'nacre session update'",
                        c->args[0]);
        return CLI_USAGE;
    }
    return send_document(c, err);
}

#define SEND_OPTIONS(o)                                                                           \
    CLIENT_OPTIONS((o).client),                                                                   \
        {"dry-run", 0, ARG_FLAG, NULL, "let CAS check rights and imports, and change nothing",    \
         &(o).dry},                                                                               \
        {"co-sign",                                                                               \
         0,                                                                                       \
         ARG_LIST,                                                                                \
         "FILE",                                                                                  \
         "somebody agrees: what 'session sign' printed, or a private key (PEM) to sign with now", \
         &(o).co_sign},                                                                           \
        VARIABLE_OPTIONS(o)

int session_create(int argc, char **argv, struct error **err)
{
    struct session_call c = {0};
    const struct arg_option options[] = {SEND_OPTIONS(c), {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session create",
        .synopsis = "[OPTIONS] FILE",
        .summary = "Create a session on CAS. Prints its hash.",
        .options = options,
        .examples =
            "  nacre session create --cas cas.example.org --pin 4kv6pm... session.yml\n"
            "  export NACRE_CAS=localhost NACRE_CAS_CACERT=/var/lib/nacre/cas/tls-cert.pem\n"
            "  nacre session create -e MRENCLAVE=... template.yml",
        .min_args = 1,
        .max_args = 1,
    };

    return session_run(&spec, SESSION_DOCUMENT | SESSION_CAS, create, &c, argc, argv, err);
}

/* The hash of what CAS has now. */
static int current_hash(struct cas_client *c, const char *name, struct pol_hash *ret,
                        struct error **err)
{
    _cleanup_json_ json_t *j = NULL;
    const char *hex;
    int r = cas_client_ask(c, "GET", "/v1/sessions/", name, NULL, NULL, 0, &j, err);

    if (r < 0) {
        return r;
    }
    hex = cas_text(j, "hash");
    if (hex_decode(ret->b, sizeof(ret->b), hex, strlen(hex)) < 0) {
        return error_set(err, EREMOTEIO, "CAS answers without a session hash");
    }
    return 0;
}

static int update(struct session_call *c, struct error **err)
{
    struct pol_session *s = c->session;
    int r = 0;

    if (!s->has_predecessor) {
        r = current_hash(c->cas, s->name, &s->predecessor, err);
        s->has_predecessor = true;
        s->has_namespace_hash = false; /* it was for the creation */
    }
    return r == 0 ? send_document(c, err) : r;
}

int session_update(int argc, char **argv, struct error **err)
{
    struct session_call c = {0};
    const struct arg_option options[] = {SEND_OPTIONS(c), {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session update",
        .synopsis = "[OPTIONS] FILE",
        .summary = "Replace a session on CAS. Prints the new hash.",
        .options = options,
        .examples = "  nacre session update session.yml",
        .notes = "Without 'predecessor' in the document, the version that CAS has now is replaced; "
                 "that needs the\nright to read the session. With it, the update fails when "
                 "somebody else was faster.",
        .min_args = 1,
        .max_args = 1,
    };

    return session_run(&spec, SESSION_DOCUMENT | SESSION_CAS, update, &c, argc, argv, err);
}

static int print_signature(struct session_call *c, struct error **err)
{
    _cleanup_secret_ struct secret *pem = NULL;
    _cleanup_free_ char *value = NULL;
    struct signed_request req;
    struct pol_session *s = c->session;
    char *text = NULL;
    uint8_t key[32];
    int r = 0;

    if (c->valid_hours < 1 || c->valid_hours > 31 * 24) {
        (void)error_set(err, EINVAL, "--hours wants 1 to %d", 31 * 24);
        return CLI_USAGE;
    }
    if (!s->has_predecessor) {
        r = current_hash(c->cas, s->name, &s->predecessor, err);
        s->has_predecessor = r == 0;
        s->has_namespace_hash = s->has_namespace_hash && r != 0;
        if (r == -ENOENT) {
            *err = error_free(*err);
            r = 0; /* it is new */
        }
    }
    r = r < 0 ? r : secret_read_file(cas_client_identity(c->cas), CO_SIGN_MAX, &pem, err);
    if (r == 0 && pol_print(s, 0, &text) < 0) {
        r = error_set_errno(err, ENOMEM, "printing the session");
    }
    r = r < 0 ? r : signed_document(c, text, key, &req, err);
    r = r < 0 ? r
              : signature_make(&req, (const char *)pem->data, pem->size,
                               (int64_t)time(NULL) + (int64_t)c->valid_hours * 3600, &value, err);
    if (text != NULL) {
        ct_wipe(text, strlen(text));
        free(text);
    }
    if (r == 0) {
        printf("%s\n", value);
    }
    return r;
}

int session_sign(int argc, char **argv, struct error **err)
{
    struct session_call c = {.valid_hours = 24};
    const struct arg_option options[] = {CLIENT_OPTIONS(c.client),
                                         VARIABLE_OPTIONS(c),
                                         {"hours", 0, ARG_U64, "N",
                                          "how long the signature holds (default 24, at most 744)",
                                          &c.valid_hours},
                                         {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session sign",
        .synopsis = "[OPTIONS] FILE",
        .summary = "Agree to a session that somebody else will send: prints a signature.",
        .options = options,
        .examples = "  nacre session sign --identity alice.pem session.yml > alice.sig\n"
                    "  nacre session update --co-sign alice.sig --co-sign bob.sig session.yml",
        .notes = "For sessions whose access_policy wants 'signer', 'require-all' or "
                 "'require-at-least-N'. The\nsignature is over this document as the successor of "
                 "what CAS has now, for this CAS alone.",
        .min_args = 1,
        .max_args = 1,
    };

    return session_run(&spec, SESSION_DOCUMENT | SESSION_CAS, print_signature, &c, argc, argv, err);
}

/* ---- read, verify --------------------------------------------------------------------------- */

static int read_session(struct session_call *c, struct error **err)
{
    _cleanup_json_ json_t *j = NULL;
    char query[80];
    int r;

    if (c->hash != NULL &&
        (strlen(c->hash) != 64 || strspn(c->hash, "0123456789abcdefABCDEF") != 64)) {
        (void)error_set(err, EINVAL, "--hash wants 64 hex digits");
        return CLI_USAGE;
    }
    (void)snprintf(query, sizeof(query), "hash=%s", c->hash != NULL ? c->hash : "");
    r = cas_client_ask(c->cas, "GET", "/v1/sessions/", c->args[0], c->hash != NULL ? query : NULL,
                       NULL, 0, &j, err);
    if (r == 0) {
        printf("%s", cas_text(j, "session"));
    }
    return r;
}

int session_read(int argc, char **argv, struct error **err)
{
    struct session_call c = {0};
    const struct arg_option options[] = {
        CLIENT_OPTIONS(c.client),
        {"hash", 0, ARG_STRING, "HASH", "an older version", &c.hash},
        {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session read",
        .synopsis = "[OPTIONS] NAME",
        .summary = "Print a session that CAS has.",
        .options = options,
        .examples = "  nacre session read shop/backend > session.yml",
        .min_args = 1,
        .max_args = 1,
    };

    return session_run(&spec, SESSION_CAS, read_session, &c, argc, argv, err);
}

/* The canonical text begins with name, version, predecessor, …, creator: cut off what follows, for
 * values in it may be withheld, which no document may have. */
static int parse_head(const char *text, struct pol_session **ret, struct error **err)
{
    static const char *const sections[] = {
        "services:", "images:", "volumes:", "secrets:", "access_policy:", "security:"};
    size_t end = strlen(text);

    for (size_t i = 0; i < ARRAY_COUNT(sections); i++) {
        for (const char *p = text; (p = strstr(p, sections[i])) != NULL; p++) {
            if (p == text || p[-1] == '\n') {
                end = MIN(end, (size_t)(p - text));
                break;
            }
        }
    }
    return pol_parse_text(text, end, ret, err);
}

static int verify(struct session_call *c, struct error **err)
{
    _cleanup_session_ struct pol_session *head = NULL;
    _cleanup_json_ json_t *j = NULL;
    struct pol_session *s = c->session;
    uint8_t hash[POL_HASH_SIZE];
    char hex[2 * POL_HASH_SIZE + 1];
    int r = cas_client_ask(c->cas, "GET", "/v1/sessions/", s->name, NULL, NULL, 0, &j, err);

    if (r == 0) {
        r = parse_head(cas_text(j, "session"), &head, err);
    }
    if (r < 0) {
        return r;
    }
    s->creator = head->creator;
    if (!s->has_predecessor) {
        s->has_predecessor = head->has_predecessor;
        s->predecessor = head->predecessor;
    }
    r = pol_hash(s, hash);
    if (r < 0) {
        return error_set_errno(err, -r, "hashing %s", c->args[0]);
    }
    hex_encode(hex, hash, sizeof(hash));
    if (strcmp(hex, cas_text(j, "hash")) != 0) {
        (void)error_set(err, EPROTO,
                        "CAS has another session %s (%.64s, and this is %s); 'nacre "
                        "session read' shows it",
                        s->name, cas_text(j, "hash"), hex);
        return CLI_REFUSED;
    }
    printf("%s\n", hex);
    return 0;
}

int session_verify(int argc, char **argv, struct error **err)
{
    struct session_call c = {0};
    const struct arg_option options[] = {CLIENT_OPTIONS(c.client), VARIABLE_OPTIONS(c), {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session verify",
        .synopsis = "[OPTIONS] FILE",
        .summary = "Check that CAS has exactly this session. Prints its hash.",
        .options = options,
        .examples = "  nacre session verify session.yml",
        .notes = "The creator, and without 'predecessor' in the document the predecessor too, are "
                 "taken from CAS;\neverything else must be the same. Exit code 3: it is not.",
        .min_args = 1,
        .max_args = 1,
    };

    return session_run(&spec, SESSION_DOCUMENT | SESSION_CAS, verify, &c, argc, argv, err);
}

/* ---- delete, list, values ------------------------------------------------------------------- */

static int delete_sessions(struct session_call *c, struct error **err)
{
    int r = 0;

    for (size_t i = 0; i < c->count && r == 0; i++) {
        r = cas_client_ask(c->cas, "DELETE", "/v1/sessions/", c->args[i], NULL, NULL, 0, NULL, err);
    }
    return r;
}

int session_delete(int argc, char **argv, struct error **err)
{
    struct session_call c = {0};
    const struct arg_option options[] = {CLIENT_OPTIONS(c.client), {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session delete",
        .synopsis = "[OPTIONS] NAME...",
        .summary = "Delete sessions, their history and their secrets. There is no way back.",
        .options = options,
        .examples = "  nacre session delete shop/backend",
        .min_args = 1,
        .max_args = 256,
    };

    return session_run(&spec, SESSION_CAS, delete_sessions, &c, argc, argv, err);
}

/* One page; *io_next becomes the name to go on behind, or NULL. */
static int print_page(struct cas_client *c, const char *namespace, char **io_next,
                      struct error **err)
{
    _cleanup_json_ json_t *j = NULL;
    _cleanup_free_ char *query = NULL;
    const char *next;
    json_t *item;
    size_t i;
    int r;

    /* Names hold nothing a query would have to escape but '/', which it may hold. */
    if (asprintf(&query, "namespace=%s%s%s", namespace, *io_next != NULL ? "&after=" : "",
                 *io_next != NULL ? *io_next : "") < 0) {
        return error_set_errno(err, ENOMEM, "listing");
    }
    r = cas_client_ask(c, "GET", "/v1/sessions", NULL, query, NULL, 0, &j, err);
    if (r < 0) {
        return r;
    }
    json_array_foreach(json_object_get(j, "sessions"), i, item)
    {
        printf("%s  %s\n", cas_text(item, "hash"), cas_text(item, "name"));
    }
    next = json_string_value(json_object_get(j, "next"));
    free(*io_next);
    *io_next = next != NULL ? strdup(next) : NULL;
    return 0;
}

static int list(struct session_call *c, struct error **err)
{
    _cleanup_free_ char *next = NULL;
    const char *namespace = c->count > 0 ? c->args[0] : "/";
    int r;

    if (strspn(namespace, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.~/") !=
        strlen(namespace)) {
        (void)error_set(err, EINVAL, "'%s' is not the name of a namespace", namespace);
        return CLI_USAGE;
    }
    do {
        r = print_page(c->cas, namespace, &next, err);
    } while (r == 0 && next != NULL);
    return r;
}

int session_list(int argc, char **argv, struct error **err)
{
    struct session_call c = {0};
    const struct arg_option options[] = {CLIENT_OPTIONS(c.client), {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session list",
        .synopsis = "[OPTIONS] [NAMESPACE]",
        .summary = "List hashes and names of the sessions you may know of.",
        .options = options,
        .examples = "  nacre session list\n  nacre session list shop",
        .min_args = 0,
        .max_args = 1,
    };

    return session_run(&spec, SESSION_CAS, list, &c, argc, argv, err);
}

static int values(struct session_call *c, struct error **err)
{
    _cleanup_json_ json_t *j = NULL;
    _cleanup_free_ char *what = NULL;
    _cleanup_free_ char *all = NULL;
    const bool one = c->count > 1;
    int r;

    if (asprintf(&what, "session=%s%s%s", c->args[0], one ? ",secret=" : "",
                 one ? c->args[1] : "") < 0) {
        what = NULL;
        return error_set_errno(err, ENOMEM, "asking");
    }
    r = cas_client_ask(c->cas, "GET", "/v1/values/", what, NULL, NULL, 0, &j, err);
    if (r == 0 && one) {
        const char *value = cas_text(j, "value");
        const size_t len = strlen(value);

        printf("%s%s", value, len > 0 && value[len - 1] == '\n' ? "" : "\n");
    } else if (r == 0) {
        all = json_dumps(json_object_get(j, "values"), JSON_INDENT(2));
        printf("%s\n", all != NULL ? all : "{}");
    }
    return r;
}

int session_values(int argc, char **argv, struct error **err)
{
    struct session_call c = {0};
    const struct arg_option options[] = {CLIENT_OPTIONS(c.client), {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session values",
        .synopsis = "[OPTIONS] NAME [SECRET]",
        .summary = "Print the values of a session that you may see, or one of them alone.",
        .options = options,
        .examples = "  nacre session values shop/backend ca > ca.pem\n"
                    "  curl --cacert ca.pem https://api:4996/",
        .notes = "These are secrets with export_public, and with the right read_secrets all of "
                 "them.",
        .min_args = 1,
        .max_args = 2,
    };

    return session_run(&spec, SESSION_CAS, values, &c, argc, argv, err);
}
