/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The run loop before a scripted enclave: which entry follows which exit, at which level, with
 * which request block. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "loader/measure.h"
#include "loader/run_internal.h"

enum what { LEAVE, SILENT, FAULT, REFUSE_ENTRY };

/* One crossing: how the loader must enter, and what the enclave then does. */
struct step {
    unsigned function; /* ENCLU_EENTER, ENCLU_ERESUME */
    unsigned entry;    /* with EENTER */
    uint32_t level;
    enum what what;
    uint32_t exit;   /* LEAVE: block->exit */
    uint32_t number; /* EXIT_HOSTCALL */
    uint64_t argument;
    uint64_t
        signals;    /* to stand in the block afterwards, as if the host had filed them; ~0: keep */
    int64_t result; /* what the block must hold on entry with ENTRY_RETURN */
};

static const struct step *g_script;
static size_t g_at;
static struct loader g_loader = {.lock = PTHREAD_MUTEX_INITIALIZER, .ssa_frames = 3};
static struct loader_thread *g_thread;

static int scripted_enter(unsigned long rdi, unsigned long rsi, unsigned long rdx,
                          unsigned int function, unsigned long r8, unsigned long r9,
                          struct sgx_enclave_run *run)
{
    const struct step *s = &g_script[g_at++];
    struct hostcall_block *b = (struct hostcall_block *)rsi;

    if (function != s->function || (function == ENCLU_EENTER && rdi != s->entry) ||
        g_thread->level != s->level) {
        fail_msg("step %zu: function %u, entry %lu, level %u", g_at - 1, function, rdi,
                 g_thread->level);
    }
    if (function == ENCLU_EENTER && rdi == ENTRY_RETURN) {
        assert_int_equal(b->result, s->result);
    }
    if (s->signals != UINT64_MAX) {
        b->signals = s->signals;
        /* What the handler notes when it finds the thread outside. */
        g_thread->untold = s->signals != 0 && rdi >= ENTRY_EXCEPTION;
    }
    if (s->what == SILENT) {
        run->function = ENCLU_EEXIT;
        return 0;
    }
    if (s->what == LEAVE) {
        run->function = ENCLU_EEXIT;
        b->exit = s->exit;
        b->number = s->number;
        b->args[0] = s->argument;
        return 0;
    }
    run->function = s->what == FAULT ? ENCLU_ERESUME : ENCLU_EENTER;
    run->exception_vector = X86_PF;
    run->exception_addr = 0x1000;
    return s->argument != 0 ? -EFAULT : 0; /* the header's word or the vDSO's deed */
}

static int setup(void **state)
{
    g_loader.backend = &measure_backend;
    g_loader.enter = scripted_enter;
    return threads_add(&g_loader, 0x1000, &g_thread);
}

static int teardown(void **state)
{
    threads_remove(g_thread);
    threads_free_spare(&g_loader);
    return 0;
}

static enum thread_end play(const struct step *script, size_t count)
{
    enum thread_end end;

    g_script = script;
    g_at = 0;
    g_thread->end = THREAD_GOES_ON;
    g_thread->is_main = true;
    g_thread->block->signals = 0;
    end = run_serve(g_thread, ENTRY_START, 0x77);
    assert_int_equal(g_at, count);
    assert_int_equal(g_thread->level, 0);
    assert_false(g_thread->resuming && end != THREAD_DIES);
    return end;
}

#define EENTER  ENCLU_EENTER
#define ERESUME ENCLU_ERESUME
#define KEEP    UINT64_MAX

static void test_calls_are_served_and_answered(void **state)
{
    static const struct step script[] = {
        {EENTER, ENTRY_START, 0, LEAVE, EXIT_HOSTCALL, HOSTCALL_close, (uint64_t)-1, KEEP},
        {EENTER, ENTRY_RETURN, 0, LEAVE, EXIT_HOSTCALL, HOSTCALL_MAX + 1, 0, KEEP, -EBADF},
        {EENTER, ENTRY_RETURN, 0, LEAVE, EXIT_HOSTCALL, HOSTCALL_exit, 0x105, KEEP, -ENOSYS},
    };

    assert_int_equal(play(script, ARRAY_COUNT(script)), THREAD_EXITS);
    assert_int_equal(g_thread->exit_status, 5);
}

