/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Faults: address, code and trap number in the handler; recovery by siglongjmp and by mprotect. */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf g_jump;
static char *g_page;
static volatile int g_code;
static volatile int g_signo;
static void *volatile g_addr;

static void jump(int signo, siginfo_t *info, void *uc)
{
    g_signo = signo;
    g_code = info->si_code;
    g_addr = info->si_addr;
    siglongjmp(g_jump, 1);
}

static void unprotect(int signo, siginfo_t *info, void *uc)
{
    g_addr = info->si_addr;
    mprotect(g_page, 4096, PROT_READ | PROT_WRITE);
}

#define TRY(name, code)                                           \
    do {                                                          \
        g_signo = 0;                                              \
        if (sigsetjmp(g_jump, 1) == 0) {                          \
            code;                                                 \
        }                                                         \
        printf("%s: signal %d code %d\n", name, g_signo, g_code); \
    } while (0)

int main(void)
{
    struct sigaction sa = {.sa_sigaction = jump, .sa_flags = SA_SIGINFO};
    volatile int zero = 0;
    volatile int seven = 7;

    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    sigaction(SIGFPE, &sa, NULL);
    sigaction(SIGILL, &sa, NULL);
    sigaction(SIGTRAP, &sa, NULL);
    g_page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    TRY("write to read-only", g_page[123] = 1);
    printf("address right %d\n", g_addr == g_page + 123);
    munmap(g_page + 4096, 4096);
    TRY("read of unmapped", (void)*(volatile char *)(g_page + 4096 + 7));
    printf("address right %d\n", g_addr == g_page + 4096 + 7);
    TRY("null", (void)*(volatile char *)8);
    printf("address %p\n", g_addr);
    TRY("divide", zero = seven / zero);
    TRY("ud2", __asm__ volatile("ud2"));
    TRY("jump to data", ((void (*)(void))(uintptr_t)g_page)());
    TRY("non-canonical", (void)*(volatile char *)0x8000000000000000ull);

    sa.sa_sigaction = unprotect;
    sigaction(SIGSEGV, &sa, NULL);
    g_page[77] = 42;
    printf("went on after mprotect: %d, address right %d\n", g_page[77], g_addr == g_page + 77);
    return 0;
}
