/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "policy/json.h"

#include <stdio.h>
#include <string.h>

#include "core/hex.h"
#include "policy/keywords.h"
#include "policy/text.h"

/* jansson takes NULL values as failure and keeps going; `bad` remembers. */
struct writer {
    const struct pol_session *session;
    unsigned flags;
    bool bad;
};

static void put(struct writer *w, json_t *object, enum kw_id id, json_t *value)
{
    if (json_object_set_new(object, keywords[id].key, value) < 0) {
        w->bad = true;
    }
}

static void add(struct writer *w, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) < 0) {
        w->bad = true;
    }
}

static void put_text(struct writer *w, json_t *object, enum kw_id id, const char *text)
{
    if (text != NULL) {
        put(w, object, id, json_string(text));
    }
}

static json_t *hex(const uint8_t *p, size_t size)
{
    char text[65];

    hex_encode(text, p, size);
    return json_string(text);
}

static void put_hash(struct writer *w, json_t *object, enum kw_id id, bool has,
                     const struct pol_hash *h)
{
    if (has) {
        put(w, object, id, hex(h->b, sizeof(h->b)));
    }
}

static json_t *texts(struct writer *w, const struct pol_texts *t)
{
    json_t *a = json_array();

    for (size_t i = 0; i < t->count; i++) {
        add(w, a, json_string(t->items[i]));
    }
    return a;
}

static void put_texts(struct writer *w, json_t *object, enum kw_id id, const struct pol_texts *t)
{
    if (t->count > 0) {
        put(w, object, id, texts(w, t));
    }
}

static json_t *absolute(struct writer *w, const char *ref)
{
    char full[POL_NAME_MAX + 1];

    if (name_session_resolve(w->session->name, ref, full, sizeof(full)) < 0) {
        w->bad = true; /* check.c refused such sessions */
        return NULL;
    }
    return json_string(full);
}

static json_t *key_name(uint8_t version, const struct pol_hash *id)
{
    char text[KEY_ID_TEXT_MAX];

    key_id_print(version, id->b, text);
    return json_string(text);
}

/* ---- services ------------------------------------------------------------------------------- */

static json_t *hashes(struct writer *w, const struct pol_hash *h, size_t count)
{
    json_t *a = json_array();

    for (size_t i = 0; i < count; i++) {
        add(w, a, hex(h[i].b, sizeof(h[i].b)));
    }
    return a;
}

static json_t *enclave(struct writer *w, const struct pol_enclave *e)
{
    json_t *j = json_object();

    if (e->mrenclave_count > 0) {
        put(w, j, KW_ATTEST_mrenclave, hashes(w, e->mrenclaves, e->mrenclave_count));
    }
    if (e->has_mrsigner) {
        json_t *s = json_object();

        put_hash(w, s, KW_SIGNER_mrsigner, true, &e->mrsigner);
        if (e->has_isvprodid) {
            put(w, s, KW_SIGNER_isvprodid, json_integer(e->isvprodid));
        }
        if (e->has_isvsvn_min && e->has_isvsvn_max && e->isvsvn_min == e->isvsvn_max) {
            put(w, s, KW_SIGNER_isvsvn, json_integer(e->isvsvn_min));
        } else {
            if (e->has_isvsvn_min) {
                put(w, s, KW_SIGNER_isvsvn_min, json_integer(e->isvsvn_min));
            }
            if (e->has_isvsvn_max) {
                put(w, s, KW_SIGNER_isvsvn_max, json_integer(e->isvsvn_max));
            }
        }
        put(w, j, KW_ATTEST_signer, s);
    }
    return j;
}

static void put_enclaves(struct writer *w, json_t *j, const struct pol_service *s)
{
    json_t *a;

    if (s->enclave_count == 0) {
        return;
    }
    if (s->enclave_count == 1 && !s->enclaves[0].has_mrsigner) {
        put(w, j, KW_SERVICE_mrenclaves,
            hashes(w, s->enclaves[0].mrenclaves, s->enclaves[0].mrenclave_count));
        return;
    }
    a = json_array();
    for (size_t i = 0; i < s->enclave_count; i++) {
        add(w, a, enclave(w, &s->enclaves[i]));
    }
    put(w, j, KW_SERVICE_attestation, a);
}

