/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * 16 threads in one enclave for some seconds (argument, default 5), each under a 1 kHz timer signal
 * of its own: entries and exits, exceptions repaired by nested entries, EACCEPT and removal of
 * pages, and long stays whose general and vector registers the enclave itself compares. Every
 * return is checked. Handlers enter the interrupted TCS again.
 */

#include "unit/softsgx/rig.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "softsgx/internal.h"

#include "unit/unit.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define THREADS 16
#define B       (&sgx_backend_soft)

struct worker {
    pthread_t thread;
    unsigned index;
    uint32_t stop; /* ends a spin: set by the handler after some ticks */
    unsigned left; /* ticks until then */
    uint64_t rng;
    uint64_t entries, faults, spins, accepts, signals, aexes;
    const char *failed;
};

static struct rig g_rig;
static struct worker g_workers[THREADS];
static uint32_t g_end;
static __thread struct worker *g_self;

static uint64_t next_random(struct worker *w)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return w->rng;
}

static void on_tick(int sig, siginfo_t *info, void *context)
{
    struct worker *w = g_self;

    if (w == NULL) {
        return;
    }
    w->signals++;
    if (B->is_at_aep(context)) {
        struct rig_exit x;

        w->aexes++;
        x = rig_enter(&g_rig, w->index, OP_NOP, 0, 0);
        if (x.function != ENCLU_EEXIT || x.rsi == 0 || x.rdx != rig_tcs(&g_rig, w->index)) {
            w->failed = "nested entry from a signal handler";
        }
    }
    if (w->left == 0 || --w->left == 0) {
        __atomic_store_n(&w->stop, 1, __ATOMIC_SEQ_CST);
    }
}

static bool enter_many(struct worker *w)
{
    for (unsigned i = 0; i < 500; i++) {
        uint64_t op = i % 50 == 0 ? OP_NOP_TRAP : OP_NOP;
        struct rig_exit x = rig_enter(&g_rig, w->index, op, 0, 0);

        w->entries++;
        if (x.function != ENCLU_EEXIT || x.rsi != 0 || x.rdx != rig_tcs(&g_rig, w->index)) {
            w->failed = "entry and exit";
            return false;
        }
    }
    return true;
}

static bool fault_many(struct worker *w)
{
    struct rig_exit x = rig_enter(&g_rig, w->index, OP_FAULTLOOP, 20, 0);

    while (x.function == ENCLU_ERESUME && x.vector == X86_UD) {
        w->faults++;
        if (rig_enter(&g_rig, w->index, OP_SKIP, 2, 0).function != ENCLU_EEXIT) {
            w->failed = "nested entry after a fault";
            return false;
        }
        x = rig_resume(&g_rig, w->index);
    }
    if (x.function != ENCLU_EEXIT || x.rsi != 0) {
        w->failed = "registers over a fault";
        return false;
    }
    return true;
}

static bool spin(struct worker *w)
{
    bool wide = (soft_xcr0() & SGX_XFRM_AVX512) == SGX_XFRM_AVX512 && next_random(w) % 2 == 0;
    struct spin_args narrow;
    uint64_t zmm[8 * 32 + 8];
    struct rig_exit x;

    for (size_t i = 0; i < ARRAY_COUNT(zmm); i++) {
        zmm[i] = next_random(w);
    }
    memcpy(&narrow, zmm, sizeof(narrow));
    w->left = 3;
    __atomic_store_n(&w->stop, 0, __ATOMIC_SEQ_CST);
    x = wide ? rig_enter(&g_rig, w->index, OP_SPIN512, (uint64_t)zmm, (uint64_t)&w->stop)
             : rig_enter(&g_rig, w->index, OP_SPIN, (uint64_t)&narrow, (uint64_t)&w->stop);
    w->spins++;
    if (x.function != ENCLU_EEXIT || x.rsi != 0) {
        w->failed = wide ? "AVX-512 state over signals" : "registers over signals";
        return false;
    }
    return true;
}

static uint64_t accept(struct worker *w, uint64_t addr, uint64_t pages, uint64_t flags)
{
    struct accept_args a = {
        .first = addr,
        .count = pages,
        .secinfo = RIG_BASE + ENC_DATA + w->index * 64,
        .flags = flags,
    };

    return rig_enter(&g_rig, w->index, OP_ACCEPT, (uint64_t)&a, 0).function == ENCLU_EEXIT ? a.error
                                                                                           : ~0ull;
}

