/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Objects, who has attached them, and the books of their pages, made a chunk at a time. */

#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/shm/directory_internal.h"

struct list g_books = {&g_books, &g_books};
struct list g_books_busy = {&g_books_busy, &g_books_busy};
uint64_t g_books_last;
static size_t g_count;

size_t directory_count(void)
{
    return g_count;
}

struct object *books_find(uint64_t id)
{
    list_for_each (it, &g_books) {
        struct object *o = list_entry(it, struct object, node);

        if (o->id == id) {
            return o;
        }
    }
    return NULL;
}

struct attachment *books_attached(struct object *o, uint32_t member)
{
    list_for_each (it, &o->attachments) {
        struct attachment *a = list_entry(it, struct attachment, node);

        if (a->member == member) {
            return a;
        }
    }
    return NULL;
}

static int books_attach(struct object *o, uint32_t member)
{
    struct attachment *a = books_attached(o, member);

    if (a == NULL) {
        a = kzalloc(sizeof(*a));
        if (a == NULL) {
            return -ENOMEM;
        }
        a->member = member;
        if (o->backing != NULL && list_empty(&o->attachments)) {
            o->backing->used(o->ctx);
        }
        list_insert(&o->attachments, &a->node);
    }
    a->count++;
    return 0;
}

struct slot **books_chunk(struct object *o, uint64_t page)
{
    const uint64_t i = page / CHUNK;
    const uint64_t all = (o->pages + CHUNK - 1) / CHUNK;
    struct slot **fresh;
    uint64_t want;

    if (i < o->chunk_count) {
        return &o->chunks[i];
    }
    want = MIN(MAX(i + 1, o->chunk_count * 2), all);
    fresh = krealloc(o->chunks, want * sizeof(struct slot *));
    if (fresh == NULL) {
        return NULL;
    }
    __builtin_memset(fresh + o->chunk_count, 0, (want - o->chunk_count) * sizeof(struct slot *));
    o->chunks = fresh;
    o->chunk_count = want;
    return &o->chunks[i];
}

bool books_made(const struct slot *chunk)
{
    return chunk != NULL && chunk != CHUNK_HOME;
}

void books_idle(struct slot *s)
{
    struct work *w = s->work;

    list_for_each_safe (it, &w->queue) {
        kfree(list_entry(it, struct ask, node));
    }
    list_remove(&w->node);
    kfree(w);
    s->work = NULL;
}

void books_free(struct object *o)
{
    for (uint64_t i = 0; i < o->chunk_count; i++) {
        struct slot *chunk = o->chunks[i];

        for (uint32_t k = 0; books_made(chunk) && k < CHUNK; k++) {
            kfree(chunk[k].data);
            if (chunk[k].work != NULL) {
                books_idle(&chunk[k]);
            }
        }
        if (books_made(chunk)) {
            kfree(chunk);
        }
    }
    list_for_each_safe (it, &o->attachments) {
        kfree(list_entry(it, struct attachment, node));
    }
    list_remove(&o->node);
    g_count--;
    kfree(o->chunks);
    kfree(o);
}

void books_detach(struct object *o, struct attachment *a, uint64_t count)
{
    a->count -= count;
    if (a->count > 0) {
        return;
    }
    list_remove(&a->node);
    kfree(a);
    if (!list_empty(&o->attachments)) {
        return;
    }
    if (o->backing != NULL) {
        o->backing->unused(o->ctx);
    }
    if (!o->pinned) {
        books_free(o);
    }
}

static int create(uint32_t creator, uint64_t pages, struct object **ret)
{
    struct object *o;

    if (pages == 0 || pages > SHM_PAGES_MAX) {
        return -EINVAL;
    }
    if (g_count >= OBJECTS_MAX) {
        return -ENOSPC;
    }
    o = kzalloc(sizeof(*o));
    if (o == NULL) {
        return -ENOMEM;
    }
    o->pages = pages;
    o->creator = creator;
    list_init(&o->attachments);
    list_init(&o->node);
    o->id = ++g_books_last;
    list_insert(&g_books, &o->node);
    g_count++;
    *ret = o;
    return 0;
}

