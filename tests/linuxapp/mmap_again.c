/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Memory that is given back and mapped again, in every overlap: it reads as zeros, what lies
 * between is gone for good, and what replaces it is what was asked for.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app.h"

#define PAGE 4096ul

static sigjmp_buf g_back;
static volatile uintptr_t g_address;
static volatile int g_code;

static void on_segv(int sig, siginfo_t *info, void *context)
{
    g_address = (uintptr_t)info->si_addr;
    g_code = info->si_code;
    siglongjmp(g_back, 1);
}

/* 0: readable; else the si_code of the fault, which must name the address. */
static int probe(const volatile char *p, int write)
{
    if (sigsetjmp(g_back, 1) != 0) {
        return g_address == (uintptr_t)p ? g_code : -1;
    }
    if (write) {
        *(volatile char *)p = 1;
    } else {
        (void)*p;
    }
    return 0;
}

static char *map(void *at, size_t pages, int prot)
{
    char *p = mmap(at, pages * PAGE, prot,
                   MAP_PRIVATE | MAP_ANONYMOUS | (at != NULL ? MAP_FIXED : 0), -1, 0);

    if (p == MAP_FAILED) {
        perror("mmap");
        _exit(1);
    }
    return p;
}

static int zeros(const char *p, size_t pages)
{
    for (size_t i = 0; i < pages * PAGE; i++) {
        if (p[i] != 0) {
            return 0;
        }
    }
    return 1;
}

/* Unmaps [from, from + count) of 16 full pages and maps [at, at + pages) again. */
static void again(size_t from, size_t count, size_t at, size_t pages)
{
    char *p = map(NULL, 16, PROT_READ | PROT_WRITE);
    int outside = 1;

    memset(p, 0x5a, 16 * PAGE);
    munmap(p + from * PAGE, count * PAGE);
    printf("gone: %d %d,", probe(p + from * PAGE, 0), probe(p + (from + count) * PAGE - 1, 1));
    map(p + at * PAGE, pages, PROT_READ | PROT_WRITE);
    for (size_t i = 0; i < 16; i++) {
        const int unmapped = i >= from && i < from + count;

        if ((i < at || i >= at + pages) && !unmapped) {
            outside &= p[i * PAGE] == 0x5a && p[i * PAGE + PAGE - 1] == 0x5a;
        } else if (i < at || i >= at + pages) {
            outside &= probe(p + i * PAGE, 0) == SEGV_MAPERR;
        }
    }
    printf(" zeros %d, the rest as it was %d\n", zeros(p + at * PAGE, pages), outside);
    munmap(p, 16 * PAGE);
    printf("all gone: %d\n", probe(p + at * PAGE, 0));
}

static void other_kinds(void)
{
    char *p = map(NULL, 8, PROT_READ | PROT_WRITE);
    int fd = memfd_create("content", 0);

    memset(p, 1, 8 * PAGE);
    munmap(p, 8 * PAGE);
    map(p, 8, PROT_NONE);
    printf("no access: %d\n", probe(p, 0));
    mprotect(p, 8 * PAGE, PROT_READ);
    printf("read-only: %d %d, zeros %d\n", probe(p, 0), probe(p, 1), zeros(p, 8));
    munmap(p, 8 * PAGE);

    map(p, 8, PROT_READ | PROT_WRITE);
    memset(p, 2, 8 * PAGE);
    munmap(p, 8 * PAGE);
    if (write(fd, "from the file", 13) != 13 || ftruncate(fd, 2 * PAGE) < 0 ||
        mmap(p, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) != p) {
        perror("mapping a file");
    }
    printf("file: %.13s, then zeros %d, behind it %d\n", p, zeros(p + PAGE, 1),
           probe(p + 2 * PAGE, 0));
    munmap(p, 2 * PAGE);

    map(p, 8, PROT_READ | PROT_WRITE);
    memset(p, 3, 8 * PAGE);
    munmap(p, 8 * PAGE);
    map(p, 8, PROT_READ | PROT_EXEC);
    printf("code: zeros %d, write %d\n", zeros(p, 8), probe(p, 1));
    munmap(p, 8 * PAGE);
    close(fd);
}

static void *churn(void *arg)
{
    const int id = (int)(intptr_t)arg;
    intptr_t bad = 0;

    for (int i = 0; i < 300; i++) {
        const size_t pages = 1 + (size_t)(i * 7 + id) % 20;
        char *p = map(NULL, pages, PROT_READ | PROT_WRITE);

        bad += !zeros(p, pages);
        memset(p, id + 1, pages * PAGE);
        if (i % 3 == 0) {
            bad += mprotect(p, PAGE, PROT_NONE) != 0;
        }
        munmap(p, pages * PAGE);
    }
    return (void *)bad;
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};
    pthread_t thread[4];
    intptr_t bad = 0;

    sigaction(SIGSEGV, &sa, NULL);
    again(0, 16, 0, 16);
    again(4, 8, 4, 8);
    again(4, 8, 6, 2);
    again(4, 8, 2, 12);
    again(4, 8, 4, 2);
    again(4, 8, 10, 4);
    other_kinds();
    for (int i = 0; i < 4; i++) {
        pthread_create(&thread[i], NULL, churn, (void *)(intptr_t)i);
    }
    for (int i = 0; i < 4; i++) {
        void *r;

        pthread_join(thread[i], &r);
        bad += (intptr_t)r;
    }
    printf("threads: %ld\n", (long)bad);
    return 0;
}
