/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The state of a page here stands in its state byte (mm/page.h), under the pager's lock:
 *
 *   HELD  COMMITTED
 *    1        1      this process has the page, alone
 *    1        0      the same; it is all zeros and was not touched yet
 *    0        1      a copy to read
 *    0        0      it is elsewhere
 *
 * Several addresses can show one page; at most one of them has it, and a fault at another moves it.
 *
 * A page that goes is made read-only first, so that nobody can write it any more, then copied, then
 * given back to the host: an enclave page cannot be hidden from a host that wants to show it, and
 * what it last held is old news a moment later. A page that comes is filled before anybody can see
 * it (EACCEPTCOPY), but is writable from the first moment; so a process asks for a copy to read
 * only while no second thread of it could write by accident.
 */

#include <linux/time.h>

#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"
#include "libos/proc/thread_list.h"
#include "libos/proc/wait.h"
#include "libos/shm/local_internal.h"
#include "libos/time/clock.h"

/* A page that came is held this long, so that whoever waited for it gets to use it: from its coming
 * until a waiter took notice, and from then on. */
#define HOLD_UNSEEN_NS 2000000ull
#define HOLD_NS        50000ull
#define LOOK_NS        25000ull /* how often the pager looks while somebody waits */
#define HOLDS          32u

struct question {
    struct list node;
    struct thread *thread;
    uint64_t number;
    uint32_t done;
    int64_t result;
};

/* A recall that has to wait a little. */
struct put_off {
    struct list node;
    struct shm_head head;
};

struct hold {
    uint64_t object, page;
    uint64_t until;
};

struct list g_local_ranges = {&g_local_ranges, &g_local_ranges};
struct list g_local_pending = {&g_local_pending, &g_local_pending};
static struct list g_questions = {&g_questions, &g_questions};
static struct list g_put_off = {&g_put_off, &g_put_off};
static struct hold g_holds[HOLDS];
static uint32_t g_next_hold;
static uint64_t g_next_question;
uint8_t *g_local_bounce; /* a page */
static void (*g_woken)(uint64_t ticket);

void shm_on_woken(void (*woken)(uint64_t ticket))
{
    g_woken = woken;
}

static uint64_t now(void)
{
    return clock_now(CLOCK_MONOTONIC);
}

uint64_t local_range_end(const struct range *r)
{
    return r->address + (r->count << NACRE_PAGE_SHIFT);
}

struct range *local_range_at(uint64_t address)
{
    list_for_each (it, &g_local_ranges) {
        struct range *r = list_entry(it, struct range, node);

        if (address >= r->address && address < local_range_end(r)) {
            return r;
        }
    }
    return NULL;
}

uint64_t local_page_at(const struct range *r, uint64_t address)
{
    return r->page + ((address - r->address) >> NACRE_PAGE_SHIFT);
}

/* The next address after `after` (0: the first) that shows the page. */
static uint64_t address_of(uint64_t object, uint64_t page, uint64_t after, struct range **ret)
{
    bool passed = after == 0;

    list_for_each (it, &g_local_ranges) {
        struct range *r = list_entry(it, struct range, node);
        uint64_t address;

        if (r->object->id != object || page < r->page || page - r->page >= r->count) {
            continue;
        }
        address = r->address + ((page - r->page) << NACRE_PAGE_SHIFT);
        if (passed) {
            *ret = r;
            return address;
        }
        passed = address == after;
    }
    return 0;
}

uint64_t local_have(uint64_t object, uint64_t page, struct range **ret)
{
    uint64_t at = 0;

    while ((at = address_of(object, page, at, ret)) != 0) {
        if ((page_state(at) & (PAGE_HELD | PAGE_COMMITTED)) != 0) {
            return at;
        }
    }
    return 0;
}

/* ---- holding for a while ---- */

static struct hold *hold_of(uint64_t object, uint64_t page)
{
    for (uint32_t i = 0; i < HOLDS; i++) {
        if (g_holds[i].object == object && g_holds[i].page == page) {
            return &g_holds[i];
        }
    }
    return NULL;
}

static void hold(uint64_t object, uint64_t page, uint64_t until)
{
    struct hold *h = hold_of(object, page);

    if (h == NULL) {
        h = &g_holds[g_next_hold++ % HOLDS];
    }
    *h = (struct hold){.object = object, .page = page, .until = until};
}

void local_seen(uint64_t object, uint64_t page)
{
    struct hold *h = hold_of(object, page);

    if (h != NULL) {
        h->until = MIN(h->until, now() + HOLD_NS);
    }
}

