/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Endless recursion in a thread and in main: caught on an alternate stack, and life goes on. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>

#include "app.h"

static __thread sigjmp_buf g_back;
static __thread char *g_low;
static __thread char *g_fault;
static __thread int g_on_alt;
static __thread char g_alt[65536];

static void on_fault(int sig, siginfo_t *si, void *uc)
{
    char here;

    g_fault = si->si_addr;
    g_on_alt = &here >= g_alt && &here < g_alt + sizeof(g_alt);
    siglongjmp(g_back, 1);
}

static __attribute__((noinline)) int recurse(int n)
{
    volatile char frame[512];

    frame[0] = (char)n;
    g_low = (char *)frame;
    return recurse(n + 1) + frame[0];
}

static void *overflow(void *name)
{
    stack_t alt = {.ss_sp = g_alt, .ss_size = sizeof(g_alt)};
    stack_t now;

    OK(sigaltstack(&alt, NULL));
    for (int i = 0; i < 3; i++) {
        if (sigsetjmp(g_back, 1) == 0) {
            (void)recurse(0);
        }
        printf("%s: caught on the alternate stack %d, near the end of the stack %d\n",
               (const char *)name, g_on_alt, g_fault <= g_low + 1024 && g_low - g_fault < 1 << 17);
        sigaltstack(NULL, &now);
        printf("alternate stack free again %d\n", (now.ss_flags & SS_ONSTACK) == 0);
    }
    return NULL;
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct rlimit small = {1 << 20, RLIM_INFINITY};
    pthread_attr_t attr;
    pthread_t t;

    sigaction(SIGSEGV, &sa, NULL);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    pthread_create(&t, &attr, overflow, "thread");
    pthread_join(t, NULL);
    setrlimit(RLIMIT_STACK, &small);
    overflow("main");
    return 0;
}
