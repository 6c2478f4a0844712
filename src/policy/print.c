/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The canonical text: the JSON form in block-style YAML. Texts are plain where every YAML reader
 * takes them for texts, literal blocks where they have lines, double-quoted otherwise.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/ct.h"
#include "core/sha256.h"
#include "policy/json.h"
#include "policy/policy.h"
#include "policy/resolve.h"
#include "policy/text.h"

static bool is_plain(const char *s)
{
    static const char *const taken[] = {"true", "false", "null", "yes", "no",
                                        "on",   "off",   "y",    "n"};
    size_t i = 0;

    for (; s[i] != '\0'; i++) {
        const char c = s[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/';

        if (!letter && (i == 0 || strchr("0123456789_.-", c) == NULL)) {
            return false;
        }
    }
    for (size_t t = 0; t < ARRAY_COUNT(taken); t++) {
        if (strcasecmp(s, taken[t]) == 0) {
            return false;
        }
    }
    return i > 0;
}

/* Printable ASCII lines, the first one neither empty nor indented, ending in exactly one line feed:
 * what `|` gives back as it was. */
static bool is_block(const char *s)
{
    const size_t len = strlen(s);

    if (len < 2 || s[0] == ' ' || s[0] == '\n' || s[len - 1] != '\n' || s[len - 2] == '\n') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (s[i] != '\n' && (s[i] < 0x20 || s[i] == 0x7f || (unsigned char)s[i] >= 0x80)) {
            return false;
        }
    }
    return true;
}

static void indent(FILE *f, unsigned depth)
{
    fprintf(f, "%*s", (int)(2 * depth), "");
}

/* One character of UTF-8; the parser let nothing else in. */
static const uint8_t *decode(const uint8_t *p, uint32_t *ret)
{
    const unsigned more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;
    uint32_t code = *p & (0x3fu >> more);

    for (unsigned i = 1; i <= more; i++) {
        code = code << 6 | (p[i] & 0x3f);
    }
    *ret = code;
    return p + more + 1;
}

static void print_quoted(FILE *f, const char *s)
{
    fputc('"', f);
    for (const uint8_t *p = (const uint8_t *)s; *p != '\0';) {
        uint32_t code;

        if (*p >= 0x80) {
            p = decode(p, &code);
            fprintf(f, code > 0xffff ? "\\U%08x" : "\\u%04x", code);
            continue;
        }
        switch (*p) {
        case '"': fputs("\\\"", f); break;
        case '\\': fputs("\\\\", f); break;
        case '\n': fputs("\\n", f); break;
        case '\t': fputs("\\t", f); break;
        case '\r': fputs("\\r", f); break;
        default:
            if (*p < 0x20 || *p == 0x7f) {
                fprintf(f, "\\x%02x", *p);
            } else {
                fputc(*p, f);
            }
            break;
        }
        p++;
    }
    fputc('"', f);
}

static void print_block(FILE *f, const char *s, unsigned depth)
{
    fputs("|\n", f);
    while (*s != '\0') {
        const size_t len = strcspn(s, "\n");

        if (len > 0) {
            indent(f, depth);
        }
        fprintf(f, "%.*s\n", (int)len, s);
        s += len + 1;
    }
}

static void print_scalar(FILE *f, const json_t *j, unsigned depth)
{
    const char *s = json_string_value(j);

    if (json_is_integer(j)) {
        fprintf(f, "%lld\n", (long long)json_integer_value(j));
    } else if (json_is_boolean(j)) {
        fputs(json_is_true(j) ? "true\n" : "false\n", f);
    } else if (s != NULL && is_plain(s)) {
        fprintf(f, "%s\n", s);
    } else if (s != NULL && is_block(s)) {
        print_block(f, s, depth);
    } else {
        print_quoted(f, s != NULL ? s : "");
        fputc('\n', f);
    }
}

static void print_key(FILE *f, const char *key)
{
    if (is_plain(key)) {
        fputs(key, f);
    } else {
        print_quoted(f, key);
    }
    fputc(':', f);
}

