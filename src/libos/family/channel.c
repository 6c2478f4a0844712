/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Frames are put together, sealed and opened in enclave memory and only then copied: GCM reads its
 * input (and, sealing, its output) more than once, and what it reads must not change in between.
 * The frame's number is never sent: both ends count, so a frame that is missing, repeated or in the
 * wrong place has the wrong nonce and does not open. Whatever fails once fails for ever.
 */

#include "libos/family/channel.h"

#include "core/ct.h"
#include "core/hmac.h"
#include "core/le.h"
#include "libos/host/host.h"
#include "libos/lib/simd.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"
#include "libos/proc/park.h"
#include "libos/proc/wait.h"

#define KIND_DATA      1u /* a message, or what its parts left of it */
#define KIND_FAREWELL  2u
#define KIND_PART      3u /* of a message: more follows */
#define KIND_TAKE_BACK 4u /* the parts so far are no message */

#define FIRST_CAP    8192u
#define OVERHEAD     (CHANNEL_HEADER_SIZE + AEAD_TAG_SIZE)
#define WORD         8u
#define NUMBER_MAX   (1ull << 62)
#define KEEP_CAP     ((size_t)256 << 10) /* larger buffers are given back when empty */
#define MSG_DONTWAIT 0x40

/* ---- a host descriptor ---- */

static int fd_of(void *ctx)
{
    return (int)(intptr_t)ctx;
}

static int64_t host_stream_send(void *ctx, const void *src, size_t size)
{
    int64_t n = host_sendto(fd_of(ctx), src, size, MSG_DONTWAIT, NULL, 0);

    /* -EINTR: a signal was waiting before the call; the caller sees to signals. Nothing was sent
     * either way. */
    return n == 0 || n == -EINTR ? -EAGAIN : n;
}

static int64_t host_stream_recv(void *ctx, void *dst, size_t size)
{
    int64_t n = host_recvfrom(fd_of(ctx), dst, size, MSG_DONTWAIT, NULL, NULL);

    return n == -EINTR ? -EAGAIN : n;
}

static int host_stream_wait(void *ctx, bool to_write, bool interruptible)
{
    struct host_pollfd fd = {.fd = fd_of(ctx), .events = to_write ? 4 : 1 /* POLLOUT, POLLIN */};
    int r;

    if (interruptible) {
        return thread_wait_fds(&fd, 1, WAIT_FOREVER);
    }
    /* Signals and wakes are for others: this sleep is short by design. But what the host filed must
     * be taken over, or no call of this thread would ever sleep, or receive, again. */
    r = host_poll(&fd, 1, -1);
    if (r == -EINTR) {
        park_take_host_signals();
        r = 0;
    }
    return MIN(r, 0);
}

static int64_t host_stream_recv_wait(void *ctx, void *dst, size_t size, bool interruptible)
{
    for (;;) {
        int64_t n;

        if (thread_must_end() || (interruptible && thread_signal_pending())) {
            return -EINTR;
        }
        n = host_recvfrom(fd_of(ctx), dst, size, 0, NULL, NULL);
        if (n != -EINTR) {
            return n;
        }
        park_take_host_signals();
    }
}

static void host_stream_close(void *ctx)
{
    (void)host_close(fd_of(ctx));
}

const struct channel_io channel_io_host = {
    .send = host_stream_send,
    .recv = host_stream_recv,
    .wait = host_stream_wait,
    .close = host_stream_close,
    .recv_wait = host_stream_recv_wait,
    .fd = fd_of,
};

/* ---- keys ---- */

static void direction_key(const uint8_t *key, char direction, const char *label,
                          struct aead_key *ret)
{
    static const char base[] = "nacre family channel ";
    uint8_t derived[AEAD_KEY_SIZE];
    char info[sizeof(base) + 1 + CHANNEL_LABEL_MAX];
    size_t n = sizeof(base) - 1;
    const size_t label_size = str_len(label);

    __builtin_memcpy(info, base, n);
    info[n++] = direction;
    __builtin_memcpy(info + n, label, label_size);
    n += label_size;
    /* Only an impossible size makes it fail. */
    (void)!hkdf_sha256(NULL, 0, key, CHANNEL_KEY_SIZE, info, n, derived, sizeof(derived));
    aead_key_init(ret, derived);
    ct_wipe(derived, sizeof(derived));
}

