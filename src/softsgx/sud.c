/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Syscall User Dispatch: `syscall`, `sysenter` and `int 0x80` are illegal inside an enclave. The
 * kernel lets calls pass from one range, [end of the highest ELRANGE, end of user space); calls
 * from anywhere below raise SIGSYS, which signal.c turns into #UD.
 */

#include "softsgx/internal.h"

#include <errno.h>
#include <sys/prctl.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF          0
#define PR_SYS_DISPATCH_ON           1
#endif

#define USER_END 0x7ffffffff000ull

static int dispatch(uint64_t start)
{
    return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, start, USER_END - start, 0) < 0
               ? -errno
               : 0;
}

int soft_sud_arm(struct soft_thread *th, uint64_t start, struct error **err)
{
    int r;

    /* Again even when it looks armed: after fork the child has the record but not the setting. */
    r = dispatch(start);
    if (r < 0) {
        return error_set_errno(err, -r,
                               "softsgx: Syscall User Dispatch is not available (Linux 5.11 or "
                               "later is needed)");
    }
    th->sud_start = start;
    return 0;
}

void soft_sud_disarm(struct soft_thread *th)
{
    if (th->sud_start != 0) {
        (void)prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
        th->sud_start = 0;
    }
}

int soft_sud_probe(struct error **err)
{
    struct soft_thread *th = soft_self;
    int r;

    if (th != NULL && th->sud_start != 0) {
        return 0;
    }
    /* A range that allows everything changes nothing while it lasts. */
    r = prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 1ull, USER_END, 0) < 0 ? -errno : 0;
    if (r < 0) {
        return error_set_errno(err, -r,
                               "softsgx needs Syscall User Dispatch (Linux 5.11 or later, x86-64)");
    }
    (void)prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
    return 0;
}
