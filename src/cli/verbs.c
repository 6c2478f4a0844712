/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void print_help(const char *group, const char *summary, const struct cli_verb *verbs,
                       size_t count, FILE *out)
{
    fprintf(out, "Usage: nacre %s VERB [OPTIONS] [ARGUMENTS]\n\n%s\n\nVerbs:\n", group, summary);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "  %-10s  %s\n", verbs[i].name, verbs[i].summary);
    }
    fprintf(out, "\n'nacre %s VERB --help' explains a verb, with examples.\n", group);
}

int cli_verbs_run(const char *group, const char *summary, const struct cli_verb *verbs,
                  size_t count, int argc, char **argv, struct error **err)
{
    const char *verb = argc > 1 ? argv[1] : NULL;

    if (verb == NULL || strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
        print_help(group, summary, verbs, count, verb == NULL ? stderr : stdout);
        return verb == NULL ? CLI_USAGE : CLI_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(verb, verbs[i].name) == 0) {
            return verbs[i].run(argc - 1, argv + 1, err);
        }
    }
    (void)error_set(err, EINVAL, "there is no '%s' here; 'nacre %s --help' lists the verbs", verb,
                    group);
    return CLI_USAGE;
}
