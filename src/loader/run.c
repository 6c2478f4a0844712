/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The loop around an enclave thread. Level 0 is the thread itself; an exception, or a signal that
 * interrupted the enclave, is one entry on top of it (CSSA grows by one) which ends with
 * EXIT_RESUME. The host's request block belongs to whichever level is inside, so it is kept aside
 * around each nested entry: the interrupted level may have been filling it in.
 */
#include "loader/run_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Host status when the enclave did not end in order: as a shell reports SIGABRT and SIGSEGV. */
#define STATUS_ABORTED 134
#define STATUS_DIED    139

/* abort_reason of an enclave that left with no request: it refused how it was entered. */
#define ABORT_WITHOUT_WORD UINT64_MAX

static void describe_death(char *dst, size_t size, const struct sgx_enclave_run *run)
{
    static const char *const names[32] = {
        [X86_DE] = "#DE", [X86_DB] = "#DB", [X86_BP] = "#BP", [X86_UD] = "#UD", [X86_GP] = "#GP",
        [X86_PF] = "#PF", [X86_MF] = "#MF", [X86_AC] = "#AC", [X86_XM] = "#XM",
    };
    const unsigned vector = run->exception_vector;
    const char *name = vector < ARRAY_COUNT(names) && names[vector] != NULL ? names[vector] : "?";

    (void)snprintf(dst, size, "exception %u (%s), error code 0x%x, address 0x%jx, %s", vector, name,
                   run->exception_error_code, (uintmax_t)run->exception_addr,
                   run->function == ENCLU_EENTER
                       ? "raised by EENTER itself (TCS busy or not a TCS, no SSA frame left)"
                       : "inside the enclave with no SSA frame left to handle it");
}

static void describe_abort(char *dst, size_t size, uint64_t reason)
{
    if (reason == ABORT_WITHOUT_WORD) {
        (void)snprintf(dst, size, "the enclave refused to be entered and left without a request");
    } else {
        (void)snprintf(dst, size, "the enclave gave up, reason %ju", (uintmax_t)reason);
    }
}

/* Every request is taken out of the block: an enclave that refuses an entry leaves without a word,
 * and what it had asked for before must not be done again. */
static enum thread_end serve_exit(struct loader_thread *t, uint64_t *args)
{
    const uint32_t wanted = t->block->exit;

    t->block->exit = EXIT_NOTHING;
    switch (wanted) {
    case EXIT_HOSTCALL: t->block->result = hostcall_serve(t, args); return t->end;
    case EXIT_RESUME: return t->level > 0 ? THREAD_RESUMES : THREAD_ABORTS;
    case EXIT_THREAD_DONE: return THREAD_DONE;
    case EXIT_NOTHING: t->abort_reason = ABORT_WITHOUT_WORD; return THREAD_ABORTS;
    default: t->abort_reason = t->block->args[0]; return THREAD_ABORTS;
    }
}

/* A signal that came while the exception was handled found no enclave to interrupt, and what is
 * resumed may never leave by itself: tell the enclave now, and again if another one came while it
 * was told. From here to the ENCLU the handler knows that it must try again (signals.c). */
static enum thread_end before_resume(struct loader_thread *t)
{
    enum thread_end end = THREAD_RESUMES;

    __atomic_store_n(&t->resuming, true, __ATOMIC_SEQ_CST);
    while (end == THREAD_RESUMES && __atomic_exchange_n(&t->untold, false, __ATOMIC_SEQ_CST)) {
        end = run_nested(t, ENTRY_SIGNAL);
    }
    return end;
}

enum thread_end run_serve(struct loader_thread *t, enum enclave_entry entry, uint64_t argument)
{
    struct sgx_enclave_run run = {.tcs = t->tcs};
    unsigned int function = ENCLU_EENTER;
    uint64_t args[HOSTCALL_ARGS];

