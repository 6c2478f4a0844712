/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define P 4096ul

static sigjmp_buf env;
static volatile int code;
static void *volatile where;

static void on_segv(int sig, siginfo_t *si, void *uc)
{
    code = si->si_code;
    where = si->si_addr;
    siglongjmp(env, 1);
}

static void try_write(const char *what, volatile char *p)
{
    if (sigsetjmp(env, 1) == 0) {
        *p = 1;
        printf("%s: written\n", what);
    } else {
        printf("%s: fault code %d at the address %d\n", what, code, where == p);
    }
}

static void try_read(const char *what, volatile char *p)
{
    if (sigsetjmp(env, 1) == 0) {
        printf("%s: read %d\n", what, *p);
    } else {
        printf("%s: fault code %d at the address %d\n", what, code, where == p);
    }
}

static void try_call(const char *what, void *p)
{
    if (sigsetjmp(env, 1) == 0) {
        printf("%s: returned %d\n", what, ((int (*)(void))p)());
    } else {
        printf("%s: fault code %d at the address %d\n", what, code, where == p);
    }
}

int main(void)
{
    static const unsigned char ret7[] = {0xb8, 7, 0, 0, 0, 0xc3};
    struct sigaction sa = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};
    char *p = mmap(NULL, 4 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int r;

    sigaction(SIGSEGV, &sa, NULL);
    try_write("rw", p);
    mprotect(p, P, PROT_READ);
    try_write("r", p);
    try_read("r", p);
    mprotect(p, P, PROT_NONE);
    try_read("none", p);
    mprotect(p, P, PROT_READ | PROT_WRITE);
    try_read("content kept", p);
    try_write("rw again", p + 1);
    memcpy(p + P, ret7, sizeof(ret7));
    try_call("data is not code", p + P);
    printf("mprotect rx %d\n", mprotect(p + P, P, PROT_READ | PROT_EXEC));
    try_call("rx", p + P);
    try_write("rx", p + P);
    printf("mprotect rwx %d\n", mprotect(p + P, P, PROT_READ | PROT_WRITE | PROT_EXEC));
    p[P + 1] = 9;
    try_call("rwx", p + P);
    munmap(p + 2 * P, P);
    try_read("unmapped", p + 2 * P);
    r = mprotect(p, 4 * P, PROT_READ);
    printf("over a hole %d %s\n", r, strerror(errno));
    try_write("before the hole", p);
    r = mprotect(p + 1, P, PROT_READ);
    printf("unaligned %d %s\n", r, strerror(errno));
    try_read("null", (volatile char *)0x10);
    return 0;
}
