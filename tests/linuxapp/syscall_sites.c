/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* System calls in all the surroundings that decide how a site is rewritten, each many times. */
#define CALL(before, after)                                            \
    ({                                                                 \
        long r_ = SYS_getppid;                                         \
        __asm__ volatile(before "syscall\n\t" after                    \
                         : "+a"(r_)                                    \
                         :                                             \
                         : "rcx", "r8", "r11", "rdx", "memory", "cc"); \
        r_;                                                            \
    })

/* A jump to the instruction behind a system call. */
static long jump_behind(long through)
{
    long r;

    __asm__ volatile("testq %1, %1\n\t"
                     "movl $110, %%eax\n\t"
                     "jz 2f\n\t"
                     "movq %%rdi, %%rdi\n\t"
                     "syscall\n"
                     "2:\tleaq 1(%%rax), %%rax\n\t"
                     : "=&a"(r)
                     : "r"(through)
                     : "rcx", "r11", "memory", "cc");
    return r;
}

/* A jump to the system call itself, past the instruction that sets its number. */
static long jump_to(long through)
{
    long r;

    __asm__ volatile("testq %1, %1\n\t"
                     "jz 1f\n\t"
                     "movl $39, %%eax\n\t"
                     "jmp 2f\n"
                     "1:\tmovl $110, %%eax\n"
                     "2:\tsyscall\n\t"
                     "nop\n\t"
                     : "=&a"(r)
                     : "r"(through)
                     : "rcx", "r11", "memory", "cc");
    return r;
}

int main(void)
{
    const long want = getppid();
    int bad = 0;

    for (int i = 0; i < 300; i++) {
        bad += CALL("movl $110, %%eax\n\t", "nop\n\t") != want;
        bad += CALL("", "cmpq $-4095, %%rax\n\t") != want;
        bad += CALL("", "movq %%rax, %%rdx\n\tmovq %%rdx, %%rax\n\t") != want;
        bad += CALL("", "movl %%eax, %%edx\n\tmovl %%edx, %%eax\n\t") != want;
        bad += CALL("", "testq %%rax, %%rax\n\tjs 1f\n1:\t") != want;
        bad += CALL("movl $110, %%r8d\n\tmovl %%r8d, %%eax\n\t", "nop\n\tnop\n\tnop\n\t") != want;
        bad += CALL("movl $9, %%r8d\n\t", "leaq (%%rax), %%rax\n\t") != want;
        bad += jump_behind(1) != want + 1;
        bad += jump_behind(0) != 111;
        bad += jump_to(0) != want;
        bad += jump_to(1) != getpid();
        bad += syscall(SYS_getppid) != want;
    }
    printf("wrong: %d\n", bad);
    return 0;
}
