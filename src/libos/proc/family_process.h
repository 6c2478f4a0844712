/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What a process says to and asks of the owner's table (proc/pids.h), wherever it runs. In a
 * process that is alone, and in the owner, that is a function call. Nothing here can be
 * interrupted; -EIO when the owner is gone.
 */

#include "libos/proc/pids.h"

/* The table and the first process in it; once, at start. */
[[nodiscard]] int family_process_init(void);
/* In a child: the copy of the table is nobody's. */
void family_process_after_fork(void);

[[nodiscard]] int32_t family_process_create(const struct pids_new *n);
[[nodiscard]] int family_process_move(int32_t pid, uint32_t member);
void family_process_abandon(int32_t pid);
void family_process_exit(int32_t pid, uint32_t status, uint64_t utime, uint64_t stime);
void family_process_stopped(int32_t pid, uint32_t signo);
[[nodiscard]] int family_process_wait(const struct pids_wait *w, struct pids_waited *ret);
[[nodiscard]] int family_process_kill(int32_t caller, int32_t target,
                                      const struct siginfo_kernel *info);
[[nodiscard]] int family_process_kill_exact(int32_t caller, int32_t pid, uint64_t serial,
                                            const struct siginfo_kernel *info);
[[nodiscard]] int family_process_watch(int32_t pid, uint64_t serial);
[[nodiscard]] int family_process_setpgid(int32_t caller, int32_t pid, int32_t pgid);
[[nodiscard]] int32_t family_process_setsid(int32_t caller);
[[nodiscard]] int family_process_set(int32_t pid, enum pids_property what, uint64_t value);
/* What a process runs, for the others' /proc: the current one, or the first while a child of vfork
 * is on its thread, over the same memory. */
struct process;
void family_process_show(const struct process *p);
[[nodiscard]] int family_process_describe(int32_t pid, struct pids_info *ret);
[[nodiscard]] int32_t family_process_next(int32_t pid);
