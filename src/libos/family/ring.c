/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/family/ring.h"

#include "libos/host/host.h"
#include "libos/host/host_mem.h"
#include "libos/mm/kmem.h"
#include "libos/proc/park.h"
#include "libos/proc/wait.h"

#define MSG_DONTWAIT 0x40
#define POLLIN       1
#define ROOM_NS      200000 /* how often a full ring is looked at again */
#define BELLS        64u    /* bytes of the doorbell taken at a time */
#define BELL_TRIES   16

/* One direction in untrusted memory; the ends write on lines of their own. */
struct direction {
    uint64_t tail;  /* bytes ever written: the writer's word */
    uint64_t waits; /* not 0: the writer waits for room and wants to be rung for */
    uint64_t gap[6];
    uint64_t head;  /* bytes ever read: the reader's word */
    uint64_t looks; /* not 0: the reader looks by itself, or was rung for already */
    uint64_t gap2[6];
};
_Static_assert(sizeof(struct direction) == 128, "two lines");

struct ring {
    int fd;
    uint32_t size;
    void *memory;
    volatile struct direction *out, *in;
    uint8_t *out_bytes, *in_bytes;
    uint64_t tail;  /* ours; one sender at a time, others may look */
    uint64_t head;  /* ours; one receiver at a time, others may look */
    uint32_t ended; /* the stream is over: what is in the ring is all */
};

static uint64_t memory_size(uint32_t size)
{
    return NACRE_PAGE_SIZE + 2 * (uint64_t)size;
}

static int open_ring(int fd, uint32_t size, bool offers, void **ret_ctx)
{
    struct ring *r = kzalloc(sizeof(*r));
    volatile struct direction *d;
    uint8_t *bytes;
    int error;

    if (r == NULL) {
        return -ENOMEM;
    }
    error = offers ? host_share_offer(fd, memory_size(size), &r->memory)
                   : host_share_take(fd, memory_size(size), &r->memory);
    if (error < 0) {
        kfree(r);
        return error;
    }
    d = r->memory;
    bytes = (uint8_t *)r->memory + NACRE_PAGE_SIZE;
    r->fd = fd;
    r->size = size;
    r->out = d + (offers ? 0 : 1);
    r->in = d + (offers ? 1 : 0);
    r->out_bytes = bytes + (offers ? 0 : size);
    r->in_bytes = bytes + (offers ? size : 0);
    *ret_ctx = r;
    return 0;
}

int ring_offer(int fd, uint32_t size, void **ret_ctx)
{
    return open_ring(fd, size, /*offers=*/true, ret_ctx);
}

int ring_take(int fd, uint32_t size, void **ret_ctx)
{
    return open_ring(fd, size, /*offers=*/false, ret_ctx);
}

/* ---- the doorbell ---- */

/* A doorbell that is full rings already. -EINTR has no business here: a host that keeps to it keeps
 * the other end waiting, which it can do anyway. */
static int ring_bell(struct ring *r)
{
    const uint8_t byte = 0;
    int64_t n = -EINTR;

    for (int i = 0; i < BELL_TRIES && n == -EINTR; i++) {
        n = host_sendto(r->fd, &byte, sizeof(byte), MSG_DONTWAIT, NULL, 0);
    }
    return n >= 0 || n == -EAGAIN || n == -EINTR ? 0 : (int)n;
}

/* Takes what rang. What was written before it rang can be seen afterwards. */
static void hear_bell(void *ctx)
{
    struct ring *r = ctx;
    uint8_t bytes[BELLS];
    const int64_t n = host_recvfrom(r->fd, bytes, sizeof(bytes), MSG_DONTWAIT, NULL, NULL);

    if (n == 0 || (n < 0 && n != -EAGAIN && n != -EINTR)) {
        __atomic_store_n(&r->ended, 1, __ATOMIC_RELEASE);
    }
}

/* ---- positions ---- */

/* Bytes to be read; -EIO when the other end claims what cannot be. */
static int64_t filled(const struct ring *r)
{
    const uint64_t n = __atomic_load_n(&r->in->tail, __ATOMIC_SEQ_CST) -
                       __atomic_load_n(&r->head, __ATOMIC_RELAXED);

    return n > r->size ? -EIO : (int64_t)n;
}

static int64_t room(const struct ring *r)
{
    const uint64_t n = __atomic_load_n(&r->tail, __ATOMIC_RELAXED) -
                       __atomic_load_n(&r->out->head, __ATOMIC_SEQ_CST);

    return n > r->size ? -EIO : (int64_t)(r->size - n);
}

static bool ring_pending(void *ctx)
{
    return filled(ctx) != 0;
}

static bool has_room(void *ctx)
{
    return room(ctx) != 0;
}

/* ---- sending ---- */

static void put_bytes(struct ring *r, const uint8_t *src, size_t n)
{
    const size_t at = r->tail % r->size;
    const size_t first = MIN(n, r->size - at);

    host_copy_out(r->out_bytes + at, src, first);
    if (first < n) {
        host_copy_out(r->out_bytes, src + first, n - first);
    }
    __atomic_store_n(&r->tail, r->tail + n, __ATOMIC_RELAXED);
    __atomic_store_n(&r->out->tail, r->tail, __ATOMIC_SEQ_CST);
}

