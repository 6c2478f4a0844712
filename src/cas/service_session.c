/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Creating, updating, reading, deleting and listing sessions. */

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cas/snapshot.h"
#include "core/ct.h"
#include "core/hex.h"
#include "policy/text.h"

/* ---- put ------------------------------------------------------------------------------------ */

/* One change, from the document to the disk. */
struct change {
    struct cas *cas;
    const struct cas_caller *who;
    struct pol_session *session;
    struct cas_loaded before; /* the version it replaces; session NULL: new */
    uint8_t hash[POL_HASH_SIZE];
    struct cas_secrets secrets;
    char *document;
    bool denied; /* a right is missing, or the version is not known: goes to the log */
};

static void change_clear(struct change *ch)
{
    pol_freep(&ch->session);
    cas_loaded_clear(&ch->before);
    cas_secrets_clear(&ch->secrets);
    if (ch->document != NULL) {
        ct_wipe(ch->document, strlen(ch->document));
        free(ch->document);
    }
}

/* The namespace a session is in: "a/b" of "a/b/c", "/" of "a". */
static void parent_name(const char *name, char ret[static POL_NAME_MAX + 1])
{
    const char *slash = strrchr(name, '/');
    const size_t len = slash != NULL ? (size_t)(slash - name) : 0;

    memcpy(ret, len > 0 ? name : "/", len > 0 ? len : 1);
    ret[len > 0 ? len : 1] = '\0';
}

static int check_root_claim(struct change *ch, struct error **err)
{
    uint64_t count;
    int r;

    (void)pthread_mutex_lock(&ch->cas->store_lock);
    r = ch->cas->store->ops->count(ch->cas->store, &count, err);
    (void)pthread_mutex_unlock(&ch->cas->store_lock);
    if (r == 0 && count > 0) {
        ch->denied = true;
        return error_set(err, EACCES,
                         "the root namespace can only be claimed while there are no sessions");
    }
    return r;
}

/* May the caller create a session of this name? */
static int check_namespace(struct change *ch, struct error **err)
{
    const struct pol_session *s = ch->session;
    _cleanup_(cas_loaded_clear) struct cas_loaded parent = {0};
    char name[POL_NAME_MAX + 1];
    int r;

    if (strcmp(s->name, "/") == 0) {
        return check_root_claim(ch, err);
    }
    parent_name(s->name, name);
    r = cas_load(ch->cas, name, NULL, &parent, err);
    if (r == -ENOENT && strcmp(name, "/") == 0) {
        if (s->has_namespace_hash) {
            return error_set(err, EINVAL, "namespace_hash, but there is no root session");
        }
        if (err != NULL) {
            *err = error_free(*err);
        }
        return 0; /* nobody claimed the root: everybody may create there */
    }
    if (r == -ENOENT) {
        return error_set(err, ENOENT, "there is no namespace %s: create the session %s first", name,
                         name);
    }
    if (r < 0) {
        return r;
    }
    r = pol_access(parent.session, RIGHT_CREATE_SESSIONS, &ch->who->policy, err);
    if (r < 0) {
        ch->denied = true;
        return r;
    }
    if (s->has_namespace_hash && !ct_equal(s->namespace_hash.b, parent.row.hash, POL_HASH_SIZE)) {
        return error_set(err, ESTALE, "namespace %s does not have the hash given as namespace_hash",
                         name);
    }
    return 0;
}

/* Who is CREATOR: the caller of the first version, for ever. */
static int settle_creator(struct change *ch, struct error **err)
{
    struct pol_creator *creator = &ch->session->creator;
    struct pol_creator want = {.present = true, .version = KEY_ID_VERSION_KEY};

    memcpy(want.id.b, ch->who->policy.key.b, sizeof(want.id.b));
    if (ch->before.session != NULL) {
        want = ch->before.session->creator;
    }
    if (creator->present && (!want.present || creator->version != want.version ||
                             !ct_equal(creator->id.b, want.id.b, sizeof(want.id.b)))) {
        return error_set(err, EINVAL,
                         ch->before.session != NULL
                             ? "'creator' cannot change; name other keys in access_policy"
                             : "'creator' is another key than the one of your client certificate");
    }
    *creator = want;
    return 0;
}

