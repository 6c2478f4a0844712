/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#define X(name, function, summary) int function(int argc, char **argv, struct error **err);
#include "cli/softsgx.tbl.h"
#undef X

static const struct cli_verb verbs[] = {
#define X(name, function, summary) {name, function, summary},
#include "cli/softsgx.tbl.h"
#undef X
};

int cmd_softsgx(int argc, char **argv, struct error **err)
{
    return cli_verbs_run("softsgx",
                         "The processor in software, for machines without SGX. It isolates nothing "
                         "from the host.",
                         verbs, ARRAY_COUNT(verbs), argc, argv, err);
}
