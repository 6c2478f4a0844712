/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#define X(name, function, summary) int function(int argc, char **argv, struct error **err);
#include "cli/softsgx.tbl.h"
#undef X

static const struct {
    const char *name;
    int (*run)(int argc, char **argv, struct error **err);
    const char *summary;
} verbs[] = {
#define X(name, function, summary) {name, function, summary},
#include "cli/softsgx.tbl.h"
#undef X
};

static void print_help(FILE *out)
{
    fprintf(out, "Usage: nacre softsgx VERB [OPTIONS] [ARGUMENTS]\n\n"
                 "The processor in software, for machines without SGX. It isolates nothing from "
                 "the host.\n\nVerbs:\n");
    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++) {
        fprintf(out, "  %-10s  %s\n", verbs[i].name, verbs[i].summary);
    }
    fprintf(out, "\n'nacre softsgx VERB --help' explains a verb, with examples.\n");
}

int cmd_softsgx(int argc, char **argv, struct error **err)
{
    const char *verb = argc > 1 ? argv[1] : NULL;

    if (verb == NULL || strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
        print_help(verb == NULL ? stderr : stdout);
        return verb == NULL ? CLI_USAGE : CLI_OK;
    }
    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++) {
        if (strcmp(verb, verbs[i].name) == 0) {
            return verbs[i].run(argc - 1, argv + 1, err);
        }
    }
    (void)error_set(err, EINVAL, "there is no '%s' here; 'nacre softsgx --help' lists the verbs",
                    verb);
    return CLI_USAGE;
}
