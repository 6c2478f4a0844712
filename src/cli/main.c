/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv, struct error **err);
    const char *summary;
};

static const struct command commands[] = {
#define X(name, function, summary) {name, function, summary},
#include "cli/commands.tbl.h"
#undef X
};

static void print_usage(FILE *out)
{
    fprintf(out, "Usage: nacre VERB [OPTIONS] [ARGUMENTS]\n\n"
                 "Turns container images into confidential containers.\n\nVerbs:\n");
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        fprintf(out, "  %-12s  %s\n", commands[i].name, commands[i].summary);
    }
    fprintf(out, "\n'nacre VERB --help' explains a verb, with examples.\n");
}

static int unknown_verb(const char *verb)
{
    const char *best = NULL;
    size_t best_distance = 3;

    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        size_t d = args_word_distance(verb, commands[i].name);

        if (d < best_distance) {
            best_distance = d;
            best = commands[i].name;
        }
    }
    fprintf(stderr, "nacre: there is no verb '%s'", verb);
    if (best != NULL) {
        fprintf(stderr, "; did you mean '%s'?\n", best);
    } else {
        fprintf(stderr, "; 'nacre --help' lists them\n");
    }
    return CLI_USAGE;
}

/* One program, two names: what people who come from SCONE have in their scripts. */
static bool is_sconify(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');

    return strcmp(slash == NULL ? argv0 : slash + 1, "sconify_image") == 0;
}

static int run_sconify(int argc, char **argv)
{
    _cleanup_error_ struct error *err = NULL;
    const int code = cmd_sconify(argc, argv, &err);

    if (err != NULL) {
        fflush(stdout);
        fprintf(stderr, "sconify_image: ERROR: %s\n", error_text(err));
    }
    return code;
}

int main(int argc, char **argv)
{
    _cleanup_error_ struct error *err = NULL;

    if (argc > 0 && is_sconify(argv[0])) {
        return run_sconify(argc, argv);
    }

    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        static char version[] = "version";

        argv[1] = version;
    }
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        int code;

        if (strcmp(argv[1], commands[i].name) != 0) {
            continue;
        }
        code = commands[i].run(argc - 1, argv + 1, &err);
        if (err != NULL) {
            fflush(stdout);
            fprintf(stderr, "nacre %s: %s\n", commands[i].name, error_text(err));
        }
        return code;
    }
    return unknown_verb(argv[1]);
}
