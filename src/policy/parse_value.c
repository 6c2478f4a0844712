/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <string.h>

#include "core/hex.h"
#include "core/overflow.h"
#include "policy/macro.h"
#include "policy/parse_internal.h"
#include "policy/text.h"

#define SHOWN 64 /* characters of foreign text in a message */

bool node_is_null(const struct ynode *n)
{
    return n->kind == YNODE_SCALAR && n->plain &&
           (n->len == 0 || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0 ||
            strcmp(n->text, "Null") == 0 || strcmp(n->text, "NULL") == 0);
}

static unsigned form_of(const struct ynode *n)
{
    switch (n->kind) {
    case YNODE_MAP: return SHAPE_IS_MAP;
    case YNODE_LIST: return SHAPE_IS_LIST;
    default: return SHAPE_SCALAR;
    }
}

static const char *form_words(const struct ynode *n)
{
    switch (n->kind) {
    case YNODE_MAP: return "a map";
    case YNODE_LIST: return "a list";
    default: return "a single value";
    }
}

static void unknown_key(struct parser *p, const struct ynode *key, enum kw_scope scope)
{
    const char *near = keyword_nearest(scope, key->text);
    const enum kw_scope home = keyword_elsewhere(scope, key->text);

    if (near != NULL) {
        pol_diag_error(p->diags, key->mark, "unknown key '%.*s' in %s; did you mean '%s'?", SHOWN,
                       key->text, scope_name(scope), near);
    } else if (home != SCOPE_NONE) {
        pol_diag_error(p->diags, key->mark,
                       "key '%.*s' does not belong in %s but in %s; check the indentation", SHOWN,
                       key->text, scope_name(scope), scope_name(home));
    } else {
        pol_diag_error(p->diags, key->mark, "unknown key '%.*s' in %s", SHOWN, key->text,
                       scope_name(scope));
    }
}

static void one_key(struct parser *p, const struct ynode *key, enum kw_scope scope,
                    struct keys *ret)
{
    const struct keyword *kw = keyword_find(scope, key->text);
    const unsigned version = p->session->version;

    if (kw == NULL) {
        unknown_key(p, key, scope);
        return;
    }
    ret->key[kw - keywords] = key;
    if (kw->refused != NULL) {
        pol_diag_error(p->diags, key->mark, "'%s' is refused: %s", kw->key, kw->refused);
        return;
    }
    if (kw->since != KW_NACRE && kw->since > version) {
        pol_diag_error(
            p->diags, key->mark,
            "'%s' came with version 0.3.%u, and this session says 0.3.%u; raise 'version'", kw->key,
            kw->since, version);
        return;
    }
    if (node_is_null(key->value) && kw->shape != SHAPE_FALSE_ONLY) {
        return; /* ~ and nothing mean: as if the key were not there */
    }
    if ((shape_forms(kw->shape) & form_of(key->value)) == 0) {
        pol_diag_error(p->diags, key->value->mark, "'%s' must be %s, not %s", kw->key,
                       shape_words(kw->shape), form_words(key->value));
        return;
    }
    if (kw->shape == SHAPE_FALSE_ONLY &&
        (!key->value->plain || strcmp(key->value->text, "false") != 0)) {
        pol_diag_error(p->diags, key->value->mark, "'%s' must be %s", kw->key, kw->summary);
        return;
    }
    ret->at[kw - keywords] = key->value;
}

bool parse_keys(struct parser *p, const struct ynode *node, enum kw_scope scope, struct keys *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->node = node;
    if (node->kind != YNODE_MAP) {
        pol_diag_error(p->diags, node->mark, "%s must be a map (key: value), not %s",
                       scope_name(scope), form_words(node));
        return false;
    }
    for (const struct ynode *key = node->first; key != NULL; key = key->next) {
        one_key(p, key, scope, ret);
    }
    return true;
}

void require_key(struct parser *p, const struct keys *k, enum kw_id id)
{
    if (k->at[id] == NULL && (k->key[id] == NULL || node_is_null(k->key[id]->value))) {
        pol_diag_error(p->diags, k->node->mark, "%s needs the key '%s'",
                       scope_name(keywords[id].scope), keywords[id].key);
    }
}

