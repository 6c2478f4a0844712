/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * A page is either held by one process alone (`holder`), which may write it, or by nobody: then its
 * content is here (`data`, NULL for zeros) and `readers` have copies they may only read. Whoever
 * wants it stands in the queue of the page; the first in line is served by recalling what is in its
 * way. A recall has a number, so that an answer that crossed something else is known as stale.
 *
 * Every process of the family runs the same measured code. A message that cannot be one of its own
 * is refused all the same, and its sender with it.
 */

#include "libos/shm/directory_internal.h"

#include "libos/libos.h"
#include "libos/mm/kmem.h"

static directory_send g_send;
static uint64_t g_next_number;

void directory_start(directory_send send)
{
    g_send = send;
}

/* ---- pages ---- */

static void lose(struct slot *s)
{
    s->holder = DIRECTORY_HOME;
    s->lost = 1;
    s->reader_count = 0;
    kfree(s->data);
    s->data = NULL;
}

static bool is_reader(const struct slot *s, uint32_t member)
{
    for (uint32_t i = 0; i < s->reader_count; i++) {
        if (s->readers[i] == member) {
            return true;
        }
    }
    return false;
}

static void remove_reader(struct slot *s, uint32_t member)
{
    for (uint32_t i = 0; i < s->reader_count; i++) {
        if (s->readers[i] == member) {
            s->reader_count--;
            __builtin_memmove(&s->readers[i], &s->readers[i + 1],
                              (s->reader_count - i) * sizeof(s->readers[0]));
            return;
        }
    }
}

/* `s` has room: who is in the way was asked to leave first. */
static void add_reader(struct slot *s, uint32_t member)
{
    if (!is_reader(s, member) && s->reader_count < READERS_MAX) {
        s->readers[s->reader_count++] = member;
    }
}

static bool tell(uint32_t member, uint32_t op, uint32_t flags, const struct work *w, uint64_t a,
                 const uint8_t *content)
{
    const struct shm_head h = {
        .op = op, .flags = flags, .object = w->object->id, .page = w->page, .a = a};

    return g_send(member, &h, content);
}

/* False: there is no such member any more. */
static bool await(struct work *w, uint32_t member, uint32_t flags)
{
    if (!tell(member, SHM_RECALL, flags, w, w->number, NULL)) {
        return false;
    }
    w->awaited[w->awaited_count++] = member;
    return true;
}

/* A copy is to go. */
static void revoke(struct work *w, struct slot *s, uint32_t reader)
{
    if (books_attached(w->object, reader) == NULL || !await(w, reader, SHM_WRITE)) {
        remove_reader(s, reader); /* it left, and its copy with it */
    }
}

/* Asks for what stands in the way of `ask`; false: nothing does. */
static bool recall(struct work *w, struct slot *s, const struct ask *ask)
{
    w->number = ++g_next_number;
    w->awaited_count = 0;
    if (s->holder != DIRECTORY_HOME) {
        if (!await(w, s->holder, ask->write ? SHM_WRITE : 0)) {
            lose(s);
        }
    } else if (ask->write) {
        for (uint32_t i = s->reader_count; i-- > 0;) {
            if (s->readers[i] != ask->member) {
                revoke(w, s, s->readers[i]);
            }
        }
    } else if (ask->act == NULL && s->reader_count == READERS_MAX && !is_reader(s, ask->member)) {
        revoke(w, s, s->readers[0]);
    }
    return w->awaited_count > 0;
}

/* Is it behind the end of what keeps the content? */
static bool behind(const struct work *w)
{
    const struct object *o = w->object;

    return o->backing != NULL && w->page >= o->backing->pages(o->ctx);
}

static uint8_t *content_of(const struct work *w, const struct slot *s, bool make)
{
    const struct object *o = w->object;

    return o->backing != NULL ? o->backing->data(o->ctx, w->page, make) : s->data;
}

