/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What signal_steps interrupts: for ever the same calls, each of them from all three kinds of sites
 * the library OS rewrites, with something known in every register. A call done twice or not at all
 * shows in the file offset, an instruction behind it done twice in RBX, a register given back wrong
 * in its pattern. SIGUSR1 is counted, SIGUSR2 ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

struct seen {
    uint64_t rax, rbx, rdx, rsi, rdi, rbp, rsp;
    uint64_t r8, r9, r10, r12, r13, r14, r15;
    uint64_t red_zone[2]; /* its first and its last word */
    uint64_t xmm[2];
};

struct seen g_seen;
uint64_t g_rsp;
int g_fd;

void call_mov(void);
void call_moved(void);
void call_ret(void);

__asm__(".macro PUT reg, value\n"
        "    movabsq $\\value, %\\reg\n"
        ".endm\n"
        ".macro BEFORE\n"
        "    pushq %rbx\n"
        "    pushq %rbp\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, g_rsp(%rip)\n"
        "    PUT rbx, 0x1111111111111111\n"
        "    PUT rbp, 0x2222222222222222\n"
        "    PUT r8, 0x3333333333333333\n"
        "    PUT r9, 0x4444444444444444\n"
        "    PUT r10, 0x5555555555555555\n"
        "    PUT r12, 0x6666666666666666\n"
        "    PUT r13, 0x7777777777777777\n"
        "    PUT r14, 0x8888888888888888\n"
        "    PUT r15, 0x9999999999999999\n"
        "    movq %r12, -8(%rsp)\n"
        "    movq %r13, -128(%rsp)\n"
        "    movq %r14, %xmm0\n"
        "    movq %r15, %xmm15\n"
        "    movl g_fd(%rip), %edi\n"
        "    movl $1, %esi\n"
        "    movl $1, %edx\n" /* SEEK_CUR */
        ".endm\n"
        ".macro AFTER\n"
        "    movq %rax, g_seen(%rip)\n"
        "    movq %rbx, g_seen+8(%rip)\n"
        "    movq %rdx, g_seen+16(%rip)\n"
        "    movq %rsi, g_seen+24(%rip)\n"
        "    movq %rdi, g_seen+32(%rip)\n"
        "    movq %rbp, g_seen+40(%rip)\n"
        "    movq %rsp, g_seen+48(%rip)\n"
        "    movq %r8, g_seen+56(%rip)\n"
        "    movq %r9, g_seen+64(%rip)\n"
        "    movq %r10, g_seen+72(%rip)\n"
        "    movq %r12, g_seen+80(%rip)\n"
        "    movq %r13, g_seen+88(%rip)\n"
        "    movq %r14, g_seen+96(%rip)\n"
        "    movq %r15, g_seen+104(%rip)\n"
        "    movq -8(%rsp), %rax\n"
        "    movq %rax, g_seen+112(%rip)\n"
        "    movq -128(%rsp), %rax\n"
        "    movq %rax, g_seen+120(%rip)\n"
        "    movq %xmm0, g_seen+128(%rip)\n"
        "    movq %xmm15, g_seen+136(%rip)\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbp\n"
        "    popq %rbx\n"
        "    ret\n"
        ".endm\n"
        ".text\n"
        "call_mov:\n"
        "    BEFORE\n"
        "    movl $8, %eax\n" /* lseek: becomes the jump */
        "    syscall\n"
        "    AFTER\n"
        "call_moved:\n"
        "    BEFORE\n"
        "    xorl %eax, %eax\n"
        "    addl $8, %eax\n"
        "    syscall\n"
        "    addq $1, %rbx\n" /* moves away */
        "    AFTER\n"
        "call_ret:\n"
        "    BEFORE\n"
        "    xorl %eax, %eax\n"
        "    addl $8, %eax\n"
        "    addq $-256, %rsp\n" /* a call would write into the red zone */
        "    call 1f\n"
        "    addq $256, %rsp\n"
        "    AFTER\n"
        "    nop\n"
        "1:  syscall\n"
        "    ret\n"
        "    nop\n"
        "    nop\n");

