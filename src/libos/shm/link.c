/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/shm/link.h"

#include <linux/eventpoll.h>
#include <linux/time.h>

#include "libos/family/home.h"
#include "libos/family/owner_internal.h"
#include "libos/host/host.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/proc/freeze.h"
#include "libos/proc/park.h"
#include "libos/proc/service.h"
#include "libos/shm/directory.h"
#include "libos/shm/futexes.h"
#include "libos/shm/owner_link.h"
#include "libos/shm/sysv.h"
#include "libos/time/clock.h"

#define ROUND       16
#define FOREVER     ((int64_t)-1)
#define DATA_KICK   UINT64_MAX
#define O_NONBLOCK_ 04000

static bool to_member(uint32_t id, const struct shm_head *h, const uint8_t *content);

/* A message of the owner's to its own process. */
struct loop {
    struct list node;
    struct shm_head head;
    uint8_t *content;
};

static struct {
    struct mutex lock;
    uint32_t running;
    struct thread *pager;
    struct list loop;
    const struct shm_local *local;
    int epoll, kick;   /* owner; -1: none */
    struct channel up; /* member */
    int error;         /* member: the owner is gone */
    void (*unlocked)(void);
} g = {.loop = {&g.loop, &g.loop}, .epoll = -1, .kick = -1};

void shm_link_local(const struct shm_local *local)
{
    g.local = local;
}

bool shm_link_stands(void)
{
    return __atomic_load_n(&g.running, __ATOMIC_ACQUIRE) != 0;
}

void shm_lock(void)
{
    mutex_lock(&g.lock);
    directory_start(to_member);
}

void shm_unlock(void)
{
    while (!list_empty(&g.loop)) {
        struct loop *l = list_entry(g.loop.next, struct loop, node);

        list_remove(&l->node);
        if (g.local != NULL) {
            g.local->take(&l->head, l->content);
        }
        kfree(l->content);
        kfree(l);
    }
    mutex_unlock(&g.lock);
    if (g.unlocked != NULL) {
        g.unlocked();
    }
}

void shm_link_unlocked(void (*then)(void))
{
    g.unlocked = then;
}

void shm_kick(void)
{
    const uint64_t one = 1;

    if (g.kick >= 0 && thread_current() != g.pager) {
        (void)!host_write(g.kick, &one, sizeof(one));
    }
}

/* ---- the owner: to members ---- */

static bool to_self(const struct shm_head *h, const uint8_t *content)
{
    struct loop *l = kzalloc(sizeof(*l));

    if (l != NULL && content != NULL) {
        l->content = kmalloc(NACRE_PAGE_SIZE);
    }
    if (l == NULL || (content != NULL && l->content == NULL)) {
        kfree(l);
        libos_log(LOG_ERROR, "shared memory: no memory for a message");
        return false;
    }
    l->head = *h;
    if (content != NULL) {
        __builtin_memcpy(l->content, content, NACRE_PAGE_SIZE);
    }
    list_insert(&g.loop, &l->node);
    return true;
}

static bool to_member(uint32_t id, const struct shm_head *h, const uint8_t *content)
{
    const struct channel_part parts[] = {{h, sizeof(*h)}, {content, NACRE_PAGE_SIZE}};
    struct member *m;
    int r;

    if (id == FAMILY_OWNER_ID) {
        return to_self(h, content);
    }
    m = member_find(id);
    if (m == NULL || m->have_pages == 0) {
        member_put(m);
        return false;
    }
    r = channel_post(&m->pages, parts, content == NULL ? 1 : 2);
    if (r == 0 && channel_backlog(&m->pages)) {
        (void)host_epoll_ctl(g.epoll, EPOLL_CTL_MOD, (int)(intptr_t)m->pages.ctx,
                             (uint32_t)EPOLLIN | (uint32_t)EPOLLOUT, m->id);
    }
    member_put(m);
    return r == 0;
}

static int take(uint32_t member, const uint8_t *p, size_t size)
{
    const struct shm_head *h = (const void *)p;
    struct shm_head answer = {.op = SHM_ANSWER};

    if (size < sizeof(*h)) {
        return -EBADMSG;
    }
    if (h->op >= SHM_FUTEX_WAIT && h->op <= SHM_FUTEX_REQUEUE) {
        return size == sizeof(*h) ? futexes_take(member, h, to_member) : -EBADMSG;
    }
    if (h->op == SHM_SYNC) {
        answer.d = h->d;
        (void)to_member(member, &answer, NULL);
        return size == sizeof(*h) ? 0 : -EBADMSG;
    }
    return directory_take(member, h, p + sizeof(*h), size - sizeof(*h));
}

/* ---- the owner: from members ---- */

