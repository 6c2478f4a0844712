/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* A signal between two instructions leaves every register alone, vector registers included. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

static volatile sig_atomic_t g_signals;

static void handler(int signo)
{
    __asm__ volatile("pxor %%xmm0, %%xmm0; pcmpeqd %%xmm1, %%xmm1; pxor %%xmm7, %%xmm7;"
                     "pxor %%xmm15, %%xmm15"
                     :
                     :
                     : "xmm0", "xmm1", "xmm7", "xmm15");
    g_signals++;
}

static int check(void)
{
    uint64_t bad = 0;

    __asm__ volatile("movabs $0x1122334455667788, %%rbx\n"
                     "movq %%rbx, %%xmm0\n"
                     "movq %%rbx, %%xmm7\n"
                     "movq %%rbx, %%xmm15\n"
                     "mov %%rbx, %%r8\n mov %%rbx, %%r9\n mov %%rbx, %%r11\n mov %%rbx, %%r15\n"
                     "mov %%rbx, %%rcx\n"
                     "mov %%rbx, -64(%%rsp)\n" /* the red zone belongs to the program */
                     "mov $20000, %%edx\n"
                     "1: dec %%edx\n jnz 1b\n"
                     "movq %%xmm0, %%rax\n xor %%rbx, %%rax\n or %%rax, %0\n"
                     "movq %%xmm7, %%rax\n xor %%rbx, %%rax\n or %%rax, %0\n"
                     "movq %%xmm15, %%rax\n xor %%rbx, %%rax\n or %%rax, %0\n"
                     "xor %%rbx, %%r8\n or %%r8, %0\n"
                     "xor %%rbx, %%r9\n or %%r9, %0\n"
                     "xor %%rbx, %%r11\n or %%r11, %0\n"
                     "xor %%rbx, %%r15\n or %%r15, %0\n"
                     "xor %%rbx, %%rcx\n or %%rcx, %0\n"
                     "xor -64(%%rsp), %%rbx\n or %%rbx, %0\n"
                     : "+r"(bad)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r11", "r15", "xmm0", "xmm7",
                       "xmm15", "cc", "memory");
    return bad != 0;
}

int main(void)
{
    struct sigaction sa = {.sa_handler = handler};
    struct itimerval tick = {{0, 2000}, {0, 2000}};
    struct itimerval stop = {{0, 0}, {0, 0}};
    int bad = 0;

    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &tick, NULL);
    while (g_signals < 50) {
        bad += check();
    }
    setitimer(ITIMER_REAL, &stop, NULL);
    printf("registers disturbed %d\n", bad);
    return bad != 0;
}