/* Which version is replaced, and whether the caller may. */
static int check_change(struct change *ch, struct error **err)
{
    const struct pol_session *s = ch->session;
    int r;

    if (!ch->who->policy.has_key) {
        ch->denied = true;
        return error_set(err, EACCES,
                         "sessions are made with a client certificate: it becomes the "
                         "session's CREATOR");
    }
    r = cas_load(ch->cas, s->name, NULL, &ch->before, err);
    if (r == -ENOENT && !s->has_predecessor) {
        if (err != NULL) {
            *err = error_free(*err);
        }
        return check_namespace(ch, err);
    }
    if (r < 0) {
        return r;
    }
    r = pol_access(ch->before.session, RIGHT_UPDATE, &ch->who->policy, err);
    if (r < 0) {
        ch->denied = true;
        return r;
    }
    ch->denied = true; /* whoever may update it, but does not know what it is now */
    if (!s->has_predecessor) {
        return error_set(err, EEXIST,
                         "session %s exists; to replace it give its hash as 'predecessor'",
                         s->name);
    }
    if (!ct_equal(s->predecessor.b, ch->before.row.hash, POL_HASH_SIZE)) {
        return error_set(err, ESTALE,
                         "session %s has changed: 'predecessor' is not its current "
                         "version; read it again",
                         s->name);
    }
    ch->denied = false;
    return 0;
}

/* Every import must be possible now, not only when a service asks. */
static int check_imports(struct change *ch, const struct cas_imports *imports, struct error **err)
{
    const struct pol_session *s = ch->session;

    for (size_t i = 0; i < s->secret_count; i++) {
        _cleanup_view_ struct cas_view v = {0};
        int r =
            s->secrets[i].is_import ? imports->get(imports->ctx, s, &s->secrets[i], &v, err) : 0;

        if (r < 0) {
            (void)error_wrap(err, "secret '%s'", s->secrets[i].name);
            return r == -EACCES || r == -ENOENT ? -EINVAL : r;
        }
    }
    return 0;
}

static int prepare(struct change *ch, struct error **err)
{
    struct cas_import_source source = {.cas = ch->cas};
    const struct cas_imports imports = {.get = cas_import_get, .ctx = &source};
    _cleanup_secrets_ struct cas_secrets previous = {0};
    int r = check_change(ch, err);

    if (r == 0) {
        r = settle_creator(ch, err);
    }
    if (r < 0) {
        return r;
    }
    r = pol_hash(ch->session, ch->hash);
    if (r == 0) {
        r = pol_print(ch->session, 0, &ch->document);
    }
    if (r < 0) {
        return error_set_errno(err, -r, "printing the session");
    }
    memcpy(source.hash, ch->hash, sizeof(source.hash));
    r = check_imports(ch, &imports, err);
    if (r == 0 && ch->before.session != NULL) {
        r = cas_load_secrets(ch->cas, ch->session->name, &previous, err);
    }
    if (r == 0) {
        r = cas_secrets_make(ch->session, ch->before.session != NULL ? &previous : NULL, &imports,
                             ch->cas->now(), &ch->secrets, err);
    }
    return r;
}

static int commit(struct change *ch, struct error **err)
{
    const bool update = ch->before.session != NULL;
    struct cas *c = ch->cas;
    const struct store_write w = {
        .name = ch->session->name,
        .predecessor = update ? ch->before.row.hash : NULL,
        .hash = ch->hash,
        .document = ch->document,
        .document_size = strlen(ch->document),
        .secrets = &ch->secrets,
        .now = c->now(),
    };
    int r = cas_note(c, update ? "session.update" : "session.create",
                     cas_log_fields(ch->who, w.name, ch->hash), err);

    if (r < 0) {
        return r; /* what cannot be logged does not happen */
    }
    (void)pthread_mutex_lock(&c->store_lock);
    r = c->store->ops->put(c->store, &w, err);
    (void)pthread_mutex_unlock(&c->store_lock);
    cas_snapshot_forget(c, w.name);
    if (r < 0) {
        _cleanup_error_ struct error *lost = NULL;

        (void)cas_note(c, "session.failed", cas_log_fields(ch->who, w.name, ch->hash), &lost);
        return r;
    }
    __atomic_add_fetch(update ? &c->counters.updated : &c->counters.created, 1, __ATOMIC_RELAXED);
    return 0;
}

