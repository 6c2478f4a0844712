/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Locks of the library OS. A spinlock guards a few instructions and is never held across a wait, a
 * host call or an access to application memory. A mutex may be held across all three: contended, it
 * parks the thread outside. Lock order is written at each lock.
 */

#include "core/types.h"

struct thread;

struct spinlock {
    uint32_t locked;
};

void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);

struct mutex {
    uint32_t state; /* 0 free, 1 held, 2 held and somebody waits */
    struct thread *owner;
};

void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);

/* Reference counts. ref_put returns true when the last one went: the caller frees. */
struct refcount {
    uint32_t count;
};

static inline void ref_init(struct refcount *r)
{
    __atomic_store_n(&r->count, 1, __ATOMIC_RELAXED);
}

static inline void ref_get(struct refcount *r)
{
    (void)__atomic_add_fetch(&r->count, 1, __ATOMIC_RELAXED);
}

/* For who finds an object in a table that counts none: false when the last reference went already,
 * and the object is on its way out. */
static inline bool ref_try_get(struct refcount *r)
{
    uint32_t n = __atomic_load_n(&r->count, __ATOMIC_RELAXED);

    while (n != 0) {
        if (__atomic_compare_exchange_n(&r->count, &n, n + 1, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            return true;
        }
    }
    return false;
}

static inline bool ref_put(struct refcount *r)
{
    return __atomic_sub_fetch(&r->count, 1, __ATOMIC_ACQ_REL) == 0;
}
