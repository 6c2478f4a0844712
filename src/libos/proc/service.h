/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Threads of the library OS itself: they run `run(arg)` on their own stack, never enter the
 * application, are in no list the application can see, take no signals (what the host files for
 * them goes to the process) and do not keep the process alive.
 */

#include "core/types.h"

/* 0, -EAGAIN when the host or the enclave has no room for one, -ENOMEM. */
[[nodiscard]] int service_start(void (*run)(void *arg), void *arg);
/* One that others on their way to the gate of a fork may depend on: it stands still last
 * (proc/freeze.h, freeze_late). */
[[nodiscard]] int service_start_late(void (*run)(void *arg), void *arg);
/* For fork (proc/freeze.c). `f` must not block. */
struct thread;
void service_for_each(void (*f)(struct thread *t, void *arg), void *arg);
/* A thread that is out of its process's list, and stays, counts as one of them. */
void service_enlist(struct thread *t);
/* In a child: none of them exists. */
void service_after_fork(void);

/* For thread_entry: runs it and ends the thread. */
_noreturn_ void service_run(struct thread *t);
