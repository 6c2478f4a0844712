/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "libos/proc/thread.h"

/* A thread object with one reference, not yet in the list, without a place in the enclave. */
[[nodiscard]] int thread_alloc(struct process *p, int32_t tid, struct thread **ret);
