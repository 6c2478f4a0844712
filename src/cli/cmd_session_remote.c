/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* nacre session: what asks CAS. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/session_verbs.h"
#include "core/ct.h"
#include "core/hex.h"

/* ---- create, update ------------------------------------------------------------------------- */

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
    r = session_co_sign(c, "POST", "/v1/sessions", text, NULL, err);
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

#define SEND_OPTIONS(o)                                                                        \
    CLIENT_OPTIONS((o).client),                                                                \
        {"dry-run", 0, ARG_FLAG, NULL, "let CAS check rights and imports, and change nothing", \
         &(o).dry},                                                                            \
        CO_SIGN_OPTION(o), VARIABLE_OPTIONS(o)

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

static int update(struct session_call *c, struct error **err)
{
    struct pol_session *s = c->session;
    int r = 0;

    if (!s->has_predecessor) {
        r = session_current_hash(c->cas, s->name, &s->predecessor, err);
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

/* ---- read, verify --------------------------------------------------------------------------- */

/* An option that may be left out. */
static bool is_hash(const char *text)
{
    return text == NULL ||
           (strlen(text) == 64 && strspn(text, "0123456789abcdefABCDEF") == strlen(text));
}

static int read_session(struct session_call *c, struct error **err)
{
    _cleanup_json_ json_t *j = NULL;
    char query[80];
    int r;

    if (!is_hash(c->hash)) {
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

/* Only while `hash`, or what CAS has now, is the current version: others agreed to that one. */
static int delete_agreed(struct session_call *c, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    char query[5 + 2 * POL_HASH_SIZE + 1];
    char hex[2 * POL_HASH_SIZE + 1];
    struct pol_hash now;
    int r = 0;

    if (c->hash == NULL) {
        r = session_current_hash(c->cas, c->args[0], &now, err);
        if (r < 0) {
            return r;
        }
        hex_encode(hex, now.b, sizeof(now.b));
    }
    (void)snprintf(query, sizeof(query), "hash=%s", c->hash != NULL ? c->hash : hex);
    if (asprintf(&path, "/v1/sessions/%s", c->args[0]) < 0) {
        path = NULL;
        return error_set_errno(err, ENOMEM, "signing");
    }
    r = session_co_sign(c, "DELETE", path, NULL, query + 5, err);
    return r < 0 ? r
                 : cas_client_ask(c->cas, "DELETE", "/v1/sessions/", c->args[0], query, NULL, 0,
                                  NULL, err);
}

static int delete_sessions(struct session_call *c, struct error **err)
{
    int r = 0;

    if (c->hash != NULL || c->co_sign.count > 0) {
        if (c->count > 1 || !is_hash(c->hash)) {
            (void)error_set(err, EINVAL, "%s",
                            c->count > 1 ? "--hash and --co-sign are about one session: delete the "
                                           "others by commands of their own"
                                         : "--hash wants 64 hex digits");
            return CLI_USAGE;
        }
        return delete_agreed(c, err);
    }
    for (size_t i = 0; i < c->count && r == 0; i++) {
        r = cas_client_ask(c->cas, "DELETE", "/v1/sessions/", c->args[i], NULL, NULL, 0, NULL, err);
    }
    return r;
}

int session_delete(int argc, char **argv, struct error **err)
{
    struct session_call c = {0};
    const struct arg_option options[] = {
        CLIENT_OPTIONS(c.client),
        CO_SIGN_OPTION(c),
        {"hash", 0, ARG_STRING, "HASH", "only while this is the current version", &c.hash},
        {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session delete",
        .synopsis = "[OPTIONS] NAME...",
        .summary = "Delete sessions, their history and their secrets. There is no way back.",
        .options = options,
        .examples = "  nacre session delete shop/backend\n"
                    "  nacre session delete --co-sign alice.sig --co-sign bob.pem shop/backend",
        .notes = "With --co-sign the version that CAS has now is deleted, or the one --hash names, "
                 "and no other:\nthat is what was agreed to. Without --hash it needs the right to "
                 "read the session.",
        .min_args = 1,
        .max_args = 256,
    };

    return session_run(&spec, SESSION_CAS, delete_sessions, &c, argc, argv, err);
}

/* One page; *io_next becomes the name to go on behind, or NULL. Printed, or put into `all`. */
static int take_page(struct cas_client *c, const char *namespace, char **io_next, json_t *all,
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
        if (all == NULL) {
            printf("%s  %s\n", cas_text(item, "hash"), cas_text(item, "name"));
        } else if (json_array_append(all, item) < 0) {
            return error_set_errno(err, ENOMEM, "listing");
        }
    }
    next = json_string_value(json_object_get(j, "next"));
    free(*io_next);
    *io_next = next != NULL ? strdup(next) : NULL;
    return 0;
}

static int list(struct session_call *c, struct error **err)
{
    _cleanup_json_ json_t *all = c->json ? json_array() : NULL;
    _cleanup_free_ char *next = NULL;
    const char *namespace = c->count > 0 ? c->args[0] : "/";
    int r;

    if (strspn(namespace, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.~/") !=
        strlen(namespace)) {
        (void)error_set(err, EINVAL, "'%s' is not the name of a namespace", namespace);
        return CLI_USAGE;
    }
    if (c->json && all == NULL) {
        return error_set_errno(err, ENOMEM, "listing");
    }
    do {
        r = take_page(c->cas, namespace, &next, all, err);
    } while (r == 0 && next != NULL);
    if (r == 0 && c->json) {
        (void)json_dumpf(all, stdout, JSON_INDENT(2));
        (void)putchar('\n');
    }
    return r;
}

int session_list(int argc, char **argv, struct error **err)
{
    struct session_call c = {0};
    const struct arg_option options[] = {
        CLIENT_OPTIONS(c.client), {"json", 0, ARG_FLAG, NULL, "print JSON", &c.json}, {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session list",
        .synopsis = "[OPTIONS] [NAMESPACE]",
        .summary = "List hashes and names of the sessions you may know of.",
        .options = options,
        .examples = "  nacre session list\n"
                    "  nacre session list --json shop | jq -r '.[].name'",
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