static int put(struct cas *c, const struct cas_caller *who, const char *text, size_t size,
               bool for_real, struct pol_diags *d, struct cas_put_result *ret, struct error **err)
{
    _cleanup_error_ struct error *own = NULL; /* the log wants the reason in any case */
    _cleanup_(change_clear) struct change ch = {.cas = c, .who = who};
    int r = pol_parse(text, size, NULL, d, &ch.session);

    err = err != NULL ? err : &own;
    if (r < 0) {
        return r == -EINVAL ? error_set(err, EINVAL, "the session has %zu error%s", d->errors,
                                        d->errors == 1 ? "" : "s")
                            : error_set_errno(err, -r, "parsing the session");
    }
    (void)pthread_mutex_lock(&c->write_lock);
    r = prepare(&ch, err);
    if (r == 0 && for_real) {
        r = commit(&ch, err);
    }
    (void)pthread_mutex_unlock(&c->write_lock);
    if (r < 0) {
        return ch.denied ? cas_deny(c, who, ch.before.session != NULL ? "update" : "create",
                                    ch.session->name, r, err)
                         : r;
    }
    memcpy(ret->hash, ch.hash, sizeof(ret->hash));
    ret->created = ch.before.session == NULL;
    memcpy(ret->name, ch.session->name, strlen(ch.session->name) + 1);
    return 0;
}

int cas_session_put(struct cas *c, const struct cas_caller *who, const char *text, size_t size,
                    struct pol_diags *d, struct cas_put_result *ret, struct error **err)
{
    return put(c, who, text, size, /*for_real=*/true, d, ret, err);
}

int cas_session_verify(struct cas *c, const struct cas_caller *who, const char *text, size_t size,
                       struct pol_diags *d, struct cas_put_result *ret, struct error **err)
{
    return put(c, who, text, size, /*for_real=*/false, d, ret, err);
}

/* ---- read ----------------------------------------------------------------------------------- */

void cas_read_result_clear(struct cas_read_result *r)
{
    if (r->document != NULL) {
        ct_wipe(r->document, strlen(r->document));
        free(r->document);
    }
    *r = (struct cas_read_result){0};
}

int cas_session_read(struct cas *c, const struct cas_caller *who, const char *name,
                     const uint8_t *hash, struct cas_read_result *ret, struct error **err)
{
    _cleanup_(cas_loaded_clear) struct cas_loaded current = {0};
    _cleanup_(cas_loaded_clear) struct cas_loaded asked = {0};
    const struct cas_loaded *l = &current;
    _cleanup_error_ struct error *own = NULL; /* the log wants the reason in any case */
    bool secrets;
    int r;

    err = err != NULL ? err : &own;
    r = cas_load(c, name, NULL, &current, err);
    if (r < 0) {
        return r;
    }
    r = pol_access(current.session, RIGHT_READ, &who->policy, err);
    if (r < 0) {
        return cas_deny(c, who, "read", name, r, err);
    }
    if (hash != NULL) {
        r = cas_load(c, name, hash, &asked, err);
        l = &asked;
    }
    if (r < 0) {
        return r;
    }
    secrets = pol_access(current.session, RIGHT_READ_SECRETS, &who->policy, NULL) == 0;
    r = cas_note(c, secrets ? "session.read_with_secrets" : "session.read",
                 cas_log_fields(who, name, l->row.hash), err);
    if (r == 0 && pol_print(l->session, secrets ? 0 : POL_PRINT_WITHHOLD, &ret->document) < 0) {
        r = error_set_errno(err, ENOMEM, "printing session %s", name);
    }
    if (r == 0) {
        memcpy(ret->hash, l->row.hash, sizeof(ret->hash));
        ret->created = l->row.created;
        __atomic_add_fetch(&c->counters.read, 1, __ATOMIC_RELAXED);
    }
    return r;
}

/* ---- delete --------------------------------------------------------------------------------- */

