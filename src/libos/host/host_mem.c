/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/host/host_mem.h"

#include "core/overflow.h"
#include "libos/lib/sync.h"
#include "libos/mm/kmem.h"

#define BOUNCE_ALIGN 64u
#define ERRNO_LAST   133 /* EHWPOISON: the highest number Linux has */

static uint64_t g_elrange_start;
static uint64_t g_elrange_size;

void host_mem_init(uint64_t elrange_start, uint64_t elrange_size)
{
    g_elrange_start = elrange_start;
    g_elrange_size = elrange_size;
}

bool host_range_outside(const volatile void *p, uint64_t size)
{
    uint64_t start = (uint64_t)(uintptr_t)p;
    uint64_t end;

    if (p == NULL || add_overflow(start, size, &end)) {
        return false;
    }
    return !ranges_overlap(start, MAX(size, 1ull), g_elrange_start, g_elrange_size);
}

struct bounce bounce_take(size_t want, size_t least)
{
    struct host_bounce *own = host_bounce();
    size_t room = own->size - own->used;
    struct bounce b = {.owner = own, .mark = own->used};
    const size_t most = (want + BOUNCE_ALIGN - 1) & ~(size_t)(BOUNCE_ALIGN - 1);
    /* Never all of it: filling this piece from application memory can mean reading a page of a
     * mapped file, which takes a piece of its own. */
    size_t size = MIN(most, (room - room / 8) & ~(size_t)(BOUNCE_ALIGN - 1));

    if (size < least) {
        size = MIN(most, room & ~(size_t)(BOUNCE_ALIGN - 1));
    }
    if (size < least || (size == 0 && want != 0)) {
        return b;
    }
    b.p = own->p + own->used;
    b.size = MIN(size, want);
    own->used += size;
    return b;
}

void bounce_drop(struct bounce *b)
{
    if (b->p != NULL) {
        b->owner->used = b->mark;
        b->p = NULL;
    }
}

void host_copy_out(void *untrusted_dst, const void *src, size_t size)
{
    const uint8_t *s = src;
    uint8_t *d = untrusted_dst;
    size_t words = size / 8;
    size_t tail = size % 8;

    __asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
    if (tail != 0) {
        uint64_t last = 0;

        __builtin_memcpy(&last, s, tail);
        *(volatile uint64_t *)(void *)d = last;
    }
}

void host_copy_in(void *dst, const void *untrusted_src, size_t size)
{
    uint8_t *d = dst;
    const uint8_t *s = untrusted_src;
    size_t words = size / 8;
    size_t tail = size % 8;

    __asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
    if (tail != 0) {
        uint64_t last = *(const volatile uint64_t *)(const void *)s;

        __builtin_memcpy(d, &last, tail);
    }
}

/* Numbers below ERRNO_LAST that no Linux has. */
static bool errno_known(int64_t e)
{
    return e >= 1 && e <= ERRNO_LAST && e != 41 && e != 58;
}

int64_t host_call(enum hostcall number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                  uint64_t f)
{
    int64_t r = hostcall(number, (const uint64_t[HOSTCALL_ARGS]){a, b, c, d, e, f});

    if (r < 0 && (r < -ERRNO_LAST || !errno_known(-r))) {
        return -EIO;
    }
    return r;
}

/*
 * The descriptors we hold, a bit each. A host that hands the same number out twice would make two
 * of our files one, and a close of one the end of both.
 */
#define CHUNK_BITS 4096u
static uint64_t *g_fd_chunks[HOST_FD_MAX / CHUNK_BITS];
static struct spinlock g_fd_lock;

static uint64_t *fd_chunk(uint32_t fd)
{
    uint64_t **slot = &g_fd_chunks[fd / CHUNK_BITS];

    if (__atomic_load_n(slot, __ATOMIC_ACQUIRE) == NULL) {
        uint64_t *fresh = kzalloc(CHUNK_BITS / 8);
        uint64_t *expected = NULL;

        if (fresh != NULL && !__atomic_compare_exchange_n(slot, &expected, fresh, false,
                                                          __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            kfree(fresh);
        }
    }
    return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

int host_fd_opened(int64_t result)
{
    if (result < 0) {
        return (int)result;
    }
    if (result >= HOST_FD_MAX) {
        return -EIO;
    }
    uint32_t fd = (uint32_t)result;
    uint64_t *chunk = fd_chunk(fd);
    uint64_t bit = 1ull << (fd % 64);

    if (chunk == NULL) {
        (void)host_call(HOSTCALL_close, fd, 0, 0, 0, 0, 0);
        return -ENOMEM;
    }
    spin_lock(&g_fd_lock);
    uint64_t *word = &chunk[fd % CHUNK_BITS / 64];
    bool taken = (*word & bit) != 0;

    *word |= bit;
    spin_unlock(&g_fd_lock);
    return taken ? -EIO : (int)fd;
}

void host_fd_closed(int fd)
{
    if (fd < 0 || (uint32_t)fd >= HOST_FD_MAX || g_fd_chunks[(uint32_t)fd / CHUNK_BITS] == NULL) {
        return;
    }
    spin_lock(&g_fd_lock);
    g_fd_chunks[(uint32_t)fd / CHUNK_BITS][(uint32_t)fd % CHUNK_BITS / 64] &=
        ~(1ull << ((uint32_t)fd % 64));
    spin_unlock(&g_fd_lock);
}
