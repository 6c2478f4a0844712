/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Objects without a name that a process shares with its children: eventfd, timerfd, inotify. After
 * a fork the owner of the family keeps them. Those of the owner itself stay where they are; those
 * of a member move: their state goes to the owner, who makes the same object there.
 */

#include "libos/fs/file.h"
#include "libos/time/clock.h"

enum shared_kind { SHARED_EVENTFD, SHARED_TIMERFD, SHARED_INOTIFY, SHARED_KINDS_ };

#define SHARED_WORDS 5u
struct shared_state {
    uint32_t kind;  /* enum shared_kind */
    uint32_t flags; /* of the open file: O_NONBLOCK */
    uint64_t words[SHARED_WORDS];
};
_Static_assert(sizeof(struct shared_state) == 48, "family/ops.tbl.h says so");

/* The object of a state, which may come from a member of the family: -EINVAL. */
[[nodiscard]] int shared_make(const struct shared_state *s, struct file **ret);

[[nodiscard]] int eventfd_make(const struct shared_state *s, struct file **ret);
[[nodiscard]] int timerfd_make(const struct shared_state *s, struct file **ret);
[[nodiscard]] int inotify_make(const struct shared_state *s, struct file **ret);

/* ---- on files of this process; -EINVAL: of another kind ---- */

struct itimerspec64 {
    struct kernel_timespec64 interval;
    struct kernel_timespec64 value;
};
[[nodiscard]] int timerfd_set(struct file *f, int flags, uint64_t value, uint64_t interval,
                              struct itimerspec64 *ret_old);
[[nodiscard]] int timerfd_get(struct file *f, struct itimerspec64 *ret);

/* The number of the watch. `inode` NULL: something nobody changes, and nobody will hear of. */
[[nodiscard]] int inotify_watch(struct file *f, struct inode *inode, uint32_t mask);
/* FIONREAD; -ENOTTY: it is no inotify of this process. */
[[nodiscard]] int32_t inotify_pending(const struct file *f);
[[nodiscard]] int inotify_unwatch(struct file *f, int32_t wd);