static volatile sig_atomic_t g_signals;
static volatile sig_atomic_t g_ended;
static volatile uint64_t g_strange_rip;

extern const char __executable_start[];
extern const char etext[];

static void on_signal(int sig, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;
    const uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];

    /* This program is static: no trampoline, and nothing of the library OS, is ever seen. */
    if (rip < (uint64_t)__executable_start || rip >= (uint64_t)etext) {
        g_strange_rip = rip;
    }
    if (sig == SIGUSR2) {
        g_ended = 1;
    } else {
        g_signals++;
    }
}

static void check(const char *what, uint64_t offset, uint64_t rbx)
{
    const struct seen want = {
        offset,
        rbx,
        1,
        1,
        (uint64_t)g_fd,
        0x2222222222222222,
        g_rsp,
        0x3333333333333333,
        0x4444444444444444,
        0x5555555555555555,
        0x6666666666666666,
        0x7777777777777777,
        0x8888888888888888,
        0x9999999999999999,
        {0x6666666666666666, 0x7777777777777777},
        {0x8888888888888888, 0x9999999999999999},
    };
    const uint64_t *w = (const uint64_t *)&want;
    const uint64_t *s = (const uint64_t *)&g_seen;

    for (size_t i = 0; i < sizeof(want) / sizeof(*w); i++) {
        if (w[i] != s[i]) {
            printf("%s: word %zu is %llx, not %llx\n", what, i, (unsigned long long)s[i],
                   (unsigned long long)w[i]);
            exit(1);
        }
    }
}

/* The other ways in: an instruction that is emulated, a page that is missing, a sleep outside. */
static void others(char *page)
{
    volatile char *p = page;
    const struct timespec ns = {0, 1};
    uint32_t a = 0;
    uint32_t b = 7;
    uint32_t c = 0;
    uint32_t d = 7;
    int r;

    __asm__ volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
    if (b == 7 || d == 7) {
        printf("cpuid\n");
        exit(1);
    }
    *p = 1;
    if (madvise(page, 4096, MADV_DONTNEED) != 0 || *p != 0) {
        printf("madvise\n");
        exit(1);
    }
    r = clock_nanosleep(CLOCK_MONOTONIC, 0, &ns, NULL);
    if (r != 0 && r != EINTR) {
        printf("clock_nanosleep: %d\n", r);
        exit(1);
    }
}

/* A thread's whole life, its first and last instructions inside. */
static void *live(void *arg)
{
    *(volatile int *)arg += 1;
    return arg;
}

static void thread(void)
{
    pthread_t t;
    int lived = 0;
    int r = pthread_create(&t, NULL, live, &lived);

    if (r == 0) {
        r = pthread_join(t, NULL);
    }
    if (r != 0 || lived != 1) {
        printf("thread: %d\n", r);
        exit(1);
    }
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    uint64_t offset = 0;
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    g_fd = memfd_create("offset", 0);
    if (page == MAP_FAILED || g_fd < 0) {
        return 2;
    }
    sigaction(SIGUSR1, &sa, NULL);
    sigaction(SIGUSR2, &sa, NULL);
    for (unsigned long round = 0; !g_ended; round++) {
        call_mov();
        check("mov", ++offset, 0x1111111111111111);
        call_moved();
        check("moved", ++offset, 0x1111111111111112);
        call_ret();
        check("ret", ++offset, 0x1111111111111111);
        if (round % 2 == 0) {
            others(page);
        } else if (round % 4 == 1) {
            thread();
        }
        if (round == 100) {
            (void)!write(1, "ready\n", 6);
        }
        if (g_strange_rip != 0) {
            printf("a handler saw rip %llx\n", (unsigned long long)g_strange_rip);
            return 1;
        }
    }
    printf("handled %s\n", g_signals > 0 ? "some" : "none");
    return 0;
}
