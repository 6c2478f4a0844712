/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The decision. The evidence is verified and its binding compared whatever the session is, so that
 * whoever has no enclave learns little from how long a refusal takes; every refusal is one line in
 * the audit log and one and the same answer.
 */

#include "cas/provision.h"

#include <string.h>

#include "base/crypto.h"
#include "cas/snapshot.h"
#include "core/ct.h"
#include "core/hex.h"
#include "policy/text.h"

struct provisioning {
    struct cas *cas;
    struct evidence *evidence;
    const struct provision_call *call;
    int64_t now;
    bool genuine; /* `v` holds what the evidence says */
    bool bound;   /* and it was made for this request */
    struct verified v;
    const char *code; /* the verifier's word for why not */
    struct cas_snapshot *snapshot;
    struct cas_bytes document;
};

static const char *const refusal_names[] = {
#define X(id, name, meaning) [REFUSAL_##id] = name,
#include "cas/refusals.tbl.h"
#undef X
};

_Static_assert(REFUSAL_COUNT <= CAS_REFUSALS_MAX, "counters for each refusal");

const char *refusal_name(enum refusal r)
{
    return (size_t)r < ARRAY_COUNT(refusal_names) ? refusal_names[r] : "?";
}

void provision_result_clear(struct provision_result *r)
{
    cas_bytes_clear(&r->document);
}

/* ---- evidence ------------------------------------------------------------------------------- */

static int refuse_reason(struct provisioning *p, int r, const struct att_reason *why,
                         struct error **err)
{
    p->code = att_code_name(why->code);
    return error_set(err, -r, "%s%s%s", att_code_sentence(why->code),
                     why->detail[0] != '\0' ? ": " : "", why->detail);
}

static int verify(struct provisioning *p, enum refusal *ret_refusal, struct error **err)
{
    const struct provision_request *req = p->call->request;
    struct att_reason why = {0};
    int r;

    if (!req->has_quote) {
        return 0;
    }
    *ret_refusal = REFUSAL_EVIDENCE;
    r = evidence_verify(p->evidence, req->quote, req->quote_size, p->now, &p->v, &why);
    if (r < 0) {
        (void)refuse_reason(p, r, &why, err);
        return why.code == ATT_INTERNAL ? -EAGAIN : -EACCES;
    }
    p->genuine = (p->v.claims.groups & ATT_GROUP_SGX) != 0;
    if (!p->genuine) {
        p->code = att_code_name(ATT_EVIDENCE_UNKNOWN);
        return error_set(err, EACCES, "the evidence is of kind %s, and sgx-dcap was announced",
                         p->v.claims.evidence_type);
    }
    if (!ct_equal(p->v.claims.report_data, p->call->expected, 64)) {
        *ret_refusal = REFUSAL_BINDING;
        return error_set(err, EACCES,
                         "the report data is not that of this connection, session and service: "
                         "evidence of another connection, or relayed");
    }
    p->bound = true;
    return 0;
}

/* What the session tolerates, for the verifier's own appraisal. Advisories are not judged there:
 * the session language has names for some, and pol_evaluate knows them. */
static void appraisal_policy(const struct pol_security *s, struct att_policy *ret)
{
    const uint32_t configuration = 1u << TOLERATE_CONFIGURATION | 1u << TOLERATE_HYPERTHREADING |
                                   1u << TOLERATE_IGPU | 1u << TOLERATE_AEPIC_LEAK;
    const bool hardening = (s->tolerate & 1u << TOLERATE_SW_HARDENING) != 0;
    const bool outdated = (s->tolerate & 1u << TOLERATE_OUTDATED_TCB) != 0;
    const bool configured = (s->tolerate & configuration) != 0;

    *ret = (struct att_policy){
        .allow_debug = (s->tolerate & 1u << TOLERATE_DEBUG) != 0,
        .allow_software = s->mode == ATTEST_MODE_SOFTWARE,
    };
    ret->tolerate =
        (hardening ? ATT_TOLERATE(SWHardeningNeeded) : 0) |
        (configured ? ATT_TOLERATE(ConfigurationNeeded) : 0) |
        (hardening && configured ? ATT_TOLERATE(ConfigurationAndSWHardeningNeeded) : 0) |
        (outdated ? ATT_TOLERATE(OutOfDate) : 0) |
        (outdated && configured ? ATT_TOLERATE(OutOfDateConfigurationNeeded) : 0);
}