static void put_platforms(struct writer *w, json_t *j, const struct pol_service *s)
{
    json_t *a;

    if (s->platform_count == 0) {
        return;
    }
    a = json_array();
    for (size_t i = 0; i < s->platform_count; i++) {
        char text[64] = "INTEL_QE_ID:";

        hex_encode(text + strlen(text), s->platforms[i].qe_id, sizeof(s->platforms[i].qe_id));
        add(w, a, json_string(text));
    }
    put(w, j, KW_SERVICE_platforms, a);
}

static void put_user(struct writer *w, json_t *j, const struct pol_user *u)
{
    char text[24 + 12 * POL_GROUPS_MAX];
    size_t n;

    if (!u->present) {
        return;
    }
    n = (size_t)snprintf(text, sizeof(text), "%u:%u", u->uid, u->gid);
    for (size_t i = 0; i < u->group_count; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%c%u", i == 0 ? ':' : ',', u->groups[i]);
    }
    put_text(w, j, KW_SERVICE_user, text);
}

static json_t *service(struct writer *w, const struct pol_service *s)
{
    json_t *j = json_object();

    put_text(w, j, KW_SERVICE_name, s->name);
    put_text(w, j, KW_SERVICE_image_name, s->image_name);
    put_enclaves(w, j, s);
    put_platforms(w, j, s);
    put_texts(w, j, KW_SERVICE_command, &s->command);
    if (s->env_count > 0) {
        json_t *env = json_object();

        for (size_t i = 0; i < s->env_count; i++) {
            if (json_object_set_new(env, s->env[i].name, json_string(s->env[i].value)) < 0) {
                w->bad = true;
            }
        }
        put(w, j, KW_SERVICE_environment, env);
    }
    put_text(w, j, KW_SERVICE_pwd, s->pwd);
    put_user(w, j, &s->user);
    put_text(w, j, KW_SERVICE_fspf_path, s->fspf_path);
    put_text(w, j, KW_SERVICE_fspf_key, s->fspf_key);
    if (s->has_fspf_tag) {
        put(w, j, KW_SERVICE_fspf_tag, hex(s->fspf_tag, sizeof(s->fspf_tag)));
    }
    if (s->fspf_update != FSPF_UPDATE_REINITIALIZABLE) {
        put_text(w, j, KW_SERVICE_fspf_update_policy, pol_word(SCOPE_FSPF_UPDATE, s->fspf_update));
    }
    put_hash(w, j, KW_SERVICE_sealed_root, s->has_sealed_root, &s->sealed_root);
    return j;
}

/* ---- images, volumes ------------------------------------------------------------------------ */

static json_t *mount(struct writer *w, const struct pol_mount *m)
{
    json_t *j = json_object();

    put_text(w, j, KW_MOUNT_name, m->name);
    put_text(w, j, KW_MOUNT_path, m->path);
    if (m->update != VOLUME_UPDATE_ROLLBACK_PROTECTED) {
        put_text(w, j, KW_MOUNT_update_policy, pol_word(SCOPE_VOLUME_UPDATE, m->update));
    }
    return j;
}

static json_t *file(struct writer *w, const struct pol_file *f)
{
    json_t *j = json_object();
    char mode[16];

    put_text(w, j, KW_FILE_path, f->path);
    put_text(w, j, KW_FILE_content, f->content);
    if (f->mode != 0700) {
        (void)snprintf(mode, sizeof(mode), "0o%03o", (unsigned)f->mode);
        put_text(w, j, KW_FILE_permission, mode);
    }
    return j;
}

