/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The running enclave, seen by the files of this folder: one `struct loader`, one `struct
 * loader_thread` for each host thread that serves a TCS.
 */

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

#include "abi/hostcall.h"
#include "core/overflow.h"
#include "loader/layout.h"
#include "loader/loader.h"

#define THREAD_BUCKETS    256u
#define THREAD_HOST_STACK ((size_t)256 << 10)

struct loader {
    const struct sgx_backend *backend;
    struct sgx_enclave *enclave;
    vdso_sgx_enter_enclave_t enter;
    uint64_t base;
    uint32_t ssa_frames;
    uint32_t thread_max;                        /* host threads, 0: no limit of ours */
    int log_fd;                                 /* standard error, or a descriptor of our own */
    struct boot_params *params;                 /* untrusted block handed over at ENTRY_START */
    pthread_mutex_t lock;                       /* guards the fields below */
    struct loader_thread *live[THREAD_BUCKETS]; /* by TCS */
    struct loader_thread *spare;                /* memory of threads that ended */
    uint32_t live_count;
    timer_t timer;
    bool have_timer;
    /* What the enclave was built from: a forked child builds it again. The bytes are borrowed. */
    struct loader_image image;
    struct sgx_sigstruct sigstruct;
    bool debug;
};

/* Why the serving of a thread ended. */
enum thread_end {
    THREAD_GOES_ON = 0,
    THREAD_RESUMES, /* the nested entry is over */
    THREAD_DONE,
    THREAD_EXITS, /* the enclave ended the process */
    THREAD_ABORTS,
    THREAD_DIES, /* an exception nobody could handle */
};

struct loader_thread {
    struct hostcall_block *block; /* first page of `memory` */
    struct loader *loader;
    struct loader_thread *next;
    uint64_t tcs;      /* linear address */
    _Atomic pid_t tid; /* 0 until the thread runs */
    bool untold;       /* a signal was filed that the enclave does not know of */
    uint32_t level;    /* entries on top of each other; equals CSSA while inside */
    bool is_main;
    bool starting;         /* the enclave has not left for the first time; nobody may interrupt */
    bool resuming;         /* between the last look at `signals` and ERESUME's end */
    bool have_retry_timer; /* kicks this thread again a little later */
    int retry_timer;
    enum thread_end end; /* set by host calls that end something */
    int exit_status;
    uint8_t *memory; /* block and bounce buffer: one mapping */
    size_t memory_size;
    uint64_t abort_reason;       /* of THREAD_ABORTS */
    struct sgx_enclave_run died; /* of THREAD_DIES */
    jmp_buf base;                /* where a forked child starts over, on this thread's stack */
};

/* The block is packed for the ABI but lies on a page boundary. */
static inline uint64_t *block_signals(struct hostcall_block *b)
{
    return (uint64_t *)(void *)((uint8_t *)b + offsetof(struct hostcall_block, signals));
}

/* --- enter.S --- */
int loader_enter(vdso_sgx_enter_enclave_t enter, unsigned long rdi, unsigned long rsi,
                 unsigned long rdx, unsigned int function, struct sgx_enclave_run *run);
int64_t loader_syscall_point(const uint64_t *signals, long number, const uint64_t args[6]);
extern const char loader_syscall_begin[], loader_syscall_end[], loader_syscall_cancel[];

/* --- run.c --- */

/* Enters at t->level with `entry` and serves host calls until something ends. Re-entered from the
 * signal handler one level up. */
enum thread_end run_serve(struct loader_thread *t, enum enclave_entry entry, uint64_t argument);

/* run_serve of a thread from its first entry on, with the place a forked child goes back to. */
enum thread_end run_thread(struct loader_thread *t, enum enclave_entry entry, uint64_t argument);

/* Serves one level up, with the request block of the level below kept aside. */
enum thread_end run_nested(struct loader_thread *t, enum enclave_entry entry);

/* For ends that cannot be handed up: prints why and ends the process. */
_noreturn_ void run_end_process(const struct loader_thread *t, enum thread_end end);

/* --- signals.c --- */

/* Installs the handlers of this process through the backend. */
[[nodiscard]] int signals_install(const struct sgx_backend *backend, struct error **err);
/* The thread whose signals the handler files, NULL before and after. What came before there was any
 * is filed for this one. */
void signals_set_thread(struct loader_thread *t);
/* This thread has ended, and its filed signals are blocked in it: what the enclave did not take
 * over is sent to the process again, for another thread. */
void signals_pass_on(struct loader_thread *t);
/* Frees what the handler made for this thread. */
void signals_forget_thread(struct loader_thread *t);
/* The signals that are filed for the enclave. */
void signals_filed_set(sigset_t *ret);

/* --- threads.c --- */

/* Memory and registration of a thread for this TCS. -EBUSY when the TCS has one, -EAGAIN, -ENOMEM.
 */
[[nodiscard]] int threads_add(struct loader *l, uint64_t tcs, struct loader_thread **ret);
void threads_remove(struct loader_thread *t);
/* A host thread that enters at this TCS. */
[[nodiscard]] int threads_start(struct loader *l, uint64_t tcs);
/* Sends the kick signal to the thread of this TCS. -ESRCH. */
[[nodiscard]] int threads_kick(struct loader *l, uint64_t tcs);
/* Per-thread set-up on the thread itself. */
[[nodiscard]] int threads_attach(struct loader_thread *t, struct error **err);
/* The first thread's first exit: from here on signals interrupt it. */
void threads_started(struct loader_thread *t);
void threads_detach(struct loader_thread *t);
void threads_free_spare(struct loader *l);

/* Forgets every thread but `t`, which becomes the first one of an enclave to come: for a forked
 * child, in which the others do not exist. */
void threads_keep_only(struct loader_thread *t);

/* --- load.c --- */

/* Builds the enclave that l->image names. */
[[nodiscard]] int load_build(struct loader *l, struct error **err);

/* --- fork.c --- */

/* The host side of fork: a copy of this process in which the calling thread alone lives on, throws
 * its (never inherited) enclave away, builds a fresh one of the same bits and enters it with
 * BOOT_FLAG_FORK_CHILD. ret[0]: its pid; ret[1]: the parent's end of the stream between the two.
 * -EINVAL inside a nested entry; -EAGAIN, -ENOMEM, -EMFILE. */
[[nodiscard]] int fork_process(struct loader_thread *t, int32_t ret[static 2]);
/* The child's side, from the bottom of the thread's stack. */
_noreturn_ void fork_child(struct loader_thread *t);

/* --- hostcalls/dispatch.c --- */

/* Serves block->number and returns the result. `args` is room for HOSTCALL_ARGS: in the caller's
 * frame, so that this is a jump to the call and not one more return after its system call, from
 * where the kernel leaves the processor no returns it could predict. */
int64_t hostcall_serve(struct loader_thread *t, uint64_t *args);

/* --- params.c --- */

/* The launch parameter block, in memory outside the ELRANGE. Release with munmap of *ret->size. */
[[nodiscard]] int params_make(const struct loader_options *options, struct boot_params **ret,
                              struct error **err);
void params_free(struct boot_params *p);
