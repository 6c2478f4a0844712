/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "core/ct.h"
#include "core/hex.h"
#include "policy/keywords.h"

#define DEFAULT_SIZE      20
#define DAY               ((int64_t)86400)
#define LEAF_DEFAULT_LIFE (10 * 365 * DAY)
#define CA_DEFAULT_LIFE   (30 * 365 * DAY)
#define CLOCK_SKEW        ((int64_t)300) /* clients whose clock is behind must accept it too */

void cas_secrets_clear(struct cas_secrets *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->items[i].name);
        cas_bytes_clear(&s->items[i].data);
    }
    free(s->items);
    *s = (struct cas_secrets){0};
}

int cas_secrets_new(size_t count, struct cas_secrets *ret)
{
    struct cas_secret *items = calloc(count + 1, sizeof(*items));

    if (items == NULL) {
        return -ENOMEM;
    }
    *ret = (struct cas_secrets){.count = count, .items = items};
    return 0;
}

const struct cas_secret *cas_secrets_find(const struct cas_secrets *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->items[i].name != NULL && strcmp(s->items[i].name, name) == 0) {
            return &s->items[i];
        }
    }
    return NULL;
}

void cas_view_clear(struct cas_view *v)
{
    cas_bytes_clear(&v->data);
    cas_bytes_clear(&v->key);
    for (size_t i = 0; i < v->chain_count; i++) {
        cas_bytes_clear(&v->chain[i]);
    }
    *v = (struct cas_view){0};
}

/* ---- making --------------------------------------------------------------------------------- */

enum progress {
    NOT_MADE,
    BEING_MADE,
    MADE,
};

struct maker {
    const struct pol_session *session;
    const struct cas_secrets *previous;
    const struct cas_imports *imports;
    int64_t now;
    bool renew_only;
    struct cas_secrets set;  /* by position in session->secrets; imports stay empty */
    enum progress *progress; /* likewise */
    struct error **err;
};

static int make_one(struct maker *m, size_t index);

/* 94 printable characters, each as likely: bytes beyond the last multiple of 94 are thrown away. */
static int make_ascii(size_t size, struct cas_bytes *ret)
{
    _cleanup_bytes_ struct cas_bytes out = {.p = calloc(1, size + 1), .size = size};
    uint8_t pool[64];
    size_t left = 0;

    if (out.p == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < size;) {
        if (left == 0) {
            int r = crypto_random(pool, sizeof(pool));

            if (r < 0) {
                return r;
            }
            left = sizeof(pool);
        }
        left--;
        if (pool[left] < 188) {
            out.p[i++] = (uint8_t)(0x21 + pool[left] % 94);
        }
    }
    ct_wipe(pool, sizeof(pool));
    *ret = out;
    out = (struct cas_bytes){0};
    return 0;
}

static int make_binary(size_t size, struct cas_bytes *ret)
{
    uint8_t *p = calloc(1, size + 1);
    int r = p != NULL ? crypto_random(p, size) : -ENOMEM;

    if (r < 0) {
        free(p);
        return r;
    }
    *ret = (struct cas_bytes){.p = p, .size = size};
    return 0;
}

static int from_hex(const char *hex, struct cas_bytes *ret)
{
    const size_t size = strlen(hex) / 2;
    uint8_t *p = calloc(1, size + 1);

    if (p == NULL || hex_decode(p, size, hex, strlen(hex)) < 0) {
        free(p);
        return p == NULL ? -ENOMEM : -EINVAL;
    }
    *ret = (struct cas_bytes){.p = p, .size = size};
    return 0;
}

static int make_raw(const struct pol_secret *s, struct cas_bytes *ret, struct error **err)
{
    const size_t size = s->size != 0 ? s->size : DEFAULT_SIZE;
    int r;

    if (s->kind == SECRET_ASCII) {
        r = s->value != NULL ? cas_bytes_copy(s->value, strlen(s->value), ret)
                             : make_ascii(size, ret);
    } else {
        r = s->value != NULL ? from_hex(s->value, ret) : make_binary(size, ret);
    }
    return r < 0 ? error_set_errno(err, -r, "making secret %s", s->name) : 0;
}

/* The view of a secret that another one is built on, made first if need be. */
static int dependency(struct maker *m, const char *name, struct cas_view *ret)
{
    const struct pol_secret *to = pol_find_secret(m->session, name, strlen(name));
    int r = 0;

    if (to == NULL) {
        return error_set(m->err, ENOENT, "there is no secret '%s'", name);
    }
    if (!to->is_import) {
        r = make_one(m, (size_t)(to - m->session->secrets));
    }
    return r == 0 ? cas_secrets_view(m->session, &m->set, m->imports, to, ret, m->err) : r;
}