    for (;;) {
        /* The only place that enters, see enter.S. */
        const int r = loader_enter(t->loader->enter, entry, (unsigned long)t->block, argument,
                                   function, &run);
        enum thread_end end;

        if (unlikely(t->resuming)) {
            __atomic_store_n(&t->resuming, false, __ATOMIC_SEQ_CST);
            threads_started(t);
        }
        if (likely(r == 0 && run.function == ENCLU_EEXIT)) {
            end = serve_exit(t, args);
            if (likely(end == THREAD_GOES_ON)) {
                entry = ENTRY_RETURN;
                argument = 0;
                function = ENCLU_EENTER;
                continue;
            }
            return end;
        }
        /* An exception: the vDSO returns 0 and names the leaf (its header says -EFAULT). ERESUME is
         * what stands at the AEP; EENTER means that the entry itself was refused. */
        if ((r != 0 && r != -EFAULT) || run.function != ENCLU_ERESUME ||
            t->level + 1 >= t->loader->ssa_frames) {
            t->died = run;
            return THREAD_DIES;
        }
        end = run_nested(t, ENTRY_EXCEPTION);
        if (end == THREAD_RESUMES) {
            end = before_resume(t);
        }
        if (end != THREAD_RESUMES) {
            return end;
        }
        function = ENCLU_ERESUME;
    }
}

enum thread_end run_thread(struct loader_thread *t, enum enclave_entry entry, uint64_t argument)
{
    if (setjmp(t->base) != 0) {
        fork_child(t);
    }
    return run_serve(t, entry, argument);
}

enum thread_end run_nested(struct loader_thread *t, enum enclave_entry entry)
{
    struct hostcall_block *b = t->block;
    const struct hostcall_block kept = *b;
    const bool resuming = t->resuming;
    enum thread_end end;

    t->resuming = false;
    b->exit = EXIT_NOTHING;
    t->level++;
    end = run_serve(t, entry, 0);
    t->level--;
    __atomic_store_n(&t->resuming, resuming, __ATOMIC_SEQ_CST);
    b->exit = kept.exit;
    b->number = kept.number;
    memcpy(b->args, kept.args, sizeof(b->args));
    b->result = kept.result;
    return end;
}

static int end_status(const struct loader_thread *t, enum thread_end end)
{
    switch (end) {
    case THREAD_EXITS: return t->exit_status;
    case THREAD_DIES: return STATUS_DIED;
    case THREAD_DONE: return 0;
    default: return STATUS_ABORTED;
    }
}

_noreturn_ void run_end_process(const struct loader_thread *t, enum thread_end end)
{
    char text[256];

    if (end == THREAD_DIES) {
        describe_death(text, sizeof(text), &t->died);
        (void)dprintf(STDERR_FILENO, "nacre: the enclave died: %s\n", text);
    } else if (end == THREAD_ABORTS) {
        describe_abort(text, sizeof(text), t->abort_reason);
        (void)dprintf(STDERR_FILENO, "nacre: %s\n", text);
    }
    _exit(end_status(t, end));
}

int loader_run(struct loader *l, int *ret_status, struct error **err)
{
    struct loader_thread *t;
    enum thread_end end;
    char text[256];
    int r = threads_add(l, l->base + layout_tcs_offset(0), &t);

    if (r < 0) {
        return error_set_errno(err, -r, "preparing the first thread");
    }
    t->is_main = true;
    r = threads_attach(t, err);
    if (r < 0) {
        threads_remove(t);
        return r;
    }
    end = run_thread(t, ENTRY_START, (uint64_t)l->params);
    threads_detach(t);
    switch (end) {
    case THREAD_EXITS:
    case THREAD_DONE:
        *ret_status = end_status(t, end);
        r = 0;
        break;
    case THREAD_DIES:
        describe_death(text, sizeof(text), &t->died);
        r = error_set(err, EFAULT, "the enclave died: %s", text);
        break;
    default:
        describe_abort(text, sizeof(text), t->abort_reason);
        r = error_set(err, ECANCELED, "%s", text);
        break;
    }
    threads_remove(t);
    return r;
}
