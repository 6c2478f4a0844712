/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The family: the enclaves of one application (docs/processes.md). The first is the owner; it holds
 * everything processes share. Every other one is a member with two sealed channels to the owner:
 * `calls` (requests and answers; whoever waits for an answer reads it) and `events` (the owner's
 * messages, read by a service thread; in the other direction acknowledgements, which never wait
 * behind a call).
 *
 * A process that never forked is FAMILY_ALONE: no thread, no descriptor, and one predictable test
 * (family_role) where an object could be remote.
 *
 * How a child joins:
 *
 *   parent                                             child
 *   family_become_owner()        (if it is alone)
 *   family_new_member(&ticket)   (asks the owner)
 *   … ticket travels in the encrypted snapshot …       family_join(&ticket)
 *   family_forget_member(id)     (if the child died before joining)
 *
 * The ticket's key is made by the owner, used by one channel pair, and never known to the host. The
 * transport is an abstract unix socket of the owner's with a random name: who else connects to it
 * (the host can) proves nothing and is dropped.
 */

#include "core/cursor.h"
#include "libos/family/channel.h"

enum family_role { FAMILY_ALONE, FAMILY_OWNER, FAMILY_MEMBER };
extern enum family_role g_family_role; /* read it through family_role() */
static inline enum family_role family_role(void)
{
    return g_family_role;
}
static inline bool family_is_member(void)
{
    return unlikely(g_family_role == FAMILY_MEMBER);
}

#define FAMILY_OWNER_ID    0u
#define FAMILY_MEMBERS_MAX 4096u /* at a time */
#define FAMILY_NAME_SIZE   16u

struct family_ticket {
    uint32_t member; /* never 0, never used twice */
    uint32_t reserved;
    uint8_t name[FAMILY_NAME_SIZE]; /* of the owner's socket: random, public */
    uint8_t key[CHANNEL_KEY_SIZE];  /* secret: wipe after use */
} _packed_;
_Static_assert(sizeof(struct family_ticket) == 56, "part of the snapshot");

/* At the first fork, in the parent; again is harmless. 0 also for a member (nothing to do).
 * -EAGAIN when no service thread can be had, -ENOMEM, or what the host says. */
[[nodiscard]] int family_become_owner(void);
/* In the parent, before the child is made. -EAGAIN: FAMILY_MEMBERS_MAX. */
[[nodiscard]] int family_new_member(struct family_ticket *ret);
void family_forget_member(uint32_t member);
/* In the child, when it has its descriptor-less state back and before any family_call. Returns when
 * the owner has accepted both channels. -ETIMEDOUT, -ECONNREFUSED, -EBADMSG. */
[[nodiscard]] int family_join(const struct family_ticket *ticket);
/* The number of this enclave in the family: FAMILY_OWNER_ID when it is alone or the owner. */
uint32_t family_self(void);
/* A member says goodbye before it exits, so that the owner can tell an exit from a kill; the owner
 * says it to all, whose application ends with it. */
void family_leave(void);

/* ---- calls ---- */

enum family_op {
#define X(name, least, most, description) FAMILY_OP_##name,
#include "libos/family/ops.tbl.h"
#undef X
    FAMILY_OP_COUNT
};

/* The result of the handler (>= 0 or -errno); its answer goes to `answer`, at most `cap` bytes of
 * it (*ret_size, which may be NULL: how many). In the owner, and in a process that is alone, the
 * handler runs in the calling thread. A signal while waiting cancels the call: the owner answers at
 * once, with -EINTR or with what was done already. -EIO: the owner is gone. */
[[nodiscard]] int64_t family_call(enum family_op op, const void *request, size_t size, void *answer,
                                  size_t cap, size_t *ret_size);

/* The same in pieces. */
struct family_message {
    enum family_op op;
    const struct channel_part *parts; /* the request … */
    size_t part_count;
    struct iter *from; /* … and up to from_size bytes behind it; may be NULL */
    size_t from_size;
    void *answer; /* the first `cap` bytes of the answer … */
    size_t cap;
    size_t ret_size; /* out: bytes put there */
    struct iter *to; /* … and what follows, as far as it fits; may be NULL */
    size_t ret_to;   /* out: bytes put there */
    bool steady;     /* signals do not cancel: for calls that are short by design */
};
/* -EFAULT also when `to` cannot be written. */
[[nodiscard]] int64_t family_exchange(struct family_message *m);

/* ---- serving calls, in the owner ---- */

#define FAMILY_ANSWER_MAX (CHANNEL_PAYLOAD_MAX - 64)

