/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* What the verbs of `nacre session` share. */

#include "cli/cli.h"
#include "policy/policy.h"

struct session_options {
    struct arg_list variables;
    bool use_env;
    bool fail_on_warning;
    bool json;
};

#define VARIABLE_OPTIONS(o)                                                                        \
    {"env", 'e', ARG_LIST, "NAME=VALUE", "value of a template variable $NAME", &(o).variables},    \
        {"use-env", 0, ARG_FLAG, NULL, "take other variables from the environment", &(o).use_env}, \
    {                                                                                              \
        "fail-on-warning", 0, ARG_FLAG, NULL, "treat warnings as errors", &(o).fail_on_warning     \
    }

/* Reads, expands, parses and checks; prints what is wrong to stderr. Returns 0 or a cli_exit. */
int session_load(const char *path, struct session_options *o, struct pol_session **ret,
                 struct error **err);

/* cmd_session_remote.c: the verbs that ask CAS. */
int session_create(int argc, char **argv, struct error **err);
int session_update(int argc, char **argv, struct error **err);
int session_read(int argc, char **argv, struct error **err);
int session_verify(int argc, char **argv, struct error **err);
int session_delete(int argc, char **argv, struct error **err);
int session_list(int argc, char **argv, struct error **err);
int session_values(int argc, char **argv, struct error **err);
