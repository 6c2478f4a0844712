/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "policy/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Foreign text goes into messages: keep terminals safe from its control characters. */
static void make_printable(char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) {
            *s = '?';
        }
    }
}

static bool is_before(const struct pol_diag *a, const struct pol_diag *b)
{
    if (a->mark.line != b->mark.line) {
        return a->mark.line < b->mark.line;
    }
    if (a->mark.variable_line != b->mark.variable_line) {
        return a->mark.variable_line < b->mark.variable_line;
    }
    return a->mark.col < b->mark.col;
}

_printf_(4, 0) static void add(struct pol_diags *d, struct pol_mark mark, bool warning,
                               const char *fmt, va_list ap)
{
    char text[POL_DIAG_TEXT_MAX];
    struct pol_diag item = {.mark = mark, .warning = warning};
    size_t at;

    d->errors += !warning;
    d->warnings += warning;
    if (d->count == POL_DIAGS_MAX) {
        d->truncated = true;
        return;
    }
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    make_printable(text);
    item.text = strdup(text);
    item.variable = mark.variable != NULL ? strdup(mark.variable) : NULL;
    item.mark.variable = item.variable;
    for (at = d->count; at > 0 && is_before(&item, &d->items[at - 1]); at--) {
        d->items[at] = d->items[at - 1];
    }
    d->items[at] = item;
    d->count++;
}

void pol_diag_error(struct pol_diags *d, struct pol_mark mark, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(d, mark, /*warning=*/false, fmt, ap);
    va_end(ap);
}

void pol_diag_warning(struct pol_diags *d, struct pol_mark mark, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(d, mark, /*warning=*/true, fmt, ap);
    va_end(ap);
}

static int format_mark(const struct pol_mark *m, char *buf, size_t size)
{
    if (m->line == 0) {
        buf[0] = '\0';
        return 0;
    }
    if (m->variable != NULL) {
        return snprintf(buf, size, "%u: in $%s, line %u column %u: ", m->line, m->variable,
                        m->variable_line, m->col);
    }
    return snprintf(buf, size, "%u:%u: ", m->line, m->col);
}

void pol_diags_print(const struct pol_diags *d, const char *file, FILE *out)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct pol_diag *item = &d->items[i];
        char where[160];

        (void)format_mark(&item->mark, where, sizeof(where));
        fprintf(out, "%s:%s%s%s: %s\n", file, where[0] != '\0' ? "" : " ", where,
                item->warning ? "warning" : "error",
                item->text != NULL ? item->text : "out of memory");
    }
    if (d->truncated) {
        fprintf(out, "%s: more follows; only the first %d are shown\n", file, POL_DIAGS_MAX);
    }
}

void pol_diags_first(const struct pol_diags *d, char *buf, size_t size)
{
    buf[0] = '\0';
    for (size_t i = 0; i < d->count; i++) {
        const struct pol_diag *item = &d->items[i];
        char where[160];

        if (!item->warning) {
            (void)format_mark(&item->mark, where, sizeof(where));
            (void)snprintf(buf, size, "%s%s", where,
                           item->text != NULL ? item->text : "out of memory");
            return;
        }
    }
}

void pol_diags_clear(struct pol_diags *d)
{
    for (size_t i = 0; i < d->count; i++) {
        free(d->items[i].text);
        free(d->items[i].variable);
    }
    *d = (struct pol_diags){0};
}
