/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The owner's list of who waits on a word of shared memory, by object and offset. A waiter is
 * queued before it looks at the word; whoever changes the word needs the page, which the waiter's
 * process gives up behind that message in the same channel, and wakes afterwards: so no wake is
 * lost. The caller holds the directory's lock.
 */

#include "libos/shm/directory.h"

/* SHM_FUTEX_*: 0, -EBADMSG, -ENOMEM. */
[[nodiscard]] int futexes_take(uint32_t member, const struct shm_head *h, directory_send send);
void futexes_gone(uint32_t member);
void futexes_forget(void);
