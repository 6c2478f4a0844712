/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/digest_ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"

#define BUFFERS   4u
#define SMALL_MAX ((uint64_t)1 << 20) /* not worth a thread */

struct digest_ring {
    struct sha256 digest; /* the thread's, until it ended */
    pthread_t thread;
    bool threaded;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    pthread_cond_t freed;
    unsigned first; /* oldest buffer that is not digested */
    unsigned full;
    bool ended; /* no more will come */
    size_t sizes[BUFFERS];
    uint8_t buffers[BUFFERS][DIGEST_RING_BUFFER];
};

static void *work(void *arg)
{
    struct digest_ring *r = arg;

    (void)pthread_mutex_lock(&r->lock);
    for (;;) {
        while (r->full == 0 && !r->ended) {
            (void)pthread_cond_wait(&r->filled, &r->lock);
        }
        if (r->full == 0) {
            break;
        }
        (void)pthread_mutex_unlock(&r->lock);
        sha256_update(&r->digest, r->buffers[r->first], r->sizes[r->first]);
        (void)pthread_mutex_lock(&r->lock);
        r->first = (r->first + 1) % BUFFERS;
        r->full--;
        (void)pthread_cond_signal(&r->freed);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return NULL;
}

int digest_ring_new(uint64_t size, struct digest_ring **ret, struct error **err)
{
    struct digest_ring *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        return error_set(err, ENOMEM, "out of memory");
    }
    sha256_init(&r->digest);
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_cond_init(&r->filled, NULL);
    (void)pthread_cond_init(&r->freed, NULL);
    /* Without a thread it is only slower. */
    r->threaded = size > SMALL_MAX && pthread_create(&r->thread, NULL, work, r) == 0;
    *ret = r;
    return 0;
}

static void end(struct digest_ring *r)
{
    if (!r->threaded) {
        return;
    }
    (void)pthread_mutex_lock(&r->lock);
    r->ended = true;
    (void)pthread_cond_signal(&r->filled);
    (void)pthread_mutex_unlock(&r->lock);
    (void)pthread_join(r->thread, NULL);
    r->threaded = false;
}

struct digest_ring *digest_ring_free(struct digest_ring *r)
{
    if (r == NULL) {
        return NULL;
    }
    end(r);
    (void)pthread_cond_destroy(&r->freed);
    (void)pthread_cond_destroy(&r->filled);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
    return NULL;
}

uint8_t *digest_ring_next(struct digest_ring *r)
{
    unsigned slot;

    (void)pthread_mutex_lock(&r->lock);
    while (r->full == BUFFERS) {
        (void)pthread_cond_wait(&r->freed, &r->lock);
    }
    slot = (r->first + r->full) % BUFFERS;
    (void)pthread_mutex_unlock(&r->lock);
    return r->buffers[slot];
}

void digest_ring_push(struct digest_ring *r, size_t size)
{
    if (!r->threaded) {
        sha256_update(&r->digest, r->buffers[r->first], size);
        return;
    }
    (void)pthread_mutex_lock(&r->lock);
    r->sizes[(r->first + r->full) % BUFFERS] = size;
    r->full++;
    (void)pthread_cond_signal(&r->filled);
    (void)pthread_mutex_unlock(&r->lock);
}

void digest_ring_state(struct digest_ring *r, struct sha256 *ret)
{
    (void)pthread_mutex_lock(&r->lock);
    while (r->full > 0) {
        (void)pthread_cond_wait(&r->freed, &r->lock);
    }
    *ret = r->digest;
    (void)pthread_mutex_unlock(&r->lock);
}

void digest_ring_resume(struct digest_ring *r, const struct sha256 *from)
{
    r->digest = *from;
}

void digest_ring_finish(struct digest_ring *r, uint8_t ret[static SHA256_SIZE])
{
    end(r);
    sha256_final(&r->digest, ret);
}
