/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Launch parameters: what the host asks of an enclave at ENTRY_START, outside every measurement
 * (identity is content, never tuning). One block of untrusted memory,
 *
 *   [struct boot_params][payload: `payload_size` bytes]
 *
 * whose offsets count from the start of the block. Trusted code copies the whole block once, after
 * checking `size`, and then checks every offset. A reader accepts a larger header_size than it
 * knows (fields are only appended) and treats fields beyond header_size as zero. Arguments and
 * environment are for enclaves whose manifest lets the host give them (development mode); an
 * attested service gets them from CAS and ignores these.
 */

#include "core/types.h"

#define BOOT_PARAMS_MAGIC   0x746f6f625f65636eull /* "nce_boot" */
#define BOOT_PARAMS_VERSION 1u
#define BOOT_PARAMS_MAX     ((size_t)2 << 20)
#define BOOT_STRINGS_MAX    4096u

/* count NUL-terminated strings, one behind the other, in size bytes at offset. */
struct boot_strings {
    uint32_t offset;
    uint32_t size;
    uint32_t count;
    uint32_t reserved;
} _packed_;

#define BOOT_FLAG_DEBUG_LOG  (1ull << 0) /* the host wants syscall traces */
#define BOOT_FLAG_STATS      (1ull << 1) /* report counters at exit (report_stats) */
#define BOOT_FLAG_EXITLESS   (1ull << 2) /* the host offers a worker ring; reserved */
/* Not a program to start but a child of fork: everything that matters comes from the parent's
 * enclave over fork_fd, encrypted, once both have proved themselves (libos/proc/handshake.h). */
#define BOOT_FLAG_FORK_CHILD (1ull << 3)

struct boot_params {
    uint64_t magic;
    uint32_t version;
    uint32_t header_size; /* sizeof(struct boot_params) as the writer knows it */
    uint64_t size;        /* of the whole block */
    uint64_t flags;
    uint64_t memory_limit; /* bytes of enclave memory, 0: the enclave decides */
    uint32_t thread_max;   /* 0: the enclave decides */
    uint32_t log_level;    /* 0 errors .. 4 trace */
    uint64_t tsc_hz;       /* the host's idea, 0 unknown; a hint to calibrate with */
    uint64_t realtime_ns;  /* CLOCK_REALTIME and CLOCK_MONOTONIC at launch */
    uint64_t monotonic_ns;
    uint32_t pid; /* of the host process */
    uint32_t uid;
    uint32_t gid;
    uint32_t cpu_count;
    struct boot_strings argv;
    struct boot_strings envp;
    struct boot_strings cwd;      /* count 0 or 1 */
    struct boot_strings hostname; /* count 0 or 1 */
    struct boot_strings image;    /* path of the sealed image on the host, count 0 or 1 */
    struct boot_strings options;  /* "name=value" for the library OS, unprotected */
    int32_t image_fd;             /* already open, or -1 */
    int32_t fork_fd;              /* BOOT_FLAG_FORK_CHILD: stream to the parent's enclave, else 0 */
    uint64_t reserved[14];
} _packed_;
_Static_assert(sizeof(struct boot_params) == 304, "launch ABI");