static void test_exception_is_a_nested_entry_then_eresume(void **state)
{
    static const struct step script[] = {
        {EENTER, ENTRY_START, 0, FAULT, .argument = 1, .signals = KEEP},
        {EENTER, ENTRY_EXCEPTION, 1, LEAVE, EXIT_HOSTCALL, HOSTCALL_yield, 0, KEEP},
        {EENTER, ENTRY_RETURN, 1, FAULT, .signals = KEEP, .result = 0},
        {EENTER, ENTRY_EXCEPTION, 2, LEAVE, EXIT_RESUME, .signals = KEEP},
        {ERESUME, 0, 1, LEAVE, EXIT_RESUME, .signals = KEEP},
        {ERESUME, 0, 0, LEAVE, EXIT_THREAD_DONE, .signals = KEEP},
    };

    assert_int_equal(play(script, ARRAY_COUNT(script)), THREAD_DONE);
}

static void test_nested_entry_leaves_the_block_as_it_was(void **state)
{
    static const struct step script[] = {
        {EENTER, ENTRY_EXCEPTION, 1, LEAVE, EXIT_HOSTCALL, HOSTCALL_close, (uint64_t)-1, KEEP},
        {EENTER, ENTRY_RETURN, 1, LEAVE, EXIT_RESUME, .signals = 4, .result = -EBADF},
    };
    struct hostcall_block *b = g_thread->block;

    g_script = script;
    g_at = 0;
    b->exit = 77;
    b->number = 78;
    b->args[5] = 79;
    b->result = 80;
    assert_int_equal(run_nested(g_thread, ENTRY_EXCEPTION), THREAD_RESUMES);
    assert_int_equal(b->exit, 77);
    assert_int_equal(b->number, 78);
    assert_int_equal(b->args[5], 79);
    assert_int_equal(b->result, 80);
    assert_int_equal(b->signals, 4); /* the host's side of the block goes on */
}

static void test_signal_during_an_exception_is_told_before_eresume(void **state)
{
    static const struct step script[] = {
        {EENTER, ENTRY_START, 0, FAULT, .signals = KEEP},
        {EENTER, ENTRY_EXCEPTION, 1, LEAVE, EXIT_RESUME, .signals = 2}, /* filed meanwhile */
        {EENTER, ENTRY_SIGNAL, 1, LEAVE, EXIT_RESUME, .signals = KEEP}, /* left standing: once */
        {ERESUME, 0, 0, LEAVE, EXIT_THREAD_DONE, .signals = 0},
    };

    assert_int_equal(play(script, ARRAY_COUNT(script)), THREAD_DONE);
}

static void test_signal_while_told_of_another_is_told_as_well(void **state)
{
    static const struct step script[] = {
        {EENTER, ENTRY_START, 0, FAULT, .signals = KEEP},
        {EENTER, ENTRY_EXCEPTION, 1, LEAVE, EXIT_RESUME, .signals = 2},
        {EENTER, ENTRY_SIGNAL, 1, LEAVE, EXIT_RESUME, .signals = 6}, /* the next one, just now */
        {EENTER, ENTRY_SIGNAL, 1, LEAVE, EXIT_RESUME, .signals = 0},
        {ERESUME, 0, 0, LEAVE, EXIT_THREAD_DONE, .signals = 0},
    };

    assert_int_equal(play(script, ARRAY_COUNT(script)), THREAD_DONE);
}

/* An enclave that refuses an entry leaves without a word. What it asked for before must not be
 * served again: that would go on for ever. */
