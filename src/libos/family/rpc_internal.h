/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Between the files of the family's calls: what goes over the channels, and who is who. */

#include "libos/family/rpc.h"
#include "libos/lib/list.h"
#include "libos/proc/thread.h"

/* ---- on the wire, little endian, inside the channel ---- */

/* Before the channel: which key it will be. In clear, worth nothing alone. */
#define GREETING_MAGIC  0x4d46636eu /* "ncFM" */
#define GREETING_CALLS  0u
#define GREETING_EVENTS 1u
#define GREETING_PAGES  2u /* shm/link.h; only of members that share memory */
struct greeting {
    uint32_t magic;
    uint32_t member;
    uint32_t which;
    uint32_t reserved;
} _packed_;
_Static_assert(sizeof(struct greeting) == 16, "first bytes of a connection");
#define LABEL_CALLS  "calls"
#define LABEL_EVENTS "events"
#define LABEL_PAGES  "pages"
/* The first message of each direction of each channel. After it, but for pages, the member says
 * with one byte of the stream whether they go on over memory (family/ring.h), which comes with it.
 */
#define HELLO        "hello"
#define HELLO_SIZE   5u

struct call_head { /* member to owner */
    uint32_t id;
    uint16_t op; /* enum family_op, or CALL_CANCEL: of the call with this id */
    uint16_t reserved;
} _packed_;
#define CALL_CANCEL 0xffffu

struct answer_head { /* owner to member */
    uint32_t id;
    uint32_t reserved;
    int64_t result;
} _packed_;
_Static_assert(sizeof(struct answer_head) + FAMILY_ANSWER_MAX <= CHANNEL_PAYLOAD_MAX, "one frame");

struct event_head { /* owner to member */
    uint32_t event;
    uint32_t reserved;
} _packed_;

struct ack_message { /* member to owner, over `events` */
    uint64_t value;
} _packed_;

/* ---- tables ---- */

struct family_bounds {
    const char *name;
    uint32_t least, most;
};
extern const struct family_bounds g_family_ops[FAMILY_OP_COUNT];
extern const struct family_bounds g_family_events[FAMILY_EVENT_COUNT];
extern family_handler g_family_handlers[FAMILY_OP_COUNT];
extern family_listener g_family_listeners[FAMILY_EVENT_COUNT];

/* A request of `op` of `size` bytes may go to its handler: 0, -ENOSYS, -EBADMSG. */
[[nodiscard]] int family_check_request(uint32_t op, size_t size);

/* ---- one call that is being served ---- */

/* Kept calls are on their member's list. Under g_replies (owner_replies.c) but for the first
 * word. */
struct family_reply {
    struct refcount refs;
    uint32_t id;
    struct list node;
    struct member *member; /* a reference; NULL: of the owner's own thread */
    struct local_call *local;
    bool on_worker;
    void (*cancel)(struct family_reply *reply, void *ctx); /* NULL: none, or called already */
    void *ctx;
    struct thread *canceller; /* runs `cancel` just now */
};

/* A call of the owner's own thread that was kept open. */
struct local_call {
    struct thread *thread;
    struct family_reply *kept; /* until it is answered */
    uint32_t done;
    int64_t result;
    uint8_t *answer; /* kmalloc */
    size_t size;
};

/* ---- owner ---- */

struct member {
    struct refcount refs;
    uint32_t id;
    uint32_t gone;                       /* its end was seen: nothing is sent any more */
    uint32_t orderly;                    /* it said farewell */
    uint8_t key[CHANNEL_KEY_SIZE];       /* zeros once both channels are there */
    uint8_t pages_key[CHANNEL_KEY_SIZE]; /* until the third is, which may come late or never */
    struct channel calls, events, pages; /* io == NULL until connected */
    uint32_t have_calls, have_events, have_pages;
    uint32_t claimed; /* bit GREETING_*: proved, and not to be had again */
    uint64_t acked;   /* the highest acknowledgement */
    uint32_t away;
    struct list replies; /* kept calls */
    struct list node;    /* owner.c: all members */
    struct member *next; /* owner.c: same bucket */
};

/* Runs the handler of a call and sends what it answers; `q` is complete but for the answer. The
 * body stays readable during the call. */
void serve_run(struct family_request *q, struct member *m, uint32_t id, uint32_t op,
               bool may_block);
/* The same on a thread that may wait; copies the body. */
[[nodiscard]] int work_add(struct member *m, uint32_t id, uint32_t op, const struct cursor *body);
void work_reset(void);

struct member *member_get(struct member *m);
void member_put(struct member *m);
/* With a reference; NULL: none, or gone. */
struct member *member_find(uint32_t id);
/* Whether it connected or not. For forget and new_member. */
int owner_new_member(struct family_ticket *ret);
void owner_forget_member(uint32_t id);
int owner_start(void);
void owner_reset(void);
/* Farewell to every member. */
void owner_part(void);
/* In a child of fork: none of its threads, channels and calls is ours. */
void owner_after_fork(void);
void member_after_fork(void);
void work_after_fork(void);
void member_reset(void);
/* The key of the channel for pages, from which the member's does not follow. */
void family_pages_key(const uint8_t key[static CHANNEL_KEY_SIZE],
                      uint8_t ret[static CHANNEL_KEY_SIZE]);
/* One more connection to the owner, once. */
[[nodiscard]] int member_dial_pages(struct channel *ret);
/* Up to `cap` members whose calls come through memory, with references. */
uint32_t owner_some_members(struct member **ret, uint32_t cap);
/* A member's own thread looks for events for a while (false: it cannot), or stops to; hears what
 * has come, unless somebody else does just now. */
bool member_look(bool on);
void member_hear(void);
extern const struct wait_helper g_help_members, g_help_owner; /* help.c */
int64_t owner_local_call(struct family_message *m);
int64_t member_call(struct family_message *m);
/* Cancels what the owner's own thread waits for. */
void owner_cancel_local(struct local_call *local);
/* Posts an answer; a member that cannot be written to is gone sooner or later. */
void owner_send_answer(struct member *m, uint32_t id, int64_t result, const void *answer,
                       size_t size);
/* An address of the abstract name space. */
struct family_address {
    uint16_t family;
    char path[1 + 7 + 2 * FAMILY_NAME_SIZE];
} _packed_;
void family_address(const uint8_t name[static FAMILY_NAME_SIZE], struct family_address *ret);
