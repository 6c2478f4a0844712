/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "policy/document.h"

#include <string.h>
#include <yaml.h>

#include "policy/template.h"

struct anchor {
    const char *name;
    struct ynode *node;
};

struct builder {
    yaml_parser_t parser;
    struct arena *arena;
    struct pol_diags *diags;
    const struct line_map *lines;
    size_t nodes;
    size_t anchors;
    struct anchor anchor[POL_ANCHOR_MAX];
};

static void builder_done(struct builder *b)
{
    yaml_parser_delete(&b->parser);
}

static struct pol_mark mark_of(const struct builder *b, yaml_mark_t m)
{
    return line_map_mark(b->lines, (uint32_t)m.line + 1, (uint32_t)m.column + 1);
}

static int fail(struct builder *b, yaml_mark_t m, const char *text)
{
    pol_diag_error(b->diags, mark_of(b, m), "%s", text);
    return -EINVAL;
}

static int syntax_error(struct builder *b)
{
    const yaml_parser_t *p = &b->parser;
    const char *problem = p->problem != NULL ? p->problem : "unreadable";

    switch (p->error) {
    case YAML_MEMORY_ERROR: return -ENOMEM;
    case YAML_READER_ERROR:
        pol_diag_error(b->diags, (struct pol_mark){0}, "not a text in UTF-8: %s at byte %zu",
                       problem, p->problem_offset);
        return -EINVAL;
    default:
        if (p->context != NULL) {
            pol_diag_error(b->diags, mark_of(b, p->problem_mark),
                           "YAML: %s (%s that starts on line %u)", problem, p->context,
                           mark_of(b, p->context_mark).line);
        } else {
            pol_diag_error(b->diags, mark_of(b, p->problem_mark), "YAML: %s", problem);
        }
        return -EINVAL;
    }
}

static int next_event(struct builder *b, yaml_event_t *ret)
{
    return yaml_parser_parse(&b->parser, ret) ? 0 : syntax_error(b);
}

static int new_node(struct builder *b, enum ynode_kind kind, struct pol_mark mark,
                    struct ynode **ret)
{
    struct ynode *n;

    if (++b->nodes > POL_NODES_MAX) {
        pol_diag_error(b->diags, mark,
                       "the document has more than %zu values (aliases count as what they repeat)",
                       POL_NODES_MAX);
        return -EINVAL;
    }
    n = arena_alloc(b->arena, 1, sizeof(*n));
    if (n == NULL) {
        return -ENOMEM;
    }
    n->kind = kind;
    n->mark = mark;
    *ret = n;
    return 0;
}

static void append(struct ynode *parent, struct ynode *child)
{
    if (parent->last != NULL) {
        parent->last->next = child;
    } else {
        parent->first = child;
    }
    parent->last = child;
    parent->count++;
}

/* Depth is bounded by what the parse allowed. */
static int clone(struct builder *b, const struct ynode *from, struct ynode **ret)
{
    struct ynode *n;
    int r = new_node(b, from->kind, from->mark, &n);

    if (r < 0) {
        return r;
    }
    n->plain = from->plain;
    n->text = from->text;
    n->len = from->len;
    for (const struct ynode *c = from->first; c != NULL; c = c->next) {
        struct ynode *copy;

        r = clone(b, c, &copy);
        if (r == 0 && c->value != NULL) {
            r = clone(b, c->value, &copy->value);
        }
        if (r < 0) {
            return r;
        }
        append(n, copy);
    }
    *ret = n;
    return 0;
}

static int resolve_alias(struct builder *b, const yaml_event_t *e, struct ynode **ret)
{
    const char *name = (const char *)e->data.alias.anchor;

    for (size_t i = b->anchors; i > 0; i--) {
        if (strcmp(b->anchor[i - 1].name, name) == 0) {
            return clone(b, b->anchor[i - 1].node, ret);
        }
    }
    pol_diag_error(b->diags, mark_of(b, e->start_mark),
                   "alias *%.64s: no complete value above it has the anchor &%.64s", name, name);
    return -EINVAL;
}

static int remember_anchor(struct builder *b, const yaml_event_t *e, const yaml_char_t *name,
                           struct ynode *node)
{
    if (name == NULL) {
        return 0;
    }
    if (b->anchors == POL_ANCHOR_MAX) {
        return fail(b, e->start_mark, "too many anchors in one document");
    }
    b->anchor[b->anchors].name =
        arena_strndup(b->arena, (const char *)name, strlen((const char *)name));
    b->anchor[b->anchors].node = node;
    if (b->anchor[b->anchors++].name == NULL) {
        return -ENOMEM;
    }
    return 0;
}

static int scalar(struct builder *b, const yaml_event_t *e, struct ynode **ret)
{
    const char *text = (const char *)e->data.scalar.value;
    const size_t len = e->data.scalar.length;
    struct ynode *n;
    int r;

    if (e->data.scalar.tag != NULL) {
        return fail(b, e->start_mark, "YAML tags (!…) have no meaning in a session; remove it");
    }
    if (len > POL_SCALAR_MAX) {
        return fail(b, e->start_mark, "a value of more than 256 KiB");
    }
    if (memchr(text, '\0', len) != NULL) {
        return fail(b, e->start_mark, "a value with a NUL character in it");
    }
    r = new_node(b, YNODE_SCALAR, mark_of(b, e->start_mark), &n);
    if (r < 0) {
        return r;
    }
    n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    n->text = arena_strndup(b->arena, text, len);
    n->len = len;
    *ret = n;
    return n->text != NULL ? 0 : -ENOMEM;
}