static int check_kind(struct maker *m, const char *name, const struct cas_view *v,
                      enum secret_kind want)
{
    if (v->kind != want) {
        return error_set(m->err, EINVAL, "secret '%s' is %s, and %s is needed", name,
                         pol_word(SCOPE_SECRET_KIND, v->kind), pol_word(SCOPE_SECRET_KIND, want));
    }
    return 0;
}

static int make_public(struct maker *m, const struct pol_secret *s, struct cas_bytes *ret)
{
    _cleanup_view_ struct cas_view key = {0};
    int r;

    if (s->value != NULL) {
        return ca_public_from_pem(s->value, strlen(s->value), ret, m->err);
    }
    r = dependency(m, s->private_key, &key);
    if (r == 0) {
        r = check_kind(m, s->private_key, &key, SECRET_PRIVATE_KEY);
    }
    return r == 0 ? ca_public_from_key(&key.data, ret, m->err) : r;
}

/* More than a third of its life left. */
static bool has_time_left(const struct cas_bytes *cert, int64_t now)
{
    int64_t from;
    int64_t to;

    return ca_validity(cert, &from, &to) == 0 && now < to - (to - from) / 3;
}

/* The parts a certificate is made of. */
struct cert_parts {
    struct cas_view key;
    struct cas_view issuer;
    bool self;
};

static void cert_parts_clear(struct cert_parts *p)
{
    cas_view_clear(&p->key);
    cas_view_clear(&p->issuer);
}

static int get_parts(struct maker *m, const struct pol_secret *s, struct cert_parts *ret)
{
    int r = 0;

    ret->self = s->issuer == NULL;
    if (s->private_key != NULL) {
        r = dependency(m, s->private_key, &ret->key);
        if (r == 0) {
            r = check_kind(m, s->private_key, &ret->key, SECRET_PRIVATE_KEY);
        }
    }
    if (r == 0 && !ret->self) {
        r = dependency(m, s->issuer, &ret->issuer);
        if (r == 0) {
            r = check_kind(m, s->issuer, &ret->issuer, SECRET_X509_CA);
        }
    }
    return r;
}

static bool cert_still_good(const struct pol_secret *s, const struct cert_parts *p,
                            const struct cas_bytes *cert, int64_t now)
{
    return has_time_left(cert, now) && ca_key_matches(cert, &p->key.data) &&
           (p->self ? ca_self_signed(cert) : ca_signed_by(cert, &p->issuer.data)) &&
           s->value == NULL;
}

static int explicit_cert(struct maker *m, const struct pol_secret *s, const struct cert_parts *p,
                         struct cas_bytes *ret)
{
    _cleanup_bytes_ struct cas_bytes cert = {0};
    int r = ca_certificate_from_pem(s->value, strlen(s->value), &cert, m->err);

    if (r < 0) {
        return r;
    }
    if (s->private_key != NULL && !ca_key_matches(&cert, &p->key.data)) {
        return error_set(m->err, EINVAL, "private_key '%s' is not the key of this certificate",
                         s->private_key);
    }
    if (s->issuer != NULL && !ca_signed_by(&cert, &p->issuer.data)) {
        return error_set(m->err, EINVAL, "issuer '%s' did not sign this certificate", s->issuer);
    }
    *ret = cert;
    cert = (struct cas_bytes){0};
    return 0;
}

/* A certificate follows its key and issuer: kept while they are still its own. */
static int make_cert(struct maker *m, const struct pol_secret *s, const struct cas_secret *kept,
                     struct cas_bytes *ret, bool *ret_fresh)
{
    _cleanup_(cert_parts_clear) struct cert_parts p = {0};
    const bool is_ca = s->kind == SECRET_X509_CA;
    const int64_t life = s->valid_for != 0 ? (int64_t)s->valid_for
                         : is_ca           ? CA_DEFAULT_LIFE
                                           : LEAF_DEFAULT_LIFE;
    struct ca_request req = {
        .is_ca = is_ca,
        .endpoint = s->endpoint,
        .dns = &s->dns,
        .ip = &s->ip,
        .not_before = m->now - CLOCK_SKEW,
        .not_after = m->now + life,
        .common_name = s->common_name,
    };
    char short_name[65];
    int r = get_parts(m, s, &p);

    *ret_fresh = true;
    if (r < 0) {
        return r;
    }
    if (s->value != NULL) {
        *ret_fresh = kept == NULL;
        return explicit_cert(m, s, &p, ret);
    }
    if (kept != NULL && cert_still_good(s, &p, &kept->data, m->now)) {
        *ret_fresh = false;
        return cas_bytes_copy(kept->data.p, kept->data.size, ret);
    }
    if (req.common_name == NULL) {
        (void)snprintf(short_name, sizeof(short_name), "%s",
                       s->dns.count > 0 ? s->dns.items[0] : s->name);
        req.common_name = short_name;
    }
    req.key = &p.key.data;
    if (!p.self) {
        if (p.issuer.key.size == 0) {
            return error_set(m->err, EACCES, "the private key of issuer '%s' is not available here",
                             s->issuer);
        }
        req.issuer_cert = &p.issuer.data;
        req.issuer_key = &p.issuer.key;
    }
    return ca_issue(&req, ret, m->err);
}

