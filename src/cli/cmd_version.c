/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <stdio.h>

int cmd_version(int argc, char **argv, struct error **err)
{
    static const struct arg_spec spec = {
        .verb = "nacre version",
        .synopsis = "",
        .summary = "Print nacre's version.",
    };
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    printf("nacre %s\n", NACRE_VERSION);
    return CLI_OK;
}
