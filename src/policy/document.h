/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * YAML text → tree with marks. The only file that knows libyaml is document.c. What a session
 * document does not need is refused here: several documents, tags, merge keys, complex keys,
 * duplicate keys, NUL characters, encodings other than UTF-8.
 */

#include "policy/arena.h"
#include "policy/diag.h"

#define POL_TEXT_MAX   ((size_t)1024 * 1024) /* bytes of a document, template variables expanded */
#define POL_DEPTH_MAX  24                    /* nesting of maps and lists */
#define POL_NODES_MAX  ((size_t)65536)       /* nodes, aliases expanded */
#define POL_PAIRS_MAX  1024                  /* keys of one map */
#define POL_SCALAR_MAX ((size_t)256 * 1024)  /* bytes of one value */
#define POL_ANCHOR_MAX 64                    /* anchors of a document */

enum ynode_kind {
    YNODE_SCALAR,
    YNODE_MAP,
    YNODE_LIST,
};

struct ynode {
    enum ynode_kind kind;
    bool plain; /* a scalar without quotes: ~, null, true, 5 have meaning */
    struct pol_mark mark;
    const char *text; /* scalars: NUL-terminated, holds no other NUL */
    size_t len;
    size_t count;        /* children: items of a list, pairs of a map */
    struct ynode *first; /* items, or the keys of a map */
    struct ynode *last;
    struct ynode *next;
    struct ynode *value; /* of a key */
};

/* Where the lines of `text` came from (template.h); NULL: they are their own. */
struct line_map;

/* *ret_root lives in `a`. Returns 0, -EINVAL with at least one error in `d`, or -ENOMEM. */
[[nodiscard]] int yaml_parse(struct arena *a, const char *text, size_t size,
                             const struct line_map *lines, struct pol_diags *d,
                             struct ynode **ret_root);
