/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* services, images and volumes. */

#include <string.h>

#include "policy/parse_internal.h"
#include "policy/text.h"

static void parse_signer(struct parser *p, const struct ynode *n, struct pol_enclave *ret)
{
    struct keys k;
    bool exact = false;
    uint32_t v = 0;

    if (!parse_keys(p, n, SCOPE_SIGNER, &k)) {
        return;
    }
    require_key(p, &k, KW_SIGNER_mrsigner);
    take_hex(p, &k, KW_SIGNER_mrsigner, &ret->has_mrsigner, ret->mrsigner.b, sizeof(ret->mrsigner));
    take_uint(p, &k, KW_SIGNER_isvprodid, 0, UINT16_MAX, &ret->has_isvprodid, &v);
    ret->isvprodid = (uint16_t)v;
    v = 0;
    take_uint(p, &k, KW_SIGNER_isvsvn_min, 0, UINT16_MAX, &ret->has_isvsvn_min, &v);
    ret->isvsvn_min = (uint16_t)v;
    v = 0;
    take_uint(p, &k, KW_SIGNER_isvsvn_max, 0, UINT16_MAX, &ret->has_isvsvn_max, &v);
    ret->isvsvn_max = (uint16_t)v;
    v = 0;
    take_uint(p, &k, KW_SIGNER_isvsvn, 0, UINT16_MAX, &exact, &v);
    if (exact && (ret->has_isvsvn_min || ret->has_isvsvn_max)) {
        pol_diag_error(p->diags, k.key[KW_SIGNER_isvsvn]->mark,
                       "isvsvn is exact; it cannot stand beside isvsvn_min and isvsvn_max");
    } else if (exact) {
        ret->has_isvsvn_min = true;
        ret->has_isvsvn_max = true;
        ret->isvsvn_min = (uint16_t)v;
        ret->isvsvn_max = (uint16_t)v;
    }
    if (ret->has_isvsvn_min && ret->has_isvsvn_max && ret->isvsvn_min > ret->isvsvn_max) {
        pol_diag_error(p->diags, n->mark, "isvsvn_min is above isvsvn_max: nothing can match");
    }
}

static void parse_enclaves(struct parser *p, const struct keys *k, struct pol_service *ret)
{
    size_t count;
    const struct ynode *n = take_items(p, k, KW_SERVICE_attestation, POL_LIST_MAX, &count);

    if (k->at[KW_SERVICE_mrenclaves] != NULL && k->at[KW_SERVICE_attestation] != NULL) {
        pol_diag_error(p->diags, k->key[KW_SERVICE_mrenclaves]->mark,
                       "mrenclaves is short for attestation.mrenclave; write one of them");
        return;
    }
    ret->enclaves = arena_alloc(p->arena, count + 1, sizeof(*ret->enclaves));
    if (ret->enclaves == NULL) {
        return;
    }
    if (k->at[KW_SERVICE_mrenclaves] != NULL) {
        struct pol_enclave *e = &ret->enclaves[0];

        e->mark = k->at[KW_SERVICE_mrenclaves]->mark;
        take_hashes(p, k, KW_SERVICE_mrenclaves, &e->mrenclave_count, &e->mrenclaves);
        ret->enclave_count = e->mrenclave_count > 0 ? 1 : 0;
        return;
    }
    for (; n != NULL; n = n->next) {
        struct pol_enclave *e = &ret->enclaves[ret->enclave_count];
        struct keys ek;

        *e = (struct pol_enclave){0}; /* the slot may hold what a bad item left */
        if (!parse_keys(p, n, SCOPE_ATTEST, &ek)) {
            continue;
        }
        e->mark = n->mark;
        take_hashes(p, &ek, KW_ATTEST_mrenclave, &e->mrenclave_count, &e->mrenclaves);
        if (ek.at[KW_ATTEST_signer] != NULL) {
            parse_signer(p, ek.at[KW_ATTEST_signer], e);
        }
        if (ek.at[KW_ATTEST_mrenclave] == NULL && ek.at[KW_ATTEST_signer] == NULL) {
            pol_diag_error(p->diags, n->mark,
                           "an item of 'attestation' needs mrenclave, signer or both: an empty one "
                           "would match every enclave");
            continue;
        }
        if (ek.at[KW_ATTEST_mrenclave] != NULL && e->mrenclave_count == 0) {
            pol_diag_error(p->diags, ek.at[KW_ATTEST_mrenclave]->mark,
                           "the list of measurements has no valid entry");
            continue;
        }
        ret->enclave_count++;
    }
}

