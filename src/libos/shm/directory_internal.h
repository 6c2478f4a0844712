/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Between directory.c, which moves pages, and directory_books.c, which knows what there is. */

#include "libos/lib/list.h"
#include "libos/shm/directory.h"

#define CHUNK       64u /* pages whose books are made at a time */
#define OBJECTS_MAX 65536u
#define AWAITED_MAX READERS_MAX

struct ask {
    struct list node;
    uint32_t member; /* DIRECTORY_HOME: it is gone, nobody waits */
    bool write;
    directory_act act; /* DIRECTORY_VISITOR */
    void *ctx;
};

/* What goes on about one page. */
struct work {
    struct list node; /* g_books_busy */
    struct list queue;
    struct object *object;
    uint64_t page;
    uint64_t number; /* of the recall, 0: none under way */
    uint32_t awaited[AWAITED_MAX];
    uint32_t awaited_count;
};

struct slot {
    uint8_t *data;
    struct work *work; /* NULL: nobody asks */
    uint32_t holder;
    uint16_t lost;
    uint16_t reader_count;
    uint32_t readers[READERS_MAX];
};

struct attachment {
    struct list node;
    uint32_t member;
    uint64_t count;
};

struct object {
    struct list node;
    uint64_t id;
    uint64_t pages;
    uint32_t creator; /* holds what has no books yet */
    struct list attachments;
    struct slot **chunks;
    uint64_t chunk_count; /* as far as any was needed; behind it they are NULL */
    const struct directory_backing *backing;
    void *ctx;
    bool pinned; /* stays without attachments */
};

/* A chunk without books whose pages are all at home, not with the creator. */
#define CHUNK_HOME   ((struct slot *)1)
#define CREATOR_GONE (UINT32_MAX - 2) /* what it held is lost */

extern struct list g_books;      /* struct object */
extern struct list g_books_busy; /* struct work */
extern uint64_t g_books_last;    /* number of the last object that was made */

struct object *books_find(uint64_t id);
struct attachment *books_attached(struct object *o, uint32_t member);
void books_detach(struct object *o, struct attachment *a, uint64_t count);
void books_free(struct object *o);
/* The place of a chunk; NULL: no memory. */
struct slot **books_chunk(struct object *o, uint64_t page);
bool books_made(const struct slot *chunk);
/* The books of a page, made when there are none. NULL: no memory. */
struct slot *books_page(struct object *o, uint64_t page);
/* Nobody asks for the page any more. */
void books_idle(struct slot *s);
