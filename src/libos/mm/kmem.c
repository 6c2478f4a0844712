/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The heap of the library OS: page runs from a buddy system, small objects from slabs of one to
 * four pages.
 *
 * Books are kept apart from the memory they describe: one struct meta per page of the arena, itself
 * committed page by page as it is needed. A free block is either committed or void; void blocks
 * cost nothing, and large free blocks become void again when much is free.
 *
 * Locks: one mutex over everything but the slab lists of a size class, which have their own
 * spinlock. Order: class lock is never held while taking the mutex.
 */

#include "libos/mm/kmem.h"

#include "core/overflow.h"
#include "libos/lib/sync.h"
#include "libos/libos.h"
#include "libos/mm/kmem_backend.h"

#define NONE        UINT32_MAX
#define ORDER_COUNT 24u /* blocks of 1 page .. 2^23 pages */
#define ORDER_MAX   (ORDER_COUNT - 1)
#define GROW_ORDER  6u    /* commit at least 256 KiB at a time */
#define VOID_ORDER  6u    /* blocks from here on may be given back … */
#define KEEP_PAGES  2048u /* … when more than this many pages are free */

enum kind {
    KIND_NOTHING, /* inside of something */
    KIND_FREE,    /* head of a free, committed block */
    KIND_VOID,    /* head of a free block without pages */
    KIND_RUN,     /* head of an allocated run: count pages */
    KIND_SLAB,    /* head of a slab */
    KIND_SLAB_TAIL,
};

struct meta {
    uint32_t next; /* page numbers: free list, or list of slabs with room */
    uint32_t prev;
    uint8_t kind;
    uint8_t order;  /* of a free block; size class of a slab; distance to the head for SLAB_TAIL */
    uint16_t free;  /* slab: first free object, SLAB_FULL: none */
    uint32_t count; /* run: pages; slab: objects in use */
};
_Static_assert(sizeof(struct meta) == 16, "0.4 % of the heap");

#define SLAB_FULL      UINT16_MAX
#define METAS_PER_PAGE (NACRE_PAGE_SIZE / sizeof(struct meta))

static struct mutex g_lock;
static struct meta *g_meta;
static uint64_t g_arena;
static uint64_t g_arena_pages;
static uint8_t g_meta_committed[(1u << ORDER_MAX) / METAS_PER_PAGE / 8];
static uint32_t g_free_heads[2][ORDER_COUNT]; /* [0] committed, [1] void */
static uint64_t g_free_pages;
static bool g_ready;

/* ---- buddy ---- */

static int ensure_meta(uint32_t page)
{
    const uint32_t m = page / (uint32_t)METAS_PER_PAGE;
    int r;

    if ((g_meta_committed[m / 8] & (1u << (m % 8))) != 0) {
        return 0;
    }
    r = kmem_backend_commit((uint64_t)g_meta + (uint64_t)m * NACRE_PAGE_SIZE, NACRE_PAGE_SIZE);
    if (r < 0) {
        return r;
    }
    g_meta_committed[m / 8] |= (uint8_t)(1u << (m % 8));
    return 0;
}

static bool meta_exists(uint32_t page)
{
    const uint32_t m = page / (uint32_t)METAS_PER_PAGE;

    return (g_meta_committed[m / 8] & (1u << (m % 8))) != 0;
}

static void list_push(uint32_t *head, uint32_t page)
{
    struct meta *m = &g_meta[page];

    m->prev = NONE;
    m->next = *head;
    if (*head != NONE) {
        g_meta[*head].prev = page;
    }
    *head = page;
}

static void list_drop(uint32_t *head, uint32_t page)
{
    struct meta *m = &g_meta[page];

    if (m->prev == NONE) {
        *head = m->next;
    } else {
        g_meta[m->prev].next = m->next;
    }
    if (m->next != NONE) {
        g_meta[m->next].prev = m->prev;
    }
}

static uint32_t *free_head(enum kind kind, unsigned order)
{
    return &g_free_heads[kind == KIND_VOID][order];
}