void take_text(struct parser *p, const struct keys *k, enum kw_id id, const char **ret)
{
    const struct ynode *n = k->at[id];

    (void)p;
    if (n != NULL) {
        *ret = n->text;
    }
}

void take_name(struct parser *p, const struct keys *k, enum kw_id id, const char **ret)
{
    const struct ynode *n = k->at[id];

    if (n == NULL) {
        return;
    }
    if (!name_word_valid(n->text)) {
        pol_diag_error(p->diags, n->mark,
                       "'%s' must be a name: 1 to %d of the characters A-Z a-z 0-9 _ - . ~, not "
                       "'%.*s'",
                       keywords[id].key, POL_WORD_MAX, SHOWN, n->text);
        return;
    }
    *ret = n->text;
}

/* Absolute, and without parts that would make two spellings of one place. */
static bool path_valid(const char *s)
{
    if (s[0] != '/' || strlen(s) > 4095) {
        return false;
    }
    for (s++; *s != '\0';) {
        const size_t len = strcspn(s, "/");

        if (len == 0 || (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.')) {
            return false;
        }
        s += len;
        if (*s == '/' && s[1] != '\0') {
            s++;
        } else if (*s == '/') {
            return false;
        }
    }
    return true;
}

void take_path(struct parser *p, const struct keys *k, enum kw_id id, const char **ret)
{
    const struct ynode *n = k->at[id];

    if (n == NULL) {
        return;
    }
    if (!path_valid(n->text)) {
        pol_diag_error(
            p->diags, n->mark,
            "'%s' must be an absolute path without '.', '..', '//' and a '/' at its end, "
            "not '%.*s'",
            keywords[id].key, SHOWN, n->text);
        return;
    }
    *ret = n->text;
}

void take_bool(struct parser *p, const struct keys *k, enum kw_id id, bool *ret_has, bool *ret)
{
    const struct ynode *n = k->at[id];
    bool is_true;

    if (n == NULL) {
        return;
    }
    is_true = n->plain && strcmp(n->text, "true") == 0;
    if (!is_true && !(n->plain && strcmp(n->text, "false") == 0)) {
        pol_diag_error(p->diags, n->mark, "'%s' must be true or false, not '%.*s'",
                       keywords[id].key, SHOWN, n->text);
        return;
    }
    *ret = is_true;
    if (ret_has != NULL) {
        *ret_has = true;
    }
}

bool parse_number(const char *s, uint32_t *ret)
{
    uint32_t v = 0;

    if (*s == '\0' || (s[0] == '0' && s[1] != '\0')) {
        return false; /* 010 is ten to some and eight to others */
    }
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9' || mul_overflow(v, 10U, &v) ||
            add_overflow(v, (uint32_t)(*s - '0'), &v)) {
            return false;
        }
    }
    *ret = v;
    return true;
}

void take_uint(struct parser *p, const struct keys *k, enum kw_id id, uint32_t least, uint32_t most,
               bool *ret_has, uint32_t *ret)
{
    const struct ynode *n = k->at[id];
    uint32_t v;

    if (n == NULL) {
        return;
    }
    if (!parse_number(n->text, &v) || v < least || v > most) {
        pol_diag_error(p->diags, n->mark, "'%s' must be a number from %u to %u, not '%.*s'",
                       keywords[id].key, least, most, SHOWN, n->text);
        return;
    }
    *ret = v;
    if (ret_has != NULL) {
        *ret_has = true;
    }
}

void take_duration(struct parser *p, const struct keys *k, enum kw_id id, uint64_t *ret)
{
    const struct ynode *n = k->at[id];

    if (n != NULL && duration_parse(n->text, ret) < 0) {
        pol_diag_error(p->diags, n->mark,
                       "'%s' must be a duration such as 90 days, 12h or 1 year (at most 100 "
                       "years), not '%.*s'",
                       keywords[id].key, SHOWN, n->text);
    }
}