static int node_from(struct builder *b, yaml_event_t *e, unsigned depth, struct ynode **ret);

static int check_key(struct builder *b, const struct ynode *map, const struct ynode *key,
                     yaml_mark_t at)
{
    if (key->kind != YNODE_SCALAR) {
        return fail(b, at, "a key must be a single word, not a map or a list");
    }
    if (key->plain && strcmp(key->text, "<<") == 0) {
        return fail(b, at, "merge keys (<<) are not supported; write the keys out");
    }
    if (map->count == POL_PAIRS_MAX) {
        return fail(b, at, "a map with more than 1024 keys");
    }
    for (const struct ynode *k = map->first; k != NULL; k = k->next) {
        if (strcmp(k->text, key->text) == 0) {
            pol_diag_error(b->diags, key->mark, "key '%.64s' stands twice; first on line %u",
                           key->text, k->mark.line);
            return -EINVAL;
        }
    }
    return 0;
}

/* Reads up to the end event of `parent`. */
static int children(struct builder *b, struct ynode *parent, unsigned depth)
{
    for (;;) {
        struct ynode *n = NULL;
        yaml_event_t e;
        int r = next_event(b, &e);

        if (r < 0) {
            return r;
        }
        if (e.type == YAML_MAPPING_END_EVENT || e.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&e);
            return 0;
        }
        r = node_from(b, &e, depth, &n);
        if (r == 0 && parent->kind == YNODE_MAP) {
            r = check_key(b, parent, n, e.start_mark);
        }
        yaml_event_delete(&e);
        if (r == 0 && parent->kind == YNODE_MAP) {
            r = next_event(b, &e);
            if (r == 0) {
                r = node_from(b, &e, depth, &n->value);
                yaml_event_delete(&e);
            }
        }
        if (r < 0) {
            return r;
        }
        append(parent, n);
    }
}

static int collection(struct builder *b, const yaml_event_t *e, enum ynode_kind kind,
                      const yaml_char_t *anchor, const yaml_char_t *tag, unsigned depth,
                      struct ynode **ret)
{
    struct ynode *n;
    int r;

    if (tag != NULL) {
        return fail(b, e->start_mark, "YAML tags (!…) have no meaning in a session; remove it");
    }
    if (depth >= POL_DEPTH_MAX) {
        return fail(b, e->start_mark, "maps and lists are nested too deeply");
    }
    r = new_node(b, kind, mark_of(b, e->start_mark), &n);
    if (r == 0) {
        r = children(b, n, depth + 1);
    }
    if (r == 0) {
        r = remember_anchor(b, e, anchor, n);
    }
    if (r == 0) {
        *ret = n;
    }
    return r;
}

static int node_from(struct builder *b, yaml_event_t *e, unsigned depth, struct ynode **ret)
{
    int r;

    switch (e->type) {
    case YAML_SCALAR_EVENT:
        r = scalar(b, e, ret);
        return r < 0 ? r : remember_anchor(b, e, e->data.scalar.anchor, *ret);
    case YAML_MAPPING_START_EVENT:
        return collection(b, e, YNODE_MAP, e->data.mapping_start.anchor, e->data.mapping_start.tag,
                          depth, ret);
    case YAML_SEQUENCE_START_EVENT:
        return collection(b, e, YNODE_LIST, e->data.sequence_start.anchor,
                          e->data.sequence_start.tag, depth, ret);
    case YAML_ALIAS_EVENT: return resolve_alias(b, e, ret);
    default: return fail(b, e->start_mark, "YAML: unexpected end of the document");
    }
}

/* Stream start, document start, the root, document end, stream end: and nothing else. */
static int document(struct builder *b, struct ynode **ret)
{
    static const yaml_event_type_t want[] = {YAML_STREAM_START_EVENT, YAML_DOCUMENT_START_EVENT,
                                             YAML_NO_EVENT, YAML_DOCUMENT_END_EVENT,
                                             YAML_STREAM_END_EVENT};

    for (size_t i = 0; i < ARRAY_COUNT(want); i++) {
        yaml_event_t e;
        int r = next_event(b, &e);

        if (r < 0) {
            return r;
        }
        if (want[i] == YAML_NO_EVENT) {
            r = node_from(b, &e, 0, ret);
        } else if (e.type == YAML_STREAM_END_EVENT && want[i] == YAML_DOCUMENT_START_EVENT) {
            pol_diag_error(b->diags, (struct pol_mark){0}, "the document is empty");
            r = -EINVAL;
        } else if (e.type != want[i]) {
            r = fail(b, e.start_mark, "a second document (---); a file holds one session");
        }
        yaml_event_delete(&e);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int yaml_parse(struct arena *a, const char *text, size_t size, const struct line_map *lines,
               struct pol_diags *d, struct ynode **ret_root)
{
    _cleanup_(builder_done) struct builder b = {.arena = a, .diags = d, .lines = lines};

    if (size > POL_TEXT_MAX) {
        pol_diag_error(d, (struct pol_mark){0}, "the document is larger than 1 MiB");
        return -EINVAL;
    }
    if (!yaml_parser_initialize(&b.parser)) {
        return -ENOMEM;
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, size);
    return document(&b, ret_root);
}