static int take_next(struct member *m)
{
    uint8_t *p = NULL;
    size_t size = 0;
    int r;

    shm_lock();
    r = channel_receive(&m->pages, CHANNEL_NOWAIT, &p, &size);
    if (r > 0) {
        r = take(m->id, p, size);
        r = r < 0 ? r : 1;
    } else if (r == 0) {
        r = -ECONNABORTED; /* nobody parts here: the calls say farewell */
    }
    shm_unlock();
    return r;
}

static void take_from(uint32_t id)
{
    struct member *m = member_find(id);
    int r = 1;

    if (m == NULL || __atomic_load_n(&m->have_pages, __ATOMIC_ACQUIRE) == 0) {
        member_put(m);
        return;
    }
    if (channel_backlog(&m->pages) && channel_flush(&m->pages) == 1) {
        (void)host_epoll_ctl(g.epoll, EPOLL_CTL_MOD, (int)(intptr_t)m->pages.ctx, EPOLLIN, m->id);
    }
    while (r > 0) {
        r = take_next(m);
    }
    if (r != -EAGAIN) {
        if (r == -EBADMSG || r == -ENOMEM) {
            libos_log(LOG_ERROR, "shared memory: process %u of the family is given up (error %d)",
                      id, -r);
        }
        (void)host_epoll_ctl(g.epoll, EPOLL_CTL_DEL, (int)(intptr_t)m->pages.ctx, 0, 0);
        member_end(m);
    }
    member_put(m);
}

static int64_t timeout_until(uint64_t due)
{
    uint64_t now;

    if (due == UINT64_MAX) {
        return FOREVER;
    }
    now = clock_now(CLOCK_MONOTONIC);
    return due <= now ? 0 : (int64_t)(due - now);
}

static uint64_t work_locked(void)
{
    uint64_t due;

    shm_lock();
    due = g.local == NULL ? UINT64_MAX : g.local->work();
    shm_unlock();
    return due;
}

static void drain_kick(void)
{
    uint64_t counted;

    (void)!host_read(g.kick, &counted, sizeof(counted));
}

static void serve_members(void *arg)
{
    struct epoll_event events[ROUND];
    uint64_t due = UINT64_MAX;

    g.pager = thread_current();
    for (;;) {
        int n;

        freeze_rest_begin();
        n = host_epoll_wait(g.epoll, events, ROUND, timeout_until(due));
        freeze_rest_end();
        if (n < 0) {
            park_take_host_signals();
            if (n != -EINTR) {
                host_yield(); /* a host that refuses to wait gets a busy owner */
            }
        }
        for (int i = 0; i < n; i++) {
            if (events[i].data == DATA_KICK) {
                drain_kick();
            } else if (events[i].data <= UINT32_MAX) {
                take_from((uint32_t)events[i].data);
            }
        }
        due = work_locked();
    }
}

int shm_link_admit(int fd, uint32_t id)
{
    return host_epoll_ctl(g.epoll, EPOLL_CTL_ADD, fd, EPOLLIN, id);
}

static void gone(uint32_t member, bool orderly)
{
    sysv_gone(member);
    shm_lock();
    directory_gone(member);
    futexes_gone(member);
    shm_unlock();
}

/* ---- calls about objects ---- */

static int64_t serve_create(struct family_request *q)
{
    uint64_t pages;
    uint64_t id = 0;
    int r = cursor_copy(&q->body, &pages, sizeof(pages)) < 0 ? -EBADMSG : shm_link_start();

    if (r == 0) {
        shm_lock();
        r = directory_create(q->member, pages, &id);
        shm_unlock();
    }
    if (r == 0) {
        __builtin_memcpy(q->answer, &id, sizeof(id));
        q->answer_size = sizeof(id);
    }
    return r;
}

/* The pages of a file: a handle of the member's -> number of the object. */
static int64_t serve_inode(struct family_request *q)
{
    struct inode *inode;
    uint32_t handle;
    uint64_t id = 0;
    int r;

    if (cursor_copy(&q->body, &handle, sizeof(handle)) < 0) {
        return -EBADMSG;
    }
    inode = home_inode(q->member, handle);
    if (inode == NULL) {
        return -EBADF;
    }
    r = inode->ops->share == NULL ? -EOPNOTSUPP : shm_link_start();
    r = r < 0 ? r : inode->ops->share(inode, q->member, &id);
    if (r == 0) {
        __builtin_memcpy(q->answer, &id, sizeof(id));
        q->answer_size = sizeof(id);
    }
    inode_put(inode);
    return r;
}

static int64_t serve_clone(struct family_request *q)
{
    uint32_t child;
    int r;

    if (cursor_copy(&q->body, &child, sizeof(child)) < 0) {
        return -EBADMSG;
    }
    shm_lock();
    r = directory_clone(q->member, child);
    shm_unlock();
    return r;
}

