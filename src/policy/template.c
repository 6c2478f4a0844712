/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "policy/template.h"

#include <string.h>

#include "policy/macro.h"
#include "policy/text.h"

struct out {
    struct arena *arena;
    char *p;
    size_t len;
    size_t cap;
};

static int out_put(struct out *o, const char *s, size_t len)
{
    if (o->cap - o->len < len + 1) {
        const size_t cap = MAX(o->cap * 2, o->len + len + 256);
        char *grown = arena_alloc(o->arena, cap, 1);

        if (grown == NULL) {
            return -ENOMEM;
        }
        if (o->len > 0) {
            memcpy(grown, o->p, o->len);
        }
        o->p = grown;
        o->cap = cap;
    }
    memcpy(o->p + o->len, s, len);
    o->len += len;
    o->p[o->len] = '\0';
    return 0;
}

struct pol_mark line_map_mark(const struct line_map *map, uint32_t line, uint32_t col)
{
    const struct line_origin *o;

    if (map == NULL || line == 0 || map->count == 0) {
        return (struct pol_mark){.line = line, .col = col};
    }
    if (line > map->count) { /* libyaml marks the end one line behind the last */
        const uint32_t over = (uint32_t)(line - map->count);

        return (struct pol_mark){.line = map->lines[map->count - 1].line + over, .col = col};
    }
    o = &map->lines[line - 1];
    return (struct pol_mark){.line = o->line,
                             .col = col > o->indent ? col - o->indent : 1,
                             .variable = o->variable,
                             .variable_line = o->variable_line};
}

static bool is_variable_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Reads $NAME or ${NAME} at p. Returns its length with all signs, 0 when there is none. */
static size_t variable_at(const char *p, size_t left, const char **ret_name, size_t *ret_len)
{
    const bool braces = left > 1 && p[1] == '{';
    const size_t start = braces ? 2 : 1;
    size_t end = start;

    if (left <= start || p[0] != '$' || !is_variable_start(p[start])) {
        return 0;
    }
    while (end < left && (is_variable_start(p[end]) || (p[end] >= '0' && p[end] <= '9'))) {
        end++;
    }
    *ret_name = p + start;
    *ret_len = end - start;
    if (!braces) {
        return end;
    }
    return end < left && p[end] == '}' ? end + 1 : 0;
}

static int lookup(const struct pol_variables *vars, struct pol_diags *d, struct pol_mark mark,
                  const char *name, size_t len, const char **ret)
{
    const char *value = len <= 128 ? vars->get(vars->ctx, name, len) : NULL;

    if (value == NULL) {
        pol_diag_error(d, mark,
                       "value for variable $%.*s is missing; give it with -e %.*s=VALUE (or write "
                       "$$ for a plain $)",
                       (int)MIN(len, (size_t)128), name, (int)MIN(len, (size_t)128), name);
        return -EINVAL;
    }
    if (strnlen(value, POL_VARIABLE_MAX + 1) > POL_VARIABLE_MAX) {
        pol_diag_error(d, mark, "the value of $%.*s is larger than 256 KiB", (int)len, name);
        return -EINVAL;
    }
    if (!utf8_valid(value, strlen(value))) {
        pol_diag_error(d, mark, "the value of $%.*s is not UTF-8", (int)len, name);
        return -EINVAL;
    }
    *ret = value;
    return 0;
}

/* ---- variables that stand for lines --------------------------------------------------------- */

struct line_expander {
    struct out out;
    struct line_map *map;
    size_t map_cap;
    const struct pol_variables *vars;
    struct pol_diags *diags;
};

static int map_line(struct line_expander *x, struct line_origin origin)
{
    struct line_map *m = x->map;

    if (m->count == x->map_cap) {
        const size_t cap = MAX(x->map_cap * 2, (size_t)256);
        struct line_origin *grown = arena_alloc(x->out.arena, cap, sizeof(*grown));

        if (grown == NULL) {
            return -ENOMEM;
        }
        if (m->count > 0) {
            memcpy(grown, m->lines, m->count * sizeof(*grown));
        }
        m->lines = grown;
        x->map_cap = cap;
    }
    m->lines[m->count++] = origin;
    return 0;
}

/* A value goes through the scalar expansion later, which it must survive: double its `$`. */
static int put_escaped(struct out *o, const char *s, size_t len)
{
    int r = 0;

    for (size_t i = 0; i < len && r == 0;) {
        const size_t macro = macro_length(s + i, len - i);

        if (macro > 0) {
            r = out_put(o, s + i, macro);
            i += macro;
        } else {
            r = s[i] == '$' ? out_put(o, "$$", 2) : out_put(o, s + i, 1);
            i++;
        }
    }
    return r;
}

