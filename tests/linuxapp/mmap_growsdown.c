/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* A MAP_GROWSDOWN mapping grows to where it is touched, and not into its neighbour. */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "app.h"

#define P 4096ul

static sigjmp_buf g_back;

static void on_fault(int sig, siginfo_t *si, void *uc)
{
    siglongjmp(g_back, sig);
}

static int poke(volatile char *p)
{
    const int sig = sigsetjmp(g_back, 1);

    if (sig == 0) {
        *p = 1;
    }
    return sig;
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    char *area;
    char *top;
    char *low;
    int grown = 0;

    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    area = mmap(NULL, 2048 * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(area + P, 2046 * P);
    low = mmap(area + 1300 * P, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
               -1, 0);
    top = mmap(area + 2000 * P, 4 * P, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
    printf("mapped %d\n", top == area + 2000 * P);
    printf("inside %d\n", poke(top));
    for (long page = 1; page <= 300; page++) {
        if (poke(top - page * (long)P) != 0) {
            break;
        }
        grown++;
    }
    printf("grown page by page: %d\n", grown);
    printf("a jump of 130 pages: %d\n", poke(top - 430 * P));
    printf("what lies between is there: %d\n", poke(top - 400 * P));
    printf("into the guard gap of an accessible mapping: %d\n", poke(area + 1450 * P));
    munmap(low, P);
    printf("when that is gone: %d\n", poke(area + 1450 * P));
    printf("close to a guard: %d\n", poke(area + 5 * P));
    printf("above: %d\n", poke(area + 2010 * P));
    printf("unmapped again %d\n", munmap(area + P, 2046 * P));
    printf("gone: %d\n", poke(top - 1));
    return 0;
}
