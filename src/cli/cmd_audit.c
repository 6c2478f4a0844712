/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
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

/* ---- show ---- */

struct show {
    const char *event;
    const char *session;
    uint64_t last;
    bool denied;
    bool json;
    char **kept; /* the last lines that matched; a ring of `last`, or all */
    size_t count;
    size_t cap;
};

static void show_free(struct show *s)
{
    for (size_t i = 0; i < s->cap && s->kept != NULL; i++) {
        free(s->kept[i]);
    }
    free(s->kept);
}

static bool field_is(const json_t *line, const char *name, const char *want)
{
    const char *have = json_string_value(json_object_get(line, name));

    return want == NULL || (have != NULL && strcmp(have, want) == 0);
}

/* "denied" and "provision.denied". */
static bool is_denial(const json_t *line)
{
    const char *event = json_string_value(json_object_get(line, "event"));
    const char *dot = event == NULL ? NULL : strrchr(event, '.');

    return event != NULL && strcmp(dot == NULL ? event : dot + 1, "denied") == 0;
}

static bool matches(const struct show *s, const json_t *line)
{
    return field_is(line, "session", s->session) && field_is(line, "event", s->event) &&
           (!s->denied || is_denial(line));
}

static int keep(struct show *s, const char *text)
{
    char *copy;
    size_t at = s->count;

    if (s->last != 0) {
        at %= (size_t)s->last;
    }
    if (at >= s->cap) {
        const size_t cap = s->cap == 0 ? 64 : 2 * s->cap;
        char **kept = reallocarray(s->kept, cap, sizeof(*kept));

        if (kept == NULL) {
            return -ENOMEM;
        }
        memset(kept + s->cap, 0, (cap - s->cap) * sizeof(*kept));
        s->kept = kept;
        s->cap = cap;
    }
    copy = strdup(text);
    if (copy == NULL) {
        return -ENOMEM;
    }
    free(s->kept[at]);
    s->kept[at] = copy;
    s->count++;
    return 0;
}

/* Control bytes of a foreign log do not reach the terminal. */
static void print_text(const char *text)
{
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;

        (void)(c >= ' ' && c != 0x7f ? putchar(c) : printf("\\x%02x", c));
    }
}

static void print_line(const char *text)
{
    static const char *const head[] = {"time", "event", "session", "service", "what", "peer"};
    json_t *line = json_loads(text, 0, NULL);
    const char *reason = json_string_value(json_object_get(line, "reason"));
    bool first = true;

    for (size_t i = 0; i < ARRAY_COUNT(head); i++) {
        const char *value = json_string_value(json_object_get(line, head[i]));

        if (value != NULL) {
            fputs(first ? "" : "  ", stdout);
            print_text(value);
            first = false;
        }
    }
    if (reason != NULL) {
        fputs("\n    ", stdout);
        print_text(reason);
    }
    putchar('\n');
    json_decref(line);
}

static int read_log(struct show *s, FILE *f, const char *path, struct error **err)
{
    _cleanup_free_ char *text = NULL;
    size_t cap = 0;
    size_t number = 0;
    ssize_t n;
    int r = 0;

    while (r == 0 && (n = getline(&text, &cap, f)) > 0) {
        json_t *line;

        if (text[n - 1] != '\n') {
            break; /* being written */
        }
        text[n - 1] = '\0';
        number++;
        line = json_loads(text, 0, NULL);
        if (!json_is_object(line)) {
            r = error_set(err, EBADMSG, "%s: line %zu is no audit record", path, number);
        } else if (matches(s, line)) {
            r = keep(s, text);
            r = r < 0 ? error_set_errno(err, -r, "%s", path) : 0;
        }
        json_decref(line);
    }
    return r;
}

static int audit_show_verb(int argc, char **argv, struct error **err)
{
    _cleanup_(show_free) struct show s = {0};
    const struct arg_option options[] = {
        {"denied", 0, ARG_FLAG, NULL, "only what was refused, with the reason", &s.denied},
        {"event", 0, ARG_STRING, "EVENT", "only these (provision, session.update, ...)", &s.event},
        {"session", 0, ARG_STRING, "NAME", "only about this session", &s.session},
        {"last", 'n', ARG_U64, "N", "only the last N of them", &s.last},
        {"json", 0, ARG_FLAG, NULL, "print the lines as they are", &s.json},
        {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre audit show",
        .synopsis = "[OPTIONS] FILE",
        .summary = "Print an audit log of CAS for people.",
        .options = options,
        .examples = "  nacre audit show --denied --last 5 /var/lib/nacre/cas/audit.log\n"
                    "  nacre audit show --session shop/backend audit.log",
        .notes = "Says what the file says; nacre audit verify checks that nobody changed it.",
        .min_args = 1,
        .max_args = 1,
    };
    size_t count;
    FILE *f;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    f = fopen(argv[0], "re");
    if (f == NULL) {
        (void)error_set_errno(err, errno, "%s", argv[0]);
        return CLI_FAILED;
    }
    r = read_log(&s, f, argv[0], err);
    (void)fclose(f);
    for (size_t i = s.last != 0 && s.count > s.last ? s.count - (size_t)s.last : 0;
         r == 0 && i < s.count; i++) {
        const char *text = s.kept[s.last != 0 ? i % (size_t)s.last : i];

        if (s.json) {
            puts(text);
        } else {
            print_line(text);
        }
    }
    return r < 0 ? CLI_FAILED : CLI_OK;
}

static const struct cli_verb verbs[] = {
    {"show", audit_show_verb, "print it for people"},
    {"verify", audit_verify_verb, "check the hash chain"},
};

int cmd_audit(int argc, char **argv, struct error **err)
{
    return cli_verbs_run("audit", "Work with audit logs of CAS.", verbs, ARRAY_COUNT(verbs), argc,
                         argv, err);
}
