/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Every system call traps and is emulated. */

#include "libos/boot/rewrite.h"
void rewrite_init(bool enabled)
{
}
uint64_t rewrite_after(uint64_t site)
{
    return site + 2;
}
void rewrite_site(uint64_t site, uint64_t number)
{
}
bool rewrite_handle_trap(struct cpu_context *ctx)
{
    return false;
}
void rewrite_forget(uint64_t start, uint64_t end)
{
}
uint64_t rewrite_original_rip(uint64_t rip)
{
    return rip;
}
void rewrite_counters(struct rewrite_counters *ret)
{
    *ret = (struct rewrite_counters){0};
}
