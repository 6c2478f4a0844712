/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/iter.h"

enum iter_op { ITER_PUT, ITER_TAKE, ITER_ZERO };

void iter_init_user(struct iter *it, uint64_t base, uint64_t size)
{
    it->one = (struct user_iovec){.base = base, .size = size};
    it->v = &it->one;
    it->count = 1;
    it->done_in_first = 0;
    it->left = size;
    it->kernel = false;
}

void iter_init_kernel(struct iter *it, const void *base, size_t size)
{
    iter_init_user(it, (uint64_t)(uintptr_t)base, size);
    it->kernel = true;
}

void iter_init_iov(struct iter *it, const struct user_iov *iov)
{
    it->v = iov->v;
    it->count = iov->count;
    it->done_in_first = 0;
    it->left = iov->total;
    it->kernel = false;
    it->one = (struct user_iovec){0};
}

static int copy_piece(const struct iter *it, enum iter_op op, uint64_t at, uint8_t *mem, size_t n)
{
    if (it->kernel) {
        void *p = (void *)(uintptr_t)at;

        if (op == ITER_PUT) {
            __builtin_memcpy(p, mem, n);
        } else if (op == ITER_TAKE) {
            __builtin_memcpy(mem, p, n);
        } else {
            __builtin_memset(p, 0, n);
        }
        return 0;
    }
    switch (op) {
    case ITER_PUT: return user_copy_out(at, mem, n);
    case ITER_TAKE: return user_copy_in(mem, at, n);
    case ITER_ZERO: return user_clear(at, n);
    }
    return -EFAULT;
}

static void step_over_empty(struct iter *it)
{
    while (it->count > 0 && it->done_in_first >= it->v->size) {
        it->v++;
        it->count--;
        it->done_in_first = 0;
    }
}

static size_t run(struct iter *it, enum iter_op op, uint8_t *mem, size_t size)
{
    size_t done = 0;

    size = MIN(size, it->left);
    while (done < size) {
        step_over_empty(it);
        if (it->count == 0) {
            it->left = 0;
            break;
        }
        size_t n = MIN(size - done, it->v->size - it->done_in_first);

        if (copy_piece(it, op, it->v->base + it->done_in_first, mem == NULL ? NULL : mem + done,
                       n) < 0) {
            break;
        }
        it->done_in_first += n;
        it->left -= n;
        done += n;
    }
    return done;
}

size_t iter_put(struct iter *it, const void *src, size_t size)
{
    /* ITER_PUT only reads through it */
    return run(it, ITER_PUT, (uint8_t *)(uintptr_t)src, size);
}

size_t iter_take(struct iter *it, void *dst, size_t size)
{
    return run(it, ITER_TAKE, dst, size);
}

size_t iter_zero(struct iter *it, size_t size)
{
    return run(it, ITER_ZERO, NULL, size);
}

void iter_skip(struct iter *it, uint64_t size)
{
    size = MIN(size, it->left);
    while (size > 0) {
        step_over_empty(it);
        if (it->count == 0) {
            it->left = 0;
            return;
        }
        uint64_t n = MIN(size, it->v->size - it->done_in_first);

        it->done_in_first += n;
        it->left -= n;
        size -= n;
    }
}