static enum pol_tcb_status policy_status(enum att_tcb_status status)
{
    switch (status) {
    case ATT_TCB_UpToDate: return POL_TCB_UP_TO_DATE;
    case ATT_TCB_SWHardeningNeeded: return POL_TCB_SW_HARDENING_NEEDED;
    case ATT_TCB_ConfigurationNeeded: return POL_TCB_CONFIGURATION_NEEDED;
    case ATT_TCB_ConfigurationAndSWHardeningNeeded:
        return POL_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED;
    case ATT_TCB_OutOfDate: return POL_TCB_OUT_OF_DATE;
    case ATT_TCB_OutOfDateConfigurationNeeded: return POL_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
    default: return POL_TCB_REVOKED; /* unknown platforms and TDX's own are as good as that */
    }
}

static int evaluate(struct provisioning *p, enum refusal *ret_refusal, struct error **err)
{
    const struct pol_session *s = p->snapshot->loaded.session;
    const struct att_claims *a = &p->v.claims;
    const char *advisories[ATT_ADVISORY_MAX];
    struct pol_claims claims = {.present = p->bound};
    struct att_policy policy;
    struct att_reason why = {0};
    int r;

    if (p->bound && s->security.mode != ATTEST_MODE_NONE) {
        *ret_refusal = REFUSAL_APPRAISAL;
        appraisal_policy(&s->security, &policy);
        r = att_appraise(a, &policy, &why);
        if (r < 0) {
            (void)refuse_reason(p, r, &why, err);
            return -EACCES;
        }
    }
    if (p->bound) {
        claims.software_root = a->root_class != ATT_ROOT_HARDWARE;
        claims.isvprodid = a->isv_prod_id;
        claims.isvsvn = a->isv_svn;
        claims.debug = a->debug;
        claims.tcb_status = policy_status(a->tcb_status);
        claims.tcb_evaluation = a->tcb_evaluation_number;
        claims.collateral_age = (uint64_t)MAX(p->now - p->v.issued_at, (int64_t)0);
        memcpy(claims.root_id, p->v.root_id, sizeof(claims.root_id));
        memcpy(claims.mrenclave, a->mrenclave, sizeof(claims.mrenclave));
        memcpy(claims.mrsigner, a->mrsigner, sizeof(claims.mrsigner));
        memcpy(claims.qe_id, a->qe_id, sizeof(claims.qe_id));
        for (size_t i = 0; i < a->advisory_count; i++) {
            advisories[i] = a->advisories[i].id;
        }
        claims.advisory_count = a->advisory_count;
        claims.advisories = advisories;
    }
    *ret_refusal = REFUSAL_POLICY;
    r = pol_evaluate(s, p->call->request->service, &claims, err);
    if (r == -ENOENT) {
        *ret_refusal = REFUSAL_SESSION;
        return -EACCES;
    }
    return r;
}

/* ---- the document --------------------------------------------------------------------------- */

/* By its own name, or by the alias of an export. NULL: there is none, or it is not for this one. */
static const struct pol_volume *find_export(const struct pol_session *from, const char *name,
                                            const char *to, const uint8_t *to_hash)
{
    for (size_t i = 0; i < from->volume_count; i++) {
        const struct pol_volume *v = &from->volumes[i];
        const struct pol_volume_export *e = pol_volume_exports_to(from, v, to, to_hash);

        if (e != NULL && !v->is_import &&
            strcmp(e->alias != NULL ? e->alias : v->name, name) == 0) {
            return v;
        }
    }
    return NULL;
}

