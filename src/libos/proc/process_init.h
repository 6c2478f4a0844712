/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "libos/boot/thread_page.h"

/* The process and its first thread, on the control page the enclave was started with. */
[[nodiscard]] int process_init(struct thread_page *tp);
/* Something to do before the thread goes back to the application (entry code): leave because the
 * process ends, host signals, signals. `number` is the system call just served or -1. */
void thread_take_work(struct thread *t, struct cpu_context *ctx, int64_t number);
/* The calling thread ends; the process with it when it was the last. */
_noreturn_ void thread_exit(int status);
/* Ends every thread but the caller (execve). -EAGAIN when one does not come out in time. */
[[nodiscard]] int process_stop_others(void);
