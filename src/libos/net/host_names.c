/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/net/host_names.h"

#include "libos/lib/str.h"

#define NAME_MAX_SIZE    253u /* RFC 1035 section 2.3.4, without the root's dot */
#define ADDRESS_MAX_SIZE 45u

/* Words of one line, cut at comments. */
struct words {
    const char *p;
    const char *end;
};

struct word {
    const char *p;
    size_t size;
};

struct lines {
    const char *p;
    const char *end;
    unsigned left;
};

static struct lines lines_of(const char *text)
{
    size_t size = 0;

    if (text == NULL) {
        text = "";
    }
    while (size < HOST_NAMES_TEXT_MAX && text[size] != '\0') {
        size++;
    }
    return (struct lines){.p = text, .end = text + size, .left = HOST_NAMES_LINES_MAX};
}

static bool next_line(struct lines *l, struct words *ret)
{
    if (l->p == l->end || l->left-- == 0) {
        return false;
    }
    ret->p = l->p;
    while (l->p < l->end && *l->p != '\n') {
        l->p++;
    }
    ret->end = l->p;
    l->p += l->p < l->end ? 1 : 0;
    return true;
}

static bool next_word(struct words *w, struct word *ret)
{
    while (w->p < w->end && (*w->p == ' ' || *w->p == '\t' || *w->p == '\r')) {
        w->p++;
    }
    ret->p = w->p;
    while (w->p < w->end && *w->p != ' ' && *w->p != '\t' && *w->p != '\r') {
        w->p++;
    }
    ret->size = (size_t)(w->p - ret->p);
    return ret->size > 0 && *ret->p != '#' && *ret->p != ';';
}

static bool word_is(const struct word *w, const char *text)
{
    return w->size == str_len(text) && __builtin_memcmp(w->p, text, w->size) == 0;
}

static bool word_starts(const struct word *w, const char *text, struct word *ret_rest)
{
    const size_t size = str_len(text);

    if (w->size < size || __builtin_memcmp(w->p, text, size) != 0) {
        return false;
    }
    *ret_rest = (struct word){.p = w->p + size, .size = w->size - size};
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_ipv4(const struct word *w)
{
    unsigned value = 0;
    unsigned digits = 0;
    unsigned dots = 0;

    for (size_t i = 0; i < w->size; i++) {
        if (is_digit(w->p[i])) {
            value = 10 * value + (unsigned)(w->p[i] - '0');
            if (++digits > 3 || value > 255) {
                return false;
            }
        } else if (w->p[i] == '.' && digits > 0) {
            dots++;
            digits = 0;
            value = 0;
        } else {
            return false;
        }
    }
    return dots == 3 && digits > 0;
}

/* RFC 4291 section 2.2, without the mixed form. */
static bool is_ipv6(const struct word *w)
{
    unsigned groups = 0;
    unsigned digits = 0;
    bool gap = false;

    if (w->size < 2 || w->size > ADDRESS_MAX_SIZE || (w->p[0] == ':' && w->p[1] != ':')) {
        return false;
    }
    for (size_t i = 0; i < w->size; i++) {
        if (is_hex(w->p[i])) {
            groups += digits == 0 ? 1 : 0;
            if (++digits > 4) {
                return false;
            }
            continue;
        }
        if (w->p[i] != ':') {
            return false;
        }
        if (i + 1 < w->size && w->p[i + 1] == ':') {
            if (gap) {
                return false;
            }
            gap = true;
            i++;
        } else if (i + 1 == w->size) {
            return false;
        }
        digits = 0;
    }
    return gap ? groups <= 7 : groups == 8;
}

static bool is_address(const struct word *w)
{
    return is_ipv4(w) || is_ipv6(w);
}

static bool is_name(const struct word *w)
{
    if (w->size > NAME_MAX_SIZE || w->p[0] == '-' || w->p[0] == '.') {
        return false;
    }
    for (size_t i = 0; i < w->size; i++) {
        const char c = w->p[i];

        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '.' &&
            c != '-' && c != '_') {
            return false;
        }
    }
    return true;
}

/* Up to 255. */
static bool is_number(const struct word *w)
{
    unsigned value = 0;

    for (size_t i = 0; i < w->size; i++) {
        if (!is_digit(w->p[i]) || i == 3) {
            return false;
        }
        value = 10 * value + (unsigned)(w->p[i] - '0');
    }
    return w->size > 0 && value <= 255;
}

static void add_word(struct strbuf *out, const char *before, const struct word *w)
{
    strbuf_puts(out, before);
    strbuf_add(out, w->p, w->size);
}

/* ---- hosts ---- */

static bool is_ours(const struct word *name)
{
    return word_is(name, "localhost") || word_is(name, "ip6-localhost") ||
           word_is(name, "ip6-loopback");
}

void host_names_hosts(const char *text, struct strbuf *out)
{
    struct lines lines = lines_of(text);
    struct words line;
    struct word address;
    struct word name;

    strbuf_puts(out, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    while (next_line(&lines, &line)) {
        bool any = false;

        if (!next_word(&line, &address) || !is_address(&address)) {
            continue;
        }
        while (next_word(&line, &name)) {
            if (!is_name(&name) || is_ours(&name)) {
                continue;
            }
            if (!any) {
                strbuf_add(out, address.p, address.size);
            }
            add_word(out, any ? " " : "\t", &name);
            any = true;
        }
        if (any) {
            strbuf_puts(out, "\n");
        }
    }
}

/* ---- resolv.conf ---- */

static bool is_option(const struct word *w)
{
    static const char *const flags[] = {"edns0",          "no-aaaa",  "rotate",
                                        "single-request", "trust-ad", "single-request-reopen",
                                        "use-vc"};
    static const char *const numbers[] = {"ndots:", "timeout:", "attempts:"};
    struct word rest;

    for (size_t i = 0; i < ARRAY_COUNT(flags); i++) {
        if (word_is(w, flags[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        if (word_starts(w, numbers[i], &rest)) {
            return is_number(&rest);
        }
    }
    return false;
}

/* "search a b c": what is good of the rest of a line, at most `max` words. */
static void add_list(struct strbuf *out, const char *keyword, struct words *line,
                     bool (*good)(const struct word *), unsigned max)
{
    struct word w;
    bool any = false;

    while (max > 0 && next_word(line, &w)) {
        if (good(&w)) {
            strbuf_puts(out, any ? "" : keyword);
            add_word(out, " ", &w);
            any = true;
            max--;
        }
    }
    if (any) {
        strbuf_puts(out, "\n");
    }
}

void host_names_resolv(const char *text, struct strbuf *out)
{
    struct lines lines = lines_of(text);
    unsigned servers = 0;
    struct words line;
    struct word keyword;
    struct word address;

    while (next_line(&lines, &line)) {
        if (!next_word(&line, &keyword)) {
            continue;
        }
        if (word_is(&keyword, "nameserver") && servers < HOST_NAMES_SERVERS &&
            next_word(&line, &address) && is_address(&address)) {
            add_word(out, "nameserver ", &address);
            strbuf_puts(out, "\n");
            servers++;
        } else if (word_is(&keyword, "search")) {
            add_list(out, "search", &line, is_name, HOST_NAMES_SEARCH);
        } else if (word_is(&keyword, "domain")) {
            add_list(out, "domain", &line, is_name, 1);
        } else if (word_is(&keyword, "options")) {
            add_list(out, "options", &line, is_option, 16);
        }
    }
}
