/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* access_policy, creator and security. */

#include <string.h>

#include "base/keyid.h"
#include "core/hex.h"
#include "policy/parse_internal.h"
#include "policy/text.h"

#define RULE_DEPTH_MAX 8

_Static_assert(KEYID_SIZE == sizeof(struct pol_hash), "one identity size");

struct rule_place {
    enum kw_id right;
    unsigned depth;
    size_t count; /* rules in the list it stands in */
};

static bool may_combine(enum kw_id right)
{
    return right == KW_ACCESS_update || right == KW_ACCESS_create_sessions;
}

static bool rule_from_key_name(struct parser *p, const struct ynode *n, struct pol_rule *ret)
{
    uint8_t version;
    int r;

    if (hex_decode(ret->id.b, sizeof(ret->id.b), n->text, n->len) == 0) {
        ret->kind = RULE_KEY;
        ret->id_version = KEY_ID_VERSION_KEY;
        return true;
    }
    r = key_id_parse(n->text, &version, ret->id.b);
    if (r == -EPROTO) {
        pol_diag_error(p->diags, n->mark,
                       "key name '%.64s' has a wrong checksum: a character is mistyped", n->text);
        return false;
    }
    if (r < 0 || (version != KEY_ID_VERSION_KEY && version != KEY_ID_VERSION_SIGNER)) {
        pol_diag_error(p->diags, n->mark,
                       "'%.64s' is not CREATOR, ANY, NONE, a certificate (PEM) or a key name",
                       n->text);
        return false;
    }
    ret->kind = version == KEY_ID_VERSION_KEY ? RULE_KEY : RULE_SIGNER;
    ret->id_version = version;
    return true;
}

static bool rule_from_text(struct parser *p, const struct ynode *n, const struct rule_place *at,
                           struct pol_rule *ret)
{
    static const struct {
        const char *word;
        enum rule_kind kind;
    } words[] = {{"CREATOR", RULE_CREATOR}, {"ANY", RULE_ANY}, {"NONE", RULE_NONE}};
    struct keyid id;

    ret->text = n->text;
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (strcmp(n->text, words[i].word) == 0) {
            ret->kind = words[i].kind;
            if (ret->kind != RULE_CREATOR && (at->count > 1 || at->depth > 0)) {
                pol_diag_error(p->diags, n->mark, "%s must stand alone", n->text);
            }
            return true;
        }
    }
    if (strstr(n->text, "$$SCONE::") != NULL) {
        pol_diag_error(p->diags, n->mark,
                       "macros are not supported in access_policy; write the certificate or the "
                       "key name");
        return false;
    }
    if (strncmp(n->text, "-----BEGIN ", 11) != 0) {
        return rule_from_key_name(p, n, ret);
    }
    if (keyid_from_certificate_pem(n->text, n->len, &id) < 0) {
        pol_diag_error(p->diags, n->mark, "this is not exactly one certificate in PEM");
        return false;
    }
    ret->kind = RULE_KEY;
    ret->id_version = KEY_ID_VERSION_KEY;
    memcpy(ret->id.b, id.spki_hash, sizeof(ret->id.b));
    return true;
}

static bool id_from_signer(struct parser *p, const struct ynode *n, struct pol_hash *ret_id,
                           uint8_t *ret_version)
{
    struct keyid id;

    if (key_id_parse(n->text, ret_version, ret_id->b) == 0 &&
        (*ret_version == KEY_ID_VERSION_SIGNER || *ret_version == KEY_ID_VERSION_KEY)) {
        return true;
    }
    if (keyid_from_public_key_pem(n->text, n->len, &id) < 0) {
        pol_diag_error(p->diags, n->mark,
                       "a signer is a public key in PEM (-----BEGIN PUBLIC KEY-----) or a signer "
                       "name");
        return false;
    }
    *ret_version = id.is_ed25519 ? KEY_ID_VERSION_SIGNER : KEY_ID_VERSION_KEY;
    memcpy(ret_id->b, id.is_ed25519 ? id.ed25519 : id.spki_hash, sizeof(ret_id->b));
    return true;
}

