/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Calls that would make the owner's service thread wait run here: on threads that come with demand
 * and stay. And calls of the owner's own threads, which run where they are.
 */

#include "libos/family/rpc_internal.h"
#include "libos/host/host.h"
#include "libos/mm/kmem.h"
#include "libos/proc/freeze.h"
#include "libos/proc/service.h"
#include "libos/proc/wait.h"

#define WORKERS_MAX 32u

struct job {
    struct list node;
    struct member *member; /* a reference */
    uint32_t id, op;
    size_t size;
    uint8_t body[];
};

static struct {
    struct mutex lock;
    struct list jobs;
    struct waitq more;
    uint32_t workers, idle;
    uint32_t stop;
} g_work;

static struct job *take_job(void)
{
    struct job *j = NULL;
    struct waiter w;

    waiter_init(&w);
    waitq_add(&g_work.more, &w);
    mutex_lock(&g_work.lock);
    g_work.idle++;
    while (list_empty(&g_work.jobs) && g_work.stop == 0) {
        mutex_unlock(&g_work.lock);
        freeze_rest_begin();
        (void)!thread_wait_uninterruptible(WAIT_FOREVER);
        freeze_rest_end();
        mutex_lock(&g_work.lock);
    }
    g_work.idle--;
    if (!list_empty(&g_work.jobs)) {
        j = list_entry(g_work.jobs.next, struct job, node);
        list_remove(&j->node);
    }
    mutex_unlock(&g_work.lock);
    waitq_remove(&w);
    return j;
}

static void work(void *arg)
{
    const size_t pages = (FAMILY_ANSWER_MAX + NACRE_PAGE_SIZE - 1) >> NACRE_PAGE_SHIFT;
    uint8_t *answer = kpages_alloc(pages);
    struct job *j;

    while (answer != NULL && (j = take_job()) != NULL) {
        struct family_request q = {
            .body = cursor_make(j->body, j->size), .answer = answer, .cap = FAMILY_ANSWER_MAX};

        serve_run(&q, j->member, j->id, j->op, /*may_block=*/true);
        member_put(j->member);
        kfree(j);
    }
    if (answer != NULL) {
        kpages_free(answer, pages);
    }
    (void)__atomic_sub_fetch(&g_work.workers, 1, __ATOMIC_RELEASE);
}

int work_add(struct member *m, uint32_t id, uint32_t op, const struct cursor *body)
{
    struct job *j = kmalloc(sizeof(*j) + body->left);
    bool start;
    int r = 0;

    if (j == NULL) {
        return -ENOMEM;
    }
    *j = (struct job){.member = member_get(m), .id = id, .op = op, .size = body->left};
    list_init(&j->node);
    if (body->left > 0) {
        __builtin_memcpy(j->body, body->p, body->left);
    }
    mutex_lock(&g_work.lock);
    if (g_work.jobs.next == NULL) {
        list_init(&g_work.jobs);
        waitq_init(&g_work.more);
    }
    list_insert(&g_work.jobs, &j->node);
    start = g_work.idle == 0 && g_work.workers < WORKERS_MAX;
    if (start) {
        (void)__atomic_add_fetch(&g_work.workers, 1, __ATOMIC_RELAXED);
    }
    mutex_unlock(&g_work.lock);
    if (start) {
        r = service_start(work, NULL);
    }
    if (r < 0 && __atomic_sub_fetch(&g_work.workers, 1, __ATOMIC_RELEASE) == 0) {
        /* Nobody there who could ever do it. */
        mutex_lock(&g_work.lock);
        list_remove(&j->node);
        mutex_unlock(&g_work.lock);
        member_put(j->member);
        kfree(j);
        return r;
    }
    waitq_wake_all(&g_work.more, 0);
    return 0;
}

void work_after_fork(void)
{
    if (g_work.jobs.next == NULL) {
        return;
    }
    list_for_each_safe (it, &g_work.jobs) {
        list_remove(it);
        kfree(list_entry(it, struct job, node)); /* its member is freed with the others */
    }
    waitq_init(&g_work.more);
    g_work.workers = 0;
    g_work.idle = 0;
    g_work.stop = 0;
}

void work_reset(void)
{
    if (g_work.jobs.next == NULL) {
        return;
    }
    __atomic_store_n(&g_work.stop, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&g_work.workers, __ATOMIC_ACQUIRE) > 0) {
        waitq_wake_all(&g_work.more, 0);
        host_yield();
    }
    g_work.stop = 0;
}

/* ---- calls of the owner itself ---- */

/* The pieces of a request in one run of bytes. */
static int gather(struct family_message *m, uint8_t **ret, size_t *ret_size)
{
    size_t size = m->from_size;
    size_t at = 0;
    uint8_t *p;

    for (size_t i = 0; i < m->part_count; i++) {
        size += m->parts[i].size;
    }
    if (size > CHANNEL_PAYLOAD_MAX) {
        return -EMSGSIZE;
    }
    p = kmalloc(MAX(size, (size_t)1));
    if (p == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < m->part_count; i++) {
        if (m->parts[i].size > 0) {
            __builtin_memcpy(p + at, m->parts[i].p, m->parts[i].size);
            at += m->parts[i].size;
        }
    }
    if (m->from_size > 0) {
        struct iter saved = *m->from;

        if (iter_take(m->from, p + at, m->from_size) < m->from_size) {
            iter_restore(m->from, &saved);
            kfree(p);
            return -EFAULT;
        }
    }
    *ret = p;
    *ret_size = size;
    return 0;
}

static int64_t hand_over(struct family_message *m, int64_t result, const uint8_t *p, size_t size)
{
    m->ret_size = MIN(size, m->cap);
    if (m->ret_size > 0) {
        __builtin_memcpy(m->answer, p, m->ret_size);
    }
    if (m->to != NULL && size > m->ret_size) {
        size_t want = MIN(size - m->ret_size, m->to->left);

        m->ret_to = iter_put(m->to, p + m->ret_size, want);
        if (m->ret_to < want && result >= 0) {
            return -EFAULT;
        }
    }
    return result;
}

static int64_t wait_kept(struct family_message *m, struct local_call *local)
{
    int64_t result;

    if (thread_wait_flag(&local->done, !m->steady) == -EINTR) {
        owner_cancel_local(local);
        /* The answer is in our frame: nothing ends this wait but the answer. */
        while (__atomic_load_n(&local->done, __ATOMIC_ACQUIRE) == 0) {
            if (thread_wait_flag(&local->done, /*interruptible=*/false) < 0) {
                host_yield();
            }
        }
    }
    result = hand_over(m, local->result, local->answer, local->size);
    kfree(local->answer);
    return result;
}

int64_t owner_local_call(struct family_message *m)
{
    struct local_call local = {.thread = thread_current()};
    struct family_reply reply = {.local = &local};
    struct family_request q = {.may_block = true, .reply = &reply, .cap = FAMILY_ANSWER_MAX};
    uint8_t *body = NULL;
    size_t size = 0;
    int64_t r = gather(m, &body, &size);

    if (r < 0) {
        return r;
    }
    q.body = cursor_make(body, size);
    q.answer = kmalloc(FAMILY_ANSWER_MAX);
    r = q.answer == NULL ? -ENOMEM : family_check_request(m->op, size);
    if (r == 0) {
        r = __atomic_load_n(&g_family_handlers[m->op], __ATOMIC_ACQUIRE)(&q);
        if (r == FAMILY_LATER) {
            r = wait_kept(m, &local);
        } else {
            r = hand_over(m, r, q.answer, MIN(q.answer_size, q.cap));
        }
    }
    kfree(q.answer);
    kfree(body);
    return r;
}
