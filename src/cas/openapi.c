/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The OpenAPI document, from the table of routes. */

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "cas/api.h"

static const struct {
    const char *method;
    const char *path;
    const char *handler;
    const char *answer;
    const char *summary;
} routes[] = {
#define X(method, path, handler, answer, summary) {#method, path, #handler, #answer, summary},
#include "cas/routes.tbl.h"
#undef X
};

/* JSON Schemas of the answers, by the names of the table. */
static const char schemas[] =
    "{\"Any\": {},"
    "\"Text\": {\"type\": \"string\"},"
    "\"Status\": {\"type\": \"object\", \"required\": [\"status\"], \"properties\": {"
    "  \"status\": {\"type\": \"string\"}}},"
    "\"Version\": {\"type\": \"object\", \"required\": [\"name\", \"version\"], \"properties\": {"
    "  \"name\": {\"type\": \"string\"}, \"version\": {\"type\": \"string\"},"
    "  \"session_language\": {\"type\": \"string\"}, \"api\": {\"type\": \"integer\"}}},"
    "\"CasStatus\": {\"type\": \"object\", \"required\": [\"status\", \"key\"], \"properties\": {"
    "  \"status\": {\"type\": \"string\"}, \"version\": {\"type\": \"string\"},"
    "  \"key\": {\"type\": \"string\"}, \"sessions\": {\"type\": \"integer\"},"
    "  \"provisioned\": {\"type\": \"integer\"}, \"uptime\": {\"type\": \"integer\"},"
    "  \"tee\": {\"type\": \"boolean\"}, \"provisioning\": {\"type\": \"boolean\"},"
    "  \"collateral\": {\"type\": \"object\", \"properties\": {"
    "    \"hardware\": {\"type\": \"integer\"}, \"software\": {\"type\": \"integer\"},"
    "    \"valid_until\": {\"type\": \"string\", \"nullable\": true}}}}},"
    "\"Attest\": {\"type\": \"object\", \"required\": [\"type\", \"key\", \"nonce\"],"
    "  \"properties\": {\"type\": {\"type\": \"string\", \"enum\": [\"none\", \"sgx-dcap\"]},"
    "  \"key\": {\"type\": \"string\"}, \"nonce\": {\"type\": \"string\"},"
    "  \"quote\": {\"type\": \"string\", \"format\": \"byte\"}}},"
    "\"Audit\": {\"type\": \"object\", \"required\": [\"seq\", \"hash\"], \"properties\": {"
    "  \"seq\": {\"type\": \"integer\"}, \"hash\": {\"type\": \"string\"}}},"
    "\"Put\": {\"type\": \"object\", \"required\": [\"name\"], \"properties\": {"
    "  \"name\": {\"type\": \"string\"}, \"hash\": {\"type\": \"string\"},"
    "  \"created\": {\"type\": \"boolean\"}, \"deleted\": {\"type\": \"boolean\"},"
    "  \"warnings\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}}}},"
    "\"List\": {\"type\": \"object\", \"required\": [\"sessions\", \"next\"], \"properties\": {"
    "  \"sessions\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"properties\": {"
    "    \"name\": {\"type\": \"string\"}, \"hash\": {\"type\": \"string\"}}}},"
    "  \"next\": {\"type\": \"string\", \"nullable\": true}}},"
    "\"Read\": {\"type\": \"object\", \"required\": [\"name\", \"session\", \"hash\"],"
    "  \"properties\": {\"name\": {\"type\": \"string\"}, \"session\": {\"type\": \"string\"},"
    "  \"hash\": {\"type\": \"string\"}, \"created\": {\"type\": \"integer\"}}},"
    "\"Values\": {\"type\": \"object\"},"
    "\"Error\": {\"type\": \"object\", \"required\": [\"msg\"], \"properties\": {"
    "  \"msg\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}}}}}";

static json_t *content(const char *type, const char *schema)
{
    char ref[64];

    (void)snprintf(ref, sizeof(ref), "#/components/schemas/%s", schema);
    return json_pack("{s:{s:{s:s}}}", type, "schema", "$ref", ref);
}

static void add_query(json_t *list, const char *name, const char *meaning)
{
    (void)json_array_append_new(list,
                                json_pack("{s:s, s:s, s:s, s:{s:s}}", "name", name, "in", "query",
                                          "description", meaning, "schema", "type", "string"));
}

/* The parameters a summary mentions as ?name=. */
static json_t *parameters(const char *path, const char *summary)
{
    json_t *list = json_array();
    const char *p = summary;

    if (strchr(path, '{') != NULL) {
        (void)json_array_append_new(list,
                                    json_pack("{s:s, s:s, s:b, s:{s:s}}", "name", "name", "in",
                                              "path", "required", 1, "schema", "type", "string"));
    }
    while ((p = strchr(p, '?')) != NULL) {
        const size_t len = strspn(++p, "abcdefghijklmnopqrstuvwxyz");
        char name[32];

        if (len > 0 && len < sizeof(name) && p[len] == '=') {
            memcpy(name, p, len);
            name[len] = '\0';
            add_query(list, name, summary);
        }
    }
    return list;
}

static json_t *operation(size_t i)
{
    const bool text = strcmp(routes[i].answer, "Text") == 0;
    json_t *o = json_pack(
        "{s:s, s:s, s:o, s:{s:{s:s, s:o}, s:{s:s, s:o}}}", "operationId", routes[i].handler,
        "summary", routes[i].summary, "parameters", parameters(routes[i].path, routes[i].summary),
        "responses", strcmp(routes[i].handler, "put") == 0 ? "2XX" : "200", "description", "done",
        "content", content(text ? "text/plain" : "application/json", routes[i].answer), "default",
        "description", "refused", "content", content("application/json", "Error"));

    if (strcmp(routes[i].method, "POST") == 0) {
        (void)json_object_set_new(o, "requestBody",
                                  json_pack("{s:b, s:o}", "required", 1, "content",
                                            content("application/x-yaml", "Text")));
    }
    return o;
}

json_t *api_openapi(const char *version)
{
    json_t *paths = json_object();
    json_error_t e;

    for (size_t i = 0; i < ARRAY_COUNT(routes); i++) {
        json_t *path = json_object_get(paths, routes[i].path);
        char method[8] = "";

        if (path == NULL) {
            path = json_object();
            (void)json_object_set_new(paths, routes[i].path, path);
        }
        for (size_t c = 0; routes[i].method[c] != '\0' && c + 1 < sizeof(method); c++) {
            method[c] = (char)tolower((unsigned char)routes[i].method[c]);
        }
        (void)json_object_set_new(path, method, operation(i));
    }
    return json_pack("{s:s, s:{s:s, s:s, s:s}, s:o, s:{s:o}}", "openapi", "3.0.3", "info", "title",
                     "nacre CAS", "version", version, "description",
                     "Sessions and their public values. Callers are identified by their TLS client "
                     "certificate, self-signed ones included; errors are {\"msg\": [...]}.",
                     "paths", paths, "components", "schemas", json_loads(schemas, 0, &e));
}
