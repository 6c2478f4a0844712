/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Whatever record_parse accepts can be walked: every string ends inside, every count is met. */

#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "libos/attest/record.h"

static void walk(const struct record *r)
{
    struct cursor c = r->args;
    struct record_volume v;
    struct record_file f;
    const char *s;
    size_t n = 0;

    for (; record_next_string(&c, &s) > 0; n++) {
        (void)strlen(s);
    }
    c = r->env;
    for (; record_next_string(&c, &s) > 0; n++) {
        if (strchr(s, '=') == NULL) {
            abort();
        }
    }
    if (n != r->arg_count + r->env_count) {
        abort();
    }
    c = r->volumes;
    for (n = 0; record_next_volume(&c, &v) > 0; n++) {
        if (v.path[0] != '/' || v.name[0] == '\0') {
            abort();
        }
    }
    c = r->files;
    for (; record_next_file(&c, &f) > 0; n++) {
        if (f.path[0] != '/' || f.path[1] == '\0' || (f.mode & ~07777u) != 0) {
            abort();
        }
    }
    if (n != r->volume_count + r->file_count || r->pwd == NULL || r->arg_count == 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *what = NULL;
    struct record r;

    if (record_parse(data, size, &r, &what) == 0) {
        walk(&r);
    } else if (what == NULL) {
        abort();
    }
    return 0;
}