/* A volume that another session exports to this one; the context is a struct cas_import_source. */
static int import_volume(void *ctx, const struct pol_session *s, const struct pol_volume *wanted,
                         struct provision_volume *ret, struct error **err)
{
    const struct cas_import_source *source = ctx;
    _cleanup_(cas_loaded_clear) struct cas_loaded from = {0};
    _cleanup_secrets_ struct cas_secrets secrets = {0};
    struct cas_import_source below = {.cas = source->cas, .depth = source->depth + 1};
    const struct cas_imports imports = {.get = cas_import_get, .ctx = &below};
    struct cas_value_source from_values = {.set = &secrets, .imports = &imports};
    const struct pol_values values = {.get = cas_value_get, .ctx = &from_values};
    const struct pol_volume *volume;
    char name[POL_NAME_MAX + 1];
    int r = name_session_resolve(s->name, wanted->import.session, name, sizeof(name));

    if (r < 0) {
        return error_set_errno(err, -r, "import of volume '%s'", wanted->name);
    }
    r = cas_load_whole(source->cas, name, &from, &secrets, err);
    if (r < 0) {
        return r;
    }
    volume = find_export(from.session, wanted->import_name, s->name, source->hash);
    if (volume == NULL) {
        return error_set(err, EINVAL, "session %s does not export a volume '%s' to %s", name,
                         wanted->import_name, s->name);
    }
    if (wanted->import.has_hash && !ct_equal(wanted->import.hash.b, from.row.hash, POL_HASH_SIZE)) {
        return error_set(err, ESTALE,
                         "session %s does not have the session_hash the import asks for", name);
    }
    from_values.session = from.session;
    memcpy(below.hash, from.row.hash, sizeof(below.hash));
    return provision_volume_get(from.session, volume, &values, ret, err);
}

static int build(struct provisioning *p, enum refusal *ret_refusal, struct error **err)
{
    const struct cas_loaded *l = &p->snapshot->loaded;
    struct cas_import_source from = {.cas = p->cas};
    const struct cas_imports imports = {.get = cas_import_get, .ctx = &from};
    struct cas_value_source source = {
        .session = l->session,
        .set = &p->snapshot->secrets,
        .imports = &imports,
    };
    const struct pol_values values = {.get = cas_value_get, .ctx = &source};
    const struct provision_imports volumes = {.get = import_volume, .ctx = &from};
    const struct pol_service *service = pol_find_service(l->session, p->call->request->service);
    int r;

    memcpy(from.hash, l->row.hash, sizeof(from.hash));
    *ret_refusal = REFUSAL_CONFIGURATION;
    r = provision_document(l->session, service, &values, &volumes, &p->document, err);
    /* What an import's owner took back, or a session that cannot be applied, will not get better
     * by asking again; memory and the store may. */
    return r == -EINVAL || r == -ENOENT || r == -ESTALE || r == -ELOOP || r == -EFBIG ? -EACCES : r;
}

/* What the evidence says counts for nothing where the session wants none. */
static bool wants_none(const struct provisioning *p)
{
    return p->snapshot->loaded.session->security.mode == ATTEST_MODE_NONE;
}

static int decide(struct provisioning *p, enum refusal *ret_refusal, struct error **err)
{
    _cleanup_error_ struct error *evidence_err = NULL;
    const int evidence = verify(p, ret_refusal, &evidence_err);
    enum refusal refusal = REFUSAL_SESSION;
    int r = cas_snapshot_get(p->cas, p->call->request->session, &p->snapshot, err);

    if (evidence < 0 && (r < 0 || !wants_none(p))) {
        if (*err != NULL) {
            *err = error_free(*err);
        }
        *err = TAKE_PTR(evidence_err);
        return evidence;
    }
    p->code = NULL;
    if (r == 0) {
        r = evaluate(p, &refusal, err);
    } else if (r == -ENOENT) {
        r = -EACCES;
    }
    if (r == 0) {
        r = build(p, &refusal, err);
    }
    *ret_refusal = refusal;
    return r;
}

