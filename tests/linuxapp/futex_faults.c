/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Futex words on pages that cannot be read, cannot be written, or go away while they are used. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint32_t *g_word;
static uint32_t g_good;
static int g_stop;

static const char *strerrorname_(int e)
{
    static char text[16];

    (void)snprintf(text, sizeof(text), "errno %d", e);
    return text;
}

static long futex(uint32_t *u, int op, uint32_t v, const void *t, uint32_t *u2, uint32_t v3)
{
    return syscall(SYS_futex, u, op | FUTEX_PRIVATE_FLAG, v, t, u2, v3);
}

static void show(const char *what, const char *page, long r)
{
    printf("%s %s: %s\n", page, what, r < 0 ? strerrorname_(errno) : r == 0 ? "0" : "positive");
}

static void all(const char *page, uint32_t tid)
{
    const struct timespec soon = {0, 1000000};
    const int add = FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0);

    show("wait", page, futex(g_word, FUTEX_WAIT, 7, &soon, NULL, 0));
    show("wake", page, futex(g_word, FUTEX_WAKE, 1, NULL, NULL, 0));
    show("cmp requeue", page, futex(g_word, FUTEX_CMP_REQUEUE, 1, (void *)1, &g_good, 9));
    show("wake op", page, futex(&g_good, FUTEX_WAKE_OP, 1, (void *)1, g_word, add));
    show("lock", page, futex(g_word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    show("trylock", page, futex(g_word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    show("unlock", page, futex(g_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    show("timeout", page, futex(&g_good, FUTEX_WAIT, 0, g_word, NULL, 0));
}

static void protect(int prot)
{
    if (mprotect(g_word, 4096, prot) != 0) {
        perror("mprotect");
    }
}

/* Waits for the lock its creator holds, on a page that is read-only when the lock is given up. */
static void *want(void *arg)
{
    show("blocked lock", "read-only", futex(g_word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    show("its unlock", "writable", futex(g_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    return NULL;
}

static void *flip(void *arg)
{
    while (!__atomic_load_n(&g_stop, __ATOMIC_RELAXED)) {
        protect(PROT_NONE);
        protect(PROT_READ | PROT_WRITE);
    }
    return NULL;
}

/* A robust list that leads to a page that is gone: the exit ignores it. */
static void *bad_robust_list(void *arg)
{
    struct robust_list_head head = {{&head.list}, 0, (struct robust_list *)g_word};

    syscall(SYS_set_robust_list, &head, sizeof(head));
    head.list.next = (struct robust_list *)((uintptr_t)g_word | 1);
    return NULL;
}

int main(void)
{
    const uint32_t tid = (uint32_t)syscall(SYS_gettid);
    pthread_t t;
    long other = 0;
    long unlocked;

    g_word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *g_word = 7;
    protect(PROT_NONE);
    all("none", tid);
    protect(PROT_READ);
    all("read-only", tid);
    munmap(g_word, 4096);
    all("unmapped", tid);

    g_word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    show("lock", "writable", futex(g_word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    protect(PROT_READ);
    show("unlock", "read-only", futex(g_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    protect(PROT_READ | PROT_WRITE);
    pthread_create(&t, NULL, want, NULL);
    while ((__atomic_load_n(g_word, __ATOMIC_SEQ_CST) & FUTEX_WAITERS) == 0) {
        usleep(1000);
    }
    protect(PROT_READ);
    show("contended unlock", "read-only", futex(g_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    protect(PROT_READ | PROT_WRITE);
    unlocked = futex(g_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
    pthread_join(t, NULL);
    show("contended unlock", "writable", unlocked);

    /* The page comes and goes: each call succeeds or says EFAULT. */
    *g_word = 0;
    pthread_create(&t, NULL, flip, NULL);
    for (int i = 0; i < 2000; i++) {
        const int op = i % 2 == 0 ? FUTEX_LOCK_PI : FUTEX_UNLOCK_PI;

        if (futex(g_word, op, 0, NULL, NULL, 0) < 0 && errno != EFAULT && errno != EPERM &&
            errno != EDEADLK) {
            other++;
        }
        if (futex(&g_good, FUTEX_WAKE_OP, 1, (void *)1, g_word + 1,
                  FUTEX_OP(FUTEX_OP_XOR, 1, FUTEX_OP_CMP_EQ, 0)) < 0 &&
            errno != EFAULT) {
            other++;
        }
    }
    __atomic_store_n(&g_stop, 1, __ATOMIC_RELAXED);
    pthread_join(t, NULL);
    printf("other errors %ld\n", other);
    protect(PROT_NONE);
    pthread_create(&t, NULL, bad_robust_list, NULL);
    pthread_join(t, NULL);
    puts("done");
    return 0;
}
