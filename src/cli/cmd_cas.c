/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cas_service_verbs.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cas/cas.h"
#include "softsgx/root.h"

int cas_use_local_root(struct arg_list *roots, char **ret_path, struct error **err)
{
    for (size_t i = 0; i < roots->count; i++) {
        _cleanup_soft_root_ struct soft_root *root = NULL;
        struct soft_root_info info;
        int r;

        if (strcmp(roots->values[i], "local") != 0) {
            continue;
        }
        if (*ret_path != NULL) {
            return error_set(err, EINVAL, "--software-root local is given twice");
        }
        r = soft_root_open(&root, err);
        if (r < 0) {
            return r;
        }
        soft_root_info(root, &info);
        if (asprintf(ret_path, "%s/collateral", info.dir) < 0) {
            *ret_path = NULL;
            return error_set_errno(err, ENOMEM, "opening the software root");
        }
        roots->values[i] = *ret_path;
    }
    return 0;
}

static int cas_serve_verb(int argc, char **argv, struct error **err)
{
    struct cas_serve_options o = {
        .listen = ":8081",
        .provision_listen = ":18765",
        .version = NACRE_VERSION,
    };
    struct arg_list names = {0};
    struct arg_list collateral = {0};
    struct arg_list roots = {0};
    _cleanup_free_ char *local = NULL;
    uint64_t connections = 0;
    uint64_t per_peer = 0;
    uint64_t rate = 0;
    uint64_t provision_rate = 0;
    const struct arg_option options[] = {
        {"dir", 0, ARG_STRING, "DIR",
         "database, keys and audit log (default: in the state directory)", &o.dir},
        {"listen", 0, ARG_STRING, "ADDR:PORT", "where to listen (default :8081, all addresses)",
         &o.listen},
        {"provision-listen", 0, ARG_STRING, "ADDR:PORT",
         "where enclaves get their configuration (default :18765; off: nowhere)",
         &o.provision_listen},
        {"collateral", 0, ARG_LIST, "DIR",
         "collateral of Intel's platforms, or a directory of such; read again when it changes",
         &collateral},
        {"pccs", 0, ARG_STRING, "URL",
         "fetch collateral of platforms that are not known from this caching service", &o.pccs_url},
        {"pccs-ca", 0, ARG_STRING, "FILE", "who vouches for it, instead of the system's",
         &o.pccs_ca},
        {"software-root", 0, ARG_LIST, "DIR|local",
         "collateral of a software root, as softsgx root --export makes it; local: this machine's",
         &roots},
        {"attestation", 0, ARG_STRING, "DIR",
         "where a TEE offers evidence of this CAS (default /dev/attestation)", &o.attestation_dir},
        {"name", 0, ARG_LIST, "NAME", "host name or address for the certificate, at first start",
         &names},
        {"max-connections", 0, ARG_U64, "N", "open at once (default 512)", &connections},
        {"max-connections-per-peer", 0, ARG_U64, "N", "from one address (default 256)", &per_peer},
        {"max-rate", 0, ARG_U64, "N", "requests a second from one address (default 2000)", &rate},
        {"max-provision-rate", 0, ARG_U64, "N",
         "provisionings a second asked for from one address (default 200)", &provision_rate},
        {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre cas serve",
        .synopsis = "[OPTIONS]",
        .summary = "Run the configuration and attestation service in the foreground.",
        .options = options,
        .examples =
            "  nacre cas serve\n"
            "  nacre cas serve --software-root local          # enclaves of this machine's "
            "softsgx\n"
            "  nacre cas serve --dir /srv/cas --name cas.example.org --listen 10.0.0.1:8081",
        .notes = "Evidence is checked against the collateral given here and against what the "
                 "session accepts: a\nsession that does not say mode: software and names the root "
                 "never accepts a software root.\nThe first start makes a master key, a TLS key "
                 "and its certificate in the "
                 "directory and prints\nthe key to pin. SIGTERM stops it after the requests under "
                 "way. Anybody who can read the\ndirectory can read every secret.",
    };
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (connections > 100000 || per_peer > 100000 || rate > 1000000 || provision_rate > 1000000) {
        (void)error_set(err, EINVAL, "a limit is out of all proportion");
        return CLI_USAGE;
    }
    r = cas_use_local_root(&roots, &local, err);
    if (r < 0) {
        return CLI_FAILED;
    }
    o.collateral = collateral.values;
    o.collateral_count = collateral.count;
    o.software = roots.values;
    o.software_count = roots.count;
    o.names = names.values;
    o.name_count = names.count;
    o.max_connections = (unsigned)connections;
    o.max_connections_per_peer = (unsigned)per_peer;
    o.max_rate = (unsigned)rate;
    o.max_provision_rate = (unsigned)provision_rate;
    return cas_serve(&o, err) < 0 ? CLI_FAILED : CLI_OK;
}

static const struct cli_verb verbs[] = {
    {"attest", cas_attest_verb, "find out whether a CAS is the one you mean; remember its key"},
    {"backup", cas_backup_verb, "write a CAS into one encrypted file"},
    {"restore", cas_restore_verb, "make a CAS out of a backup"},
    {"serve", cas_serve_verb, "run it in the foreground"},
    {"status", cas_status_verb, "say how a CAS is"},
};

int cmd_cas(int argc, char **argv, struct error **err)
{
    return cli_verbs_run("cas", "The configuration and attestation service.", verbs,
                         ARRAY_COUNT(verbs), argc, argv, err);
}
