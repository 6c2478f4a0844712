/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Timers over a host that wakes early, late, or is asked by two threads at once. */
#include "unit.h"

#include "libos/host/host.h"
#include "libos/lib/sync.h"
#include "libos/proc/thread.h"
#include "libos/time/clock.h"
#include "libos/time/timer.h"

static uint64_t g_now;
static uint64_t g_host; /* what the host was asked for last */
static unsigned g_asked;
static void (*g_meanwhile)(void); /* happens while the host is being asked */

void spin_lock(struct spinlock *l)
{
    assert_int_equal(l->locked, 0);
    l->locked = 1;
}

void spin_unlock(struct spinlock *l)
{
    l->locked = 0;
}

void host_yield(void)
{
}

struct thread *thread_current(void)
{
    return NULL;
}

uint64_t clock_monotonic(void)
{
    return g_now;
}

void host_set_timer(uint64_t deadline)
{
    void (*meanwhile)(void) = g_meanwhile;

    g_meanwhile = NULL;
    g_asked++;
    if (meanwhile != NULL) {
        meanwhile();
    }
    g_host = deadline;
}

static uint64_t g_fired;

static void fire(struct ktimer *t, uint64_t expirations)
{
    g_fired += expirations;
}

static int reset(void **state)
{
    g_now = 1000;
    g_fired = 0;
    return 0;
}

static void test_wake_up_in_time_fires_and_asks_again(void **state)
{
    struct ktimer t;

    ktimer_init(&t, fire);
    ktimer_start(&t, 2000, 500);
    assert_int_equal(g_host, 2000);
    g_now = 2001;
    timers_host_fired();
    assert_int_equal(g_fired, 1);
    assert_int_equal(g_host, 2500);
    g_now = 4100;
    timers_host_fired();
    assert_int_equal(g_fired, 5);
    assert_int_equal(g_host, 4500);
    ktimer_stop(&t);
}

/* By our clock nothing is due yet, and the host has no wake-up left: it must be asked again, or the
 * timer never fires. */
static void test_early_wake_up_is_asked_for_again(void **state)
{
    struct ktimer t;

    ktimer_init(&t, fire);
    ktimer_start(&t, 2000, 0);
    g_host = 0;
    g_now = 1999;
    timers_host_fired();
    assert_int_equal(g_fired, 0);
    assert_int_equal(g_host, 2000);
    g_now = 2000;
    timers_host_fired();
    assert_int_equal(g_fired, 1);
}

static struct ktimer g_sooner;

static void start_sooner(void)
{
    ktimer_start(&g_sooner, 1500, 0);
}

/* Another thread starts an earlier timer while this one asks the host for a later one. */
static void test_of_two_that_ask_the_earlier_deadline_stands(void **state)
{
    struct ktimer later;

    ktimer_init(&g_sooner, fire);
    ktimer_init(&later, fire);
    g_meanwhile = start_sooner;
    ktimer_start(&later, 900000, 0);
    assert_int_equal(g_host, 1500);
    ktimer_stop(&g_sooner);
    ktimer_stop(&later);
}

static void test_nothing_armed_asks_for_nothing(void **state)
{
    const unsigned asked = g_asked;

    timers_run();
    assert_int_equal(g_asked, asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_wake_up_in_time_fires_and_asks_again, reset),
        cmocka_unit_test_setup(test_early_wake_up_is_asked_for_again, reset),
        cmocka_unit_test_setup(test_of_two_that_ask_the_earlier_deadline_stands, reset),
        cmocka_unit_test_setup(test_nothing_armed_asks_for_nothing, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