bool parse_hex(struct parser *p, const struct ynode *n, uint8_t *ret, size_t size)
{
    if (n->kind != YNODE_SCALAR) {
        pol_diag_error(p->diags, n->mark, "expected %zu hex digits, not %s", 2 * size,
                       form_words(n));
        return false;
    }
    if (strstr(n->text, "$$SCONE::") != NULL) {
        pol_diag_error(p->diags, n->mark,
                       "macros are not supported here: what proves a service must stand in the "
                       "session itself; write the %zu hex digits",
                       2 * size);
        return false;
    }
    if (hex_decode(ret, size, n->text, n->len) < 0) {
        pol_diag_error(p->diags, n->mark, "expected %zu hex digits, not '%.*s' (%zu characters)",
                       2 * size, SHOWN, n->text, n->len);
        return false;
    }
    return true;
}

void take_hex(struct parser *p, const struct keys *k, enum kw_id id, bool *ret_has, uint8_t *ret,
              size_t size)
{
    uint8_t tmp[32];

    if (k->at[id] != NULL && size <= sizeof(tmp) && parse_hex(p, k->at[id], tmp, size)) {
        memcpy(ret, tmp, size);
        *ret_has = true;
    }
}

void take_key32(struct parser *p, const struct keys *k, enum kw_id id, const char **ret,
                struct pol_mark *ret_mark)
{
    const struct ynode *n = k->at[id];
    uint8_t key[32];

    if (n == NULL) {
        return;
    }
    if (macro_length(n->text, n->len) != n->len || n->len == 0) {
        if (hex_decode(key, sizeof(key), n->text, n->len) < 0) {
            /* The value may be a key with a slip in it: do not repeat it. */
            pol_diag_error(p->diags, n->mark,
                           "'%s' must be 64 hex digits or one $$SCONE::name$$ of a binary secret",
                           keywords[id].key);
            return;
        }
    }
    *ret = n->text;
    *ret_mark = n->mark;
}

int parse_word(struct parser *p, const struct ynode *n, unsigned list)
{
    int position = n->kind == YNODE_SCALAR ? word_find(list, n->text) : -ENOENT;
    const struct kw_word *w;
    const char *near;

    if (position >= 0) {
        w = word_at(list, (size_t)position);
        if (w->refused == NULL) {
            return position;
        }
        pol_diag_error(p->diags, n->mark, "'%s' is refused: %s", w->word, w->refused);
        return -1;
    }
    if (n->kind != YNODE_SCALAR) {
        pol_diag_error(p->diags, n->mark, "expected a word, not %s", form_words(n));
        return -1;
    }
    near = word_nearest(list, n->text);
    if (near != NULL) {
        pol_diag_error(p->diags, n->mark, "unknown word '%.*s'; did you mean '%s'?", SHOWN, n->text,
                       near);
    } else {
        char all[256] = "";
        size_t at = 0;

        for (size_t i = 0; (w = word_at(list, i)) != NULL; i++) {
            if (w->refused == NULL && at + strlen(w->word) + 3 < sizeof(all)) {
                at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", at > 0 ? ", " : "",
                                       w->word);
            }
        }
        pol_diag_error(p->diags, n->mark, "unknown word '%.*s'; possible: %s", SHOWN, n->text, all);
    }
    return -1;
}

void take_word(struct parser *p, const struct keys *k, enum kw_id id, unsigned *ret)
{
    int position;

    if (k->at[id] != NULL) {
        position = parse_word(p, k->at[id], keywords[id].ref);
        if (position >= 0) {
            *ret = (unsigned)position;
        }
    }
}

const struct ynode *take_items(struct parser *p, const struct keys *k, enum kw_id id, size_t max,
                               size_t *ret_count)
{
    const struct ynode *n = k->at[id];

    *ret_count = 0;
    if (n == NULL) {
        return NULL;
    }
    if (n->kind != YNODE_LIST) {
        *ret_count = 1; /* its `next` belongs to nobody: values have none */
        return n;
    }
    if (n->count > max) {
        pol_diag_error(p->diags, n->mark, "'%s' has %zu entries; at most %zu are allowed",
                       keywords[id].key, n->count, max);
        return NULL;
    }
    *ret_count = n->count;
    return n->first;
}

