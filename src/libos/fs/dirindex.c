/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/dirindex.h"

#include "libos/lib/str.h"
#include "libos/mm/kmem.h"

#define BUCKETS_FIRST 8u
#define ORDER_FIRST   8u

struct qstr qstr_make(const char *s, size_t len)
{
    return (struct qstr){.s = s, .len = (uint32_t)len, .hash = str_hash(s, len)};
}

struct dir_entry *dirindex_find(const struct dirindex *d, const struct qstr *name)
{
    if (d->bucket_count == 0) {
        return NULL;
    }
    for (struct dir_entry *e = d->bucket[name->hash & (d->bucket_count - 1)]; e != NULL;
         e = e->next) {
        if (e->hash == name->hash && e->len == name->len &&
            __builtin_memcmp(e->name, name->s, name->len) == 0) {
            return e;
        }
    }
    return NULL;
}

static int grow_buckets(struct dirindex *d)
{
    if (d->count < d->bucket_count) {
        return 0;
    }
    size_t n = d->bucket_count == 0 ? BUCKETS_FIRST : d->bucket_count * 2;
    struct dir_entry **bucket = kzalloc(n * sizeof(bucket[0]));

    if (bucket == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < d->order_len; i++) {
        struct dir_entry *e = d->order[i].e;

        if (e != NULL) {
            e->next = bucket[e->hash & (n - 1)];
            bucket[e->hash & (n - 1)] = e;
        }
    }
    kfree(d->bucket);
    d->bucket = bucket;
    d->bucket_count = n;
    return 0;
}

/* Room for one more at the end of `order`: by closing the gaps when half of it is gaps. */
static int grow_order(struct dirindex *d)
{
    if (d->order_len < d->order_cap) {
        return 0;
    }
    if (d->count < d->order_len / 2) {
        size_t n = 0;

        for (size_t i = 0; i < d->order_len; i++) {
            if (d->order[i].e != NULL) {
                d->order[n++] = d->order[i];
            }
        }
        d->order_len = n;
        return 0;
    }
    size_t cap = d->order_cap == 0 ? ORDER_FIRST : d->order_cap * 2;
    struct dir_slot *order = krealloc(d->order, cap * sizeof(order[0]));

    if (order == NULL) {
        return -ENOMEM;
    }
    d->order = order;
    d->order_cap = cap;
    return 0;
}

int dirindex_add(struct dirindex *d, const struct qstr *name, struct inode *inode, uint64_t ino,
                 uint8_t type, struct dir_entry **ret)
{
    if (grow_buckets(d) < 0 || grow_order(d) < 0) {
        return -ENOMEM;
    }
    struct dir_entry *e = kmalloc(sizeof(*e) + name->len);

    if (e == NULL) {
        return -ENOMEM;
    }
    if (d->next_cookie < DIR_FIRST_COOKIE) {
        d->next_cookie = DIR_FIRST_COOKIE;
    }
    struct dir_entry **bucket = &d->bucket[name->hash & (d->bucket_count - 1)];

    *e = (struct dir_entry){
        .cookie = d->next_cookie++,
        .next = *bucket,
        .inode = inode,
        .ino = ino,
        .type = type,
        .hash = name->hash,
        .len = name->len,
    };
    __builtin_memcpy(e->name, name->s, name->len);
    *bucket = e;
    d->order[d->order_len++] = (struct dir_slot){.cookie = e->cookie, .e = e};
    d->count++;
    if (ret != NULL) {
        *ret = e;
    }
    return 0;
}

/* Index in `order` of the first slot whose cookie is >= pos. */
static size_t lower_bound(const struct dirindex *d, uint64_t pos)
{
    size_t lo = 0;
    size_t hi = d->order_len;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (d->order[mid].cookie < pos) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

struct dir_entry *dirindex_next(const struct dirindex *d, uint64_t pos)
{
    for (size_t i = lower_bound(d, pos); i < d->order_len; i++) {
        if (d->order[i].e != NULL) {
            return d->order[i].e;
        }
    }
    return NULL;
}

void dirindex_remove(struct dirindex *d, struct dir_entry *e)
{
    struct dir_entry **link = &d->bucket[e->hash & (d->bucket_count - 1)];

    while (*link != e) {
        link = &(*link)->next;
    }
    *link = e->next;
    d->order[lower_bound(d, e->cookie)].e = NULL;
    while (d->order_len > 0 && d->order[d->order_len - 1].e == NULL) {
        d->order_len--;
    }
    d->count--;
    inode_put(e->inode);
    kfree(e);
}

void dirindex_clear(struct dirindex *d)
{
    for (size_t i = 0; i < d->order_len; i++) {
        if (d->order[i].e != NULL) {
            inode_put(d->order[i].e->inode);
            kfree(d->order[i].e);
        }
    }
    kfree(d->order);
    kfree(d->bucket);
    *d = (struct dirindex){0};
}

int dirindex_emit(const struct dirindex *d, struct dir_context *ctx,
                  bool (*skip)(const struct dir_entry *e))
{
    uint64_t pos = MAX(ctx->pos, (uint64_t)DIR_FIRST_COOKIE);

    for (size_t i = lower_bound(d, pos); i < d->order_len; i++) {
        const struct dir_entry *e = d->order[i].e;

        if (e == NULL || (skip != NULL && skip(e))) {
            continue;
        }
        if (!ctx->emit(ctx, e->name, e->len, e->ino, e->type, e->cookie + 1)) {
            return 0;
        }
        ctx->pos = e->cookie + 1;
    }
    return 0;
}