static void parse_platforms(struct parser *p, const struct keys *k, struct pol_service *ret)
{
    static const char prefix[] = "INTEL_QE_ID:";
    size_t count;
    const struct ynode *n = take_items(p, k, KW_SERVICE_platforms, POL_LIST_MAX, &count);

    ret->platforms = arena_alloc(p->arena, count + 1, sizeof(*ret->platforms));
    for (; n != NULL && ret->platforms != NULL; n = n->next) {
        struct ynode digits = *n;

        if (n->kind != YNODE_SCALAR || strncmp(n->text, prefix, strlen(prefix)) != 0) {
            pol_diag_error(p->diags, n->mark, "a platform is written INTEL_QE_ID:<32 hex digits>%s",
                           n->kind == YNODE_SCALAR && n->len == 64
                               ? "; 64 digits alone name a SCONE quoting enclave, which does not "
                                 "exist here"
                               : "");
            continue;
        }
        digits.text += strlen(prefix);
        digits.len -= strlen(prefix);
        if (parse_hex(p, &digits, ret->platforms[ret->platform_count].qe_id,
                      sizeof(ret->platforms->qe_id))) {
            ret->platform_count++;
        }
    }
}

/* One word of a command line from *s on, quotes removed; false at the end. */
static bool next_word(struct parser *p, const struct ynode *n, const char **s, const char **ret)
{
    char *word;
    size_t len = 0;
    char quote = '\0';

    *s += strspn(*s, " \t\r\n");
    if (**s == '\0') {
        return false;
    }
    word = arena_alloc(p->arena, strlen(*s) + 1, 1);
    if (word == NULL) {
        return false;
    }
    for (; **s != '\0'; (*s)++) {
        const char c = **s;

        if (quote != '\0') {
            if (c == quote) {
                quote = '\0';
            } else {
                word[len++] = c;
            }
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (strchr(" \t\r\n", c) != NULL) {
            break;
        } else {
            word[len++] = c;
        }
    }
    if (quote != '\0') {
        pol_diag_error(p->diags, n->mark, "the command has a %c without its partner", quote);
        return false;
    }
    *ret = word;
    return true;
}

static bool is_host_argument(const char *s)
{
    return strncmp(s, "@@", 2) == 0 && s[2] >= '0' && s[2] <= '9';
}

static void parse_command(struct parser *p, const struct keys *k, struct pol_service *ret)
{
    const struct ynode *n = k->at[KW_SERVICE_command];
    const char *s;

    if (n == NULL) {
        return;
    }
    ret->command_mark = n->mark;
    if (n->kind == YNODE_LIST) {
        take_texts(p, k, KW_SERVICE_command, &ret->command);
    } else {
        ret->command.items = arena_alloc(p->arena, POL_LIST_MAX, sizeof(*ret->command.items));
        s = n->text;
        while (ret->command.items != NULL && ret->command.count < POL_LIST_MAX &&
               next_word(p, n, &s, &ret->command.items[ret->command.count])) {
            ret->command.count++;
        }
        if (s[strspn(s, " \t\r\n")] != '\0' && ret->command.count == POL_LIST_MAX) {
            pol_diag_error(p->diags, n->mark, "the command has more than %d words", POL_LIST_MAX);
        }
    }
    if (ret->command.count == 0 || ret->command.items[0][0] == '\0') {
        pol_diag_error(p->diags, n->mark, "the command names no program");
    }
    for (size_t i = 0; i < ret->command.count; i++) {
        if (is_host_argument(ret->command.items[i])) {
            pol_diag_error(p->diags, n->mark,
                           "'%.16s' takes an argument from the host, which must not choose what "
                           "runs; write the argument out",
                           ret->command.items[i]);
        }
    }
}

static bool env_name_valid(struct parser *p, const struct ynode *key)
{
    if (strncmp(key->text, "@@", 2) == 0 || strncmp(key->text, "\\@\\@", 4) == 0) {
        pol_diag_error(p->diags, key->mark,
                       "'%.64s' takes a value from the host, which must not set the environment; "
                       "write the value out",
                       key->text);
        return false;
    }
    if (key->len == 0 || strchr(key->text, '=') != NULL) {
        pol_diag_error(p->diags, key->mark,
                       "an environment name must not be empty or hold a '=': '%.64s'", key->text);
        return false;
    }
    return true;
}

static void parse_env(struct parser *p, const struct keys *k, struct pol_service *ret)
{
    const struct ynode *n = k->at[KW_SERVICE_environment];

    ret->env = arena_alloc(p->arena, n != NULL ? n->count + 1 : 1, sizeof(*ret->env));
    if (n == NULL || ret->env == NULL) {
        return;
    }
    for (const struct ynode *key = n->first; key != NULL; key = key->next) {
        struct pol_env *e = &ret->env[ret->env_count];

        if (!env_name_valid(p, key)) {
            continue;
        }
        if (key->value->kind != YNODE_SCALAR || (node_is_null(key->value) && key->value->len > 0)) {
            pol_diag_error(p->diags, key->value->mark,
                           "the value of '%.64s' must be a text; quote it (\"\" for empty)",
                           key->text);
            continue;
        }
        for (size_t i = 0; i < ret->env_count; i++) {
            if (strcmp(ret->env[i].name, key->text) == 0) {
                pol_diag_error(p->diags, key->mark, "'%.64s' is set twice", key->text);
            }
        }
        *e = (struct pol_env){.mark = key->mark, .name = key->text, .value = key->value->text};
        ret->env_count++;
    }
}

/* A number up to UINT32_MAX - 1 (which no user has) and what ends it. */
static bool take_id(const char **s, uint32_t *ret)
{
    uint64_t v = 0;
    const char *start = *s;

    while (**s >= '0' && **s <= '9' && v < UINT32_MAX) {
        v = v * 10 + (uint64_t)(*(*s)++ - '0');
    }
    *ret = (uint32_t)v;
    return *s > start && v < UINT32_MAX && (*start != '0' || *s == start + 1);
}

/* UID[:GID[:GROUP,GROUP...]] */
static bool parse_user_text(const char *s, struct pol_user *ret)
{
    if (!take_id(&s, &ret->uid)) {
        return false;
    }
    if (*s == ':') {
        s++;
        if (!take_id(&s, &ret->gid)) {
            return false;
        }
    }
    for (char want = ':'; *s == want; want = ',') {
        s++;
        if (ret->group_count == POL_GROUPS_MAX || !take_id(&s, &ret->groups[ret->group_count++])) {
            return false;
        }
    }
    ret->present = true;
    return *s == '\0';
}

static void parse_user(struct parser *p, const struct keys *k, struct pol_service *ret)
{
    const struct ynode *n = k->at[KW_SERVICE_user];
    struct pol_user user = {0};

    if (n == NULL) {
        return;
    }
    if (!parse_user_text(n->text, &user)) {
        pol_diag_error(p->diags, n->mark,
                       "user must be numbers, UID[:GID[:GROUP,...]] with at most %d groups, not "
                       "'%.64s'; names are those of an image, which CAS does not see",
                       POL_GROUPS_MAX, n->text);
        return;
    }
    ret->user = user;
}

static void parse_service(struct parser *p, const struct ynode *n, struct pol_service *ret)
{
    struct keys k;
    unsigned word = FSPF_UPDATE_REINITIALIZABLE;
    unsigned persistency = 0;

    if (!parse_keys(p, n, SCOPE_SERVICE, &k)) {
        return;
    }
    *ret = (struct pol_service){.mark = n->mark}; /* the slot may hold what a bad one left */
    require_key(p, &k, KW_SERVICE_name);
    take_name(p, &k, KW_SERVICE_name, &ret->name);
    take_name(p, &k, KW_SERVICE_image_name, &ret->image_name);
    if (k.at[KW_SERVICE_image_name] != NULL) {
        ret->image_mark = k.at[KW_SERVICE_image_name]->mark;
    }
    parse_enclaves(p, &k, ret);
    parse_platforms(p, &k, ret);
    parse_command(p, &k, ret);
    parse_env(p, &k, ret);
    take_path(p, &k, KW_SERVICE_pwd, &ret->pwd);
    parse_user(p, &k, ret);
    take_path(p, &k, KW_SERVICE_fspf_path, &ret->fspf_path);
    take_key32(p, &k, KW_SERVICE_fspf_key, &ret->fspf_key, &ret->key_mark);
    take_hex(p, &k, KW_SERVICE_fspf_tag, &ret->has_fspf_tag, ret->fspf_tag, sizeof(ret->fspf_tag));
    take_word(p, &k, KW_SERVICE_fspf_update_policy, &word);
    take_word(p, &k, KW_SERVICE_persistency, &persistency);
    ret->fspf_update = word;
    take_hex(p, &k, KW_SERVICE_sealed_root, &ret->has_sealed_root, ret->sealed_root.b,
             sizeof(ret->sealed_root));
    if (ret->has_sealed_root && ret->has_fspf_tag &&
        memcmp(ret->sealed_root.b, ret->fspf_tag, sizeof(ret->fspf_tag)) != 0) {
        pol_diag_error(p->diags, k.at[KW_SERVICE_fspf_tag]->mark,
                       "fspf_tag must be the first 16 bytes of sealed_root");
    }
}

void parse_services(struct parser *p, const struct keys *k)
{
    struct pol_session *s = p->session;
    size_t count;
    const struct ynode *n = take_items(p, k, KW_SESSION_services, POL_SERVICES_MAX, &count);

    s->services = arena_alloc(p->arena, count + 1, sizeof(*s->services));
    for (; n != NULL && s->services != NULL; n = n->next) {
        struct pol_service *service = &s->services[s->service_count];

        parse_service(p, n, service);
        s->service_count += service->name != NULL;
    }
}

static void parse_mounts(struct parser *p, const struct keys *k, struct pol_image *ret)
{
    size_t count;
    const struct ynode *n = take_items(p, k, KW_IMAGE_volumes, POL_LIST_MAX, &count);

    ret->mounts = arena_alloc(p->arena, count + 1, sizeof(*ret->mounts));
    for (; n != NULL && ret->mounts != NULL; n = n->next) {
        struct pol_mount *m = &ret->mounts[ret->mount_count];
        unsigned word = VOLUME_UPDATE_ROLLBACK_PROTECTED;
        struct keys mk;

        if (!parse_keys(p, n, SCOPE_MOUNT, &mk)) {
            continue;
        }
        *m = (struct pol_mount){.mark = n->mark};
        require_key(p, &mk, KW_MOUNT_name);
        require_key(p, &mk, KW_MOUNT_path);
        take_name(p, &mk, KW_MOUNT_name, &m->name);
        take_path(p, &mk, KW_MOUNT_path, &m->path);
        take_word(p, &mk, KW_MOUNT_update_policy, &word);
        m->update = word;
        ret->mount_count += m->name != NULL && m->path != NULL;
    }
}

/* 0o700 and 0700 are octal; nothing else says so clearly. */
static void take_mode(struct parser *p, const struct keys *k, uint16_t *ret)
{
    const struct ynode *n = k->at[KW_FILE_permission];
    const char *s;
    unsigned v = 0;
    size_t digits = 0;

    if (n == NULL) {
        return;
    }
    s = n->text;
    if (s[0] == '0' && s[1] == 'o') {
        s += 2;
    } else if (s[0] != '0') {
        s = "";
    }
    for (; *s >= '0' && *s <= '7' && digits < 6; s++, digits++) {
        v = v << 3 | (unsigned)(*s - '0');
    }
    if (digits == 0 || *s != '\0' || v > 0777) {
        pol_diag_error(p->diags, n->mark,
                       "permission must be octal, 0o000 to 0o777, not '%.64s'; write 0o400, for "
                       "instance",
                       n->text);
        return;
    }
    *ret = (uint16_t)v;
}

static void parse_file(struct parser *p, const struct ynode *n, struct pol_file *ret)
{
    static const char no_content[] =
        "an injection file needs 'content': templates on the image's disk are not supported; put "
        "the text into the session";
    struct keys k;

    *ret = (struct pol_file){.mark = n->mark, .mode = 0700};
    if (n->kind == YNODE_SCALAR) {
        pol_diag_error(p->diags, n->mark, "%s", no_content);
        return;
    }
    if (!parse_keys(p, n, SCOPE_FILE, &k)) {
        return;
    }
    require_key(p, &k, KW_FILE_path);
    take_path(p, &k, KW_FILE_path, &ret->path);
    if (ret->path != NULL && strcmp(ret->path, "/") == 0) {
        pol_diag_error(p->diags, n->mark, "an injection file cannot be the root directory");
    }
    take_text(p, &k, KW_FILE_content, &ret->content);
    take_mode(p, &k, &ret->mode);
    if (ret->content == NULL) {
        pol_diag_error(p->diags, n->mark, "%s", no_content);
    }
}

static void parse_image(struct parser *p, const struct ynode *n, struct pol_image *ret)
{
    struct keys k;
    size_t count;

    if (!parse_keys(p, n, SCOPE_IMAGE, &k)) {
        return;
    }
    *ret = (struct pol_image){.mark = n->mark};
    require_key(p, &k, KW_IMAGE_name);
    take_name(p, &k, KW_IMAGE_name, &ret->name);
    parse_mounts(p, &k, ret);
    n = take_items(p, &k, KW_IMAGE_injection_files, POL_LIST_MAX, &count);
    ret->files = arena_alloc(p->arena, count + 1, sizeof(*ret->files));
    for (; n != NULL && ret->files != NULL; n = n->next) {
        struct pol_file *f = &ret->files[ret->file_count];

        parse_file(p, n, f);
        ret->file_count += f->path != NULL && f->content != NULL;
    }
}

void parse_images(struct parser *p, const struct keys *k)
{
    struct pol_session *s = p->session;
    size_t count;
    const struct ynode *n = take_items(p, k, KW_SESSION_images, POL_IMAGES_MAX, &count);

    s->images = arena_alloc(p->arena, count + 1, sizeof(*s->images));
    for (; n != NULL && s->images != NULL; n = n->next) {
        struct pol_image *image = &s->images[s->image_count];

        parse_image(p, n, image);
        s->image_count += image->name != NULL;
    }
}

static void parse_volume_export(struct parser *p, const struct ynode *n,
                                struct pol_volume_export *ret)
{
    const struct ynode *to;
    unsigned word = 0;
    struct keys k;
    struct keys tk;

    *ret = (struct pol_volume_export){0};
    if (n->kind == YNODE_SCALAR) {
        parse_ref_text(p, n, &ret->to);
        return;
    }
    if (!parse_keys(p, n, SCOPE_VOLUME_EXPORT, &k)) {
        return;
    }
    take_ref(p, &k, KW_VOLUME_EXPORT_session, KW_VOLUME_EXPORT_session_hash, &ret->to);
    to = k.at[KW_VOLUME_EXPORT_to];
    if (to != NULL && k.at[KW_VOLUME_EXPORT_session] != NULL) {
        pol_diag_error(p->diags, n->mark, "write either 'to' or 'session', not both");
    } else if (to != NULL && to->kind == YNODE_SCALAR) {
        parse_ref_text(p, to, &ret->to);
    } else if (to != NULL && parse_keys(p, to, SCOPE_EXPORT, &tk)) {
        if (tk.at[KW_EXPORT_namespace] != NULL) {
            pol_diag_error(p->diags, to->mark, "volumes are exported to sessions, not namespaces");
        } else {
            require_key(p, &tk, KW_EXPORT_session);
            take_ref(p, &tk, KW_EXPORT_session, KW_EXPORT_session_hash, &ret->to);
        }
    } else if (to == NULL) {
        require_key(p, &k, KW_VOLUME_EXPORT_session);
    }
    if (k.at[KW_VOLUME_EXPORT_update_policy] != NULL) {
        take_word(p, &k, KW_VOLUME_EXPORT_update_policy, &word);
        ret->update = word;
        ret->has_update = true;
    }
    take_name(p, &k, KW_VOLUME_EXPORT_volume_alias, &ret->alias);
}

static void parse_volume(struct parser *p, const struct ynode *n, struct pol_volume *ret)
{
    unsigned files = 0;
    size_t count;
    struct keys k;

    if (!parse_keys(p, n, SCOPE_VOLUME, &k)) {
        return;
    }
    *ret = (struct pol_volume){.mark = n->mark};
    require_key(p, &k, KW_VOLUME_name);
    take_name(p, &k, KW_VOLUME_name, &ret->name);
    take_key32(p, &k, KW_VOLUME_fspf_key, &ret->fspf_key, &ret->key_mark);
    take_hex(p, &k, KW_VOLUME_fspf_tag, &ret->has_fspf_tag, ret->fspf_tag, sizeof(ret->fspf_tag));
    take_hex(p, &k, KW_VOLUME_sealed_root, &ret->has_sealed_root, ret->sealed_root.b,
             sizeof(ret->sealed_root));
    take_word(p, &k, KW_VOLUME_files, &files);
    if (ret->has_sealed_root && ret->has_fspf_tag &&
        memcmp(ret->sealed_root.b, ret->fspf_tag, sizeof(ret->fspf_tag)) != 0) {
        pol_diag_error(p->diags, k.at[KW_VOLUME_fspf_tag]->mark,
                       "fspf_tag must be the first 16 bytes of sealed_root");
    }
    if (ret->has_fspf_tag && ret->fspf_key == NULL) {
        pol_diag_error(p->diags, n->mark,
                       "fspf_tag without fspf_key: the tag needs the volume's key");
    }
    if (k.at[KW_VOLUME_import] != NULL) {
        struct keys ik;

        ret->is_import = true;
        if (parse_keys(p, k.at[KW_VOLUME_import], SCOPE_VOLUME_IMPORT, &ik)) {
            require_key(p, &ik, KW_VOLUME_IMPORT_session);
            require_key(p, &ik, KW_VOLUME_IMPORT_volume);
            take_ref(p, &ik, KW_VOLUME_IMPORT_session, KW_VOLUME_IMPORT_session_hash, &ret->import);
            take_name(p, &ik, KW_VOLUME_IMPORT_volume, &ret->import_name);
        }
        if (ret->fspf_key != NULL || ret->has_sealed_root || k.at[KW_VOLUME_export] != NULL) {
            pol_diag_error(p->diags, n->mark,
                           "an imported volume has no fspf_key, sealed_root or export of its own");
        }
    }
    n = take_items(p, &k, KW_VOLUME_export, POL_LIST_MAX, &count);
    ret->exports = arena_alloc(p->arena, count + 1, sizeof(*ret->exports));
    for (; n != NULL && ret->exports != NULL; n = n->next) {
        struct pol_volume_export *e = &ret->exports[ret->export_count];

        parse_volume_export(p, n, e);
        ret->export_count += e->to.session != NULL;
    }
}

void parse_volumes(struct parser *p, const struct keys *k)
{
    struct pol_session *s = p->session;
    size_t count;
    const struct ynode *n = take_items(p, k, KW_SESSION_volumes, POL_VOLUMES_MAX, &count);

    s->volumes = arena_alloc(p->arena, count + 1, sizeof(*s->volumes));
    for (; n != NULL && s->volumes != NULL; n = n->next) {
        struct pol_volume *volume = &s->volumes[s->volume_count];

        parse_volume(p, n, volume);
        s->volume_count += volume->name != NULL;
    }
}
