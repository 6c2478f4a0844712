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

#include "libos/shm/local.h"

#include <linux/mman.h>
#include <linux/time.h>

#include "libos/family/rpc.h"
#include "libos/lib/list.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"
#include "libos/proc/thread_list.h"
#include "libos/proc/wait.h"
#include "libos/shm/link.h"
#include "libos/time/clock.h"

/* A page that came is held this long, so that whoever waited for it gets to use it: from its coming
 * until a waiter took notice, and from then on. */
#define HOLD_UNSEEN_NS 2000000ull
#define HOLD_NS        100000ull
#define LOOK_NS        50000ull /* how often the pager looks while somebody waits */
#define HOLDS          32u

struct shm_object {
    uint32_t refs; /* mappings; the pager's lock */
    uint64_t id;
    uint64_t pages;
    uint64_t grants; /* attachments the owner counts */
    struct list node;
};

struct range {
    struct list node;
    struct shm_object *object;
    uint64_t page; /* of the object, at `address` */
    uint64_t count;
    uint64_t address;
    uint32_t prot;
};

/* A page that was asked for. */
struct pending {
    struct list node;
    uint64_t object, page;
    uint64_t address; /* where it is wanted */
    bool write;
    struct list waiters;
};

struct wait {
    struct list node;
    struct thread *thread;
    uint32_t done;
    int result;
};

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

static struct list g_objects = {&g_objects, &g_objects};
static struct list g_ranges = {&g_ranges, &g_ranges};
static struct list g_pending = {&g_pending, &g_pending};
static struct list g_questions = {&g_questions, &g_questions};
static struct list g_put_off = {&g_put_off, &g_put_off};
static struct hold g_holds[HOLDS];
static uint32_t g_next_hold;
static uint64_t g_next_question;
static uint32_t g_any;    /* ranges exist */
static uint8_t *g_bounce; /* a page */
static void (*g_woken)(uint64_t ticket);

void shm_on_woken(void (*woken)(uint64_t ticket))
{
    g_woken = woken;
}

static uint64_t now(void)
{
    return clock_now(CLOCK_MONOTONIC);
}

static uint64_t range_end(const struct range *r)
{
    return r->address + (r->count << NACRE_PAGE_SHIFT);
}

static struct range *range_at(uint64_t address)
{
    list_for_each (it, &g_ranges) {
        struct range *r = list_entry(it, struct range, node);

        if (address >= r->address && address < range_end(r)) {
            return r;
        }
    }
    return NULL;
}

static uint64_t page_at(const struct range *r, uint64_t address)
{
    return r->page + ((address - r->address) >> NACRE_PAGE_SHIFT);
}

/* The next address after `after` (0: the first) that shows the page. */
static uint64_t address_of(uint64_t object, uint64_t page, uint64_t after, struct range **ret)
{
    bool passed = after == 0;

    list_for_each (it, &g_ranges) {
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

/* Where this process has the page, alone or as a copy; 0: it has not. */
static uint64_t have(uint64_t object, uint64_t page, struct range **ret)
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

/* ---- messages ---- */

static void post(uint32_t op, uint32_t flags, uint64_t object, uint64_t page, uint64_t a,
                 uint64_t b, const uint8_t *content)
{
    const struct shm_head h = {
        .op = op, .flags = flags, .object = object, .page = page, .a = a, .b = b};
    const int r = shm_post(&h, content);

    if (r < 0 && r != -EIO) {
        libos_panic("shared memory: the owner's books are wrong (error %d)", -r);
    }
}

/* What is at `address` goes home, and from here. `number` of a recall, or 0. */
static void give_back(uint64_t address, uint64_t object, uint64_t page, uint64_t number)
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
    post(SHM_CONTENT, content ? 0 : SHM_ZERO, object, page, number, 0,
         content ? (const uint8_t *)address : NULL);
    if (content) {
        page_decommit(address, NACRE_PAGE_SIZE);
    }
    page_state_set(address, 0, 0xff);
}

/* ---- pages that come ---- */

static struct pending *pending_of(uint64_t object, uint64_t page)
{
    list_for_each (it, &g_pending) {
        struct pending *p = list_entry(it, struct pending, node);

        if (p->object == object && p->page == page) {
            return p;
        }
    }
    return NULL;
}

static void finish(struct pending *p, int result)
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
    __builtin_memcpy(g_bounce, content, NACRE_PAGE_SIZE);
    r = page_commit_copy(address, g_bounce, prot);
    return r < 0 ? r : page_protect(address, NACRE_PAGE_SIZE, prot);
}

