/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Waiting for children. There are none until the process layer exists: the arguments are checked as
 * Linux checks them, and the answer is the one a childless process gets. */

#include <linux/wait.h>

#include "libos/sys/syscall.h"

SYSCALL_4(wait4, int32_t, pid, uint64_t, user_status, uint32_t, options, uint64_t, user_usage)
{
    if ((options &
         ~(uint32_t)(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL)) != 0) {
        return -EINVAL;
    }
    return pid == INT32_MIN ? -ESRCH : -ECHILD;
}

SYSCALL_5(waitid, int, type, int32_t, id, uint64_t, user_info, uint32_t, options, uint64_t,
          user_usage)
{
    if ((options & ~(uint32_t)(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
                               __WCLONE | __WALL)) != 0 ||
        (options & (WEXITED | WSTOPPED | WCONTINUED)) == 0 || type < P_ALL || type > P_PIDFD ||
        (type != P_ALL && type != P_PGID && id <= 0)) {
        return -EINVAL;
    }
    return -ECHILD;
}
