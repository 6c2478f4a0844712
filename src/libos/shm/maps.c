/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Which addresses of this process show which pages of which object; faults there; and what a fork,
 * an exec and the end of the process do to it. */

#include <linux/mman.h>

#include "libos/family/rpc.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"
#include "libos/proc/thread.h"
#include "libos/proc/wait.h"
#include "libos/shm/local_internal.h"

static struct list g_objects = {&g_objects, &g_objects}; /* struct shm_object */
static uint32_t g_any;                                   /* ranges exist */

/* ---- ranges ---- */

static struct range *add_range(struct shm_object *o, uint64_t page, uint64_t count,
                               uint64_t address, uint32_t prot)
{
    struct range *r = kzalloc(sizeof(*r));

    if (r != NULL) {
        *r = (struct range){
            .object = o, .page = page, .count = count, .address = address, .prot = prot};
        list_insert(&g_local_ranges, &r->node);
        __atomic_store_n(&g_any, 1, __ATOMIC_RELEASE);
    }
    return r;
}

/* A range begins at `at`, if one crosses it. */
static int split(uint64_t at)
{
    struct range *r = local_range_at(at);
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
    struct pending *p = local_pending_of(object, page);

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
            local_post(SHM_ZEROS, 0, r->object->id, r->page + i - zeros, 0, zeros, NULL);
            zeros = 0;
        }
        if (state != 0) {
            local_give_back(address, r->object->id, r->page + i, 0);
        }
    }
    list_for_each_safe (it, &g_local_pending) {
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
    list_for_each_safe (it, &g_local_ranges) {
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
    list_for_each (it, &g_local_ranges) {
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
        local_post(SHM_DETACH, 0, o->id, 0, o->grants, 0, NULL);
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
        local_post(SHM_DETACH, 0, o->id, 0, 1, 0, NULL);
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
    if (g_local_bounce == NULL) {
        g_local_bounce = kpages_alloc(1);
    }
    list_insert(&g_objects, &o->node);
    shm_unlock();
    *ret = o;
    return g_local_bounce == NULL ? -ENOMEM : 0;
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
        local_post(SHM_DETACH, 0, id, 0, 1, 0, NULL);
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
    r = local_range_at(address);
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
        e = e < 0 ? e
                  : local_put_page(to, address, (state & PAGE_HELD) != 0, (const uint8_t *)from);
        if (e == 0) {
            page_decommit(from, NACRE_PAGE_SIZE);
        }
    } else {
        e = local_put_page(to, address, /*alone=*/true, NULL);
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
    const uint64_t page = local_page_at(r, address);
    struct range *other;
    uint64_t from;
    int e;

    if ((state & PAGE_HELD) != 0) {
        e = local_put_page(r, address, /*alone=*/true, NULL);
        return e < 0 ? e : 1;
    }
    if ((state & PAGE_COMMITTED) != 0) {
        return write ? 0 : 1;
    }
    from = local_have(r->object->id, page, &other);
    if (from == 0 || ((page_state(from) & PAGE_HELD) == 0 && write)) {
        return 0;
    }
    e = move_here(r, address, from);
    return e < 0 ? e : 1;
}

/* Puts `w` in line for the page, which is asked for if nobody did. */
static int ask(const struct range *r, uint64_t address, bool write, struct wait *w)
{
    const uint64_t page = local_page_at(r, address);
    const struct shm_head h = {
        .op = SHM_REQUEST, .flags = write ? SHM_WRITE : 0, .object = r->object->id, .page = page};
    struct pending *p = local_pending_of(r->object->id, page);

    if (p == NULL) {
        p = kzalloc(sizeof(*p));
        if (p == NULL) {
            return -ENOMEM;
        }
        *p = (struct pending){
            .object = r->object->id, .page = page, .address = address, .write = write};
        list_init(&p->waiters);
        list_insert(&g_local_pending, &p->node);
        list_insert(&p->waiters, &w->node);
        if (shm_post(&h, NULL) < 0) {
            local_finish(p, -EIO);
        }
        return 0;
    }
    list_insert(&p->waiters, &w->node);
    return 0;
}

static int await(struct wait *w, uint64_t object, uint64_t page, bool give_way)
{
    if (thread_wait_page(&w->done, give_way) < 0) {
        shm_lock();
        list_remove(&w->node);
        shm_unlock();
        return 0;
    }
    if (w->result == 0) {
        shm_lock();
        local_seen(object, page);
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
    r = local_range_at(at);
    if (r == NULL) {
        shm_unlock();
        return 0; /* it was unmapped this moment */
    }
    object = r->object->id;
    page = local_page_at(r, at);
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

void shm_after_fork(bool kept)
{
    shm_link_after_fork();
    local_forget();
    list_for_each (it, &g_objects) {
        list_entry(it, struct shm_object, node)->grants = 1;
    }
    if (!kept) {
        list_for_each_safe (it, &g_local_ranges) {
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
            local_post(SHM_DETACH, 0, o->id, 0, o->grants, 0, NULL);
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
    list_for_each_safe (it, &g_local_ranges) {
        struct range *r = list_entry(it, struct range, node);

        empty_range(r);
        list_remove(it);
        kfree(r);
    }
    list_for_each_safe (it, &g_objects) {
        struct shm_object *o = list_entry(it, struct shm_object, node);

        list_remove(it);
        local_post(SHM_DETACH, 0, o->id, 0, o->grants, 0, NULL);
    }
    shm_unlock();
    (void)!shm_question(&sync);
}
