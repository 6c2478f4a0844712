/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Buffers that go from one thread to another in order: who has which, and how it ended. The buffers
 * themselves are the owner's, numbered from 0; a thread touches only those it was given.
 */

#include <pthread.h>

#include "base/error.h"

struct slot_ring {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    pthread_cond_t freed;
    unsigned slots;
    unsigned first; /* oldest full one */
    unsigned full;  /* the one the consumer works on included */
    bool ended;     /* the producer adds no more */
    bool stopped;   /* the consumer takes no more */
    int code;       /* why: 0 or -Exxx */
    struct error *error;
};

void slot_ring_init(struct slot_ring *r, unsigned slots);
/* When neither thread uses it any more. */
void slot_ring_done(struct slot_ring *r);

/* Producer: a slot to fill; false: the consumer stopped. */
bool slot_ring_wait_free(struct slot_ring *r, unsigned *ret_slot);
/* That slot is full. */
void slot_ring_push(struct slot_ring *r);
/* No more will come; takes over `error`. */
void slot_ring_end(struct slot_ring *r, int code, struct error *error);

/* Consumer: the oldest full slot; false: there is none, nor will be. */
bool slot_ring_wait_full(struct slot_ring *r, unsigned *ret_slot);
/* Done with that slot. */
void slot_ring_pop(struct slot_ring *r);
/* Takes no more; takes over `error`. */
void slot_ring_stop(struct slot_ring *r, int code, struct error *error);

/* What the other side ended or stopped with, once it did; moves the error. */
[[nodiscard]] int slot_ring_outcome(struct slot_ring *r, struct error **err);