static int make_value(struct maker *m, const struct pol_secret *s, const struct cas_secret *kept,
                      struct cas_secret *ret)
{
    const bool again = s->has_migrate && !s->migrate && !m->renew_only;

    switch (s->kind) {
    case SECRET_X509:
    case SECRET_X509_CA: return make_cert(m, s, kept, &ret->data, &ret->fresh);
    case SECRET_PUBLIC_KEY: ret->fresh = kept == NULL; return make_public(m, s, &ret->data);
    default: break;
    }
    if (kept != NULL && !again) {
        return cas_bytes_copy(kept->data.p, kept->data.size, &ret->data);
    }
    ret->fresh = true;
    if (s->kind != SECRET_PRIVATE_KEY) {
        return make_raw(s, &ret->data, m->err);
    }
    return s->value != NULL ? ca_key_from_pem(s->value, strlen(s->value), &ret->data, m->err)
                            : ca_key_generate(s->key_type, &ret->data, m->err);
}

static int make_one(struct maker *m, size_t index)
{
    const struct pol_secret *s = &m->session->secrets[index];
    struct cas_secret *out = &m->set.items[index];
    const struct cas_secret *kept = NULL;
    int r;

    if (m->progress[index] == MADE || s->is_import) {
        return 0;
    }
    if (m->progress[index] == BEING_MADE) {
        return error_set(m->err, ELOOP, "secret '%s' is built on itself", s->name);
    }
    m->progress[index] = BEING_MADE;
    r = pol_secret_hash(m->session, s, out->definition);
    out->name = r == 0 ? strdup(s->name) : NULL;
    if (out->name == NULL) {
        return error_set_errno(m->err, ENOMEM, "making secret %s", s->name);
    }
    out->kind = s->kind;
    if (m->previous != NULL) {
        kept = cas_secrets_find(m->previous, s->name);
        if (kept != NULL && (kept->kind != s->kind ||
                             !ct_equal(kept->definition, out->definition, POL_HASH_SIZE))) {
            kept = NULL;
        }
    }
    r = make_value(m, s, kept, out);
    if (r < 0) {
        if (m->err != NULL && *m->err == NULL) {
            (void)error_set_errno(m->err, -r, "making it");
        }
        (void)error_wrap(m->err, "secret '%s'", s->name);
        return r;
    }
    m->progress[index] = MADE;
    return 0;
}

/* Imports have no value of their own: close the gaps. */
static void drop_imports(struct cas_secrets *set)
{
    size_t to = 0;

    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].name != NULL) {
            set->items[to++] = set->items[i];
        }
    }
    set->count = to;
}

static int make_all(struct maker *m, struct cas_secrets *ret)
{
    int r = cas_secrets_new(m->session->secret_count, &m->set);

    if (r < 0) {
        return error_set_errno(m->err, -r, "making secrets");
    }
    m->progress = calloc(m->session->secret_count + 1, sizeof(*m->progress));
    r = m->progress != NULL ? 0 : error_set_errno(m->err, ENOMEM, "making secrets");
    for (size_t i = 0; i < m->session->secret_count && r == 0; i++) {
        r = make_one(m, i);
    }
    free(m->progress);
    if (r < 0) {
        cas_secrets_clear(&m->set);
        return r;
    }
    drop_imports(&m->set);
    *ret = m->set;
    return 0;
}

int cas_secrets_make(const struct pol_session *s, const struct cas_secrets *previous,
                     const struct cas_imports *imports, int64_t now, struct cas_secrets *ret,
                     struct error **err)
{
    struct maker m = {
        .session = s, .previous = previous, .imports = imports, .now = now, .err = err};

    return make_all(&m, ret);
}

int cas_secrets_renew(const struct pol_session *s, const struct cas_secrets *previous,
                      const struct cas_imports *imports, int64_t now, struct cas_secrets *ret,
                      struct error **err)
{
    struct maker m = {.session = s,
                      .previous = previous,
                      .imports = imports,
                      .now = now,
                      .renew_only = true,
                      .err = err};

    return make_all(&m, ret);
}

bool cas_secrets_due(const struct cas_secrets *set, int64_t now)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct cas_secret *s = &set->items[i];

        if ((s->kind == SECRET_X509 || s->kind == SECRET_X509_CA) &&
            !has_time_left(&s->data, now)) {
            return true;
        }
    }
    return false;
}

