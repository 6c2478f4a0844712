/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The family's foreign bytes. First byte 0: the rest is what the host puts on a channel's stream:
 * nothing may ever be delivered. Otherwise: requests to the owner, as a member's enclave gone wrong
 * would send them (operation, size, body …), against real objects.
 */

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "libos/family/home.h"
#include "unit/libos/call.h"
#include "unit/libos/fake_host.h"
#include "unit/libos/fake_kernel.h"

#define REQUESTS_MAX 64

struct stream {
    const uint8_t *p;
    size_t left;
};

static int64_t stream_send(void *ctx, const void *src, size_t size)
{
    return (int64_t)size;
}

static int64_t stream_recv(void *ctx, void *dst, size_t size)
{
    struct stream *s = ctx;
    size_t n = size < s->left ? size : s->left;

    memcpy(dst, s->p, n);
    s->p += n;
    s->left -= n;
    return (int64_t)n;
}

static int stream_wait(void *ctx, bool to_write, bool interruptible)
{
    return -EIO;
}

static void stream_close(void *ctx)
{
}

static void fuzz_channel(const uint8_t *data, size_t size)
{
    static const struct channel_io io = {
        .send = stream_send, .recv = stream_recv, .wait = stream_wait, .close = stream_close};
    static const uint8_t key[CHANNEL_KEY_SIZE] = {7};
    struct stream s = {.p = data, .left = size};
    struct channel *c = aligned_alloc(64, (sizeof(*c) + 63) / 64 * 64);
    uint8_t *p = NULL;
    size_t got = 0;

    FUZZ_CHECK(channel_init(c, key, "fuzz", CHANNEL_ROLE_A, &io, &s) == 0);
    FUZZ_CHECK(channel_receive(c, CHANNEL_NOWAIT, &p, &got) < 0);
    channel_destroy(c);
    free(c);
}

/* Handles 1 … for this process itself: it has number 0, as a caller in the owner. */
static void give_objects(void)
{
    static const char *const paths[] = {"/tmp", "/tmp/file", "/tmp/dir", "/dev/null"};
    uint32_t handle;
    int fds[2];

    (void)SYS(mkdir, "/tmp/dir", 0755);
    (void)SYS(close, SYS(open, "/tmp/file", O_CREAT | O_RDWR, 0644));
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        int fd = (int)SYS(open, paths[i], O_RDONLY, 0);
        struct file *f = fd_get(fd);

        if (f != NULL) {
            FUZZ_CHECK(home_grant_inode(0, f->inode, &handle) == 0);
            FUZZ_CHECK(home_grant_file(0, f, &handle) == 0);
            file_put(f);
        }
        (void)SYS(close, fd);
    }
    if (SYS(pipe2, fds, O_NONBLOCK) == 0) {
        for (int i = 0; i < 2; i++) {
            struct file *f = fd_get(fds[i]);

            FUZZ_CHECK(home_grant_file(0, f, &handle) == 0);
            file_put(f);
            (void)SYS(close, fds[i]);
        }
    }
    (void)SYS(socketpair, 1, 1, 0, fds);
    for (int i = 0; i < 2; i++) {
        struct file *f = fd_get(fds[i]);

        FUZZ_CHECK(home_grant_file(0, f, &handle) == 0);
        file_put(f);
        (void)SYS(close, fds[i]);
    }
}

static void fuzz_requests(const uint8_t *data, size_t size)
{
    static uint8_t answer[FAMILY_ANSWER_MAX];

    fake_boot(-1, 1);
    fake_host_fuzz(NULL, 0); /* the host answers nothing: everything here is inside */
    home_start();
    give_objects();
    fake_pend_signal(1); /* nothing may wait */
    for (int i = 0; i < REQUESTS_MAX && size >= 3; i++) {
        const uint32_t op = data[0] % FAMILY_OP_COUNT;
        size_t n = data[1] | (size_t)data[2] << 8;
        size_t got = 0;

        data += 3;
        size -= 3;
        n = n < size ? n : size;
        (void)!family_call((enum family_op)op, data, n, answer, sizeof(answer), &got);
        FUZZ_CHECK(got <= sizeof(answer));
        data += n;
        size -= n;
    }
    fake_pend_signal(0);
    for (uint32_t handle = 1; handle < 4096; handle++) {
        home_drop(0, handle, UINT32_MAX);
    }
    fake_shutdown();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (data[0] == 0) {
        fuzz_channel(data + 1, size - 1);
    } else {
        fuzz_requests(data + 1, size - 1);
    }
    return 0;
}