/* `depth` is the indentation of the node's own lines; the first line is already indented. */
static void print_node(FILE *f, json_t *j, unsigned depth)
{
    bool first = true;
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_object(j)) {
        json_object_foreach(j, key, value)
        {
            if (!first) {
                indent(f, depth);
            }
            first = false;
            print_key(f, key);
            if (json_is_object(value) || json_is_array(value)) {
                fputc('\n', f);
                indent(f, depth + 1);
                print_node(f, value, depth + 1);
            } else {
                fputc(' ', f);
                print_scalar(f, value, depth + 1);
            }
        }
        return;
    }
    if (!json_is_array(j)) {
        print_scalar(f, j, depth);
        return;
    }
    json_array_foreach(j, i, value)
    {
        if (i > 0) {
            indent(f, depth);
        }
        fputs("- ", f);
        print_node(f, value, depth + 1);
    }
}

int pol_print(const struct pol_session *s, unsigned flags, char **ret)
{
    _cleanup_json_ json_t *j = pol_to_json(s, flags);
    char *text = NULL;
    size_t size;
    FILE *f;

    if (j == NULL) {
        return -ENOMEM;
    }
    f = open_memstream(&text, &size);
    if (f == NULL) {
        return -ENOMEM;
    }
    print_node(f, j, 0);
    if (fclose(f) != 0) {
        free(text);
        return -ENOMEM;
    }
    *ret = text;
    return 0;
}

int pol_print_json(const struct pol_session *s, unsigned flags, unsigned spaces, char **ret)
{
    _cleanup_json_ json_t *j = pol_to_json(s, flags);

    *ret = j != NULL ? json_dumps(j, spaces > 0 ? JSON_INDENT(spaces) : JSON_COMPACT) : NULL;
    return *ret != NULL ? 0 : -ENOMEM;
}

static int hash_json(const json_t *j, const char *label, uint8_t ret[static POL_HASH_SIZE])
{
    char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
    struct sha256 ctx;

    if (text == NULL) {
        return -ENOMEM;
    }
    sha256_init(&ctx);
    sha256_update(&ctx, label, strlen(label) + 1);
    sha256_update(&ctx, text, strlen(text));
    sha256_final(&ctx, ret);
    ct_wipe(text, strlen(text));
    free(text);
    return 0;
}

int pol_hash(const struct pol_session *s, uint8_t ret[static POL_HASH_SIZE])
{
    _cleanup_json_ json_t *j = pol_to_json(s, 0);

    return j != NULL ? hash_json(j, "nacre-session-v1", ret) : -ENOMEM;
}

/* The definition of `secret` with the definitions it is built on nested in it. */
static json_t *definition(const struct pol_session *s, json_t *all, const struct pol_secret *secret,
                          unsigned depth)
{
    static const char *const without[] = {"export", "export_public"};
    static const char *const below[] = {"private_key", "issuer"};
    json_t *j = json_deep_copy(json_array_get(all, (size_t)(secret - s->secrets)));

    for (size_t i = 0; i < ARRAY_COUNT(without); i++) {
        (void)json_object_del(j, without[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(below) && depth > 0; i++) {
        const char *name = json_string_value(json_object_get(j, below[i]));
        const struct pol_secret *to = name != NULL ? pol_find_secret(s, name, strlen(name)) : NULL;

        if (to != NULL && json_object_set_new(j, below[i], definition(s, all, to, depth - 1)) < 0) {
            json_decref(j);
            return NULL;
        }
    }
    return j;
}

int pol_secret_hash(const struct pol_session *s, const struct pol_secret *secret,
                    uint8_t ret[static POL_HASH_SIZE])
{
    _cleanup_json_ json_t *j = pol_to_json(s, 0);
    _cleanup_json_ json_t *d = NULL;

    if (j == NULL) {
        return -ENOMEM;
    }
    d = definition(s, json_object_get(j, "secrets"), secret, POL_CHAIN_MAX);
    return d != NULL ? hash_json(d, "nacre-secret-v1", ret) : -ENOMEM;
}
