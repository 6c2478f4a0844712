/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Where the session of a conversion goes. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "cas/client.h"
#include "cli/convert_args.h"
#include "core/ct.h"
#include "core/hex.h"
#include "image/leftovers.h"
#include "policy/policy.h"

#define SESSION_HEAD POL_COMPLETE_MARK "# It holds the sealing key of the image: keep it secret.\n"

static void json_freep(json_t **j)
{
    json_decref(*j);
}
#define _cleanup_json_ _cleanup_(json_freep)

void convert_store_done(struct convert_store *s)
{
    free(s->path);
    free(s->aside);
    s->path = NULL;
    s->aside = NULL;
}

/* An older session file may be the only copy of another image's key. */
static int check_path(const struct convert_store *s, struct error **err)
{
    struct stat st;

    if (s->path != NULL && strcmp(s->path, "-") == 0) {
        return error_set(err, EINVAL,
                         "standard output is for the session's name; give "
                         "--session-out a file");
    }
    if (s->path != NULL && !s->a->force && lstat(s->path, &st) == 0) {
        return error_set(err, EEXIST,
                         "%s exists already, and may hold the only key of an image; name another "
                         "file with --session-out, or give --force",
                         s->path);
    }
    return 0;
}

int convert_store_prepare(struct convert_store *s, struct error **err)
{
    const char *slash = strrchr(s->full_name, '/');

    if (s->a->session_out != NULL) {
        s->path = strdup(s->a->session_out);
    } else if (s->a->cas == NULL &&
               asprintf(&s->path, "%s.session.yml", slash != NULL ? slash + 1 : s->full_name) < 0) {
        s->path = NULL;
    }
    if (s->path == NULL && (s->a->session_out != NULL || s->a->cas == NULL)) {
        return error_set_errno(err, ENOMEM, "preparing the session");
    }
    return check_path(s, err);
}

/* With --force the older file is kept as FILE.old, and comes back when the conversion fails. */
static int put_aside(struct convert_store *s, struct error **err)
{
    if (asprintf(&s->aside, "%s.old", s->path) < 0) {
        s->aside = NULL;
        return error_set_errno(err, ENOMEM, "writing %s", s->path);
    }
    if (rename(s->path, s->aside) == 0) {
        return 0;
    }
    free(s->aside);
    s->aside = NULL;
    return errno == ENOENT ? 0 : error_set_errno(err, errno, "keeping the older %s", s->path);
}

static int write_file(struct convert_store *s, const char *text, struct error **err)
{
    _cleanup_free_ char *whole = NULL;
    int r;

    if (asprintf(&whole, "%s%s", SESSION_HEAD, text) < 0) {
        whole = NULL;
        return error_set_errno(err, ENOMEM, "writing %s", s->path);
    }
    r = s->a->force ? put_aside(s, err) : 0;
    r = r < 0 ? r : fs_write_file_new(s->path, whole, strlen(whole), 0600, err);
    ct_wipe(whole, strlen(whole));
    s->written = r == 0;
    if (s->written) {
        img_leftover_add(s->path); /* until there is an image that needs it */
    }
    return r;
}

/* ---- CAS ------------------------------------------------------------------------------------ */

static int create_namespace(struct cas_client *c, const char *name, size_t size, struct error **err)
{
    _cleanup_error_ struct error *why = NULL;
    _cleanup_free_ char *text = NULL;
    int r;

    if (asprintf(&text,
                 "name: %.*s\nversion: \"0.3\"\naccess_policy:\n  read: [CREATOR]\n"
                 "  update: [CREATOR]\n  create_sessions: [CREATOR]\n",
                 (int)size, name) < 0) {
        text = NULL;
        return error_set_errno(err, ENOMEM, "creating the namespace");
    }
    r = cas_client_ask(c, "POST", "/v1/sessions", NULL, NULL, text, strlen(text), NULL, &why);
    if (r == -EEXIST) {
        fprintf(stderr, "namespace %.*s exists already\n", (int)size, name);
        return 0;
    }
    return r < 0 ? error_set(err, -r, "creating the namespace %.*s: %s", (int)size, name,
                             error_text(why))
                 : 0;
}