/* ---- views ---------------------------------------------------------------------------------- */

static int add_chain(const struct pol_session *s, const struct cas_secrets *set,
                     const struct cas_imports *imports, const struct pol_secret *secret,
                     struct cas_view *ret, struct error **err)
{
    while (secret->issuer != NULL) {
        _cleanup_view_ struct cas_view above = {0};
        const struct pol_secret *issuer =
            pol_find_secret(s, secret->issuer, strlen(secret->issuer));
        const struct cas_secret *own = cas_secrets_find(set, secret->issuer);
        const struct cas_bytes *cert = own != NULL ? &own->data : NULL;
        int r;

        if (issuer != NULL && issuer->is_import) {
            r = cas_secrets_view(s, set, imports, issuer, &above, err);
            if (r < 0) {
                return r;
            }
            cert = &above.data;
        }
        if (issuer == NULL || cert == NULL) {
            return error_set(err, ENOENT, "issuer '%s' is missing", secret->issuer);
        }
        for (size_t i = 0; i <= above.chain_count; i++) {
            if (ret->chain_count == POL_CHAIN_MAX) {
                return error_set(err, ELOOP, "a chain of more than %d issuers", POL_CHAIN_MAX);
            }
            r = cas_bytes_copy(cert->p, cert->size, &ret->chain[ret->chain_count]);
            if (r < 0) {
                return error_set_errno(err, -r, "collecting a chain");
            }
            ret->chain_count++;
            cert = &above.chain[MIN(i, (size_t)POL_CHAIN_MAX - 1)];
        }
        secret = issuer;
    }
    return 0;
}

static int add_key(const struct pol_session *s, const struct cas_secrets *set,
                   const struct cas_imports *imports, const struct pol_secret *secret,
                   struct cas_view *ret, struct error **err)
{
    _cleanup_view_ struct cas_view key = {0};
    const struct pol_secret *to =
        pol_find_secret(s, secret->private_key, strlen(secret->private_key));
    int r;

    if (to == NULL) {
        return error_set(err, ENOENT, "private key '%s' is missing", secret->private_key);
    }
    r = cas_secrets_view(s, set, imports, to, &key, err);
    if (r == 0) {
        ret->key = key.data;
        key.data = (struct cas_bytes){0};
    }
    return r;
}

int cas_secrets_view(const struct pol_session *s, const struct cas_secrets *set,
                     const struct cas_imports *imports, const struct pol_secret *secret,
                     struct cas_view *ret, struct error **err)
{
    _cleanup_view_ struct cas_view v = {0};
    const struct cas_secret *own;
    int r = 0;

    if (secret->is_import) {
        if (imports == NULL) {
            return error_set(err, EACCES, "secret '%s' is imported, and imports are not available",
                             secret->name);
        }
        return imports->get(imports->ctx, s, secret, ret, err);
    }
    own = cas_secrets_find(set, secret->name);
    if (own == NULL) {
        return error_set(err, ENOENT, "secret '%s' has no value", secret->name);
    }
    v.kind = own->kind;
    r = cas_bytes_copy(own->data.p, own->data.size, &v.data);
    if (r < 0) {
        return error_set_errno(err, -r, "reading secret %s", secret->name);
    }
    if (own->kind == SECRET_X509 || own->kind == SECRET_X509_CA) {
        if (secret->private_key != NULL) {
            r = add_key(s, set, imports, secret, &v, err);
        }
        if (r == 0) {
            r = add_chain(s, set, imports, secret, &v, err);
        }
        if (r < 0) {
            return r;
        }
    }
    *ret = v;
    v = (struct cas_view){0};
    return 0;
}

int cas_value_get(void *source, const struct pol_secret *secret, const char *format,
                  size_t format_len, uint8_t **ret, size_t *ret_size, struct error **err)
{
    const struct cas_value_source *from = source;
    _cleanup_view_ struct cas_view v = {0};
    _cleanup_bytes_ struct cas_bytes out = {0};
    enum pol_format f;
    int r = cas_secrets_view(from->session, from->set, from->imports, secret, &v, err);

    if (r < 0) {
        return r;
    }
    if (pol_format_of(v.kind, format, format_len, &f) < 0) {
        return error_set(err, EINVAL, "secret '%s' (%s) has no format '%.*s'", secret->name,
                         pol_word(SCOPE_SECRET_KIND, v.kind), (int)MIN(format_len, (size_t)64),
                         format);
    }
    r = cas_secret_format(&v, f, &out, err);
    if (r < 0) {
        return r;
    }
    *ret = TAKE_PTR(out.p);
    *ret_size = out.size;
    return 0;
}
