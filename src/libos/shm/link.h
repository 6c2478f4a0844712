/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * How messages about shared pages travel: each member has a third channel to the owner, "pages",
 * dialled when it first shares memory, and both ends have a thread of their own for it, the pager.
 * A thread that faults may hold any lock of the library OS but the pager's, so the pager takes no
 * other, waits for nobody, and goes to the gate of a fork last of all (proc/freeze.h).
 *
 * Lock order: everything else > the pager's > owner's members, channels, the heap.
 */

#include "libos/shm/wire.h"

/* What this process does with what the owner tells it. Both under the lock. */
struct shm_local {
    void (*take)(const struct shm_head *h, const uint8_t *content);
    /* What was put off: does what is due; when to come again (CLOCK_MONOTONIC ns, UINT64_MAX: no
     * need). */
    uint64_t (*work)(void);
    void (*owner_gone)(void);
};
void shm_link_local(const struct shm_local *local);

/* The pager runs and, in a member, the channel stands. Again is harmless. -EAGAIN, -ENOMEM, or what
 * the host says. */
[[nodiscard]] int shm_link_start(void);
bool shm_link_stands(void);

/* The owner: calls about objects. Once. */
void shm_link_serve(void);

void shm_lock(void);
void shm_unlock(void);
/* To the owner, in order. Under the lock. -EIO: it is gone. */
int shm_post(const struct shm_head *h, const uint8_t *content);
/* Called whenever the lock was opened. */
void shm_link_unlocked(void (*then)(void));
/* The pager looks after what was put off. Under the lock. */
void shm_kick(void);

/* In a child of fork, before it joins: no channel, no directory. */
void shm_link_after_fork(void);
