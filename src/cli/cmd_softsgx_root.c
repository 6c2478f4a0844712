/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <stdio.h>
#include <time.h>

#include "core/hex.h"
#include "softsgx/root.h"

int cmd_softsgx_root(int argc, char **argv, struct error **err);

struct root_options {
    const char *export_dir;
    const char *lab_dir;
    bool show, init, force, json;
};

static void format_day(int64_t t, char ret[static 32])
{
    const time_t when = (time_t)t;
    struct tm tm;

    if (gmtime_r(&when, &tm) == NULL || strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        ret[0] = '\0';
    }
}

static void print_info(const struct soft_root_info *i, bool json)
{
    char fingerprint[65];
    char ppid[33];
    char fmspc[13];
    char until[32];
    char collateral[32];

    hex_encode(fingerprint, i->fingerprint, sizeof(i->fingerprint));
    hex_encode(fmspc, i->fmspc, sizeof(i->fmspc));
    hex_encode(ppid, i->ppid, sizeof(i->ppid));
    format_day(i->not_after, until);
    format_day(i->collateral_not_after, collateral);
    if (json) {
        printf("{\"name\": \"%s\", \"fingerprint\": \"%s\", \"fmspc\": \"%s\", \"ppid\": \"%s\", "
               "\"not_after\": \"%s\", \"collateral_not_after\": \"%s\", \"new\": %s}\n",
               SOFT_ROOT_NAME, fingerprint, fmspc, ppid, until, collateral,
               i->fresh ? "true" : "false");
        return;
    }
    printf("name              %s\n", SOFT_ROOT_NAME);
    printf("fingerprint       %s\n", fingerprint);
    printf("fmspc             %s\n", fmspc);
    printf("ppid              %s\n", ppid);
    printf("not after         %s\n", until);
    printf("collateral until  %s\n", collateral);
    printf("kept in           %s\n", i->dir);
}

static int run(const struct root_options *o, struct error **err)
{
    _cleanup_soft_root_ struct soft_root *root = NULL;
    struct soft_root_info info;
    int r = 0;

    if (o->init) {
        r = soft_root_init(o->lab_dir, o->force, err);
    }
    r = r < 0 ? r : soft_root_open(&root, err);
    if (r == 0 && o->export_dir != NULL) {
        r = soft_root_export(root, o->export_dir, err);
    }
    if (r < 0) {
        return CLI_FAILED;
    }
    if (o->show || o->init || o->export_dir == NULL) {
        soft_root_info(root, &info);
        info.fresh |= o->init;
        print_info(&info, o->json);
    }
    return CLI_OK;
}

int cmd_softsgx_root(int argc, char **argv, struct error **err)
{
    struct root_options o = {0};
    const struct arg_option options[] = {
        {"show", 0, ARG_FLAG, NULL, "print what the root is (also without any option)", &o.show},
        {"export", 'e', ARG_STRING, "DIR", "write the root certificate and its collateral to DIR",
         &o.export_dir},
        {"init", 0, ARG_FLAG, NULL, "make the root now instead of at the first quote", &o.init},
        {"lab-root", 0, ARG_STRING, "DIR",
         "init: share the authorities in DIR, made when DIR is empty", &o.lab_dir},
        {"force", 'f', ARG_FLAG, NULL, "init: replace the root there is", &o.force},
        {"json", 0, ARG_FLAG, NULL, "print JSON", &o.json},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre softsgx root",
        .synopsis = "[OPTIONS]",
        .summary = "Show, make or export the root that software quotes of this machine end in.",
        .options = options,
        .examples =
            "  nacre softsgx root\n"
            "  nacre softsgx root --export collateral\n"
            "  nacre quote verify quote.bin -c collateral --software-root "
            "collateral/root_ca.pem\n"
            "  nacre softsgx root --init --lab-root /mnt/lab-root   # on each machine of a lab\n",
        .notes = "Evidence under a software root proves nothing about hardware: whoever has the "
                 "machine\ncan make any of it. Verifiers accept it only when told so in words. The "
                 "root lives in\n$NACRE_STATE_DIR, else /var/lib/nacre (root), else "
                 "~/.local/state/nacre. DIR of --lab-root\nholds private keys; everybody who has "
                 "it can make evidence of the lab.",
    };
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (!o.init && (o.lab_dir != NULL || o.force)) {
        error_set(err, EINVAL, "--lab-root and --force go with --init");
        return CLI_USAGE;
    }
    return run(&o, err);
}