static void parse_rules(struct parser *p, const struct ynode *n, size_t count, struct rule_place at,
                        size_t *ret_count, struct pol_rule **ret);

static bool rule_combined(struct parser *p, const struct ynode *key, const struct rule_place *at,
                          struct pol_rule *ret)
{
    const struct ynode *list = key->value;
    struct rule_place below = {.right = at->right, .depth = at->depth + 1};

    ret->kind = RULE_ALL;
    if (!may_combine(at->right)) {
        pol_diag_error(
            p->diags, key->mark,
            "'%.32s' is only for update and create_sessions: reading cannot be signed by "
            "several",
            key->text);
        return false;
    }
    if (at->depth >= RULE_DEPTH_MAX) {
        pol_diag_error(p->diags, key->mark, "rules are nested too deeply");
        return false;
    }
    if (list->kind != YNODE_LIST || list->count == 0 || list->count > POL_LIST_MAX) {
        pol_diag_error(p->diags, list->mark, "'%.32s' needs a list of entries", key->text);
        return false;
    }
    below.count = list->count;
    parse_rules(p, list->first, list->count, below, &ret->count, &ret->rules);
    if (strcmp(key->text, "require-all") != 0) {
        ret->kind = RULE_AT_LEAST;
        if (!parse_number(key->text + strlen("require-at-least-"), &ret->at_least) ||
            ret->at_least == 0 || ret->at_least > list->count) {
            pol_diag_error(p->diags, key->mark,
                           "'%.32s': N must be a number from 1 to the %zu entries of the list",
                           key->text, list->count);
            return false;
        }
    }
    return true;
}

static bool rule_from_map(struct parser *p, const struct ynode *n, const struct rule_place *at,
                          struct pol_rule *ret)
{
    const struct ynode *key = n->first;
    struct keys k;

    if (!parse_keys(p, n, SCOPE_ENTITY, &k)) {
        return false;
    }
    if (n->count != 1) {
        pol_diag_error(p->diags, n->mark,
                       "one entry, one key: signer, require-all or "
                       "require-at-least-N");
        return false;
    }
    if (k.at[KW_ENTITY_signer] == NULL) {
        return keyword_find(SCOPE_ENTITY, key->text) != NULL && rule_combined(p, key, at, ret);
    }
    ret->kind = RULE_SIGNER;
    ret->text = k.at[KW_ENTITY_signer]->text;
    return id_from_signer(p, k.at[KW_ENTITY_signer], &ret->id, &ret->id_version);
}

static void parse_rules(struct parser *p, const struct ynode *n, size_t count, struct rule_place at,
                        size_t *ret_count, struct pol_rule **ret)
{
    struct pol_rule *rules = arena_alloc(p->arena, count + 1, sizeof(*rules));

    if (rules == NULL) {
        return;
    }
    *ret = rules;
    for (; n != NULL; n = n->next) {
        struct pol_rule *rule = &rules[*ret_count];

        *rule = (struct pol_rule){.mark = n->mark};
        if (n->kind == YNODE_LIST) {
            pol_diag_error(p->diags, n->mark, "a list inside a list; use require-all for \"and\"");
        } else if (!(n->kind == YNODE_MAP ? rule_from_map(p, n, &at, rule)
                                          : rule_from_text(p, n, &at, rule))) {
            continue; /* reported */
        } else if (rule->kind == RULE_SIGNER && !may_combine(at.right)) {
            pol_diag_error(p->diags, n->mark,
                           "a signer is not for reading: requests that read are "
                           "not signed; use a certificate");
        } else {
            (*ret_count)++;
        }
    }
}

