/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Where the enclave is, and what it was started with. */

#include "abi/boot_params.h"
#include "core/overflow.h"
#include "libos/libos.h"

/* Linear address of offset 0 of ELRANGE. Fixed at the first entry. */
extern uint64_t g_enclave_base;
/* Linear addresses between which the application lives. */
extern uint64_t g_user_start;
extern uint64_t g_user_end;

static inline bool address_in_enclave(uint64_t p, uint64_t size)
{
    return range_within(p, size, g_enclave_base, g_enclave_base + ELRANGE_SIZE);
}

/* A checked copy of the host's launch parameters; strings point into it. */
struct boot_info {
    struct boot_params params;
    char *payload; /* whole block, NUL at its end */
    size_t argc;
    size_t envc;
    const char **argv; /* NULL-terminated */
    const char **envp;
    const char *cwd;
    const char *hostname;
    bool strace;
    bool report; /* --syscall-report */
    bool rewrite;
    bool stats;
    bool read_only; /* no overlay above the root */
    int root_fd;    /* host directory that becomes /, or -1 */
    /* The manifest does not trust the host: it gets no traces and no words about the application.
     */
    bool protect;
    const char **options; /* "name=value" */
    size_t option_count;
};
extern struct boot_info g_boot;

/* Value of "name=" among the options, or NULL. */
const char *boot_option(const char *name);
