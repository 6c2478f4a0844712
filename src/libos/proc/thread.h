/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Threads and the process they belong to (one process per enclave). */

#include "libos/lib/list.h"
#include "libos/lib/sync.h"
#include "libos/proc/wait.h"
#include "libos/sys/limits.h"

struct fd_table;   /* fs/fd_table.h */
struct file;       /* fs/file.h */
struct fs_context; /* fs/: root, cwd, umask */

/* General registers of the application at a system call or exception, in the order the entry code
 * saves them. Vector state stays in the registers (libos uses none) or in the SSA. */
struct cpu_context {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rip;
    uint64_t rflags;
};

/* What execve left in application memory, for /proc/self: argument and environment strings lie one
 * behind the other. The vector is a copy of ours; AT_NULL is its last entry. */
#define AUXV_MAX 32u

struct process_image {
    uint64_t arg_start;
    uint64_t env_start; /* also the end of the arguments */
    uint64_t env_end;
    size_t auxv_count;
    uint64_t auxv[AUXV_MAX][2];
};

/* sys/capability.h; zero: not looked at yet. */
struct capabilities {
    uint64_t permitted, effective, inheritable, bounding, ambient; /* bit CAP_* */
    bool known;
    bool keep; /* PR_SET_KEEPCAPS */
};

struct process {
    int32_t pid; /* as the application sees it */
    int32_t ppid;
    uint32_t uid, euid, suid, fsuid;
    uint32_t gid, egid, sgid, fsgid;
    struct capabilities caps;
    struct identity identity; /* sys/limits.h */
    struct fd_table *files;
    struct fs_context *fs;
    struct mutex threads_lock;
    struct list threads; /* struct thread.node */
    size_t thread_count;
    char comm[16];
    const char *exe_path;  /* absolute, as it was at execve; kmalloc'd */
    struct file *exe_file; /* open while it runs; NULL: look exe_path up */
    struct process_image image;
    struct signal_process *signals; /* signal/ */
    uint64_t start_time;            /* CLOCK_MONOTONIC ns */
    int32_t next_tid;
    uint32_t exiting;           /* 1 + exit status once exit_group began */
    struct thread *stopper;     /* waits until it is the only thread; threads_lock */
    struct waitq child_waiters; /* wait4 and waitid */
    uint32_t child_news;        /* counts what was heard of children */
    uint64_t child_utime;       /* ns, of the children that were waited for */
    uint64_t child_stime;
    uint32_t exit_signal;  /* what the parent gets at the end */
    uint32_t death_signal; /* PR_SET_PDEATHSIG */
    struct vfork *vfork;   /* a child of vfork in its parent's enclave: proc/vfork.h; else NULL */
};

struct signal_state; /* signal/signal.h: mask, pending, alternate stack */

/* thread->work */
#define WORK_SIGNAL      1u /* a signal may be deliverable, or a timer may be due */
#define WORK_EXIT        4u /* the process ends: go */
#define WORK_FREEZE      8u /* the enclave is being copied: stand still (proc/freeze.h) */
#define WORK_FULL_RETURN 2u /* ctx was replaced (rt_sigreturn): give back every register */

#define CPU_MASK_SIZE 128u /* 1024 processors */

struct thread {
    uint32_t work; /* WORK_*: look before going back to the application; entry.S looks too */
    struct list node;
    struct refcount refs;
    struct process *process;
    int32_t tid;
    char comm[16];
    int32_t nice;                    /* -20..19: remembered, the host schedules */
    uint8_t affinity[CPU_MASK_SIZE]; /* the last wish; no bit set: none */
    uint64_t fs_base;
    uint64_t clear_child_tid; /* user address or 0 */
    uint64_t robust_list;
    size_t robust_list_size;
    struct signal_state *signals;
    struct cpu_context *context;  /* of the system call being served, for signals and clone */
    uint32_t wake_token;          /* 1: a wake came since the last wait */
    uint32_t park_state;          /* how it sleeps: 0 awake, 1 futex, 2 poll */
    struct spin spin, look, help; /* looking around for other threads, for other processes, for
                                   * what it can do for them */
    int32_t host_wake_fd;         /* host eventfd for park_state 2; -1: none yet */
    void (*service)(void *arg);   /* proc/service.h: a thread of the library OS itself; else NULL */
    void *service_arg;
    bool late;           /* a service others depend on until the very last: proc/freeze.h */
    const void *acting;  /* struct ucred_: whom it serves (family/home_sock.c) */
    bool hasty;          /* it serves others just now: waits give up at once (-EINTR) */
    uint32_t frozen;     /* stands at the gate of proc/freeze.h, or rests */
    struct vfork *vfork; /* a child runs on this thread until its execve: proc/vfork.h */
    void *arch;          /* boot/: TCS, stacks, host-call block */
};

/* The current thread. GS-relative in the enclave. */
struct thread *thread_current(void);
/* The process the current thread belongs to. */
struct process *process_current(void);
/* The process this enclave was made for; a child of vfork is another one for a while. */
struct process *process_first(void);
