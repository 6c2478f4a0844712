/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What the border of the processor in software costs, each row beside the bare system call of the
 * same run, made on a thread without Syscall User Dispatch:
 *
 *   exit-slot   enclave exit, one bare system call, re-entry, through slots
 *   exit-trap   the same through ENCLUs that trap
 *   exception   #UD in the enclave, AEX, a nested entry that repairs it, ERESUME
 *   ereport, egetkey, eaccept   the leaf, through a slot, from inside
 *   build-4mib  create, add and measure 4 MiB, initialise, destroy (a row in milliseconds)
 */

#include "unit/softsgx/rig.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "softsgx/internal.h"

#include "unit/unit.h"

#define BATCHES 15
#define REQ     (RIG_BASE + ENC_DATA + 0x3000)
#define OUT     (RIG_BASE + ENC_DATA + 0x4000)
#define REPORT  (RIG_BASE + ENC_DATA + 0x6000)

static struct rig g_rig;

static double clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static long bare_call(void)
{
    long ret = SYS_getppid;

    __asm__ volatile("syscall" : "+a"(ret) : : "rcx", "r11", "memory");
    return ret;
}

/* Each returns nanoseconds for one operation. */

static void *native_thread(void *arg)
{
    double *ret = arg;
    double start = now_ns();

    for (unsigned i = 0; i < 100000; i++) {
        (void)bare_call();
    }
    *ret = (now_ns() - start) / 100000;
    return NULL;
}

static double do_native(void)
{
    double ret = 0;
    pthread_t t;

    assert_int_equal(pthread_create(&t, NULL, native_thread, &ret), 0);
    pthread_join(t, NULL);
    return ret;
}

static double exits(uint64_t op, unsigned count)
{
    struct sgx_enclave_run run = {.tcs = rig_tcs(&g_rig, 0)};
    double start = now_ns();

    for (unsigned i = 0; i < count; i++) {
        (void)g_rig.enter(op, 0, 0, ENCLU_EENTER, 0, 0, &run);
        (void)bare_call();
    }
    return (now_ns() - start) / count;
}

static double do_exit_slot(void)
{
    return exits(OP_NOP, 100000);
}

static double do_exit_trap(void)
{
    return exits(OP_NOP_TRAP, 500);
}

static double do_exception(void)
{
    double start = now_ns();
    struct rig_exit x = rig_enter(&g_rig, 0, OP_FAULTLOOP, 500, 0);

    while (x.function == ENCLU_ERESUME) {
        (void)rig_enter(&g_rig, 0, OP_SKIP, 2, 0);
        x = rig_resume(&g_rig, 0);
    }
    assert_int_equal(x.rsi, 0);
    return (now_ns() - start) / 500;
}

static double leaf(const struct enclu_args *a, unsigned count)
{
    struct enclu_args copy = *a;
    double start = now_ns();
    struct rig_exit x = rig_enter(&g_rig, 0, OP_LOOP, (uint64_t)&copy, count);

    assert_int_equal(x.function, ENCLU_EEXIT);
    return (now_ns() - start) / count;
}

static double do_ereport(void)
{
    return leaf(&(struct enclu_args){.rax = ENCLU_EREPORT, .rbx = REQ, .rcx = OUT, .rdx = REPORT},
                20000);
}

static double do_egetkey(void)
{
    return leaf(&(struct enclu_args){.rax = ENCLU_EGETKEY, .rbx = REQ + 0x2000, .rcx = OUT}, 20000);
}

static double do_eaccept(void)
{
    struct accept_args a = {
        .first = RIG_BASE + ENC_DYNAMIC,
        .count = 128,
        .secinfo = RIG_BASE + ENC_DATA + 0xf000,
        .flags = SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W | SGX_SECINFO_PENDING,
    };
    double start = now_ns();
    uint64_t result;

    (void)rig_enter(&g_rig, 0, OP_ACCEPT, (uint64_t)&a, 0);
    start = now_ns() - start;
    assert_int_equal(a.error, 0);
    assert_int_equal(
        sgx_backend_soft.modify_types(g_rig.e, ENC_DYNAMIC, 128 * 4096, SGX_PT_TRIM, &result), 0);
    assert_int_equal(
        rig_accept(&g_rig, RIG_BASE + ENC_DYNAMIC, 128, SGX_SECINFO_TRIM | SGX_SECINFO_MODIFIED),
        0);
    assert_int_equal(sgx_backend_soft.remove_pages(g_rig.e, ENC_DYNAMIC, 128 * 4096), 0);
    return start / 128;
}

