/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* File mappings that are filled while several threads run: protection holds, writes are not lost,
 * and nobody sees a half-filled page. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "app.h"

#define P     4096
#define PAGES 64

static __thread sigjmp_buf g_back;
static int g_fd;
static int g_stop;
static long g_half;

static void on_fault(int sig, siginfo_t *si, void *uc)
{
    siglongjmp(g_back, sig);
}

static int store(volatile char *p)
{
    const int sig = sigsetjmp(g_back, 1);

    if (sig == 0) {
        *p = 'w';
    }
    return sig;
}

/* Every byte of a page is the page's number. */
static void *reader(void *arg)
{
    while (!__atomic_load_n(&g_stop, __ATOMIC_RELAXED)) {
        const unsigned char *m = mmap(NULL, PAGES * P, PROT_READ, MAP_PRIVATE, g_fd, 0);

        for (int i = 0; i < PAGES; i++) {
            const unsigned char *p = m + i * P;

            if (p[P - 1] != i || p[0] != i || p[P / 2] != i) {
                __atomic_add_fetch(&g_half, 1, __ATOMIC_RELAXED);
            }
        }
        munmap((void *)m, PAGES * P);
    }
    return NULL;
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    char block[P];
    char *m;
    pthread_t t[2];
    int lost = 0;
    int wrong = 0;

    scratch();
    sigaction(SIGSEGV, &sa, NULL);
    g_fd = open("f", O_CREAT | O_RDWR, 0600);
    for (int i = 0; i < PAGES; i++) {
        memset(block, i, sizeof(block));
        (void)!write(g_fd, block, sizeof(block));
    }
    for (int i = 0; i < 2; i++) {
        pthread_create(&t[i], NULL, reader, NULL);
    }
    for (int round = 0; round < 20; round++) {
        m = mmap(NULL, PAGES * P, PROT_READ, MAP_PRIVATE, g_fd, 0);
        wrong += m[5 * P] != 5 || store(m + 5 * P) != SIGSEGV || store(m + 6 * P) != SIGSEGV;
        mprotect(m, 8 * P, PROT_READ | PROT_WRITE);
        wrong += store(m + 5 * P) != 0 || store(m + 9 * P) != SIGSEGV;
        munmap(m, PAGES * P);
        m = mmap(NULL, PAGES * P, PROT_READ | PROT_EXEC, MAP_PRIVATE, g_fd, 0);
        wrong += m[7 * P] != 7 || store(m + 7 * P) != SIGSEGV;
        munmap(m, PAGES * P);
    }
    printf("protection wrong %d\n", wrong);
    /* What is written to a shared mapping is in the file after msync and after munmap. */
    for (int round = 0; round < 20; round++) {
        char c = 0;

        m = mmap(NULL, PAGES * P, PROT_READ | PROT_WRITE, MAP_SHARED, g_fd, 0);
        m[63 * P + 100 + round] = (char)('a' + round);
        wrong += msync(m, PAGES * P, MS_SYNC) != 0;
        lost += pread(g_fd, &c, 1, 63 * P + 100 + round) != 1 || c != 'a' + round;
        m[62 * P + 100 + round] = (char)('A' + round);
        munmap(m, PAGES * P);
        lost += pread(g_fd, &c, 1, 62 * P + 100 + round) != 1 || c != 'A' + round;
        (void)!pwrite(g_fd, &(char){63}, 1, 63 * P + 100 + round);
        (void)!pwrite(g_fd, &(char){62}, 1, 62 * P + 100 + round);
    }
    printf("lost writes %d\n", lost);
    __atomic_store_n(&g_stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++) {
        pthread_join(t[i], NULL);
    }
    printf("half-filled pages %ld\n", g_half);
    return 0;
}
