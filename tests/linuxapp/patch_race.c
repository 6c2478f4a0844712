/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Many threads run into the same fresh sites at once, round after round. */
#define SITE(n)                                                                  \
    static long site##n(void)                                                    \
    {                                                                            \
        long r;                                                                  \
        __asm__ volatile("movl $110, %%eax\n\tsyscall\n\tcmpq $-4095, %%rax\n\t" \
                         : "=a"(r)                                               \
                         :                                                       \
                         : "rcx", "r11", "memory", "cc");                        \
        __asm__ volatile("movq $110, %%rax\n\tsyscall\n\tmovq %%rax, %%rdx\n\t"  \
                         : "=a"(r)                                               \
                         :                                                       \
                         : "rcx", "rdx", "r11", "memory", "cc");                 \
        return r;                                                                \
    }
/* clang-format off */
SITE(0)
SITE(1)
SITE(2)
SITE(3)
SITE(4)
SITE(5)
SITE(6)
SITE(7)
/* clang-format on */

static long (*const sites[])(void) = {site0, site1, site2, site3, site4, site5, site6, site7};
static pthread_barrier_t barrier;
static long want;

static void *work(void *arg)
{
    long bad = 0;

    for (int s = 0; s < 8; s++) {
        pthread_barrier_wait(&barrier);
        for (int i = 0; i < 2000; i++) {
            bad += sites[s]() != want;
        }
    }
    return (void *)bad;
}

int main(void)
{
    pthread_t t[4];
    long bad = 0;

    want = getppid();
    pthread_barrier_init(&barrier, NULL, 4);
    for (int i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, work, NULL);
    }
    for (int i = 0; i < 4; i++) {
        void *r;

        pthread_join(t[i], &r);
        bad += (long)r;
    }
    printf("wrong: %ld\n", bad);
    return 0;
}
