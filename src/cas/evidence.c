/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/evidence.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/ct.h"
#include "core/sha256.h"

#define ATTEMPTS      64u
#define RETRY_SECONDS 60 /* between two fetches for one platform */

struct set {
    struct att_collateral *collateral;
    uint8_t root_id[32];
    int64_t issued_at;
};

/* One state of the directories; readers hold a reference while they verify. */
struct table {
    unsigned references;
    size_t count;
    struct set sets[EVIDENCE_SETS_MAX];
};

struct evidence {
    struct evidence_options o;
    pthread_mutex_t lock; /* of `table` and its references */
    struct table *table;
    pthread_mutex_t reload_lock;
    uint8_t state[32]; /* of the files when they were read last */
    pthread_mutex_t fetch_lock;
    struct attempt {
        struct att_platform platform;
        int64_t at;
    } attempts[ATTEMPTS]; /* the newest fetches, in turn */
    unsigned next_attempt;
};

void evidence_key_id(const uint8_t key[static 64], uint8_t ret[static 32])
{
    /* SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING 04 || x || y } */
    static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                   0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                   0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
    struct sha256 ctx;

    sha256_init(&ctx);
    sha256_update(&ctx, head, sizeof(head));
    sha256_update(&ctx, key, 64);
    sha256_final(&ctx, ret);
}

/* ---- tables --------------------------------------------------------------------------------- */

static struct table *table_free(struct table *t)
{
    if (t != NULL) {
        for (size_t i = 0; i < t->count; i++) {
            t->sets[i].collateral = att_collateral_free(t->sets[i].collateral);
        }
        free(t);
    }
    return NULL;
}

static void table_freep(struct table **t)
{
    *t = table_free(*t);
}

static struct table *table_get(struct evidence *e)
{
    struct table *t;

    (void)pthread_mutex_lock(&e->lock);
    t = e->table;
    t->references++;
    (void)pthread_mutex_unlock(&e->lock);
    return t;
}

