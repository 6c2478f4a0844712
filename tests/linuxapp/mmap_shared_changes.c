/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Shared file mappings give back what was written through them, by msync, mprotect, munmap and
 * exit, whoever wrote it, and leave alone what was not: a change of the file itself far from there
 * stays.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "app.h"

#define PAGE  4096ul
#define PAGES 256ul

static char *map(int fd, int prot)
{
    char *p = mmap(NULL, PAGES * PAGE, prot, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return p;
}

static void show(int fd, const char *when, size_t page)
{
    char text[12] = "";

    if (pread(fd, text, 8, (off_t)(page * PAGE)) != 8) {
        perror("pread");
    }
    printf("%s: page %zu has '%s'\n", when, page, text[0] == '\0' ? "nothing" : text);
}

static void put(int fd, size_t page, const char *text)
{
    if (pwrite(fd, text, 8, (off_t)(page * PAGE)) != 8) {
        perror("pwrite");
    }
}

static void *write_some(void *arg)
{
    char *p = arg;

    for (size_t i = 0; i < 32; i++) {
        memcpy(p + (128 + i) * PAGE, "thread!", 8);
    }
    return NULL;
}

static void one_process(int fd)
{
    char *p = map(fd, PROT_READ | PROT_WRITE);
    pthread_t thread;
    char c = 0;

    for (size_t i = 0; i < PAGES; i++) {
        c |= p[i * PAGE]; /* all of it is there, none of it changed */
    }
    printf("all zero %d\n", c == 0);
    put(fd, 100, "in file");
    memcpy(p + 3 * PAGE, "mapped1", 8);
    OK(msync(p, PAGES * PAGE, MS_SYNC));
    show(fd, "msync", 3);
    show(fd, "msync", 100);
    memcpy(p + 3 * PAGE, "mapped2", 8);
    put(fd, 101, "in file");
    OK(msync(p, PAGES * PAGE, MS_SYNC));
    show(fd, "again", 3);
    show(fd, "again", 101);

    put(fd, 200, "a file!");
    SHOW(pread(fd, p + 40 * PAGE, 8, (off_t)(200 * PAGE))); /* written by a system call */
    memcpy(p + 4 * PAGE, "before!", 8);
    OK(mprotect(p, PAGES * PAGE, PROT_READ));
    show(fd, "mprotect", 4);
    show(fd, "mprotect", 40);
    OK(mprotect(p, PAGES * PAGE, PROT_READ | PROT_WRITE));
    memcpy(p + 5 * PAGE, "later!!", 8);
    if (pthread_create(&thread, NULL, write_some, p) == 0) {
        (void)pthread_join(thread, NULL);
    }
    put(fd, 80, "outside");
    OK(munmap(p, PAGES * PAGE));
    show(fd, "munmap", 4);
    show(fd, "munmap", 5);
    show(fd, "munmap", 80);
    show(fd, "munmap", 128);
    show(fd, "munmap", 159);
    show(fd, "munmap", 100);
}

static int g_pipe[2];
static sigjmp_buf g_back;

static void *stay(void *arg)
{
    char byte;

    return read(g_pipe[0], &byte, 1) == 1 ? arg : NULL;
}

static void on_segv(int sig)
{
    siglongjmp(g_back, sig);
}

/* What may not be written cannot be, whoever else is there. */
static void read_only(int fd)
{
    char *volatile p = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

    for (size_t i = 0; i < PAGES; i += 51) {
        (void)*(volatile char *)(p + i * PAGE);
        if (sigsetjmp(g_back, 1) == 0) {
            p[i * PAGE] = 1;
            printf("page %zu could be written\n", i);
        }
    }
    OK(munmap(p, PAGES * PAGE));
}

int main(void)
{
    pthread_t thread;
    int fd;
    int ro;
    char *p;

    scratch();
    (void)signal(SIGSEGV, on_segv);
    fd = open("file", O_RDWR | O_CREAT, 0600);
    OK(ftruncate(fd, PAGES * PAGE));
    one_process(fd);
    read_only(fd);
    /* The same beside another thread: pages come another way then. */
    OK(ftruncate(fd, 0));
    OK(ftruncate(fd, PAGES * PAGE));
    if (pipe(g_pipe) < 0 || pthread_create(&thread, NULL, stay, NULL) != 0) {
        return 1;
    }
    one_process(fd);
    read_only(fd);

    /* Writable only later, and never by way of a descriptor that only reads. */
    ro = open("file", O_RDONLY);
    p = map(ro, PROT_READ);
    OK(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
    OK(munmap(p, PAGES * PAGE));
    p = map(fd, PROT_READ);
    OK(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
    memcpy(p, "at last", 8);
    OK(munmap(p, PAGES * PAGE));
    show(fd, "writable later", 0);
    return 0;
}
