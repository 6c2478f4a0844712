/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "core/types.h"

/* The enclave gave up. */
_noreturn_ void hostcall_abort(uint64_t reason);
/* This thread will not come back; its slot can be used again once its page says TP_STATE_DONE. */
_noreturn_ void hostcall_thread_done(void);
