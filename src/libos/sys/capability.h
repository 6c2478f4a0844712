/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Capabilities as programs see, keep and drop them (capabilities(7)). Root starts with what
 * container engines give it. Inside the enclave they decide who may change identities; files go by
 * the user.
 */

#include "core/types.h"

struct strbuf;

/* Does the current process have this CAP_* in its effective set? */
bool capable(int cap);
/* After the current process's user ids changed: what they were before, and PR_SET_KEEPCAPS. */
void capability_ids_changed(uint32_t old_uid, uint32_t old_euid, uint32_t old_suid);
/* At execve, with the ids it keeps. */
void capability_exec(void);
/* The five lines of /proc/self/status. */
void capability_format(struct strbuf *out);
/* prctl's PR_CAPBSET_*, PR_CAP_AMBIENT, PR_*_KEEPCAPS; -EINVAL when it is none of them. */
[[nodiscard]] int64_t capability_prctl(int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
