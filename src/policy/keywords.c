/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "policy/keywords.h"

#include <string.h>

#include "base/args.h"

#define NACRE KW_NACRE

const struct keyword keywords[KW_COUNT] = {
#define X(scope, id, key, shape, ref, since, refused, summary) \
    {SCOPE_##scope, key, SHAPE_##shape, SCOPE_##ref, since, refused, summary},
#include "policy/keywords.tbl.h"
#undef X
};

static const struct kw_word words[] = {
#define X(list, id, word, refused) {SCOPE_##list, word, refused},
#include "policy/words.tbl.h"
#undef X
};

static const char at_least_prefix[] = "require-at-least-";

const struct keyword *keyword_find(enum kw_scope scope, const char *key)
{
    if (scope == SCOPE_ENTITY && strncmp(key, at_least_prefix, strlen(at_least_prefix)) == 0) {
        return &keywords[KW_ENTITY_require_at_least];
    }
    for (size_t i = 0; i < KW_COUNT; i++) {
        if (keywords[i].scope == scope && strcmp(keywords[i].key, key) == 0) {
            return &keywords[i];
        }
    }
    return NULL;
}

/* Far words are no help: at most a quarter of the letters may differ, and two at least may. */
static size_t distance_limit(const char *word)
{
    return MAX(strlen(word) / 4, (size_t)2) + 1;
}

const char *keyword_nearest(enum kw_scope scope, const char *key)
{
    const char *best = NULL;
    size_t limit = distance_limit(key);

    for (size_t i = 0; i < KW_COUNT; i++) {
        if (keywords[i].scope == scope && keywords[i].refused == NULL) {
            const size_t d = args_word_distance(key, keywords[i].key);

            if (d < limit) {
                limit = d;
                best = keywords[i].key;
            }
        }
    }
    return best;
}

enum kw_scope keyword_elsewhere(enum kw_scope not_in, const char *key)
{
    for (size_t i = 0; i < KW_COUNT; i++) {
        if (keywords[i].scope != not_in && keywords[i].refused == NULL &&
            strcmp(keywords[i].key, key) == 0) {
            return keywords[i].scope;
        }
    }
    return SCOPE_NONE;
}

const char *scope_name(enum kw_scope scope)
{
    static const char *const names[SCOPE_COUNT] = {
        [SCOPE_NONE] = "nothing",
        [SCOPE_SESSION] = "the session",
        [SCOPE_SERVICE] = "a service",
        [SCOPE_ATTEST] = "a service's attestation",
        [SCOPE_SIGNER] = "attestation.signer",
        [SCOPE_IMAGE] = "an image",
        [SCOPE_MOUNT] = "an image's volume",
        [SCOPE_FILE] = "an injection file",
        [SCOPE_VOLUME] = "a volume",
        [SCOPE_VOLUME_EXPORT] = "a volume's export",
        [SCOPE_VOLUME_IMPORT] = "a volume's import",
        [SCOPE_SECRET] = "a secret",
        [SCOPE_EXPORT] = "an export",
        [SCOPE_IMPORT] = "a secret's import",
        [SCOPE_ACCESS] = "access_policy",
        [SCOPE_ENTITY] = "a list of access_policy",
        [SCOPE_SECURITY] = "security",
        [SCOPE_SECURITY_ATTEST] = "security.attestation",
    };

    return (size_t)scope < SCOPE_COUNT ? names[scope] : "nothing";
}

static const struct {
    unsigned forms;
    const char *words;
} shapes[] = {
#define X(shape, forms, words) {forms, words},
    KW_SHAPES(X)
#undef X
};

const char *shape_words(enum kw_shape shape)
{
    return shapes[shape].words;
}

unsigned shape_forms(enum kw_shape shape)
{
    return shapes[shape].forms;
}

int word_find(unsigned list, const char *word)
{
    int position = 0;

    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (words[i].list == list) {
            if (strcmp(words[i].word, word) == 0) {
                return position;
            }
            position++;
        }
    }
    return -ENOENT;
}

const struct kw_word *word_at(unsigned list, size_t position)
{
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (words[i].list == list && position-- == 0) {
            return &words[i];
        }
    }
    return NULL;
}

const char *word_nearest(unsigned list, const char *word)
{
    const char *best = NULL;
    size_t limit = distance_limit(word);

    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (words[i].list == list && words[i].refused == NULL) {
            const size_t d = args_word_distance(word, words[i].word);

            if (d < limit) {
                limit = d;
                best = words[i].word;
            }
        }
    }
    return best;
}
