/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* secrets: which keys go with which kind, and what explicit values must look like. */

#include <arpa/inet.h>
#include <string.h>

#include "core/hex.h"
#include "policy/parse_internal.h"
#include "policy/text.h"

#define KIND(k) (1u << SECRET_##k)
#define KINDS_X (KIND(X509) | KIND(X509_CA))

/* The kinds a key makes sense for. */
static const struct {
    enum kw_id id;
    unsigned kinds;
} key_kinds[] = {
    {KW_SECRET_size, KIND(ASCII) | KIND(BINARY)},
    {KW_SECRET_key_type, KIND(PRIVATE_KEY)},
    {KW_SECRET_migrate, KIND(PRIVATE_KEY)},
    {KW_SECRET_private_key, KIND(PUBLIC_KEY) | KINDS_X},
    {KW_SECRET_issuer, KINDS_X},
    {KW_SECRET_common_name, KINDS_X},
    {KW_SECRET_endpoint, KIND(X509)},
    {KW_SECRET_dns, KIND(X509)},
    {KW_SECRET_ip, KIND(X509)},
    {KW_SECRET_san, KIND(X509)},
    {KW_SECRET_valid_for, KINDS_X},
};

/* Keys of generated or explicit secrets that an import cannot have. */
static const enum kw_id not_for_imports[] = {
    KW_SECRET_size,   KW_SECRET_value,       KW_SECRET_key_type,  KW_SECRET_migrate,
    KW_SECRET_issuer, KW_SECRET_common_name, KW_SECRET_endpoint,  KW_SECRET_dns,
    KW_SECRET_ip,     KW_SECRET_san,         KW_SECRET_valid_for, KW_SECRET_private_key,
};

static void check_keys_of_kind(struct parser *p, const struct keys *k, enum secret_kind kind)
{
    for (size_t i = 0; i < ARRAY_COUNT(key_kinds); i++) {
        const enum kw_id id = key_kinds[i].id;

        if (k->at[id] != NULL && (key_kinds[i].kinds & 1u << kind) == 0) {
            pol_diag_error(p->diags, k->key[id]->mark, "'%s' has no meaning for kind %s",
                           keywords[id].key, pol_word(SCOPE_SECRET_KIND, kind));
        }
    }
}

static bool host_name_valid(const char *s)
{
    size_t len = strlen(s);

    if (strncmp(s, "*.", 2) == 0) {
        s += 2;
        len -= 2;
    }
    if (len == 0 || len > 253) {
        return false;
    }
    for (;;) {
        const size_t label = strcspn(s, ".");

        if (label == 0 || label > 63 || s[0] == '-' || s[label - 1] == '-') {
            return false;
        }
        for (size_t i = 0; i < label; i++) {
            const char c = s[i];

            if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_')) {
                return false;
            }
        }
        if (s[label] == '\0') {
            return true;
        }
        s += label + 1;
    }
}

static void add_dns(struct parser *p, struct pol_mark mark, const char *name,
                    struct pol_secret *ret)
{
    if (!host_name_valid(name)) {
        pol_diag_error(p->diags, mark, "'%.64s' is not a host name", name);
        return;
    }
    ret->dns.items[ret->dns.count++] = name;
}

static void add_ip(struct parser *p, struct pol_mark mark, const char *text, struct pol_secret *ret)
{
    uint8_t raw[16];
    char canonical[INET6_ADDRSTRLEN];
    const int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

    if (inet_pton(family, text, raw) != 1 ||
        inet_ntop(family, raw, canonical, sizeof(canonical)) == NULL) {
        pol_diag_error(p->diags, mark, "'%.64s' is not an IP address", text);
        return;
    }
    ret->ip.items[ret->ip.count] = arena_strndup(p->arena, canonical, strlen(canonical));
    ret->ip.count += ret->ip.items[ret->ip.count] != NULL;
}

