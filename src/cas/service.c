/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/snapshot.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "core/ct.h"
#include "core/hex.h"
#include "policy/text.h"

static int64_t system_now(void)
{
    return (int64_t)time(NULL);
}

int cas_new(const struct cas_options *options, struct cas **ret, struct error **err)
{
    struct cas *c = calloc(1, sizeof(*c));

    if (c == NULL || snapshots_new(&c->snapshots) < 0 ||
        pthread_mutex_init(&c->store_lock, NULL) != 0 ||
        pthread_mutex_init(&c->write_lock, NULL) != 0) {
        if (c != NULL) {
            snapshots_free(c->snapshots);
        }
        free(c);
        return error_set_errno(err, ENOMEM, "starting");
    }
    c->store = options->store;
    c->audit = options->audit;
    c->now = options->now != NULL ? options->now : system_now;
    *ret = c;
    return 0;
}

struct cas *cas_free(struct cas *c)
{
    if (c != NULL) {
        snapshots_free(c->snapshots);
        c->store->ops->close(c->store);
        (void)audit_close(c->audit);
        (void)pthread_mutex_destroy(&c->store_lock);
        (void)pthread_mutex_destroy(&c->write_lock);
        free(c);
    }
    return NULL;
}

/* ---- log ------------------------------------------------------------------------------------ */

json_t *cas_log_fields(const struct cas_caller *who, const char *session, const uint8_t *hash)
{
    char key[KEY_ID_TEXT_MAX];
    char hex[2 * POL_HASH_SIZE + 1];
    json_t *j = json_object();

    if (session != NULL) {
        (void)json_object_set_new(j, "session", json_string(session));
    }
    if (hash != NULL) {
        hex_encode(hex, hash, POL_HASH_SIZE);
        (void)json_object_set_new(j, "session_hash", json_string(hex));
    }
    if (who->policy.has_key) {
        key_id_print(KEY_ID_VERSION_KEY, who->policy.key.b, key);
        (void)json_object_set_new(j, "caller", json_string(key));
    }
    if (who->policy.signer_count > 0) {
        json_t *list = json_array();

        for (size_t i = 0; i < who->policy.signer_count; i++) {
            key_id_print(who->policy.signers[i].version, who->policy.signers[i].id.b, key);
            (void)json_array_append_new(list, json_string(key));
        }
        (void)json_object_set_new(j, "signers", list);
    }
    if (who->peer != NULL) {
        (void)json_object_set_new(j, "peer", json_string(who->peer));
    }
    return j;
}

int cas_note(struct cas *c, const char *event, json_t *fields, struct error **err)
{
    return audit_append(c->audit, c->now(), event, fields, err);
}

void cas_audit_last(struct cas *c, uint64_t *ret_seq, uint8_t ret_hash[static AUDIT_HASH_SIZE])
{
    audit_last(c->audit, ret_seq, ret_hash);
}

/* A refusal is logged with its reason; when even that fails the refusal stands all the same. */
int cas_deny(struct cas *c, const struct cas_caller *who, const char *what, const char *session,
             int r, struct error **err)
{
    _cleanup_error_ struct error *lost = NULL;
    json_t *fields = cas_log_fields(who, session, NULL);

    __atomic_add_fetch(&c->counters.denied, 1, __ATOMIC_RELAXED);
    (void)json_object_set_new(fields, "what", json_string(what));
    (void)json_object_set_new(fields, "reason",
                              json_string(err != NULL && *err != NULL ? error_text(*err) : ""));
    (void)cas_note(c, "denied", fields, &lost);
    return r;
}

/* ---- loading -------------------------------------------------------------------------------- */

/* Parses what the store gave and checks it against its hash. */
static int parse_row(struct cas_loaded *l, const char *name, struct error **err)
{
    uint8_t is[POL_HASH_SIZE];
    int r = pol_parse_text((const char *)l->row.document.p, l->row.document.size, &l->session, err);

    if (r < 0) {
        (void)error_wrap(err, "the stored session %s", name);
        return r == -ENOMEM ? r : -EBADMSG;
    }
    r = pol_hash(l->session, is);
    if (r < 0) {
        return error_set_errno(err, -r, "reading session %s", name);
    }
    if (!ct_equal(is, l->row.hash, sizeof(is)) || strcmp(l->session->name, name) != 0) {
        return error_set(err, EBADMSG, "the stored session %s is not what its hash says", name);
    }
    return 0;
}

int cas_load(struct cas *c, const char *name, const uint8_t *hash, struct cas_loaded *ret,
             struct error **err)
{
    _cleanup_(cas_loaded_clear) struct cas_loaded out = {0};
    int r;

    (void)pthread_mutex_lock(&c->store_lock);
    r = c->store->ops->get(c->store, name, hash, &out.row, err);
    (void)pthread_mutex_unlock(&c->store_lock);
    if (r == 0) {
        r = parse_row(&out, name, err);
    }
    if (r < 0) {
        return r;
    }
    *ret = out;
    out = (struct cas_loaded){0};
    return 0;
}

int cas_load_whole(struct cas *c, const char *name, struct cas_loaded *ret,
                   struct cas_secrets *ret_secrets, struct error **err)
{
    _cleanup_(cas_loaded_clear) struct cas_loaded out = {0};
    _cleanup_secrets_ struct cas_secrets secrets = {0};
    int r;

