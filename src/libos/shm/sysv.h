/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * System V shared memory and semaphores: the owner has the tables, everybody asks it with one call
 * (FAMILY_OP_sysv). Message queues there are none.
 */

#include "core/types.h"

enum sysv_what {
    SYSV_SHMGET,  /* a: key, b: size, c: flags -> id */
    SYSV_SHMAT,   /* a: id, c: 1 to write as well -> 0; answer: object, size. An attachment */
    SYSV_SHMDT,   /* a: object */
    SYSV_SHMSTAT, /* a: id, c: 1 by index -> id; answer: struct shmid64_ds */
    SYSV_SHMSET,  /* a: id, payload: uid, gid, mode */
    SYSV_SHMRM,   /* a: id */
    SYSV_SEMGET,  /* a: key, b: how many, c: flags -> id */
    SYSV_SEMOP,   /* a: id, b: token, c: 1 to be counted as a waiter; payload: struct sembuf[] */
    SYSV_SEMQUIT, /* a: id, b: token: waits no more */
    SYSV_SEMSTAT, /* a: id, c: 1 by index -> id; answer: struct semid64_ds */
    SYSV_SEMSET,  /* as SYSV_SHMSET */
    SYSV_SEMRM,   /* a: id */
    SYSV_SEMREAD, /* a: id, b: which, c: GETVAL … */
    SYSV_SEMALL,  /* a: id; answer: u16[] */
    SYSV_SEMPUT,  /* a: id, b: which or -1 for all; payload: u16[] */
    SYSV_LEAVE,   /* this process ends: SEM_UNDO */
};

struct sysv_request {
    uint32_t what;
    uint32_t uid, gid; /* effective, for permissions */
    int32_t pid;
    int64_t a, b, c;
} _packed_;
_Static_assert(sizeof(struct sysv_request) == 40, "wire");

struct sysv_attached {
    uint64_t object;
    uint64_t size;
};

struct sysv_set {
    uint32_t uid, gid, mode;
};

#define SYSV_SEMS_MAX   32000u /* of one set */
#define SYSV_SEMOPS_MAX 500u
#define SYSV_SEM_MAX    32767
/* Where those who wait for a set queue (shm/futexes.h): this object, and the set's index. */
#define SYSV_SEM_OBJECT UINT64_MAX
#define SYSV_INDEX(id)  ((uint64_t)(id)&0x7fff)

/* In the process that will be the owner, and in its children: sets the handler. */
void sysv_start(void);
/* In the owner: the member is gone, in whatever way. */
void sysv_gone(uint32_t member);
/* In a child of fork: the tables are the owner's. */
void sysv_after_fork(void);