int channel_init(struct channel *c, const uint8_t key[static CHANNEL_KEY_SIZE], const char *label,
                 enum channel_role role, const struct channel_io *io, void *ctx)
{
    struct simd_state simd;
    const bool a = role == CHANNEL_ROLE_A;

    if (str_len(label) > CHANNEL_LABEL_MAX) {
        return -EINVAL;
    }
    __builtin_memset(c, 0, sizeof(*c));
    c->in = kmalloc(FIRST_CAP);
    if (c->in == NULL) {
        return -ENOMEM;
    }
    c->in_cap = FIRST_CAP;
    simd_begin(&simd);
    direction_key(key, 'a', label, a ? &c->send_key : &c->recv_key);
    direction_key(key, 'b', label, a ? &c->recv_key : &c->send_key);
    simd_end(&simd);
    c->io = io;
    c->ctx = ctx;
    return 0;
}

void channel_destroy(struct channel *c)
{
    if (c->io == NULL) {
        return;
    }
    c->io->close(c->ctx);
    if (c->in != NULL) {
        ct_wipe(c->in, c->in_cap);
        kfree(c->in);
    }
    if (c->message != NULL) {
        ct_wipe(c->message, CHANNEL_PAYLOAD_MAX);
        kfree(c->message);
    }
    kfree(c->out);
    ct_wipe(c, sizeof(*c));
}

static int broken(struct channel *c, int error)
{
    int none = 0;

    (void)__atomic_compare_exchange_n(&c->error, &none, error, false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_ACQUIRE);
    return __atomic_load_n(&c->error, __ATOMIC_ACQUIRE);
}

static int state_of(const struct channel *c)
{
    return __atomic_load_n(&c->error, __ATOMIC_ACQUIRE);
}

static void make_nonce(uint64_t number, uint8_t ret[static AEAD_NONCE_SIZE])
{
    __builtin_memset(ret, 0, 4);
    le64_store(ret + 4, number);
}

/* ---- sending ---- */

/* Room for `size` more bytes behind out_end. send_lock held. */
static int out_room(struct channel *c, size_t size)
{
    size_t have = c->out_end - c->out_at;
    size_t want = have + size;
    uint8_t *fresh;

    if (want > CHANNEL_BACKLOG_MAX) {
        return broken(c, -ENOBUFS);
    }
    if (c->out_end + size <= c->out_cap) {
        return 0;
    }
    if (want <= c->out_cap) {
        __builtin_memmove(c->out, c->out + c->out_at, have);
    } else {
        want = MAX(want + want / 4, (size_t)FIRST_CAP);
        fresh = kmalloc(want);
        if (fresh == NULL) {
            return -ENOMEM;
        }
        if (have > 0) {
            __builtin_memcpy(fresh, c->out + c->out_at, have);
        }
        kfree(c->out);
        c->out = fresh;
        c->out_cap = want;
    }
    c->out_at = 0;
    c->out_end = have;
    return 0;
}

static int flush_locked(struct channel *c)
{
    while (c->out_at < c->out_end) {
        int64_t n = c->io->send(c->ctx, c->out + c->out_at, c->out_end - c->out_at);

        if (n == -EAGAIN) {
            return 0;
        }
        if (n <= 0) {
            return broken(c, n == 0 ? -EPIPE : (int)n);
        }
        c->out_at += (size_t)n;
    }
    c->out_at = 0;
    c->out_end = 0;
    if (c->out_cap > KEEP_CAP) {
        kfree(c->out);
        c->out = NULL;
        c->out_cap = 0;
    }
    return 1;
}

/* Seals what lies behind the header of the frame at out_end. send_lock held. */
static void seal_frame(struct channel *c, uint8_t kind, size_t size, size_t padding)
{
    uint8_t *frame = c->out + c->out_end;
    uint8_t *payload = frame + CHANNEL_HEADER_SIZE;
    uint8_t nonce[AEAD_NONCE_SIZE];
    struct simd_state simd;

    le32_store(frame, (uint32_t)size);
    le32_store(frame + 4, kind | (uint32_t)padding << 8);
    make_nonce(c->sent++, nonce);
    simd_begin(&simd);
    aead_seal(&c->send_key, nonce, frame, CHANNEL_HEADER_SIZE, payload, size, payload,
              payload + size);
    simd_end(&simd);
    c->out_end += OVERHEAD + size;
}

static int may_send(struct channel *c)
{
    if (state_of(c) < 0) {
        return state_of(c);
    }
    if (c->farewell) {
        return -EPIPE;
    }
    return c->sent >= NUMBER_MAX ? broken(c, -EOVERFLOW) : 0;
}

