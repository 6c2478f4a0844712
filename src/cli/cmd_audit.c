/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "cas/audit.h"
#include "core/hex.h"

static int audit_verify_verb(int argc, char **argv, struct error **err)
{
    const char *expect_text = NULL;
    bool json = false;
    const struct arg_option options[] = {{"expect", 0, ARG_STRING, "HASH",
                                          "a hash printed earlier, which must still occur",
                                          &expect_text},
                                         {"json", 0, ARG_FLAG, NULL, "print JSON", &json},
                                         {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre audit verify",
        .synopsis = "[OPTIONS] FILE",
        .summary = "Check the hash chain of an audit log of CAS.",
        .options = options,
        .examples = "  nacre audit verify /var/lib/nacre/cas/audit.log\n"
                    "  nacre audit verify --expect \"$(cat last-hash)\" audit.log",
        .notes = "Exit code 3: the log was changed, or the expected hash does not occur.",
        .min_args = 1,
        .max_args = 1,
    };
    uint8_t expect[AUDIT_HASH_SIZE];
    struct audit_summary sum;
    char hex[2 * AUDIT_HASH_SIZE + 1];
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (expect_text != NULL &&
        hex_decode(expect, sizeof(expect), expect_text, strlen(expect_text)) < 0) {
        (void)error_set(err, EINVAL, "--expect wants 64 hex digits");
        return CLI_USAGE;
    }
    r = audit_verify(argv[0], expect_text != NULL ? expect : NULL, &sum, err);
    if (r < 0) {
        return r == -EBADMSG || r == -ENOKEY ? CLI_REFUSED : CLI_FAILED;
    }
    hex_encode(hex, sum.last_hash, sizeof(sum.last_hash));
    if (json) {
        printf("{\"lines\": %llu, \"last_hash\": \"%s\", \"incomplete_last_line\": %s}\n",
               (unsigned long long)sum.lines, hex, sum.torn ? "true" : "false");
    } else {
        printf("%s: %llu lines, unbroken; last hash %s%s\n", argv[0], (unsigned long long)sum.lines,
               hex, sum.torn ? " (an incomplete line follows: a crash, or CAS is writing)" : "");
    }
    return CLI_OK;
}

int cmd_audit(int argc, char **argv, struct error **err)
{
    const char *verb = argc > 1 ? argv[1] : NULL;

    if (verb != NULL && strcmp(verb, "verify") == 0) {
        return audit_verify_verb(argc - 1, argv + 1, err);
    }
    if (verb == NULL || strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
        fprintf(verb == NULL ? stderr : stdout,
                "Usage: nacre audit VERB [OPTIONS] [ARGUMENTS]\n\n"
                "Work with audit logs of CAS.\n\nVerbs:\n"
                "  verify      check the hash chain\n\n"
                "'nacre audit VERB --help' explains a verb, with examples.\n");
        return verb == NULL ? CLI_USAGE : CLI_OK;
    }
    (void)error_set(err, EINVAL, "there is no '%s' here; 'nacre audit --help' lists the verbs",
                    verb);
    return CLI_USAGE;
}