int directory_create(uint32_t member, uint64_t pages, uint64_t *ret)
{
    struct object *o = NULL;
    int r = create(member, pages, &o);

    if (r < 0) {
        return r;
    }
    r = books_attach(o, member);
    if (r < 0) {
        books_free(o);
        return r;
    }
    *ret = o->id;
    return 0;
}

int directory_create_home(const struct directory_backing *backing, void *ctx, uint64_t pages,
                          uint64_t *ret)
{
    struct object *o = NULL;
    const int r = create(DIRECTORY_HOME, pages, &o);

    if (r < 0) {
        return r;
    }
    o->backing = backing;
    o->ctx = ctx;
    o->pinned = true;
    *ret = o->id;
    return 0;
}

void directory_drop(uint64_t object)
{
    struct object *o = books_find(object);

    if (o != NULL) {
        o->pinned = false;
        if (o->backing != NULL || list_empty(&o->attachments)) {
            books_free(o);
        }
    }
}

uint64_t directory_attachments(uint64_t object)
{
    struct object *o = books_find(object);
    uint64_t count = 0;

    if (o != NULL) {
        list_for_each (it, &o->attachments) {
            count += list_entry(it, struct attachment, node)->count;
        }
    }
    return count;
}

int directory_attach(uint32_t member, uint64_t object, uint64_t *ret_pages)
{
    struct object *o = books_find(object);

    if (o == NULL) {
        return -ENOENT;
    }
    *ret_pages = o->pages;
    return books_attach(o, member);
}

int directory_clone(uint32_t from, uint32_t to)
{
    int r = 0;

    list_for_each (it, &g_books) {
        struct object *o = list_entry(it, struct object, node);

        if (r == 0 && books_attached(o, from) != NULL) {
            r = books_attach(o, to);
        }
    }
    return r;
}

struct slot *books_page(struct object *o, uint64_t page)
{
    struct slot **chunk = books_chunk(o, page);

    if (chunk == NULL) {
        return NULL;
    }
    if (!books_made(*chunk)) {
        struct slot *fresh = kzalloc(CHUNK * sizeof(*fresh));

        if (fresh == NULL) {
            return NULL;
        }
        for (uint32_t i = 0; i < CHUNK; i++) {
            const bool lost = *chunk == NULL && o->creator == CREATOR_GONE;

            fresh[i].holder = *chunk == NULL && !lost ? o->creator : DIRECTORY_HOME;
            fresh[i].lost = lost;
        }
        *chunk = fresh;
    }
    return &(*chunk)[page % CHUNK];
}

static bool books_is_home(const struct slot *s)
{
    return s->holder == DIRECTORY_HOME && s->reader_count == 0 && s->lost == 0 && s->work == NULL;
}

bool directory_away(uint64_t object, uint64_t page, uint64_t last, uint64_t *ret)
{
    const struct object *o = books_find(object);

    while (o != NULL && page <= last && page / CHUNK < o->chunk_count) {
        const struct slot *chunk = o->chunks[page / CHUNK];

        if (!books_made(chunk)) {
            page = (page / CHUNK + 1) * CHUNK;
        } else if (books_is_home(&chunk[page % CHUNK])) {
            page++;
        } else {
            *ret = page;
            return true;
        }
    }
    return false;
}

bool directory_is_home(uint64_t object, uint64_t page)
{
    const struct object *o = books_find(object);
    const struct slot *chunk =
        o == NULL || page / CHUNK >= o->chunk_count ? NULL : o->chunks[page / CHUNK];

    return o != NULL && (books_made(chunk) ? books_is_home(&chunk[page % CHUNK])
                                           : chunk == CHUNK_HOME || o->creator == DIRECTORY_HOME);
}

void directory_forgive(uint64_t object, uint64_t page)
{
    struct object *o = books_find(object);
    struct slot *s = o == NULL || page >= o->pages ? NULL : books_page(o, page);

    if (s != NULL) {
        s->lost = 0;
    }
}
