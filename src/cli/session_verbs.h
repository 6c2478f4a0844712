/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What the verbs of `nacre session` share. A verb fills a struct session_call with the defaults of
 * its options and its specification, and gives it to session_run with the work to do: options,
 * the document, the connection and the exit code are session_run's.
 */

#include "cli/cas_verbs.h"
#include "policy/policy.h"

struct session_call {
    /* options */
    struct cas_client_options client;
    struct arg_list variables;
    bool use_env;
    bool fail_on_warning;
    bool json;
    bool withhold;
    bool dry;
    const char *hash;
    struct arg_list co_sign;
    uint64_t valid_hours;
    bool deletion; /* it is about a name: there is no document */
    /* what session_run brings */
    size_t count; /* of positional arguments */
    char **args;
    struct pol_session *session; /* of args[0], with SESSION_DOCUMENT */
    struct cas_client *cas;      /* with SESSION_CAS */
};

#define VARIABLE_OPTIONS(o)                                                                        \
    {"env", 'e', ARG_LIST, "NAME=VALUE", "value of a template variable $NAME", &(o).variables},    \
        {"use-env", 0, ARG_FLAG, NULL, "take other variables from the environment", &(o).use_env}, \
    {                                                                                              \
        "fail-on-warning", 0, ARG_FLAG, NULL, "treat warnings as errors", &(o).fail_on_warning     \
    }

enum session_needs {
    SESSION_DOCUMENT = 1,
    SESSION_CAS = 2,
};

/* Work of a verb: 0, a negative errno value, or a positive cli_exit. */
typedef int (*session_work)(struct session_call *c, struct error **err);

/* Returns the exit code. */
int session_run(const struct arg_spec *spec, unsigned needs, session_work work,
                struct session_call *c, int argc, char **argv, struct error **err);

/* Reads, expands, parses and checks; prints what is wrong to stderr. Returns 0 or a cli_exit. */
int session_load(const char *path, struct session_call *c, struct pol_session **ret,
                 struct error **err);

#define CO_SIGN_OPTION(o)                                                                        \
    {                                                                                            \
        "co-sign", 0, ARG_LIST, "FILE",                                                          \
            "somebody agrees: what 'session sign' printed, or a private key (PEM) to sign with " \
            "now",                                                                               \
            &(o).co_sign                                                                         \
    }

/* cmd_session_sign.c. The signatures of --co-sign go with the request that follows; `body` and
 * `hash` (the query's) may be NULL. */
int session_co_sign(struct session_call *c, const char *method, const char *path, const char *body,
                    const char *hash, struct error **err);
/* The hash of what CAS has now. */
int session_current_hash(struct cas_client *c, const char *name, struct pol_hash *ret,
                         struct error **err);

/* cmd_session_remote.c, cmd_session_sign.c: the verbs that ask CAS. */
int session_create(int argc, char **argv, struct error **err);
int session_update(int argc, char **argv, struct error **err);
int session_read(int argc, char **argv, struct error **err);
int session_verify(int argc, char **argv, struct error **err);
int session_delete(int argc, char **argv, struct error **err);
int session_list(int argc, char **argv, struct error **err);
int session_sign(int argc, char **argv, struct error **err);
int session_values(int argc, char **argv, struct error **err);
