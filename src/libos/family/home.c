/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/family/home.h"

#include "libos/fs/locks.h"
#include "libos/fs/poll.h"
#include "libos/mm/kmem.h"
#include "libos/sys/syscall.h"

#define FIRST_SIZE  32u
#define HANDLES_MAX (1u << 20) /* of one member */
#define BUCKETS     64u        /* of a home, by object */
#define HOMES       256u       /* buckets of all homes, by member */
#define QUEUES_MAX  3u         /* wait queues one object can name */

/* Somebody waits for a change. The waiters stay queued from the first time on; `armed` decides
 * whether the member hears of it. */
struct watch {
    uint32_t member;
    uint32_t handle;
    uint32_t armed;
    uint32_t count;
    struct waiter waiters[QUEUES_MAX];
};

struct entry {
    enum home_kind kind;
    uint32_t grants;
    uint32_t next; /* handle in the same bucket, or the next free place */
    void *object;
    struct watch *watch;
};

/* What one member holds. */
struct home {
    struct home *next; /* same bucket */
    uint32_t member;
    struct entry *entries; /* handle - 1 */
    uint32_t size;
    uint32_t free; /* handle of the first free place, 0: none */
    uint32_t bucket[BUCKETS];
};

/* One lock for all: it guards a few instructions, never an operation on an object. */
static struct mutex g_lock;
static struct home *g_homes[HOMES];

/* Where the home of a member is, or would be. */
static struct home **home_at(uint32_t member)
{
    struct home **at = &g_homes[member % HOMES];

    while (*at != NULL && (*at)->member != member) {
        at = &(*at)->next;
    }
    return at;
}

static struct home *find_home(uint32_t member)
{
    return *home_at(member);
}

/* Nothing is kept for a member that is gone: a request of its that is still being served may grant
 * it something after member_gone(), and nobody would ever take that back. */
static int need_home(uint32_t member, struct home **ret)
{
    struct home **at = home_at(member);

    if (*at == NULL) {
        struct home *h;

        if (family_member_is_gone(member)) {
            return -ESRCH;
        }
        h = kzalloc(sizeof(*h));
        if (h == NULL) {
            return -ENOMEM;
        }
        h->member = member;
        *at = h;
    }
    *ret = *at;
    return 0;
}

static uint32_t *bucket_of(struct home *h, const void *object)
{
    return &h->bucket[((uintptr_t)object >> 4) * 0x9e3779b97f4a7c15ull >> 58];
}
_Static_assert(BUCKETS == 64, "bucket_of yields 6 bits");

/* Room for handles up to `size`. */
static int grow(struct home *h, uint32_t size)
{
    struct entry *e;
    uint32_t want = MAX(h->size, FIRST_SIZE);

    if (size <= h->size) {
        return 0;
    }
    while (want < size) {
        want *= 2;
    }
    if (want > HANDLES_MAX) {
        return -ENFILE;
    }
    e = krealloc(h->entries, want * sizeof(*e));
    if (e == NULL) {
        return -ENOMEM;
    }
    h->entries = e;
    for (uint32_t i = want; i > h->size; i--) { /* the lowest comes first */
        e[i - 1] = (struct entry){.kind = HOME_FREE, .next = h->free};
        h->free = i;
    }
    h->size = want;
    return 0;
}

static struct entry *entry_of(struct home *h, uint32_t handle)
{
    return h == NULL || handle == 0 || handle > h->size || h->entries[handle - 1].kind == HOME_FREE
               ? NULL
               : &h->entries[handle - 1];
}

static void take_reference(enum home_kind kind, void *object)
{
    if (kind == HOME_INODE) {
        (void)inode_get(object);
    } else {
        (void)file_get(object);
    }
}

static void drop_reference(enum home_kind kind, void *object)
{
    if (kind == HOME_INODE) {
        inode_put(object);
    } else {
        file_put(object);
    }
}

static void put_in(struct home *h, uint32_t handle, enum home_kind kind, void *object,
                   uint32_t grants)
{
    struct entry *e = &h->entries[handle - 1];
    uint32_t *bucket = bucket_of(h, object);

    *e = (struct entry){.kind = kind, .object = object, .grants = grants, .next = *bucket};
    *bucket = handle;
    take_reference(kind, object);
}

static int grant(uint32_t member, enum home_kind kind, void *object, bool once, uint32_t *ret)
{
    struct home *h;
    int r;

    mutex_lock(&g_lock);
    r = need_home(member, &h);
    if (r < 0) {
        mutex_unlock(&g_lock);
        return r;
    }
    for (uint32_t n = *bucket_of(h, object); n != 0; n = h->entries[n - 1].next) {
        if (h->entries[n - 1].object == object) {
            h->entries[n - 1].grants += once ? 0 : 1;
            *ret = n;
            mutex_unlock(&g_lock);
            return 0;
        }
    }
    if (h->free == 0) {
        r = grow(h, h->size + 1);
    }
    if (r == 0) {
        const uint32_t handle = h->free;

        h->free = h->entries[handle - 1].next;
        put_in(h, handle, kind, object, 1);
        *ret = handle;
    }
    mutex_unlock(&g_lock);
    return r;
}

