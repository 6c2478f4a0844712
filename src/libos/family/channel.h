/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A sealed channel between two enclaves over a byte stream of the host (docs/processes.md, "The
 * channel"). Messages arrive whole, once, in order and unread by the host, or the channel is broken
 * for good: flipping, dropping, repeating, swapping, cutting or inserting bytes gives -EBADMSG, an
 * end without the peer's farewell -ECONNABORTED. What the host can do is delay, and refuse.
 *
 *   frame   = header(8) ‖ ciphertext(size) ‖ tag(16)
 *   header  = le32 size ‖ u8 kind ‖ u8 padding ‖ 2 zero bytes, authenticated, in clear
 *   size    = a multiple of 8; the last `padding` (0 to 7) bytes of the plaintext are zeros
 *   nonce   = 4 zero bytes ‖ le64 number of the frame in its direction
 *   keys    = HKDF-SHA256(key, "nacre family channel " ‖ 'a' or 'b' ‖ label): one per direction
 *
 * A key serves one channel, ever: frame numbers start at 0. A long message goes in several frames,
 * so that the receiver opens the first while the sender still seals the next.
 *
 * Locking: one sender at a time (the channel's own lock), one receiver at a time (the caller's
 * affair); a sender and a receiver do not disturb each other.
 */

#include "core/aead.h"
#include "libos/fs/iter.h"
#include "libos/lib/sync.h"

#define CHANNEL_KEY_SIZE    32u
#define CHANNEL_HEADER_SIZE 8u
#define CHANNEL_PAYLOAD_MAX ((size_t)128 << 10)
#define CHANNEL_PART_SIZE   ((size_t)16 << 10) /* of a message in one frame */
#define CHANNEL_FRAME_MAX   (CHANNEL_HEADER_SIZE + CHANNEL_PART_SIZE + AEAD_TAG_SIZE)
/* What may wait for a peer that does not read; more is the end of the channel (-ENOBUFS). */
#define CHANNEL_BACKLOG_MAX ((size_t)8 << 20)

/* The two ends differ in nothing but the direction of the keys. */
enum channel_role { CHANNEL_ROLE_A, CHANNEL_ROLE_B };

/* The host's byte stream. All three never block but `wait`, which may return for nothing. */
struct channel_io {
    int64_t (*send)(void *ctx, const void *src, size_t size); /* bytes (> 0), -EAGAIN, -errno */
    int64_t (*recv)(void *ctx, void *dst, size_t size);       /* bytes, 0: end, -EAGAIN, -errno */
    /* Until it can be read (or written). 0, -EINTR when `interruptible`, -errno. */
    int (*wait)(void *ctx, bool to_write, bool interruptible);
    void (*close)(void *ctx);
    /* recv that sleeps until there is something, in one step; may be NULL. -EINTR when
     * `interruptible` and a signal came, or when the thread must end. */
    int64_t (*recv_wait)(void *ctx, void *dst, size_t size, bool interruptible);
    int (*fd)(void *ctx); /* the host's descriptor behind it; NULL: none */
    /* Streams with a doorbell apart from their bytes (family/ring.h); NULL otherwise. They say by
     * themselves when there is room. `hear`: it rang. `pending`: there is something to receive.
     * `look`: the receiver looks at `pending` by itself for a while, no need to ring. `nudge`:
     * rings for what was sent and not fetched. */
    void (*hear)(void *ctx);
    bool (*pending)(void *ctx);
    void (*look)(void *ctx, bool on);
    void (*nudge)(void *ctx);
};

/* A host descriptor as a stream; `ctx` is the descriptor as a pointer-sized number. */
extern const struct channel_io channel_io_host;
static inline void *channel_host_ctx(int fd)
{
    return (void *)(intptr_t)fd;
}

struct channel {
    struct aead_key send_key;
    struct aead_key recv_key;
    const struct channel_io *io;
    void *ctx;
    struct mutex send_lock;
    uint64_t sent;
    uint64_t received;
    uint8_t *out; /* sealed frames, [out_at, out_end) not yet taken by the host; send_lock */
    size_t out_at, out_end, out_cap;
    uint8_t *in; /* from the host, [in_at, in_end) not yet looked at; the receiver's */
    size_t in_at, in_end, in_cap;
    uint8_t *message; /* put together of several frames (CHANNEL_PAYLOAD_MAX); the receiver's */
    size_t message_size;
    int error;     /* sticky, negative: the channel is broken */
    bool farewell; /* we said goodbye */
    bool parted;   /* the peer did */
};

/* `label` keeps channels made of one key apart; at most CHANNEL_LABEL_MAX bytes. Owns ctx (through
 * io->close) on success. -EINVAL, -ENOMEM. */
#define CHANNEL_LABEL_MAX 32u
[[nodiscard]] int channel_init(struct channel *c, const uint8_t key[static CHANNEL_KEY_SIZE],
                               const char *label, enum channel_role role,
                               const struct channel_io *io, void *ctx);
/* Wipes and frees what init made and closes the stream; no farewell. Harmless on zeros. */
void channel_destroy(struct channel *c);

/* One piece of a message. */
struct channel_part {
    const void *p;
    size_t size;
};

/* Seals one message and gives it to the host, as far as the host takes it at once: the rest waits
 * for channel_flush. 0, -EMSGSIZE (more than CHANNEL_PAYLOAD_MAX), -EPIPE after our farewell,
 * -ENOMEM, or what broke the channel. With any of the first three nothing was sent. */
[[nodiscard]] int channel_post(struct channel *c, const struct channel_part *parts, size_t count);
/* The same with up to `size` bytes of `from` as the last part; *from advances. -EFAULT: nothing was
 * sent, the iterator stands where it stood. */
[[nodiscard]] int channel_post_iter(struct channel *c, const struct channel_part *parts,
                                    size_t count, struct iter *from, size_t size);
/* channel_post, and waits until the host has taken everything; not interruptible. */
[[nodiscard]] int channel_send(struct channel *c, const struct channel_part *parts, size_t count);
/* Gives the host what waits. 1: everything went, 0: some still waits, or what broke it. */
[[nodiscard]] int channel_flush(struct channel *c);
/* Waits until the host has taken everything. */
[[nodiscard]] int channel_drain(struct channel *c);
bool channel_backlog(struct channel *c);

/* The farewell: the peer can tell this end from a cut. Nothing can be sent afterwards. */
int channel_part(struct channel *c);

/* How to receive. */
#define CHANNEL_NOWAIT          0x1u
#define CHANNEL_UNINTERRUPTIBLE 0x2u
/* The next message, opened in place: *ret_p is good until the next receive. 1, 0 after the peer's
 * farewell, -EAGAIN, -EINTR, or what broke the channel. A message can be empty. */
[[nodiscard]] int channel_receive(struct channel *c, uint32_t how, uint8_t **ret_p,
                                  size_t *ret_size);
/* A whole frame was read from the host already: receiving will not wait. */
bool channel_buffered(const struct channel *c);

/* The channel goes on over another stream; everything before was received. Owns ctx on success and
 * forgets the old one, which is not closed. -EBADMSG: bytes came that nobody received. */
[[nodiscard]] int channel_move(struct channel *c, const struct channel_io *io, void *ctx);
/* The host's descriptor. */
int channel_fd(const struct channel *c);
/* For streams with a doorbell; without one they do nothing, and say no. `pending` may be asked by
 * anybody: something came that was not read from the stream yet. */
bool channel_rings(const struct channel *c);
void channel_hear(struct channel *c);
bool channel_pending(const struct channel *c);
void channel_look(struct channel *c, bool on);
void channel_nudge(struct channel *c);
/* The receiver has a part of a message: the rest is on its way. */
static inline bool channel_midway(const struct channel *c)
{
    return c->message_size > 0;
}
