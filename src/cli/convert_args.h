/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* What `nacre convert` and `sconify_image` share: one conversion, two command lines. */

#include "cli/cli.h"

struct convert_args {
    const char *from, *to;
    const char *name, *namespace, *service_name;
    const char *command, *binary;
    struct arg_list env, vars;
    struct arg_list dirs, plain, host_path, allow_env;
    const char *template_path, *session_out;
    const char *secrets, *injected; /* NULL: $SECRETS, $INJECTED_FILES */
    const char *cas, *cas_pin, *cas_cacert, *identity;
    const char *run_cas;   /* where the image looks for its CAS unless told */
    const char *later_cas; /* the CAS that will get the session, but not from here */
    const char *sign_key, *passphrase_file;
    const char *sign_dump, *signature, *public_key;
    const char *master, *salt;
    const char *loader, *libos, *agent;
    const char *software_root;
    const char *compress;
    uint64_t max_size;
    bool create_namespace;
    bool no_update; /* a session that exists stays */
    bool allow_softsgx, allow_debug, allow_tcb, no_attestation;
    bool force, json, print_template;
    bool scone_names;
};

/* Converts and prints the session's name. Returns a cli_exit. */
int convert_run(const char *program, struct convert_args *a, struct error **err);

struct pol_session;

/* Where the session goes: CAS, a file, or both. */
struct convert_store {
    const struct convert_args *a;
    const char *full_name;
    const char *namespace;
    char *path;  /* of the session file; NULL: none */
    char *aside; /* where an older one went; NULL: there was none */
    bool written;
    bool held; /* a stop waits: img_leftovers_hold */
};

/* Checks what can be checked before the work begins. */
[[nodiscard]] int convert_store_prepare(struct convert_store *s, struct error **err);
/* As convert_options.store_session. */
[[nodiscard]] int convert_store_session(void *ctx, const struct pol_session *session,
                                        struct error **err);
/* There is an image now: its session file stays whatever happens. */
void convert_store_keep(struct convert_store *s);
/* Takes back the file of a conversion that failed. */
void convert_store_undo(struct convert_store *s);
void convert_store_done(struct convert_store *s);
