/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Jumps to where nothing is, or nothing that may be executed: the signal, its code and its address,
 * before and after calls that change the memory map. */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "app.h"

static sigjmp_buf g_back;
static siginfo_t g_info;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    g_info = *info;
    siglongjmp(g_back, sig);
}

static void jump(const char *what, uint64_t address)
{
    int sig = sigsetjmp(g_back, 1);

    if (sig == 0) {
        void (*volatile f)(void) = (void (*)(void))address;

        f();
    }
    printf("%s: signal %d code %d at it %d\n", what, sig, g_info.si_code,
           (uint64_t)g_info.si_addr == address);
}

int main(void)
{
    const struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

    sigaction(SIGSEGV, &sa, NULL);
    for (int i = 0; i < 3; i++) {
        char *data = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        char *none = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        memset(data, 0xc3, 8192);
        jump("null", 0);
        jump("nearly null", 8);
        jump("far away", 0x600000000000);
        jump("data", (uint64_t)data);
        jump("reserved", (uint64_t)none + 5);
        munmap(data, 8192);
        jump("gone", (uint64_t)data + 100);
        munmap(none, 8192);
    }
    return 0;
}
