/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Futexes on memory that processes share (shm/local.h): the owner keeps who waits, by object and
 * offset. Addresses were checked; `object` and `offset` are shm_key()'s.
 */

#include "libos/lib/list.h"

struct futex_key {
    uint64_t object, offset;
};

[[nodiscard]] int futex_family_wait(struct futex_key key, uint64_t address, uint32_t expected,
                                    uint64_t deadline, uint32_t bits);
[[nodiscard]] int futex_family_wake(struct futex_key key, uint32_t count, uint32_t bits);
/* How many were woken, and moved when `*ret_moved` is asked for. */
[[nodiscard]] int64_t futex_family_requeue(struct futex_key from, struct futex_key to,
                                           uint32_t wake, uint32_t move, uint32_t *ret_moved);
/* Waiting for something else than a word: enter, look, sleep if it is to be waited for, leave. */
struct thread;
struct futex_sleeper {
    struct list node;
    struct thread *thread;
    uint64_t ticket;
    uint32_t woken;
};
[[nodiscard]] int futex_family_enter(struct futex_sleeper *s, struct futex_key key);
/* 0, -ETIMEDOUT, -EINTR. */
[[nodiscard]] int futex_family_sleep(struct futex_sleeper *s, uint64_t deadline);
void futex_family_leave(struct futex_sleeper *s, struct futex_key key);
/* In a child: nobody waits. */
void futex_family_after_fork(void);
