/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Threads: all measured slots at once, signals into a running one, start and end again. */
#include "enclave/enclave.h"

#define ROUNDS 200u

static uint32_t counter;
static uint32_t turn_errors;
static uint32_t spin_until;
static uint64_t seen_bits;
static uint32_t seen_entries;
static uint32_t spinning;

static void count_rounds(uint64_t argument)
{
    struct thread *t = thread_self();

    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct expected_trap trap;

        (void)__atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
        if (host_call(HOSTCALL_yield, 0, 0, 0, 0) != 0 || t->page.index != argument) {
            (void)__atomic_fetch_add(&turn_errors, 1, __ATOMIC_RELAXED);
        }
        if (i % 50 == 0 && enclave_registers_across_ud2() != 0) {
            (void)__atomic_fetch_add(&turn_errors, 1, __ATOMIC_RELAXED);
        }
        (void)trap;
    }
}

static void spin(uint64_t argument)
{
    struct thread *t = thread_self();

    __atomic_store_n(&spinning, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&spin_until, __ATOMIC_ACQUIRE) == 0 && t->signals_seen == 0) {
        __builtin_ia32_pause();
        __asm__ volatile("" ::: "memory");
    }
    seen_bits = t->signal_bits;
    seen_entries = t->signals_seen;
}

/* Kicks that meet a thread in the middle of an exception, at its AEP, in its handler or on the way
 * back in: none may be slept over, though the thread never leaves for a host call. */
#define KICK_ROUNDS 200u
#define PATIENCE    8000000000ull /* cycles: seconds */

static uint32_t kick_round;
static uint32_t kicks_missed;

static void fault_and_listen(uint64_t argument)
{
    struct thread *t = thread_self();

    for (uint32_t i = 1; i <= KICK_ROUNDS; i++) {
        const uint64_t start = __builtin_ia32_rdtsc();

        __atomic_store_n(&kick_round, i, __ATOMIC_RELEASE);
        for (uint32_t n = 0; n < 4; n++) {
            (void)enclave_registers_across_ud2();
        }
        while (*(volatile uint32_t *)&t->signals_seen < i) {
            if (__builtin_ia32_rdtsc() - start > PATIENCE) {
                kicks_missed++;
                t->signals_seen = i;
            }
        }
    }
}

static void wait_done(uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i <= last; i++) {
        while (!thread_done(i)) {
            (void)host_call(HOSTCALL_sleep, 100000, 0, 0, 0);
        }
    }
}

void test_threads(void)
{
    const uint32_t last = 15;
    bool started = true;

    for (uint32_t i = 1; i <= last; i++) {
        started = started && thread_start(i, count_rounds, i) == 0;
    }
    tap_case(started, "fifteen more threads start");
    wait_done(1, last);
    tap_case(counter == last * ROUNDS && turn_errors == 0,
             "each made its rounds on a slot and with registers of its own");
    tap_case(thread_start(1, count_rounds, 1) == 0, "a TCS can be used again");
    wait_done(1, 1);
    tap_case(counter == (last + 1) * ROUNDS, "the second user of the TCS ran");

    tap_case(thread_start(1, spin, 0) == 0, "a thread that only computes starts");
    while (__atomic_load_n(&spinning, __ATOMIC_ACQUIRE) == 0) {
        (void)host_call(HOSTCALL_yield, 0, 0, 0, 0);
    }
    tap_case(host_call(HOSTCALL_thread_kick,
                       enclave_base + ENCLAVE_THREADS_OFFSET + ENCLAVE_SLOT_SIZE + SLOT_TCS, 0, 0,
                       0) == 0,
             "it is kicked");
    for (uint32_t i = 0; i < 2000 && !thread_done(1); i++) {
        (void)host_call(HOSTCALL_sleep, 1000000, 0, 0, 0);
    }
    __atomic_store_n(&spin_until, 1, __ATOMIC_RELEASE);
    wait_done(1, 1);
    tap_case(seen_entries == 1 && (seen_bits & 1ull << (HOST_SIGNAL_KICK - 1)) != 0,
             "the kick came in as a nested entry while it computed");
    started = thread_start(2, fault_and_listen, 0) == 0;
    for (uint32_t i = 1; started && i <= KICK_ROUNDS; i++) {
        while (__atomic_load_n(&kick_round, __ATOMIC_ACQUIRE) < i) {
            (void)host_call(HOSTCALL_yield, 0, 0, 0, 0);
        }
        (void)host_call(HOSTCALL_thread_kick,
                        enclave_base + ENCLAVE_THREADS_OFFSET + 2ull * ENCLAVE_SLOT_SIZE + SLOT_TCS,
                        0, 0, 0);
    }
    wait_done(2, 2);
    tap_case(started && kicks_missed == 0, "kicks in the middle of exceptions are all noticed");
    tap_case(host_call(HOSTCALL_thread_kick, enclave_base + ENCLAVE_THREADS_OFFSET, 0, 0, 0) ==
                 -ESRCH,
             "kicking a TCS nobody serves is ESRCH");
    tap_case(host_call(HOSTCALL_thread_create, enclave_base + ENCLAVE_SIZE, 0, 0, 0) == -EINVAL,
             "a TCS outside the enclave is EINVAL");
}
