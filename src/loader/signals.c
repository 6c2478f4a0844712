/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Host signals are hints for the enclave: a bit in the request block of the thread that got one,
 * and, when the enclave was interrupted, a nested entry so that it notices now. A thread outside
 * the enclave notices at its next entry; one that is about to sleep in a system call is turned
 * back (loader_syscall_point).
 */
#include "loader/run_internal.h"

#include <signal.h>
#include <string.h>

static __thread struct loader_thread *t_thread __attribute__((tls_model("initial-exec")));

/* What a process outside may send to the application, the wake-up timer, and our own kick. */
static const int filed_signals[] = {SIGHUP,  SIGINT,  SIGQUIT,  SIGTERM, SIGUSR1,
                                    SIGUSR2, SIGCONT, SIGWINCH, SIGALRM, HOST_SIGNAL_KICK};

static void file_signal(int sig, siginfo_t *info, void *context)
{
    struct loader_thread *t = t_thread;
    ucontext_t *uc = context;
    greg_t *rip = &uc->uc_mcontext.gregs[REG_RIP];
    enum thread_end end;

    if (t == NULL) {
        return;
    }
    (void)__atomic_fetch_or(&t->block->signals, 1ull << (sig - 1), __ATOMIC_SEQ_CST);
    if (*rip >= (greg_t)loader_syscall_begin && *rip < (greg_t)loader_syscall_end) {
        *rip = (greg_t)loader_syscall_cancel;
        return;
    }
    if (!t->loader->backend->is_at_aep(uc) || t->level + 1 >= t->loader->ssa_frames) {
        __atomic_store_n(&t->untold, true, __ATOMIC_SEQ_CST);
        return;
    }
    end = run_nested(t, ENTRY_SIGNAL);
    if (end != THREAD_RESUMES) {
        run_end_process(t, end);
    }
}

int signals_install(const struct sgx_backend *backend, struct error **err)
{
    for (size_t i = 0; i < ARRAY_COUNT(filed_signals); i++) {
        int r = backend->sigaction(filed_signals[i], file_signal, SA_SIGINFO, err);

        if (r < 0) {
            error_wrap(err, "signal %d", filed_signals[i]);
            return r;
        }
    }
    (void)signal(SIGPIPE, SIG_IGN); /* the enclave makes its own of -EPIPE */
    return 0;
}

void signals_set_thread(struct loader_thread *t)
{
    __atomic_store_n(&t_thread, t, __ATOMIC_SEQ_CST);
}

void signals_filed_set(sigset_t *ret)
{
    sigemptyset(ret);
    for (size_t i = 0; i < ARRAY_COUNT(filed_signals); i++) {
        sigaddset(ret, filed_signals[i]);
    }
}
