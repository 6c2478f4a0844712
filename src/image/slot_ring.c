/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/slot_ring.h"

#include "base/alloc.h"

void slot_ring_init(struct slot_ring *r, unsigned slots)
{
    *r = (struct slot_ring){.slots = slots};
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_cond_init(&r->filled, NULL);
    (void)pthread_cond_init(&r->freed, NULL);
}

void slot_ring_done(struct slot_ring *r)
{
    (void)pthread_cond_destroy(&r->freed);
    (void)pthread_cond_destroy(&r->filled);
    (void)pthread_mutex_destroy(&r->lock);
    r->error = error_free(r->error);
}

bool slot_ring_wait_free(struct slot_ring *r, unsigned *ret_slot)
{
    bool stopped;

    (void)pthread_mutex_lock(&r->lock);
    while (r->full == r->slots && !r->stopped) {
        (void)pthread_cond_wait(&r->freed, &r->lock);
    }
    stopped = r->stopped;
    *ret_slot = (r->first + r->full) % r->slots;
    (void)pthread_mutex_unlock(&r->lock);
    return !stopped;
}

void slot_ring_push(struct slot_ring *r)
{
    (void)pthread_mutex_lock(&r->lock);
    r->full++;
    (void)pthread_cond_signal(&r->filled);
    (void)pthread_mutex_unlock(&r->lock);
}

/* The first outcome is the one that counts: what comes after it follows from it. */
static void finish(struct slot_ring *r, bool *flag, int code, struct error *error)
{
    (void)pthread_mutex_lock(&r->lock);
    *flag = true;
    if (r->code == 0) {
        r->code = code;
        r->error = TAKE_PTR(error);
    }
    (void)pthread_cond_signal(&r->filled);
    (void)pthread_cond_signal(&r->freed);
    (void)pthread_mutex_unlock(&r->lock);
    (void)error_free(error);
}

void slot_ring_end(struct slot_ring *r, int code, struct error *error)
{
    finish(r, &r->ended, code, error);
}

void slot_ring_stop(struct slot_ring *r, int code, struct error *error)
{
    finish(r, &r->stopped, code, error);
}

bool slot_ring_wait_full(struct slot_ring *r, unsigned *ret_slot)
{
    bool any;

    (void)pthread_mutex_lock(&r->lock);
    while (r->full == 0 && !r->ended) {
        (void)pthread_cond_wait(&r->filled, &r->lock);
    }
    any = r->full > 0;
    *ret_slot = r->first;
    (void)pthread_mutex_unlock(&r->lock);
    return any;
}

void slot_ring_pop(struct slot_ring *r)
{
    (void)pthread_mutex_lock(&r->lock);
    r->first = (r->first + 1) % r->slots;
    r->full--;
    (void)pthread_cond_signal(&r->freed);
    (void)pthread_mutex_unlock(&r->lock);
}

int slot_ring_outcome(struct slot_ring *r, struct error **err)
{
    int code;

    (void)pthread_mutex_lock(&r->lock);
    code = r->code;
    if (code < 0 && err != NULL && r->error != NULL) {
        *err = error_free(*err);
        *err = TAKE_PTR(r->error);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return code;
}
