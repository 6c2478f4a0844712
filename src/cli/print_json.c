/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/print_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int cli_print_json(json_t *j, struct error **err)
{
    char *text = j == NULL ? NULL : json_dumps(j, JSON_INDENT(2));

    json_decref(j);
    if (text == NULL) {
        return error_set_errno(err, ENOMEM, "printing JSON");
    }
    printf("%s\n", text);
    free(text);
    return 0;
}