static void test_request_is_served_once(void **state)
{
    static const struct step returning[] = {
        {EENTER, ENTRY_START, 0, LEAVE, EXIT_HOSTCALL, HOSTCALL_yield, 0, KEEP},
        {EENTER, ENTRY_RETURN, 0, SILENT, .signals = KEEP},
    };
    static const struct step nested[] = {
        {EENTER, ENTRY_START, 0, LEAVE, EXIT_HOSTCALL, HOSTCALL_yield, 0, KEEP},
        {EENTER, ENTRY_RETURN, 0, FAULT, .signals = KEEP},
        {EENTER, ENTRY_EXCEPTION, 1, SILENT, .signals = KEEP},
    };
    static const struct step twice_nested[] = {
        {EENTER, ENTRY_START, 0, LEAVE, EXIT_HOSTCALL, HOSTCALL_yield, 0, KEEP},
        {EENTER, ENTRY_RETURN, 0, FAULT, .signals = KEEP},
        {EENTER, ENTRY_EXCEPTION, 1, FAULT, .signals = KEEP},
        {EENTER, ENTRY_EXCEPTION, 2, SILENT, .signals = KEEP},
    };

    assert_int_equal(play(returning, ARRAY_COUNT(returning)), THREAD_ABORTS);
    assert_int_equal(play(nested, ARRAY_COUNT(nested)), THREAD_ABORTS);
    assert_int_equal(play(twice_nested, ARRAY_COUNT(twice_nested)), THREAD_ABORTS);
    assert_int_equal(g_thread->abort_reason, UINT64_MAX);
}

/* ---- signals ---- */

static void (*g_handler)(int, siginfo_t *, void *);
static bool g_inside;

static int keep_handler(int sig, void (*handler)(int, siginfo_t *, void *), int flags,
                        struct error **err)
{
    g_handler = handler;
    return 0;
}

static bool scripted_is_at_aep(const ucontext_t *uc)
{
    return g_inside;
}

/* As the kernel would: SIGUSR1 strikes this thread. */
static void strike(uint32_t level, bool inside)
{
    siginfo_t info = {.si_signo = SIGUSR1};
    sigset_t old;
    ucontext_t uc;

    memset(&uc, 0, sizeof(uc));
    g_thread->level = level;
    g_thread->untold = false;
    g_thread->block->signals = 0;
    g_inside = inside;
    (void)pthread_sigmask(SIG_BLOCK, NULL, &old);
    g_handler(SIGUSR1, &info, &uc);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    g_thread->level = 0;
    assert_int_equal(g_thread->block->signals, 1ull << (SIGUSR1 - 1));
}

/* The enclave takes one entry on top of its own: while it handles an exception it is told nothing,
 * and afterwards it is. */
static void test_signal_at_level_1_waits(void **state)
{
    static const struct step told[] = {
        {EENTER, ENTRY_SIGNAL, 1, LEAVE, EXIT_RESUME, .signals = KEEP}};
    struct sgx_backend backend = *g_loader.backend;
    const struct sgx_backend *real = g_loader.backend;

    backend.sigaction = keep_handler;
    backend.is_at_aep = scripted_is_at_aep;
    g_loader.backend = &backend;
    assert_int_equal(signals_install(&backend, NULL), 0);
    signals_set_thread(g_thread);
    g_script = told;
    g_at = 0;
    strike(0, true);
    assert_int_equal(g_at, 1);
    assert_false(g_thread->untold);
    strike(1, true);
    assert_int_equal(g_at, 1);
    assert_true(g_thread->untold);
    strike(0, false);
    assert_int_equal(g_at, 1);
    assert_true(g_thread->untold);
    g_thread->untold = false;
    g_thread->block->signals = 0;
    signals_set_thread(NULL);
    g_loader.backend = real;
}

/* What strikes before there is a thread is filed for the first one. */
static void test_early_signal_is_kept(void **state)
{
    siginfo_t info = {.si_signo = SIGTERM};
    struct sgx_backend backend = *g_loader.backend;
    ucontext_t uc;

    memset(&uc, 0, sizeof(uc));
    backend.sigaction = keep_handler;
    assert_int_equal(signals_install(&backend, NULL), 0);
    g_handler(SIGTERM, &info, &uc);
    g_thread->block->signals = 0;
    signals_set_thread(g_thread);
    assert_int_equal(g_thread->block->signals, 1ull << (SIGTERM - 1));
    g_thread->block->signals = 0;
    signals_set_thread(g_thread);
    assert_int_equal(g_thread->block->signals, 0);
    signals_set_thread(NULL);
}

