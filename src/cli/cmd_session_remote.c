/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* nacre session: what asks CAS. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cas/client.h"
#include "cli/session_verbs.h"
#include "core/ct.h"
#include "core/hex.h"

static void json_freep(json_t **j)
{
    json_decref(*j);
}
#define _cleanup_json_ _cleanup_(json_freep)

#define CLIENT_OPTIONS(o)                                                                           \
    {"cas", 0, ARG_STRING, "ADDR", "address of CAS, HOST[:PORT] ($NACRE_CAS)", &(o).address},       \
        {"pin",   0, ARG_STRING, "KEY", "its key, as 'nacre cas serve' prints it ($NACRE_CAS_PIN)", \
         &(o).pin},                                                                                 \
        {"cacert", 0, ARG_STRING, "FILE", "or its certificate ($NACRE_CAS_CACERT)", &(o).cacert},   \
    {                                                                                               \
        "identity", 0, ARG_STRING, "FILE",                                                          \
            "your key and certificate, PEM ($NACRE_IDENTITY; made on first use)", &(o).identity     \
    }

/* The exit code of what cas_client returned. */
static int exit_of(int r)
{
    return r == 0 ? CLI_OK : r == -EKEYREJECTED || r == -EACCES ? CLI_REFUSED : CLI_FAILED;
}

static const char *text_of(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));

    return s != NULL ? s : "";
}

/* ---- create, update ------------------------------------------------------------------------- */

static int send_document(struct cas_client *c, const struct pol_session *s, bool dry,
                         struct error **err)
{
    _cleanup_json_ json_t *j = NULL;
    char *text = NULL;
    json_t *warning;
    size_t i;
    int r = pol_print(s, 0, &text);

    if (r < 0) {
        return error_set_errno(err, -r, "printing the session");
    }
    r = cas_client_ask(c, "POST", "/v1/sessions", NULL, dry ? "verify=true" : NULL, text,
                       strlen(text), &j, err);
    ct_wipe(text, strlen(text)); /* it may hold secrets */
    free(text);
    if (r < 0) {
        return r;
    }
    json_array_foreach(json_object_get(j, "warnings"), i, warning)
    {
        fprintf(stderr, "warning: %s\n", json_string_value(warning));
    }
    printf("%s\n", text_of(j, "hash"));
    return 0;
}

int session_create(int argc, char **argv, struct error **err)
{
    struct cas_client_options client = {0};
    struct session_options o = {0};
    bool dry = false;
    const struct arg_option options[] = {CLIENT_OPTIONS(client),
                                         {"dry-run", 0, ARG_FLAG, NULL,
                                          "let CAS check rights and imports, and change nothing",
                                          &dry},
                                         VARIABLE_OPTIONS(o),
                                         {NULL}};
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
    _cleanup_session_ struct pol_session *s = NULL;
    _cleanup_client_ struct cas_client *c = NULL;
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    r = session_load(argv[0], &o, &s, err);
    if (r != CLI_OK) {
        return r;
    }
    if (s->has_predecessor) {
        (void)error_set(err, EINVAL, "%s has a predecessor: use 'nacre session update'", argv[0]);
        return CLI_USAGE;
    }
    r = cas_client_new(&client, &c, err);
    return exit_of(r == 0 ? send_document(c, s, dry, err) : r);
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
    hex = text_of(j, "hash");
    if (hex_decode(ret->b, sizeof(ret->b), hex, strlen(hex)) < 0) {
        return error_set(err, EREMOTEIO, "CAS answers without a session hash");
    }
    return 0;
}

int session_update(int argc, char **argv, struct error **err)
{
    struct cas_client_options client = {0};
    struct session_options o = {0};
    bool dry = false;
    const struct arg_option options[] = {CLIENT_OPTIONS(client),
                                         {"dry-run", 0, ARG_FLAG, NULL,
                                          "let CAS check rights and imports, and change nothing",
                                          &dry},
                                         VARIABLE_OPTIONS(o),
                                         {NULL}};
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
    _cleanup_session_ struct pol_session *s = NULL;
    _cleanup_client_ struct cas_client *c = NULL;
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    r = session_load(argv[0], &o, &s, err);
    if (r != CLI_OK) {
        return r;
    }
    r = cas_client_new(&client, &c, err);
    if (r == 0 && !s->has_predecessor) {
        r = current_hash(c, s->name, &s->predecessor, err);
        s->has_predecessor = true;
        s->has_namespace_hash = false; /* it was for the creation */
    }
    return exit_of(r == 0 ? send_document(c, s, dry, err) : r);
}

/* ---- read, verify --------------------------------------------------------------------------- */

