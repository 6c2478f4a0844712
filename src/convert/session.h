/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The session of a conversion: the template with everything filled in that only the conversion
 * knows. */

#include "convert/command.h"
#include "convert/convert.h"
#include "policy/policy.h"

struct session_facts {
    const char *namespace; /* NULL: none */
    const char *name;
    const char *service;
    const uint8_t *mrenclave; /* 32 bytes each */
    const uint8_t *mrsigner;
    const uint8_t *sealed_root;
    const uint8_t *sealing_key;
    const struct command *command;
    const json_t *env; /* of the image; may be NULL */
    struct convert_texts more_env;
    const char *pwd;
    const struct pol_user *user;
};

/* "NAMESPACE/NAME", or NAME. -EINVAL when that is no session name. */
[[nodiscard]] int session_full_name(const char *namespace, const char *name, char *dst, size_t size,
                                    struct error **err);

/* Parses the template of `o` (or the built-in one) with all variables. What is wrong with it is
 * printed to standard error with line and column. */
[[nodiscard]] int session_make(const struct convert_options *o, const struct session_facts *f,
                               struct pol_session **ret, struct error **err);

/* The built-in template, for people who want to begin with it. */
extern const char session_template[];