/* "a/b/c": a, then a/b, then a/b/c. */
static int create_namespaces(struct cas_client *c, const char *name, struct error **err)
{
    for (size_t n = strcspn(name, "/");; n += 1 + strcspn(name + n + 1, "/")) {
        int r = create_namespace(c, name, n, err);

        if (r < 0 || name[n] == '\0') {
            return r;
        }
    }
}

/* Sets the predecessor when CAS has a session of that name: a new conversion of the same image
 * replaces what the old one allowed. */
static int look_for_older(const struct convert_store *s, struct cas_client *c,
                          struct pol_session *session, struct error **err)
{
    _cleanup_json_ json_t *j = NULL;
    _cleanup_error_ struct error *why = NULL;
    const char *hex;
    int r = cas_client_ask(c, "GET", "/v1/sessions/", session->name, NULL, NULL, 0, &j, &why);

    if (r == -ENOENT || session->has_predecessor) {
        return 0;
    }
    if (r < 0) {
        return error_set(err, -r, "%s", error_text(why));
    }
    if (s->a->no_update) {
        return error_set(err, EEXIST, "CAS has a session %s already, and --no-update was given",
                         session->name);
    }
    hex = json_string_value(json_object_get(j, "hash"));
    if (hex == NULL ||
        hex_decode(session->predecessor.b, sizeof(session->predecessor.b), hex, strlen(hex)) < 0) {
        return error_set(err, EREMOTEIO, "CAS answers without a session hash");
    }
    session->has_predecessor = true;
    session->has_namespace_hash = false;
    fprintf(stderr,
            "CAS has a session %s: replacing it; images of the earlier conversion will not "
            "start any more\n",
            session->name);
    return 0;
}

static int upload(const struct convert_store *s, struct pol_session *session, struct error **err)
{
    const struct cas_client_options options = {
        .address = s->a->cas,
        .pin = s->a->cas_pin,
        .cacert = s->a->cas_cacert,
        .identity = s->a->identity,
    };
    _cleanup_client_ struct cas_client *c = NULL;
    char *text = NULL;
    int r = cas_client_new(&options, &c, err);

    if (r == 0 && s->a->create_namespace && s->namespace != NULL && s->namespace[0] != '\0') {
        r = create_namespaces(c, s->namespace, err);
    }
    r = r < 0 ? r : look_for_older(s, c, session, err);
    if (r == 0 && pol_print(session, 0, &text) < 0) {
        r = error_set_errno(err, ENOMEM, "printing the session");
    }
    if (r == 0) {
        r = cas_client_ask(c, "POST", "/v1/sessions", NULL, NULL, text, strlen(text), NULL, err);
    }
    if (text != NULL) {
        ct_wipe(text, strlen(text));
        free(text);
    }
    if (r < 0) {
        (void)error_wrap(err, "storing session %s on CAS", s->full_name);
    }
    return r;
}

int convert_store_session(void *ctx, const struct pol_session *given, struct error **err)
{
    struct convert_store *s = ctx;
    struct pol_session session = *given; /* gets a predecessor of its own */
    char *text = NULL;
    int r = 0;

    if (s->path != NULL) {
        if (pol_print(given, 0, &text) < 0) {
            return error_set_errno(err, ENOMEM, "printing the session");
        }
        r = write_file(s, text, err);
        ct_wipe(text, strlen(text));
        free(text);
    }
    if (r == 0 && s->a->cas != NULL) {
        r = upload(s, &session, err);
    }
    if (r == 0 && s->written) {
        /* The image gets its name now. A stop in between would take its session, and so its key. */
        img_leftovers_hold();
        s->held = true;
    }
    return r;
}

static void let_go(struct convert_store *s)
{
    if (s->held) {
        img_leftovers_release();
        s->held = false;
    }
}

void convert_store_keep(struct convert_store *s)
{
    if (s->written) {
        img_leftover_drop(s->path);
    }
    let_go(s);
    if (s->aside != NULL) {
        fprintf(stderr, "the session that was in %s is in %s now\n", s->path, s->aside);
    }
}

void convert_store_undo(struct convert_store *s)
{
    if (s->written) {
        (void)unlink(s->path);
    }
    if (s->aside != NULL) {
        (void)rename(s->aside, s->path);
    }
    let_go(s);
}