/* What a message is made of, as far as it is not sealed yet. */
struct pieces {
    const struct channel_part *parts;
    size_t count;
    size_t at; /* in the first of them */
    struct iter *from;
};

/* The next `size` bytes. -EFAULT. */
static int take_pieces(struct pieces *p, uint8_t *dst, size_t size)
{
    while (size > 0 && p->count > 0) {
        const size_t n = MIN(size, p->parts->size - p->at);

        if (n > 0) {
            __builtin_memcpy(dst, (const uint8_t *)p->parts->p + p->at, n);
        }
        dst += n;
        size -= n;
        p->at += n;
        if (p->at == p->parts->size) {
            p->parts++;
            p->count--;
            p->at = 0;
        }
    }
    return size > 0 && iter_take(p->from, dst, size) < size ? -EFAULT : 0;
}

/* One frame of the message, and as much of it to the host as the host takes. */
static int post_part(struct channel *c, struct pieces *p, uint8_t kind, size_t size)
{
    const size_t padding = -size & (WORD - 1);
    uint8_t *payload;
    int r = out_room(c, OVERHEAD + size + padding);

    if (r < 0) {
        return r;
    }
    payload = c->out + c->out_end + CHANNEL_HEADER_SIZE;
    if (take_pieces(p, payload, size) < 0) {
        ct_wipe(payload, size);
        return -EFAULT;
    }
    __builtin_memset(payload + size, 0, padding);
    seal_frame(c, kind, size + padding, padding);
    r = flush_locked(c);
    return MIN(r, 0);
}

/* What went of a message is none after all. */
static void take_back(struct channel *c)
{
    if (out_room(c, OVERHEAD) < 0) {
        (void)broken(c, -ENOMEM);
        return;
    }
    seal_frame(c, KIND_TAKE_BACK, 0, 0);
    (void)!flush_locked(c);
}

static int post_parts(struct channel *c, struct pieces *p, size_t total)
{
    bool begun = false;
    int r = 0;

    while (r == 0 && total > CHANNEL_PART_SIZE) {
        r = post_part(c, p, KIND_PART, CHANNEL_PART_SIZE);
        begun |= r == 0;
        total -= CHANNEL_PART_SIZE;
    }
    r = r < 0 ? r : post_part(c, p, KIND_DATA, total);
    if (r < 0 && begun && state_of(c) == 0) {
        take_back(c);
    }
    return r;
}

static int post_locked(struct channel *c, const struct channel_part *parts, size_t count,
                       struct iter *from, size_t size)
{
    struct pieces p = {.parts = parts, .count = count, .from = from};
    struct iter saved;
    size_t total = size;
    int r = may_send(c);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < count; i++) {
        if (__builtin_add_overflow(total, parts[i].size, &total)) {
            return -EMSGSIZE;
        }
    }
    if (total > CHANNEL_PAYLOAD_MAX) {
        return -EMSGSIZE;
    }
    if (size > 0) {
        saved = *from;
    }
    r = post_parts(c, &p, total);
    if (r == -EFAULT) {
        iter_restore(from, &saved);
    }
    return r;
}

int channel_post_iter(struct channel *c, const struct channel_part *parts, size_t count,
                      struct iter *from, size_t size)
{
    int r;

    mutex_lock(&c->send_lock);
    r = post_locked(c, parts, count, from, size);
    mutex_unlock(&c->send_lock);
    return r;
}

int channel_post(struct channel *c, const struct channel_part *parts, size_t count)
{
    return channel_post_iter(c, parts, count, NULL, 0);
}

int channel_flush(struct channel *c)
{
    int r;

    mutex_lock(&c->send_lock);
    r = state_of(c) < 0 ? state_of(c) : flush_locked(c);
    mutex_unlock(&c->send_lock);
    return r;
}

int channel_drain(struct channel *c)
{
    for (;;) {
        int r = channel_flush(c);

        if (r != 0) {
            return MIN(r, 0);
        }
        r = c->io->wait(c->ctx, /*to_write=*/true, /*interruptible=*/false);
        if (r < 0) {
            return broken(c, r);
        }
    }
}

bool channel_backlog(struct channel *c)
{
    bool waits;

    mutex_lock(&c->send_lock);
    waits = c->out_at < c->out_end;
    mutex_unlock(&c->send_lock);
    return waits;
}

