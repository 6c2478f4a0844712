/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "abi/report_data.h"
#include "base/base64.h"
#include "cas/provision.h"
#include "core/sha512.h"
#include "policy/text.h"

static void decref(json_t **j)
{
    json_decref(*j);
}
#define _cleanup_json_ _cleanup_(decref)

void provision_request_clear(struct provision_request *r)
{
    free(r->quote);
    *r = (struct provision_request){0};
}

/* True when the object has no other keys than those of the list, which ends with NULL. */
static bool only_keys(json_t *object, const char *const *keys)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        size_t i = 0;

        while (keys[i] != NULL && strcmp(keys[i], key) != 0) {
            i++;
        }
        if (keys[i] == NULL) {
            return false;
        }
    }
    return true;
}

static int copy_name(const json_t *value, bool (*valid)(const char *s), char *ret, size_t size)
{
    const char *text = json_string_value(value);

    if (text == NULL || json_string_length(value) >= size ||
        strlen(text) != json_string_length(value) || !valid(text)) {
        return -EINVAL;
    }
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}

static int read_quote(const json_t *value, struct provision_request *ret, struct error **err)
{
    const char *text = json_string_value(value);
    const size_t len = json_string_length(value);
    size_t size;

    if (text == NULL || len == 0) {
        return error_set(err, EINVAL, "evidence.quote is not base64");
    }
    ret->quote = malloc(BASE64_DECODED_MAX(len) + 1);
    if (ret->quote == NULL) {
        return error_set_errno(err, ENOMEM, "reading the quote");
    }
    if (base64_decode(ret->quote, text, len, &size) < 0) {
        return error_set(err, EINVAL, "evidence.quote is not base64");
    }
    ret->quote_size = size;
    ret->has_quote = true;
    return 0;
}

static int read_evidence(json_t *evidence, struct provision_request *ret, struct error **err)
{
    static const char *const with_quote[] = {"type", "quote", NULL};
    static const char *const without[] = {"type", NULL};
    const char *type = json_string_value(json_object_get(evidence, "type"));

    if (type == NULL) {
        return error_set(err, EINVAL, "evidence must be an object with a type");
    }
    if (strcmp(type, "sgx-dcap") == 0 && only_keys(evidence, with_quote)) {
        return read_quote(json_object_get(evidence, "quote"), ret, err);
    }
    if (strcmp(type, "none") == 0 && only_keys(evidence, without)) {
        return 0;
    }
    return error_set(
        err, EINVAL,
        "evidence must be {\"type\": \"sgx-dcap\", \"quote\"} or {\"type\": \"none\"}");
}

static int read_object(json_t *j, struct provision_request *ret, struct error **err)
{
    static const char *const keys[] = {"version", "session", "service", "evidence", NULL};
    const json_t *version = json_object_get(j, "version");

    if (!json_is_object(j)) {
        return error_set(err, EINVAL, "the body must be one JSON object");
    }
    if (!json_is_integer(version) || json_integer_value(version) != PROVISION_VERSION) {
        return error_set(err, EINVAL, "version must be %d", PROVISION_VERSION);
    }
    if (!only_keys(j, keys)) {
        return error_set(err, EINVAL, "there are keys besides version, session, service, evidence");
    }
    if (copy_name(json_object_get(j, "session"), name_session_valid, ret->session,
                  sizeof(ret->session)) < 0) {
        return error_set(err, EINVAL, "session is not a session's name");
    }
    if (copy_name(json_object_get(j, "service"), name_word_valid, ret->service,
                  sizeof(ret->service)) < 0) {
        return error_set(err, EINVAL, "service is not a service's name");
    }
    return read_evidence(json_object_get(j, "evidence"), ret, err);
}

int provision_parse(const char *body, size_t size, struct provision_request *ret,
                    struct error **err)
{
    _cleanup_provision_request_ struct provision_request out = {0};
    _cleanup_json_ json_t *j = NULL;
    json_error_t e;
    int r;

    if (size > PROVISION_BODY_MAX) {
        return error_set(err, EFBIG, "the body is larger than 64 KiB");
    }
    j = json_loadb(body, size, JSON_REJECT_DUPLICATES, &e);
    if (j == NULL) {
        return error_set(err, EINVAL, "the body is not JSON");
    }
    r = read_object(j, &out, err);
    if (r == 0) {
        *ret = out;
        out = (struct provision_request){0};
    }
    return r;
}

static void add_name(struct sha512 *ctx, const char *name)
{
    const size_t len = strlen(name);
    const uint8_t size[2] = {(uint8_t)len, (uint8_t)(len >> 8)};

    sha512_update(ctx, size, sizeof(size));
    sha512_update(ctx, name, len);
}

void provision_report_data(const uint8_t exporter[static PROVISION_EXPORTER], const char *session,
                           const char *service, uint8_t ret[static 64])
{
    static const char label[] = "nacre provisioning v1"; /* with its NUL */
    struct sha512 ctx;

    sha512_init(&ctx);
    sha512_update(&ctx, label, sizeof(label));
    sha512_update(&ctx, exporter, PROVISION_EXPORTER);
    add_name(&ctx, session);
    add_name(&ctx, service);
    sha512_final(&ctx, ret);
    report_data_tag(ret, REPORT_DATA_PROVISIONING);
}
