/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* What the verbs that talk to CAS share: `nacre session …` and `nacre cas …`. */

#include <jansson.h>

#include "cas/client.h"
#include "cli/cli.h"

static inline void cli_json_freep(json_t **j)
{
    json_decref(*j);
}
#define _cleanup_json_ _cleanup_(cli_json_freep)

/* Which CAS, and who asks it. */
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
int cas_exit(int r);

/* A text of a JSON object; "" when it has none. */
const char *cas_text(const json_t *j, const char *key);