static void visit(const struct work *w, const struct slot *s, const struct ask *ask)
{
    const bool lost = s->lost != 0 || (ask->write && behind(w));
    uint8_t *data = lost ? NULL : content_of(w, s, ask->write);
    const int error = lost ? -EIO : ask->write && data == NULL ? -ENOSPC : 0;

    ask->act(ask->ctx, data, error);
}

static void grant(const struct work *w, struct slot *s, const struct ask *ask)
{
    const uint8_t *data;

    if (s->lost == 0 && !behind(w)) {
        data = content_of(w, s, ask->write);
        if (!tell(ask->member, SHM_GRANT,
                  (ask->write ? SHM_WRITE : 0) | (data == NULL ? SHM_ZERO : 0), w, 0, data)) {
            return;
        }
    } else {
        (void)tell(ask->member, SHM_LOST, 0, w, 0, NULL);
        return;
    }
    if (!ask->write) {
        add_reader(s, ask->member);
        return;
    }
    s->holder = ask->member;
    s->reader_count = 0;
    kfree(s->data);
    s->data = NULL;
}

/* Goes down the queue until somebody has to be asked first. */
static void serve(struct slot *s)
{
    struct work *w = s->work;

    while (!list_empty(&w->queue)) {
        struct ask *ask = list_entry(w->queue.next, struct ask, node);

        if (s->lost == 0 && ask->member != DIRECTORY_HOME && recall(w, s, ask)) {
            return;
        }
        if (ask->act != NULL) {
            visit(w, s, ask);
        } else if (ask->member != DIRECTORY_HOME) {
            grant(w, s, ask);
        }
        list_remove(&ask->node);
        kfree(ask);
    }
    books_idle(s);
}

/* Puts `ask` in line, and serves it if nobody stands before it. */
static int stand_in_line(struct object *o, struct slot *s, uint64_t page, const struct ask *what)
{
    struct ask *ask = kzalloc(sizeof(*ask));

    if (ask == NULL) {
        return -ENOMEM;
    }
    *ask = *what;
    if (s->work != NULL) {
        list_insert(&s->work->queue, &ask->node);
        return 0;
    }
    s->work = kzalloc(sizeof(*s->work));
    if (s->work == NULL) {
        kfree(ask);
        return -ENOMEM;
    }
    s->work->object = o;
    s->work->page = page;
    list_init(&s->work->queue);
    list_insert(&g_books_busy, &s->work->node);
    list_insert(&s->work->queue, &ask->node);
    serve(s);
    return 0;
}

static int request(struct object *o, uint32_t member, uint64_t page, bool write)
{
    struct slot *s = books_page(o, page);

    if (s == NULL) {
        return -ENOMEM;
    }
    if (s->work != NULL) {
        list_for_each (it, &s->work->queue) {
            if (list_entry(it, struct ask, node)->member == member) {
                return -EBADMSG; /* one at a time */
            }
        }
    }
    if (s->holder == member) {
        return -EBADMSG;
    }
    return stand_in_line(o, s, page, &(const struct ask){.member = member, .write = write});
}

/* Whoever asks and cannot be served for want of memory hears that, and not nothing. */
static int take_request(struct object *o, uint32_t member, const struct shm_head *h)
{
    const int r = request(o, member, h->page, (h->flags & SHM_WRITE) != 0);

    if (r == -ENOMEM) {
        const struct shm_head lost = {.op = SHM_LOST, .object = o->id, .page = h->page};

        libos_log(LOG_ERROR, "shared memory: no memory for the books of a page");
        (void)g_send(member, &lost, NULL);
        return 0;
    }
    return r;
}

/* One answer less to wait for; false: this recall is not waited for, or not by this member. */
static bool answered(struct work *w, uint32_t member, uint64_t number)
{
    if (w == NULL || (number != 0 && w->number != number)) {
        return false;
    }
    for (uint32_t i = 0; i < w->awaited_count; i++) {
        if (w->awaited[i] == member) {
            w->awaited[i] = w->awaited[--w->awaited_count];
            return true;
        }
    }
    return false;
}

