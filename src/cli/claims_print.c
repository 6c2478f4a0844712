/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/claims_print.h"

#include <stdio.h>
#include <string.h>

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

json_t *claims_to_json(const struct att_claims *c)
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

static bool seen_before(const struct att_claims *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(c->advisories[i].id, c->advisories[n].id) == 0) {
            return true;
        }
    }
    return false;
}

void claims_print(const struct att_claims *c)
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
