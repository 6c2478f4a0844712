/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What only the whole session can tell: names that must be unique, references that must lead
 * somewhere, macros that must name a secret of a kind that has the format, and combinations that
 * are allowed but deserve a warning.
 */

#include "policy/resolve.h"

#include <string.h>

#include "base/args.h"
#include "policy/parse_internal.h"
#include "policy/policy.h"
#include "policy/text.h"

static const struct {
    unsigned kind;
    const char *text;
    enum pol_format format;
} formats[] = {
#define X(kind, text, format) {SECRET_##kind, text, POL_FORMAT_##format},
#include "policy/formats.tbl.h"
#undef X
};

static unsigned format_kind(enum secret_kind kind)
{
    return kind == SECRET_X509_CA ? SECRET_X509 : kind;
}

static bool format_find(enum secret_kind kind, const char *text, size_t len, enum pol_format *ret)
{
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        if ((kind == SECRET_UNKNOWN || formats[i].kind == format_kind(kind)) &&
            strlen(formats[i].text) == len && memcmp(formats[i].text, text, len) == 0) {
            *ret = formats[i].format;
            return true;
        }
    }
    return false;
}

int pol_format_of(enum secret_kind kind, const char *text, size_t len, enum pol_format *ret)
{
    return kind != SECRET_UNKNOWN && format_find(kind, text, len, ret) ? 0 : -EINVAL;
}

/* A secret may be called "flask.crt"; only when none is does ".crt" ask for a format. */
int pol_macro_resolve(const struct pol_session *s, const struct macro *m,
                      const struct pol_secret **ret_secret, const char **ret_format,
                      size_t *ret_format_len)
{
    const struct pol_secret *secret = pol_find_secret(s, m->name, m->name_len);

    if (secret != NULL) {
        *ret_secret = secret;
        *ret_format = m->format;
        *ret_format_len = m->format_len;
        return 0;
    }
    for (size_t dot = m->name_len; dot > 0 && m->format_len == 0; dot--) {
        if (m->name[dot - 1] == '.') {
            secret = pol_find_secret(s, m->name, dot - 1);
            if (secret == NULL) {
                return -ENOENT;
            }
            *ret_secret = secret;
            *ret_format = m->name + dot - 1;
            *ret_format_len = m->name_len - (dot - 1);
            return 0;
        }
    }
    return -ENOENT;
}

static void list_formats(enum secret_kind kind, char *buf, size_t size)
{
    size_t at = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        if (formats[i].kind == format_kind(kind) && formats[i].text[0] != '\0' && at < size) {
            at += (size_t)snprintf(buf + at, size - at, "%s%s%s", at > 0 ? ", " : "",
                                   formats[i].text[0] == '.' ? "" : ":", formats[i].text);
        }
    }
}

static void unknown_secret(struct parser *p, struct pol_mark mark, const struct macro *m)
{
    const struct pol_session *s = p->session;
    char name[POL_WORD_MAX + 1];
    const char *near = NULL;
    size_t limit = 4;

    (void)snprintf(name, sizeof(name), "%.*s", (int)MIN(m->name_len, (size_t)POL_WORD_MAX),
                   m->name);
    if (strcmp(name, "self") == 0) {
        pol_diag_error(p->diags, mark,
                       "$$SCONE::self::…$$ is not supported: there are no jwt "
                       "secrets it could stand in");
        return;
    }
    /* Looking for the nearest name is work: only for errors that will be shown. */
    for (size_t i = 0; i < s->secret_count && !p->diags->truncated; i++) {
        const size_t d = args_word_distance(name, s->secrets[i].name);

        if (d < limit) {
            limit = d;
            near = s->secrets[i].name;
        }
    }
    if (near != NULL) {
        pol_diag_error(p->diags, mark, "there is no secret '%s'; did you mean '%s'?", name, near);
    } else {
        pol_diag_error(p->diags, mark, "there is no secret '%s' in this session", name);
    }
}

static void check_macro(struct parser *p, struct pol_mark mark, const struct macro *m)
{
    const struct pol_secret *secret;
    const char *format;
    size_t format_len;
    enum pol_format result;
    char all[256];

    if (pol_macro_resolve(p->session, m, &secret, &format, &format_len) < 0) {
        unknown_secret(p, mark, m);
        return;
    }
    if (format_find(secret->kind, format, format_len, &result)) {
        return;
    }
    if (secret->kind == SECRET_UNKNOWN) {
        pol_diag_error(p->diags, mark, "no kind of secret has the format '%.*s'",
                       (int)MIN(format_len, (size_t)64), format);
        return;
    }
    list_formats(secret->kind, all, sizeof(all));
    pol_diag_error(p->diags, mark, "secret '%s' (%s) has no format '%.*s'; possible: %s",
                   secret->name, pol_word(SCOPE_SECRET_KIND, secret->kind),
                   (int)MIN(format_len, (size_t)64), format, all[0] != '\0' ? all : "none");
}

