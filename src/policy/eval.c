/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "policy/eval.h"

#include <stdio.h>
#include <string.h>

#include "core/ct.h"
#include "core/hex.h"
#include "policy/text.h"

/* ---- evidence ------------------------------------------------------------------------------- */

static bool tolerates(const struct pol_security *s, enum tolerate what)
{
    return (s->tolerate & 1u << what) != 0;
}

/* Weaknesses with a name of their own, and the advisories that name means. */
static const struct {
    enum tolerate word;
    const char *advisory;
} named_advisories[] = {
    {TOLERATE_HYPERTHREADING, "INTEL-SA-00161"}, /* L1 terminal fault */
    {TOLERATE_HYPERTHREADING, "INTEL-SA-00233"}, /* microarchitectural data sampling */
    {TOLERATE_HYPERTHREADING, "INTEL-SA-00615"}, /* MMIO stale data */
    {TOLERATE_IGPU, "INTEL-SA-00219"},           /* graphics writes into SGX memory */
    {TOLERATE_AEPIC_LEAK, "INTEL-SA-00657"},
};

static bool advisory_named(const struct pol_security *s, const char *advisory)
{
    for (size_t i = 0; i < ARRAY_COUNT(named_advisories); i++) {
        if (tolerates(s, named_advisories[i].word) &&
            strcmp(named_advisories[i].advisory, advisory) == 0) {
            return true;
        }
    }
    return false;
}

static bool advisory_accepted(const struct pol_security *s, const char *advisory)
{
    if (s->ignore_all_advisories || advisory_named(s, advisory)) {
        return true;
    }
    for (size_t i = 0; i < s->ignore_advisories.count; i++) {
        if (strcmp(s->ignore_advisories.items[i], advisory) == 0) {
            return true;
        }
    }
    return false;
}

/* A configuration may be tolerated as a whole, or because everything wrong with it has a name that
 * is tolerated. */
static bool configuration_tolerated(const struct pol_security *s, const struct pol_claims *c)
{
    if (tolerates(s, TOLERATE_CONFIGURATION)) {
        return true;
    }
    for (size_t i = 0; i < c->advisory_count; i++) {
        if (!advisory_named(s, c->advisories[i])) {
            return false;
        }
    }
    return c->advisory_count > 0;
}

static int check_tcb(const struct pol_security *s, const struct pol_claims *c, struct error **err)
{
    bool hardening = false;
    bool configuration = false;
    bool outdated = false;

    switch (c->tcb_status) {
    case POL_TCB_UP_TO_DATE: break;
    case POL_TCB_SW_HARDENING_NEEDED: hardening = true; break;
    case POL_TCB_CONFIGURATION_NEEDED: configuration = true; break;
    case POL_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED:
        hardening = true;
        configuration = true;
        break;
    case POL_TCB_OUT_OF_DATE: outdated = true; break;
    case POL_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED:
        outdated = true;
        configuration = true;
        break;
    case POL_TCB_REVOKED: return error_set(err, EACCES, "the platform's TCB is revoked");
    default: return error_set(err, EACCES, "the platform's TCB status is unknown");
    }
    if (hardening && !tolerates(s, TOLERATE_SW_HARDENING)) {
        return error_set(err, EACCES,
                         "TCB status: software hardening needed, which is not "
                         "tolerated (software-hardening-needed)");
    }
    if (outdated && !tolerates(s, TOLERATE_OUTDATED_TCB)) {
        return error_set(err, EACCES,
                         "TCB status: out of date, which is not tolerated (outdated-tcb)");
    }
    if (configuration && !configuration_tolerated(s, c)) {
        return error_set(err, EACCES,
                         "TCB status: configuration needed, which is not tolerated "
                         "(insecure-configuration)");
    }
    return 0;
}

static int check_root(const struct pol_security *s, const struct pol_claims *c, struct error **err)
{
    char hex[65];

    if (!c->software_root) {
        return 0; /* the verifier vouches for Intel's root; it satisfies either mode */
    }
    if (s->mode != ATTEST_MODE_SOFTWARE) {
        return error_set(err, EACCES,
                         "the evidence is of an emulated processor, and the session "
                         "wants hardware (mode: software would accept it)");
    }
    for (size_t i = 0; i < s->root_count; i++) {
        if (memcmp(s->roots[i].b, c->root_id, sizeof(c->root_id)) == 0) {
            return 0;
        }
    }
    hex_encode(hex, c->root_id, sizeof(c->root_id));
    return error_set(err, EACCES, "software root %s is not among software_roots", hex);
}

static int check_security(const struct pol_security *s, const struct pol_claims *c,
                          struct error **err)
{
    int r = check_root(s, c, err);

