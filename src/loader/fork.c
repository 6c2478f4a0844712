/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The host side of fork. fork(2) gives the child everything the enclave's state refers to outside:
 * descriptors, sockets, mappings of the sealed image, at the same numbers and addresses. Enclave
 * memory itself is never inherited (VM_DONTCOPY in the driver, MADV_DONTFORK in softsgx), so the
 * child throws its empty shell away, builds an enclave of the same bits, and the two enclaves do
 * the rest between themselves. This file is untrusted: whatever it does wrong, the child's enclave
 * gets nothing it could use.
 */
#include "loader/run_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STATUS_CANNOT_RUN 125

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec ts = {};

    (void)clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int fork_process(struct loader_thread *t, int32_t ret[static 2])
{
    struct loader *l = t->loader;
    sigset_t filed;
    sigset_t old;
    int pair[2];
    pid_t pid;
    int r;

    if (t->level != 0) {
        return -EINVAL;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        return -errno;
    }
    /* Nobody else may be in the books when they are copied, and the child must not take signals
     * before it can file them. */
    signals_filed_set(&filed);
    (void)pthread_sigmask(SIG_BLOCK, &filed, &old);
    (void)pthread_mutex_lock(&l->lock);
    pid = fork();
    if (pid == 0) {
        (void)close(pair[0]);
        l->params->flags |= BOOT_FLAG_FORK_CHILD;
        l->params->fork_fd = pair[1];
        longjmp(t->base, 1);
    }
    r = pid < 0 ? -errno : 0;
    (void)pthread_mutex_unlock(&l->lock);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)close(pair[1]);
    if (r < 0) {
        (void)close(pair[0]);
        return r;
    }
    ret[0] = pid;
    ret[1] = pair[0];
    return 0;
}

static int rebuild(struct loader_thread *t, struct error **err)
{
    struct loader *l = t->loader;
    int r;

    threads_keep_only(t);
    l->have_timer = false;
    l->backend->destroy(l->enclave);
    l->enclave = NULL;
    l->params->pid = (uint32_t)getpid();
    l->params->realtime_ns = clock_ns(CLOCK_REALTIME);
    l->params->monotonic_ns = clock_ns(CLOCK_MONOTONIC);
    r = load_build(l, err);
    /* Attached already, but to an enclave that is gone; what the kernel keeps for a thread (Syscall
     * User Dispatch) did not come along. */
    return r < 0 ? r : threads_attach(t, err);
}

void fork_child(struct loader_thread *t)
{
    _cleanup_error_ struct error *err = NULL;
    enum thread_end end;

    if (rebuild(t, &err) < 0) {
        (void)dprintf(STDERR_FILENO, "nacre: fork: %s\n", error_text(err));
        _exit(STATUS_CANNOT_RUN);
    }
    end = run_serve(t, ENTRY_START, (uint64_t)t->loader->params);
    run_end_process(t, end);
}
