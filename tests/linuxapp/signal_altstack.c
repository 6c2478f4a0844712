/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* sigaltstack: stack overflow handled on the alternate stack, SS_ONSTACK, refusals. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

static sigjmp_buf g_jump;
static volatile int g_on;
static stack_t g_alt;

static void handler(int signo)
{
    stack_t now;
    char here;

    sigaltstack(NULL, &now);
    g_on = (now.ss_flags & SS_ONSTACK) != 0 && &here >= (char *)g_alt.ss_sp &&
           &here < (char *)g_alt.ss_sp + g_alt.ss_size;
    siglongjmp(g_jump, 1);
}

static int __attribute__((noinline)) overflow(volatile char *p)
{
    volatile char big[16384];

    big[0] = p == NULL ? 0 : *p;
    return overflow(big) + big[1];
}

int main(void)
{
    int r;
    struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    struct rlimit limit = {1 << 20, 1 << 20};
    stack_t small = {.ss_sp = &small, .ss_size = 100};
    stack_t now;

    setrlimit(RLIMIT_STACK, &limit);
    sigaltstack(NULL, &now);
    printf("disabled at first %d\n", (now.ss_flags & SS_DISABLE) != 0);
    r = sigaltstack(&small, NULL);
    printf("too small %d %s\n", r, strerror(errno));
    g_alt.ss_size = 65536;
    g_alt.ss_sp = malloc(g_alt.ss_size);
    printf("set %d\n", sigaltstack(&g_alt, NULL));
    sigaction(SIGSEGV, &sa, NULL);
    for (int i = 0; i < 3; i++) {
        g_on = 0;
        if (sigsetjmp(g_jump, 1) == 0) {
            overflow(NULL);
        }
        printf("overflow handled on the alternate stack %d\n", g_on);
    }
    now.ss_flags = SS_DISABLE;
    printf("disable %d\n", sigaltstack(&now, NULL));
    return 0;
}