int home_grant_inode(uint32_t member, struct inode *inode, uint32_t *ret)
{
    return grant(member, HOME_INODE, inode, /*once=*/false, ret);
}

int home_grant_file(uint32_t member, struct file *f, uint32_t *ret)
{
    return grant(member, HOME_FILE, f, /*once=*/false, ret);
}

int home_grant_inode_once(uint32_t member, struct inode *inode, uint32_t *ret)
{
    return grant(member, HOME_INODE, inode, /*once=*/true, ret);
}

int home_grant_file_once(uint32_t member, struct file *f, uint32_t *ret)
{
    return grant(member, HOME_FILE, f, /*once=*/true, ret);
}

static void watch_free(struct watch *w)
{
    if (w != NULL) {
        for (uint32_t i = 0; i < w->count; i++) {
            waitq_remove(&w->waiters[i]);
        }
        kfree(w);
    }
}

void home_drop(uint32_t member, uint32_t handle, uint32_t grants)
{
    struct entry gone = {.kind = HOME_FREE};
    struct home *h;
    struct entry *e;

    mutex_lock(&g_lock);
    h = find_home(member);
    e = entry_of(h, handle);
    if (e != NULL && e->grants > grants) {
        e->grants -= grants;
    } else if (e != NULL) {
        uint32_t *link = bucket_of(h, e->object);

        while (*link != handle) {
            link = &h->entries[*link - 1].next;
        }
        *link = e->next;
        gone = *e;
        *e = (struct entry){.kind = HOME_FREE, .next = h->free};
        h->free = handle;
    }
    mutex_unlock(&g_lock);
    if (gone.kind != HOME_FREE) {
        watch_free(gone.watch);
        drop_reference(gone.kind, gone.object);
    }
}

static void *get(uint32_t member, uint32_t handle, enum home_kind kind)
{
    void *object = NULL;
    struct entry *e;

    mutex_lock(&g_lock);
    e = entry_of(find_home(member), handle);
    if (e != NULL && e->kind == kind) {
        object = e->object;
        take_reference(kind, object);
    }
    mutex_unlock(&g_lock);
    return object;
}

struct inode *home_inode(uint32_t member, uint32_t handle)
{
    return get(member, handle, HOME_INODE);
}

struct file *home_file(uint32_t member, uint32_t handle)
{
    return get(member, handle, HOME_FILE);
}

int64_t home_no_wait(int64_t r)
{
    return r == -ERESTARTSYS || r == -EINTR ? -EAGAIN : r;
}

/* Every request about an object begins with its handle. */
static int take(struct family_request *q, void *dst, size_t size, enum home_kind kind, void **ret)
{
    uint32_t handle;

    if (cursor_copy(&q->body, dst, size) < 0) {
        return -EBADMSG;
    }
    __builtin_memcpy(&handle, dst, sizeof(handle));
    *ret = get(q->member, handle, kind);
    return *ret == NULL ? -EBADF : 0;
}

int home_take_inode(struct family_request *q, void *dst, size_t size, struct inode **ret)
{
    void *object = NULL;
    const int r = take(q, dst, size, HOME_INODE, &object);

    *ret = object;
    return r;
}

int home_take_file(struct family_request *q, void *dst, size_t size, struct file **ret)
{
    void *object = NULL;
    const int r = take(q, dst, size, HOME_FILE, &object);

    *ret = object;
    return r;
}

int home_clone(uint32_t from, uint32_t to)
{
    struct home *a;
    struct home *b;
    int r = 0;

    mutex_lock(&g_lock);
    a = find_home(from);
    if (a != NULL && find_home(to) != NULL) {
        r = -EEXIST; /* it has handles of its own already */
    } else if (a != NULL) {
        r = need_home(to, &b);
        r = r < 0 ? r : grow(b, a->size);
        if (r == 0) {
            b->free = 0;
            for (uint32_t i = b->size; i > 0; i--) {
                if (i > a->size || a->entries[i - 1].kind == HOME_FREE) {
                    b->entries[i - 1].next = b->free;
                    b->free = i;
                } else {
                    put_in(b, i, a->entries[i - 1].kind, a->entries[i - 1].object,
                           a->entries[i - 1].grants);
                }
            }
        }
    }
    mutex_unlock(&g_lock);
    return r;
}

/* ---- watching ---- */

/* Under the object's queue lock. */
static void changed(struct waiter *waiter, uint32_t events)
{
    /* `thread` is unused for waiters with a callback: it carries the watch */
    struct watch *w = (struct watch *)(void *)waiter->thread;

    if (__atomic_exchange_n(&w->armed, 0, __ATOMIC_ACQ_REL) != 0) {
        const struct wire_ready ready = {.handle = w->handle, .events = events};

        (void)!family_notify(w->member, FAMILY_EVENT_ready, &ready, sizeof(ready));
    }
}

struct watch_table {
    struct poll_table pt;
    struct watch *watch;
};

