/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* mprotect over holes, over several mappings, on file mappings, and what system calls then say. */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "app.h"

#define P 4096ul

static sigjmp_buf g_back;
static volatile sig_atomic_t g_code;

static void on_fault(int sig, siginfo_t *si, void *uc)
{
    g_code = si->si_code;
    siglongjmp(g_back, sig);
}

static void access_(const char *what, volatile char *p)
{
    int r = sigsetjmp(g_back, 1);

    if (r == 0) {
        (void)*p;
        r = sigsetjmp(g_back, 1);
        if (r == 0) {
            *p = 'w';
            printf("%s: read, write\n", what);
            return;
        }
        printf("%s: read, write gives %d/%d\n", what, r, (int)g_code);
        return;
    }
    printf("%s: read gives %d/%d\n", what, r, (int)g_code);
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    char *a = mmap(NULL, 8 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *f;
    int fd;

    sigaction(SIGSEGV, &sa, NULL);
    memset(a, 'a', 8 * P);
    SHOW(mprotect(a + P, 2 * P, PROT_READ));
    SHOW(mprotect(a + 4 * P, P, PROT_NONE));
    access_("untouched", a);
    access_("read-only", a + P);
    access_("none", a + 4 * P);
    SHOW(mprotect(a, 8 * P, PROT_READ | PROT_WRITE));
    access_("all again", a + 4 * P);
    SHOW(a[4 * P + 1]);
    munmap(a + 5 * P, P);
    SHOW(mprotect(a + 4 * P, 3 * P, PROT_READ));
    access_("before the hole it counts", a + 4 * P);
    access_("behind the hole it does not", a + 6 * P);
    SHOW(mprotect(a, 0, PROT_NONE));
    SHOW(mprotect(a + 1, P, PROT_READ));
    SHOW(mprotect(a, P, 0x40));
    SHOW(mprotect(a, P, PROT_READ | PROT_GROWSDOWN));
    access_("still writable", a);

    scratch();
    make("f", "content");
    fd = open("f", O_RDONLY);
    f = mmap(NULL, P, PROT_READ, MAP_SHARED, fd, 0);
    SHOW(mprotect(f, P, PROT_READ | PROT_WRITE));
    munmap(f, P);
    f = mmap(NULL, P, PROT_READ, MAP_PRIVATE, fd, 0);
    SHOW(mprotect(f, P, PROT_READ | PROT_WRITE));
    access_("private file", f);
    show_file("f");
    SHOW(mprotect(f, P, PROT_NONE));
    SHOW(pread(fd, f, 1, 0));
    SHOW(write(1, f, 1));
    SHOW(mprotect(f, P, PROT_READ));
    SHOW(pread(fd, f, 1, 0));
    return 0;
}