/* dns, ip and san say the same in three ways. */
static void take_names(struct parser *p, const struct keys *k, struct pol_secret *ret)
{
    static const enum kw_id ids[] = {KW_SECRET_dns, KW_SECRET_ip, KW_SECRET_san};
    struct pol_texts texts[3] = {{0}};
    size_t most = 1;

    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
        take_texts(p, k, ids[i], &texts[i]);
        most += texts[i].count;
    }
    ret->dns.items = arena_alloc(p->arena, most, sizeof(*ret->dns.items));
    ret->ip.items = arena_alloc(p->arena, most, sizeof(*ret->ip.items));
    if (ret->dns.items == NULL || ret->ip.items == NULL) {
        return;
    }
    for (size_t i = 0; i < texts[0].count; i++) {
        add_dns(p, k->at[KW_SECRET_dns]->mark, texts[0].items[i], ret);
    }
    for (size_t i = 0; i < texts[1].count; i++) {
        add_ip(p, k->at[KW_SECRET_ip]->mark, texts[1].items[i], ret);
    }
    for (size_t i = 0; i < texts[2].count; i++) {
        const struct pol_mark mark = k->at[KW_SECRET_san]->mark;
        const char *s = texts[2].items[i];

        if (strncmp(s, "dns:", 4) == 0) {
            add_dns(p, mark, s + 4, ret);
        } else if (strncmp(s, "ip:", 3) == 0) {
            add_ip(p, mark, s + 3, ret);
        } else {
            pol_diag_error(p->diags, mark, "'%.64s' must begin with dns: or ip:", s);
        }
    }
}

/* Values may be secret: messages never repeat them. */
static void check_value(struct parser *p, const struct ynode *n, struct pol_secret *ret)
{
    const bool has_pem = strncmp(n->text, "-----BEGIN ", 11) == 0;
    uint8_t byte;

    if (n->len == 0 && ret->kind != SECRET_ASCII) {
        pol_diag_error(p->diags, n->mark, "the value is empty");
        return;
    }
    if (strstr(n->text, "$$SCONE::") != NULL) {
        pol_diag_error(p->diags, n->mark, "a secret's value cannot be made of other secrets");
        return;
    }
    switch (ret->kind) {
    case SECRET_ASCII:
        for (size_t i = 0; i < n->len; i++) {
            if ((unsigned char)n->text[i] >= 0x80) {
                pol_diag_error(p->diags, n->mark,
                               "an ascii secret has a character beyond ASCII; use kind: binary");
                return;
            }
        }
        ret->value_size = n->len;
        break;
    case SECRET_BINARY:
        for (size_t i = 0; i < n->len; i += 2) {
            if (n->len % 2 != 0 || hex_decode(&byte, 1, n->text + i, 2) < 0) {
                pol_diag_error(p->diags, n->mark,
                               "the value of a binary secret is an even number of hex digits");
                return;
            }
        }
        ret->value_size = n->len / 2;
        break;
    default:
        if (!has_pem) {
            pol_diag_error(p->diags, n->mark, "the value of a %s must be PEM (-----BEGIN …)",
                           pol_word(SCOPE_SECRET_KIND, ret->kind));
            return;
        }
        ret->value_size = n->len;
        break;
    }
    if ((ret->kind == SECRET_ASCII || ret->kind == SECRET_BINARY) &&
        (ret->value_size > POL_SECRET_SIZE_MAX ||
         (ret->size != 0 && ret->size != ret->value_size))) {
        pol_diag_error(p->diags, n->mark, "the value has %zu %s, 'size' says %u", ret->value_size,
                       ret->kind == SECRET_ASCII ? "characters" : "bytes", ret->size);
        return;
    }
    ret->value = n->text;
}

