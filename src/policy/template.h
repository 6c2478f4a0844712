/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Template variables of session documents: $NAME and ${NAME}.
 *
 * A variable that stands alone on its line is a hook for whole lines: its value is inserted as
 * text, each line indented as the variable is. That is how the pieces SECRETS, INJECTED_FILES and
 * ENVVARS get in. Everywhere else the value becomes part of the one YAML scalar the variable stands
 * in and can never change the structure around it. `$$` gives `$`; what `$$SCONE::…$$` encloses is
 * left alone; a `$` before anything but a name is itself. Values are not expanded again.
 */

#include "policy/arena.h"
#include "policy/diag.h"
#include "policy/document.h"

#define POL_VARIABLE_MAX ((size_t)256 * 1024) /* bytes of one value */

struct pol_variables {
    /* The value of `name` (`len` chars), or NULL when there is none. Borrowed until the parse ends.
     */
    const char *(*get)(void *ctx, const char *name, size_t len);
    void *ctx;
};

struct line_origin {
    uint32_t line;
    const char *variable; /* NULL: the template itself */
    uint32_t variable_line;
    uint32_t indent; /* characters put in front of a variable's line */
};

struct line_map {
    size_t count;
    struct line_origin *lines; /* of line i + 1 */
};

/* The mark of line and column (both from 1) of the expanded text. `map` may be NULL. */
struct pol_mark line_map_mark(const struct line_map *map, uint32_t line, uint32_t col);

/* Replaces the variables that stand alone on a line. Results live in `a`. Returns 0, -EINVAL with
 * errors in `d`, -ENOMEM. */
[[nodiscard]] int template_expand_lines(struct arena *a, const char *text, size_t size,
                                        const struct pol_variables *vars, struct pol_diags *d,
                                        const char **ret_text, size_t *ret_size,
                                        struct line_map *ret_map);

/* Replaces the variables in every scalar below `root`, in place. As above. */
[[nodiscard]] int template_expand_tree(struct arena *a, struct ynode *root,
                                       const struct pol_variables *vars, struct pol_diags *d);
