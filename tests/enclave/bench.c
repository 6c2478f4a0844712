/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Loops the bench frame times: argv = enclave, "bench", NAME, COUNT, FD. The time stamp counter is
 * read inside, around the loop; struct bench_enclave_result goes to FD.
 */
#include "bench/enclave_result.h"
#include "enclave/enclave.h"

static _Alignas(512) struct sgx_targetinfo target;
static _Alignas(512) struct sgx_report report;
static _Alignas(512) struct sgx_keyrequest request;
static _Alignas(128) uint8_t report_data[64];
static _Alignas(16) uint8_t key[16];
static _Alignas(64) struct sgx_secinfo secinfo;

#define AREA_OFFSET 0x200000000ull
#define AREA_STEP   512u /* pages augmented at a time, outside the timed part */
#define QUOTE_MAX   65536

static uint64_t cycles_now(void)
{
    uint32_t lo;
    uint32_t hi;

    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return ((uint64_t)hi << 32) | lo;
}

/* The cheapest host call there is: an unknown number, so no system call is made. */
static void loop_exit(uint64_t count)
{
    while (count-- > 0) {
        (void)host_call(HOSTCALL_MAX - 1, 0, 0, 0, 0);
    }
}

/* lseek on no descriptor: a bare system call on the host's side. */
static void loop_syscall(uint64_t count)
{
    while (count-- > 0) {
        (void)host_call(HOSTCALL_lseek, (uint64_t)-1, 0, 0, 0);
    }
}

static void loop_aex(uint64_t count)
{
    while (count-- > 0) {
        (void)enclave_registers_across_ud2();
    }
}

static void loop_ereport(uint64_t count)
{
    while (count-- > 0) {
        (void)enclave_enclu(ENCLU_EREPORT, (uint64_t)&target, (uint64_t)report_data,
                            (uint64_t)&report);
    }
}

static void loop_egetkey(uint64_t count)
{
    request =
        (struct sgx_keyrequest){.key_name = SGX_KEY_SEAL, .key_policy = SGX_KEYPOLICY_MRENCLAVE};
    while (count-- > 0) {
        if (enclave_enclu(ENCLU_EGETKEY, (uint64_t)&request, (uint64_t)key, 0) != SGX_SUCCESS) {
            host_abort(10);
        }
    }
}

/* EACCEPT alone is timed: the host's part of EDMM happens between the stretches. */
static uint64_t time_eaccept(uint64_t count)
{
    uint64_t total = 0;
    uint64_t offset = AREA_OFFSET;

    secinfo.flags = SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W | SGX_SECINFO_PENDING;
    while (count > 0) {
        const uint64_t step = MIN(count, (uint64_t)AREA_STEP);
        uint64_t start;

        if (host_call(HOSTCALL_map, offset, step * NACRE_PAGE_SIZE, 3, 0) != 0 ||
            host_call(HOSTCALL_augment, offset, step * NACRE_PAGE_SIZE, 0, 0) != 0) {
            host_abort(11);
        }
        start = cycles_now();
        for (uint64_t i = 0; i < step; i++) {
            if (enclave_enclu(ENCLU_EACCEPT, (uint64_t)&secinfo,
                              enclave_base + offset + i * NACRE_PAGE_SIZE, 0) != SGX_SUCCESS) {
                host_abort(12);
            }
        }
        total += cycles_now() - start;
        offset += step * NACRE_PAGE_SIZE;
        count -= step;
    }
    return total;
}

/* A report for the quoting enclave, quoted by the host, over and over. */
static size_t make_quotes(uint64_t count)
{
    const uint64_t at = host_bounce();
    const uint64_t report_at = at + 4096;
    const uint64_t quote_at = at + 8192;
    int64_t size = 0;

    if (at == 0 || host_call(HOSTCALL_quote_target, at, 0, 0, 0) != 0 ||
        host_copy_in(&target, at, sizeof(target)) < 0) {
        host_abort(13);
    }
    while (count-- > 0) {
        loop_ereport(1);
        host_copy_out(report_at, &report, sizeof(report));
        size = host_call(HOSTCALL_quote, report_at, quote_at, QUOTE_MAX, 0);
        if (size <= 0 || size > QUOTE_MAX) {
            host_abort(14);
        }
    }
    return (size_t)size;
}

static void loop_quote(uint64_t count)
{
    (void)make_quotes(count);
}

static const struct {
    const char *name;
    void (*loop)(uint64_t count);
    bool plain;
} loops[] = {
    {"exit", loop_exit, false},           {"syscall", loop_syscall, false},
    {"syscall-trap", loop_syscall, true}, {"aex", loop_aex, false},
    {"ereport", loop_ereport, false},     {"egetkey", loop_egetkey, false},
    {"quote", loop_quote, false},
};

static bool same_word(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static uint64_t number(const char *s)
{
    uint64_t v = 0;

    while (s != NULL && *s >= '0' && *s <= '9') {
        v = v * 10 + (uint64_t)(*s++ - '0');
    }
    return v;
}

static uint64_t cpu_now(void)
{
    return (uint64_t)host_call(HOSTCALL_clock_gettime, 2, 0, 0, 0); /* the process's CPU time */
}

static void time_loop(void (*loop)(uint64_t), uint64_t count, struct bench_enclave_result *ret)
{
    struct thread *t = thread_self();
    uint64_t cpu;

    loop(count / 10 + 1); /* warm */
    cpu = cpu_now();
    ret->exits = t->exits;
    ret->cycles = cycles_now();
    loop(count);
    ret->cycles = cycles_now() - ret->cycles;
    ret->exits = t->exits - ret->exits;
    ret->cpu_ns = cpu_now() - cpu;
}

int bench_main(void)
{
    const char *name = boot_argument(2);
    const uint64_t count = number(boot_argument(3));
    const int fd = (int)number(boot_argument(4));
    struct bench_enclave_result result = {.ops = count};
    bool known = false;

    if (name == NULL || count == 0) {
        return 2;
    }
    for (size_t i = 0; i < ARRAY_COUNT(loops); i++) {
        if (same_word(name, loops[i].name)) {
            thread_self()->plain_exit = loops[i].plain;
            time_loop(loops[i].loop, count, &result);
            thread_self()->plain_exit = 0;
            known = true;
        }
    }
    if (same_word(name, "eaccept")) {
        result.cpu_ns = cpu_now();
        result.cycles = time_eaccept(count);
        result.cpu_ns = cpu_now() - result.cpu_ns;
        known = true;
    }
    if (!known || host_write(fd, &result, sizeof(result)) != (int64_t)sizeof(result)) {
        return 3;
    }
    if (same_word(name, "quote")) { /* the last one goes along, as it lies outside */
        const size_t size = make_quotes(1);

        return host_call(HOSTCALL_write, (uint64_t)fd, host_bounce() + 8192, size, 0) ==
                       (int64_t)size
                   ? 0
                   : 3;
    }
    return 0;
}