/* Puts a block on its list, merged with its buddy as long as that is free in the same way. */
static void put_block(uint32_t page, unsigned order, enum kind kind)
{
    while (order < ORDER_MAX) {
        const uint32_t buddy = page ^ (1u << order);

        if (buddy >= g_arena_pages || !meta_exists(buddy) || g_meta[buddy].kind != kind ||
            g_meta[buddy].order != order) {
            break;
        }
        list_drop(free_head(kind, order), buddy);
        g_meta[buddy].kind = KIND_NOTHING;
        g_meta[page].kind = KIND_NOTHING;
        page &= ~(1u << order);
        order++;
    }
    g_meta[page].kind = (uint8_t)kind;
    g_meta[page].order = (uint8_t)order;
    list_push(free_head(kind, order), page);
}

/* Takes a block of `order` of one kind, splitting a larger one. NONE: there is none. */
static uint32_t take_block(unsigned order, enum kind kind)
{
    unsigned have = order;
    uint32_t page;

    while (have < ORDER_COUNT && *free_head(kind, have) == NONE) {
        have++;
    }
    if (have == ORDER_COUNT) {
        return NONE;
    }
    page = *free_head(kind, have);
    for (unsigned o = order; o < have; o++) {
        if (ensure_meta(page + (1u << o)) < 0) {
            return NONE;
        }
    }
    list_drop(free_head(kind, have), page);
    g_meta[page].kind = KIND_NOTHING;
    while (have > order) {
        const uint32_t half = page + (1u << --have);

        g_meta[half].kind = (uint8_t)kind;
        g_meta[half].order = (uint8_t)have;
        list_push(free_head(kind, have), half);
    }
    return page;
}

static uint64_t page_address(uint32_t page)
{
    return g_arena + ((uint64_t)page << NACRE_PAGE_SHIFT);
}

/* Commits a void block of at least `order` and puts it among the committed ones. */
static int grow(unsigned order)
{
    const unsigned want = MAX(order, GROW_ORDER);
    uint32_t page = take_block(want, KIND_VOID);
    int r;

    if (page == NONE) {
        return -ENOMEM;
    }
    r = kmem_backend_commit(page_address(page), (uint64_t)NACRE_PAGE_SIZE << want);
    if (r < 0) {
        put_block(page, want, KIND_VOID);
        return r;
    }
    g_free_pages += 1ull << want;
    put_block(page, want, KIND_FREE);
    return 0;
}

static unsigned order_for(uint64_t pages)
{
    return pages <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(pages - 1);
}

/* Frees [page, page + count) as the aligned blocks it consists of. */
static void free_range(uint32_t page, uint32_t count)
{
    g_free_pages += count;
    while (count > 0) {
        unsigned order = page == 0 ? ORDER_MAX : (unsigned)__builtin_ctz(page);

        order = MIN(order, 31u - (unsigned)__builtin_clz(count));
        order = MIN(order, ORDER_MAX);
        put_block(page, order, KIND_FREE);
        page += 1u << order;
        count -= 1u << order;
    }
}

/* Gives large free blocks back while there are many. */
static void shrink(void)
{
    for (unsigned order = ORDER_MAX; order >= VOID_ORDER && g_free_pages > KEEP_PAGES; order--) {
        while (g_free_pages > KEEP_PAGES && g_free_heads[0][order] != NONE) {
            const uint32_t page = g_free_heads[0][order];

            list_drop(&g_free_heads[0][order], page);
            g_meta[page].kind = KIND_NOTHING;
            kmem_backend_decommit(page_address(page), (uint64_t)NACRE_PAGE_SIZE << order);
            g_free_pages -= 1ull << order;
            put_block(page, order, KIND_VOID);
        }
    }
}

static int start(void)
{
    int r;

    if (g_ready) {
        return 0;
    }
    kmem_backend_area(&g_arena, &g_arena_pages, (uint64_t *)&g_meta);
    for (unsigned o = 0; o < ORDER_COUNT; o++) {
        g_free_heads[0][o] = NONE;
        g_free_heads[1][o] = NONE;
    }
    r = ensure_meta(0);
    if (r < 0) {
        return r;
    }
    put_block(0, order_for(g_arena_pages), KIND_VOID);
    g_ready = true;
    return 0;
}

