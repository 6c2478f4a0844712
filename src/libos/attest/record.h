/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Reads the record the agent starts the application with (abi/agent_device.h). No allocation. */

#include "abi/agent_device.h"
#include "core/cursor.h"

#define RECORD_KEY_SIZE 32u

/* A record that was checked whole; everything borrows its bytes. */
struct record {
    const uint8_t *key; /* RECORD_KEY_SIZE bytes each; NULL: no sealed root */
    const uint8_t *root;
    const char *pwd;
    uint32_t uid;
    uint32_t gid;
    size_t group_count;
    uint32_t groups[AGENT_GROUPS_MAX];
    size_t arg_count;
    size_t env_count;
    size_t volume_count;
    size_t file_count;
    /* For the functions below; work on a copy. */
    struct cursor args;
    struct cursor env;
    struct cursor volumes;
    struct cursor files;
};

struct record_volume {
    const uint8_t *key;
    const uint8_t *root;
    const char *name;
    const char *path;
};

struct record_file {
    uint32_t mode; /* permission bits */
    uint32_t uid;
    uint32_t gid;
    const char *path;
    const uint8_t *data;
    size_t size;
};

/* -EBADMSG, with *ret_what saying what is wrong (a constant). */
[[nodiscard]] int record_parse(const void *data, size_t size, struct record *ret,
                               const char **ret_what);

/* 1 with the next one, 0 at the end. */
int record_next_string(struct cursor *strings, const char **ret);
int record_next_volume(struct cursor *volumes, struct record_volume *ret);
int record_next_file(struct cursor *files, struct record_file *ret);
