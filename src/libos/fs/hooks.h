/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What files need from the areas above them (memory map, program loader). Those areas fill the
 * table at start-up with fs_hooks(); a hook left NULL has the default its comment names, so that
 * the file layer works alone (and is tested so).
 */

#include "core/types.h"

struct pids_info;
struct strbuf;

struct fs_hooks {
    /* /proc/self: maps and smaps (one entry per area), and the sizes that status, stat and statm
     * show, in pages. NULL: empty. */
    int (*format_maps)(struct strbuf *out, bool smaps);
    void (*memory_sizes)(uint64_t *ret_virtual, uint64_t *ret_resident, uint64_t *ret_data);
    /* cmdline, environ and auxv as execve left them in application memory. NULL: empty. */
    int (*cmdline)(struct strbuf *out);
    int (*environ)(struct strbuf *out);
    int (*auxv)(struct strbuf *out);
    /* Supplementary groups. NULL: none. */
    bool (*in_group)(uint32_t gid);
    void (*format_groups)(struct strbuf *out); /* "1 2 3" */
    /* The lines of /proc/self/status on privileges. NULL: none are shown. */
    void (*format_privileges)(struct strbuf *out);
    /* CPU time of the process in ns. NULL: 0. */
    void (*cpu_times)(uint64_t *ret_user, uint64_t *ret_system);
    /* CPUID as the application sees it: eax, ebx, ecx, edx (the instruction itself does not exist
     * in an enclave). NULL: zeros. */
    void (*cpuid)(uint32_t leaf, uint32_t sub, uint32_t ret[4]);
    /* Bytes of the enclave's memory in use, for /proc/meminfo. NULL: memfs pages alone. */
    uint64_t (*memory_used)(void);
    /* Other processes of the family: what is known of one (-ESRCH), and the next number in use (0:
     * none). NULL: there are none. */
    int (*describe_process)(int32_t pid, struct pids_info *ret);
    int32_t (*next_process)(int32_t pid);
};

/* The table, to be filled before the first application instruction. */
struct fs_hooks *fs_hooks(void);