/* ---- the log -------------------------------------------------------------------------------- */

static void add_hex(json_t *j, const char *key, const uint8_t *data, size_t size)
{
    char hex[2 * 64 + 1];

    hex_encode(hex, data, size);
    (void)json_object_set_new(j, key, json_string(hex));
}

static json_t *log_fields(const struct provisioning *p)
{
    const struct cas_caller who = {.peer = p->call->peer};
    const struct provision_request *req = p->call->request;
    const struct att_claims *a = &p->v.claims;
    json_t *j = cas_log_fields(&who, req->session,
                               p->snapshot != NULL ? p->snapshot->loaded.row.hash : NULL);

    (void)json_object_set_new(j, "service", json_string(req->service));
    if (p->genuine) {
        add_hex(j, "mrenclave", a->mrenclave, sizeof(a->mrenclave));
        add_hex(j, "mrsigner", a->mrsigner, sizeof(a->mrsigner));
        (void)json_object_set_new(j, "tcb_status", json_string(att_tcb_status_name(a->tcb_status)));
        add_hex(j, "root", p->v.root_id, sizeof(p->v.root_id));
        (void)json_object_set_new(
            j, "root_class",
            json_string(a->root_class == ATT_ROOT_HARDWARE ? "hardware" : "software"));
        add_hex(j, "qe_id", a->qe_id, sizeof(a->qe_id));
    }
    return j;
}

static int log_grant(const struct provisioning *p, struct error **err)
{
    return cas_note(p->cas, "provision", log_fields(p), err);
}

/* As cas_deny: the refusal stands even when it cannot be logged. */
static void log_refusal(const struct provisioning *p, const char *event, const char *class,
                        const char *reference, const struct error *why)
{
    _cleanup_error_ struct error *lost = NULL;
    json_t *j = log_fields(p);

    (void)json_object_set_new(j, "reference", json_string(reference));
    (void)json_object_set_new(j, "class", json_string(class));
    if (p->code != NULL) {
        (void)json_object_set_new(j, "code", json_string(p->code));
    }
    (void)json_object_set_new(j, "reason", json_string(error_text(why)));
    (void)cas_note(p->cas, event, j, &lost);
}

static int make_reference(char ret[static PROVISION_REFERENCE + 1])
{
    uint8_t random[PROVISION_REFERENCE / 2];
    int r = crypto_random(random, sizeof(random));

    hex_encode(ret, random, sizeof(random));
    return r;
}

int cas_provision(struct cas *c, struct evidence *e, const struct provision_call *call,
                  struct provision_result *ret, struct error **err)
{
    struct provisioning p = {.cas = c, .evidence = e, .call = call, .now = c->now()};
    _cleanup_error_ struct error *own = NULL; /* the log wants the reason in any case */
    enum refusal refusal = REFUSAL_EVIDENCE;
    int r;

    err = err != NULL ? err : &own;
    *ret = (struct provision_result){0};
    r = make_reference(ret->reference);
    if (r < 0) {
        return error_set_errno(err, EIO, "no random numbers");
    }
    r = decide(&p, &refusal, err);
    if (r == 0) {
        r = log_grant(&p, err); /* what cannot be logged does not happen */
    } else if (r == -EACCES) {
        __atomic_add_fetch(&c->counters.refused[refusal], 1, __ATOMIC_RELAXED);
        log_refusal(&p, "provision.denied", refusal_name(refusal), ret->reference, *err);
    } else {
        log_refusal(&p, "provision.failed", "trouble", ret->reference, *err);
    }
    cas_snapshot_put(c, p.snapshot);
    if (r == 0) {
        __atomic_add_fetch(&c->counters.provisioned, 1, __ATOMIC_RELAXED);
        ret->document = p.document;
        return 0;
    }
    cas_bytes_clear(&p.document);
    return r;
}