/* ---- messages ---- */

void local_post(uint32_t op, uint32_t flags, uint64_t object, uint64_t page, uint64_t a, uint64_t b,
                const uint8_t *content)
{
    const struct shm_head h = {
        .op = op, .flags = flags, .object = object, .page = page, .a = a, .b = b};
    const int r = shm_post(&h, content);

    if (r < 0 && r != -EIO) {
        libos_panic("shared memory: the owner's books are wrong (error %d)", -r);
    }
}

void local_give_back(uint64_t address, uint64_t object, uint64_t page, uint64_t number)
{
    const uint8_t state = page_state(address);
    const bool content = (state & PAGE_COMMITTED) != 0;

    if ((state & PAGE_HELD) == 0) {
        page_decommit(address, NACRE_PAGE_SIZE);
        page_state_set(address, 0, 0xff);
        return;
    }
    if (content && page_protect(address, NACRE_PAGE_SIZE, PAGE_R) < 0) {
        libos_panic("the host refuses to make a shared page read-only");
    }
    if (content) {
        /* Gone before anybody hears so: a thread of ours must not read what others may change. */
        __builtin_memcpy(g_local_bounce, (const uint8_t *)address, NACRE_PAGE_SIZE);
        page_decommit(address, NACRE_PAGE_SIZE);
    }
    page_state_set(address, 0, 0xff);
    local_post(SHM_CONTENT, content ? 0 : SHM_ZERO, object, page, number, 0,
               content ? g_local_bounce : NULL);
}

/* ---- pages that come ---- */

struct pending *local_pending_of(uint64_t object, uint64_t page)
{
    list_for_each (it, &g_local_pending) {
        struct pending *p = list_entry(it, struct pending, node);

        if (p->object == object && p->page == page) {
            return p;
        }
    }
    return NULL;
}

void local_finish(struct pending *p, int result)
{
    list_for_each_safe (it, &p->waiters) {
        struct wait *w = list_entry(it, struct wait, node);

        list_remove(it);
        w->result = result;
        thread_set_flag(w->thread, &w->done);
    }
    list_remove(&p->node);
    kfree(p);
}

static int fill(uint64_t address, uint8_t prot, const uint8_t *content)
{
    int r;

    if (content == NULL) {
        return page_commit(address, NACRE_PAGE_SIZE, prot);
    }
    __builtin_memcpy(g_local_bounce, content, NACRE_PAGE_SIZE);
    r = page_commit_copy(address, g_local_bounce, prot);
    return r < 0 ? r : page_protect(address, NACRE_PAGE_SIZE, prot);
}

int local_put_page(const struct range *r, uint64_t address, bool alone, const uint8_t *content)
{
    uint8_t prot = mm_page_prot(r->prot);
    int e;

    if (!alone) {
        prot &= (uint8_t)~PAGE_W;
    }
    if ((page_state(address) & PAGE_COMMITTED) != 0) {
        e = page_protect(address, NACRE_PAGE_SIZE, prot);
    } else {
        e = fill(address, prot, content);
    }
    if (e < 0) {
        page_decommit(address, NACRE_PAGE_SIZE);
        page_state_set(address, 0, 0xff);
        return e;
    }
    page_state_set(address, (uint8_t)(PAGE_FAMILY | (alone ? PAGE_HELD : 0)), 0);
    return 0;
}

static void take_grant(const struct shm_head *h, const uint8_t *content)
{
    const bool alone = (h->flags & SHM_WRITE) != 0;
    struct pending *p = local_pending_of(h->object, h->page);
    struct range *r = NULL;
    uint64_t at = local_have(h->object, h->page, &r);
    int e = -ENXIO;

    if (at == 0 && p != NULL) {
        r = local_range_at(p->address);
        at = r != NULL && r->object->id == h->object && local_page_at(r, p->address) == h->page
                 ? p->address
                 : address_of(h->object, h->page, 0, &r);
    }
    if (at != 0) {
        e = local_put_page(r, at, alone, content);
    }
    if (e < 0 && alone) {
        local_post(SHM_CONTENT, content == NULL ? SHM_ZERO : 0, h->object, h->page, 0, 0, content);
    }
    if (e == 0 && p != NULL && !list_empty(&p->waiters)) {
        hold(h->object, h->page, now() + HOLD_UNSEEN_NS);
    }
    if (p != NULL) {
        local_finish(p, e == -ENXIO ? 0 : e);
    }
}

