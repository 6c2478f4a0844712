/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Vector registers, MXCSR and the x87 control word: kept over system calls and signals, own to each
 * thread, reset and restored as the ABI says. */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <xmmintrin.h>

#include "app.h"

static volatile sig_atomic_t g_ticks;
static unsigned g_handler_mxcsr;
static unsigned short g_handler_cw;

static unsigned short control_word(void)
{
    unsigned short cw;

    __asm__ volatile("fnstcw %0" : "=m"(cw));
    return cw;
}

static void set_control_word(unsigned short cw)
{
    __asm__ volatile("fldcw %0" : : "m"(cw));
}

static void on_signal(int sig)
{
    g_ticks++;
    g_handler_mxcsr = _mm_getcsr();
    g_handler_cw = control_word();
    _mm_setcsr(0x1f80 | 0x6000);
    set_control_word(0x27f);
    __asm__ volatile("pxor %%xmm15, %%xmm15\n\tpxor %%xmm0, %%xmm0\n\tfldz\n\tfldz" ::
                         : "xmm15", "xmm0", "st", "st(1)", "st(2)");
}

/* Fills registers, makes the system call `nr` (or spins until a signal came), compares. */
static int rounds_sse(long nr, long a, long b)
{
    unsigned char in[16 * 16];
    unsigned char out[16 * 16];

    for (unsigned i = 0; i < sizeof(in); i++) {
        in[i] = (unsigned char)(i * 7 + 3);
    }
    __asm__ volatile("movdqu 0x00(%[in]), %%xmm0\n\tmovdqu 0x10(%[in]), %%xmm1\n\t"
                     "movdqu 0x60(%[in]), %%xmm6\n\tmovdqu 0xe0(%[in]), %%xmm14\n\t"
                     "movdqu 0xf0(%[in]), %%xmm15\n\t"
                     "syscall\n\t"
                     "movdqu %%xmm0, 0x00(%[out])\n\tmovdqu %%xmm1, 0x10(%[out])\n\t"
                     "movdqu %%xmm6, 0x60(%[out])\n\tmovdqu %%xmm14, 0xe0(%[out])\n\t"
                     "movdqu %%xmm15, 0xf0(%[out])\n\t"
                     : "+a"(nr)
                     : [in] "r"(in), [out] "r"(out), "D"(a), "S"(b), "d"(0l)
                     : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm6", "xmm14", "xmm15");
    return memcmp(in, out, 32) == 0 && memcmp(in + 0x60, out + 0x60, 16) == 0 &&
           memcmp(in + 0xe0, out + 0xe0, 32) == 0;
}

__attribute__((target("avx"))) static int rounds_avx(int spins)
{
    unsigned char in[32];
    unsigned char out[32];
    int same = 1;

    for (int i = 0; i < 32; i++) {
        in[i] = (unsigned char)(i + 100);
    }
    for (int i = 0; i < spins; i++) {
        const int before = g_ticks;
        long turns = 200000000;

        /* Only the loop: a signal must come while the upper halves are live. */
        __asm__ volatile("vmovdqu %[in], %%ymm9\n"
                         "1: cmpl %[ticks], %[before]\n\tjne 2f\n\tdecq %[turns]\n\tjnz 1b\n"
                         "2: vmovdqu %%ymm9, %[out]\n\tvzeroupper"
                         : [out] "=m"(out), [turns] "+r"(turns)
                         : [in] "m"(in), [ticks] "m"(g_ticks), [before] "r"(before)
                         : "xmm9", "cc");
        same &= memcmp(in, out, 32) == 0 && turns > 0;
    }
    return same;
}

__attribute__((target("avx512f"))) static int rounds_avx512(int spins)
{
    unsigned char in[64];
    unsigned char out[64];
    unsigned short mask = 0;
    int same = 1;

    for (int i = 0; i < 64; i++) {
        in[i] = (unsigned char)(i + 50);
    }
    for (int i = 0; i < spins; i++) {
        const int before = g_ticks;
        long turns = 200000000;

        __asm__ volatile(
            "vmovdqu64 %[in], %%zmm25\n\tmovl $0xa5c3, %%eax\n\tkmovw %%eax, %%k3\n"
            "1: cmpl %[ticks], %[before]\n\tjne 2f\n\tdecq %[turns]\n\tjnz 1b\n"
            "2: vmovdqu64 %%zmm25, %[out]\n\tkmovw %%k3, %%eax\n\tmovw %%ax, %[mask]\n\t"
            "vzeroupper"
            : [out] "=m"(out), [turns] "+r"(turns), [mask] "=m"(mask)
            : [in] "m"(in), [ticks] "m"(g_ticks), [before] "r"(before)
            : "eax", "cc");
        same &= memcmp(in, out, 64) == 0 && mask == 0xa5c3 && turns > 0;
    }
    return same;
}

static void *thread(void *arg)
{
    printf("thread: mxcsr %x cw %x\n", _mm_getcsr() & 0xffc0, control_word());
    _mm_setcsr(0x1f80);
    set_control_word(0x37f);
    return NULL;
}

int main(void)
{
    struct sigaction sa = {.sa_handler = on_signal};
    const struct itimerval every = {{0, 2000}, {0, 2000}};
    const struct itimerval off = {0};
    char c;
    pthread_t t;
    int p[2];

    (void)!pipe(p);
    sigaction(SIGALRM, &sa, NULL);
    printf("getppid %d\n", rounds_sse(110, 0, 0));
    printf("a failing call %d\n", rounds_sse(0, -1, 0));
    printf("an unknown call %d\n", rounds_sse(9999, 0, 0));
    printf("sched_yield %d\n", rounds_sse(24, 0, 0));

    /* round to zero, 53-bit x87 */
    _mm_setcsr(0x1f80 | 0x6000);
    set_control_word(0x27f);
    (void)!read(p[0], &c, 0);
    usleep(1000);
    printf("over calls: mxcsr %x cw %x\n", _mm_getcsr() & 0xffc0, control_word());
    raise(SIGALRM);
    printf("handler: mxcsr %x cw %x\n", g_handler_mxcsr & 0xffc0, g_handler_cw);
    printf("after it: mxcsr %x cw %x\n", _mm_getcsr() & 0xffc0, control_word());
    pthread_create(&t, NULL, thread, NULL);
    pthread_join(t, NULL);
    printf("after a thread: mxcsr %x cw %x\n", _mm_getcsr() & 0xffc0, control_word());

    setitimer(ITIMER_REAL, &every, NULL);
    printf("avx over signals %d\n", !__builtin_cpu_supports("avx") || rounds_avx(20));
    printf("avx-512 over signals %d\n", !__builtin_cpu_supports("avx512f") || rounds_avx512(20));
    setitimer(ITIMER_REAL, &off, NULL);
    return 0;
}