void take_texts(struct parser *p, const struct keys *k, enum kw_id id, struct pol_texts *ret)
{
    size_t count;
    const struct ynode *n = take_items(p, k, id, POL_LIST_MAX, &count);
    const char **items = arena_alloc(p->arena, count + 1, sizeof(*items));

    if (n == NULL || items == NULL) {
        return;
    }
    ret->items = items;
    for (; n != NULL; n = n->next) {
        if (n->kind != YNODE_SCALAR || node_is_null(n)) {
            pol_diag_error(p->diags, n->mark, "an entry of '%s' must be a text, not %s",
                           keywords[id].key, node_is_null(n) ? "nothing" : form_words(n));
            continue;
        }
        ret->items[ret->count++] = n->text;
    }
}

void take_hashes(struct parser *p, const struct keys *k, enum kw_id id, size_t *ret_count,
                 struct pol_hash **ret)
{
    size_t count;
    const struct ynode *n = take_items(p, k, id, POL_LIST_MAX, &count);
    struct pol_hash *items = arena_alloc(p->arena, count + 1, sizeof(*items));

    if (n == NULL || items == NULL) {
        return;
    }
    *ret = items;
    for (; n != NULL; n = n->next) {
        if (parse_hex(p, n, items[*ret_count].b, sizeof(items->b))) {
            (*ret_count)++;
        }
    }
}

void parse_ref_text(struct parser *p, const struct ynode *n, struct pol_ref *ret)
{
    ret->mark = n->mark;
    if (n->kind != YNODE_SCALAR || !name_session_ref_valid(n->text)) {
        pol_diag_error(p->diags, n->mark,
                       "expected a session name such as ns/name or ../name, not '%.*s'%s", SHOWN,
                       n->kind == YNODE_SCALAR ? n->text : form_words(n),
                       n->kind == YNODE_SCALAR && strchr(n->text, '=') != NULL
                           ? " (the URL form is for other CAS instances, which are not supported)"
                           : "");
        return;
    }
    ret->session = n->text;
}

void take_ref(struct parser *p, const struct keys *k, enum kw_id session, enum kw_id hash,
              struct pol_ref *ret)
{
    ret->mark = k->node->mark;
    if (k->at[session] != NULL) {
        parse_ref_text(p, k->at[session], ret);
    }
    take_hex(p, k, hash, &ret->has_hash, ret->hash.b, sizeof(ret->hash.b));
}

static void parse_export(struct parser *p, const struct ynode *n, struct pol_ref *ret)
{
    struct keys k;

    *ret = (struct pol_ref){0};
    if (n->kind == YNODE_SCALAR) {
        parse_ref_text(p, n, ret);
        return;
    }
    if (!parse_keys(p, n, SCOPE_EXPORT, &k)) {
        return;
    }
    take_ref(p, &k, KW_EXPORT_session, KW_EXPORT_session_hash, ret);
    if (k.at[KW_EXPORT_namespace] != NULL) {
        parse_ref_text(p, k.at[KW_EXPORT_namespace], ret);
        ret->is_namespace = true;
        if (k.at[KW_EXPORT_session] != NULL || ret->has_hash) {
            pol_diag_error(p->diags, n->mark,
                           "an export names either a session or a namespace, not both");
        }
    } else {
        require_key(p, &k, KW_EXPORT_session);
    }
}

void parse_exports(struct parser *p, const struct keys *k, enum kw_id id, size_t *ret_count,
                   struct pol_ref **ret)
{
    size_t count;
    const struct ynode *n = take_items(p, k, id, POL_LIST_MAX, &count);
    struct pol_ref *items = arena_alloc(p->arena, count + 1, sizeof(*items));

    if (n == NULL || items == NULL) {
        return;
    }
    *ret = items;
    for (; n != NULL; n = n->next) {
        parse_export(p, n, &items[*ret_count]);
        if (items[*ret_count].session != NULL) {
            (*ret_count)++;
        }
    }
}
