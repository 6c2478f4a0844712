/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Host signals are hints for the enclave: a bit in the request block of the thread that got one,
 * and, when the enclave was interrupted, a nested entry so that it notices now. A thread outside
 * the enclave notices at its next entry; one that is about to sleep in a system call is turned
 * back (loader_syscall_point). Between the loader's last look and its ERESUME nobody can be told:
 * a timer then sends the kick signal a moment later, until it finds the enclave inside. A thread
 * that interrupts the handling of an exception (level 1) is told afterwards: the enclave takes one
 * entry on top of its own, no more.
 *
 * The kernel gives a signal for the process to any thread. One that ends before the enclave took
 * over what was filed for it hands that on (signals_pass_on), and what comes before there is a
 * thread waits for the first one.
 */
#include "loader/run_internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread struct loader_thread *t_thread __attribute__((tls_model("initial-exec")));

/* What a process outside may send to the application, the wake-up timer, and our own kick. */
static const int filed_signals[] = {SIGHUP,  SIGINT,  SIGQUIT,  SIGTERM, SIGUSR1,
                                    SIGUSR2, SIGCONT, SIGWINCH, SIGALRM, HOST_SIGNAL_KICK};

#define RETRY_NS 100000

/* What came while no thread was there to file it for. */
static uint64_t g_early;

/* Raw system calls: this runs in a signal handler. */
static void try_again(struct loader_thread *t)
{
    const struct itimerspec when = {.it_value.tv_nsec = RETRY_NS};

    if (!t->have_retry_timer) {
        struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = HOST_SIGNAL_KICK};

        event._sigev_un._tid = t->tid;
        if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &t->retry_timer) < 0) {
            return; /* it notices at its next exit */
        }
        t->have_retry_timer = true;
    }
    (void)syscall(SYS_timer_settime, t->retry_timer, 0, &when, NULL);
}

static void tell_enclave(struct loader_thread *t)
{
    enum thread_end end;
    sigset_t filed;

    /* Others that come now stay pending until the handler returns to the AEP, where they count. */
    signals_filed_set(&filed);
    (void)pthread_sigmask(SIG_BLOCK, &filed, NULL);
    end = run_nested(t, ENTRY_SIGNAL);
    if (end != THREAD_RESUMES) {
        run_end_process(t, end);
    }
}

static void file_signal(int sig, siginfo_t *info, void *context)
{
    struct loader_thread *t = t_thread;
    ucontext_t *uc = context;
    greg_t *rip = &uc->uc_mcontext.gregs[REG_RIP];
    const int saved_errno = errno;

    if (t == NULL) {
        (void)__atomic_fetch_or(&g_early, 1ull << (sig - 1), __ATOMIC_SEQ_CST);
        return;
    }
    (void)__atomic_fetch_or(block_signals(t->block), 1ull << (sig - 1), __ATOMIC_SEQ_CST);
    if (*rip >= (greg_t)loader_syscall_begin && *rip < (greg_t)loader_syscall_end) {
        *rip = (greg_t)loader_syscall_cancel;
    } else if (t->loader->backend->is_at_aep(uc) && t->level == 0) {
        tell_enclave(t);
    } else {
        __atomic_store_n(&t->untold, true, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&t->resuming, __ATOMIC_SEQ_CST)) {
            try_again(t);
        }
    }
    errno = saved_errno;
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
    /* Children of fork are waited for inside, from what their enclaves say; the host's zombies go
     * by themselves. */
    (void)signal(SIGCHLD, SIG_IGN);
    return 0;
}

void signals_set_thread(struct loader_thread *t)
{
    __atomic_store_n(&t_thread, t, __ATOMIC_SEQ_CST);
    if (t != NULL) {
        (void)__atomic_fetch_or(block_signals(t->block),
                                __atomic_exchange_n(&g_early, 0, __ATOMIC_SEQ_CST),
                                __ATOMIC_SEQ_CST);
    }
}

void signals_pass_on(struct loader_thread *t)
{
    const uint64_t left = __atomic_exchange_n(block_signals(t->block), 0, __ATOMIC_SEQ_CST);

    for (size_t i = 0; i < ARRAY_COUNT(filed_signals); i++) {
        const int sig = filed_signals[i];

        if (sig != HOST_SIGNAL_KICK && (left >> (sig - 1) & 1) != 0) {
            (void)kill(getpid(), sig);
        }
    }
}

void signals_forget_thread(struct loader_thread *t)
{
    if (t->have_retry_timer) {
        (void)syscall(SYS_timer_delete, t->retry_timer);
        t->have_retry_timer = false;
    }
}

void signals_filed_set(sigset_t *ret)
{
    sigemptyset(ret);
    for (size_t i = 0; i < ARRAY_COUNT(filed_signals); i++) {
        sigaddset(ret, filed_signals[i]);
    }
}
