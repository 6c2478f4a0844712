/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "abi/agent_device.h"
#include "libos/boot/protected.h"
#include "libos/fs/file.h"

/* How far the start is. Everything but AGENT_RUNS refuses for good, and 0 is what an enclave has
 * that never started an agent (a forked child among them). */
enum agent_state {
    AGENT_NEVER = 0,
    AGENT_RUNS,
    AGENT_FAILED, /* a record went wrong after the root was changed */
    AGENT_DONE,   /* the application runs */
};

struct protected_info {
    enum agent_state state;
    struct manifest manifest;
    const void *bytes; /* of the manifest */
    size_t size;
    struct fs_config config; /* for the application's root */
};
extern struct protected_info g_protected;

extern const struct file_ops g_agent_device_ops;

/* The value of the `index`-th launch option "name=...", or NULL. */
const char *protected_option(const char *name, size_t index);
/* "FD=TEXT": a host descriptor, ours from now on. NULL when it is not of this form. */
const char *protected_descriptor(const char *value, int *ret_fd);

/* Applies a record (a copy in library OS memory) and becomes the application. A failure leaves its
 * words in `message`. */
[[nodiscard]] int provision_start(const void *record, size_t size,
                                  char message[static AGENT_MESSAGE_SIZE]);
