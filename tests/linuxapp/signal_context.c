/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* A handler may rewrite the interrupted context: skip an instruction, change a register. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <ucontext.h>

static void handler(int signo, siginfo_t *info, void *ucv)
{
    ucontext_t *uc = ucv;

    uc->uc_mcontext.gregs[REG_RIP] += 2; /* past ud2 */
    uc->uc_mcontext.gregs[REG_RBX] = 0x1234;
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    uint64_t rbx = 1;

    sigaction(SIGILL, &sa, NULL);
    __asm__ volatile("ud2" : "+b"(rbx));
    printf("rbx %#lx\n", rbx);
    return 0;
}