int channel_send(struct channel *c, const struct channel_part *parts, size_t count)
{
    int r = channel_post(c, parts, count);

    return r < 0 ? r : channel_drain(c);
}

int channel_part(struct channel *c)
{
    int r;

    mutex_lock(&c->send_lock);
    r = may_send(c);
    if (r == 0) {
        r = out_room(c, OVERHEAD);
    }
    if (r == 0) {
        seal_frame(c, KIND_FAREWELL, 0, 0);
        c->farewell = true;
        r = flush_locked(c);
    }
    mutex_unlock(&c->send_lock);
    return MIN(r, 0);
}

/* ---- receiving ---- */

/* The size of the frame at in_at when its header is there and sane: 1, 0 (more is needed), or
 * -EBADMSG. The header is authenticated only with the whole frame: until then it tells how much to
 * wait for, which is bounded. */
static int frame_size(const struct channel *c, size_t *ret)
{
    const uint8_t *h = c->in + c->in_at;
    uint32_t padding;
    uint32_t kind;
    uint32_t size;

    if (c->in_end - c->in_at < CHANNEL_HEADER_SIZE) {
        return 0;
    }
    size = le32_load(h);
    kind = le32_load(h + 4) & 0xff;
    padding = le32_load(h + 4) >> 8;
    if (size > CHANNEL_PART_SIZE || size % WORD != 0 || padding >= WORD || padding > size ||
        kind < KIND_DATA || kind > KIND_TAKE_BACK) {
        return -EBADMSG;
    }
    if ((kind == KIND_FAREWELL || kind == KIND_TAKE_BACK) && size != 0) {
        return -EBADMSG;
    }
    *ret = OVERHEAD + size;
    return 1;
}

bool channel_buffered(const struct channel *c)
{
    size_t size = 0;
    int r = frame_size(c, &size);

    return r < 0 || (r > 0 && c->in_end - c->in_at >= size) || c->parted || state_of(c) < 0;
}

/* Makes room so that a frame of `size` bytes fits from in_at on. */
static int in_room(struct channel *c, size_t size)
{
    size_t have = c->in_end - c->in_at;
    size_t cap = c->in_cap;
    uint8_t *fresh;

    if (c->in_at + size <= c->in_cap && c->in_end < c->in_cap) {
        return 0;
    }
    if (size <= cap && have < cap) {
        __builtin_memmove(c->in, c->in + c->in_at, have);
    } else {
        while (cap < size || cap <= have) {
            cap *= 2;
        }
        fresh = kmalloc(cap);
        if (fresh == NULL) {
            return -ENOMEM; /* not broken: the bytes are still there */
        }
        __builtin_memcpy(fresh, c->in + c->in_at, have);
        ct_wipe(c->in, c->in_cap);
        kfree(c->in);
        c->in = fresh;
        c->in_cap = cap;
    }
    c->in_at = 0;
    c->in_end = have;
    return 0;
}

/* Where the frame's content goes: it stays where it is, unless its message has several. */
static int content_place(struct channel *c, uint8_t kind, uint8_t *payload, size_t size,
                         uint8_t **ret)
{
    if (kind != KIND_PART && c->message_size == 0) {
        *ret = payload;
        return 0;
    }
    if (c->message == NULL) {
        c->message = kmalloc(CHANNEL_PAYLOAD_MAX);
        if (c->message == NULL) {
            return -ENOMEM; /* not broken: the frame is still there */
        }
    }
    *ret = c->message + c->message_size;
    return size > CHANNEL_PAYLOAD_MAX - c->message_size ? broken(c, -EBADMSG) : 0;
}

/* An opened frame. 1: it ends a message, 0: it is the farewell, -EINPROGRESS: more is to come. */
static int take_frame(struct channel *c, uint8_t kind, uint8_t *content, size_t size,
                      uint8_t **ret_p, size_t *ret_size)
{
    switch (kind) {
    case KIND_PART: c->message_size += size; return -EINPROGRESS;
    case KIND_TAKE_BACK:
        ct_wipe(c->message, c->message_size);
        c->message_size = 0;
        return -EINPROGRESS;
    case KIND_FAREWELL: c->parted = true; return 0;
    default: break;
    }
    *ret_p = c->message_size == 0 ? content : c->message;
    *ret_size = c->message_size + size;
    c->message_size = 0;
    return 1;
}

