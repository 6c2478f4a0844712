/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Timers of the library OS: a sorted list with one wake-up timer at the host for the earliest. The
 * host may fire late, early or never: early ones do nothing, and every system call of every thread
 * looks as well (signal_deliver), so a late host only makes timers late.
 */

#include "libos/lib/list.h"

struct ktimer {
    struct list node;
    uint64_t deadline; /* absolute monotonic ns */
    uint64_t period;   /* ns, 0: once */
    /* Called without locks held, on whichever thread noticed. Returns how often it was due. May
     * start or stop the timer. */
    void (*fire)(struct ktimer *t, uint64_t expirations);
    bool armed;
};

void ktimer_init(struct ktimer *t, void (*fire)(struct ktimer *, uint64_t));
void ktimer_start(struct ktimer *t, uint64_t deadline, uint64_t period);
/* Stops it; waits until a running `fire` has ended, unless called from it. */
void ktimer_stop(struct ktimer *t);
/* What is left and the period; 0, 0 when it is not armed. */
void ktimer_get(struct ktimer *t, uint64_t *ret_left, uint64_t *ret_period);

/* In a child of fork, after the timers that are not inherited were stopped. */
void timers_after_fork(void);

/* Fires what is due. Cheap when nothing is. */
void timers_run(void);

/* The host's wake-up came, perhaps early by our clock: fires what is due, and asks for the next. */
void timers_host_fired(void);
