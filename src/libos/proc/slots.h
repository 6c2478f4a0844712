/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Places for threads: a control page with its TCS, SSA and stacks. The measured ones first, then as
 * many as memory allows, made with EDMM. */

#include "libos/boot/thread_page.h"

[[nodiscard]] int slots_init(struct thread_page *first);
/* Has the host start `t` on a slot nobody is in. `prepare` puts into the slot what is its own:
 * stack pointer and floating point control. -EAGAIN when memory, addresses or the host's threads
 * are used up. */
[[nodiscard]] int slots_start(struct thread *t,
                              void (*prepare)(struct thread_page *tp, const void *arg),
                              const void *arg);
/* Gives a slot back. The thread that calls this for its own slot must leave for good right after;
 * the slot is not handed out before its page says TP_STATE_DONE. */
void slots_put(struct thread_page *tp);
