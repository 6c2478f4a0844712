/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/peers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/ct.h"

#define SLOTS  4096u /* a power of two */
#define PROBES 16u

struct peer {
    uint8_t key[16];
    bool used;
    unsigned connections;
    uint64_t filled_ms; /* when the bucket was filled up last */
    uint64_t milli;     /* thousandths of requests in the bucket */
};

struct peers {
    pthread_mutex_t lock;
    struct peer_limits limits;
    struct peer slots[SLOTS];
    struct peer shared;
};

struct peers *peers_new(const struct peer_limits *limits)
{
    struct peers *p = calloc(1, sizeof(*p));

    if (p == NULL || pthread_mutex_init(&p->lock, NULL) != 0) {
        free(p);
        return NULL;
    }
    p->limits = *limits;
    return p;
}

void peers_free(struct peers *p)
{
    if (p != NULL) {
        (void)pthread_mutex_destroy(&p->lock);
        free(p);
    }
}

static void key_of(const uint8_t *address, uint8_t ret[static 16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    memcpy(ret, address, 16);
    if (!ct_equal(address, mapped, sizeof(mapped))) {
        memset(ret + 8, 0, 8);
    }
}

static uint32_t hash(const uint8_t *key)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < 16; i++) {
        h = (h ^ key[i]) * 16777619u;
    }
    return h;
}

/* The peer's slot or NULL; *ret_idle is one that a newcomer may have. */
static struct peer *lookup(struct peers *p, const uint8_t *key, struct peer **ret_idle)
{
    const uint32_t h = hash(key);

    for (uint32_t i = 0; i < PROBES; i++) {
        struct peer *s = &p->slots[(h + i) & (SLOTS - 1)];

        if (s->used && ct_equal(s->key, key, sizeof(s->key))) {
            return s;
        }
        if (*ret_idle == NULL && s->connections == 0) {
            *ret_idle = s;
        }
    }
    return NULL;
}

static struct peer *find(struct peers *p, const uint8_t *address)
{
    struct peer *idle = NULL;
    struct peer *found;
    uint8_t key[16];

    key_of(address, key);
    found = lookup(p, key, &idle);
    if (found != NULL) {
        return found;
    }
    if (idle == NULL) {
        return &p->shared;
    }
    *idle = (struct peer){.used = true, .milli = 2000ull * p->limits.rate};
    memcpy(idle->key, key, sizeof(key));
    return idle;
}

bool peers_enter(struct peers *p, const uint8_t address[static 16])
{
    struct peer *s;
    bool ok;

    (void)pthread_mutex_lock(&p->lock);
    s = find(p, address);
    ok = s->connections < p->limits.connections;
    s->connections += ok;
    (void)pthread_mutex_unlock(&p->lock);
    return ok;
}

void peers_leave(struct peers *p, const uint8_t address[static 16])
{
    struct peer *idle = NULL;
    struct peer *s;
    uint8_t key[16];

    key_of(address, key);
    (void)pthread_mutex_lock(&p->lock);
    s = lookup(p, key, &idle);
    if (s == NULL) {
        s = &p->shared; /* slots with connections are never given away, so it was that one */
    }
    if (s->connections > 0) {
        s->connections--;
    }
    (void)pthread_mutex_unlock(&p->lock);
}

bool peers_request(struct peers *p, const uint8_t address[static 16], uint64_t now_ms)
{
    const uint64_t full = 2000ull * p->limits.rate;
    struct peer *s;
    bool ok;

    (void)pthread_mutex_lock(&p->lock);
    s = find(p, address);
    if (now_ms > s->filled_ms) {
        const uint64_t passed = MIN(now_ms - s->filled_ms, (uint64_t)60000);

        s->milli = MIN(s->milli + passed * p->limits.rate, full);
        s->filled_ms = now_ms;
    }
    ok = s->milli >= 1000;
    s->milli -= ok ? 1000 : 0;
    (void)pthread_mutex_unlock(&p->lock);
    return ok;
}