static void store(struct object *o, struct slot *s, uint64_t page, const uint8_t *content)
{
    s->holder = DIRECTORY_HOME;
    if (o->backing != NULL) {
        s->data = NULL;
        const bool there = page < o->backing->pages(o->ctx);
        uint8_t *data = o->backing->data(o->ctx, page, there && content != NULL);

        if (data != NULL && content != NULL) {
            __builtin_memcpy(data, content, NACRE_PAGE_SIZE);
        } else if (data != NULL) {
            __builtin_memset(data, 0, NACRE_PAGE_SIZE);
        } else if (content != NULL && there) {
            libos_log(LOG_ERROR, "shared memory: no room for a page of a file, which is lost");
            lose(s);
        }
        return;
    }
    s->data = content == NULL ? NULL : kmalloc(NACRE_PAGE_SIZE);
    if (content != NULL && s->data == NULL) {
        libos_log(LOG_ERROR, "shared memory: no memory to keep a page, which is lost");
        lose(s);
    } else if (content != NULL) {
        __builtin_memcpy(s->data, content, NACRE_PAGE_SIZE);
    }
}

/* A page comes back: the answer to a recall (a number), or unasked (0), which answers the recall
 * that is on its way. */
static int take_content(struct object *o, uint32_t member, const struct shm_head *h,
                        const uint8_t *content)
{
    struct slot *s = books_page(o, h->page);
    bool awaited;

    if (s == NULL) {
        return -ENOMEM;
    }
    awaited = answered(s->work, member, h->a);
    if (h->a != 0 && !awaited) {
        return 0; /* crossed: it came back before */
    }
    if (s->holder != member) {
        return s->lost != 0 ? 0 : -EBADMSG;
    }
    store(o, s, h->page, content);
    if ((h->flags & SHM_KEPT) != 0 && h->a != 0 && s->lost == 0) {
        add_reader(s, member);
    }
    if (awaited && s->work->awaited_count == 0) {
        serve(s);
    }
    return 0;
}

static int take_ack(struct object *o, uint32_t member, const struct shm_head *h)
{
    struct slot *s = books_page(o, h->page);

    if (s == NULL) {
        return -ENOMEM;
    }
    if (h->a == 0) {
        return -EBADMSG;
    }
    if (!answered(s->work, member, h->a)) {
        return 0;
    }
    if (s->holder == member) {
        libos_log(LOG_ERROR, "shared memory: a process says it has not got what it holds");
        lose(s);
    }
    remove_reader(s, member);
    if (s->work->awaited_count == 0) {
        serve(s);
    }
    return 0;
}

static int take_zero(struct object *o, uint32_t member, uint64_t page)
{
    const struct shm_head h = {.object = o->id, .page = page, .flags = SHM_ZERO};
    struct slot *s = books_page(o, page);

    if (s == NULL) {
        return -ENOMEM;
    }
    return s->holder != member ? 0 : take_content(o, member, &h, NULL);
}

/* Pages the member never wrote to: mostly those that have no books. */
static int take_zeros(struct object *o, uint32_t member, const struct shm_head *h)
{
    uint64_t page = h->page;
    uint64_t left = h->b;
    int r = 0;

    if (left == 0 || left > o->pages - page) {
        return -EBADMSG;
    }
    while (r == 0 && left > 0) {
        struct slot **chunk = books_chunk(o, page);
        const uint64_t in_chunk = MIN(CHUNK - page % CHUNK, o->pages - page);
        const uint64_t n = MIN(in_chunk, left);

        if (chunk == NULL) {
            return -ENOMEM;
        }
        if (!books_made(*chunk) && page % CHUNK == 0 && n == in_chunk) {
            *chunk = *chunk == NULL && o->creator == member ? CHUNK_HOME : *chunk;
        } else {
            for (uint64_t i = 0; r == 0 && i < n; i++) {
                r = take_zero(o, member, page + i);
            }
        }
        page += n;
        left -= n;
    }
    return r;
}

