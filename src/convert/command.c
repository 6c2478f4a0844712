/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "convert/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define BLANK " \t\r\n"

void command_done(struct command *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->words[i]);
    }
    free(c->words);
    *c = (struct command){0};
}

static int add(struct command *c, const char *word, size_t size, struct error **err)
{
    char **grown;

    if (c->count == COMMAND_WORDS_MAX) {
        return error_set(err, E2BIG, "the command has more than %u words", COMMAND_WORDS_MAX);
    }
    grown = reallocarray(c->words, c->count + 2, sizeof(*grown));
    if (grown == NULL) {
        return error_set_errno(err, ENOMEM, "reading the command");
    }
    c->words = grown;
    grown[c->count] = strndup(word, size);
    if (grown[c->count] == NULL) {
        return error_set_errno(err, ENOMEM, "reading the command");
    }
    grown[++c->count] = NULL;
    return 0;
}

int command_split(const char *text, struct command *ret, struct error **err)
{
    _cleanup_command_ struct command c = {0};
    _cleanup_free_ char *word = malloc(strlen(text) + 1);
    const char *s = text;

    if (word == NULL) {
        return error_set_errno(err, ENOMEM, "reading the command");
    }
    for (;;) {
        char quote = '\0';
        size_t n = 0;
        int r;

        s += strspn(s, BLANK);
        if (*s == '\0') {
            break;
        }
        for (; *s != '\0' && (quote != '\0' || strchr(BLANK, *s) == NULL); s++) {
            if (quote != '\0' && *s == quote) {
                quote = '\0';
            } else if (quote == '\0' && (*s == '\'' || *s == '"')) {
                quote = *s;
            } else {
                word[n++] = *s;
            }
        }
        if (quote != '\0') {
            return error_set(err, EINVAL, "the command has a %c without its partner", quote);
        }
        r = add(&c, word, n, err);
        if (r < 0) {
            return r;
        }
    }
    *ret = c;
    c = (struct command){0};
    return 0;
}

char *command_join(const struct command *c)
{
    size_t size = 1;
    char *text;
    char *at;

    for (size_t i = 0; i < c->count; i++) {
        size += strlen(c->words[i]) + 3;
    }
    text = at = malloc(size);
    if (text == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < c->count; i++) {
        const char *w = c->words[i];
        const bool single = strchr(w, '\'') != NULL;
        const bool dbl = strchr(w, '"') != NULL;
        const char *quote = single ? "\"" : dbl || w[0] == '\0' || strpbrk(w, BLANK) ? "'" : "";

        if (single && dbl) {
            free(text);
            return NULL;
        }
        at +=
            snprintf(at, size - (size_t)(at - text), "%s%s%s%s", i > 0 ? " " : "", quote, w, quote);
    }
    *at = '\0';
    return text;
}

static int add_list(struct command *c, const json_t *list, struct error **err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *w = json_string_value(json_array_get(list, i));
        int r = add(c, w, strlen(w), err);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int command_make(const struct image_config *image, const char *given, struct command *ret,
                 struct error **err)
{
    _cleanup_command_ struct command c = {0};
    int r = given != NULL ? command_split(given, &c, err) : add_list(&c, image->entrypoint, err);

    if (r == 0 && given == NULL) {
        r = add_list(&c, image->cmd, err);
    }
    if (r < 0) {
        return r;
    }
    if (c.count == 0 || c.words[0][0] == '\0') {
        return error_set(err, EINVAL, "%s names no program%s",
                         given != NULL ? "--command" : "the image",
                         given != NULL ? "" : " (no ENTRYPOINT, no CMD); give --command");
    }
    *ret = c;
    c = (struct command){0};
    return 0;
}

/*
 * A text the shell would do nothing with but split and run: words of plain characters and of quoted
 * ones in which nothing is special. Anything else (variables, globs, pipes, assignments, builtins
 * that have no file) stays the shell's.
 */
static bool is_plain(const char *s)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "_@%+=:,./-" BLANK;
    const char *first_end = s + strspn(s, BLANK);

    first_end += strcspn(first_end, BLANK "'\"");
    if (memchr(s, '=', (size_t)(first_end - s)) != NULL || strchr(s, '\n') != NULL) {
        return false;
    }
    while (*s != '\0') {
        const char *end;

        if (*s != '\'' && *s != '"') {
            if (strchr(safe, *s) == NULL) {
                return false;
            }
            s++;
            continue;
        }
        end = strchr(s + 1, *s);
        if (end == NULL || (*s == '"' && strcspn(s + 1, "$`\\") < (size_t)(end - s - 1))) {
            return false;
        }
        s = end + 1;
    }
    return true;
}

int command_unshell(const struct command *c, bool *ret_plain, struct command *ret,
                    struct error **err)
{
    static const char *const builtins[] = {".",    ":",      "alias", "cd",   "eval",  "exec",
                                           "exit", "export", "set",   "trap", "umask", "wait"};
    _cleanup_command_ struct command words = {0};
    int r;

    *ret_plain = false;
    if (c->count != 3 || strcmp(c->words[0], "/bin/sh") != 0 || strcmp(c->words[1], "-c") != 0 ||
        !is_plain(c->words[2])) {
        return 0;
    }
    r = command_split(c->words[2], &words, err);
    if (r < 0 || words.count == 0) {
        return r;
    }
    if (strcmp(words.words[0], "exec") == 0 && words.count > 1 && words.words[1][0] != '-') {
        free(words.words[0]);
        memmove(words.words, words.words + 1, words.count * sizeof(*words.words));
        words.count--;
    }
    for (size_t i = 0; i < ARRAY_COUNT(builtins); i++) {
        if (strcmp(words.words[0], builtins[i]) == 0) {
            return 0;
        }
    }
    *ret_plain = true;
    *ret = words;
    words = (struct command){0};
    return 0;
}