static void parse_import(struct parser *p, const struct keys *k, struct pol_secret *ret)
{
    struct keys ik;

    ret->is_import = true;
    for (size_t i = 0; i < ARRAY_COUNT(not_for_imports); i++) {
        const enum kw_id id = not_for_imports[i];

        if (k->at[id] != NULL) {
            pol_diag_error(p->diags, k->key[id]->mark,
                           "'%s' has no meaning for an imported secret: it is what the other "
                           "session made it",
                           keywords[id].key);
        }
    }
    if (k->at[KW_SECRET_export] != NULL || k->at[KW_SECRET_export_public] != NULL) {
        pol_diag_error(
            p->diags, k->node->mark,
            "an imported secret cannot be exported again; export it from its own session");
    }
    if (!parse_keys(p, k->at[KW_SECRET_import], SCOPE_IMPORT, &ik)) {
        return;
    }
    require_key(p, &ik, KW_IMPORT_session);
    require_key(p, &ik, KW_IMPORT_secret);
    take_ref(p, &ik, KW_IMPORT_session, KW_IMPORT_session_hash, &ret->import);
    take_name(p, &ik, KW_IMPORT_secret, &ret->import_name);
}

static void parse_own(struct parser *p, const struct keys *k, struct pol_secret *ret)
{
    unsigned word = KEY_TYPE_P256;

    check_keys_of_kind(p, k, ret->kind);
    take_uint(p, k, KW_SECRET_size, 1, POL_SECRET_SIZE_MAX, NULL, &ret->size);
    take_word(p, k, KW_SECRET_key_type, &word);
    ret->key_type = word;
    take_bool(p, k, KW_SECRET_migrate, &ret->has_migrate, &ret->migrate);
    take_name(p, k, KW_SECRET_private_key, &ret->private_key);
    take_name(p, k, KW_SECRET_issuer, &ret->issuer);
    if (k->at[KW_SECRET_private_key] != NULL) {
        ret->private_key_mark = k->at[KW_SECRET_private_key]->mark;
    }
    if (k->at[KW_SECRET_issuer] != NULL) {
        ret->issuer_mark = k->at[KW_SECRET_issuer]->mark;
    }
    take_text(p, k, KW_SECRET_common_name, &ret->common_name);
    if (ret->common_name != NULL &&
        (ret->common_name[0] == '\0' || strlen(ret->common_name) > 64)) {
        pol_diag_error(p->diags, k->at[KW_SECRET_common_name]->mark,
                       "a common name has 1 to 64 bytes; host names belong in 'dns'");
    }
    word = ENDPOINT_ANY;
    take_word(p, k, KW_SECRET_endpoint, &word);
    ret->endpoint = word;
    take_duration(p, k, KW_SECRET_valid_for, &ret->valid_for);
    take_names(p, k, ret);
    parse_exports(p, k, KW_SECRET_export, &ret->export_count, &ret->exports);
    take_bool(p, k, KW_SECRET_export_public, NULL, &ret->export_public);
    if (k->at[KW_SECRET_value] != NULL) {
        check_value(p, k->at[KW_SECRET_value], ret);
    }
}

static void parse_secret(struct parser *p, const struct ynode *n, struct pol_secret *ret)
{
    struct keys k;
    unsigned kind = SECRET_UNKNOWN;

    if (!parse_keys(p, n, SCOPE_SECRET, &k)) {
        return;
    }
    *ret = (struct pol_secret){.mark = n->mark, .endpoint = ENDPOINT_ANY};
    require_key(p, &k, KW_SECRET_name);
    take_name(p, &k, KW_SECRET_name, &ret->name);
    take_word(p, &k, KW_SECRET_kind, &kind);
    ret->kind = kind;
    if (k.at[KW_SECRET_import] != NULL) {
        parse_import(p, &k, ret);
    } else if (kind != SECRET_UNKNOWN) {
        parse_own(p, &k, ret);
    } else {
        require_key(p, &k, KW_SECRET_kind);
    }
}

void parse_secrets(struct parser *p, const struct keys *k)
{
    struct pol_session *s = p->session;
    size_t count;
    const struct ynode *n = take_items(p, k, KW_SESSION_secrets, POL_SECRETS_MAX, &count);

    s->secrets = arena_alloc(p->arena, count + 1, sizeof(*s->secrets));
    for (; n != NULL && s->secrets != NULL; n = n->next) {
        struct pol_secret *secret = &s->secrets[s->secret_count];

        parse_secret(p, n, secret);
        s->secret_count += secret->name != NULL;
    }
}