#define BUILD_SIZE (4u << 20)

static struct sgx_sigstruct g_build_sigstruct;

static double build(const uint8_t *image, bool sign)
{
    struct rig_options o = {.base = RIG_BASE2, .size = 1ull << 40};
    struct sgx_enclave *e = NULL;
    struct error *err = NULL;
    uint8_t mrenclave[32];
    struct sgx_secs secs;
    double start = now_ns();

    rig_secs(&o, &secs);
    assert_int_equal(sgx_backend_soft.create(&secs, &e, &err), 0);
    assert_int_equal(sgx_backend_soft.add_pages(e, 0, image, BUILD_SIZE,
                                                SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_X,
                                                true, &err),
                     0);
    if (sign) {
        soft_measure_final(e->measure, mrenclave);
        rig_sign(&secs, mrenclave, &o, NULL, &g_build_sigstruct);
    } else {
        assert_int_equal(sgx_backend_soft.init(e, &g_build_sigstruct, &err), 0);
    }
    sgx_backend_soft.destroy(e);
    return now_ns() - start;
}

static double do_build(void)
{
    static uint8_t *image;

    if (image == NULL) {
        image = aligned_alloc(4096, BUILD_SIZE);
        assert_non_null(image);
        memset(image, 0x5a, BUILD_SIZE);
        (void)build(image, true);
    }
    return build(image, false);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, BATCHES, sizeof(*v), by_value);
    return v[BATCHES / 2];
}

static void prepare(void)
{
    struct sgx_keyrequest q = {.key_name = SGX_KEY_SEAL, .key_policy = SGX_KEYPOLICY_MRENCLAVE};

    rig_build(&g_rig, &(struct rig_options){.base = RIG_BASE, .threads = 1});
    rig_poke_bytes(&g_rig, REQ + 0x2000, &q, sizeof(q));
}

int main(void)
{
    static const struct {
        const char *id;
        double (*op)(void);
        double exits;
        bool milliseconds;
    } rows[] = {
        {"exit-slot", do_exit_slot, 1, false}, {"exit-trap", do_exit_trap, 1, false},
        {"exception", do_exception, 2, false}, {"ereport", do_ereport, 0, false},
        {"egetkey", do_egetkey, 0, false},     {"eaccept", do_eaccept, 0, false},
        {"build-4mib", do_build, 0, true},
    };

    prepare();
    printf("[\n");
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        double native[BATCHES];
        double nacre[BATCHES];
        double cpu[BATCHES];
        double wall;
        double scale = rows[i].milliseconds ? 1e6 : 1;

        for (unsigned b = 0; b < BATCHES; b++) {
            native[b] = do_native();
            cpu[b] = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
            wall = clock_ns(CLOCK_MONOTONIC);
            nacre[b] = rows[i].op();
            cpu[b] = nacre[b] * (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu[b]) /
                     (clock_ns(CLOCK_MONOTONIC) - wall);
        }
        printf("  {\"id\": \"%s\", \"unit\": \"%s\", \"native\": %.6g, \"nacre\": %.4g, "
               "\"ratio\": %.3g, \"exits_per_op\": %g, \"cpu_us_per_op\": %.4g, \"n\": %u}%s\n",
               rows[i].id, rows[i].milliseconds ? "ms" : "ns", median(native) / scale,
               median(nacre) / scale, median(nacre) / median(native), rows[i].exits,
               median(cpu) / 1e3, BATCHES, i + 1 < ARRAY_COUNT(rows) ? "," : "");
        fflush(stdout);
    }
    printf("]\n");
    rig_destroy(&g_rig);
    return 0;
}