void parse_access(struct parser *p, const struct keys *k)
{
    static const enum kw_id ids[RIGHT_COUNT] = {
        [RIGHT_READ] = KW_ACCESS_read,
        [RIGHT_UPDATE] = KW_ACCESS_update,
        [RIGHT_CREATE_SESSIONS] = KW_ACCESS_create_sessions,
        [RIGHT_LIST_SESSIONS] = KW_ACCESS_list_sessions,
        [RIGHT_READ_SECRETS] = KW_ACCESS_read_secrets,
    };
    struct keys ak;

    if (k->at[KW_SESSION_access_policy] == NULL ||
        !parse_keys(p, k->at[KW_SESSION_access_policy], SCOPE_ACCESS, &ak)) {
        return;
    }
    for (size_t i = 0; i < RIGHT_COUNT; i++) {
        struct pol_right_rules *right = &p->session->rights[i];
        struct rule_place at = {.right = ids[i]};
        const struct ynode *n;

        if (ak.at[ids[i]] == NULL) {
            continue;
        }
        n = take_items(p, &ak, ids[i], POL_LIST_MAX, &at.count);
        right->present = true;
        parse_rules(p, n, at.count, at, &right->count, &right->rules);
        if (at.count == 0) {
            pol_diag_error(p->diags, ak.at[ids[i]]->mark,
                           "an empty list; write NONE when nobody shall have the right");
        }
    }
}

void parse_creator(struct parser *p, const struct keys *k)
{
    struct pol_creator *c = &p->session->creator;
    const struct ynode *n = k->at[KW_SESSION_creator];
    struct pol_rule rule = {0};
    const struct rule_place at = {.right = KW_ACCESS_update, .count = 1};
    struct keys ck;

    if (n == NULL) {
        return;
    }
    if (n->kind == YNODE_MAP) {
        if (!parse_keys(p, n, SCOPE_ENTITY, &ck) || ck.at[KW_ENTITY_signer] == NULL ||
            n->count != 1) {
            pol_diag_error(p->diags, n->mark,
                           "'creator' is a certificate, a key name or signer: …");
            return;
        }
        n = ck.at[KW_ENTITY_signer];
        c->present = id_from_signer(p, n, &c->id, &c->version);
        c->text = n->text;
        return;
    }
    if (!rule_from_text(p, n, &at, &rule)) {
        return;
    }
    if (rule.kind != RULE_KEY && rule.kind != RULE_SIGNER) {
        pol_diag_error(p->diags, n->mark, "'creator' is one certificate or key, not %.16s",
                       n->text);
        return;
    }
    *c = (struct pol_creator){
        .present = true, .version = rule.id_version, .id = rule.id, .text = n->text};
}

static bool advisory_valid(const char *s)
{
    static const char prefix[] = "INTEL-SA-";
    const size_t len = strlen(s);

    if (len < sizeof(prefix) - 1 + 5 || len > sizeof(prefix) - 1 + 6 ||
        strncmp(s, prefix, sizeof(prefix) - 1) != 0) {
        return false;
    }
    return s[sizeof(prefix) - 1 + strspn(s + sizeof(prefix) - 1, "0123456789")] == '\0';
}

static void parse_advisories(struct parser *p, const struct keys *k, struct pol_security *s)
{
    const struct ynode *n = k->at[KW_SECURITY_ATTEST_ignore_advisories];
    size_t count;

    if (n == NULL) {
        return;
    }
    if ((n->kind == YNODE_SCALAR && strcmp(n->text, "*") == 0) ||
        (n->kind == YNODE_LIST && n->count == 1 && n->first->kind == YNODE_SCALAR &&
         strcmp(n->first->text, "*") == 0)) {
        s->ignore_all_advisories = true;
        if ((s->tolerate & 1u << TOLERATE_DEBUG) == 0) {
            pol_diag_error(p->diags, n->mark,
                           "\"*\" is only allowed together with tolerate: [debug-mode]; list the "
                           "advisories");
        }
        return;
    }
    take_texts(p, k, KW_SECURITY_ATTEST_ignore_advisories, &s->ignore_advisories);
    n = take_items(p, k, KW_SECURITY_ATTEST_ignore_advisories, POL_LIST_MAX, &count);
    for (; n != NULL; n = n->next) {
        if (n->kind == YNODE_SCALAR && !advisory_valid(n->text)) {
            pol_diag_error(p->diags, n->mark, "'%.64s' is not an advisory such as INTEL-SA-00161",
                           n->text);
        }
    }
}