/* Opens the whole frame at in_at. */
static int open_frame(struct channel *c, size_t size, uint8_t **ret_p, size_t *ret_size)
{
    uint8_t *frame = c->in + c->in_at;
    uint8_t *payload = frame + CHANNEL_HEADER_SIZE;
    const uint8_t kind = frame[4];
    const uint8_t padding = frame[5];
    const size_t payload_size = size - OVERHEAD;
    uint8_t nonce[AEAD_NONCE_SIZE];
    struct simd_state simd;
    uint8_t *content;
    int r;

    if (c->received >= NUMBER_MAX) {
        return broken(c, -EOVERFLOW);
    }
    r = content_place(c, kind, payload, payload_size, &content);
    if (r < 0) {
        return r;
    }
    make_nonce(c->received, nonce);
    simd_begin(&simd);
    r = aead_open(&c->recv_key, nonce, frame, CHANNEL_HEADER_SIZE, payload, payload_size, content,
                  payload + payload_size);
    simd_end(&simd);
    if (r < 0) {
        return broken(c, -EBADMSG);
    }
    c->received++;
    c->in_at += size;
    return take_frame(c, kind, content, payload_size - padding, ret_p, ret_size);
}

/* One turn with the host: bytes came (1), none now (-EAGAIN), or it is over. */
static int fill(struct channel *c, uint32_t how)
{
    uint8_t *at = c->in + c->in_end;
    const size_t room = c->in_cap - c->in_end;
    const bool sleep = (how & CHANNEL_NOWAIT) == 0 && c->io->recv_wait != NULL;
    int64_t n = sleep ? c->io->recv_wait(c->ctx, at, room, (how & CHANNEL_UNINTERRUPTIBLE) == 0)
                      : c->io->recv(c->ctx, at, room);

    if (n == -EAGAIN || (sleep && n == -EINTR)) {
        return (int)n;
    }
    if (n == 0) {
        return broken(c, -ECONNABORTED); /* the stream ended and nobody said goodbye */
    }
    if (n < 0) {
        return broken(c, (int)n);
    }
    c->in_end += (size_t)n;
    return 1;
}

static int receive_once(struct channel *c, uint32_t how, uint8_t **ret_p, size_t *ret_size)
{
    size_t size = 0;
    int r = frame_size(c, &size);

    if (r < 0) {
        return broken(c, r);
    }
    if (r > 0 && c->in_end - c->in_at >= size) {
        return open_frame(c, size, ret_p, ret_size);
    }
    if (c->in_at == c->in_end) {
        c->in_at = 0;
        c->in_end = 0;
    }
    r = in_room(c, MAX(size, (size_t)CHANNEL_HEADER_SIZE));
    if (r < 0) {
        return r;
    }
    r = fill(c, how);
    return r == 1 ? -EINPROGRESS : r;
}

int channel_receive(struct channel *c, uint32_t how, uint8_t **ret_p, size_t *ret_size)
{
    for (;;) {
        int r = state_of(c);

        if (r < 0) {
            return r;
        }
        if (c->parted) {
            return 0;
        }
        r = receive_once(c, how, ret_p, ret_size);
        if (r == -EINPROGRESS) {
            continue;
        }
        if (r != -EAGAIN || (how & CHANNEL_NOWAIT) != 0) {
            return r;
        }
        r = c->io->wait(c->ctx, /*to_write=*/false, (how & CHANNEL_UNINTERRUPTIBLE) == 0);
        if (r == -EINTR) {
            return r;
        }
        if (r < 0) {
            return broken(c, r);
        }
    }
}

/* ---- what the stream is ---- */

int channel_move(struct channel *c, const struct channel_io *io, void *ctx)
{
    if (c->in_at != c->in_end || c->out_at != c->out_end || c->message_size != 0) {
        return -EBADMSG;
    }
    c->io = io;
    c->ctx = ctx;
    return 0;
}

int channel_fd(const struct channel *c)
{
    return c->io->fd(c->ctx);
}

bool channel_rings(const struct channel *c)
{
    return c->io->hear != NULL;
}

void channel_hear(struct channel *c)
{
    if (c->io->hear != NULL) {
        c->io->hear(c->ctx);
    }
}

bool channel_pending(const struct channel *c)
{
    return c->io->pending != NULL && c->io->pending(c->ctx);
}

void channel_look(struct channel *c, bool on)
{
    if (c->io->look != NULL) {
        c->io->look(c->ctx, on);
    }
}

void channel_nudge(struct channel *c)
{
    if (c->io->nudge != NULL) {
        c->io->nudge(c->ctx);
    }
}