void shm_link_serve(void)
{
    family_serve(FAMILY_OP_shm_create, serve_create);
    family_serve(FAMILY_OP_shm_clone, serve_clone);
    family_serve(FAMILY_OP_shm_inode, serve_inode);
}

/* ---- a member ---- */

int shm_post(const struct shm_head *h, const uint8_t *content)
{
    const struct channel_part parts[] = {{h, sizeof(*h)}, {content, NACRE_PAGE_SIZE}};
    const size_t count = content == NULL ? 1 : 2;
    int r;

    if (family_role() != FAMILY_MEMBER) {
        return content == NULL ? take(FAMILY_OWNER_ID, (const uint8_t *)h, sizeof(*h))
                               : directory_take(FAMILY_OWNER_ID, h, content, NACRE_PAGE_SIZE);
    }
    if (g.error < 0 || g.up.io == NULL) {
        return -EIO;
    }
    /* The pager never waits: what the host does not take at once goes when it can be written. */
    r = thread_current() == g.pager ? channel_post(&g.up, parts, count)
                                    : channel_send(&g.up, parts, count);
    return r < 0 ? -EIO : 0;
}

static int take_up(void)
{
    uint8_t *p = NULL;
    size_t size = 0;
    int r = channel_receive(&g.up, CHANNEL_NOWAIT, &p, &size);
    const struct shm_head *h = (const void *)p;

    if (r <= 0) {
        return r == 0 ? -ECONNABORTED : r;
    }
    if (size < sizeof(*h) || size != sizeof(*h) + (shm_has_content(h) ? NACRE_PAGE_SIZE : 0)) {
        return -EBADMSG;
    }
    g.local->take(h, shm_has_content(h) ? p + sizeof(*h) : NULL);
    return 1;
}

static void hear_owner(void *arg)
{
    uint64_t due = UINT64_MAX;
    int r = -EAGAIN;

    g.pager = thread_current();
    while (r == -EAGAIN) {
        struct host_pollfd fd = {.fd = (int)(intptr_t)g.up.ctx,
                                 .events = (int16_t)(channel_backlog(&g.up) ? 5 : 1)};

        freeze_rest_begin();
        r = host_poll(&fd, 1, timeout_until(due));
        freeze_rest_end();
        if (r < 0) {
            park_take_host_signals();
            if (r != -EINTR) {
                host_yield();
            }
        }
        shm_lock();
        (void)!channel_flush(&g.up);
        do {
            r = take_up();
        } while (r > 0);
        due = g.local->work();
        if (r != -EAGAIN) {
            g.error = r;
            g.local->owner_gone();
        }
        shm_unlock();
    }
}

/* ---- both ---- */

static int start_owner(void)
{
    int r;

    g.epoll = host_epoll_create();
    g.kick = host_eventfd(0, O_NONBLOCK_);
    if (g.epoll < 0 || g.kick < 0) {
        return -EMFILE;
    }
    r = host_epoll_ctl(g.epoll, EPOLL_CTL_ADD, g.kick, EPOLLIN, DATA_KICK);
    if (r == 0) {
        family_on_member_gone(gone);
        r = service_start_late(serve_members, NULL);
    }
    return r;
}

static int start_member(void)
{
    int r = member_dial_pages(&g.up);

    g.error = 0;
    r = r < 0 ? r : service_start_late(hear_owner, NULL);
    if (r < 0) {
        channel_destroy(&g.up);
    }
    return r;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)host_close(*fd);
        *fd = -1;
    }
}

/* Threads that start it at the same time: one does, the others wait. */
static struct mutex g_starting;

int shm_link_start(void)
{
    int r = 0;

    if (shm_link_stands()) {
        return 0;
    }
    mutex_lock(&g_starting);
    if (!shm_link_stands()) {
        r = family_role() == FAMILY_MEMBER ? start_member() : start_owner();
        if (r == 0) {
            __atomic_store_n(&g.running, 1, __ATOMIC_RELEASE);
        } else {
            close_fd(&g.epoll);
            close_fd(&g.kick);
        }
    }
    mutex_unlock(&g_starting);
    return r;
}

void shm_link_after_fork(void)
{
    list_for_each_safe (it, &g.loop) {
        struct loop *l = list_entry(it, struct loop, node);

        list_remove(it);
        kfree(l->content);
        kfree(l);
    }
    channel_destroy(&g.up);
    close_fd(&g.epoll);
    close_fd(&g.kick);
    g.running = 0;
    g.pager = NULL;
    g.lock = (struct mutex){0};
    g_starting = (struct mutex){0};
    directory_forget();
    futexes_forget();
}
