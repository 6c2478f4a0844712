/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Values of secrets for those outside of enclaves. */

#include <string.h>
#include <time.h>

#include "cas/snapshot.h"
#include "core/ct.h"
#include "policy/keywords.h"

int cas_current_secrets(struct cas *c, const struct cas_loaded *l, struct cas_secrets *ret,
                        struct error **err)
{
    struct cas_import_source source = {.cas = c};
    const struct cas_imports imports = {.get = cas_import_get, .ctx = &source};
    _cleanup_secrets_ struct cas_secrets stored = {0};
    _cleanup_secrets_ struct cas_secrets renewed = {0};
    int r = cas_load_secrets(c, l->row.name, &stored, err);

    if (r < 0) {
        return r;
    }
    if (cas_secrets_due(&stored, c->now())) {
        _cleanup_error_ struct error *lost = NULL;

        memcpy(source.hash, l->row.hash, sizeof(source.hash));
        (void)pthread_mutex_lock(&c->write_lock);
        r = cas_secrets_renew(l->session, &stored, &imports, c->now(), &renewed, &lost);
        if (r == 0) {
            (void)pthread_mutex_lock(&c->store_lock);
            r = c->store->ops->put_secrets(c->store, l->row.name, l->row.hash, &renewed, &lost);
            (void)pthread_mutex_unlock(&c->store_lock);
        }
        if (r == 0) {
            cas_snapshot_forget(c, l->row.name);
        }
        (void)pthread_mutex_unlock(&c->write_lock);
        /* A renewal that fails (an issuer that expired, an update that won) is no reason to deny
         * the certificate that is still there. */
        if (r == 0) {
            *ret = renewed;
            renewed = (struct cas_secrets){0};
            return 1;
        }
    }
    *ret = stored;
    stored = (struct cas_secrets){0};
    return 0;
}

/* How a value looks in JSON: text as it is, bytes as hex digits, keys and certificates in PEM. */
static enum pol_format json_format(enum secret_kind kind)
{
    switch (kind) {
    case SECRET_BINARY: return POL_FORMAT_HEX;
    case SECRET_PRIVATE_KEY: return POL_FORMAT_KEY_PEM;
    case SECRET_PUBLIC_KEY: return POL_FORMAT_SPKI_PEM;
    case SECRET_X509:
    case SECRET_X509_CA: return POL_FORMAT_CRT_PEM;
    default: return POL_FORMAT_RAW;
    }
}

static json_t *stamp(int64_t at)
{
    const time_t t = (time_t)at;
    char text[32];
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        return json_null();
    }
    return json_string(text);
}

static int one_value(const struct cas_secret *s, json_t **ret, struct error **err)
{
    const struct cas_view v = {.kind = s->kind, .data = s->data};
    _cleanup_bytes_ struct cas_bytes text = {0};
    const bool is_cert = s->kind == SECRET_X509 || s->kind == SECRET_X509_CA;
    int64_t from = 0;
    int64_t to = 0;
    int r = cas_secret_format(&v, json_format(s->kind), &text, err);

    if (r < 0) {
        return r;
    }
    if (is_cert && ca_validity(&s->data, &from, &to) < 0) {
        return error_set(err, EBADMSG, "certificate %s cannot be read", s->name);
    }
    *ret = json_pack("{s:s, s:s#, s:o, s:o}", "kind",
                     s->kind == SECRET_ASCII ? "string" : pol_word(SCOPE_SECRET_KIND, s->kind),
                     "value", (const char *)text.p, (int)text.size, "expires",
                     is_cert ? stamp(to) : json_null(), "renew",
                     is_cert ? stamp(to - (to - from) / 3) : json_null());
    return *ret != NULL ? 0 : error_set_errno(err, ENOMEM, "showing %s", s->name);
}

static int all_values(const struct cas_loaded *l, const struct cas_secrets *set, bool everything,
                      json_t *values, struct error **err)
{
    for (size_t i = 0; i < l->session->secret_count; i++) {
        const struct pol_secret *p = &l->session->secrets[i];
        const struct cas_secret *s = cas_secrets_find(set, p->name);
        json_t *j;
        int r;

        if (s == NULL || (!everything && !p->export_public)) {
            continue;
        }
        r = one_value(s, &j, err);
        if (r < 0) {
            return r;
        }
        if (json_object_set_new(values, p->name, j) < 0) {
            return error_set_errno(err, ENOMEM, "showing values");
        }
    }
    return 0;
}

int cas_values(struct cas *c, const struct cas_caller *who, const char *name, const char *secret,
               json_t **ret, struct error **err)
{
    struct cas_snapshot *snapshot = NULL;
    json_t *values = NULL;
    bool everything;
    int r = cas_snapshot_get(c, name, &snapshot, err);

    if (r < 0) {
        return r;
    }
    everything = pol_access(snapshot->loaded.session, RIGHT_READ_SECRETS, &who->policy, NULL) == 0;
    if (everything) {
        r = cas_note(c, "values.read", cas_log_fields(who, name, snapshot->loaded.row.hash), err);
    }
    if (r == 0) {
        values = json_object();
        r = all_values(&snapshot->loaded, &snapshot->secrets, everything, values, err);
    }
    cas_snapshot_put(c, snapshot);
    if (r < 0) {
        json_decref(values);
        return r;
    }
    __atomic_add_fetch(&c->counters.values, 1, __ATOMIC_RELAXED);
    if (secret == NULL) {
        *ret = json_pack("{s:o}", "values", values);
        return *ret != NULL ? 0 : error_set_errno(err, ENOMEM, "showing values");
    }
    *ret = json_incref(json_object_get(values, secret));
    json_decref(values);
    return *ret != NULL
               ? 0
               : error_set(err, ENOENT, "session %s has no public value '%.128s'", name, secret);
}
