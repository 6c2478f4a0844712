/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Thread slots against a host that lies about the threads it starts. */

#include "unit.h"

#include <string.h>
#include <sys/mman.h>

#include "libos/boot/boot.h"
#include "libos/boot/entry.h"
#include "libos/host/host.h"
#include "libos/mm/page_raw.h"
#include "libos/proc/slots.h"

#define THREADS 4u

/* ---- the rest of the library OS ---- */

uint64_t g_enclave_base;

void spin_lock(struct spinlock *l)
{
    assert_int_equal(l->locked, 0);
    l->locked = 1;
}

void spin_unlock(struct spinlock *l)
{
    assert_int_equal(l->locked, 1);
    l->locked = 0;
}

void mutex_lock(struct mutex *m)
{
    m->state = 1;
}

void mutex_unlock(struct mutex *m)
{
    m->state = 0;
}

/* No memory for slots beyond the measured ones. */
int page_raw_commit(uint64_t address, uint64_t size)
{
    return -ENOMEM;
}

void page_raw_decommit(uint64_t address, uint64_t size)
{
    fail_msg("nothing was committed");
}

int page_raw_make_tcs(uint64_t address)
{
    fail_msg("nothing was committed");
    return -EINVAL;
}

void enclave_entry(void)
{
}

void thread_page_prepare(struct thread_page *tp, uint64_t base)
{
    tp->enclave_base = base;
    tp->tcs = (uint64_t)tp;
}

void host_yield(void)
{
}

/* ---- the host ---- */

static struct thread_page *g_started; /* the slot it was last asked for */
static int g_requests;
static int (*g_host)(struct thread_page *tp);

int host_thread_create(uint64_t tcs)
{
    g_started = (struct thread_page *)tcs;
    g_requests++;
    return g_host(g_started);
}

/* What entry.S does on ENTRY_THREAD. */
static void enter(struct thread_page *tp)
{
    assert_int_equal(tp->state, TP_STATE_READY);
    tp->state = TP_STATE_RUNNING;
}

static void leave(struct thread_page *tp)
{
    slots_put(tp);
    tp->state = TP_STATE_DONE;
}

static int starts(struct thread_page *tp)
{
    enter(tp);
    return 0;
}

static int refuses(struct thread_page *tp)
{
    return -EAGAIN;
}

static int busy_twice(struct thread_page *tp)
{
    return g_requests <= 2 ? -EBUSY : starts(tp);
}

static int starts_and_denies(struct thread_page *tp)
{
    enter(tp);
    return -EAGAIN;
}

/* ---- tests ---- */

static void prepare(struct thread_page *tp, const void *arg)
{
    tp->mxcsr = *(const uint32_t *)arg;
}

static int start(struct thread *t)
{
    static const uint32_t mxcsr = 0x1f80;

    return slots_start(t, prepare, &mxcsr);
}