    (void)pthread_mutex_lock(&c->store_lock);
    r = c->store->ops->get(c->store, name, NULL, &out.row, err);
    if (r == 0) {
        r = c->store->ops->secrets(c->store, name, &secrets, err);
    }
    (void)pthread_mutex_unlock(&c->store_lock);
    if (r == 0) {
        r = parse_row(&out, name, err);
    }
    if (r < 0) {
        return r;
    }
    *ret = out;
    *ret_secrets = secrets;
    out = (struct cas_loaded){0};
    secrets = (struct cas_secrets){0};
    return 0;
}

void cas_loaded_clear(struct cas_loaded *l)
{
    pol_freep(&l->session);
    store_session_clear(&l->row);
}

int cas_load_secrets(struct cas *c, const char *name, struct cas_secrets *ret, struct error **err)
{
    int r;

    (void)pthread_mutex_lock(&c->store_lock);
    r = c->store->ops->secrets(c->store, name, ret, err);
    (void)pthread_mutex_unlock(&c->store_lock);
    return r;
}

/* ---- imports -------------------------------------------------------------------------------- */

#define IMPORT_DEPTH_MAX 4

/* The certificate's key goes along only when it is exported to the same session. */
static bool key_is_exported(const struct pol_session *from, const struct pol_secret *cert,
                            const char *to, const uint8_t *to_hash)
{
    const struct pol_secret *key =
        cert->private_key != NULL
            ? pol_find_secret(from, cert->private_key, strlen(cert->private_key))
            : NULL;

    return key != NULL && !key->is_import && pol_exports_to(from, key, to, to_hash);
}

static int check_import(const struct cas_loaded *from, const struct pol_secret *wanted,
                        const char *to, const uint8_t *to_hash, const struct pol_secret **ret,
                        struct error **err)
{
    const struct pol_secret *secret =
        pol_find_secret(from->session, wanted->import_name, strlen(wanted->import_name));

    /* One answer to "is not there" and "is not for you". */
    if (secret == NULL || secret->is_import ||
        !pol_exports_to(from->session, secret, to, to_hash)) {
        return error_set(err, EACCES, "session %s does not export a secret '%s' to %s",
                         from->session->name, wanted->import_name, to);
    }
    if (wanted->import.has_hash &&
        !ct_equal(wanted->import.hash.b, from->row.hash, POL_HASH_SIZE)) {
        return error_set(err, ESTALE,
                         "session %s does not have the session_hash the import asks for",
                         from->session->name);
    }
    if (wanted->kind != SECRET_UNKNOWN && wanted->kind != secret->kind) {
        return error_set(err, EINVAL, "the imported secret '%s' is of another kind", wanted->name);
    }
    *ret = secret;
    return 0;
}

int cas_import_get(void *ctx, const struct pol_session *s, const struct pol_secret *wanted,
                   struct cas_view *ret, struct error **err)
{
    const struct cas_import_source *source = ctx;
    _cleanup_(cas_loaded_clear) struct cas_loaded from = {0};
    _cleanup_secrets_ struct cas_secrets values = {0};
    struct cas_import_source below = {.cas = source->cas, .depth = source->depth + 1};
    const struct cas_imports imports = {.get = cas_import_get, .ctx = &below};
    const struct pol_secret *secret;
    char name[POL_NAME_MAX + 1];
    int r;

    if (source->depth >= IMPORT_DEPTH_MAX) {
        return error_set(err, ELOOP, "imports of imports of imports: more than %d sessions deep",
                         IMPORT_DEPTH_MAX);
    }
    r = name_session_resolve(s->name, wanted->import.session, name, sizeof(name));
    if (r < 0) {
        return error_set_errno(err, -r, "import of '%s'", wanted->name);
    }
    r = cas_load_whole(source->cas, name, &from, &values, err);
    if (r == 0) {
        r = check_import(&from, wanted, s->name, source->hash, &secret, err);
    }
    if (r < 0) {
        return r;
    }
    memcpy(below.hash, from.row.hash, sizeof(below.hash));
    r = cas_secrets_view(from.session, &values, &imports, secret, ret, err);
    if (r == 0 && !key_is_exported(from.session, secret, s->name, source->hash)) {
        cas_bytes_clear(&ret->key);
    }
    return r;
}

/* ---- statistics ----------------------------------------------------------------------------- */

int cas_stats(struct cas *c, struct cas_stats *ret, struct error **err)
{
    uint8_t hash[AUDIT_HASH_SIZE];
    struct cas_stats out;
    int r;

    out.created = __atomic_load_n(&c->counters.created, __ATOMIC_RELAXED);
    out.updated = __atomic_load_n(&c->counters.updated, __ATOMIC_RELAXED);
    out.deleted = __atomic_load_n(&c->counters.deleted, __ATOMIC_RELAXED);
    out.read = __atomic_load_n(&c->counters.read, __ATOMIC_RELAXED);
    out.denied = __atomic_load_n(&c->counters.denied, __ATOMIC_RELAXED);
    out.provisioned = __atomic_load_n(&c->counters.provisioned, __ATOMIC_RELAXED);
    for (size_t i = 0; i < ARRAY_COUNT(out.refused); i++) {
        out.refused[i] = __atomic_load_n(&c->counters.refused[i], __ATOMIC_RELAXED);
    }
    out.values = __atomic_load_n(&c->counters.values, __ATOMIC_RELAXED);
    audit_last(c->audit, &out.audit_seq, hash);
    (void)pthread_mutex_lock(&c->store_lock);
    r = c->store->ops->count(c->store, &out.sessions, err);
    (void)pthread_mutex_unlock(&c->store_lock);
    if (r == 0) {
        *ret = out;
    }
    return r;
}
