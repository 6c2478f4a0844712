/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The processes of the family, as the owner knows them: numbers, parents, groups, sessions, how
 * they ended and who still has to hear of it. Members come here with calls (proc/family_process.c);
 * nothing in it depends on where a process runs.
 *
 * What others must learn goes out through `struct pids_ears`, called with the table's lock held:
 * they queue a message and return.
 */

#include "libos/signal/signal.h"

#define PIDS_MAX     32768 /* as Linux's default pid_max: numbers are 1 .. PIDS_MAX - 1 */
#define PIDS_INIT    1
#define PIDS_COMM    16u
#define PIDS_COMMAND 232u /* what others see of a command line */
#define PIDS_EXE     192u /* and of the path of what it runs; longer ones are not shown */
#define PIDS_NO_ID   0

struct pids_ears {
    /* `pid`, which lives in the enclave `member`, has got a signal. */
    void (*signal)(uint32_t member, int32_t pid, const struct siginfo_kernel *info);
    /* Something changed with the children of `pid`: whoever waits looks again. */
    void (*child)(uint32_t member, int32_t pid);
    /* A process that `member` watches has ended. */
    void (*ended)(uint32_t member, int32_t pid, uint64_t serial);
};
void pids_init(const struct pids_ears *ears);
/* Empties the table: tests, and children, whose copy of it is nobody's. */
void pids_reset(void);

/* The first process; `member` FAMILY_OWNER_ID. */
[[nodiscard]] int pids_first(int32_t pid, const char comm[static PIDS_COMM]);

struct pids_new {
    int32_t parent;
    uint32_t member; /* where it begins: its own enclave, or (vfork) its parent's */
    uint32_t uid;    /* whose processes are counted against `limit` */
    uint32_t exit_signal;
    uint64_t limit;      /* RLIMIT_NPROC, for uid != 0 */
    uint32_t sibling;    /* CLONE_PARENT: a child of the parent's parent */
    uint32_t reaps_self; /* the parent ignores SIGCHLD, or SA_NOCLDWAIT */
    char comm[PIDS_COMM];
} _packed_;
/* A number for a child that is being made. -EAGAIN: no number, or the limit. -ESRCH: no parent. */
[[nodiscard]] int32_t pids_create(const struct pids_new *n);
/* It lives in this enclave from now on. */
[[nodiscard]] int pids_move(int32_t pid, uint32_t member);
/* It never came to be. */
void pids_abandon(int32_t pid);

/* The end of a process: status as wait(2) has it, times in ns. */
void pids_exit(int32_t pid, uint32_t status, uint64_t utime, uint64_t stime);
/* The end of an enclave: what still lives there was killed by SIGKILL. */
void pids_member_gone(uint32_t member);
/* Stopped by `signo`, or (0) continued. */
void pids_stopped(int32_t pid, uint32_t signo);

#define PIDS_WAIT_EXITED    0x1u
#define PIDS_WAIT_STOPPED   0x2u
#define PIDS_WAIT_CONTINUED 0x4u
#define PIDS_WAIT_KEEP      0x8u /* WNOWAIT */
struct pids_wait {
    int32_t caller;
    int32_t id;       /* > 0: that child; 0: any; < 0: of group -id */
    uint32_t options; /* PIDS_WAIT_* */
    uint64_t serial;  /* of the process `id`, 0: whichever has the number now */
} _packed_;
struct pids_waited {
    int32_t pid;
    uint32_t uid;
    uint32_t status; /* as wait(2) */
    uint32_t reserved;
    uint64_t utime, stime;
} _packed_;
/* 1: *ret says of whom; 0: nobody yet; -ECHILD. */
[[nodiscard]] int pids_wait(const struct pids_wait *w, struct pids_waited *ret);

/* kill(2): `target` > 0 one process, 0 the caller's group, -1 everybody but the caller and the
 * first process, < -1 group. Signal 0 only asks. 0; 1: the caller is among them, and not told: it
 * signals itself, before kill(2) returns. -ESRCH, -EPERM. */
[[nodiscard]] int pids_kill(int32_t caller, int32_t target, const struct siginfo_kernel *info);
/* The same for one process that is known by number and serial: -ESRCH when another one has the
 * number now. */
[[nodiscard]] int pids_kill_exact(int32_t caller, int32_t pid, uint64_t serial,
                                  const struct siginfo_kernel *info);

/* Numbers are used again, serials never. 0: it runs, and `member` hears once when it ended; 1: it
 * has. -ENOMEM. */
[[nodiscard]] int pids_watch(uint32_t member, int32_t pid, uint64_t serial);

[[nodiscard]] int pids_setpgid(int32_t caller, int32_t pid, int32_t pgid);
[[nodiscard]] int32_t pids_setsid(int32_t caller);

/* What a process changes about itself. */
enum pids_property {
    PIDS_SUBREAPER,    /* 0 or 1 */
    PIDS_DEATH_SIGNAL, /* PR_SET_PDEATHSIG: number or 0 */
    PIDS_REAPS_SELF,   /* 0 or 1 */
    PIDS_EXECUTED,     /* it called execve: setpgid of its parent's is over */
    PIDS_UID,          /* real << 32 | effective */
    PIDS_PROPERTIES_,
};
[[nodiscard]] int pids_set(int32_t pid, enum pids_property what, uint64_t value);
/* What it runs: name, and the beginning of its command line (strings, each with its NUL). */
struct pids_name {
    int32_t pid;
    char comm[PIDS_COMM];
    uint32_t command_size;
    char command[PIDS_COMMAND];
    char exe[PIDS_EXE]; /* a string */
} _packed_;
[[nodiscard]] int pids_rename(const struct pids_name *n);

struct pids_info {
    int32_t pid, ppid, pgid, sid;
    uint32_t uid, euid;
    uint32_t member;
    uint32_t state; /* 'R', 'T', 'Z' as /proc shows it */
    uint32_t status;
    uint32_t subreaper;
    uint64_t serial;       /* never 0, never used twice */
    uint64_t start_time;   /* CLOCK_MONOTONIC ns */
    uint64_t utime, stime; /* of a zombie, ns */
    char comm[PIDS_COMM];
    uint32_t command_size;
    char command[PIDS_COMMAND];
    char exe[PIDS_EXE]; /* "": not known */
} _packed_;
[[nodiscard]] int pids_describe(int32_t pid, struct pids_info *ret);
/* The next number after `pid` that is in use; 0: none. */
int32_t pids_next(int32_t pid);