static int insert_lines(struct line_expander *x, const char *value, const char *indent,
                        size_t indent_len, struct line_origin origin)
{
    for (origin.variable_line = 1;; origin.variable_line++) {
        const size_t len = strcspn(value, "\n");
        const bool blank = strspn(value, " \t\r") >= len;
        int r = map_line(x, origin);

        if (r == 0 && !blank) {
            r = out_put(&x->out, indent, indent_len);
        }
        if (r == 0) {
            r = put_escaped(&x->out, value, len);
        }
        if (r == 0) {
            r = out_put(&x->out, "\n", 1);
        }
        if (r < 0 || value[len] == '\0' || value[len + 1] == '\0') {
            return r;
        }
        value += len + 1;
    }
}

static int expand_line(struct line_expander *x, const char *line, size_t len, uint32_t number)
{
    size_t indent = 0;
    const char *name;
    size_t name_len;
    size_t used;
    size_t rest;
    const char *value;
    struct line_origin origin = {.line = number};
    int r;

    while (indent < len && line[indent] == ' ') {
        indent++;
    }
    used = variable_at(line + indent, len - indent, &name, &name_len);
    rest = indent + used;
    while (rest < len && (line[rest] == ' ' || line[rest] == '\r' || line[rest] == '\n')) {
        rest++;
    }
    if (used == 0 || rest != len) {
        r = map_line(x, origin);
        return r < 0 ? r : out_put(&x->out, line, len);
    }
    r = lookup(x->vars, x->diags, (struct pol_mark){.line = number, .col = (uint32_t)indent + 1},
               name, name_len, &value);
    if (r < 0) {
        return r;
    }
    origin.variable = arena_strndup(x->out.arena, name, name_len);
    if (origin.variable == NULL) {
        return -ENOMEM;
    }
    origin.indent = (uint32_t)indent;
    return insert_lines(x, value, line, indent, origin);
}

int template_expand_lines(struct arena *a, const char *text, size_t size,
                          const struct pol_variables *vars, struct pol_diags *d,
                          const char **ret_text, size_t *ret_size, struct line_map *ret_map)
{
    struct line_expander x = {.out = {.arena = a}, .map = ret_map, .vars = vars, .diags = d};
    uint32_t number = 1;
    int bad = 0;

    for (size_t at = 0; at < size; number++) {
        const char *nl = memchr(text + at, '\n', size - at);
        const size_t len = nl != NULL ? (size_t)(nl - (text + at)) + 1 : size - at;
        int r = expand_line(&x, text + at, len, number);

        if (r == -ENOMEM) {
            return r;
        }
        bad = r < 0 ? r : bad; /* go on: show every missing variable */
        at += len;
        if (x.out.len > POL_TEXT_MAX) {
            pol_diag_error(d, (struct pol_mark){.line = number, .col = 1},
                           "with its variables expanded the document is larger than 1 MiB");
            return -EINVAL;
        }
    }
    *ret_text = x.out.p != NULL ? x.out.p : "";
    *ret_size = x.out.len;
    return bad;
}

/* ---- variables inside a scalar -------------------------------------------------------------- */

static int expand_scalar(struct arena *a, struct ynode *n, const struct pol_variables *vars,
                         struct pol_diags *d)
{
    struct out o = {.arena = a};
    int r = 0;

    if (strchr(n->text, '$') == NULL) {
        return 0;
    }
    for (size_t i = 0; i < n->len && r == 0;) {
        const char *p = n->text + i;
        const size_t left = n->len - i;
        const size_t macro = macro_length(p, left);
        const char *name;
        size_t name_len;
        const char *value;
        size_t used = 1;

        if (macro > 0) {
            used = macro;
            r = out_put(&o, p, used);
        } else if (left >= 2 && p[0] == '$' && p[1] == '$') {
            used = 2;
            r = out_put(&o, "$", 1);
        } else if (p[0] == '$' && variable_at(p, left, &name, &name_len) > 0) {
            used = variable_at(p, left, &name, &name_len);
            r = lookup(vars, d, n->mark, name, name_len, &value);
            r = r < 0 ? r : out_put(&o, value, strlen(value));
        } else {
            r = out_put(&o, p, 1);
        }
        i += used;
    }
    if (r == 0 && o.len > POL_SCALAR_MAX) {
        pol_diag_error(d, n->mark, "a value of more than 256 KiB");
        r = -EINVAL;
    }
    if (r == 0) {
        n->text = o.p;
        n->len = o.len;
    }
    return r;
}

int template_expand_tree(struct arena *a, struct ynode *root, const struct pol_variables *vars,
                         struct pol_diags *d)
{
    int bad = 0;
    int r;

    if (root->kind == YNODE_SCALAR) {
        r = expand_scalar(a, root, vars, d);
        if (r < 0) {
            return r;
        }
    }
    /* A key is a scalar of its own with its value beside it. */
    for (struct ynode *c = root->first; c != NULL; c = c->next) {
        r = template_expand_tree(a, c, vars, d);
        bad = r < 0 ? r : bad;
        if (r != -ENOMEM && c->value != NULL) {
            r = template_expand_tree(a, c->value, vars, d);
            bad = r < 0 ? r : bad;
        }
        if (bad == -ENOMEM) {
            return bad;
        }
    }
    return bad;
}