static void parse_roots(struct parser *p, const struct keys *k, struct pol_security *s)
{
    const struct ynode *n;
    size_t count;

    n = take_items(p, k, KW_SECURITY_ATTEST_software_roots, POL_LIST_MAX, &count);
    s->roots = arena_alloc(p->arena, count + 1, sizeof(*s->roots));
    for (; n != NULL && s->roots != NULL; n = n->next) {
        struct pol_rule rule = {0};
        const struct rule_place at = {.right = KW_ACCESS_read, .count = 1};

        if (n->kind != YNODE_SCALAR || !rule_from_text(p, n, &at, &rule) || rule.kind != RULE_KEY) {
            pol_diag_error(p->diags, n->mark,
                           "a software root is the SHA-256 of its public key (64 hex digits or a "
                           "key name) or its certificate (PEM)");
            continue;
        }
        s->roots[s->root_count++] = rule.id;
    }
}

static void parse_attestation(struct parser *p, const struct ynode *n, struct pol_security *s)
{
    unsigned mode = ATTEST_MODE_HARDWARE;
    struct keys k;
    size_t count;

    if (!parse_keys(p, n, SCOPE_SECURITY_ATTEST, &k)) {
        return;
    }
    take_word(p, &k, KW_SECURITY_ATTEST_mode, &mode);
    s->mode = mode;
    n = take_items(p, &k, KW_SECURITY_ATTEST_tolerate, POL_LIST_MAX, &count);
    for (; n != NULL; n = n->next) {
        const int word = parse_word(p, n, SCOPE_TOLERATE);

        s->tolerate |= word >= 0 ? 1u << word : 0;
    }
    parse_advisories(p, &k, s);
    parse_roots(p, &k, s);
    take_duration(p, &k, KW_SECURITY_ATTEST_max_collateral_age, &s->max_collateral_age);
    take_uint(p, &k, KW_SECURITY_ATTEST_min_tcb_evaluation, 0, UINT32_MAX, NULL,
              &s->min_tcb_evaluation);
    if (k.at[KW_SECURITY_ATTEST_software_roots] != NULL && s->mode != ATTEST_MODE_SOFTWARE) {
        pol_diag_error(p->diags, k.key[KW_SECURITY_ATTEST_software_roots]->mark,
                       "software_roots only has meaning with mode: software");
    }
    if (s->mode == ATTEST_MODE_SOFTWARE && s->root_count == 0) {
        pol_diag_error(p->diags,
                       k.at[KW_SECURITY_ATTEST_mode] != NULL ? k.at[KW_SECURITY_ATTEST_mode]->mark
                                                             : k.node->mark,
                       "mode: software needs software_roots: name the roots you accept, by hash or "
                       "certificate");
    }
}

void parse_security(struct parser *p, const struct keys *k)
{
    struct pol_security *s = &p->session->security;
    struct keys sk;

    s->mode = ATTEST_MODE_HARDWARE;
    if (k->at[KW_SESSION_security] == NULL ||
        !parse_keys(p, k->at[KW_SESSION_security], SCOPE_SECURITY, &sk)) {
        return;
    }
    s->mark = k->at[KW_SESSION_security]->mark;
    if (sk.at[KW_SECURITY_attestation] != NULL) {
        parse_attestation(p, sk.at[KW_SECURITY_attestation], s);
    }
}