static bool commit_and_remove(struct worker *w)
{
    uint64_t off = ENC_DYNAMIC + w->index * 0x10000ull;
    uint64_t result = ~0ull;

    if (accept(w, RIG_BASE + off, 16,
               SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W | SGX_SECINFO_PENDING) != 0) {
        w->failed = "EACCEPT of new pages";
        return false;
    }
    for (unsigned i = 0; i < 16; i++) {
        uint64_t at = RIG_BASE + off + i * 4096ull;
        struct rig_exit x = rig_enter(&g_rig, w->index, OP_READ, at, 1);

        if (x.function != ENCLU_EEXIT || x.rdx != 0 ||
            rig_enter(&g_rig, w->index, OP_WRITE, at, i + 1).function != ENCLU_EEXIT) {
            w->failed = "use of accepted pages";
            return false;
        }
    }
    w->accepts += 16;
    if (B->modify_types(g_rig.e, off, 0x10000, SGX_PT_TRIM, &result) < 0 || result != 0 ||
        accept(w, RIG_BASE + off, 16, SGX_SECINFO_TRIM | SGX_SECINFO_MODIFIED) != 0 ||
        B->remove_pages(g_rig.e, off, 0x10000) < 0) {
        w->failed = "removal of pages";
        return false;
    }
    return true;
}

static int start_timer(timer_t *ret)
{
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM};
    struct itimerspec it = {.it_interval = {.tv_nsec = 1000000}, .it_value = {.tv_nsec = 1000000}};

    ev.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    if (timer_create(CLOCK_MONOTONIC, &ev, ret) < 0) {
        return -1;
    }
    return timer_settime(*ret, 0, &it, NULL);
}

static void *work(void *arg)
{
    static bool (*const jobs[])(struct worker *) = {enter_many, fault_many, spin,
                                                    commit_and_remove};
    struct worker *w = arg;
    struct error *err = NULL;
    timer_t timer;

    if (B->thread_attach(g_rig.e, &err) < 0) {
        w->failed = error_text(err);
        return NULL;
    }
    g_self = w;
    if (start_timer(&timer) < 0) {
        w->failed = "timer";
        return NULL;
    }
    while (__atomic_load_n(&g_end, __ATOMIC_SEQ_CST) == 0 && w->failed == NULL) {
        (void)jobs[next_random(w) % ARRAY_COUNT(jobs)](w);
    }
    (void)timer_delete(timer);
    g_self = NULL;
    B->thread_detach();
    return NULL;
}

static unsigned g_seconds = 5;

static void test_stress(void **state)
{
    struct rig_options o = {.base = RIG_BASE, .threads = THREADS, .miscselect = SGX_MISC_EXINFO};
    _cleanup_error_ struct error *err = NULL;
    struct worker sum = {0};
    struct timespec left;

    rig_build(&g_rig, &o);
    assert_int_equal(B->sigaction(SIGALRM, on_tick, SA_RESTART, &err), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        g_workers[i].index = i;
        g_workers[i].rng = 0x9e3779b97f4a7c15ull * (i + 1);
        assert_int_equal(pthread_create(&g_workers[i].thread, NULL, work, &g_workers[i]), 0);
    }
    left = (struct timespec){.tv_sec = g_seconds};
    while (nanosleep(&left, &left) < 0) {
    }
    __atomic_store_n(&g_end, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < THREADS; i++) {
        struct worker *w = &g_workers[i];

        pthread_join(w->thread, NULL);
        if (w->failed != NULL) {
            print_message("# thread %u: %s\n", i, w->failed);
        }
        sum.entries += w->entries;
        sum.faults += w->faults;
        sum.spins += w->spins;
        sum.accepts += w->accepts;
        sum.signals += w->signals;
        sum.aexes += w->aexes;
        sum.failed = w->failed != NULL ? w->failed : sum.failed;
    }
    print_message("# %llu entries, %llu faults, %llu spins, %llu pages accepted, %llu signals of "
                  "which %llu found the enclave running\n",
                  (unsigned long long)sum.entries, (unsigned long long)sum.faults,
                  (unsigned long long)sum.spins, (unsigned long long)sum.accepts,
                  (unsigned long long)sum.signals, (unsigned long long)sum.aexes);
    assert_null(sum.failed);
    assert_true(sum.entries > 0 && sum.faults > 0 && sum.spins > 0 && sum.accepts > 0 &&
                sum.aexes > 0);
    rig_destroy(&g_rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stress),
    };

    if (argc > 1) {
        g_seconds = (unsigned)strtoul(argv[1], NULL, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