static bool well_formed(const struct shm_head *h, size_t size)
{
    const uint32_t known = h->op == SHM_REQUEST   ? SHM_WRITE
                           : h->op == SHM_CONTENT ? SHM_ZERO | SHM_KEPT
                                                  : 0;

    return (h->flags & ~known) == 0 && size == (shm_has_content(h) ? NACRE_PAGE_SIZE : 0);
}

int directory_take(uint32_t member, const struct shm_head *h, const uint8_t *content, size_t size)
{
    struct object *o = books_find(h->object);
    struct attachment *a;

    if (!well_formed(h, size)) {
        return -EBADMSG;
    }
    if (o == NULL) {
        return h->object == 0 || h->object > g_books_last ? -EBADMSG : 0; /* it is gone: late */
    }
    a = books_attached(o, member);
    if (h->op == SHM_DETACH) {
        if (a == NULL || h->a == 0 || h->a > a->count) {
            return -EBADMSG;
        }
        books_detach(o, a, h->a);
        return 0;
    }
    if (h->page >= o->pages) {
        return -EBADMSG;
    }
    switch (h->op) {
    case SHM_REQUEST: return a == NULL ? -EBADMSG : take_request(o, member, h);
    case SHM_CONTENT: return take_content(o, member, h, size == 0 ? NULL : content);
    case SHM_ACK: return take_ack(o, member, h);
    case SHM_ZEROS: return take_zeros(o, member, h);
    default: return -EBADMSG;
    }
}

/* ---- the owner's own ---- */

int directory_visit(uint64_t object, uint64_t page, bool write, directory_act act, void *ctx)
{
    struct object *o = books_find(object);
    struct slot *s = o == NULL || page >= o->pages ? NULL : books_page(o, page);
    int r;

    if (s == NULL) {
        return o == NULL || page >= o->pages ? -ENOENT : -ENOMEM;
    }
    r = stand_in_line(
        o, s, page,
        &(const struct ask){.member = DIRECTORY_VISITOR, .write = write, .act = act, .ctx = ctx});
    return r < 0 ? r : s->work != NULL ? -EINPROGRESS : 0;
}

/* ---- the end of a member ---- */

static void leave_chunk(struct slot *chunk, uint32_t member)
{
    for (uint32_t i = 0; i < CHUNK; i++) {
        struct slot *s = &chunk[i];

        if (s->holder == member) {
            lose(s);
        }
        remove_reader(s, member);
    }
}

/* What it asked for nobody waits for, and nobody waits for what it was asked. */
static void leave_work(struct work *w, uint32_t member)
{
    struct slot *s = books_page(w->object, w->page);

    list_for_each (it, &w->queue) {
        struct ask *ask = list_entry(it, struct ask, node);

        if (ask->member == member) {
            ask->member = DIRECTORY_HOME;
        }
    }
    if (answered(w, member, 0)) {
        if (s->holder == member) {
            lose(s);
        }
        remove_reader(s, member);
        if (w->awaited_count == 0) {
            serve(s);
        }
    }
}

static void leave_object(struct object *o, struct attachment *a, uint32_t member)
{
    for (uint64_t i = 0; i < o->chunk_count; i++) {
        if (books_made(o->chunks[i])) {
            leave_chunk(o->chunks[i], member);
        }
    }
    if (o->creator == member) {
        o->creator = CREATOR_GONE;
    }
    books_detach(o, a, a->count);
}

void directory_gone(uint32_t member)
{
    list_for_each_safe (it, &g_books) {
        struct object *o = list_entry(it, struct object, node);
        struct attachment *a = books_attached(o, member);

        if (a != NULL) {
            leave_object(o, a, member);
        }
    }
    list_for_each_safe (it, &g_books_busy) {
        leave_work(list_entry(it, struct work, node), member);
    }
}

void directory_forget(void)
{
    list_for_each_safe (it, &g_books) {
        books_free(list_entry(it, struct object, node));
    }
}
