/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Code that is written while it is used: RWX pages, W^X flips, two mappings of one file, several
 * threads that call what another one has just patched. */
#include <pthread.h>
#include <sys/mman.h>

#include "app.h"

typedef int (*function)(void);

static unsigned char *g_code;
static int g_generation;
static int g_wrong;

/* mov $value, %eax; ret */
static void emit(unsigned char *p, int value)
{
    p[0] = 0xb8;
    memcpy(p + 1, &value, 4);
    p[5] = 0xc3;
}

static void *caller(void *arg)
{
    int last = 0;

    while (last < 200) {
        const int least = __atomic_load_n(&g_generation, __ATOMIC_ACQUIRE);
        const int got = ((function)(void *)g_code)();

        if (got < least || got < last) {
            g_wrong++;
        }
        last = got;
    }
    return NULL;
}

int main(void)
{
    pthread_t t[3];
    int sum = 0;
    int fd = memfd_create("code", 0);
    unsigned char *w;
    unsigned char *x;

    g_code =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 1000; i++) {
        emit(g_code, i);
        sum += ((function)(void *)g_code)();
    }
    printf("rwx %d\n", sum);

    x = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sum = 0;
    for (int i = 0; i < 100; i++) {
        mprotect(x, 8192, PROT_READ | PROT_WRITE);
        emit(x + 4092 + i % 3, i); /* over the border of the pages */
        mprotect(x, 8192, PROT_READ | PROT_EXEC);
        sum += ((function)(void *)(x + 4092 + i % 3))();
    }
    printf("flips %d\n", sum);

    /* The immediate is aligned, so that a patch is one store. */
    emit(g_code + 3, 0);
    g_code += 3;
    for (int i = 0; i < 3; i++) {
        pthread_create(&t[i], NULL, caller, NULL);
    }
    for (int i = 1; i <= 200; i++) {
        __atomic_store_n((int *)(void *)(g_code + 1), i, __ATOMIC_SEQ_CST);
        __atomic_store_n(&g_generation, i, __ATOMIC_RELEASE);
        usleep(100);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
    }
    printf("threads saw %d stale calls\n", g_wrong);

    OK(ftruncate(fd, 4096));
    w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    emit(w, 77);
    OK(msync(w, 4096, MS_SYNC));
    x = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    printf("through a memfd %d\n", ((function)(void *)x)());
    return 0;
}
