/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/hostcalls/hostcalls_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int64_t hostcall_exit(struct loader_thread *t, const uint64_t *a)
{
    t->end = THREAD_EXITS;
    t->exit_status = (int)(a[0] & 0xff);
    if (!t->is_main) {
        run_end_process(t, THREAD_EXITS); /* the main thread may sleep in a call for ever */
    }
    return 0;
}

/* Statistics are a line of text; NACRE_STATS names a file to append it to, else stderr has it
 * (loader_options.reports). */
int64_t hostcall_report_stats(struct loader_thread *t, const uint64_t *a)
{
    const char *path = getenv("NACRE_STATS");
    int64_t r;
    int fd = t->loader->log_fd;

    if (path != NULL && path[0] != '\0') {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
        if (fd < 0) {
            return -errno;
        }
    }
    r = host_syscall3(SYS_write, (uint64_t)fd, a[0], a[1]);
    if (fd != t->loader->log_fd) {
        (void)close(fd);
    }
    return r;
}

int64_t hostcall_process_fork(struct loader_thread *t, const uint64_t *a)
{
    int32_t result[2];
    const int r = fork_process(t, result);

    if (r < 0) {
        return r;
    }
    __builtin_memcpy((void *)(uintptr_t)a[0], result, sizeof(result));
    return 0;
}