static void check_macros(struct parser *p, struct pol_mark mark, const char *text)
{
    const size_t len = strlen(text);
    size_t pos = 0;
    struct macro m;
    const char *why;
    int r;

    while ((r = macro_next(text, len, &pos, &m, &why)) != 0) {
        if (++p->macros == POL_MACROS_MAX) {
            pol_diag_error(p->diags, mark, "more than %d macros in one session", POL_MACROS_MAX);
        }
        if (p->macros >= POL_MACROS_MAX) {
            return;
        }
        if (r < 0) {
            pol_diag_error(p->diags, mark, "a $$SCONE::…$$ macro cannot be read: %s", why);
        } else {
            check_macro(p, mark, &m);
        }
    }
}

static void check_no_macro(struct parser *p, struct pol_mark mark, const char *text,
                           const char *where)
{
    if (text != NULL && strstr(text, "$$SCONE::") != NULL) {
        pol_diag_error(p->diags, mark, "macros are not possible in %s", where);
    }
}

/* Keys given as a macro must be binary secrets of 32 bytes. */
static void check_key32(struct parser *p, struct pol_mark mark, const char *text)
{
    const struct pol_secret *secret;
    const char *format;
    size_t format_len;
    size_t pos = 0;
    struct macro m;
    const char *why;
    uint32_t size;

    if (text == NULL || macro_length(text, strlen(text)) == 0) {
        return;
    }
    if (macro_next(text, strlen(text), &pos, &m, &why) != 1) {
        pol_diag_error(p->diags, mark, "a $$SCONE::…$$ macro cannot be read");
        return;
    }
    if (pol_macro_resolve(p->session, &m, &secret, &format, &format_len) < 0) {
        unknown_secret(p, mark, &m);
        return;
    }
    size = secret->value != NULL ? (uint32_t)secret->value_size : secret->size;
    if (secret->kind == SECRET_UNKNOWN) {
        return; /* an import: seen when it is resolved */
    }
    if (secret->kind != SECRET_BINARY || (!secret->is_import && size != 32)) {
        pol_diag_error(p->diags, mark,
                       "'%s' cannot be a key: it must be kind: binary with size: 32", secret->name);
    } else if (m.escape_json || format_len > 0) {
        pol_diag_error(p->diags, mark, "a key takes the secret as it is, without format or filter");
    }
}

/* ---- names ---------------------------------------------------------------------------------- */

static void twice(struct parser *p, struct pol_mark mark, const char *what, const char *name,
                  struct pol_mark first)
{
    pol_diag_error(p->diags, mark, "%s '%s' is defined twice; first on line %u", what, name,
                   first.line);
}

#define CHECK_UNIQUE(p, items, count, what)                                                   \
    do {                                                                                      \
        for (size_t i_ = 0; i_ < (count); i_++) {                                             \
            for (size_t j_ = 0; j_ < i_; j_++) {                                              \
                if (strcmp((items)[i_].name, (items)[j_].name) == 0) {                        \
                    twice((p), (items)[i_].mark, (what), (items)[i_].name, (items)[j_].mark); \
                    break;                                                                    \
                }                                                                             \
            }                                                                                 \
        }                                                                                     \
    } while (0)

static void check_unique(struct parser *p)
{
    const struct pol_session *s = p->session;

    CHECK_UNIQUE(p, s->services, s->service_count, "service");
    CHECK_UNIQUE(p, s->images, s->image_count, "image");
    CHECK_UNIQUE(p, s->volumes, s->volume_count, "volume");
    CHECK_UNIQUE(p, s->secrets, s->secret_count, "secret");
}

static void check_ref(struct parser *p, const struct pol_ref *ref)
{
    char full[POL_NAME_MAX + 1];

    if (name_session_resolve(p->session->name, ref->session, full, sizeof(full)) < 0) {
        pol_diag_error(p->diags, ref->mark, "'%.64s' leads above the root namespace", ref->session);
    } else if (!ref->is_namespace && strcmp(full, p->session->name) == 0) {
        pol_diag_error(p->diags, ref->mark, "a session cannot export to or import from itself");
    }
}

/* ---- secrets -------------------------------------------------------------------------------- */

