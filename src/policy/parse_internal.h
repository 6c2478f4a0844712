/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Tree → AST. Errors are recorded and parsing goes on; the caller looks at diags->errors at the
 * end. Memory failure is kept in the arena. Therefore nothing here returns codes.
 */

#include "policy/ast.h"
#include "policy/document.h"
#include "policy/keywords.h"

struct parser {
    struct arena *arena;
    struct pol_diags *diags;
    struct pol_session *session;
    size_t macros; /* seen so far */
};

/* The values of one map by keyword; NULL where the key is absent or ~. */
struct keys {
    const struct ynode *node; /* the map */
    const struct ynode *at[KW_COUNT];
    const struct ynode *key[KW_COUNT]; /* the key nodes, for marks */
};

/* Checks that `node` is a map of `scope` with known keys of the right forms. False: nothing useful
 * is in it. */
bool parse_keys(struct parser *p, const struct ynode *node, enum kw_scope scope, struct keys *ret);

bool node_is_null(const struct ynode *n);

/* Each leaves *ret alone when the key is absent or its value wrong. */
void take_text(struct parser *p, const struct keys *k, enum kw_id id, const char **ret);
void take_name(struct parser *p, const struct keys *k, enum kw_id id, const char **ret);
void take_path(struct parser *p, const struct keys *k, enum kw_id id, const char **ret);
void take_bool(struct parser *p, const struct keys *k, enum kw_id id, bool *ret_has, bool *ret);
void take_uint(struct parser *p, const struct keys *k, enum kw_id id, uint32_t least, uint32_t most,
               bool *ret_has, uint32_t *ret);
void take_duration(struct parser *p, const struct keys *k, enum kw_id id, uint64_t *ret);
void take_hex(struct parser *p, const struct keys *k, enum kw_id id, bool *ret_has, uint8_t *ret,
              size_t size);
void take_key32(struct parser *p, const struct keys *k, enum kw_id id, const char **ret,
                struct pol_mark *ret_mark);
void take_word(struct parser *p, const struct keys *k, enum kw_id id, unsigned *ret);
void take_texts(struct parser *p, const struct keys *k, enum kw_id id, struct pol_texts *ret);
/* Lists of 64 hex digits, or one. */
void take_hashes(struct parser *p, const struct keys *k, enum kw_id id, size_t *ret_count,
                 struct pol_hash **ret);
bool parse_hex(struct parser *p, const struct ynode *n, uint8_t *ret, size_t size);
/* The position of a word in its list; -1 after reporting. */
int parse_word(struct parser *p, const struct ynode *n, unsigned list);
bool parse_number(const char *s, uint32_t *ret);

/* Reports a required key that is missing. */
void require_key(struct parser *p, const struct keys *k, enum kw_id id);

/* The items of a list, or of one map where a list may be shortened; NULL and 0 when absent.
 * Reports lists of more than `max`. */
const struct ynode *take_items(struct parser *p, const struct keys *k, enum kw_id id, size_t max,
                               size_t *ret_count);

/* A reference to a session: text, or the keys session/session_hash/namespace. */
void take_ref(struct parser *p, const struct keys *k, enum kw_id session, enum kw_id hash,
              struct pol_ref *ret);
void parse_ref_text(struct parser *p, const struct ynode *n, struct pol_ref *ret);
void parse_exports(struct parser *p, const struct keys *k, enum kw_id id, size_t *ret_count,
                   struct pol_ref **ret);

void parse_secrets(struct parser *p, const struct keys *k);
void parse_volumes(struct parser *p, const struct keys *k);
void parse_services(struct parser *p, const struct keys *k);
void parse_images(struct parser *p, const struct keys *k);
void parse_access(struct parser *p, const struct keys *k);
void parse_creator(struct parser *p, const struct keys *k);
void parse_security(struct parser *p, const struct keys *k);

/* check.c: what only the whole session can tell. */
void check_session(struct parser *p);
