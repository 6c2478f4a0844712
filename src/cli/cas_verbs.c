/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cas_verbs.h"

#include <stdio.h>
#include <string.h>

int cas_exit(int r)
{
    return r == 0 ? CLI_OK : r == -EKEYREJECTED || r == -EACCES ? CLI_REFUSED : CLI_FAILED;
}

const char *cas_text(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));

    return s != NULL ? s : "";
}
