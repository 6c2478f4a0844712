/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * One HTTPS request on one connection to the pinned CAS: TLS 1.3, the key checked before a byte is
 * sent, and evidence bound to the connection by its exporter. Functions return 0, AGENT_RETRY or an
 * exit code of enum agent_exit, the latter two with words.
 */

#include "agent/agent.h"

struct channel;

/* Connects to "ADDRESS:PORT" and finishes the handshake by `deadline` (clock_ms). */
[[nodiscard]] int channel_open(const char *address, const uint8_t cas_key[static AGENT_HASH_SIZE],
                               int64_t deadline, struct channel **ret, struct error **err);

[[nodiscard]] int channel_exporter(struct channel *c, uint8_t ret[static AGENT_EXPORTER_SIZE],
                                   struct error **err);

struct channel_answer {
    unsigned status;
    unsigned retry_after; /* seconds, 0: none */
    char *body;           /* terminated; agent_wipe_free(body, room) */
    size_t size;
    size_t room;
};

/* POSTs a body and reads the whole answer. */
[[nodiscard]] int channel_post(struct channel *c, const char *path, const char *body, size_t size,
                               int64_t deadline, struct channel_answer *ret, struct error **err);

struct channel *channel_free(struct channel *c);

/* --- for tests: the head of an answer --- */

#define CHANNEL_HEAD_MAX 16384u

/* 1 when the head is complete (*ret_head_size bytes with its empty line), 0 when more is needed,
 * -EBADMSG. */
[[nodiscard]] int channel_parse_head(const char *data, size_t size, struct channel_answer *ret,
                                     size_t *ret_head_size, size_t *ret_body_size);
