/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Untrusted memory, for the wrappers in host/ alone. Each thread has one bounce area outside the
 * enclave; calls take pieces of it like a stack, so that a host call made while another one is
 * being put together (a fault on application memory that reads a file) does not disturb it.
 */

#include "abi/hostcall.h"
#include "libos/libos.h"

/* ---- supplied by boot/ (and by tests/unit/libos/fake_host.c) ---- */

/* Leaves the enclave with one call and comes back with its raw, unchecked result. */
int64_t hostcall(enum hostcall number, const uint64_t args[static HOSTCALL_ARGS]);

struct host_bounce {
    uint8_t *p;  /* untrusted; was checked with host_range_outside when the thread started */
    size_t size; /* trusted copy */
    size_t used;
};
/* Of the current thread; lives in trusted memory. */
struct host_bounce *host_bounce(void);

struct thread;
/* Untrusted word the thread parks on, and the address of its TCS; trusted copies of both. */
uint32_t *thread_park_word(const struct thread *t);
uint64_t thread_tcs(const struct thread *t);

/* ---- range checks and copies ---- */

/* Called once by boot/ with what the CPU (not the host) says about ELRANGE. */
void host_mem_init(uint64_t elrange_start, uint64_t elrange_size);
/* True when [p, p + size) wraps nowhere and shares no byte with ELRANGE. */
bool host_range_outside(const volatile void *p, uint64_t size);

/* A piece of the bounce area: at most `want` bytes, at least `least`, or p == NULL. */
struct bounce {
    uint8_t *p;
    size_t size;
    struct host_bounce *owner;
    size_t mark;
};
struct bounce bounce_take(size_t want, size_t least);
void bounce_drop(struct bounce *b);
#define _cleanup_bounce_ _cleanup_(bounce_drop)

/* Copies to and from untrusted memory in whole aligned words (the last one padded with zeros), as
 * advised against stale-data attacks on partial writes (INTEL-SA-00615). `dst` / `src` are 8-byte
 * aligned and have room for the padding: pieces of the bounce area do. */
void host_copy_out(void *untrusted_dst, const void *src, size_t size);
void host_copy_in(void *dst, const void *untrusted_src, size_t size);

/* ---- results ---- */

/* hostcall() with its result checked: negative values are -errno that Linux has, else -EIO. */
int64_t host_call(enum hostcall number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                  uint64_t f);
/* A new descriptor the host claims to have opened: in range and not one we hold already. */
[[nodiscard]] int host_fd_opened(int64_t result);
void host_fd_closed(int fd);
/* 0 or -errno; a positive answer where none is possible is -EIO. */
static inline int host_status(int64_t result)
{
    return result > 0 ? -EIO : (int)result;
}
/* A byte count of at most `max`. */
static inline int64_t host_count(int64_t result, uint64_t max)
{
    return result > 0 && (uint64_t)result > max ? -EIO : result;
}

#define HOST_FD_MAX (1u << 20)
