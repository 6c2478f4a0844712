/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Command lines as tables. A verb declares its options and one usage block; parsing, `--help`,
 * "did you mean" and shell completion all come from the same table.
 */

#include "base/error.h"

enum arg_kind {
    ARG_FLAG,   /* --name sets a bool */
    ARG_STRING, /* --name VALUE or --name=VALUE sets a const char * (borrowed from argv) */
    ARG_LIST,   /* as ARG_STRING, may be repeated: a struct arg_list */
    ARG_U64,    /* decimal, 0x hex, with an optional K, M, G or T suffix (powers of 1024) */
};

#define ARG_LIST_MAX 256

struct arg_list {
    size_t count;
    const char *values[ARG_LIST_MAX]; /* borrowed from argv */
};

struct arg_option {
    const char *name; /* long name without dashes */
    char letter;      /* short name, or 0 */
    enum arg_kind kind;
    const char *value; /* placeholder in the help: FILE, ADDR; NULL for flags */
    const char *help;
    void *dest;  /* bool *, const char **, struct arg_list *, uint64_t * */
    bool hidden; /* accepted, not shown */
};

struct arg_spec {
    const char *verb;                 /* "nacre sign" */
    const char *synopsis;             /* "[OPTIONS] FILE" */
    const char *summary;              /* one sentence */
    const struct arg_option *options; /* ends with name == NULL */
    const char *examples;             /* lines, shown under "Examples:" */
    const char *notes;                /* free text below, or NULL */
    size_t min_args;
    size_t max_args;         /* positional arguments allowed */
    bool stop_at_positional; /* for `exec -- PROG ARGS`: the first positional ends the options */
};

/* Parses argv[1..argc-1]. Positional arguments are moved to the front of argv and counted in
 * *ret_count (argv[0] is then the first of them). Returns 0; 1 when --help was asked and printed to
 * stdout (the caller exits 0); -EINVAL with a message that names the option and what to do. */
[[nodiscard]] int args_parse(const struct arg_spec *spec, int argc, char **argv, size_t *ret_count,
                             struct error **err);

void args_print_help(const struct arg_spec *spec);

/* "12", "0x10", "64K", "1G" → *ret. -EINVAL, -ERANGE. */
[[nodiscard]] int args_parse_u64(const char *s, uint64_t *ret);

/* Distance between two words, for "did you mean"; bounded work on the first 32 characters. */
size_t args_word_distance(const char *a, const char *b);
