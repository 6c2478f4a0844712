/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Locks between processes, in memory they share: mutexes (robust ones too), condition variables,
 * semaphores, barriers, and the futexes below them. */

#define KIDS  4
#define LOOPS 200

struct shared {
    pthread_mutex_t mutex;
    pthread_mutex_t robust;
    pthread_cond_t cond;
    pthread_barrier_t barrier;
    sem_t items, room;
    long plain;
    int ready, turn, sum;
    int buffer[8];
    atomic_uint word, other;
    atomic_int arrived;
};

static struct shared *g;

static void check(const char *what, int ok)
{
    if (!ok) {
        printf("WRONG: %s (%s)\n", what, strerror(errno));
        fflush(stdout);
    }
}

static int reap(pid_t pid)
{
    int status = 0;

    check("waitpid", waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void reap_all(pid_t *kids)
{
    for (int i = 0; i < KIDS; i++) {
        check("child", reap(kids[i]) == 0);
    }
}

static void set_up(void)
{
    pthread_mutexattr_t ma;
    pthread_condattr_t ca;
    pthread_barrierattr_t ba;

    g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check("mmap", g != MAP_FAILED);
    pthread_mutexattr_init(&ma);
    pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&g->mutex, &ma);
    pthread_mutexattr_setrobust(&ma, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&g->robust, &ma);
    pthread_condattr_init(&ca);
    pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&g->cond, &ca);
    pthread_barrierattr_init(&ba);
    pthread_barrierattr_setpshared(&ba, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&g->barrier, &ba, KIDS + 1);
    sem_init(&g->items, 1, 0);
    sem_init(&g->room, 1, 8);
}

static void mutexes(void)
{
    pid_t kids[KIDS];

    for (int i = 0; i < KIDS; i++) {
        kids[i] = fork();
        if (kids[i] == 0) {
            for (int k = 0; k < LOOPS; k++) {
                pthread_mutex_lock(&g->mutex);
                g->plain++;
                pthread_mutex_unlock(&g->mutex);
            }
            _exit(0);
        }
    }
    reap_all(kids);
    printf("under the mutex: %ld\n", g->plain);
}

static void barriers(void)
{
    pid_t kids[KIDS];

    for (int i = 0; i < KIDS; i++) {
        kids[i] = fork();
        if (kids[i] == 0) {
            for (int k = 0; k < 5; k++) {
                atomic_fetch_add(&g->arrived, 1);
                pthread_barrier_wait(&g->barrier);
                pthread_barrier_wait(&g->barrier);
            }
            _exit(0);
        }
    }
    for (int k = 0; k < 5; k++) {
        pthread_barrier_wait(&g->barrier);
        printf("arrived: %d\n", g->arrived);
        pthread_barrier_wait(&g->barrier);
    }
    reap_all(kids);
}

static void conditions(void)
{
    pid_t kids[KIDS];

    g->turn = -1;

    for (int i = 0; i < KIDS; i++) {
        kids[i] = fork();
        if (kids[i] == 0) {
            pthread_mutex_lock(&g->mutex);
            g->ready++;
            pthread_cond_broadcast(&g->cond);
            while (g->turn != i) {
                pthread_cond_wait(&g->cond, &g->mutex);
            }
            g->turn++;
            g->sum += i;
            pthread_cond_broadcast(&g->cond);
            pthread_mutex_unlock(&g->mutex);
            _exit(0);
        }
    }
    pthread_mutex_lock(&g->mutex);
    while (g->ready < KIDS) {
        pthread_cond_wait(&g->cond, &g->mutex);
    }
    g->turn = 0;
    pthread_cond_broadcast(&g->cond);
    while (g->turn < KIDS) {
        pthread_cond_wait(&g->cond, &g->mutex);
    }
    pthread_mutex_unlock(&g->mutex);
    reap_all(kids);
    printf("in turn: %d\n", g->sum);
}

static void semaphores(void)
{
    struct timespec soon;
    long sum = 0;
    pid_t pid = fork();

    if (pid == 0) {
        for (int i = 0; i < LOOPS; i++) {
            sem_wait(&g->room);
            g->buffer[i % 8] = i;
            sem_post(&g->items);
        }
        _exit(0);
    }
    for (int i = 0; i < LOOPS; i++) {
        sem_wait(&g->items);
        sum += g->buffer[i % 8];
        sem_post(&g->room);
    }
    check("producer", reap(pid) == 0);
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 20000000;
    soon.tv_sec += soon.tv_nsec / 1000000000;
    soon.tv_nsec %= 1000000000;
    errno = 0;
    check("timed out", sem_timedwait(&g->items, &soon) == -1 && errno == ETIMEDOUT);
    printf("consumed: %ld\n", sum);
}