    if (r == 0 && c->debug && !tolerates(s, TOLERATE_DEBUG)) {
        r = error_set(err, EACCES, "a debug enclave, which is not tolerated (debug-mode)");
    }
    if (r == 0) {
        r = check_tcb(s, c, err);
    }
    for (size_t i = 0; i < c->advisory_count && r == 0; i++) {
        if (!advisory_accepted(s, c->advisories[i])) {
            r = error_set(err, EACCES, "advisory %s applies and is not in ignore_advisories",
                          c->advisories[i]);
        }
    }
    if (r == 0 && s->max_collateral_age != 0 && c->collateral_age > s->max_collateral_age) {
        r = error_set(err, EACCES, "the collateral is %llu seconds old, at most %llu are allowed",
                      (unsigned long long)c->collateral_age,
                      (unsigned long long)s->max_collateral_age);
    }
    if (r == 0 && c->tcb_evaluation < s->min_tcb_evaluation) {
        r = error_set(err, EACCES, "TCB evaluation data number %u is below %u", c->tcb_evaluation,
                      s->min_tcb_evaluation);
    }
    return r;
}

/* Returns NULL when the enclave matches, else what does not. */
static const char *enclave_mismatch(const struct pol_enclave *e, const struct pol_claims *c)
{
    bool measured = e->mrenclave_count == 0;

    for (size_t i = 0; i < e->mrenclave_count; i++) {
        measured = measured || memcmp(e->mrenclaves[i].b, c->mrenclave, sizeof(c->mrenclave)) == 0;
    }
    if (!measured) {
        return "MRENCLAVE";
    }
    if (e->has_mrsigner && memcmp(e->mrsigner.b, c->mrsigner, sizeof(c->mrsigner)) != 0) {
        return "MRSIGNER";
    }
    if (e->has_isvprodid && e->isvprodid != c->isvprodid) {
        return "ISVPRODID";
    }
    if (e->has_isvsvn_min && c->isvsvn < e->isvsvn_min) {
        return "ISVSVN (too low)";
    }
    if (e->has_isvsvn_max && c->isvsvn > e->isvsvn_max) {
        return "ISVSVN (too high)";
    }
    /* The parser lets nothing without a condition in; do not depend on that alone. */
    return e->mrenclave_count > 0 || e->has_mrsigner ? NULL : "a condition that is missing";
}

static int check_enclave(const struct pol_service *service, const struct pol_claims *c,
                         struct error **err)
{
    const char *last = "no enclave named";
    char mrenclave[65];
    char mrsigner[65];

    for (size_t i = 0; i < service->enclave_count; i++) {
        last = enclave_mismatch(&service->enclaves[i], c);
        if (last == NULL) {
            return 0;
        }
    }
    hex_encode(mrenclave, c->mrenclave, sizeof(c->mrenclave));
    hex_encode(mrsigner, c->mrsigner, sizeof(c->mrsigner));
    return error_set(err, EACCES,
                     "none of the %zu accepted enclaves matches (%s): MRENCLAVE %s MRSIGNER %s "
                     "ISVPRODID %u ISVSVN %u",
                     service->enclave_count, last, mrenclave, mrsigner, c->isvprodid, c->isvsvn);
}

static int check_platform(const struct pol_service *service, const struct pol_claims *c,
                          struct error **err)
{
    char hex[33];

    for (size_t i = 0; i < service->platform_count; i++) {
        if (memcmp(service->platforms[i].qe_id, c->qe_id, sizeof(c->qe_id)) == 0) {
            return 0;
        }
    }
    if (service->platform_count == 0) {
        return 0;
    }
    hex_encode(hex, c->qe_id, sizeof(c->qe_id));
    return error_set(err, EACCES, "platform INTEL_QE_ID:%s is not among the service's platforms",
                     hex);
}

int pol_evaluate(const struct pol_session *s, const char *name, const struct pol_claims *claims,
                 struct error **err)
{
    const struct pol_service *service = pol_find_service(s, name);
    int r;

    if (service == NULL) {
        return error_set(err, ENOENT, "session %s has no service '%.*s'", s->name, POL_WORD_MAX,
                         name);
    }
    if (s->security.mode == ATTEST_MODE_NONE) {
        return 0;
    }
    if (!claims->present) {
        return error_set(err, EACCES, "the service showed no evidence");
    }
    r = check_security(&s->security, claims, err);
    if (r == 0) {
        r = check_platform(service, claims, err);
    }
    return r == 0 ? check_enclave(service, claims, err) : r;
}

/* ---- callers -------------------------------------------------------------------------------- */

