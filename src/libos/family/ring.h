/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The byte stream of a channel (family/channel.h) through memory that both hosts' processes map,
 * with a unix stream of the host as its doorbell: bytes on it mean "look", its end is the end. Who
 * looks anyway is not rung for, so two ends that are both awake exchange frames without an exit.
 *
 * Everything in the memory is the host's to read and to change. Positions are kept inside; what the
 * other end is said to have done is taken only within what is possible. What comes out is bytes,
 * which the channel opens or refuses; the host can delay, as with any stream.
 *
 * Sizes are multiples of 8, as channel frames are: untrusted memory is written in whole words.
 */

#include "libos/family/channel.h"

#define RING_CALLS_SIZE  0x20000u /* bytes on their way, each direction */
#define RING_EVENTS_SIZE 0x8000u

extern const struct channel_io channel_io_ring;

/* Both ends of one connected stream, one each. `size`: of one direction, the same at both. They
 * take `fd` over on success. -ENODATA: the peer has no memory to share, all stays as it was. */
[[nodiscard]] int ring_offer(int fd, uint32_t size, void **ret_ctx);
[[nodiscard]] int ring_take(int fd, uint32_t size, void **ret_ctx);
