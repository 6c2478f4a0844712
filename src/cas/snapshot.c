/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * One slot a hash of the name, the newest wins. A reader that started before a change and ends
 * after it must not leave what it read: every change moves the generation on, and only what was
 * read in the present generation is kept.
 */

#include "cas/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "core/sha256.h"

#define RENEWAL_SECONDS 60 /* between two looks at the certificates of a session */

struct snapshots {
    pthread_mutex_t lock;
    uint64_t generation;
    size_t bytes;
    unsigned hand; /* where to make room next */
    struct cas_snapshot *slots[SNAPSHOT_SLOTS];
};

static void snapshot_free(struct cas_snapshot *s)
{
    if (s != NULL) {
        cas_loaded_clear(&s->loaded);
        cas_secrets_clear(&s->secrets);
        free(s);
    }
}

int snapshots_new(struct snapshots **ret)
{
    struct snapshots *s = calloc(1, sizeof(*s));

    if (s == NULL || pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        return -ENOMEM;
    }
    *ret = s;
    return 0;
}

void snapshots_free(struct snapshots *s)
{
    if (s != NULL) {
        for (size_t i = 0; i < SNAPSHOT_SLOTS; i++) {
            snapshot_free(s->slots[i]);
        }
        (void)pthread_mutex_destroy(&s->lock);
        free(s);
    }
}

static unsigned slot_of(const char *name)
{
    uint8_t hash[SHA256_SIZE];

    /* Names are chosen by others; nobody shall be able to push a certain session out. */
    sha256(name, strlen(name), hash);
    return ((unsigned)hash[0] << 8 | hash[1]) & (SNAPSHOT_SLOTS - 1);
}

/* Takes the entry out of its slot; the caller frees what is returned, outside of the lock. */
static struct cas_snapshot *evict(struct snapshots *s, unsigned slot)
{
    struct cas_snapshot *old = s->slots[slot];

    if (old == NULL) {
        return NULL;
    }
    s->slots[slot] = NULL;
    s->bytes -= old->loaded.row.document.size;
    return --old->references == 0 ? old : NULL;
}

static struct cas_snapshot *find(struct snapshots *s, const char *name)
{
    struct cas_snapshot *found;

    (void)pthread_mutex_lock(&s->lock);
    found = s->slots[slot_of(name)];
    if (found != NULL && strcmp(found->loaded.row.name, name) == 0) {
        found->references++;
    } else {
        found = NULL;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return found;
}

static void keep(struct snapshots *s, struct cas_snapshot *fresh)
{
    const size_t size = fresh->loaded.row.document.size;
    const unsigned slot = slot_of(fresh->loaded.row.name);
    struct cas_snapshot *old = NULL;

    if (size > SNAPSHOT_ONE_MAX) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    if (fresh->generation == s->generation) {
        old = evict(s, slot);
        s->slots[slot] = fresh;
        s->bytes += size;
        fresh->references++;
    }
    /* An entry at a time: what is in use is not freed here, and not counted any more. */
    while (s->bytes > SNAPSHOT_BYTES && old == NULL) {
        s->hand = (s->hand + 1) & (SNAPSHOT_SLOTS - 1);
        old = s->hand != slot ? evict(s, s->hand) : NULL;
    }
    (void)pthread_mutex_unlock(&s->lock);
    snapshot_free(old);
}

void cas_snapshot_put(struct cas *c, struct cas_snapshot *snapshot)
{
    bool last;

    if (snapshot == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&c->snapshots->lock);
    last = --snapshot->references == 0;
    (void)pthread_mutex_unlock(&c->snapshots->lock);
    if (last) {
        snapshot_free(snapshot);
    }
}

void cas_snapshot_forget(struct cas *c, const char *name)
{
    struct snapshots *s = c->snapshots;
    const unsigned slot = slot_of(name);
    struct cas_snapshot *old = NULL;

    (void)pthread_mutex_lock(&s->lock);
    s->generation++;
    if (s->slots[slot] != NULL && strcmp(s->slots[slot]->loaded.row.name, name) == 0) {
        old = evict(s, slot);
    }
    (void)pthread_mutex_unlock(&s->lock);
    snapshot_free(old);
}

static int read_fresh(struct cas *c, const char *name, struct cas_snapshot **ret,
                      struct error **err)
{
    struct cas_snapshot *s = calloc(1, sizeof(*s));
    int r;

    if (s == NULL) {
        return error_set_errno(err, ENOMEM, "reading session %s", name);
    }
    s->references = 1;
    (void)pthread_mutex_lock(&c->snapshots->lock);
    s->generation = c->snapshots->generation;
    (void)pthread_mutex_unlock(&c->snapshots->lock);
    r = cas_load_whole(c, name, &s->loaded, &s->secrets, err);
    if (r < 0) {
        snapshot_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

/* True when certificates are due and were renewed, so that the snapshot is old news. */
static bool renew(struct cas *c, struct cas_snapshot *s)
{
    _cleanup_secrets_ struct cas_secrets renewed = {0};
    _cleanup_error_ struct error *lost = NULL;
    const int64_t now = c->now();
    const int64_t checked = __atomic_exchange_n(&s->renewal_checked, now, __ATOMIC_RELAXED);

    if (checked != 0 && now >= checked && now - checked < RENEWAL_SECONDS) {
        return false;
    }
    return cas_secrets_due(&s->secrets, now) &&
           cas_current_secrets(c, &s->loaded, &renewed, &lost) == 1;
}

int cas_snapshot_get(struct cas *c, const char *name, struct cas_snapshot **ret, struct error **err)
{
    struct cas_snapshot *s = find(c->snapshots, name);
    int r = 0;

    if (s == NULL) {
        r = read_fresh(c, name, &s, err);
        if (r < 0) {
            return r;
        }
        keep(c->snapshots, s);
    }
    if (renew(c, s)) {
        cas_snapshot_put(c, s);
        s = NULL;
        r = read_fresh(c, name, &s, err);
    }
    if (r == 0) {
        *ret = s;
    }
    return r;
}