static json_t *image(struct writer *w, const struct pol_image *i)
{
    json_t *j = json_object();
    json_t *a;

    put_text(w, j, KW_IMAGE_name, i->name);
    if (i->mount_count > 0) {
        a = json_array();
        for (size_t n = 0; n < i->mount_count; n++) {
            add(w, a, mount(w, &i->mounts[n]));
        }
        put(w, j, KW_IMAGE_volumes, a);
    }
    if (i->file_count > 0) {
        a = json_array();
        for (size_t n = 0; n < i->file_count; n++) {
            add(w, a, file(w, &i->files[n]));
        }
        put(w, j, KW_IMAGE_injection_files, a);
    }
    return j;
}

static json_t *volume_export(struct writer *w, const struct pol_volume_export *e)
{
    json_t *j = json_object();

    put(w, j, KW_VOLUME_EXPORT_session, absolute(w, e->to.session));
    put_hash(w, j, KW_VOLUME_EXPORT_session_hash, e->to.has_hash, &e->to.hash);
    if (e->has_update) {
        put_text(w, j, KW_VOLUME_EXPORT_update_policy, pol_word(SCOPE_VOLUME_UPDATE, e->update));
    }
    put_text(w, j, KW_VOLUME_EXPORT_volume_alias, e->alias);
    return j;
}

static json_t *volume(struct writer *w, const struct pol_volume *v)
{
    json_t *j = json_object();

    put_text(w, j, KW_VOLUME_name, v->name);
    put_text(w, j, KW_VOLUME_fspf_key, v->fspf_key);
    if (v->has_fspf_tag) {
        put(w, j, KW_VOLUME_fspf_tag, hex(v->fspf_tag, sizeof(v->fspf_tag)));
    }
    put_hash(w, j, KW_VOLUME_sealed_root, v->has_sealed_root, &v->sealed_root);
    if (v->export_count > 0) {
        json_t *a = json_array();

        for (size_t i = 0; i < v->export_count; i++) {
            add(w, a, volume_export(w, &v->exports[i]));
        }
        put(w, j, KW_VOLUME_export, a);
    }
    if (v->is_import) {
        json_t *i = json_object();

        put(w, i, KW_VOLUME_IMPORT_session, absolute(w, v->import.session));
        put_text(w, i, KW_VOLUME_IMPORT_volume, v->import_name);
        put_hash(w, i, KW_VOLUME_IMPORT_session_hash, v->import.has_hash, &v->import.hash);
        put(w, j, KW_VOLUME_import, i);
    }
    return j;
}

/* ---- secrets -------------------------------------------------------------------------------- */

static json_t *export(struct writer *w, const struct pol_ref *e)
{
    json_t *j = json_object();

    put(w, j, e->is_namespace ? KW_EXPORT_namespace : KW_EXPORT_session, absolute(w, e->session));
    put_hash(w, j, KW_EXPORT_session_hash, e->has_hash, &e->hash);
    return j;
}

static void put_exports(struct writer *w, json_t *j, const struct pol_secret *s)
{
    json_t *a;

    if (s->export_count > 0) {
        a = json_array();
        for (size_t i = 0; i < s->export_count; i++) {
            add(w, a, export(w, &s->exports[i]));
        }
        put(w, j, KW_SECRET_export, a);
    }
    if (s->export_public) {
        put(w, j, KW_SECRET_export_public, json_true());
    }
}

static void put_import(struct writer *w, json_t *j, const struct pol_secret *s)
{
    json_t *i;

    if (!s->is_import) {
        return;
    }
    i = json_object();
    put(w, i, KW_IMPORT_session, absolute(w, s->import.session));
    put_text(w, i, KW_IMPORT_secret, s->import_name);
    put_hash(w, i, KW_IMPORT_session_hash, s->import.has_hash, &s->import.hash);
    put(w, j, KW_SECRET_import, i);
}

