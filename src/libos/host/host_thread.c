/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Life, threads and parking. The host decides when our threads run: it can stop any of them for
 * ever, wake them for nothing, and return from any wait at once. Nothing here is believed beyond
 * "something may have happened": callers loop on conditions kept inside.
 */

#include "libos/host/host.h"
#include "libos/host/host_mem.h"

#define LOG_LINE_MAX 4096u

/* A host that comes back from here gets asked again: there is nothing else left to do. */
void host_exit(int status)
{
    for (;;) {
        (void)host_call(HOSTCALL_exit, (uint64_t)(int64_t)status, 0, 0, 0, 0, 0);
    }
}

void host_log(int level, const char *text, size_t size)
{
    _cleanup_bounce_ struct bounce b = bounce_take(MIN(size, LOG_LINE_MAX), 1);

    if (b.p != NULL) {
        size = MIN(size, b.size);
        host_copy_out(b.p, text, size);
        (void)host_call(HOSTCALL_log, (uint64_t)(int64_t)level, (uintptr_t)b.p, size, 0, 0, 0);
    }
}

/* "Started" may be a lie: the creator waits for the thread to show itself inside. */
int host_thread_create(uint64_t tcs)
{
    return host_status(host_call(HOSTCALL_thread_create, tcs, 0, 0, 0, 0, 0));
}

/* Whatever error the host makes up, only the three a caller understands come out; a wake that is
 * none is allowed by the contract. */
int host_park(uint32_t expected, int64_t timeout_ns)
{
    const struct thread *self = NULL; /* the current thread */
    int64_t r = host_call(HOSTCALL_futex_wait, (uintptr_t)thread_park_word(self), expected,
                          (uint64_t)timeout_ns, 0, 0, 0);

    switch (r) {
    case -EAGAIN:
    case -EINTR: return (int)r;
    case -ETIMEDOUT: return timeout_ns < 0 ? 0 : -ETIMEDOUT;
    default: return 0;
    }
}

void host_unpark(const struct thread *t, uint32_t new_value)
{
    uint32_t *park_word = thread_park_word(t);

    __atomic_store_n((volatile uint32_t *)park_word, new_value, __ATOMIC_RELEASE);
    (void)host_call(HOSTCALL_futex_wake, (uintptr_t)park_word, 1, 0, 0, 0, 0);
}

void host_kick(const struct thread *t)
{
    const uint64_t tcs = thread_tcs(t);

    /* 0: it is being made, and looks at its work before it does anything else. */
    if (tcs != 0) {
        (void)host_call(HOSTCALL_thread_kick, tcs, 0, 0, 0, 0, 0);
    }
}

void host_yield(void)
{
    (void)host_call(HOSTCALL_yield, 0, 0, 0, 0, 0, 0);
}

/* Both numbers may be lies: nobody is believed to be at the other end before it has proved itself
 * (proc/handshake.h). */
int host_process_fork(int *ret_fd)
{
    _cleanup_bounce_ struct bounce b = bounce_take(sizeof(uint64_t), sizeof(uint64_t));
    int32_t result[2];
    int r;

    if (b.p == NULL) {
        return -ENOMEM;
    }
    r = host_status(host_call(HOSTCALL_process_fork, (uintptr_t)b.p, 0, 0, 0, 0, 0));
    if (r < 0) {
        return r;
    }
    host_copy_in(result, b.p, sizeof(result));
    r = host_fd_opened(result[1]);
    if (r < 0) {
        return r;
    }
    *ret_fd = r;
    return 0;
}