static uint32_t alloc_run(uint64_t pages)
{
    const unsigned order = order_for(pages);
    uint32_t page = NONE;

    if (pages == 0 || pages > g_arena_pages || order > ORDER_MAX) {
        return NONE;
    }
    page = take_block(order, KIND_FREE);
    if (page == NONE) {
        if (grow(order) < 0) {
            return NONE;
        }
        page = take_block(order, KIND_FREE);
        if (page == NONE) {
            return NONE;
        }
    }
    g_free_pages -= 1ull << order;
    if ((1ull << order) > pages) {
        /* The tail heads blocks of its own: their books must exist. */
        for (uint64_t i = pages; i < 1ull << order; i++) {
            if (ensure_meta(page + (uint32_t)i) < 0) {
                free_range(page, 1u << order);
                return NONE;
            }
        }
        free_range(page + (uint32_t)pages, (1u << order) - (uint32_t)pages);
    }
    g_meta[page].kind = KIND_RUN;
    g_meta[page].count = (uint32_t)pages;
    return page;
}

void *kpages_alloc(size_t pages)
{
    uint32_t page;

    mutex_lock(&g_lock);
    page = start() < 0 ? NONE : alloc_run(pages);
    mutex_unlock(&g_lock);
    return page == NONE ? NULL : (void *)page_address(page);
}

static uint32_t page_of(const void *p)
{
    const uint64_t offset = (uint64_t)p - g_arena;

    if ((uint64_t)p < g_arena || offset >> NACRE_PAGE_SHIFT >= g_arena_pages) {
        libos_panic("kfree of a pointer that is not the heap's");
    }
    return (uint32_t)(offset >> NACRE_PAGE_SHIFT);
}

void kpages_free(void *p, size_t pages)
{
    uint32_t page;

    if (p == NULL) {
        return;
    }
    mutex_lock(&g_lock);
    page = page_of(p);
    if (g_meta[page].kind != KIND_RUN || g_meta[page].count != pages) {
        libos_panic("kpages_free: not a run of %zu pages", pages);
    }
    g_meta[page].kind = KIND_NOTHING;
    for (uint32_t i = 0; i < pages; i += (uint32_t)METAS_PER_PAGE) {
        (void)ensure_meta(page + i);
    }
    free_range(page, (uint32_t)pages);
    shrink();
    mutex_unlock(&g_lock);
}

/* ---- slabs ---- */

static const uint16_t class_size[] = {16,  32,  48,  64,  96,   128,  192,
                                      256, 384, 512, 768, 1024, 1360, 2048};
#define CLASS_COUNT ARRAY_COUNT(class_size)
#define SMALL_MAX   2048u

struct size_class {
    struct spinlock lock;
    uint32_t partial; /* slabs with room */
    uint32_t empty;   /* of them, without objects */
    bool ready;
};
static struct size_class g_classes[CLASS_COUNT];

static unsigned class_of(size_t size)
{
    unsigned c = 0;

    while (class_size[c] < size) {
        c++;
    }
    return c;
}

static uint32_t slab_pages(unsigned c)
{
    return class_size[c] <= 256 ? 1 : 4;
}

static uint32_t slab_objects(unsigned c)
{
    return slab_pages(c) * NACRE_PAGE_SIZE / class_size[c];
}

static uint16_t *object_link(uint32_t page, unsigned c, uint32_t i)
{
    return (uint16_t *)(page_address(page) + (uint64_t)i * class_size[c]);
}