static void table_put(struct evidence *e, struct table *t)
{
    bool last;

    (void)pthread_mutex_lock(&e->lock);
    last = --t->references == 0;
    (void)pthread_mutex_unlock(&e->lock);
    if (last) {
        table_free(t);
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

enum { TCB_INFO, QE_IDENTITY, SIGNING_CHAIN, PCK_CRL, ROOT_CRL, PCK_CHAIN, FILES };

static const struct {
    const char *name;
    size_t max;
    bool optional;
} files[FILES] = {
    [TCB_INFO] = {"tcb_info.json", ATT_JSON_MAX, false},
    [QE_IDENTITY] = {"qe_identity.json", ATT_JSON_MAX, false},
    [SIGNING_CHAIN] = {"tcb_signing_chain.pem", ATT_CHAIN_MAX, false},
    [PCK_CRL] = {"pck_crl.der", ATT_CRL_MAX, false},
    [ROOT_CRL] = {"root_ca_crl.der", ATT_CRL_MAX, false},
    [PCK_CHAIN] = {"pck_chain.pem", ATT_CHAIN_MAX, true},
};

struct loaded {
    uint8_t *data[FILES];
    size_t size[FILES];
};

static void loaded_clear(struct loaded *l)
{
    for (size_t i = 0; i < FILES; i++) {
        free(l->data[i]);
    }
}

static int read_files(const char *dir, struct loaded *ret, struct error **err)
{
    for (size_t i = 0; i < FILES; i++) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (asprintf(&path, "%s/%s", dir, files[i].name) < 0) {
            path = NULL;
            return error_set_errno(err, ENOMEM, "reading collateral");
        }
        if (files[i].optional && access(path, F_OK) < 0) {
            continue;
        }
        r = fs_read_file(path, files[i].max, &ret->data[i], &ret->size[i], err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int add_set(struct table *t, const char *dir, bool software, struct error **err)
{
    _cleanup_(loaded_clear) struct loaded l = {0};
    struct att_root root = att_root_intel;
    struct att_collateral_input in;
    struct att_collateral_info info;
    struct att_reason why = {0};
    struct set *s;
    int r;

    if (t->count == EVIDENCE_SETS_MAX) {
        return error_set(err, E2BIG, "more than %u sets of collateral", EVIDENCE_SETS_MAX);
    }
    s = &t->sets[t->count];
    r = read_files(dir, &l, err);
    if (r < 0) {
        return r;
    }
#define BLOB(i) {l.data[i], l.size[i]}
    in = (struct att_collateral_input){
        .tcb_info = BLOB(TCB_INFO),
        .qe_identity = BLOB(QE_IDENTITY),
        .tcb_signing_chain = BLOB(SIGNING_CHAIN),
        .pck_crl = BLOB(PCK_CRL),
        .root_ca_crl = BLOB(ROOT_CRL),
        .pck_chain = BLOB(PCK_CHAIN),
    };
#undef BLOB
    if (software) {
        root = (struct att_root){.root_class = ATT_ROOT_SOFTWARE, .name = "software root"};
        r = att_chain_root_key(in.tcb_signing_chain.data, in.tcb_signing_chain.size, root.key,
                               &why);
    }
    if (r == 0) {
        r = att_collateral_new(&in, &root, 1, &s->collateral, &why);
    }
    if (r < 0 && why.code == ATT_ROOT_UNTRUSTED && !software) {
        return error_set(err, -r,
                         "collateral %s does not end in Intel's root; if it is that of a software "
                         "root, give it with --software-root",
                         dir);
    }
    if (r < 0) {
        return error_set(err, -r, "collateral %s: %s%s%s; %s", dir, att_code_sentence(why.code),
                         why.detail[0] != '\0' ? ": " : "", why.detail, att_code_advice(why.code));
    }
    att_collateral_info(s->collateral, &info);
    evidence_key_id(info.root_key, s->root_id);
    s->issued_at = info.issued_at;
    t->count++;
    return 0;
}

int evidence_check_set(const char *dir, struct error **err)
{
    _cleanup_(table_freep) struct table *t = calloc(1, sizeof(*t));

    return t != NULL ? add_set(t, dir, /*software=*/false, err)
                     : error_set_errno(err, ENOMEM, "reading collateral");
}

/* ---- directories ---------------------------------------------------------------------------- */

struct walk {
    int (*each)(void *ctx, const char *dir, bool software, struct error **err);
    void *ctx;
};

static bool holds_set(const char *dir)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s", dir, files[TCB_INFO].name) < 0) {
        path = NULL;
        return false;
    }
    return access(path, F_OK) == 0;
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static void free_names(struct dirent **names, int count)
{
    for (int i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

/* Calls `each` for the sets in the directories below `dir`, in the order of their names. */
static int walk_below(const char *dir, bool software, const struct walk *w, size_t *found,
                      struct error **err)
{
    struct dirent **names = NULL;
    const int count = scandir(dir, &names, visible, alphasort);
    int r = 0;

    if (count < 0) {
        return error_set_errno(err, errno, "cannot read the collateral in %s", dir);
    }
    for (int i = 0; i < count && r == 0; i++) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/%s", dir, names[i]->d_name) < 0) {
            path = NULL;
            r = error_set_errno(err, ENOMEM, "reading collateral");
        } else if (holds_set(path)) {
            r = w->each(w->ctx, path, software, err);
            (*found)++;
        }
    }
    free_names(names, count);
    return r;
}

static int walk_one(const char *given, bool software, bool may_be_empty, const struct walk *w,
                    struct error **err)
{
    _cleanup_free_ char *dir = strdup(given);
    size_t found = 0;
    struct stat st;
    char *slash;
    int r;

    if (dir == NULL) {
        return error_set_errno(err, ENOMEM, "reading collateral");
    }
    if (stat(dir, &st) < 0) {
        return error_set_errno(err, errno, "cannot read the collateral in %s", given);
    }
    if (!S_ISDIR(st.st_mode)) {
        slash = strrchr(dir, '/');
        if (slash != NULL) {
            *slash = '\0';
        } else {
            memcpy(dir, ".", MIN(strlen(dir) + 1, (size_t)2));
        }
    }
    if (holds_set(dir)) {
        r = w->each(w->ctx, dir, software, err);
        found = 1;
    } else {
        r = walk_below(dir, software, w, &found, err);
    }
    if (r == 0 && found == 0 && !may_be_empty) {
        return error_set(err, ENOENT,
                         "there is no collateral in %s: no %s there nor one directory below", given,
                         files[TCB_INFO].name);
    }
    return r;
}

static int walk_all(const struct evidence *e, const struct walk *w, struct error **err)
{
    int r = 0;

    for (size_t i = 0; i < e->o.dir_count && r == 0; i++) {
        r = walk_one(e->o.dirs[i], /*software=*/false, /*may_be_empty=*/false, w, err);
    }
    for (size_t i = 0; i < e->o.software_count && r == 0; i++) {
        r = walk_one(e->o.software_dirs[i], /*software=*/true, /*may_be_empty=*/false, w, err);
    }
    if (r == 0 && e->o.cache_dir != NULL) {
        r = walk_one(e->o.cache_dir, /*software=*/false, /*may_be_empty=*/true, w, err);
    }
    return r;
}

static int add_each(void *ctx, const char *dir, bool software, struct error **err)
{
    return add_set(ctx, dir, software, err);
}

static int hash_each(void *ctx, const char *dir, bool software, struct error **err)
{
    for (size_t i = 0; i < FILES; i++) {
        _cleanup_free_ char *path = NULL;
        struct stat st = {0};

        if (asprintf(&path, "%s/%s", dir, files[i].name) < 0) {
            path = NULL;
            return error_set_errno(err, ENOMEM, "reading collateral");
        }
        (void)stat(path, &st); /* zeros when it is not there */
        sha256_update(ctx, path, strlen(path) + 1);
        sha256_update(ctx, &st.st_ino, sizeof(st.st_ino));
        sha256_update(ctx, &st.st_size, sizeof(st.st_size));
        sha256_update(ctx, &st.st_mtim, sizeof(st.st_mtim));
    }
    return 0;
}

static int files_state(const struct evidence *e, uint8_t ret[static 32], struct error **err)
{
    struct sha256 ctx;
    const struct walk w = {.each = hash_each, .ctx = &ctx};
    int r;

    sha256_init(&ctx);
    r = walk_all(e, &w, err);
    sha256_final(&ctx, ret);
    return r;
}

static int reload_locked(struct evidence *e, struct error **err)
{
    _cleanup_(table_freep) struct table *t = calloc(1, sizeof(*t));
    const struct walk w = {.each = add_each, .ctx = t};
    struct table *old;
    int r;

    if (t == NULL) {
        return error_set_errno(err, ENOMEM, "reading collateral");
    }
    /* The state first: what changes while it is read will look changed the next time. */
    r = files_state(e, e->state, err);
    if (r == 0) {
        r = walk_all(e, &w, err);
    }
    if (r < 0) {
        return r;
    }
    t->references = 1;
    (void)pthread_mutex_lock(&e->lock);
    old = e->table;
    e->table = TAKE_PTR(t);
    (void)pthread_mutex_unlock(&e->lock);
    if (old != NULL) {
        table_put(e, old);
    }
    return 0;
}

int evidence_reload(struct evidence *e, struct error **err)
{
    int r;

    (void)pthread_mutex_lock(&e->reload_lock);
    r = reload_locked(e, err);
    (void)pthread_mutex_unlock(&e->reload_lock);
    return r;
}

int evidence_refresh(struct evidence *e, struct error **err)
{
    uint8_t state[32];
    int r;

    (void)pthread_mutex_lock(&e->reload_lock);
    r = files_state(e, state, NULL);
    if (r < 0) {
        memset(state, 0, sizeof(state)); /* a directory that is gone: one failure, said once */
    }
    if (ct_equal(state, e->state, sizeof(state))) {
        r = 0;
    } else {
        memcpy(e->state, state, sizeof(state));
        r = reload_locked(e, err);
        if (r < 0) {
            memcpy(e->state, state, sizeof(state));
        }
        r = r == 0 ? 1 : r;
    }
    (void)pthread_mutex_unlock(&e->reload_lock);
    return r;
}

int evidence_new(const struct evidence_options *o, struct evidence **ret, struct error **err)
{
    _cleanup_evidence_ struct evidence *e = calloc(1, sizeof(*e));
    int r;

    if (e == NULL || pthread_mutex_init(&e->lock, NULL) != 0 ||
        pthread_mutex_init(&e->reload_lock, NULL) != 0 ||
        pthread_mutex_init(&e->fetch_lock, NULL) != 0) {
        return error_set_errno(err, ENOMEM, "reading collateral");
    }
    e->o = *o;
    r = evidence_reload(e, err);
    if (r == 0) {
        *ret = TAKE_PTR(e);
    }
    return r;
}

struct evidence *evidence_free(struct evidence *e)
{
    if (e != NULL) {
        table_free(e->table);
        (void)pthread_mutex_destroy(&e->lock);
        (void)pthread_mutex_destroy(&e->reload_lock);
        (void)pthread_mutex_destroy(&e->fetch_lock);
        free(e);
    }
    return NULL;
}

void evidence_summary(struct evidence *e, struct evidence_summary *ret)
{
    struct table *t = table_get(e);

    *ret = (struct evidence_summary){.sets = t->count, .valid_until = INT64_MAX};
    for (size_t i = 0; i < t->count; i++) {
        struct att_collateral_info info;

        att_collateral_info(t->sets[i].collateral, &info);
        ret->hardware += info.root_class == ATT_ROOT_HARDWARE;
        ret->valid_until = MIN(ret->valid_until, info.valid_until);
    }
    table_put(e, t);
}

/* ---- verifying ------------------------------------------------------------------------------ */

/* The set is about other platforms, and another one may know this one. More than 0, and the more
 * the further the verifier got: the furthest reason says most. */
static unsigned other_platform(enum att_code code)
{
    switch (code) {
    case ATT_TEE_MISMATCH: return 1;
    case ATT_FMSPC_MISMATCH: return 2;
    case ATT_PCE_ID_MISMATCH: return 3;
    case ATT_ROOTS_DIFFER: return 4;
    case ATT_CRL_WRONG_ISSUER: return 5;
    default: return 0;
    }
}

static int verify_known(struct evidence *e, const void *quote, size_t size, int64_t now,
                        struct verified *ret, struct att_reason *why)
{
    struct table *t = table_get(e);
    struct att_reason this_why;
    unsigned furthest = 0;
    bool done = false;
    int r = -EKEYREJECTED;

    *why = (struct att_reason){
        .code = ATT_ROOT_UNTRUSTED,
        .detail = "this CAS has no collateral (nacre cas serve --collateral, --software-root)",
    };
    for (size_t i = 0; i < t->count && !done; i++) {
        const struct set *s = &t->sets[i];

        this_why = (struct att_reason){0};
        r = att_verify(quote, size, s->collateral, now, &ret->claims, &this_why);
        done = r == 0 || other_platform(this_why.code) == 0;
        if (r < 0 && (done || other_platform(this_why.code) > furthest)) {
            furthest = other_platform(this_why.code);
            *why = this_why;
        }
        if (r == 0) {
            memcpy(ret->root_id, s->root_id, sizeof(ret->root_id));
            ret->issued_at = s->issued_at;
        }
    }
    table_put(e, t);
    return r;
}

/* ---- fetching ------------------------------------------------------------------------------- */

/* True once in a while for each platform. With the fetch lock held. */
static bool may_fetch(struct evidence *e, const struct att_platform *p, int64_t now)
{
    for (size_t i = 0; i < ATTEMPTS; i++) {
        const struct attempt *a = &e->attempts[i];

        if (a->at != 0 && a->platform.tdx == p->tdx && a->platform.ca == p->ca &&
            ct_equal(a->platform.fmspc, p->fmspc, sizeof(p->fmspc)) && now >= a->at &&
            now - a->at < RETRY_SECONDS) {
            return false;
        }
    }
    e->attempts[e->next_attempt] = (struct attempt){.platform = *p, .at = now};
    e->next_attempt = (e->next_attempt + 1) % ATTEMPTS;
    return true;
}

/* 1: new collateral is here. 0: there is none to be had; *why stays. */
static int fetch(struct evidence *e, const void *quote, size_t size, int64_t now,
                 struct att_reason *why)
{
    _cleanup_error_ struct error *err = NULL;
    struct att_platform platform;
    struct att_reason ignored;
    int r = 0;

    if (e->o.fetch == NULL ||
        att_evidence_platform(quote, size, &att_root_intel, now, &platform, &ignored) < 0) {
        return 0;
    }
    if (pthread_mutex_trylock(&e->fetch_lock) != 0) {
        *why = (struct att_reason){.code = ATT_INTERNAL,
                                   .detail = "collateral is being fetched for another platform"};
        return -EAGAIN;
    }
    if (may_fetch(e, &platform, now)) {
        r = e->o.fetch(e->o.fetch_ctx, &platform, &err);
        if (r == 0) {
            r = evidence_reload(e, &err);
        }
        if (r < 0) {
            *why = (struct att_reason){.code = ATT_INTERNAL};
            (void)snprintf(why->detail, sizeof(why->detail), "collateral cannot be fetched: %.140s",
                           error_text(err));
        }
        r = r == 0 ? 1 : -EAGAIN;
    }
    (void)pthread_mutex_unlock(&e->fetch_lock);
    return r;
}

int evidence_verify(struct evidence *e, const void *quote, size_t size, int64_t now,
                    struct verified *ret, struct att_reason *why)
{
    int r = verify_known(e, quote, size, now, ret, why);

    if (r < 0 && (why->code == ATT_ROOT_UNTRUSTED || other_platform(why->code) != 0)) {
        const int fetched = fetch(e, quote, size, now, why);

        if (fetched == 1) {
            r = verify_known(e, quote, size, now, ret, why);
        } else if (fetched < 0) {
            r = fetched;
        }
    }
    return r;
}
