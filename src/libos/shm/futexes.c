/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/shm/futexes.h"

#include "libos/lib/list.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"

#define BUCKETS     256u
#define WAITERS_MAX 65536u

struct waiting {
    struct list node;
    uint32_t member;
    uint32_t bits;
    uint64_t ticket;
    uint64_t object;
    uint64_t offset;
};

static struct list g_buckets[BUCKETS]; /* zero until first used */
static uint32_t g_count;

static struct list *bucket_of(uint64_t object, uint64_t offset)
{
    const uint64_t h = (object * 0x9e3779b97f4a7c15ull) ^ ((offset >> 2) * 0xc2b2ae3d27d4eb4full);
    struct list *b = &g_buckets[(h >> 32) % BUCKETS];

    if (b->next == NULL) {
        list_init(b);
    }
    return b;
}

static void drop(struct waiting *w)
{
    list_remove(&w->node);
    g_count--;
    kfree(w);
}

static void answer(uint32_t member, const struct shm_head *h, uint64_t result, directory_send send)
{
    const struct shm_head a = {.op = SHM_ANSWER, .a = result, .d = h->d};

    (void)send(member, &a, NULL);
}

static int enqueue(uint32_t member, const struct shm_head *h)
{
    struct waiting *w;

    if (h->b == 0 || h->b > UINT32_MAX) {
        return -EBADMSG;
    }
    w = g_count < WAITERS_MAX ? kzalloc(sizeof(*w)) : NULL;
    if (w == NULL) {
        return -ENOMEM;
    }
    w->member = member;
    w->bits = (uint32_t)h->b;
    w->ticket = h->a;
    w->object = h->object;
    w->offset = h->page;
    list_insert(bucket_of(h->object, h->page), &w->node);
    g_count++;
    return 0;
}

/* Wherever it is by now: a requeue may have moved it. */
static uint64_t cancel(uint32_t member, uint64_t ticket)
{
    for (uint32_t i = 0; i < BUCKETS; i++) {
        if (g_buckets[i].next == NULL) {
            continue;
        }
        list_for_each (it, &g_buckets[i]) {
            struct waiting *w = list_entry(it, struct waiting, node);

            if (w->member == member && w->ticket == ticket) {
                drop(w);
                return 1;
            }
        }
    }
    return 0;
}

static void release(struct waiting *w, directory_send send)
{
    const struct shm_head woken = {.op = SHM_WOKEN, .object = w->object, .a = w->ticket};

    (void)send(w->member, &woken, NULL);
    drop(w);
}

static uint64_t wake(const struct shm_head *h, directory_send send)
{
    struct list *b = bucket_of(h->object, h->page);
    uint64_t woken = 0;

    list_for_each_safe (it, b) {
        struct waiting *w = list_entry(it, struct waiting, node);

        if (woken >= h->a) {
            break;
        }
        if (w->object == h->object && w->offset == h->page && (w->bits & h->b) != 0) {
            release(w, send);
            woken++;
        }
    }
    return woken;
}

/* How many were woken, and above bit 32 how many moved. */
static uint64_t requeue(const struct shm_head *h, directory_send send)
{
    struct list *from = bucket_of(h->object, h->page);
    struct list *to = bucket_of(h->e, h->c);
    struct list moving;
    uint64_t woken = 0;
    uint64_t moved = 0;

    list_init(&moving);
    list_for_each_safe (it, from) {
        struct waiting *w = list_entry(it, struct waiting, node);

        if (w->object != h->object || w->offset != h->page) {
            continue;
        }
        if (woken < h->a) {
            release(w, send);
            woken++;
        } else if (moved < h->b) {
            w->object = h->e;
            w->offset = h->c;
            list_remove(&w->node);
            list_insert(&moving, &w->node);
            moved++;
        }
    }
    list_for_each_safe (it, &moving) {
        list_remove(it);
        list_insert(to, it);
    }
    return moved << 32 | woken;
}

int futexes_take(uint32_t member, const struct shm_head *h, directory_send send)
{
    if (h->flags != 0 || h->object == 0 || h->page % sizeof(uint32_t) != 0) {
        return -EBADMSG;
    }
    switch (h->op) {
    case SHM_FUTEX_WAIT: return enqueue(member, h);
    case SHM_FUTEX_CANCEL: answer(member, h, cancel(member, h->a), send); return 0;
    case SHM_FUTEX_WAKE: answer(member, h, wake(h, send), send); return 0;
    case SHM_FUTEX_REQUEUE:
        if (h->e == 0 || h->c % sizeof(uint32_t) != 0 || h->a > INT32_MAX || h->b > INT32_MAX) {
            return -EBADMSG;
        }
        answer(member, h, requeue(h, send), send);
        return 0;
    default: return -EBADMSG;
    }
}

static void drop_all(uint32_t member, bool everybody)
{
    for (uint32_t i = 0; i < BUCKETS; i++) {
        if (g_buckets[i].next == NULL) {
            continue;
        }
        list_for_each_safe (it, &g_buckets[i]) {
            struct waiting *w = list_entry(it, struct waiting, node);

            if (everybody || w->member == member) {
                drop(w);
            }
        }
    }
}

void futexes_gone(uint32_t member)
{
    drop_all(member, /*everybody=*/false);
}

void futexes_forget(void)
{
    drop_all(0, /*everybody=*/true);
}
