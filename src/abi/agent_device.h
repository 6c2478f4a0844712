/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The private interface between the agent and the library OS: ioctls on /dev/nacre, which exists
 * for the first program of a protected start alone and is gone for ever once the application was
 * started (docs/provisioning.md). Both sides are in the enclave; the record is still read as
 * foreign bytes, because the words in it come from a CAS.
 */

#include "core/types.h"

#define AGENT_DEVICE_PATH "/dev/nacre"

/* Where a variable answer goes: in: room at `data`; out: bytes there. -ENOSPC changes `size` to
 * what is needed. */
struct agent_buffer {
    uint64_t data; /* address */
    uint64_t size;
} _packed_;

struct agent_quote {
    uint8_t report_data[64];
    struct agent_buffer out;
} _packed_;

#define AGENT_MESSAGE_SIZE 160u

struct agent_start {
    uint64_t record; /* address of the record */
    uint64_t size;
    char message[AGENT_MESSAGE_SIZE]; /* out, on failure: words, terminated */
} _packed_;

/* _IOWR('n', number, size) of asm-generic/ioctl.h */
#define AGENT_IOC(number, type) (0xc0006e00u | (uint32_t)sizeof(type) << 16 | (number))

/* The measured manifest, its very bytes (docs/formats/manifest.md). */
#define AGENT_GET_MANIFEST AGENT_IOC(1, struct agent_buffer)
/* What the host wishes or offers: strings, each "KEY=VALUE" and NUL. Nothing in it is trusted.
 *   cas=ADDRESS:PORT      numeric, "[v6]:PORT"; may come more than once
 *   config-id=SESSION/SERVICE
 *   cas-timeout=SECONDS
 *   cas-note=WORDS        why there is no address
 *   volume=NAME           a file with this sealed image can be had
 *   env=NAME=VALUE        only names the manifest lets the host set */
#define AGENT_GET_HINTS    AGENT_IOC(2, struct agent_buffer)
/* A quote of this enclave over 64 bytes, which begin as abi/report_data.h says. -ENODEV: this host
 * has nothing that quotes. */
#define AGENT_GET_QUOTE    AGENT_IOC(3, struct agent_quote)
/* Applies a record and runs the application in place of the agent. Does not return then; when it
 * does, the message says why. -EPERM: an earlier record went wrong half-way, nothing more can be
 * applied. */
#define AGENT_START        AGENT_IOC(4, struct agent_start)

/*
 * The record: a header, then entries that ascend by type (equal types in the order that counts),
 * integers little-endian. Strings are NUL-terminated, paths absolute and in their one spelling
 * (no empty, "." or ".." component, no slash at the end), at most AGENT_PATH_MAX bytes.
 */
#define AGENT_RECORD_MAGIC   0x5452415453454e01ull /* 01 "NESTART" */
#define AGENT_RECORD_VERSION 1u
#define AGENT_RECORD_MAX     ((size_t)20 << 20)
#define AGENT_PATH_MAX       4095u
#define AGENT_STRING_MAX     131071u
#define AGENT_STRINGS_MAX    4096u /* arguments, variables: each */
#define AGENT_VOLUMES_MAX    64u
#define AGENT_FILES_MAX      4096u
#define AGENT_GROUPS_MAX     64u
#define AGENT_VOLUME_NAME    64u /* bytes, without the NUL */

struct agent_record_header {
    uint64_t magic;
    uint32_t version;
    uint32_t size; /* of the whole record */
} _packed_;
_Static_assert(sizeof(struct agent_record_header) == 16, "agent ABI");

struct agent_entry {
    uint16_t type;
    uint16_t reserved; /* zero */
    uint32_t size;     /* of what follows */
} _packed_;
_Static_assert(sizeof(struct agent_entry) == 8, "agent ABI");

enum agent_entry_type {
    AGENT_ENTRY_SEALED = 1, /* at most one: key[32], root[32] */
    AGENT_ENTRY_VOLUME = 2, /* key[32], root[32], name, mount point */
    AGENT_ENTRY_ARG = 3,    /* at least one: string */
    AGENT_ENTRY_ENV = 4,    /* "NAME=VALUE" */
    AGENT_ENTRY_PWD = 5,    /* exactly one: absolute path */
    AGENT_ENTRY_USER = 6,   /* at most one: u32 uid, u32 gid, u32 groups[] */
    AGENT_ENTRY_FILE = 7,   /* u32 mode, u32 uid, u32 gid, path, content: the rest */
    AGENT_ENTRY_TYPES = 8,
};
