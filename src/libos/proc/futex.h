/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Futexes inside the enclave: queues hashed by address. Those in memory that processes share are in
 * proc/futex_family.h. Waiting parks the thread outside on a word of its own, which
 * can at worst wake it for nothing.
 */

#include "libos/proc/thread.h"

/* Wakes up to `count` waiters whose bitset meets `bits`. How many. */
int futex_wake(uint64_t address, uint32_t count, uint32_t bits);

/* 0, -EAGAIN (the word is not `expected`), -ETIMEDOUT, -EINTR, -EFAULT. */
[[nodiscard]] int futex_wait(uint64_t address, uint32_t expected, uint64_t deadline, uint32_t bits);

/* A thread's end: marks its robust futexes dead, clears and wakes clear_child_tid. */
void futex_thread_exit(struct thread *t);