struct family_request {
    uint32_t member;            /* who asks; FAMILY_OWNER_ID: the owner's own thread */
    bool may_block;             /* this run may wait */
    struct cursor body;         /* the request, inside already: it does not change */
    uint8_t *answer;            /* the handler's to fill, */
    size_t cap;                 /* this much room, */
    size_t answer_size;         /* this much filled in: 0 unless the handler says so */
    struct family_reply *reply; /* private */
};

/* Serves one request on the owner's service thread (or a worker, or the owner's own thread):
 * returns the result, or one of the two below. Must not wait unless q->may_block. */
typedef int64_t (*family_handler)(struct family_request *q);
/* It would have to wait: run it again, from the start, where it may. */
#define FAMILY_BLOCKS ((int64_t)INT64_MIN)
/* family_later() was called: the answer comes with family_answer(). */
#define FAMILY_LATER  ((int64_t)INT64_MIN + 1)

void family_serve(enum family_op op, family_handler handler);

/*
 * Keeps a call open. Every kept call must be answered exactly once, also when its member is gone.
 * `cancel` (may be NULL) is called at most once, from any thread, when the caller was interrupted
 * or died: it must see to it that the call is answered soon (-EINTR, or what was done already), and
 * may answer it itself. `ctx` must stay until family_answer() returned; family_answer() waits for a
 * `cancel` of the same call that runs on another thread, so do not hold a lock in the former that
 * the latter takes. The usual form:
 *
 *     event:  lock; take the entry off the list; unlock; family_answer(entry->reply, …); free
 *     cancel: lock; is it still on the list? take it off; unlock; family_answer(reply, -EINTR);
 * free lock; it is not: unlock, the answer is under way
 *
 * NULL: out of memory, or the call runs on a worker (it returned FAMILY_BLOCKS before).
 */
struct family_reply;
struct family_reply *family_later(struct family_request *q,
                                  void (*cancel)(struct family_reply *reply, void *ctx), void *ctx);
/* Answers a kept call and frees the reply. Any thread. */
void family_answer(struct family_reply *reply, int64_t result, const void *answer, size_t size);
uint32_t family_reply_member(const struct family_reply *reply);

/* Called in the owner, on a service thread, when a member's channels ended: by farewell
 * (`orderly`) or because it died. All its calls were cancelled. Up to FAMILY_HOOKS_MAX hooks, run
 * in the order of registration; one that is registered already stays as it is. */
#define FAMILY_HOOKS_MAX 8u
typedef void (*family_gone_hook)(uint32_t member, bool orderly);
void family_on_member_gone(family_gone_hook hook);
/* Called in a member when the owner is gone. Without it every later call fails with -EIO. */
void family_on_owner_gone(void (*hook)(void));

/* ---- events, owner to member ---- */

enum family_event {
#define X(name, least, most, description) FAMILY_EVENT_##name,
#include "libos/family/events.tbl.h"
#undef X
    FAMILY_EVENT_COUNT
};

/* In the owner. Never waits. -ESRCH: no such member (any more). To FAMILY_OWNER_ID: the handler
 * runs in the calling thread. */
[[nodiscard]] int family_notify(uint32_t member, enum family_event event, const void *p,
                                size_t size);
/* Tells every member and waits until each acknowledged `ack` or more (family_ack), is gone, or is
 * away. Waits on whatever thread it is called, so the members' listeners must not depend on that
 * thread. */
void family_notify_all(enum family_event event, const void *p, size_t size, uint64_t ack);
/* In the owner: was there such a member, and is it gone? Then for ever. */
bool family_member_is_gone(uint32_t member);
/* In the owner: the member makes a child and its service thread stands still; nobody waits for it
 * until it is back. */
void family_away(uint32_t member, bool away);
/* In a member whose service thread stands still: hears what has arrived. */
void family_hear_pending(void);
typedef void (*family_listener)(const uint8_t *p, size_t size);
void family_hear(enum family_event event, family_listener listener);

/* A member's short message against the stream of events: never waits behind a call, handled by the
 * owner on a thread that takes no lock of the file system. */
typedef void (*family_ack_handler)(uint32_t member, uint64_t value);
void family_on_ack(family_ack_handler handler);
int family_ack(uint64_t value);

/* ---- fork ---- */

/* In a child, before it joins: its memory is a copy of its parent's. Channels, keys, threads and
 * descriptors of the parent's side are wiped and closed without a word to anybody, and the process
 * is FAMILY_ALONE. Handlers and listeners stay. */
void family_after_fork(void);

/* ---- tests ---- */

/* Forgets everything: the owner's service threads end, the channels are closed. */
void family_reset(void);