static void set_up(void)
{
    uint8_t *p = mmap(NULL, (size_t)THREADS * ENCLAVE_SLOT_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    assert_ptr_not_equal(p, MAP_FAILED);
    g_enclave_base = (uint64_t)p - ENCLAVE_THREADS_OFFSET;
    for (uint32_t i = 0; i < THREADS; i++) {
        struct thread_page *tp = (void *)(p + (size_t)i * ENCLAVE_SLOT_SIZE + SLOT_CONTROL);

        tp->measured.magic = ENCLAVE_THREAD_MAGIC;
        tp->measured.threads = THREADS;
    }
    assert_int_equal(slots_init((void *)(p + SLOT_CONTROL)), 0);
    g_requests = 0;
}

static void tear_down(void)
{
    assert_int_equal(munmap((void *)(g_enclave_base + ENCLAVE_THREADS_OFFSET),
                            (size_t)THREADS * ENCLAVE_SLOT_SIZE),
                     0);
}

static void test_slots_start_until_all_are_taken(void **state)
{
    struct thread t[THREADS] = {0};

    set_up();
    g_host = starts;
    for (uint32_t i = 0; i < THREADS - 1; i++) { /* the first slot is the caller's */
        assert_int_equal(start(&t[i]), 0);
        assert_ptr_equal(t[i].arch, g_started);
        assert_ptr_equal(g_started->current, &t[i]);
        assert_int_equal(g_started->mxcsr, 0x1f80);
    }
    assert_int_equal(start(&t[THREADS - 1]), -EAGAIN);
    assert_null(t[THREADS - 1].arch);
    leave(t[0].arch);
    assert_int_equal(start(&t[THREADS - 1]), 0);
    assert_ptr_equal(t[THREADS - 1].arch, t[0].arch);
    tear_down();
}

static void test_slots_refused_start_gives_the_slot_back(void **state)
{
    struct thread t = {0};

    set_up();
    g_host = refuses;
    for (uint32_t i = 0; i < 2 * THREADS; i++) {
        assert_int_equal(start(&t), -EAGAIN);
        assert_null(t.arch);
        assert_int_equal(g_started->state, TP_STATE_DONE);
    }
    g_host = busy_twice;
    g_requests = 0;
    assert_int_equal(start(&t), 0);
    assert_int_equal(g_requests, 3);
    tear_down();
}

/* The thread is inside: its slot and its object stay what they are, whatever the host says. */
static void test_slots_started_and_denied_is_started(void **state)
{
    struct thread t[THREADS] = {0};

    set_up();
    g_host = starts_and_denies;
    for (uint32_t i = 0; i < THREADS - 1; i++) {
        assert_int_equal(start(&t[i]), 0);
        assert_ptr_equal(t[i].arch, g_started);
        assert_int_equal(g_started->state, TP_STATE_RUNNING);
        for (uint32_t k = 0; k < i; k++) {
            assert_ptr_not_equal(t[k].arch, t[i].arch);
        }
    }
    assert_int_equal(start(&t[THREADS - 1]), -EAGAIN);
    tear_down();
}

static struct thread g_next;
static int g_depth;

/* The thread ran and ended, and its slot is on its way to the next thread when the host denies. */
static int ends_and_denies(struct thread_page *tp)
{
    if (g_depth++ > 0) {
        return 0; /* the next one: not inside yet */
    }
    enter(tp);
    leave(tp);
    /* all other slots are taken */
    assert_int_equal(start(&g_next), 0);
    assert_ptr_equal(g_next.arch, tp);
    return -EAGAIN;
}

static void test_slots_late_denial_does_not_touch_the_next_thread(void **state)
{
    struct thread t[THREADS] = {0};

    set_up();
    g_host = starts;
    for (uint32_t i = 0; i < THREADS - 2; i++) {
        assert_int_equal(start(&t[i]), 0);
    }
    g_host = ends_and_denies;
    g_depth = 0;
    assert_int_equal(start(&t[THREADS - 2]), 0);
    assert_int_equal(((struct thread_page *)g_next.arch)->state, TP_STATE_READY);
    assert_ptr_equal(((struct thread_page *)g_next.arch)->current, &g_next);
    g_host = starts;
    assert_int_equal(start(&t[THREADS - 1]), -EAGAIN); /* the slot is in use, not in the list */
    tear_down();
}

static void test_slots_page_that_is_not_as_measured_is_refused(void **state)
{
    struct thread_page *last;

    set_up();
    last =
        (void *)(g_enclave_base + ENCLAVE_THREADS_OFFSET + 3ull * ENCLAVE_SLOT_SIZE + SLOT_CONTROL);
    last->measured.magic++;
    assert_int_equal(slots_init((void *)(g_enclave_base + ENCLAVE_THREADS_OFFSET + SLOT_CONTROL)),
                     -EINVAL);
    tear_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_start_until_all_are_taken),
        cmocka_unit_test(test_slots_refused_start_gives_the_slot_back),
        cmocka_unit_test(test_slots_started_and_denied_is_started),
        cmocka_unit_test(test_slots_late_denial_does_not_touch_the_next_thread),
        cmocka_unit_test(test_slots_page_that_is_not_as_measured_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