static void take_lost(const struct shm_head *h)
{
    struct pending *p = local_pending_of(h->object, h->page);

    if (p != NULL) {
        local_finish(p, -EIO);
    }
}

/* ---- pages that go ---- */

/* A copy stays, where there is something to copy and somebody may read it. */
static bool keep_copy(const struct shm_head *h, uint64_t at)
{
    const uint8_t state = page_state(at);

    if ((state & PAGE_COMMITTED) == 0 || (state & PAGE_RWX) == 0 ||
        page_protect(at, NACRE_PAGE_SIZE, (uint8_t)(state & (PAGE_R | PAGE_X))) < 0) {
        return false;
    }
    local_post(SHM_CONTENT, SHM_KEPT, h->object, h->page, h->a, 0, (const uint8_t *)at);
    page_state_set(at, 0, PAGE_HELD);
    return true;
}

static void recall(const struct shm_head *h)
{
    struct range *r;
    const uint64_t at = local_have(h->object, h->page, &r);
    const bool held = at != 0 && (page_state(at) & PAGE_HELD) != 0;

    if (held && (h->flags & SHM_WRITE) == 0 && keep_copy(h, at)) {
        return;
    }
    if (at != 0) {
        local_give_back(at, h->object, h->page, h->a);
    }
    if (!held) {
        local_post(SHM_ACK, 0, h->object, h->page, h->a, 0, NULL);
    }
}

static void take_recall(const struct shm_head *h)
{
    const struct hold *held = hold_of(h->object, h->page);
    struct put_off *p;

    if (held != NULL && shm_link_stands() && now() < held->until) {
        p = kzalloc(sizeof(*p));
        if (p != NULL) {
            p->head = *h;
            list_insert(&g_put_off, &p->node);
            shm_kick();
            return;
        }
    }
    recall(h);
}

static uint64_t work(void)
{
    list_for_each_safe (it, &g_put_off) {
        struct put_off *p = list_entry(it, struct put_off, node);
        const struct hold *held = hold_of(p->head.object, p->head.page);

        if (held == NULL || now() >= held->until) {
            list_remove(it);
            recall(&p->head);
            kfree(p);
        }
    }
    return list_empty(&g_put_off) ? UINT64_MAX : now() + LOOK_NS;
}

/* ---- from the owner ---- */

static void take_answer(const struct shm_head *h)
{
    list_for_each_safe (it, &g_questions) {
        struct question *q = list_entry(it, struct question, node);

        if (q->number == h->d) {
            list_remove(it);
            q->result = (int64_t)h->a;
            thread_set_flag(q->thread, &q->done);
        }
    }
}

static void take(const struct shm_head *h, const uint8_t *content)
{
    switch (h->op) {
    case SHM_GRANT: take_grant(h, content); break;
    case SHM_RECALL: take_recall(h); break;
    case SHM_LOST: take_lost(h); break;
    case SHM_ANSWER: take_answer(h); break;
    case SHM_WOKEN:
        if (g_woken != NULL) {
            g_woken(h->a);
        }
        break;
    default: libos_panic("shared memory: the owner says what it never says"); break;
    }
}

static void owner_gone(void)
{
    list_for_each_safe (it, &g_local_pending) {
        local_finish(list_entry(it, struct pending, node), -EIO);
    }
    list_for_each_safe (it, &g_questions) {
        struct question *q = list_entry(it, struct question, node);

        list_remove(it);
        q->result = -EIO;
        thread_set_flag(q->thread, &q->done);
    }
}

static const struct shm_local local = {.take = take, .work = work, .owner_gone = owner_gone};

void shm_start(void)
{
    shm_link_local(&local);
}

int64_t shm_question(struct shm_head *h)
{
    struct question q = {.thread = thread_current()};
    int r;

    shm_lock();
    q.number = ++g_next_question;
    h->d = q.number;
    list_insert(&g_questions, &q.node);
    r = shm_post(h, NULL);
    if (r < 0) {
        list_remove(&q.node);
    }
    shm_unlock();
    if (r < 0) {
        return -EIO;
    }
    (void)!thread_wait_page(&q.done, /*give_way=*/false);
    return q.result;
}

void local_forget(void)
{
    list_for_each_safe (it, &g_local_pending) {
        struct pending *p = list_entry(it, struct pending, node);

        list_init(&p->waiters);
        list_remove(it);
        kfree(p);
    }
    list_for_each_safe (it, &g_put_off) {
        list_remove(it);
        kfree(list_entry(it, struct put_off, node));
    }
    list_init(&g_questions);
    __builtin_memset(g_holds, 0, sizeof(g_holds));
}
