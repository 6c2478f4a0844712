/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * From a `syscall` that trapped to one that does not: rewrite.c explains how, and why any
 * interleaving of other threads is right.
 */

#include "libos/proc/thread.h"

void rewrite_init(bool enabled);

/* A `syscall` at `site` trapped and is being emulated; `number` is RAX. Where the application goes
 * on afterwards, whatever becomes of the bytes there. */
uint64_t rewrite_after(uint64_t site);
/* Rewrites the site if it can be done safely; one step of it if other threads may be there. */
void rewrite_site(uint64_t site, uint64_t number);

/* #UD or #GP at a place that is in the middle of a rewritten or half rewritten site: puts the
 * context where the original code would be. False: none of ours. */
bool rewrite_handle_trap(struct cpu_context *ctx);

/* The bytes of [start, end) are about to go or change: what was rewritten there is forgotten.
 * Caller holds the lock of the memory map. */
void rewrite_forget(uint64_t start, uint64_t end);

/* Everything is about to go, trampolines too (execve, one thread left). */
void rewrite_reset(void);

/* Where a context inside a trampoline stands in terms of the original code, for signal frames. */
uint64_t rewrite_original_rip(uint64_t rip);

struct rewrite_counters {
    uint64_t patched;
    uint64_t left; /* sites that cannot be rewritten */
};
void rewrite_counters(struct rewrite_counters *ret);
