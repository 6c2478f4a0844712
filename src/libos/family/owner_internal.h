/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Between owner.c, owner_guests.c and owner_replies.c: the owner's side of the family's calls. */

#include "libos/family/rpc_internal.h"

#define SOCK_NONBLOCK 04000
#define GUESTS_MAX    64u          /* connections that have not proved themselves */
#define DATA_GUEST    (1ull << 32) /* | place: in the epoll of the calls */

#define OWNER_BUCKETS 256u

struct owner {
    struct mutex lock;                     /* over members and their connecting */
    struct list members;                   /* by age: the numbers go up */
    struct member *buckets[OWNER_BUCKETS]; /* the same by number */
    uint32_t count;
    uint32_t next_id;
    uint8_t name[FAMILY_NAME_SIZE];
    int listener, calls_epoll, events_epoll, stop_fd;
    uint32_t running; /* service threads */
    family_gone_hook hooks[FAMILY_HOOKS_MAX];
    uint32_t hook_count;
    family_ack_handler ack;
    uint32_t leaving;     /* the owner exits: members end in its wake */
    uint32_t awaiting;    /* threads that wait for acknowledgements */
    struct waitq acks;    /* woken by acknowledgements and ends */
    struct mutex serving; /* calls of members are served one at a time */
    uint32_t helpers;     /* threads of the application that look for calls (help.c) */
    uint8_t *answer;      /* FAMILY_ANSWER_MAX, of the serving thread */
};
extern struct owner g_owner;

/* ---- owner.c ---- */

/* The end of a member, seen by any thread, done by the first that sees it. */
void member_end(struct member *m);
/* Something came on the member's channel for calls, or was read already; `events` as the host says
 * (EPOLL*), 0: it said nothing. */
void owner_serve_ready(uint32_t id, uint32_t events);
/* Everything that has come from one member, with g_owner.serving held. 0, or how it ended. */
[[nodiscard]] int owner_serve_member(struct member *m);

/* ---- owner_guests.c ---- */

[[nodiscard]] int guests_open(void);
/* Every guest goes; the places stay. */
void guests_drop(void);
/* In a child of fork: our copies of the descriptors are closed, the parent's guests stay. */
void guests_after_fork(void);
void guests_close(void);
/* A connection waits at the listener. */
void guests_accept(void);
/* Something came from a guest; `place` is what the host says and may be anything. */
void guests_ready(uint64_t place);

/* ---- owner_replies.c ---- */

/* The member gave up a call: its handler ends it, if it was kept. */
void owner_cancel_call(struct member *m, uint32_t id);
/* The member is gone: all of its kept calls. */
void owner_cancel_all(struct member *m);