/* A new slab, all objects chained, not on any list yet. NONE: no memory. */
static uint32_t make_slab(unsigned c)
{
    const uint32_t pages = slab_pages(c);
    const uint32_t n = slab_objects(c);
    uint32_t page;

    mutex_lock(&g_lock);
    page = start() < 0 ? NONE : alloc_run(pages);
    if (page != NONE) {
        for (uint32_t i = 0; i < pages; i++) {
            if (ensure_meta(page + i) < 0) {
                free_range(page, pages);
                page = NONE;
                break;
            }
            g_meta[page + i].kind = i == 0 ? KIND_SLAB : KIND_SLAB_TAIL;
            g_meta[page + i].order = (uint8_t)(i == 0 ? c : i);
        }
    }
    mutex_unlock(&g_lock);
    if (page == NONE) {
        return NONE;
    }
    for (uint32_t i = 0; i < n; i++) {
        *object_link(page, c, i) = i + 1 < n ? (uint16_t)(i + 1) : SLAB_FULL;
    }
    g_meta[page].free = 0;
    g_meta[page].count = 0;
    return page;
}

static void drop_slab(uint32_t page, unsigned c)
{
    mutex_lock(&g_lock);
    for (uint32_t i = 0; i < slab_pages(c); i++) {
        g_meta[page + i].kind = KIND_NOTHING;
    }
    free_range(page, slab_pages(c));
    shrink();
    mutex_unlock(&g_lock);
}

static void *slab_take(struct size_class *k, unsigned c)
{
    const uint32_t page = k->partial;
    struct meta *m = &g_meta[page];
    const uint32_t i = m->free;

    if (m->count++ == 0) {
        k->empty--;
    }
    m->free = *object_link(page, c, i);
    if (m->free == SLAB_FULL) {
        list_drop(&k->partial, page);
    }
    return object_link(page, c, i);
}

static void *small_alloc(unsigned c)
{
    struct size_class *k = &g_classes[c];
    void *p;

    spin_lock(&k->lock);
    if (!k->ready) {
        k->partial = NONE;
        k->ready = true;
    }
    if (k->partial == NONE) {
        uint32_t page;

        spin_unlock(&k->lock);
        page = make_slab(c);
        if (page == NONE) {
            return NULL;
        }
        spin_lock(&k->lock);
        list_push(&k->partial, page);
        k->empty++;
    }
    p = slab_take(k, c);
    spin_unlock(&k->lock);
    return p;
}

static void small_free(uint32_t page, void *p)
{
    struct meta *m = &g_meta[page];
    const unsigned c = m->order;
    struct size_class *k = &g_classes[c];
    const uint64_t offset = (uint64_t)p - page_address(page);
    bool drop = false;

    if (offset % class_size[c] != 0 || m->count == 0) {
        libos_panic("kfree of something that is no object");
    }
    spin_lock(&k->lock);
    *(uint16_t *)p = m->free;
    if (m->free == SLAB_FULL) {
        list_push(&k->partial, page);
    }
    m->free = (uint16_t)(offset / class_size[c]);
    m->count--;
    if (m->count == 0) {
        if (k->empty > 0) {
            list_drop(&k->partial, page);
            drop = true;
        } else {
            k->empty++;
        }
    }
    spin_unlock(&k->lock);
    if (drop) {
        drop_slab(page, c);
    }
}

/* ---- the heap ---- */

void *kmalloc(size_t size)
{
    if (size <= SMALL_MAX) {
        return small_alloc(class_of(size));
    }
    if (size > g_arena_pages << NACRE_PAGE_SHIFT && g_ready) {
        return NULL;
    }
    return kpages_alloc((size + NACRE_PAGE_SIZE - 1) >> NACRE_PAGE_SHIFT);
}

void *kzalloc(size_t size)
{
    void *p = kmalloc(size);

    if (p != NULL) {
        __builtin_memset(p, 0, size);
    }
    return p;
}

/* Head of the slab or run `p` lies in. */
static uint32_t head_of(const void *p)
{
    uint32_t page = page_of(p);

    if (g_meta[page].kind == KIND_SLAB_TAIL) {
        page -= g_meta[page].order;
    }
    return page;
}

void kfree(void *p)
{
    uint32_t page;

    if (p == NULL) {
        return;
    }
    page = head_of(p);
    switch (g_meta[page].kind) {
    case KIND_SLAB: small_free(page, p); return;
    case KIND_RUN: kpages_free(p, g_meta[page].count); return;
    default: libos_panic("kfree of memory that is not in use");
    }
}