static json_t *secret(struct writer *w, const struct pol_secret *s)
{
    json_t *j = json_object();
    char duration[24];

    put_text(w, j, KW_SECRET_name, s->name);
    if (s->kind != SECRET_UNKNOWN) {
        put_text(w, j, KW_SECRET_kind, pol_word(SCOPE_SECRET_KIND, s->kind));
    }
    if (s->size != 0) {
        put(w, j, KW_SECRET_size, json_integer(s->size));
    }
    if (s->value != NULL && (w->flags & POL_JSON_WITHHOLD) != 0) {
        put(w, j, KW_SECRET_value_withheld, json_true());
    } else {
        put_text(w, j, KW_SECRET_value, s->value);
    }
    if (s->kind == SECRET_PRIVATE_KEY && s->key_type != KEY_TYPE_P256) {
        put_text(w, j, KW_SECRET_key_type, pol_word(SCOPE_KEY_TYPE, s->key_type));
    }
    if (s->has_migrate && !s->migrate) {
        put(w, j, KW_SECRET_migrate, json_false());
    }
    put_text(w, j, KW_SECRET_private_key, s->private_key);
    put_text(w, j, KW_SECRET_issuer, s->issuer);
    put_text(w, j, KW_SECRET_common_name, s->common_name);
    if (s->endpoint != ENDPOINT_ANY) {
        put_text(w, j, KW_SECRET_endpoint, pol_word(SCOPE_ENDPOINT, s->endpoint));
    }
    put_texts(w, j, KW_SECRET_dns, &s->dns);
    put_texts(w, j, KW_SECRET_ip, &s->ip);
    if (s->valid_for != 0) {
        duration_print(s->valid_for, duration, sizeof(duration));
        put_text(w, j, KW_SECRET_valid_for, duration);
    }
    put_exports(w, j, s);
    put_import(w, j, s);
    return j;
}

/* ---- access, security ----------------------------------------------------------------------- */

/* Depth is bounded by the parser. */
static json_t *rules(struct writer *w, const struct pol_rule *r, size_t count)
{
    json_t *a = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *j = NULL;
        char key[40];

        switch (r[i].kind) {
        case RULE_CREATOR: add(w, a, json_string("CREATOR")); continue;
        case RULE_ANY: add(w, a, json_string("ANY")); continue;
        case RULE_NONE: add(w, a, json_string("NONE")); continue;
        case RULE_KEY: add(w, a, key_name(r[i].id_version, &r[i].id)); continue;
        case RULE_SIGNER:
            j = json_object();
            put(w, j, KW_ENTITY_signer, key_name(r[i].id_version, &r[i].id));
            break;
        case RULE_ALL:
            j = json_object();
            put(w, j, KW_ENTITY_require_all, rules(w, r[i].rules, r[i].count));
            break;
        case RULE_AT_LEAST:
            j = json_object();
            (void)snprintf(key, sizeof(key), "require-at-least-%u", r[i].at_least);
            if (json_object_set_new(j, key, rules(w, r[i].rules, r[i].count)) < 0) {
                w->bad = true;
            }
            break;
        }
        add(w, a, j);
    }
    return a;
}

static void put_access(struct writer *w, json_t *root)
{
    static const enum kw_id ids[RIGHT_COUNT] = {
        [RIGHT_READ] = KW_ACCESS_read,
        [RIGHT_UPDATE] = KW_ACCESS_update,
        [RIGHT_CREATE_SESSIONS] = KW_ACCESS_create_sessions,
        [RIGHT_LIST_SESSIONS] = KW_ACCESS_list_sessions,
        [RIGHT_READ_SECRETS] = KW_ACCESS_read_secrets,
    };
    json_t *j = NULL;

    for (size_t i = 0; i < RIGHT_COUNT; i++) {
        const struct pol_right_rules *r = &w->session->rights[i];

        if (r->present) {
            j = j != NULL ? j : json_object();
            put(w, j, ids[i], rules(w, r->rules, r->count));
        }
    }
    if (j != NULL) {
        put(w, root, KW_SESSION_access_policy, j);
    }
}

