/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* clone without a library: the tid words, the flags that must come together, a thread's own exit.
 */
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "app.h"

#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static int g_word;
static int g_parent_tid;
static int g_child_tid = 1;
static int g_ran;
static int g_own_tid;

static int child(void *arg)
{
    g_own_tid = (int)syscall(SYS_gettid);
    g_ran = g_word + 1;
    syscall(SYS_exit, 0);
    return 0;
}

static long bad(unsigned long flags)
{
    /* Fails before anything starts. */
    return syscall(SYS_clone, flags, 0, NULL, NULL, 0);
}

int main(void)
{
    char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int tid;

    SHOW(bad(CLONE_THREAD));
    SHOW(bad(CLONE_THREAD | CLONE_SIGHAND));
    SHOW(bad(CLONE_SIGHAND));
    SHOW(bad(CLONE_FS | CLONE_NEWNS));
    for (int i = 0; i < 5; i++) {
        g_word = i * 10;
        g_child_tid = 1;
        tid = clone(child, stack + 65536,
                    THREAD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, NULL,
                    &g_parent_tid, NULL, &g_child_tid);
        while (__atomic_load_n(&g_child_tid, __ATOMIC_SEQ_CST) != 0) {
            syscall(SYS_futex, &g_child_tid, FUTEX_WAIT, tid, NULL, NULL, 0);
        }
        printf("ran %d, parent's word %d, own idea %d, cleared %d\n", g_ran, g_parent_tid == tid,
               g_own_tid == tid, g_child_tid == 0);
    }
    for (int i = 0; i < 1000 && syscall(SYS_tgkill, getpid(), tid, 0) == 0; i++) {
        usleep(1000); /* it may linger for a moment */
    }
    SHOW(syscall(SYS_tgkill, getpid(), tid, 0));
    SHOW(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0));
    return 0;
}
