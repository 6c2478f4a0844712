/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What the file layer needs of the rest of the library OS, hosted: memory (with an allocator that
 * can fail), application memory (plain pointers; addresses below 64 KiB fault), threads (pthreads),
 * signals (recorded).
 */

#include <stddef.h>
#include <stdint.h>

/* A process with an in-memory root (and /proc, /sys, /dev, /tmp …); host_root < 0. Or with a host
 * directory as root, `writable` under an overlay. Standard streams are 0, 1 and 2. */
void fake_boot(int host_root, int writable);
/* Closes everything; with leak checking on, nothing may be left. */
void fake_shutdown(void);
/* A fresh thread's identity; a process exists. */
void fake_thread_begin(int tid);
void fake_thread_end(void);
/* An id for permission tests; 0 0 restores root. */
void fake_set_ids(uint32_t uid, uint32_t gid);

/* The n-th allocation from now fails (1: the next); 0: none. */
void fake_alloc_fail_at(uint64_t n);
uint64_t fake_alloc_count(void);
uint64_t fake_alloc_live(void);

/* The last signal sent to this process by the file layer; cleared by reading. */
int fake_last_signal(void);
/* Makes a signal pending for the current thread (blocking calls are interrupted). */
void fake_pend_signal(int on);