static bool is_signer(const struct pol_caller *c, uint8_t version, const struct pol_hash *id)
{
    for (size_t i = 0; i < c->signer_count; i++) {
        if (c->signers[i].version == version &&
            memcmp(c->signers[i].id.b, id->b, sizeof(id->b)) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_key(const struct pol_caller *c, const struct pol_hash *id)
{
    return c->has_key && memcmp(c->key.b, id->b, sizeof(id->b)) == 0;
}

static bool is_creator(const struct pol_session *s, const struct pol_caller *c)
{
    const struct pol_creator *creator = &s->creator;

    if (!creator->present) {
        return false;
    }
    return is_signer(c, creator->version, &creator->id) ||
           (creator->version == KEY_ID_VERSION_KEY && is_key(c, &creator->id));
}

static bool rule_allows(const struct pol_session *s, const struct pol_rule *rule,
                        const struct pol_caller *c)
{
    size_t met = 0;

    switch (rule->kind) {
    case RULE_CREATOR: return is_creator(s, c);
    case RULE_ANY: return true;
    case RULE_NONE: return false;
    case RULE_KEY: return is_key(c, &rule->id);
    case RULE_SIGNER: return is_signer(c, rule->id_version, &rule->id);
    case RULE_ALL:
    case RULE_AT_LEAST:
        for (size_t i = 0; i < rule->count; i++) {
            met += rule_allows(s, &rule->rules[i], c);
        }
        return rule->count > 0 &&
               met >= (rule->kind == RULE_ALL ? rule->count : (size_t)MAX(rule->at_least, 1u));
    }
    return false;
}

static bool right_allows(const struct pol_session *s, enum pol_right right,
                         const struct pol_caller *c)
{
    const struct pol_right_rules *r = &s->rights[right];

    for (size_t i = 0; i < r->count; i++) {
        if (rule_allows(s, &r->rules[i], c)) {
            return true;
        }
    }
    if (r->present) {
        return right == RIGHT_LIST_SESSIONS && right_allows(s, RIGHT_CREATE_SESSIONS, c);
    }
    switch (right) {
    case RIGHT_READ:
    case RIGHT_UPDATE: return is_creator(s, c);
    case RIGHT_CREATE_SESSIONS: return right_allows(s, RIGHT_UPDATE, c);
    case RIGHT_LIST_SESSIONS:
        return right_allows(s, RIGHT_READ, c) || right_allows(s, RIGHT_CREATE_SESSIONS, c);
    default: return false;
    }
}

int pol_access(const struct pol_session *s, enum pol_right right, const struct pol_caller *caller,
               struct error **err)
{
    static const char *const names[RIGHT_COUNT] = {
        [RIGHT_READ] = "read",
        [RIGHT_UPDATE] = "update",
        [RIGHT_CREATE_SESSIONS] = "create_sessions",
        [RIGHT_LIST_SESSIONS] = "list_sessions",
        [RIGHT_READ_SECRETS] = "read_secrets",
    };

    if ((size_t)right < RIGHT_COUNT && right_allows(s, right, caller)) {
        return 0;
    }
    return error_set(err, EACCES, "%s does not have the right '%s' on session %s",
                     caller->has_key ? "the caller's key" : "a caller without certificate",
                     (size_t)right < RIGHT_COUNT ? names[right] : "?", s->name);
}

/* ---- exports -------------------------------------------------------------------------------- */

static bool ref_matches(const struct pol_session *from, const struct pol_ref *ref, const char *name,
                        const uint8_t *hash)
{
    char full[POL_NAME_MAX + 1];
    size_t len;

    if (name_session_resolve(from->name, ref->session, full, sizeof(full)) < 0) {
        return false;
    }
    len = strlen(full);
    if (ref->is_namespace) {
        return strncmp(name, full, len) == 0 && (name[len] == '\0' || name[len] == '/');
    }
    return strcmp(name, full) == 0 &&
           (!ref->has_hash || memcmp(ref->hash.b, hash, sizeof(ref->hash.b)) == 0);
}

bool pol_exports_to(const struct pol_session *from, const struct pol_secret *secret,
                    const char *name, const uint8_t hash[static POL_HASH_SIZE])
{
    for (size_t i = 0; i < secret->export_count; i++) {
        if (ref_matches(from, &secret->exports[i], name, hash)) {
            return true;
        }
    }
    return false;
}

const struct pol_volume_export *pol_volume_exports_to(const struct pol_session *from,
                                                      const struct pol_volume *volume,
                                                      const char *name,
                                                      const uint8_t hash[static POL_HASH_SIZE])
{
    for (size_t i = 0; i < volume->export_count; i++) {
        if (ref_matches(from, &volume->exports[i].to, name, hash)) {
            return &volume->exports[i];
        }
    }
    return NULL;
}