static int64_t ring_send(void *ctx, const void *src, size_t size)
{
    struct ring *r = ctx;
    int64_t n = room(r);

    if (n == 0) {
        __atomic_store_n(&r->out->waits, 1, __ATOMIC_SEQ_CST);
        n = room(r); /* the reader looks at `waits` after it moved on */
    }
    if (n <= 0) {
        return n == 0 ? -EAGAIN : n;
    }
    n = MIN(n & ~(int64_t)7, (int64_t)size);
    put_bytes(r, src, (size_t)n);
    if (__atomic_load_n(&r->out->looks, __ATOMIC_SEQ_CST) == 0) {
        int error;

        __atomic_store_n(&r->out->looks, 1, __ATOMIC_SEQ_CST);
        error = ring_bell(r);
        if (error < 0) {
            return error;
        }
    }
    return n == 0 ? -EAGAIN : n;
}

/* Rings for what was not fetched yet: whoever looked may have stopped to. */
static void ring_nudge(void *ctx)
{
    struct ring *r = ctx;

    if (room(r) != (int64_t)r->size) {
        (void)!ring_bell(r);
    }
}

static int wait_room(struct ring *r)
{
    struct host_pollfd fd = {.fd = r->fd, .events = 0};

    if (thread_look_around(has_room, r, /*certain=*/false)) {
        return 0;
    }
    ring_nudge(r);
    if (has_room(r)) {
        return 0;
    }
    /* The doorbell is the receiver's to hear: just look again, unless nobody is there any more. */
    if (host_poll(&fd, 1, ROOM_NS) == -EINTR) {
        park_take_host_signals();
    }
    return fd.revents != 0 ? -EPIPE : 0;
}

/* ---- receiving ---- */

static int64_t take_bytes(struct ring *r, uint8_t *dst, size_t size)
{
    int64_t n = filled(r);
    size_t at;
    size_t first;

    if (n <= 0) {
        return n;
    }
    n = MIN(n, (int64_t)size) & ~(int64_t)7;
    if (n == 0) {
        return -EIO; /* neither asks for, nor writes, parts of words */
    }
    at = r->head % r->size;
    first = MIN((size_t)n, r->size - at);
    host_copy_in(dst, r->in_bytes + at, first);
    if (first < (size_t)n) {
        host_copy_in(dst + first, r->in_bytes, (size_t)n - first);
    }
    __atomic_store_n(&r->head, r->head + (uint64_t)n, __ATOMIC_RELAXED);
    __atomic_store_n(&r->in->head, r->head, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&r->in->waits, __ATOMIC_SEQ_CST) != 0) {
        __atomic_store_n(&r->in->waits, 0, __ATOMIC_SEQ_CST);
        (void)!ring_bell(r);
    }
    return n;
}

static int64_t ring_recv(void *ctx, void *dst, size_t size)
{
    struct ring *r = ctx;
    const bool ended = __atomic_load_n(&r->ended, __ATOMIC_ACQUIRE) != 0;
    const int64_t n = take_bytes(r, dst, size);

    return n != 0 || ended ? n : -EAGAIN;
}

static void ring_look(void *ctx, bool on)
{
    struct ring *r = ctx;

    __atomic_store_n(&r->in->looks, on ? 1 : 0, __ATOMIC_SEQ_CST);
}

/* Sleeps until it rings. Everything that came before `looks` was cleared is seen by the caller's
 * look after it. */
static int sleep_for_bell(struct ring *r)
{
    struct host_pollfd fd = {.fd = r->fd, .events = POLLIN};
    int n;

    ring_look(r, false);
    if (ring_pending(r)) {
        return 0;
    }
    n = host_poll(&fd, 1, -1);
    if (n > 0) {
        hear_bell(r);
    }
    return MIN(n, 0);
}

static int ring_wait(void *ctx, bool to_write, bool interruptible)
{
    struct ring *r = ctx;
    int n;

    if (to_write) {
        return wait_room(r);
    }
    n = sleep_for_bell(r);
    if (n == -EINTR) {
        park_take_host_signals();
        n = interruptible ? n : 0;
    }
    return n;
}

static int64_t ring_recv_wait(void *ctx, void *dst, size_t size, bool interruptible)
{
    struct ring *r = ctx;

    for (;;) {
        uint8_t bells[BELLS];
        int64_t n;

        ring_look(r, true);
        (void)thread_look_around(ring_pending, r, /*certain=*/false);
        n = ring_recv(r, dst, size);
        if (n != -EAGAIN) {
            return n;
        }
        if (thread_must_end() || (interruptible && thread_signal_pending())) {
            return -EINTR;
        }
        ring_nudge(r);
        ring_look(r, false);
        if (ring_pending(r)) {
            continue;
        }
        n = host_recvfrom(r->fd, bells, sizeof(bells), 0, NULL, NULL);
        if (n == -EINTR) {
            park_take_host_signals();
        } else if (n <= 0) {
            __atomic_store_n(&r->ended, 1, __ATOMIC_RELEASE);
        }
    }
}

static void ring_close(void *ctx)
{
    struct ring *r = ctx;

    (void)host_close(r->fd);
    host_unmap(r->memory, memory_size(r->size));
    kfree(r);
}

static int ring_fd(void *ctx)
{
    return ((const struct ring *)ctx)->fd;
}

const struct channel_io channel_io_ring = {
    .send = ring_send,
    .recv = ring_recv,
    .wait = ring_wait,
    .close = ring_close,
    .recv_wait = ring_recv_wait,
    .fd = ring_fd,
    .hear = hear_bell,
    .pending = ring_pending,
    .look = ring_look,
    .nudge = ring_nudge,
};
