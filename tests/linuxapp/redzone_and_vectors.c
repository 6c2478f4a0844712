/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* System calls must change nothing but RAX, RCX and R11: not the red zone, not the vector
 * registers, not the flags. Once trapped, once rewritten. */
static int check(int round)
{
    uint64_t bad = 0;
    static uint64_t in[8] __attribute__((aligned(64)));
    static uint64_t out[8] __attribute__((aligned(64)));

    for (int i = 0; i < 8; i++) {
        in[i] = 0x1111111111111111ull * (unsigned)(i + 1) + (unsigned)round;
        out[i] = 0;
    }
    __asm__ volatile("movq $0x5a5a5a, -8(%%rsp)\n\t"
                     "movq $0xa5a5a5, -128(%%rsp)\n\t"
                     "movdqa (%1), %%xmm0\n\t"
                     "movdqa 16(%1), %%xmm7\n\t"
                     "movdqa 32(%1), %%xmm15\n\t"
                     "movq $0x77, %%r12\n\t"
                     "movq $0x88, %%rbx\n\t"
                     "stc\n\t"
                     "movl $39, %%eax\n\t"
                     "syscall\n\t"
                     "setnc %%dl\n\t"
                     "movzbl %%dl, %%edx\n\t"
                     "movq %%rdx, %0\n\t"
                     "movdqa %%xmm0, (%2)\n\t"
                     "movdqa %%xmm7, 16(%2)\n\t"
                     "movdqa %%xmm15, 32(%2)\n\t"
                     "cmpq $0x5a5a5a, -8(%%rsp)\n\t"
                     "je 1f\n\torq $2, %0\n"
                     "1:\tcmpq $0xa5a5a5, -128(%%rsp)\n\t"
                     "je 2f\n\torq $4, %0\n"
                     "2:\tcmpq $0x77, %%r12\n\t"
                     "je 3f\n\torq $8, %0\n"
                     "3:\tcmpq $0x88, %%rbx\n\t"
                     "je 4f\n\torq $16, %0\n"
                     "4:"
                     : "+r"(bad)
                     : "r"(in), "r"(out)
                     : "rax", "rcx", "rdx", "r11", "r12", "rbx", "xmm0", "xmm7", "xmm15", "memory",
                       "cc");
    return (int)bad | (memcmp(in, out, 48) != 0 ? 32 : 0);
}

int main(void)
{
    int bad = 0;

    for (int i = 0; i < 1000; i++) {
        bad |= check(i);
    }
    printf("disturbed: %d\n", bad);
    return 0;
}
