/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* SIGBUS behind the end of a mapped file: code and address, shrinking and growing under a mapping.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "app.h"

#define P 4096

static sigjmp_buf g_back;
static siginfo_t g_info;

static void on_fault(int sig, siginfo_t *si, void *uc)
{
    g_info = *si;
    siglongjmp(g_back, 1);
}

static void touch(const char *what, volatile char *p, const char *base, int write)
{
    if (sigsetjmp(g_back, 1) == 0) {
        char c = *p;

        if (write) {
            *p = 'w';
        }
        printf("%s: %d\n", what, c);
    } else {
        printf("%s: signal %d code %d at %ld\n", what, g_info.si_signo, g_info.si_code,
               (long)((char *)g_info.si_addr - base));
    }
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    char buf[16] = "";
    char *p;
    int fd;

    scratch();
    sigaction(SIGBUS, &sa, NULL);
    sigaction(SIGSEGV, &sa, NULL);
    fd = open("f", O_CREAT | O_RDWR, 0600);
    SHOW(write(fd, "0123456789", 10));
    p = mmap(NULL, 4 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    touch("last byte", p + 9, p, 0);
    touch("rest of the page", p + 10, p, 0);
    touch("rest is writable", p + P - 1, p, 1);
    touch("the next page", p + P, p, 0);
    touch("the last page, written", p + 3 * P + 5, p, 1);
    SHOW(ftruncate(fd, 2 * P + 1));
    touch("after growth", p + P + 3, p, 0);
    touch("the third page", p + 2 * P, p, 0);
    touch("the fourth page", p + 3 * P, p, 0);
    SHOW(mprotect(p + P, P, PROT_NONE));
    touch("no access", p + P + 7, p, 0);
    SHOW(munmap(p + P, P));
    touch("no mapping", p + P + 7, p, 0);
    SHOW(munmap(p, 4 * P));
    /* a file mapping wholly behind the end */
    p = mmap(NULL, P, PROT_READ, MAP_SHARED, fd, 16 * P);
    touch("far behind the end", p + 1, p, 0);
    /* system calls see it as EFAULT */
    SHOW(write(fd, p, 1));
    SHOW(pread(fd, buf, 4, 0));
    puts(buf);
    close(fd);
    return 0;
}
