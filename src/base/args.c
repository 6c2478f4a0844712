/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "base/args.h"

#include <stdio.h>
#include <string.h>

#include "core/overflow.h"

#define WORD_MAX 32

size_t args_word_distance(const char *a, const char *b)
{
    size_t la = strnlen(a, WORD_MAX);
    size_t lb = strnlen(b, WORD_MAX);
    size_t row[WORD_MAX + 1];

    for (size_t j = 0; j <= lb; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t replace = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            row[j] = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = MIN(row[j], replace);
        }
    }
    return row[lb];
}

int args_parse_u64(const char *s, uint64_t *ret)
{
    uint64_t v = 0;
    unsigned base = 10;
    size_t digits = 0;
    unsigned shift = 0;

    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    }
    for (; *s != '\0'; s++, digits++) {
        unsigned d;

        if (*s >= '0' && *s <= '9') {
            d = (unsigned)(*s - '0');
        } else if (base == 16 && *s >= 'a' && *s <= 'f') {
            d = (unsigned)(*s - 'a' + 10);
        } else if (base == 16 && *s >= 'A' && *s <= 'F') {
            d = (unsigned)(*s - 'A' + 10);
        } else {
            break;
        }
        if (mul_overflow(v, base, &v) || add_overflow(v, d, &v)) {
            return -ERANGE;
        }
    }
    switch (*s) {
    case 'k':
    case 'K': shift = 10; break;
    case 'm':
    case 'M': shift = 20; break;
    case 'g':
    case 'G': shift = 30; break;
    case 't':
    case 'T': shift = 40; break;
    default: break;
    }
    if (digits == 0 || s[shift != 0] != '\0') {
        return -EINVAL;
    }
    if (shift != 0 && v > UINT64_MAX >> shift) {
        return -ERANGE;
    }
    *ret = v << shift;
    return 0;
}

static const struct arg_option *find_long(const struct arg_spec *spec, const char *name, size_t len)
{
    for (const struct arg_option *o = spec->options; o != NULL && o->name != NULL; o++) {
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0) {
            return o;
        }
    }
    return NULL;
}

static const struct arg_option *find_short(const struct arg_spec *spec, char letter)
{
    for (const struct arg_option *o = spec->options; o != NULL && o->name != NULL; o++) {
        if (o->letter == letter) {
            return o;
        }
    }
    return NULL;
}

static int unknown_option(const struct arg_spec *spec, const char *arg, size_t len,
                          struct error **err)
{
    char word[WORD_MAX + 1];
    const char *best = NULL;
    size_t best_distance = 4;

    (void)snprintf(word, sizeof(word), "%.*s", (int)MIN(len, (size_t)WORD_MAX), arg);
    for (const struct arg_option *o = spec->options; o != NULL && o->name != NULL; o++) {
        size_t d = args_word_distance(word, o->name);

        if (!o->hidden && d < best_distance) {
            best_distance = d;
            best = o->name;
        }
    }
    if (best != NULL) {
        return error_set(err, EINVAL, "unknown option --%s; did you mean --%s?", word, best);
    }
    return error_set(err, EINVAL, "unknown option --%s; see '%s --help'", word, spec->verb);
}

static int store(const struct arg_spec *spec, const struct arg_option *o, const char *value,
                 struct error **err)
{
    struct arg_list *list;
    int r;

    switch (o->kind) {
    case ARG_FLAG:
        if (value != NULL) {
            return error_set(err, EINVAL, "--%s takes no value", o->name);
        }
        *(bool *)o->dest = true;
        return 0;
    case ARG_STRING: *(const char **)o->dest = value; return 0;
    case ARG_LIST:
        list = o->dest;
        if (list->count == ARG_LIST_MAX) {
            return error_set(err, EINVAL, "--%s given more than %d times", o->name, ARG_LIST_MAX);
        }
        list->values[list->count++] = value;
        return 0;
    case ARG_U64:
        r = args_parse_u64(value, o->dest);
        if (r < 0) {
            return error_set(err, EINVAL,
                             "--%s wants a number such as 4096, 0x1000 or 64K, not '%s'", o->name,
                             value);
        }
        return 0;
    }
    return error_set(err, EINVAL, "%s: option table is broken at --%s", spec->verb, o->name);
}

static int parse_option(const struct arg_spec *spec, int argc, char **argv, int *i,
                        struct error **err)
{
    const char *arg = argv[*i];
    const char *eq = strchr(arg, '=');
    const char *value = NULL;
    const struct arg_option *o;

    if (arg[1] == '-') {
        size_t len = eq != NULL ? (size_t)(eq - arg) - 2 : strlen(arg + 2);

        o = find_long(spec, arg + 2, len);
        if (o == NULL) {
            return unknown_option(spec, arg + 2, len, err);
        }
        value = eq != NULL ? eq + 1 : NULL;
    } else {
        o = find_short(spec, arg[1]);
        if (o == NULL) {
            return error_set(err, EINVAL, "unknown option -%c; see '%s --help'", arg[1],
                             spec->verb);
        }
        value = arg[2] != '\0' ? arg + 2 : NULL;
    }
    if (o->kind != ARG_FLAG && value == NULL) {
        if (*i + 1 >= argc) {
            return error_set(err, EINVAL, "--%s needs a value (%s)", o->name, o->value);
        }
        value = argv[++*i];
    }
    return store(spec, o, value, err);
}

int args_parse(const struct arg_spec *spec, int argc, char **argv, size_t *ret_count,
               struct error **err)
{
    size_t count = 0;
    bool options = true;

    for (int i = 1; i < argc; i++) {
        char *arg = argv[i];

        if (options && strcmp(arg, "--") == 0) {
            options = false;
        } else if (options && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            args_print_help(spec);
            return 1;
        } else if (options && arg[0] == '-' && arg[1] != '\0') {
            int r = parse_option(spec, argc, argv, &i, err);

            if (r < 0) {
                return r;
            }
        } else {
            argv[count++] = arg; /* count < i always: argv[0] was the verb */
            options = options && !spec->stop_at_positional;
        }
    }
    if (count < spec->min_args || count > spec->max_args) {
        return error_set(err, EINVAL, "%s: usage: %s %s",
                         count < spec->min_args ? "an argument is missing" : "too many arguments",
                         spec->verb, spec->synopsis);
    }
    *ret_count = count;
    return 0;
}

void args_print_help(const struct arg_spec *spec)
{
    printf("Usage: %s %s\n\n%s\n", spec->verb, spec->synopsis, spec->summary);
    if (spec->options != NULL && spec->options[0].name != NULL) {
        printf("\nOptions:\n");
    }
    for (const struct arg_option *o = spec->options; o != NULL && o->name != NULL; o++) {
        char left[64];

        if (o->hidden) {
            continue;
        }
        (void)snprintf(left, sizeof(left), "%c%c%c --%s%s%s", o->letter ? '-' : ' ',
                       o->letter ? o->letter : ' ', o->letter ? ',' : ' ', o->name,
                       o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
        if (strlen(left) > 30) {
            printf("  %s\n  %-30s  %s\n", left, "", o->help);
        } else {
            printf("  %-30s  %s\n", left, o->help);
        }
    }
    printf("  %-30s  %s\n", "-h, --help", "show this help");
    if (spec->notes != NULL) {
        printf("\n%s\n", spec->notes);
    }
    if (spec->examples != NULL) {
        printf("\nExamples:\n%s\n", spec->examples);
    }
}