static void put_security(struct writer *w, json_t *root)
{
    const struct pol_security *s = &w->session->security;
    json_t *j = json_object();
    char duration[24];
    json_t *a;

    if (s->mode != ATTEST_MODE_HARDWARE) {
        put_text(w, j, KW_SECURITY_ATTEST_mode, pol_word(SCOPE_ATTEST_MODE, s->mode));
    }
    if (s->tolerate != 0) {
        a = json_array();
        for (unsigned i = 0; i < 32; i++) {
            if ((s->tolerate & 1u << i) != 0) {
                add(w, a, json_string(pol_word(SCOPE_TOLERATE, i)));
            }
        }
        put(w, j, KW_SECURITY_ATTEST_tolerate, a);
    }
    if (s->ignore_all_advisories) {
        put_text(w, j, KW_SECURITY_ATTEST_ignore_advisories, "*");
    }
    put_texts(w, j, KW_SECURITY_ATTEST_ignore_advisories, &s->ignore_advisories);
    if (s->root_count > 0) {
        put(w, j, KW_SECURITY_ATTEST_software_roots, hashes(w, s->roots, s->root_count));
    }
    if (s->max_collateral_age != 0) {
        duration_print(s->max_collateral_age, duration, sizeof(duration));
        put_text(w, j, KW_SECURITY_ATTEST_max_collateral_age, duration);
    }
    if (s->min_tcb_evaluation != 0) {
        put(w, j, KW_SECURITY_ATTEST_min_tcb_evaluation, json_integer(s->min_tcb_evaluation));
    }
    if (json_object_size(j) == 0) {
        json_decref(j);
        return;
    }
    a = json_object();
    put(w, a, KW_SECURITY_attestation, j);
    put(w, root, KW_SESSION_security, a);
}

/* ---- the session ---------------------------------------------------------------------------- */

static void put_head(struct writer *w, json_t *root)
{
    const struct pol_session *s = w->session;
    json_t *j;

    put_text(w, root, KW_SESSION_name, s->name);
    put_text(w, root, KW_SESSION_version, s->version_text);
    put_hash(w, root, KW_SESSION_predecessor, s->has_predecessor, &s->predecessor);
    put_hash(w, root, KW_SESSION_namespace_hash, s->has_namespace_hash, &s->namespace_hash);
    if (s->has_salt) {
        put(w, root, KW_SESSION_salt, hex(s->salt, sizeof(s->salt)));
    }
    if (s->creator.present) {
        j = key_name(s->creator.version, &s->creator.id);
        if (s->creator.version == KEY_ID_VERSION_SIGNER) {
            json_t *signer = json_object();

            put(w, signer, KW_ENTITY_signer, j);
            j = signer;
        }
        put(w, root, KW_SESSION_creator, j);
    }
}

#define PUT_LIST(w, root, id, items, count, function)         \
    do {                                                      \
        if ((count) > 0) {                                    \
            json_t *list_ = json_array();                     \
            for (size_t i_ = 0; i_ < (count); i_++) {         \
                add((w), list_, function((w), &(items)[i_])); \
            }                                                 \
            put((w), (root), (id), list_);                    \
        }                                                     \
    } while (0)

json_t *pol_to_json(const struct pol_session *s, unsigned flags)
{
    struct writer w = {.session = s, .flags = flags};
    json_t *root = json_object();

    put_head(&w, root);
    PUT_LIST(&w, root, KW_SESSION_services, s->services, s->service_count, service);
    PUT_LIST(&w, root, KW_SESSION_images, s->images, s->image_count, image);
    PUT_LIST(&w, root, KW_SESSION_volumes, s->volumes, s->volume_count, volume);
    PUT_LIST(&w, root, KW_SESSION_secrets, s->secrets, s->secret_count, secret);
    put_access(&w, root);
    put_security(&w, root);
    if (w.bad) {
        json_decref(root);
        return NULL;
    }
    return root;
}