/* The secret `name`, when it is of kind `kind` or may turn out to be. */
static const struct pol_secret *check_reference(struct parser *p, const struct pol_secret *from,
                                                struct pol_mark mark, const char *key,
                                                const char *name, enum secret_kind kind)
{
    const struct pol_secret *to = pol_find_secret(p->session, name, strlen(name));

    if (to == NULL) {
        struct macro m = {.name = name, .name_len = strlen(name)};

        unknown_secret(p, mark, &m);
        return NULL;
    }
    if (to->kind != kind && to->kind != SECRET_UNKNOWN) {
        pol_diag_error(p->diags, mark, "'%s' of '%s' must be a secret of kind %s, and '%s' is %s",
                       key, from->name, pol_word(SCOPE_SECRET_KIND, kind), name,
                       pol_word(SCOPE_SECRET_KIND, to->kind));
        return NULL;
    }
    return to;
}

static void check_issuer_chain(struct parser *p, const struct pol_secret *secret)
{
    const struct pol_secret *s = secret;

    for (unsigned depth = 0; s != NULL && s->issuer != NULL; depth++) {
        if (depth == POL_CHAIN_MAX) {
            pol_diag_error(p->diags, secret->issuer_mark,
                           "'%s' has more than %d issuers above it, or is its own issuer",
                           secret->name, POL_CHAIN_MAX);
            return;
        }
        s = pol_find_secret(p->session, s->issuer, strlen(s->issuer));
    }
}

static void check_certificate(struct parser *p, const struct pol_secret *secret)
{
    const bool is_explicit = secret->value != NULL;
    const struct pol_secret *issuer;

    if (secret->private_key != NULL) {
        (void)check_reference(p, secret, secret->private_key_mark, "private_key",
                              secret->private_key, SECRET_PRIVATE_KEY);
    } else if (!is_explicit) {
        pol_diag_error(p->diags, secret->mark,
                       "%s '%s' needs private_key: the name of a private-key secret",
                       pol_word(SCOPE_SECRET_KIND, secret->kind), secret->name);
    }
    if (secret->issuer != NULL) {
        issuer = check_reference(p, secret, secret->issuer_mark, "issuer", secret->issuer,
                                 SECRET_X509_CA);
        check_issuer_chain(p, secret);
        if (issuer != NULL && !issuer->is_import && issuer->private_key == NULL && !is_explicit) {
            pol_diag_error(p->diags, secret->issuer_mark,
                           "issuer '%s' has no private_key, so it cannot sign", issuer->name);
        }
    }
    if (is_explicit &&
        (secret->common_name != NULL || secret->dns.count > 0 || secret->ip.count > 0 ||
         secret->valid_for != 0 || secret->endpoint != ENDPOINT_ANY)) {
        pol_diag_error(p->diags, secret->mark,
                       "'%s' has an explicit value: its names and validity stand in it; remove "
                       "common_name, dns, ip, san, endpoint and valid_for",
                       secret->name);
    }
}

static void check_secret(struct parser *p, const struct pol_secret *secret)
{
    if (secret->is_import) {
        check_ref(p, &secret->import);
        return;
    }
    for (size_t i = 0; i < secret->export_count; i++) {
        check_ref(p, &secret->exports[i]);
    }
    switch (secret->kind) {
    case SECRET_PUBLIC_KEY:
        if ((secret->private_key == NULL) == (secret->value == NULL)) {
            pol_diag_error(p->diags, secret->mark,
                           "public-key '%s' needs either private_key or value", secret->name);
        } else if (secret->private_key != NULL) {
            (void)check_reference(p, secret, secret->private_key_mark, "private_key",
                                  secret->private_key, SECRET_PRIVATE_KEY);
        }
        break;
    case SECRET_X509:
    case SECRET_X509_CA: check_certificate(p, secret); break;
    case SECRET_PRIVATE_KEY:
        if (secret->export_public) {
            pol_diag_error(p->diags, secret->mark,
                           "private key '%s' cannot be public; export a public-key secret instead",
                           secret->name);
        }
        break;
    case SECRET_ASCII:
    case SECRET_BINARY:
        if (secret->export_public) {
            pol_diag_warning(p->diags, secret->mark, "everybody can read '%s' (export_public)",
                             secret->name);
        }
        break;
    case SECRET_UNKNOWN: break;
    }
}

/* ---- services, images, volumes -------------------------------------------------------------- */

