/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The JSON Schema (draft 2020-12) of the language, made from the keyword table. Editors use it for
 * completion and first errors; pol_parse stays the judge.
 */

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/json.h"
#include "policy/keywords.h"
#include "policy/policy.h"

#define NAME_PATTERN    "^[A-Za-z0-9_.~-]{1,128}$"
#define SESSION_PATTERN "^(/|[A-Za-z0-9_.~-]+(/[A-Za-z0-9_.~-]+)*)$"
#define REF_PATTERN     "^(\\./)?(\\.\\./)*[A-Za-z0-9_.~-]+(/[A-Za-z0-9_.~-]+)*$"
#define HEX32_PATTERN   "^[0-9A-Fa-f]{64}$"

static json_t *pattern(const char *regex)
{
    return json_pack("{s:s, s:s}", "type", "string", "pattern", regex);
}

static json_t *number(json_int_t least, json_int_t most)
{
    return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", least, "maximum", most);
}

static json_t *any_of(json_t *a, json_t *b)
{
    return json_pack("{s:[o, o]}", "anyOf", a, b);
}

static json_t *list_of(json_t *item)
{
    return json_pack("{s:s, s:o}", "type", "array", "items", item);
}

/* YAML writes 5 and true without quotes where the language takes a text. */
static json_t *text(void)
{
    return json_pack("{s:[s, s, s]}", "type", "string", "number", "boolean");
}

static const char *scope_id(unsigned scope)
{
    static const char *const ids[SCOPE_COUNT] = {
        [SCOPE_NONE] = "none",
        [SCOPE_SESSION] = "session",
        [SCOPE_SERVICE] = "service",
        [SCOPE_ATTEST] = "service_attestation",
        [SCOPE_SIGNER] = "signer",
        [SCOPE_IMAGE] = "image",
        [SCOPE_MOUNT] = "mount",
        [SCOPE_FILE] = "injection_file",
        [SCOPE_VOLUME] = "volume",
        [SCOPE_VOLUME_EXPORT] = "volume_export",
        [SCOPE_VOLUME_IMPORT] = "volume_import",
        [SCOPE_SECRET] = "secret",
        [SCOPE_EXPORT] = "export",
        [SCOPE_IMPORT] = "import",
        [SCOPE_ACCESS] = "access_policy",
        [SCOPE_ENTITY] = "access_entity",
        [SCOPE_SECURITY] = "security",
        [SCOPE_SECURITY_ATTEST] = "security_attestation",
    };

    return ids[scope];
}

static json_t *ref(unsigned scope)
{
    char to[64];

    (void)snprintf(to, sizeof(to), "#/$defs/%s", scope_id(scope));
    return json_pack("{s:s}", "$ref", to);
}

static json_t *words(unsigned list)
{
    json_t *e = json_array();
    const struct kw_word *w;

    for (size_t i = 0; (w = word_at(list, i)) != NULL; i++) {
        if (w->refused == NULL) {
            (void)json_array_append_new(e, json_string(w->word));
        }
    }
    return json_pack("{s:o}", "enum", e);
}

