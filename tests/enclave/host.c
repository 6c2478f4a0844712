/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The only file that reads and writes host memory. */
#include "enclave/enclave.h"

#include "core/overflow.h"

/* Words of the block, each read or written exactly once and never by a compiler's memcpy. */
#define BLOCK_FIELD(t, field) (*(volatile __typeof__((t)->block->field) *)&(t)->block->field)

bool host_range_ok(uint64_t addr, uint64_t size)
{
    uint64_t end;

    return !add_overflow(addr, size, &end) && end < 1ull << 47 &&
           !ranges_overlap(addr, MAX(size, (uint64_t)1), enclave_base, ENCLAVE_SIZE) && addr != 0;
}

int host_copy_in(void *dst, uint64_t src, size_t size)
{
    const volatile uint8_t *from = (const volatile uint8_t *)src;
    uint8_t *to = dst;

    if (!host_range_ok(src, size)) {
        return -EFAULT;
    }
    for (size_t i = 0; i < size; i++) {
        to[i] = from[i];
    }
    return 0;
}

void host_copy_out(uint64_t dst, const void *src, size_t size)
{
    volatile uint8_t *to = (volatile uint8_t *)dst;
    const uint8_t *from = src;

    if (!host_range_ok(dst, size)) {
        host_abort(6);
    }
    for (size_t i = 0; i < size; i++) {
        to[i] = from[i];
    }
}

static int64_t leave(struct thread *t)
{
    BLOCK_FIELD(t, exit) = EXIT_HOSTCALL;
    t->exits++;
    if (t->plain_exit != 0) {
        enclave_leave_plain();
    } else {
        enclave_leave();
    }
    return BLOCK_FIELD(t, result);
}

int64_t host_call(enum hostcall number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
    struct thread *t = thread_self();

    BLOCK_FIELD(t, number) = number;
    BLOCK_FIELD(t, args[0]) = a0;
    BLOCK_FIELD(t, args[1]) = a1;
    BLOCK_FIELD(t, args[2]) = a2;
    BLOCK_FIELD(t, args[3]) = a3;
    return leave(t);
}

uint64_t host_bounce(void)
{
    struct thread *t = thread_self();
    const uint64_t at = BLOCK_FIELD(t, buffer);

    return host_range_ok(at, HOSTCALL_BUFFER_SIZE) ? at : 0;
}

size_t host_bounce_size(void)
{
    struct thread *t = thread_self();

    return MIN((size_t)BLOCK_FIELD(t, buffer_size), HOSTCALL_BUFFER_SIZE);
}

int64_t host_write(int fd, const void *src, size_t size)
{
    const uint64_t bounce = host_bounce();
    volatile uint8_t *to = (volatile uint8_t *)bounce;
    const uint8_t *from = src;
    int64_t r;

    size = MIN(size, host_bounce_size());
    if (bounce == 0) {
        return -EFAULT;
    }
    for (size_t i = 0; i < size; i++) {
        to[i] = from[i];
    }
    r = host_call(HOSTCALL_write, (uint64_t)fd, bounce, size, 0);
    /* The host may claim to have written more than it was given. */
    return r > (int64_t)size ? -EIO : r;
}

void host_exit(int status)
{
    (void)host_call(HOSTCALL_exit, (uint64_t)status, 0, 0, 0);
    host_abort(2); /* `exit` returned */
}

void host_abort(uint64_t reason)
{
    struct thread *t = thread_self();

    BLOCK_FIELD(t, args[0]) = reason;
    for (;;) {
        BLOCK_FIELD(t, exit) = EXIT_ABORT;
        enclave_leave();
    }
}