static void check_service(struct parser *p, const struct pol_service *service)
{
    const struct pol_session *s = p->session;

    if (service->image_name != NULL && pol_find_image(s, service->image_name) == NULL) {
        pol_diag_error(p->diags, service->image_mark, "there is no image '%s' under 'images'",
                       service->image_name);
    }
    if (service->enclave_count == 0 && s->security.mode != ATTEST_MODE_NONE) {
        pol_diag_error(p->diags, service->mark,
                       "service '%s' names no enclave: add mrenclaves or attestation",
                       service->name);
    }
    if (service->enclave_count > 0 && s->security.mode == ATTEST_MODE_NONE) {
        pol_diag_warning(p->diags, service->mark,
                         "service '%s' names enclaves, and mode: none checks nothing",
                         service->name);
    }
    if (service->command.count == 0) {
        pol_diag_warning(p->diags, service->mark,
                         "service '%s' has no command: it cannot be provisioned", service->name);
    }
    if (service->fspf_key == NULL && service->has_sealed_root) {
        pol_diag_warning(p->diags, service->mark,
                         "service '%s' has a sealed_root and no fspf_key: it cannot be provisioned",
                         service->name);
    }
    for (size_t i = 0; i < service->command.count; i++) {
        check_macros(p, service->command_mark, service->command.items[i]);
    }
    for (size_t i = 0; i < service->env_count; i++) {
        check_macros(p, service->env[i].mark, service->env[i].value);
        check_no_macro(p, service->env[i].mark, service->env[i].name, "names of the environment");
    }
    check_no_macro(p, service->mark, service->pwd, "pwd");
    check_key32(p, service->key_mark, service->fspf_key);
}

static void check_image(struct parser *p, const struct pol_image *image)
{
    for (size_t i = 0; i < image->mount_count; i++) {
        const struct pol_mount *m = &image->mounts[i];

        if (pol_find_volume(p->session, m->name) == NULL) {
            pol_diag_error(p->diags, m->mark, "there is no volume '%s' under 'volumes'", m->name);
        }
        check_no_macro(p, m->mark, m->path, "a path");
        for (size_t j = 0; j < i; j++) {
            if (strcmp(image->mounts[j].path, m->path) == 0) {
                twice(p, m->mark, "mount point", m->path, image->mounts[j].mark);
            }
        }
    }
    for (size_t i = 0; i < image->file_count; i++) {
        const struct pol_file *f = &image->files[i];

        check_macros(p, f->mark, f->content);
        check_no_macro(p, f->mark, f->path, "a path");
        for (size_t j = 0; j < i; j++) {
            if (strcmp(image->files[j].path, f->path) == 0) {
                twice(p, f->mark, "file", f->path, image->files[j].mark);
            }
        }
    }
}

static void check_volume(struct parser *p, const struct pol_volume *v)
{
    if (v->is_import) {
        check_ref(p, &v->import);
    }
    for (size_t i = 0; i < v->export_count; i++) {
        check_ref(p, &v->exports[i].to);
    }
    check_key32(p, v->key_mark, v->fspf_key);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static bool has_any(const struct pol_right_rules *r)
{
    return r->count == 1 && r->rules[0].kind == RULE_ANY;
}

static void check_security(struct parser *p)
{
    const struct pol_session *s = p->session;
    const struct pol_security *sec = &s->security;

    if (sec->mode == ATTEST_MODE_NONE && s->service_count > 0) {
        pol_diag_warning(p->diags, sec->mark,
                         "mode: none gives every secret of the services to whoever asks");
    }
    if (sec->mode == ATTEST_MODE_SOFTWARE) {
        pol_diag_warning(p->diags, sec->mark,
                         "mode: software accepts enclaves that whoever runs them can read");
    }
    if ((sec->tolerate & 1u << TOLERATE_DEBUG) != 0) {
        pol_diag_warning(p->diags, sec->mark,
                         "debug-mode is tolerated: such enclaves can be read from outside");
    }
    if (sec->ignore_all_advisories) {
        pol_diag_warning(p->diags, sec->mark, "every advisory is ignored");
    }
    if (has_any(&s->rights[RIGHT_UPDATE])) {
        pol_diag_warning(p->diags, s->rights[RIGHT_UPDATE].rules[0].mark,
                         "ANY may replace this session, and with it who gets the secrets");
    }
    if (has_any(&s->rights[RIGHT_READ_SECRETS])) {
        pol_diag_warning(p->diags, s->rights[RIGHT_READ_SECRETS].rules[0].mark,
                         "ANY may read every secret");
    }
}

void check_session(struct parser *p)
{
    const struct pol_session *s = p->session;

    check_unique(p);
    for (size_t i = 0; i < s->secret_count; i++) {
        check_secret(p, &s->secrets[i]);
    }
    for (size_t i = 0; i < s->volume_count; i++) {
        check_volume(p, &s->volumes[i]);
    }
    for (size_t i = 0; i < s->image_count; i++) {
        check_image(p, &s->images[i]);
    }
    for (size_t i = 0; i < s->service_count; i++) {
        check_service(p, &s->services[i]);
    }
    check_security(p);
}
