/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What a container image says about how it is run: the "config" object of its configuration (OCI
 * image specification, config.md; Docker's Healthcheck, Shell and OnBuild besides). Foreign JSON:
 * shapes are checked here, once.
 */

#include <jansson.h>

#include "base/error.h"

#define IMAGE_CONFIG_WORDS_MAX 1024u /* of one list */

struct image_config {
    json_t *document; /* owned; everything below is borrowed from it */
    const json_t *entrypoint;
    const json_t *cmd;
    const json_t *env;     /* list of "NAME=VALUE" */
    const json_t *exposed; /* object: its keys are ports */
    const json_t *volumes; /* object: its keys are paths */
    const char *workdir;   /* "/" when the image has none */
    const char *user;      /* "" when the image has none */
    const char *stop_signal;
    bool has_healthcheck;
};

/* -EBADMSG names the field that has the wrong shape. */
[[nodiscard]] int image_config_parse(const void *json, size_t size, struct image_config *ret,
                                     struct error **err);
void image_config_done(struct image_config *c);
#define _cleanup_image_config_ _cleanup_(image_config_done)

/* The value of a variable in `env`, or NULL. */
const char *image_config_getenv(const struct image_config *c, const char *name);
