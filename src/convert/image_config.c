/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "convert/image_config.h"

#include <errno.h>
#include <string.h>

void image_config_done(struct image_config *c)
{
    json_decref(c->document);
    c->document = NULL;
}

/* A list of texts, or nothing: null and absent are the same to every engine. */
static int take_list(const json_t *config, const char *key, const json_t **ret, struct error **err)
{
    const json_t *v = json_object_get(config, key);

    if (v == NULL || json_is_null(v)) {
        return 0;
    }
    if (!json_is_array(v) || json_array_size(v) > IMAGE_CONFIG_WORDS_MAX) {
        return error_set(err, EBADMSG,
                         "the image's configuration: %s is not a list of at most %u texts", key,
                         IMAGE_CONFIG_WORDS_MAX);
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (!json_is_string(json_array_get(v, i))) {
            return error_set(err, EBADMSG, "the image's configuration: %s[%zu] is not a text", key,
                             i);
        }
    }
    *ret = v;
    return 0;
}

static int take_object(const json_t *config, const char *key, const json_t **ret,
                       struct error **err)
{
    const json_t *v = json_object_get(config, key);

    if (v == NULL || json_is_null(v)) {
        return 0;
    }
    if (!json_is_object(v)) {
        return error_set(err, EBADMSG, "the image's configuration: %s is not an object", key);
    }
    *ret = v;
    return 0;
}

static int take_text(const json_t *config, const char *key, const char **ret, struct error **err)
{
    const json_t *v = json_object_get(config, key);

    if (v == NULL || json_is_null(v)) {
        return 0;
    }
    if (!json_is_string(v)) {
        return error_set(err, EBADMSG, "the image's configuration: %s is not a text", key);
    }
    *ret = json_string_value(v);
    return 0;
}

static int check_env(const json_t *env, struct error **err)
{
    for (size_t i = 0; i < json_array_size(env); i++) {
        const char *s = json_string_value(json_array_get(env, i));

        if (s[0] == '=' || strchr(s, '=') == NULL) {
            return error_set(err, EBADMSG, "the image's configuration: Env[%zu] is not NAME=VALUE",
                             i);
        }
    }
    return 0;
}

static int take_config(const json_t *config, struct image_config *c, struct error **err)
{
    const json_t *health;
    const json_t *test;
    int r = take_list(config, "Entrypoint", &c->entrypoint, err);

    r = r < 0 ? r : take_list(config, "Cmd", &c->cmd, err);
    r = r < 0 ? r : take_list(config, "Env", &c->env, err);
    r = r < 0 ? r : check_env(c->env, err);
    r = r < 0 ? r : take_object(config, "ExposedPorts", &c->exposed, err);
    r = r < 0 ? r : take_object(config, "Volumes", &c->volumes, err);
    r = r < 0 ? r : take_text(config, "WorkingDir", &c->workdir, err);
    r = r < 0 ? r : take_text(config, "User", &c->user, err);
    r = r < 0 ? r : take_text(config, "StopSignal", &c->stop_signal, err);
    if (r < 0) {
        return r;
    }
    health = json_object_get(config, "Healthcheck");
    test = json_array_get(json_object_get(health, "Test"), 0);
    c->has_healthcheck = json_is_string(test) && strcmp(json_string_value(test), "NONE") != 0;
    return 0;
}

int image_config_parse(const void *json, size_t size, struct image_config *ret, struct error **err)
{
    _cleanup_image_config_ struct image_config c = {.workdir = "/", .user = ""};
    const json_t *config;
    json_error_t e;
    int r;

    c.document = json_loadb(json, size, JSON_REJECT_DUPLICATES, &e);
    if (c.document == NULL) {
        return error_set(err, EBADMSG, "the image's configuration is not valid JSON: %s (line %d)",
                         e.text, e.line);
    }
    config = json_object_get(c.document, "config");
    if (config != NULL && !json_is_null(config)) {
        if (!json_is_object(config)) {
            return error_set(err, EBADMSG, "the image's configuration: config is not an object");
        }
        r = take_config(config, &c, err);
        if (r < 0) {
            return r;
        }
    }
    if (c.workdir[0] == '\0') {
        c.workdir = "/";
    }
    if (c.workdir[0] != '/') {
        return error_set(err, EBADMSG,
                         "the image's configuration: WorkingDir '%.200s' is not absolute",
                         c.workdir);
    }
    *ret = c;
    c.document = NULL;
    return 0;
}

const char *image_config_getenv(const struct image_config *c, const char *name)
{
    const size_t n = strlen(name);
    const char *found = NULL;

    for (size_t i = 0; i < json_array_size(c->env); i++) {
        const char *s = json_string_value(json_array_get(c->env, i));

        if (strncmp(s, name, n) == 0 && s[n] == '=') {
            found = s + n + 1; /* the last one counts, as for every engine */
        }
    }
    return found;
}
