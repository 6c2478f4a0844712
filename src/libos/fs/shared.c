/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/fs/shared.h"

int shared_make(const struct shared_state *s, struct file **ret)
{
    static int (*const make[SHARED_KINDS_])(const struct shared_state *, struct file **) = {
        [SHARED_EVENTFD] = eventfd_make,
        [SHARED_TIMERFD] = timerfd_make,
        [SHARED_INOTIFY] = inotify_make,
    };

    if (s->kind >= SHARED_KINDS_ || (s->flags & ~(uint32_t)O_NONBLOCK) != 0) {
        return -EINVAL;
    }
    return make[s->kind](s, ret);
}
