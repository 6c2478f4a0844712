/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * nacre <verb>: one verb, one file. A verb gets its own argv (argv[0] is the verb) and returns the
 * exit code; on failure it leaves the message in *err and main prints it once.
 */

#include "base/args.h"
#include "base/error.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,         /* the work could not be done */
    CLI_USAGE = 2,          /* the command line is wrong */
    CLI_REFUSED = 3,        /* evidence, a signature or a measurement does not verify */
    CLI_UNSUPPORTED = 4,    /* this machine lacks what the work needs */
    CLI_CANNOT_START = 125, /* run, exec: the program could not be started, as engines say it */
};

/* What a verb returns when args_parse returned `r` != 0. */
static inline int cli_args_exit(int r)
{
    return r > 0 ? CLI_OK : CLI_USAGE;
}

/* A group of verbs: dispatches argv[1], prints the help. */
struct cli_verb {
    const char *name;
    int (*run)(int argc, char **argv, struct error **err);
    const char *summary;
};

int cli_verbs_run(const char *group, const char *summary, const struct cli_verb *verbs,
                  size_t count, int argc, char **argv, struct error **err);

#define X(name, function, summary) int function(int argc, char **argv, struct error **err);
#include "cli/commands.tbl.h"
#undef X

/* The program under its second name, sconify_image. */
int cmd_sconify(int argc, char **argv, struct error **err);
