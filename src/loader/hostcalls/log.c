/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/hostcalls/hostcalls_internal.h"

#include <sys/uio.h>
#include <unistd.h>

/* One write, so that lines of several threads do not mix. */
int64_t hostcall_log(struct loader_thread *t, const uint64_t *a)
{
    static const struct {
        const char *text;
        size_t size;
    } prefixes[] = {
        {"nacre error: ", 13}, {"nacre warning: ", 15}, {"nacre: ", 7},
        {"nacre debug: ", 13}, {"nacre trace: ", 13},
    };
    const size_t level = MIN(a[0], (uint64_t)ARRAY_COUNT(prefixes) - 1);
    const struct iovec parts[] = {
        {(void *)(uintptr_t)prefixes[level].text, prefixes[level].size},
        {(void *)(uintptr_t)a[1], a[2]},
        {(void *)(uintptr_t) "\n", 1},
    };
    const int64_t r =
        host_syscall3(SYS_writev, (uint64_t)t->loader->log_fd, (uint64_t)parts, ARRAY_COUNT(parts));

    return r < 0 ? r : 0;
}
