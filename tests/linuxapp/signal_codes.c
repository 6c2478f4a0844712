/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* si_code of faults the processor raises, and the state a handler can repair. */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <xmmintrin.h>

#include "app.h"

static sigjmp_buf g_back;
static siginfo_t g_info;
static long g_rip;
static void *volatile g_null;

static void on_fault(int sig, siginfo_t *si, void *context)
{
    const ucontext_t *uc = context;

    g_info = *si;
    g_rip = (long)uc->uc_mcontext.gregs[REG_RIP];
    siglongjmp(g_back, 1);
}

static void report(const char *what, const char *base)
{
    printf("%s: signal %d code %d", what, g_info.si_signo, g_info.si_code);
    if (base != NULL) {
        printf(" address %+ld", (long)((char *)g_info.si_addr - base));
    }
    printf("%s\n",
           g_info.si_signo != SIGSEGV && (long)g_info.si_addr == g_rip ? ", address is rip" : "");
}

#define TRY(what, base, ...)               \
    do {                                   \
        if (sigsetjmp(g_back, 1) == 0) {   \
            __VA_ARGS__;                   \
            printf("%s: nothing\n", what); \
        } else {                           \
            report(what, base);            \
        }                                  \
    } while (0)

static void on_step(int sig, siginfo_t *si, void *context)
{
    ucontext_t *uc = context;

    printf("breakpoint: code %d, rip behind it %d\n", si->si_code,
           ((unsigned char *)uc->uc_mcontext.gregs[REG_RIP])[-1] == 0xcc);
}

static void repair(int sig, siginfo_t *si, void *context)
{
    mprotect((void *)((unsigned long)si->si_addr & ~4095ul), 4096, PROT_READ | PROT_WRITE);
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    char *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile int zero = 0;
    volatile int sink = 0;
    const unsigned short cw = 0x37e;
    double one = 1e200;

    for (int i = 0; i < 6; i++) {
        sigaction((int[]){SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}[i], &sa, NULL);
    }
    munmap(p + 4096, 4096);
    TRY("null", (char *)0, *(volatile char *)g_null = 1);
    TRY("null and some", (char *)0, *((volatile char *)g_null + 1234) = 1);
    TRY("read-only", p, p[7] = 1);
    TRY("unmapped", p, sink = p[4096 + 3]);
    TRY("not executable", p, ((void (*)(void))(void *)p)());
    TRY("jump to unmapped", p, ((void (*)(void))(void *)(p + 5000))());
    TRY("not canonical", NULL, *(volatile char *)0x8000000000000000ul = 1);
    TRY("kernel half", NULL, sink = *(volatile char *)0xffff800000000000ul);
    TRY("division by zero", NULL,
        __asm__ volatile("cltd\n\tidivl %%ecx"
                         :
                         : "a"(1), "c"(zero)
                         : "edx"));
    TRY("SSE division by zero", NULL, _mm_setcsr(0x1f80 & ~0x200u); __asm__ volatile("divsd %1, %0"
                                                                                     : "+x"(one)
                                                                                     : "x"(0.0)));
    _mm_setcsr(0x1f80);
    TRY("SSE overflow", NULL, _mm_setcsr(0x1f80 & ~0x400u); __asm__ volatile("mulsd %1, %0"
                                                                             : "+x"(one)
                                                                             : "x"(1e308)));
    _mm_setcsr(0x1f80);
    TRY("x87 invalid", NULL,
        __asm__ volatile("fldcw %0\n\tfldz\n\tfldz\n\tfdivp\n\tfwait"
                         :
                         : "m"(cw)
                         : "st"));
    __asm__ volatile("fninit");
    TRY("undefined", NULL, __asm__ volatile("ud2"));
    TRY("privileged", NULL, __asm__ volatile("hlt"));
    TRY("port", NULL, __asm__ volatile("inb $0x80, %%al" ::: "eax"));
    sa.sa_sigaction = on_step;
    sigaction(SIGTRAP, &sa, NULL);
    __asm__ volatile("int3");
    sa.sa_sigaction = repair;
    sigaction(SIGSEGV, &sa, NULL);
    p[9] = 5;
    printf("repaired and repeated %d\n", p[9]);
    (void)sink;
    return 0;
}
