/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What files need from the areas above them (signals, memory map, limits). Those areas fill the
 * table at start-up with fs_hooks(); a hook left NULL has the default its comment names, so that
 * the file layer works alone (and is tested so).
 */

#include "core/types.h"

struct strbuf;
struct thread;
struct waitq;
struct signalfd_siginfo;

struct fs_hooks {
    /* Sends a signal to the current thread (SIGPIPE, SIGXFSZ) or to a process or thread (SIGIO).
     * NULL: nothing happens beyond the errno. */
    void (*signal_self)(int signal);
    void (*signal_to)(int32_t pid, int signal);
    /* ppoll, pselect6, epoll_pwait: replaces the blocked set for the length of the wait. After an
     * -EINTR the signal layer itself restores the old set once the handler ran; otherwise the
     * second one is called. NULL: the mask is ignored. */
    void (*sigmask_begin)(uint64_t mask);
    void (*sigmask_end)(bool interrupted);
    /* signalfd: is one of `mask` pending for the caller; take one (0, -EAGAIN); the queue that
     * wakes when a signal is queued. NULL: never any. */
    bool (*signal_pending_in)(uint64_t mask);
    int (*signal_take)(uint64_t mask, struct signalfd_siginfo *ret);
    struct waitq *(*signal_queue)(void);
    /* /proc/self: maps and smaps (one line per area), and the sizes that status, stat and statm
     * show, in pages. NULL: empty. */
    int (*format_maps)(struct strbuf *out, bool smaps);
    void (*memory_sizes)(uint64_t *ret_virtual, uint64_t *ret_resident, uint64_t *ret_data);
    /* cmdline, environ and auxv as execve left them in application memory. NULL: empty. */
    int (*cmdline)(struct strbuf *out);
    int (*environ)(struct strbuf *out);
    int (*auxv)(struct strbuf *out);
    /* Masks for /proc/self/status. NULL: 0. */
    void (*signal_masks)(const struct thread *t, uint64_t *ret_pending, uint64_t *ret_blocked,
                         uint64_t *ret_ignored, uint64_t *ret_caught);
    /* RLIMIT_*: soft and hard; NULL: unlimited, and the descriptor table's own limit. */
    void (*rlimit)(int resource, uint64_t *ret_soft, uint64_t *ret_hard);
    /* Supplementary groups. NULL: none. */
    bool (*in_group)(uint32_t gid);
    /* CPU time of the process in ns. NULL: 0. */
    void (*cpu_times)(uint64_t *ret_user, uint64_t *ret_system);
};

/* The table, to be filled before the first application instruction. */
struct fs_hooks *fs_hooks(void);