static size_t usable_size(const void *p)
{
    const uint32_t page = head_of(p);

    if (g_meta[page].kind == KIND_SLAB) {
        return class_size[g_meta[page].order];
    }
    return (size_t)g_meta[page].count << NACRE_PAGE_SHIFT;
}

void *krealloc(void *p, size_t size)
{
    size_t have;
    void *n;

    if (p == NULL) {
        return kmalloc(size);
    }
    have = usable_size(p);
    if (size <= have && (have <= SMALL_MAX || size > have / 2)) {
        return p;
    }
    n = kmalloc(size);
    if (n != NULL) {
        __builtin_memcpy(n, p, MIN(have, size));
        kfree(p);
    }
    return n;
}

char *kstrndup(const char *s, size_t max)
{
    size_t len = 0;
    char *p;

    while (len < max && s[len] != '\0') {
        len++;
    }
    p = kmalloc(len + 1);
    if (p != NULL) {
        __builtin_memcpy(p, s, len);
        p[len] = '\0';
    }
    return p;
}

char *kstrdup(const char *s)
{
    return kstrndup(s, __builtin_strlen(s));
}

/* ---- fork ---- */

/* Pages of the block whose head is `page`. */
static uint32_t block_pages(uint32_t page)
{
    const struct meta *m = &g_meta[page];

    switch (m->kind) {
    case KIND_FREE:
    case KIND_VOID: return 1u << m->order;
    case KIND_RUN: return m->count;
    case KIND_SLAB: return slab_pages(m->order);
    default: libos_panic("the heap's books are wrong at page %u", page);
    }
}

/* Neighbours of one kind go out as one run. */
struct runs {
    kmem_run_fn *emit;
    void *arg;
    uint64_t start, end;
    bool content;
};

static int runs_add(struct runs *r, uint64_t address, uint64_t size, bool content)
{
    int done = 0;

    if (size != 0 && r->end == address && r->content == content) {
        r->end += size;
        return 0;
    }
    if (r->end != r->start) {
        done = r->emit(r->arg, r->start, r->end - r->start, r->content);
    }
    r->start = address;
    r->end = address + size;
    r->content = content;
    return done;
}

static int add_metas(struct runs *runs)
{
    int r = 0;

    for (uint32_t m = 0; r == 0 && m < sizeof(g_meta_committed) * 8; m++) {
        if ((g_meta_committed[m / 8] & (1u << (m % 8))) != 0) {
            r = runs_add(runs, (uint64_t)g_meta + (uint64_t)m * NACRE_PAGE_SIZE, NACRE_PAGE_SIZE,
                         true);
        }
    }
    return r;
}

int kmem_for_each_run(const void *scratch, kmem_run_fn *emit, void *arg)
{
    struct runs runs = {.emit = emit, .arg = arg};
    uint32_t page = 0;
    int r = add_metas(&runs);

    while (r == 0 && page < g_arena_pages) {
        const struct meta *m = &g_meta[page];
        const uint32_t pages = block_pages(page);
        const bool used = m->kind == KIND_RUN || m->kind == KIND_SLAB;

        if (used || (m->kind == KIND_FREE && m->order < VOID_ORDER)) {
            r = runs_add(&runs, page_address(page), (uint64_t)pages << NACRE_PAGE_SHIFT,
                         used && page_address(page) != (uint64_t)(uintptr_t)scratch);
        }
        page += pages;
    }
    return r < 0 ? r : runs_add(&runs, 0, 0, false);
}

void kmem_after_fork(void)
{
    for (unsigned order = ORDER_MAX; order >= VOID_ORDER; order--) {
        uint32_t page;

        while ((page = g_free_heads[0][order]) != NONE) {
            list_drop(&g_free_heads[0][order], page);
            g_meta[page].kind = KIND_NOTHING;
            g_free_pages -= 1ull << order;
            put_block(page, order, KIND_VOID);
        }
    }
}

uint64_t kmem_free_pages(void)
{
    return __atomic_load_n(&g_free_pages, __ATOMIC_RELAXED);
}