static void watch_queue(struct poll_table *pt, struct waitq *q)
{
    struct watch *w = container_of(pt, struct watch_table, pt)->watch;

    if (w->count < QUEUES_MAX) {
        struct waiter *waiter = &w->waiters[w->count++];

        waiter_init(waiter);
        waiter->thread = (struct thread *)(void *)w;
        waiter->notify = changed;
        waitq_add(q, waiter);
    }
}

static int watch_object(struct watch *w, enum home_kind kind, void *object)
{
    struct watch_table t = {.pt.queue = watch_queue, .watch = w};
    struct waitq *q;

    if (kind == HOME_FILE) {
        (void)file_poll(object, &t.pt);
        return 0;
    }
    q = locks_queue(object);
    if (q == NULL) {
        return -ENOMEM;
    }
    watch_queue(&t.pt, q);
    return 0;
}

/* Makes a watch and gives it to the entry, unless that is another object's by now or has one. */
static int watch_start(uint32_t member, uint32_t handle, enum home_kind kind, void *object)
{
    struct watch *fresh = kzalloc(sizeof(*fresh));
    struct entry *e;
    int r;

    if (fresh == NULL) {
        return -ENOMEM;
    }
    *fresh = (struct watch){.member = member, .handle = handle, .armed = 1};
    r = watch_object(fresh, kind, object);
    mutex_lock(&g_lock);
    e = entry_of(find_home(member), handle);
    if (r == 0 && e != NULL && e->object == object && e->watch == NULL) {
        e->watch = TAKE_PTR(fresh);
    }
    mutex_unlock(&g_lock);
    watch_free(fresh);
    return r;
}

int home_arm(uint32_t member, uint32_t handle)
{
    enum home_kind kind = HOME_FREE;
    void *object = NULL;
    struct entry *e;
    int r = 0;

    mutex_lock(&g_lock);
    e = entry_of(find_home(member), handle);
    if (e == NULL) {
        r = -EBADF;
    } else if (e->watch != NULL) {
        __atomic_store_n(&e->watch->armed, 1, __ATOMIC_RELEASE);
    } else {
        kind = e->kind;
        object = e->object;
        take_reference(kind, object);
    }
    mutex_unlock(&g_lock);
    if (object != NULL) {
        r = watch_start(member, handle, kind, object);
        drop_reference(kind, object);
    }
    return r;
}

void home_disarm(uint32_t member, uint32_t handle)
{
    struct entry *e;

    mutex_lock(&g_lock);
    e = entry_of(find_home(member), handle);
    if (e != NULL && e->watch != NULL) {
        __atomic_store_n(&e->watch->armed, 0, __ATOMIC_RELEASE);
    }
    mutex_unlock(&g_lock);
}

/* ---- the end of a member ---- */

static void member_gone(uint32_t member, bool orderly)
{
    struct home **at;
    struct home *h;

    mutex_lock(&g_lock);
    at = home_at(member);
    h = *at;
    if (h != NULL) {
        *at = h->next;
    }
    mutex_unlock(&g_lock);
    if (h == NULL) {
        return;
    }
    for (uint32_t i = 0; i < h->size; i++) {
        struct entry *e = &h->entries[i];

        if (e->kind == HOME_FREE) {
            continue;
        }
        watch_free(e->watch);
        locks_drop_member(e->kind == HOME_INODE ? e->object : ((struct file *)e->object)->inode,
                          member);
        drop_reference(e->kind, e->object);
    }
    kfree(h->entries);
    kfree(h);
}

static void forget(struct home *h)
{
    for (uint32_t i = 0; i < h->size; i++) {
        struct entry *e = &h->entries[i];

        if (e->kind == HOME_INODE) {
            (void)ref_put(&((struct inode *)e->object)->refs);
        } else if (e->kind == HOME_FILE) {
            (void)ref_put(&((struct file *)e->object)->refs);
        }
    }
    kfree(h->entries);
    kfree(h);
}

void home_after_fork(void)
{
    for (uint32_t i = 0; i < HOMES; i++) {
        while (g_homes[i] != NULL) {
            struct home *h = g_homes[i];

            g_homes[i] = h->next;
            forget(h);
        }
    }
}

/* ---- requests about handles ---- */

static int64_t serve_clone(struct family_request *q)
{
    uint32_t to;

    if (cursor_u32le(&q->body, &to) < 0) {
        return -EBADMSG;
    }
    return home_clone(q->member, to);
}

static int64_t serve_drop(struct family_request *q)
{
    struct wire_grant g;

    while (q->body.left > 0) {
        if (HOME_TAKE(q, &g) < 0) {
            return -EBADMSG;
        }
        home_drop(q->member, g.handle, g.grants);
    }
    return 0;
}

void home_start(void)
{
    family_serve(FAMILY_OP_clone, serve_clone);
    family_serve(FAMILY_OP_drop, serve_drop);
    home_data_start();
    home_names_start();
    home_object_start();
    home_sock_start();
    family_on_member_gone(member_gone);
}
