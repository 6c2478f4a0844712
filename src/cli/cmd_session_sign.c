/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* nacre session: agreeing to what somebody else sends, and sending what others agreed to. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "cas/signatures.h"
#include "cli/session_verbs.h"
#include "core/ct.h"
#include "core/hex.h"

#define CO_SIGN_MAX   ((size_t)64 * 1024)
#define CO_SIGN_NOW_S 600

int session_current_hash(struct cas_client *c, const char *name, struct pol_hash *ret,
                         struct error **err)
{
    _cleanup_json_ json_t *j = NULL;
    const char *hex;
    int r = cas_client_ask(c, "GET", "/v1/sessions/", name, NULL, NULL, 0, &j, err);

    if (r < 0) {
        return r;
    }
    hex = cas_text(j, "hash");
    if (hex_decode(ret->b, sizeof(ret->b), hex, strlen(hex)) < 0) {
        return error_set(err, EREMOTEIO, "CAS answers without a session hash");
    }
    return 0;
}

/* What is signed. It points to what the caller has; the key of CAS is the one this client knows. */
struct request {
    struct signed_request signed_part;
    struct http_param hash;
    uint8_t key[32];
};

static int make_request(struct session_call *c, const char *method, const char *path,
                        const char *body, const char *hash, struct request *ret, struct error **err)
{
    int r = 0;

    if (!cas_client_peer(c->cas, ret->key)) {
        r = cas_client_ask(c->cas, "GET", "/v1/health/live", NULL, NULL, NULL, 0, NULL, err);
    }
    if (r == 0 && !cas_client_peer(c->cas, ret->key)) {
        r = error_set(err, EOPNOTSUPP, "this libcurl does not tell which key the server has");
    }
    ret->hash = (struct http_param){.name = "hash", .value = hash};
    ret->signed_part = (struct signed_request){
        .cas_key = ret->key,
        .method = method,
        .path = path,
        .query = &ret->hash,
        .query_count = hash != NULL,
        .body = body,
        .size = body != NULL ? strlen(body) : 0,
    };
    return r;
}

/* ---- --co-sign ------------------------------------------------------------------------------ */

/* A private key that signs now, or what 'session sign' printed. */
static int co_sign_one(struct session_call *c, const struct request *req, const char *path,
                       struct error **err)
{
    _cleanup_secret_ struct secret *file = NULL;
    _cleanup_free_ char *value = NULL;
    int r = secret_read_file(path, CO_SIGN_MAX, &file, err);

    if (r < 0) {
        return r;
    }
    if (strstr((const char *)file->data, "PRIVATE KEY-----") != NULL) {
        r = signature_make(&req->signed_part, (const char *)file->data, file->size,
                           (int64_t)time(NULL) + CO_SIGN_NOW_S, &value, err);
    } else {
        value = strndup((const char *)file->data, strcspn((const char *)file->data, "\r\n"));
        r = value != NULL ? 0 : error_set_errno(err, ENOMEM, "signing");
    }
    if (r < 0) {
        (void)error_wrap(err, "--co-sign %s", path);
        return r;
    }
    return cas_client_add_signature(c->cas, value, err);
}

int session_co_sign(struct session_call *c, const char *method, const char *path, const char *body,
                    const char *hash, struct error **err)
{
    struct request req = {0};
    int r = c->co_sign.count > 0 ? make_request(c, method, path, body, hash, &req, err) : 0;

    for (size_t i = 0; i < c->co_sign.count && r == 0; i++) {
        r = co_sign_one(c, &req, c->co_sign.values[i], err);
    }
    return r;
}

/* ---- sign ----------------------------------------------------------------------------------- */

static int print_signature(struct session_call *c, const struct request *req, struct error **err)
{
    _cleanup_secret_ struct secret *pem = NULL;
    _cleanup_free_ char *value = NULL;
    int r = secret_read_file(cas_client_identity(c->cas), CO_SIGN_MAX, &pem, err);

    r = r < 0 ? r
              : signature_make(&req->signed_part, (const char *)pem->data, pem->size,
                               (int64_t)time(NULL) + (int64_t)c->valid_hours * 3600, &value, err);
    if (r == 0) {
        printf("%s\n", value);
    }
    return r;
}

/* The document as the successor of what CAS has now. */
static int sign_document(struct session_call *c, struct error **err)
{
    struct pol_session *s = c->session;
    struct request req = {0};
    char *text = NULL;
    int r = 0;

    if (!s->has_predecessor) {
        r = session_current_hash(c->cas, s->name, &s->predecessor, err);
        s->has_predecessor = r == 0;
        s->has_namespace_hash = s->has_namespace_hash && r != 0;
        if (r == -ENOENT) {
            *err = error_free(*err);
            r = 0; /* it is new */
        }
    }
    if (r == 0 && pol_print(s, 0, &text) < 0) {
        r = error_set_errno(err, ENOMEM, "printing the session");
    }
    r = r < 0 ? r : make_request(c, "POST", "/v1/sessions", text, NULL, &req, err);
    r = r < 0 ? r : print_signature(c, &req, err);
    if (text != NULL) {
        ct_wipe(text, strlen(text));
        free(text);
    }
    return r;
}

static int sign_deletion(struct session_call *c, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    char hex[2 * POL_HASH_SIZE + 1];
    struct request req = {0};
    struct pol_hash now;
    int r = session_current_hash(c->cas, c->args[0], &now, err);

    if (r < 0) {
        return r;
    }
    hex_encode(hex, now.b, sizeof(now.b));
    if (asprintf(&path, "/v1/sessions/%s", c->args[0]) < 0) {
        path = NULL;
        return error_set_errno(err, ENOMEM, "signing");
    }
    r = make_request(c, "DELETE", path, NULL, hex, &req, err);
    return r < 0 ? r : print_signature(c, &req, err);
}

static int sign(struct session_call *c, struct error **err)
{
    if (c->valid_hours < 1 || c->valid_hours > 31 * 24) {
        (void)error_set(err, EINVAL, "--hours wants 1 to %d", 31 * 24);
        return CLI_USAGE;
    }
    return c->deletion ? sign_deletion(c, err) : sign_document(c, err);
}

int session_sign(int argc, char **argv, struct error **err)
{
    struct session_call c = {.valid_hours = 24};
    const struct arg_option options[] = {
        CLIENT_OPTIONS(c.client),
        VARIABLE_OPTIONS(c),
        {"delete", 0, ARG_FLAG, NULL, "agree that the session of this name is deleted",
         &c.deletion},
        {"hours", 0, ARG_U64, "N", "how long the signature holds (default 24, at most 744)",
         &c.valid_hours},
        {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre session sign",
        .synopsis = "[OPTIONS] FILE | --delete NAME",
        .summary = "Agree to a change of a session that somebody else will send: prints a "
                   "signature.",
        .options = options,
        .examples = "  nacre session sign --identity alice.pem session.yml > alice.sig\n"
                    "  nacre session update --co-sign alice.sig --co-sign bob.sig session.yml\n"
                    "  nacre session sign --identity alice.pem --delete shop/backend > alice.sig\n"
                    "  nacre session delete --co-sign alice.sig --co-sign bob.sig shop/backend",
        .notes = "For sessions whose access_policy wants 'signer', 'require-all' or "
                 "'require-at-least-N'. The\nsignature is over this document as the successor of "
                 "what CAS has now, or over the deletion of\nthat version, for this CAS alone.",
        .min_args = 1,
        .max_args = 1,
    };

    return session_run(&spec, SESSION_DOCUMENT | SESSION_CAS, sign, &c, argc, argv, err);
}
