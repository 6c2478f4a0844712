/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Calls the owner keeps open: a handler said "later", and answers from any thread, unless the
 * caller gives up before or is gone.
 */

#include "libos/family/owner_internal.h"
#include "libos/host/host.h"
#include "libos/mm/kmem.h"

static struct spinlock g_replies; /* over every member's list of kept calls */

static void reply_put(struct family_reply *reply)
{
    if (ref_put(&reply->refs)) {
        member_put(reply->member);
        kfree(reply);
    }
}

/* Has the handler end a call. Called with the lock held and `reply` alive; gives the lock back. An
 * answer that comes meanwhile waits, so that `ctx` stays. */
static void cancel_and_unlock(struct family_reply *reply)
{
    void (*cancel)(struct family_reply *, void *) = reply->cancel;

    if (cancel == NULL) {
        spin_unlock(&g_replies);
        return;
    }
    reply->cancel = NULL;
    reply->canceller = thread_current();
    ref_get(&reply->refs);
    spin_unlock(&g_replies);
    cancel(reply, reply->ctx);
    spin_lock(&g_replies);
    reply->canceller = NULL;
    spin_unlock(&g_replies);
    reply_put(reply);
}

static struct family_reply *find_reply(struct member *m, uint32_t id, bool any)
{
    list_for_each (it, &m->replies) {
        struct family_reply *reply = list_entry(it, struct family_reply, node);

        if (any ? reply->cancel != NULL : reply->id == id) {
            return reply;
        }
    }
    return NULL;
}

void owner_cancel_call(struct member *m, uint32_t id)
{
    struct family_reply *found;

    spin_lock(&g_replies);
    found = find_reply(m, id, /*any=*/false);
    if (found != NULL) {
        cancel_and_unlock(found);
    } else {
        /* Its answer is on the way already, or a worker has it, where nothing waits for long. */
        spin_unlock(&g_replies);
    }
}

void owner_cancel_all(struct member *m)
{
    for (;;) {
        struct family_reply *found;

        spin_lock(&g_replies);
        found = find_reply(m, 0, /*any=*/true);
        if (found == NULL) {
            spin_unlock(&g_replies);
            return;
        }
        cancel_and_unlock(found);
    }
}

void owner_cancel_local(struct local_call *local)
{
    spin_lock(&g_replies);
    if (local->kept != NULL) {
        cancel_and_unlock(local->kept);
    } else {
        spin_unlock(&g_replies);
    }
}

struct family_reply *family_later(struct family_request *q,
                                  void (*cancel)(struct family_reply *reply, void *ctx), void *ctx)
{
    struct family_reply *reply;

    if (q->reply->on_worker) {
        return NULL; /* cancelling does not reach there */
    }
    reply = kzalloc(sizeof(*reply));
    if (reply == NULL) {
        return NULL;
    }
    *reply = *q->reply;
    ref_init(&reply->refs);
    list_init(&reply->node);
    reply->cancel = cancel;
    reply->ctx = ctx;
    spin_lock(&g_replies);
    if (reply->local != NULL) {
        reply->local->kept = reply;
    } else {
        (void)member_get(reply->member);
        list_insert(&reply->member->replies, &reply->node);
    }
    spin_unlock(&g_replies);
    return reply;
}

uint32_t family_reply_member(const struct family_reply *reply)
{
    return reply->member == NULL ? FAMILY_OWNER_ID : reply->member->id;
}

static void answer_local(struct local_call *local, int64_t result, const void *answer, size_t size)
{
    local->answer = size == 0 ? NULL : kmalloc(size);
    local->size = size;
    local->result = result;
    if (local->answer != NULL) {
        __builtin_memcpy(local->answer, answer, size);
    } else if (size > 0) {
        local->result = -ENOMEM;
        local->size = 0;
    }
    thread_set_flag(local->thread, &local->done);
}

void family_answer(struct family_reply *reply, int64_t result, const void *answer, size_t size)
{
    struct local_call *local = reply->local;

    size = MIN(size, (size_t)FAMILY_ANSWER_MAX);
    spin_lock(&g_replies);
    while (reply->canceller != NULL && reply->canceller != thread_current()) {
        spin_unlock(&g_replies);
        host_yield();
        spin_lock(&g_replies);
    }
    list_remove(&reply->node);
    reply->cancel = NULL;
    if (local != NULL) {
        local->kept = NULL;
    }
    spin_unlock(&g_replies);
    if (local != NULL) {
        answer_local(local, result, answer, size);
    } else {
        owner_send_answer(reply->member, reply->id, result, answer, size);
    }
    reply_put(reply);
}
