/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The tables keywords.tbl.h and words.tbl.h as data. */

#include "core/types.h"

enum kw_scope {
    SCOPE_NONE,
    SCOPE_SESSION,
    SCOPE_SERVICE,
    SCOPE_ATTEST,
    SCOPE_SIGNER,
    SCOPE_IMAGE,
    SCOPE_MOUNT,
    SCOPE_FILE,
    SCOPE_VOLUME,
    SCOPE_VOLUME_EXPORT,
    SCOPE_VOLUME_IMPORT,
    SCOPE_SECRET,
    SCOPE_EXPORT,
    SCOPE_IMPORT,
    SCOPE_ACCESS,
    SCOPE_ENTITY,
    SCOPE_SECURITY,
    SCOPE_SECURITY_ATTEST,
    SCOPE_COUNT,
    /* Word lists share the ref column, so they share the numbers. */
    SCOPE_FSPF_UPDATE = SCOPE_COUNT,
    SCOPE_PERSISTENCY,
    SCOPE_VOLUME_UPDATE,
    SCOPE_VOLUME_FILES,
    SCOPE_SECRET_KIND,
    SCOPE_KEY_TYPE,
    SCOPE_ENDPOINT,
    SCOPE_ATTEST_MODE,
    SCOPE_TOLERATE,
    SCOPE_WORDS_END,
};

/* X(shape, YAML forms bit mask, in words) */
#define SHAPE_SCALAR  1u
#define SHAPE_IS_MAP  2u
#define SHAPE_IS_LIST 4u

#define KW_SHAPES(X)                                                                        \
    X(ANY, SHAPE_SCALAR | SHAPE_IS_MAP | SHAPE_IS_LIST, "anything")                         \
    X(TEXT, SHAPE_SCALAR, "a text")                                                         \
    X(TEXTS, SHAPE_SCALAR | SHAPE_IS_LIST, "a text or a list of texts")                     \
    X(NAME, SHAPE_SCALAR, "a name")                                                         \
    X(SESSION_NAME, SHAPE_SCALAR, "a session name")                                         \
    X(SESSION_REF, SHAPE_SCALAR, "a session name, absolute or beginning with ./ or ../")    \
    X(BOOL, SHAPE_SCALAR, "true or false")                                                  \
    X(FALSE_ONLY, SHAPE_SCALAR, "false")                                                    \
    X(UINT16, SHAPE_SCALAR, "a number from 0 to 65535")                                     \
    X(UINT32, SHAPE_SCALAR, "a number from 0 to 4294967295")                                \
    X(SIZE, SHAPE_SCALAR, "a number from 1 to 65536")                                       \
    X(MODE, SHAPE_SCALAR, "permission bits such as 0o400")                                  \
    X(DURATION, SHAPE_SCALAR, "a duration such as 90 days, 12h or 1 year")                  \
    X(HEX16, SHAPE_SCALAR, "32 hex digits")                                                 \
    X(HEX32, SHAPE_SCALAR, "64 hex digits")                                                 \
    X(HEX32_OR_NULL, SHAPE_SCALAR, "64 hex digits or ~")                                    \
    X(HEX32S, SHAPE_SCALAR | SHAPE_IS_LIST, "64 hex digits or a list of such")              \
    X(KEY32, SHAPE_SCALAR, "64 hex digits or $$SCONE::name$$ of a binary secret")           \
    X(PLATFORMS, SHAPE_IS_LIST, "a list of INTEL_QE_ID:<32 hex digits>")                    \
    X(COMMAND, SHAPE_SCALAR | SHAPE_IS_LIST, "a command line as a text or a list of texts") \
    X(ENV, SHAPE_IS_MAP, "a map of names to values")                                        \
    X(ADVISORIES, SHAPE_SCALAR | SHAPE_IS_LIST, "\"*\" or a list such as [INTEL-SA-00161]") \
    X(CREATOR, SHAPE_SCALAR | SHAPE_IS_MAP, "a certificate (PEM), a key name or signer: …") \
    X(ENUM, SHAPE_SCALAR, "one of its words")                                               \
    X(ENUMS, SHAPE_SCALAR | SHAPE_IS_LIST, "a list of words")                               \
    X(MAP, SHAPE_IS_MAP, "a map")                                                           \
    X(LIST, SHAPE_IS_LIST, "a list")                                                        \
    X(MAP_OR_LIST, SHAPE_IS_MAP | SHAPE_IS_LIST, "a map or a list of maps")                 \
    X(EXPORTS, SHAPE_SCALAR | SHAPE_IS_MAP | SHAPE_IS_LIST,                                 \
      "a session name, a map with 'session', or a list of those")                           \
    X(RULES, SHAPE_SCALAR | SHAPE_IS_LIST,                                                  \
      "CREATOR, ANY, NONE, or a list of certificates, key names and signers")

enum kw_shape {
#define X(shape, forms, words) SHAPE_##shape,
    KW_SHAPES(X)
#undef X
};

#define KW_NACRE 255u /* `since` of keys SCONE does not have */

enum kw_id {
#define X(scope, id, key, shape, ref, since, refused, summary) KW_##scope##_##id,
#include "policy/keywords.tbl.h"
#undef X
    KW_COUNT,
};

struct keyword {
    enum kw_scope scope;
    const char *key;
    enum kw_shape shape;
    unsigned ref; /* enum kw_scope: a scope or a word list */
    unsigned since;
    const char *refused;
    const char *summary;
};

extern const struct keyword keywords[KW_COUNT];

struct kw_word {
    unsigned list; /* SCOPE_… of a word list */
    const char *word;
    const char *refused;
};

/* The keyword of `scope` spelled `key`; NULL. require-at-least-2 finds require-at-least-N. */
const struct keyword *keyword_find(enum kw_scope scope, const char *key);

/* For "did you mean": the nearest key of the scope, or NULL. */
const char *keyword_nearest(enum kw_scope scope, const char *key);

/* A scope that knows this key although `not_in` does not; SCOPE_NONE. */
enum kw_scope keyword_elsewhere(enum kw_scope not_in, const char *key);

/* "service", "secret": what a scope's map is, for messages. */
const char *scope_name(enum kw_scope scope);

/* What the value must look like, in words. */
const char *shape_words(enum kw_shape shape);
unsigned shape_forms(enum kw_shape shape);

/* Word lists: the position of `word` in `list`, or -ENOENT. */
[[nodiscard]] int word_find(unsigned list, const char *word);
/* By position; NULL behind the last. */
const struct kw_word *word_at(unsigned list, size_t position);
/* The nearest accepted word, or NULL. */
const char *word_nearest(unsigned list, const char *word);