int session_read(int argc, char **argv, struct error **err)
{
    struct cas_client_options client = {0};
    const char *hash = NULL;
    const struct arg_option options[] = {
        CLIENT_OPTIONS(client), {"hash", 0, ARG_STRING, "HASH", "an older version", &hash}, {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session read",
        .synopsis = "[OPTIONS] NAME",
        .summary = "Print a session that CAS has.",
        .options = options,
        .examples = "  nacre session read shop/backend > session.yml",
        .min_args = 1,
        .max_args = 1,
    };
    _cleanup_client_ struct cas_client *c = NULL;
    _cleanup_json_ json_t *j = NULL;
    char query[80];
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (hash != NULL && (strlen(hash) != 64 || strspn(hash, "0123456789abcdefABCDEF") != 64)) {
        (void)error_set(err, EINVAL, "--hash wants 64 hex digits");
        return CLI_USAGE;
    }
    (void)snprintf(query, sizeof(query), "hash=%s", hash != NULL ? hash : "");
    r = cas_client_new(&client, &c, err);
    if (r == 0) {
        r = cas_client_ask(c, "GET", "/v1/sessions/", argv[0], hash != NULL ? query : NULL, NULL, 0,
                           &j, err);
    }
    if (r == 0) {
        printf("%s", text_of(j, "session"));
    }
    return exit_of(r);
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

int session_verify(int argc, char **argv, struct error **err)
{
    struct cas_client_options client = {0};
    struct session_options o = {0};
    const struct arg_option options[] = {CLIENT_OPTIONS(client), VARIABLE_OPTIONS(o), {NULL}};
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
    _cleanup_session_ struct pol_session *s = NULL;
    _cleanup_session_ struct pol_session *head = NULL;
    _cleanup_client_ struct cas_client *c = NULL;
    _cleanup_json_ json_t *j = NULL;
    uint8_t hash[POL_HASH_SIZE];
    char hex[2 * POL_HASH_SIZE + 1];
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    r = session_load(argv[0], &o, &s, err);
    if (r != CLI_OK) {
        return r;
    }
    r = cas_client_new(&client, &c, err);
    if (r == 0) {
        r = cas_client_ask(c, "GET", "/v1/sessions/", s->name, NULL, NULL, 0, &j, err);
    }
    if (r == 0) {
        r = parse_head(text_of(j, "session"), &head, err);
    }
    if (r < 0) {
        return exit_of(r);
    }
    s->creator = head->creator;
    if (!s->has_predecessor) {
        s->has_predecessor = head->has_predecessor;
        s->predecessor = head->predecessor;
    }
    if (pol_hash(s, hash) < 0) {
        (void)error_set_errno(err, ENOMEM, "hashing %s", argv[0]);
        return CLI_FAILED;
    }
    hex_encode(hex, hash, sizeof(hash));
    if (strcmp(hex, text_of(j, "hash")) != 0) {
        (void)error_set(err, EPROTO,
                        "CAS has another session %s (%.64s, and this is %s); 'nacre "
                        "session read' shows it",
                        s->name, text_of(j, "hash"), hex);
        return CLI_REFUSED;
    }
    printf("%s\n", hex);
    return CLI_OK;
}

/* ---- delete, list, values ------------------------------------------------------------------- */

int session_delete(int argc, char **argv, struct error **err)
{
    struct cas_client_options client = {0};
    const struct arg_option options[] = {CLIENT_OPTIONS(client), {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session delete",
        .synopsis = "[OPTIONS] NAME...",
        .summary = "Delete sessions, their history and their secrets. There is no way back.",
        .options = options,
        .examples = "  nacre session delete shop/backend",
        .min_args = 1,
        .max_args = 256,
    };
    _cleanup_client_ struct cas_client *c = NULL;
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    r = cas_client_new(&client, &c, err);
    for (size_t i = 0; i < count && r == 0; i++) {
        r = cas_client_ask(c, "DELETE", "/v1/sessions/", argv[i], NULL, NULL, 0, NULL, err);
    }
    return exit_of(r);
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
        printf("%s  %s\n", text_of(item, "hash"), text_of(item, "name"));
    }
    next = json_string_value(json_object_get(j, "next"));
    free(*io_next);
    *io_next = next != NULL ? strdup(next) : NULL;
    return 0;
}

int session_list(int argc, char **argv, struct error **err)
{
    struct cas_client_options client = {0};
    const struct arg_option options[] = {CLIENT_OPTIONS(client), {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session list",
        .synopsis = "[OPTIONS] [NAMESPACE]",
        .summary = "List hashes and names of the sessions you may know of.",
        .options = options,
        .examples = "  nacre session list\n  nacre session list shop",
        .min_args = 0,
        .max_args = 1,
    };
    _cleanup_client_ struct cas_client *c = NULL;
    _cleanup_free_ char *next = NULL;
    const char *namespace;
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    namespace = count > 0 ? argv[0] : "/";
    if (strspn(namespace, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.~/") !=
        strlen(namespace)) {
        (void)error_set(err, EINVAL, "'%s' is not the name of a namespace", namespace);
        return CLI_USAGE;
    }
    r = cas_client_new(&client, &c, err);
    do {
        r = r == 0 ? print_page(c, namespace, &next, err) : r;
    } while (r == 0 && next != NULL);
    return exit_of(r);
}

int session_values(int argc, char **argv, struct error **err)
{
    struct cas_client_options client = {0};
    const struct arg_option options[] = {CLIENT_OPTIONS(client), {NULL}};
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
    _cleanup_client_ struct cas_client *c = NULL;
    _cleanup_json_ json_t *j = NULL;
    _cleanup_free_ char *what = NULL;
    _cleanup_free_ char *all = NULL;
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (asprintf(&what, "session=%s%s%s", argv[0], count > 1 ? ",secret=" : "",
                 count > 1 ? argv[1] : "") < 0) {
        (void)error_set_errno(err, ENOMEM, "asking");
        return CLI_FAILED;
    }
    r = cas_client_new(&client, &c, err);
    if (r == 0) {
        r = cas_client_ask(c, "GET", "/v1/values/", what, NULL, NULL, 0, &j, err);
    }
    if (r == 0 && count > 1) {
        const char *value = text_of(j, "value");
        const size_t len = strlen(value);

        printf("%s%s", value, len > 0 && value[len - 1] == '\n' ? "" : "\n");
    } else if (r == 0) {
        all = json_dumps(json_object_get(j, "values"), JSON_INDENT(2));
        printf("%s\n", all != NULL ? all : "{}");
    }
    return exit_of(r);
}