static volatile sig_atomic_t g_usr1;
static volatile sig_atomic_t g_kicks;

static void count(int sig)
{
    *(sig == SIGUSR1 ? &g_usr1 : &g_kicks) += 1;
}

/* A thread that ends leaves what was filed for it to the process; the kick was for it alone. */
static void test_ended_thread_passes_signals_on(void **state)
{
    const struct sigaction sa = {.sa_handler = count};
    struct sigaction old[2];

    assert_int_equal(sigaction(SIGUSR1, &sa, &old[0]), 0);
    assert_int_equal(sigaction(HOST_SIGNAL_KICK, &sa, &old[1]), 0);
    g_thread->block->signals = 1ull << (SIGUSR1 - 1) | 1ull << (HOST_SIGNAL_KICK - 1);
    signals_pass_on(g_thread);
    assert_int_equal(g_thread->block->signals, 0);
    assert_int_equal(g_usr1, 1);
    assert_int_equal(g_kicks, 0);
    signals_pass_on(g_thread);
    assert_int_equal(g_usr1, 1);
    (void)sigaction(SIGUSR1, &old[0], NULL);
    (void)sigaction(HOST_SIGNAL_KICK, &old[1], NULL);
}

static void test_no_frame_left_is_death(void **state)
{
    static const struct step script[] = {
        {EENTER, ENTRY_START, 0, FAULT, .signals = KEEP},
        {EENTER, ENTRY_EXCEPTION, 1, FAULT, .signals = KEEP},
        {EENTER, ENTRY_EXCEPTION, 2, FAULT, .signals = KEEP},
    };

    assert_int_equal(play(script, ARRAY_COUNT(script)), THREAD_DIES);
    assert_int_equal(g_thread->died.exception_vector, X86_PF);
}

static void test_refused_entry_is_death_at_once(void **state)
{
    static const struct step script[] = {
        {EENTER, ENTRY_START, 0, REFUSE_ENTRY, .signals = KEEP},
    };

    assert_int_equal(play(script, ARRAY_COUNT(script)), THREAD_DIES);
    assert_int_equal(g_thread->died.function, ENCLU_EENTER);
}

static void test_senseless_exits_abort(void **state)
{
    static const struct step resume_at_level_0[] = {
        {EENTER, ENTRY_START, 0, LEAVE, EXIT_RESUME, .signals = KEEP},
    };
    static const struct step unknown[] = {
        {EENTER, ENTRY_START, 0, LEAVE, 99, .argument = 5, .signals = KEEP},
    };
    static const struct step nested_abort[] = {
        {EENTER, ENTRY_START, 0, FAULT, .signals = KEEP},
        {EENTER, ENTRY_EXCEPTION, 1, LEAVE, EXIT_ABORT, .argument = 42, .signals = KEEP},
    };

    assert_int_equal(play(resume_at_level_0, 1), THREAD_ABORTS);
    assert_int_equal(play(unknown, 1), THREAD_ABORTS);
    assert_int_equal(g_thread->abort_reason, 5);
    assert_int_equal(play(nested_abort, 2), THREAD_ABORTS);
    assert_int_equal(g_thread->abort_reason, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_are_served_and_answered),
        cmocka_unit_test(test_exception_is_a_nested_entry_then_eresume),
        cmocka_unit_test(test_nested_entry_leaves_the_block_as_it_was),
        cmocka_unit_test(test_signal_during_an_exception_is_told_before_eresume),
        cmocka_unit_test(test_signal_while_told_of_another_is_told_as_well),
        cmocka_unit_test(test_request_is_served_once),
        cmocka_unit_test(test_signal_at_level_1_waits),
        cmocka_unit_test(test_early_signal_is_kept),
        cmocka_unit_test(test_ended_thread_passes_signals_on),
        cmocka_unit_test(test_no_frame_left_is_death),
        cmocka_unit_test(test_refused_entry_is_death_at_once),
        cmocka_unit_test(test_senseless_exits_abort),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