/* A page at an address that shows it. Alone (`alone`) or as a copy. */
static int put_page(const struct range *r, uint64_t address, bool alone, const uint8_t *content)
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
    struct pending *p = pending_of(h->object, h->page);
    struct range *r = NULL;
    uint64_t at = have(h->object, h->page, &r);
    int e = -ENXIO;

    if (at == 0 && p != NULL) {
        r = range_at(p->address);
        at = r != NULL && r->object->id == h->object && page_at(r, p->address) == h->page
                 ? p->address
                 : address_of(h->object, h->page, 0, &r);
    }
    if (at != 0) {
        e = put_page(r, at, alone, content);
    }
    if (e < 0 && alone) {
        post(SHM_CONTENT, content == NULL ? SHM_ZERO : 0, h->object, h->page, 0, 0, content);
    }
    if (e == 0 && p != NULL && !list_empty(&p->waiters)) {
        hold(h->object, h->page, now() + HOLD_UNSEEN_NS);
    }
    if (p != NULL) {
        finish(p, e == -ENXIO ? 0 : e);
    }
}

static void take_lost(const struct shm_head *h)
{
    struct pending *p = pending_of(h->object, h->page);

    if (p != NULL) {
        finish(p, -EIO);
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
    post(SHM_CONTENT, SHM_KEPT, h->object, h->page, h->a, 0, (const uint8_t *)at);
    page_state_set(at, 0, PAGE_HELD);
    return true;
}

static void recall(const struct shm_head *h)
{
    struct range *r;
    const uint64_t at = have(h->object, h->page, &r);
    const bool held = at != 0 && (page_state(at) & PAGE_HELD) != 0;

    if (held && (h->flags & SHM_WRITE) == 0 && keep_copy(h, at)) {
        return;
    }
    if (at != 0) {
        give_back(at, h->object, h->page, h->a);
    }
    if (!held) {
        post(SHM_ACK, 0, h->object, h->page, h->a, 0, NULL);
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
    list_for_each_safe (it, &g_pending) {
        finish(list_entry(it, struct pending, node), -EIO);
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

/* ---- ranges ---- */

static struct range *add_range(struct shm_object *o, uint64_t page, uint64_t count,
                               uint64_t address, uint32_t prot)
{
    struct range *r = kzalloc(sizeof(*r));

    if (r != NULL) {
        *r = (struct range){
            .object = o, .page = page, .count = count, .address = address, .prot = prot};
        list_insert(&g_ranges, &r->node);
        __atomic_store_n(&g_any, 1, __ATOMIC_RELEASE);
    }
    return r;
}

/* A range begins at `at`, if one crosses it. */
static int split(uint64_t at)
{
    struct range *r = range_at(at);
    uint64_t below;

    if (r == NULL || r->address == at) {
        return 0;
    }
    below = (at - r->address) >> NACRE_PAGE_SHIFT;
    if (add_range(r->object, r->page + below, r->count - below, at, r->prot) == NULL) {
        return -ENOMEM;
    }
    r->count = below;
    return 0;
}

static void wake_pending(uint64_t object, uint64_t page)
{
    struct pending *p = pending_of(object, page);

    if (p == NULL) {
        return;
    }
    list_for_each_safe (it, &p->waiters) { /* they look again, and find it gone */
        struct wait *w = list_entry(it, struct wait, node);

        list_remove(it);
        w->result = 0;
        thread_set_flag(w->thread, &w->done);
    }
}

/* Runs of zeros go in one message. */
static void empty_range(const struct range *r)
{
    uint64_t zeros = 0;

    for (uint64_t i = 0; i <= r->count; i++) {
        const uint64_t address = r->address + (i << NACRE_PAGE_SHIFT);
        const uint8_t state = i == r->count ? 0 : page_state(address);

        if ((state & (PAGE_HELD | PAGE_COMMITTED)) == PAGE_HELD) {
            page_state_set(address, 0, 0xff);
            zeros++;
            continue;
        }
        if (zeros > 0) {
            post(SHM_ZEROS, 0, r->object->id, r->page + i - zeros, 0, zeros, NULL);
            zeros = 0;
        }
        if (state != 0) {
            give_back(address, r->object->id, r->page + i, 0);
        }
    }
    list_for_each_safe (it, &g_pending) {
        const struct pending *p = list_entry(it, struct pending, node);

        if (p->object == r->object->id && p->page >= r->page && p->page - r->page < r->count) {
            wake_pending(p->object, p->page);
        }
    }
}

void shm_hide(uint64_t address, uint64_t size)
{
    const uint64_t end = address + size;

    if (__atomic_load_n(&g_any, __ATOMIC_ACQUIRE) == 0) {
        return;
    }
    shm_lock();
    if (split(address) < 0 || split(end) < 0) {
        libos_panic("out of memory while shared memory is unmapped");
    }
    list_for_each_safe (it, &g_ranges) {
        struct range *r = list_entry(it, struct range, node);

        if (r->address >= address && r->address < end) {
            empty_range(r);
            list_remove(it);
            kfree(r);
        }
    }
    shm_unlock();
}

int shm_protect(uint64_t address, uint64_t size, uint32_t prot)
{
    const uint64_t end = address + size;
    int e;

    shm_lock();
    e = split(address);
    e = e < 0 ? e : split(end);
    list_for_each (it, &g_ranges) {
        struct range *r = list_entry(it, struct range, node);

        if (e < 0 || r->address < address || r->address >= end) {
            continue;
        }
        r->prot = prot;
        for (uint64_t i = 0; i < r->count && e == 0; i++) {
            const uint64_t at = r->address + (i << NACRE_PAGE_SHIFT);
            const uint8_t state = page_state(at);
            const uint8_t mask = (state & PAGE_HELD) != 0 ? PAGE_RWX : PAGE_R | PAGE_X;

            if ((state & PAGE_COMMITTED) != 0) {
                e = page_protect(at, NACRE_PAGE_SIZE, mm_page_prot(prot) & mask);
            }
        }
    }
    shm_unlock();
    return e;
}

/* ---- objects ---- */

struct shm_object *shm_object_get(struct shm_object *o)
{
    if (o != NULL) {
        (void)__atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
    }
    return o;
}

void shm_object_put(struct shm_object *o)
{
    if (o == NULL || __atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    shm_lock();
    list_remove(&o->node);
    if (o->grants == 0) {
        kfree(o); /* it never came along */
    } else if (shm_link_stands() || family_role() == FAMILY_ALONE) {
        post(SHM_DETACH, 0, o->id, 0, o->grants, 0, NULL);
        kfree(o);
    } else {
        o->pages = 0; /* a child that has not joined: shm_join() says it */
        list_insert(&g_objects, &o->node);
    }
    shm_unlock();
}

uint64_t shm_object_size(const struct shm_object *o)
{
    return o->pages << NACRE_PAGE_SHIFT;
}

uint64_t shm_object_id(const struct shm_object *o)
{
    return o->id;
}

void shm_object_part(struct shm_object *o)
{
    shm_lock();
    if (o->grants > 1) {
        o->grants--;
        post(SHM_DETACH, 0, o->id, 0, 1, 0, NULL);
    }
    shm_unlock();
}

static int new_object(uint64_t id, uint64_t pages, struct shm_object **ret)
{
    struct shm_object *o = kzalloc(sizeof(*o));

    if (o == NULL) {
        return -ENOMEM;
    }
    *o = (struct shm_object){.refs = 1, .id = id, .pages = pages, .grants = 1};
    shm_lock();
    if (g_bounce == NULL) {
        g_bounce = kpages_alloc(1);
    }
    list_insert(&g_objects, &o->node);
    shm_unlock();
    *ret = o;
    return g_bounce == NULL ? -ENOMEM : 0;
}

int shm_object_attached(uint64_t id, uint64_t pages, struct shm_object **ret)
{
    int r;

    shm_lock();
    list_for_each (it, &g_objects) {
        struct shm_object *o = list_entry(it, struct shm_object, node);

        if (o->id == id && o->pages != 0) {
            o->grants++;
            *ret = shm_object_get(o);
            shm_unlock();
            return 0;
        }
    }
    shm_unlock();
    r = new_object(id, pages, ret);
    if (r == -ENOMEM && *ret == NULL) {
        shm_lock();
        post(SHM_DETACH, 0, id, 0, 1, 0, NULL);
        shm_unlock();
    }
    return r;
}

int shm_object_make(uint64_t address, uint64_t size, uint32_t prot, struct shm_object **ret)
{
    const uint64_t pages = size >> NACRE_PAGE_SHIFT;
    struct shm_object *o = NULL;
    uint64_t id = 0;
    int64_t r = page_prepare(address, size);
    size_t n = 0;

    if (r == 0) {
        r = family_call(FAMILY_OP_shm_create, &pages, sizeof(pages), &id, sizeof(id), &n);
        r = r == 0 && n != sizeof(id) ? -EIO : r;
    }
    r = r < 0 ? r : new_object(id, pages, &o);
    if (r < 0) {
        return (int)r;
    }
    shm_lock();
    for (uint64_t i = 0; i < pages; i++) {
        page_state_set(address + (i << NACRE_PAGE_SHIFT), PAGE_HELD | PAGE_FAMILY, 0);
    }
    r = add_range(o, 0, pages, address, prot) == NULL ? -ENOMEM : 0;
    shm_unlock();
    if (r == 0) {
        *ret = o;
    } else {
        shm_object_put(o);
    }
    return (int)r;
}

int shm_show(struct shm_object *o, uint64_t offset, uint64_t address, uint64_t size, uint32_t prot)
{
    const uint64_t page = offset >> NACRE_PAGE_SHIFT;
    uint64_t count = size >> NACRE_PAGE_SHIFT;
    int r;

    if (page >= o->pages) {
        return 0;
    }
    count = MIN(count, o->pages - page);
    r = page_prepare(address, count << NACRE_PAGE_SHIFT);
    if (r == 0) {
        shm_lock();
        r = add_range(o, page, count, address, prot) == NULL ? -ENOMEM : 0;
        shm_unlock();
    }
    return r;
}

bool shm_key(uint64_t address, uint64_t *ret_object, uint64_t *ret_offset)
{
    const struct range *r;

    if (likely(__atomic_load_n(&g_any, __ATOMIC_ACQUIRE) == 0)) {
        return false;
    }
    shm_lock();
    r = range_at(address);
    if (r != NULL) {
        *ret_object = r->object->id;
        *ret_offset = (r->page << NACRE_PAGE_SHIFT) + (address - r->address);
    }
    shm_unlock();
    return r != NULL;
}

/* ---- faults ---- */

static bool single_threaded(void)
{
    const struct process *p = process_current();

    return p == NULL || __atomic_load_n(&p->thread_count, __ATOMIC_RELAXED) <= 1;
}

/* From one address of this process to another that shows the same page. */
static int move_here(const struct range *to, uint64_t address, uint64_t from)
{
    const uint8_t state = page_state(from);
    int e;

    if ((state & PAGE_COMMITTED) != 0) {
        e = page_protect(from, NACRE_PAGE_SIZE, PAGE_R);
        e = e < 0 ? e : put_page(to, address, (state & PAGE_HELD) != 0, (const uint8_t *)from);
        if (e == 0) {
            page_decommit(from, NACRE_PAGE_SIZE);
        }
    } else {
        e = put_page(to, address, /*alone=*/true, NULL);
    }
    if (e == 0) {
        page_state_set(from, 0, 0xff);
    }
    return e;
}

/* What can be done without anybody's help: 1, or an error; 0: the owner must be asked. */
static int fault_here(const struct range *r, uint64_t address, bool write)
{
    const uint8_t state = page_state(address);
    const uint64_t page = page_at(r, address);
    struct range *other;
    uint64_t from;
    int e;

    if ((state & PAGE_HELD) != 0) {
        e = put_page(r, address, /*alone=*/true, NULL);
        return e < 0 ? e : 1;
    }
    if ((state & PAGE_COMMITTED) != 0) {
        return write ? 0 : 1;
    }
    from = have(r->object->id, page, &other);
    if (from == 0 || ((page_state(from) & PAGE_HELD) == 0 && write)) {
        return 0;
    }
    e = move_here(r, address, from);
    return e < 0 ? e : 1;
}

/* Puts `w` in line for the page, which is asked for if nobody did. */
static int ask(const struct range *r, uint64_t address, bool write, struct wait *w)
{
    const uint64_t page = page_at(r, address);
    const struct shm_head h = {
        .op = SHM_REQUEST, .flags = write ? SHM_WRITE : 0, .object = r->object->id, .page = page};
    struct pending *p = pending_of(r->object->id, page);

    if (p == NULL) {
        p = kzalloc(sizeof(*p));
        if (p == NULL) {
            return -ENOMEM;
        }
        *p = (struct pending){
            .object = r->object->id, .page = page, .address = address, .write = write};
        list_init(&p->waiters);
        list_insert(&g_pending, &p->node);
        list_insert(&p->waiters, &w->node);
        if (shm_post(&h, NULL) < 0) {
            finish(p, -EIO);
        }
        return 0;
    }
    list_insert(&p->waiters, &w->node);
    return 0;
}

static int await(struct wait *w, uint64_t object, uint64_t page, bool give_way)
{
    struct hold *h;

    if (thread_wait_page(&w->done, give_way) < 0) {
        shm_lock();
        list_remove(&w->node);
        shm_unlock();
        return 0;
    }
    if (w->result == 0) {
        shm_lock();
        h = hold_of(object, page);
        if (h != NULL) {
            h->until = MIN(h->until, now() + HOLD_NS);
        }
        shm_unlock();
    }
    return w->result;
}

int shm_fault(uint64_t address, bool write, bool give_way)
{
    const uint64_t at = page_align_down(address);
    struct wait w = {.thread = thread_current()};
    const struct range *r;
    uint64_t object;
    uint64_t page;
    int e;

    list_init(&w.node);
    shm_lock();
    r = range_at(at);
    if (r == NULL) {
        shm_unlock();
        return 0; /* it was unmapped this moment */
    }
    object = r->object->id;
    page = page_at(r, at);
    /* Another thread could write to a copy before it is read-only. */
    write = write || ((r->prot & PROT_WRITE) != 0 && !single_threaded());
    e = fault_here(r, at, write);
    if (e == 0) {
        e = ask(r, at, write, &w);
    }
    shm_unlock();
    if (e != 0) {
        return MIN(e, 0);
    }
    return await(&w, object, page, give_way);
}

/* ---- fork, and the end ---- */

int shm_clone(uint32_t member)
{
    return list_empty(&g_objects)
               ? 0
               : (int)family_call(FAMILY_OP_shm_clone, &member, sizeof(member), NULL, 0, NULL);
}

static void drop_lists(void)
{
    list_for_each_safe (it, &g_pending) {
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

void shm_after_fork(bool kept)
{
    shm_link_after_fork();
    drop_lists();
    list_for_each (it, &g_objects) {
        list_entry(it, struct shm_object, node)->grants = 1;
    }
    if (!kept) {
        list_for_each_safe (it, &g_ranges) {
            list_remove(it);
            kfree(list_entry(it, struct range, node));
        }
        list_for_each_safe (it, &g_objects) { /* the mappings have them still */
            list_remove(it);
            list_entry(it, struct shm_object, node)->grants = 0;
        }
        g_any = 0;
    }
}

int shm_join(void)
{
    int r = 0;

    if (list_empty(&g_objects)) {
        return 0;
    }
    r = shm_link_start();
    shm_lock();
    list_for_each_safe (it, &g_objects) {
        struct shm_object *o = list_entry(it, struct shm_object, node);

        if (o->pages == 0) {
            list_remove(it);
            post(SHM_DETACH, 0, o->id, 0, o->grants, 0, NULL);
            kfree(o);
        }
    }
    shm_unlock();
    return r;
}

void shm_leave(void)
{
    struct shm_head sync = {.op = SHM_SYNC};

    if (family_role() != FAMILY_MEMBER || !shm_link_stands()) {
        return;
    }
    shm_lock();
    list_for_each_safe (it, &g_ranges) {
        struct range *r = list_entry(it, struct range, node);

        empty_range(r);
        list_remove(it);
        kfree(r);
    }
    list_for_each_safe (it, &g_objects) {
        struct shm_object *o = list_entry(it, struct shm_object, node);

        list_remove(it);
        post(SHM_DETACH, 0, o->id, 0, o->grants, 0, NULL);
    }
    shm_unlock();
    (void)!shm_question(&sync);
}