static int delete_locked(struct cas *c, const struct cas_caller *who, const char *name,
                         const uint8_t *hash, bool *ret_denied, struct error **err)
{
    _cleanup_(cas_loaded_clear) struct cas_loaded l = {0};
    int r = cas_load(c, name, NULL, &l, err);

    if (r < 0) {
        return r;
    }
    r = pol_access(l.session, RIGHT_UPDATE, &who->policy, err);
    if (r < 0) {
        *ret_denied = true;
        return r;
    }
    if (hash != NULL && !ct_equal(hash, l.row.hash, POL_HASH_SIZE)) {
        return error_set(err, ESTALE,
                         "session %s has changed: the hash given is not its current one", name);
    }
    r = cas_note(c, "session.delete", cas_log_fields(who, name, l.row.hash), err);
    if (r == 0) {
        (void)pthread_mutex_lock(&c->store_lock);
        r = c->store->ops->remove(c->store, name, l.row.hash, err);
        (void)pthread_mutex_unlock(&c->store_lock);
        cas_snapshot_forget(c, name);
    }
    if (r < 0) {
        _cleanup_error_ struct error *lost = NULL;

        (void)cas_note(c, "session.failed", cas_log_fields(who, name, l.row.hash), &lost);
        return r;
    }
    __atomic_add_fetch(&c->counters.deleted, 1, __ATOMIC_RELAXED);
    return 0;
}

int cas_session_delete(struct cas *c, const struct cas_caller *who, const char *name,
                       const uint8_t *hash, struct error **err)
{
    _cleanup_error_ struct error *own = NULL; /* the log wants the reason in any case */
    bool denied = false;
    int r;

    err = err != NULL ? err : &own;
    (void)pthread_mutex_lock(&c->write_lock);
    r = delete_locked(c, who, name, hash, &denied, err);
    (void)pthread_mutex_unlock(&c->write_lock);
    return denied ? cas_deny(c, who, "delete", name, r, err) : r;
}

/* ---- list ----------------------------------------------------------------------------------- */

#define SCAN_MAX 1000 /* sessions looked at for one answer */

struct found {
    size_t count;
    struct {
        char name[POL_NAME_MAX + 1];
        uint8_t hash[POL_HASH_SIZE];
    } items[SCAN_MAX];
};

static int collect(void *ctx, const char *name, const uint8_t *hash)
{
    struct found *f = ctx;

    if (strlen(name) > POL_NAME_MAX || f->count == SCAN_MAX) {
        return -EBADMSG;
    }
    memcpy(f->items[f->count].name, name, strlen(name) + 1);
    memcpy(f->items[f->count].hash, hash, POL_HASH_SIZE);
    f->count++;
    return 0;
}

/* Whoever may list the namespace sees everything below it; everybody else sees what he may read. */
static bool may_list_all(struct cas *c, const struct cas_caller *who, const char *namespace)
{
    _cleanup_(cas_loaded_clear) struct cas_loaded l = {0};

    return cas_load(c, namespace, NULL, &l, NULL) == 0 &&
           pol_access(l.session, RIGHT_LIST_SESSIONS, &who->policy, NULL) == 0;
}

static bool may_read(struct cas *c, const struct cas_caller *who, const char *name)
{
    _cleanup_(cas_loaded_clear) struct cas_loaded l = {0};

    return cas_load(c, name, NULL, &l, NULL) == 0 &&
           pol_access(l.session, RIGHT_READ, &who->policy, NULL) == 0;
}

int cas_session_list(struct cas *c, const struct cas_caller *who, const char *namespace,
                     const char *after, json_t **ret, struct error **err)
{
    _cleanup_free_ struct found *f = calloc(1, sizeof(*f));
    const bool all = may_list_all(c, who, namespace);
    json_t *list = json_array();
    const char *next = NULL;
    size_t i;
    int r;

    if (f == NULL) {
        json_decref(list);
        return error_set_errno(err, ENOMEM, "listing sessions");
    }
    (void)pthread_mutex_lock(&c->store_lock);
    r = c->store->ops->list(c->store, namespace, after, all ? CAS_LIST_MAX + 1 : SCAN_MAX, collect,
                            f, err);
    (void)pthread_mutex_unlock(&c->store_lock);
    if (r < 0) {
        json_decref(list);
        return r;
    }
    for (i = 0; i < f->count && json_array_size(list) < CAS_LIST_MAX; i++) {
        char hex[2 * POL_HASH_SIZE + 1];

        if (all || may_read(c, who, f->items[i].name)) {
            hex_encode(hex, f->items[i].hash, POL_HASH_SIZE);
            (void)json_array_append_new(
                list, json_pack("{s:s, s:s}", "name", f->items[i].name, "hash", hex));
        }
    }
    if (i > 0 && (i < f->count || f->count == SCAN_MAX)) {
        next = f->items[i - 1].name;
    }
    *ret = json_pack("{s:o, s:s?}", "sessions", list, "next", next);
    return *ret != NULL ? 0 : error_set_errno(err, ENOMEM, "listing sessions");
}