static json_t *shape(const struct keyword *k)
{
    switch (k->shape) {
    case SHAPE_ANY: return json_object();
    case SHAPE_TEXT: return text();
    case SHAPE_TEXTS: return any_of(text(), list_of(text()));
    case SHAPE_NAME: return pattern(NAME_PATTERN);
    case SHAPE_SESSION_NAME: return pattern(SESSION_PATTERN);
    case SHAPE_SESSION_REF: return pattern(REF_PATTERN);
    case SHAPE_BOOL: return json_pack("{s:s}", "type", "boolean");
    case SHAPE_FALSE_ONLY: return json_pack("{s:b}", "const", 0);
    case SHAPE_UINT16: return number(0, UINT16_MAX);
    case SHAPE_UINT32: return number(0, UINT32_MAX);
    case SHAPE_SIZE: return number(1, POL_SECRET_SIZE_MAX);
    case SHAPE_MODE: return any_of(pattern("^0o?[0-7]{1,3}$"), number(0, 0777));
    case SHAPE_DURATION:
        return pattern("^[0-9]+ *(s|m|min|h|d|w|y|second|minute|hour|day|week|year)s?$");
    case SHAPE_HEX16: return pattern("^[0-9A-Fa-f]{32}$");
    case SHAPE_HEX32: return pattern(HEX32_PATTERN);
    case SHAPE_HEX32_OR_NULL:
        return any_of(pattern(HEX32_PATTERN), json_pack("{s:s}", "type", "null"));
    case SHAPE_HEX32S: return any_of(pattern(HEX32_PATTERN), list_of(pattern(HEX32_PATTERN)));
    case SHAPE_KEY32: return pattern("^([0-9A-Fa-f]{64}|\\$\\$SCONE::.+\\$\\$)$");
    case SHAPE_PLATFORMS: return list_of(pattern("^INTEL_QE_ID:[0-9A-Fa-f]{32}$"));
    case SHAPE_COMMAND: return any_of(text(), list_of(text()));
    case SHAPE_ENV:
        return json_pack("{s:s, s:o}", "type", "object", "additionalProperties", text());
    case SHAPE_ADVISORIES:
        return any_of(json_pack("{s:s}", "const", "*"),
                      list_of(pattern("^(\\*|INTEL-SA-[0-9]{5,6})$")));
    case SHAPE_CREATOR: return any_of(text(), ref(SCOPE_ENTITY));
    case SHAPE_ENUM: return words(k->ref);
    case SHAPE_ENUMS: return any_of(words(k->ref), list_of(words(k->ref)));
    case SHAPE_MAP: return ref(k->ref);
    case SHAPE_LIST: return list_of(ref(k->ref));
    case SHAPE_MAP_OR_LIST: return any_of(ref(k->ref), list_of(ref(k->ref)));
    case SHAPE_EXPORTS:
    case SHAPE_RULES:
        return any_of(any_of(text(), ref(k->ref)), list_of(any_of(text(), ref(k->ref))));
    }
    return NULL;
}

static json_t *property(const struct keyword *k)
{
    char summary[512];
    json_t *p;

    if (k->refused != NULL) {
        (void)snprintf(summary, sizeof(summary), "Refused: %s", k->refused);
        return json_pack("{s:s, s:{}}", "description", summary, "not");
    }
    p = shape(k);
    (void)json_object_set_new(p, "description", json_string(k->summary));
    return p;
}

static json_t *scope(unsigned id)
{
    json_t *properties = json_object();
    json_t *patterns = json_object();
    json_t *o;

    for (size_t i = 0; i < KW_COUNT; i++) {
        if (keywords[i].scope != id) {
            continue;
        }
        if (i == KW_ENTITY_require_at_least) {
            (void)json_object_set_new(patterns, "^require-at-least-[1-9][0-9]*$",
                                      property(&keywords[i]));
        } else {
            (void)json_object_set_new(properties, keywords[i].key, property(&keywords[i]));
        }
    }
    o = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties,
                  "additionalProperties", 0);
    if (json_object_size(patterns) > 0) {
        (void)json_object_set_new(o, "patternProperties", patterns);
    } else {
        json_decref(patterns);
    }
    if (id == SCOPE_SESSION) {
        (void)json_object_set_new(o, "required", json_pack("[s, s]", "name", "version"));
    }
    return o;
}

int pol_schema(char **ret)
{
    json_t *defs = json_object();
    _cleanup_json_ json_t *root = NULL;

    for (unsigned id = SCOPE_SESSION; id < SCOPE_COUNT; id++) {
        (void)json_object_set_new(defs, scope_id(id), scope(id));
    }
    root = json_pack("{s:s, s:s, s:s, s:o, s:o}", "$schema",
                     "https://json-schema.org/draft/2020-12/schema", "title", "nacre session",
                     "$ref", "#/$defs/session", "$defs", defs, "$comment",
                     json_string("made by 'nacre session schema' from the keyword table"));
    *ret = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
    return *ret != NULL ? 0 : -ENOMEM;
}