static void robust(void (*end)(void))
{
    pid_t pid = fork();
    int r;

    if (pid == 0) {
        pthread_mutex_lock(&g->robust);
        end();
    }
    r = reap(pid);
    printf("ended %d, then lock: %s\n", r,
           pthread_mutex_lock(&g->robust) == EOWNERDEAD ? "owner died" : "wrong");
    pthread_mutex_consistent(&g->robust);
    pthread_mutex_unlock(&g->robust);
}

static void end_exit(void)
{
    exit(0);
}

static void end_kill(void)
{
    kill(getpid(), SIGKILL);
}

static void end_fault(void)
{
    *(volatile int *)8 = 1;
}

/* A waiter that sleeps when the owner dies. */
static void robust_waiter(void)
{
    pid_t waiter;
    pid_t owner;

    atomic_store(&g->word, 0);
    owner = fork();
    if (owner == 0) {
        pthread_mutex_lock(&g->robust);
        atomic_store(&g->word, 1);
        usleep(100000);
        _exit(0);
    }
    while (atomic_load(&g->word) == 0) {
        usleep(1000);
    }
    waiter = fork();
    if (waiter == 0) {
        const int r = pthread_mutex_lock(&g->robust);

        pthread_mutex_consistent(&g->robust);
        pthread_mutex_unlock(&g->robust);
        _exit(r == EOWNERDEAD ? 7 : 8);
    }
    check("owner", reap(owner) == 0);
    printf("waiter: %d\n", reap(waiter));
}

static long futex(atomic_uint *word, int op, unsigned value, const struct timespec *t,
                  atomic_uint *second, unsigned value3)
{
    return syscall(SYS_futex, word, op, value, t, second, value3);
}

static void nothing(int signo)
{
    (void)signo;
}

static void futexes(void)
{
    const struct timespec soon = {.tv_nsec = 10000000};
    const struct itimerval timer = {.it_value = {.tv_usec = 20000}};
    struct sigaction sa = {.sa_handler = nothing};
    pid_t kids[KIDS];
    long woken = 0;

    atomic_store(&g->word, 0);
    atomic_store(&g->arrived, 0);
    errno = 0;
    check("EAGAIN", futex(&g->word, FUTEX_WAIT, 1, NULL, NULL, 0) == -1 && errno == EAGAIN);
    check("ETIMEDOUT", futex(&g->word, FUTEX_WAIT, 0, &soon, NULL, 0) == -1 && errno == ETIMEDOUT);
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    check("EINTR", futex(&g->word, FUTEX_WAIT, 0, NULL, NULL, 0) == -1 && errno == EINTR);
    check("nobody", futex(&g->word, FUTEX_WAKE, 9, NULL, NULL, 0) == 0);
    for (int i = 0; i < KIDS; i++) {
        kids[i] = fork();
        if (kids[i] == 0) {
            atomic_fetch_add(&g->arrived, 1);
            _exit(futex(&g->word, FUTEX_WAIT_BITSET, 0, NULL, NULL, i == 0 ? 2 : 1) == 0 ? 0 : 1);
        }
    }
    while (atomic_load(&g->arrived) < KIDS) {
        usleep(1000);
    }
    usleep(100000);
    printf("by bits: %ld\n", futex(&g->word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 2));
    check("first", reap(kids[0]) == 0);
    printf("requeued: %ld\n", futex(&g->word, FUTEX_CMP_REQUEUE, 1, (void *)9, &g->other, 0));
    while (woken < KIDS - 2) {
        woken += futex(&g->other, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
    for (int i = 1; i < KIDS; i++) {
        check("waiter", reap(kids[i]) == 0);
    }
    printf("woken: %ld\n", woken);
}

/* Several threads in two processes at one mutex and one counter. */
static void *count(void *arg)
{
    for (int i = 0; i < LOOPS; i++) {
        pthread_mutex_lock(&g->mutex);
        g->plain++;
        pthread_mutex_unlock(&g->mutex);
        atomic_fetch_add(&g->other, 1);
    }
    return arg;
}

static void threads(void)
{
    pthread_t t[3];
    pid_t pid;

    g->plain = 0;
    atomic_store(&g->other, 0);
    pid = fork();
    for (int i = 0; i < 3; i++) {
        pthread_create(&t[i], NULL, count, NULL);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
    }
    if (pid == 0) {
        _exit(0);
    }
    check("threads child", reap(pid) == 0);
    printf("threads of two processes: %ld %u\n", g->plain, g->other);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    set_up();
    mutexes();
    barriers();
    conditions();
    semaphores();
    robust(end_exit);
    robust(end_kill);
    robust(end_fault);
    robust_waiter();
    futexes();
    threads();
    return 0;
}
