/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <string.h>

#include "policy/parse_internal.h"
#include "policy/policy.h"
#include "policy/text.h"

#define ARENA_MAX ((size_t)64 * 1024 * 1024)

/* Needed before everything else: the version decides which keys exist. */
static void parse_version(struct parser *p, const struct ynode *root)
{
    static const char hint[] = "write version: \"0.3\"";
    const struct ynode *key;
    uint32_t minor;

    p->session->version = POL_VERSION_ANY;
    for (key = root->first; key != NULL && strcmp(key->text, "version") != 0;) {
        key = key->next;
    }
    if (key == NULL) {
        pol_diag_error(p->diags, root->mark,
                       "the key 'version' is missing, which would mean language 0.1; %s", hint);
        return;
    }
    if (key->value->kind != YNODE_SCALAR) {
        return; /* reported with the other keys */
    }
    p->session->version_text = key->value->text;
    if (strcmp(key->value->text, "0.3") == 0) {
        return;
    }
    if (strncmp(key->value->text, "0.3.", 4) != 0 || !parse_number(key->value->text + 4, &minor)) {
        pol_diag_error(p->diags, key->value->mark,
                       "language version '%.32s' is not supported: 0.3 to 0.3.%u are; %s",
                       key->value->text, POL_VERSION_LAST, hint);
        return;
    }
    if (minor > POL_VERSION_LAST) {
        pol_diag_error(p->diags, key->value->mark,
                       "language version 0.3.%u is newer than 0.3.%u, the last one known; %s",
                       minor, POL_VERSION_LAST, hint);
        return;
    }
    p->session->version = minor;
}

static void parse_head(struct parser *p, const struct keys *k)
{
    struct pol_session *s = p->session;
    const struct ynode *n = k->at[KW_SESSION_name];

    require_key(p, k, KW_SESSION_name);
    if (n != NULL) {
        s->name_mark = n->mark;
        s->name = n->text;
        if (!name_session_valid(n->text)) {
            pol_diag_error(
                p->diags, n->mark,
                "a session name is made of A-Z a-z 0-9 _ - . ~ in parts joined by '/', at "
                "most %d characters, not '%.64s'",
                POL_NAME_MAX, n->text);
        }
    }
    take_hex(p, k, KW_SESSION_predecessor, &s->has_predecessor, s->predecessor.b,
             sizeof(s->predecessor));
    take_hex(p, k, KW_SESSION_namespace_hash, &s->has_namespace_hash, s->namespace_hash.b,
             sizeof(s->namespace_hash));
    take_hex(p, k, KW_SESSION_salt, &s->has_salt, s->salt, sizeof(s->salt));
    if (s->has_predecessor && s->has_namespace_hash) {
        pol_diag_error(p->diags, k->key[KW_SESSION_namespace_hash]->mark,
                       "namespace_hash is for new sessions; it cannot stand beside predecessor");
    }
}

static int parse_tree(struct parser *p, const struct ynode *root)
{
    struct keys k;

    if (root->kind != YNODE_MAP) {
        pol_diag_error(p->diags, root->mark,
                       "a session is a map: name, version, services, … (see nacre session --help)");
        return -EINVAL;
    }
    parse_version(p, root);
    if (!parse_keys(p, root, SCOPE_SESSION, &k)) {
        return -EINVAL;
    }
    parse_head(p, &k);
    parse_creator(p, &k);
    parse_security(p, &k);
    parse_access(p, &k);
    parse_secrets(p, &k);
    parse_volumes(p, &k);
    parse_images(p, &k);
    parse_services(p, &k);
    if (arena_failed(p->arena)) {
        return -ENOMEM;
    }
    if (p->diags->errors == 0) {
        check_session(p); /* needs names that are there and valid */
    }
    return p->diags->errors == 0 ? 0 : -EINVAL;
}

static int parse_in(struct parser *p, const char *text, size_t size,
                    const struct pol_variables *vars)
{
    struct line_map lines = {0};
    const struct line_map *map = NULL;
    struct ynode *root;
    int r;

    if (size > POL_TEXT_MAX) {
        pol_diag_error(p->diags, (struct pol_mark){0}, "the document is larger than 1 MiB");
        return -EINVAL;
    }
    if (vars != NULL) {
        r = template_expand_lines(p->arena, text, size, vars, p->diags, &text, &size, &lines);
        if (r < 0) {
            return r;
        }
        map = &lines;
    }
    r = yaml_parse(p->arena, text, size, map, p->diags, &root);
    if (r == 0 && vars != NULL) {
        r = template_expand_tree(p->arena, root, vars, p->diags);
    }
    return r < 0 ? r : parse_tree(p, root);
}

int pol_parse(const char *text, size_t size, const struct pol_variables *vars, struct pol_diags *d,
              struct pol_session **ret)
{
    _cleanup_arena_ struct arena *arena = arena_new(ARENA_MAX);
    struct parser p = {.arena = arena, .diags = d};
    int r;

    if (arena == NULL) {
        return -ENOMEM;
    }
    p.session = arena_alloc(arena, 1, sizeof(*p.session));
    if (p.session == NULL) {
        return -ENOMEM;
    }
    r = parse_in(&p, text, size, vars);
    if (r < 0) {
        return r;
    }
    p.session->arena = TAKE_PTR(arena);
    *ret = p.session;
    return 0;
}

void pol_free(struct pol_session *s)
{
    if (s != NULL) {
        arena_free(s->arena);
    }
}

int pol_parse_text(const char *text, size_t size, struct pol_session **ret, struct error **err)
{
    _cleanup_diags_ struct pol_diags d = {0};
    char first[POL_DIAG_TEXT_MAX + 160];
    int r = pol_parse(text, size, NULL, &d, ret);

    if (r == -ENOMEM) {
        return error_set_errno(err, ENOMEM, "parsing the session");
    }
    if (r < 0) {
        pol_diags_first(&d, first, sizeof(first));
        return error_set(err, -r, "session: %s", first);
    }
    return 0;
}
