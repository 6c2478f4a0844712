/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * CPUID inside an enclave is #UD on SGX processors. Here it passes, unless kernel and processor can
 * make it fault (arch_prctl(2), ARCH_SET_CPUID): then each attached thread has it switched off, a
 * CPUID in enclave code becomes #UD, and one in host code is answered by the signal handler.
 *
 * The setting belongs to a thread and is inherited by the threads and processes it makes. A thread
 * that has it and never attached gets it switched off for good at its first CPUID. Whoever had
 * CPUID switched off before softsgx came keeps it so, and keeps its SIGSEGV: then it passes.
 */

#include "softsgx/internal.h"

#include <cpuid.h>
#include <string.h>
#include <sys/syscall.h>

#ifndef ARCH_GET_CPUID
#define ARCH_GET_CPUID 0x1011
#define ARCH_SET_CPUID 0x1012
#endif

#define INSTRUCTION_MAX 15u

static long arch_prctl(int code, unsigned long value)
{
    return soft_syscall(SYS_arch_prctl, code, (long)value, 0, 0);
}

long (*soft_arch_prctl)(int code, unsigned long value) = arch_prctl;

/* Threads of this process run with CPUID off because of softsgx, now or at some time. */
static bool g_used;

void soft_cpuid_arm(struct soft_thread *th)
{
    /* Off, and not by us: somebody else emulates it. */
    if (!th->cpuid_off && !__atomic_load_n(&g_used, __ATOMIC_ACQUIRE) &&
        soft_arch_prctl(ARCH_GET_CPUID, 0) != 1) {
        return;
    }
    /* Before the first fault can come. Again even when it looks armed: see soft_sud_arm(). */
    __atomic_store_n(&th->cpuid_off, true, __ATOMIC_RELAXED);
    if (soft_arch_prctl(ARCH_SET_CPUID, 0) < 0) {
        th->cpuid_off = false; /* no such processor, or a sandbox: CPUID passes */
        return;
    }
    __atomic_store_n(&g_used, true, __ATOMIC_RELEASE);
}

void soft_cpuid_disarm(struct soft_thread *th)
{
    if (th->cpuid_off) {
        (void)soft_arch_prctl(ARCH_SET_CPUID, 1);
        th->cpuid_off = false;
    }
}

static bool is_prefix(uint8_t b)
{
    static const uint8_t legacy[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3};

    return (b & 0xf0) == 0x40 || memchr(legacy, b, sizeof(legacy)) != NULL;
}

/* A CPUID that is not allowed to run raises #GP(0), which no other CPUID does. LOCK in front of it
 * is #UD at once. Bytes are read one by one: the next page may not be there. */
unsigned soft_cpuid_fault(const ucontext_t *uc)
{
    const greg_t *g = uc->uc_mcontext.gregs;
    const volatile uint8_t *code = (const volatile uint8_t *)g[REG_RIP];
    unsigned n = 0;

    if (g[REG_TRAPNO] != X86_GP || g[REG_ERR] != 0) {
        return 0;
    }
    while (n < INSTRUCTION_MAX - 2 && is_prefix(code[n])) {
        n++;
    }
    return code[n] == 0x0f && code[n + 1] == 0xa2 ? n + 2 : 0;
}

bool soft_cpuid_in_host(const struct soft_thread *th, ucontext_t *uc)
{
    const unsigned length = soft_cpuid_fault(uc);
    greg_t *g = uc->uc_mcontext.gregs;
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;

    if (length == 0) {
        return false;
    }
    if (th == NULL) {
        /* It inherited the setting from the thread that made it: the instruction runs again. */
        return __atomic_load_n(&g_used, __ATOMIC_ACQUIRE) &&
               soft_arch_prctl(ARCH_SET_CPUID, 1) == 0;
    }
    if (!th->cpuid_off || soft_arch_prctl(ARCH_SET_CPUID, 1) < 0) {
        return false;
    }
    __cpuid_count((uint32_t)g[REG_RAX], (uint32_t)g[REG_RCX], a, b, c, d);
    if (soft_arch_prctl(ARCH_SET_CPUID, 0) < 0) {
        soft_die("softsgx: CPUID cannot be switched off again\n");
    }
    g[REG_RAX] = (greg_t)a;
    g[REG_RBX] = (greg_t)b;
    g[REG_RCX] = (greg_t)c;
    g[REG_RDX] = (greg_t)d;
    g[REG_RIP] += length;
    return true;
}
