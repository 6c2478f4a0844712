/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The owner's table of processes, and who hears what. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "libos/proc/pids.h"
#include "unit/libos/fake_kernel.h"

#define MEMBER(pid) ((uint32_t)(pid) + 100)

static struct {
    int signals, children;
    uint32_t member;
    int32_t pid;
    struct siginfo_kernel info;
    int32_t child_of;
    int ends;
    uint64_t serial;
} g_heard;

static void hear_signal(uint32_t member, int32_t pid, const struct siginfo_kernel *info)
{
    g_heard.signals++;
    g_heard.member = member;
    g_heard.pid = pid;
    g_heard.info = *info;
}

static void hear_child(uint32_t member, int32_t pid)
{
    g_heard.children++;
    g_heard.child_of = pid;
}

static void hear_ended(uint32_t member, int32_t pid, uint64_t serial)
{
    g_heard.ends++;
    g_heard.member = member;
    g_heard.pid = pid;
    g_heard.serial = serial;
}

static const char name[PIDS_COMM] = "test";

static int setup(void **state)
{
    static const struct pids_ears ears = {
        .signal = hear_signal, .child = hear_child, .ended = hear_ended};

    fake_boot(-1, 0);
    pids_init(&ears);
    pids_reset();
    memset(&g_heard, 0, sizeof(g_heard));
    return pids_first(1, name);
}

static int teardown(void **state)
{
    pids_reset();
    fake_shutdown();
    return 0;
}

static int32_t child_of(int32_t parent)
{
    const struct pids_new n = {
        .parent = parent, .exit_signal = SIGCHLD, .limit = UINT64_MAX, .comm = "child"};
    const int32_t pid = pids_create(&n);

    assert_true(pid > 1);
    assert_int_equal(pids_move(pid, MEMBER(pid)), 0);
    return pid;
}

static int wait_for(int32_t caller, int32_t id, uint32_t options, struct pids_waited *ret)
{
    const struct pids_wait w = {.caller = caller, .id = id, .options = options};

    return pids_wait(&w, ret);
}

static void test_pids_a_child_ends_and_is_waited_for_once(void **state)
{
    const int32_t pid = child_of(1);
    struct pids_waited w;
    struct pids_info info;

    assert_int_equal(wait_for(1, 0, PIDS_WAIT_EXITED, &w), 0);
    pids_exit(pid, 7 << 8, 5, 6);
    assert_int_equal(g_heard.info.signo, SIGCHLD);
    assert_int_equal(g_heard.info.code, CLD_EXITED);
    assert_int_equal(g_heard.info.kill.value, 7);
    assert_int_equal(g_heard.pid, 1);
    assert_int_equal(g_heard.child_of, 1);
    assert_int_equal(pids_describe(pid, &info), 0);
    assert_int_equal(info.state, 'Z');
    assert_int_equal(wait_for(1, pid, PIDS_WAIT_EXITED | PIDS_WAIT_KEEP, &w), 1);
    assert_int_equal(wait_for(1, 0, PIDS_WAIT_EXITED, &w), 1);
    assert_int_equal(w.pid, pid);
    assert_int_equal(w.status, 7 << 8);
    assert_int_equal(w.utime, 5);
    assert_int_equal(wait_for(1, 0, PIDS_WAIT_EXITED, &w), -ECHILD);
    assert_int_equal(pids_describe(pid, &info), -ESRCH);
}

static void test_pids_a_killed_enclave_is_a_killed_process(void **state)
{
    const int32_t pid = child_of(1);
    const int32_t other = child_of(1);
    struct pids_waited w;

    pids_member_gone(MEMBER(pid));
    assert_int_equal(g_heard.info.code, CLD_KILLED);
    assert_int_equal(g_heard.info.kill.value, SIGKILL);
    assert_int_equal(wait_for(1, 0, PIDS_WAIT_EXITED, &w), 1);
    assert_int_equal(w.status, SIGKILL);
    pids_exit(other, 0, 0, 0);
    pids_member_gone(MEMBER(other)); /* its farewell: the end it told of counts */
    assert_int_equal(wait_for(1, other, PIDS_WAIT_EXITED, &w), 1);
    assert_int_equal(w.status, 0);
}

static void test_pids_orphans_go_to_the_nearest_reaper(void **state)
{
    const int32_t reaper = child_of(1);
    const int32_t middle = child_of(reaper);
    const int32_t leaf = child_of(middle);
    const int32_t far = child_of(1);
    const int32_t near_leaf = child_of(far);
    struct pids_info info;
    struct pids_waited w;

    assert_int_equal(pids_set(reaper, PIDS_SUBREAPER, 1), 0);
    pids_exit(leaf, 3 << 8, 0, 0); /* a zombie is inherited as well */
    g_heard.signals = 0;
    pids_exit(middle, 0, 0, 0);
    assert_int_equal(g_heard.signals, 2);
    assert_int_equal(wait_for(reaper, leaf, PIDS_WAIT_EXITED, &w), 1);
    pids_exit(far, 0, 0, 0);
    assert_int_equal(pids_describe(near_leaf, &info), 0);
    assert_int_equal(info.ppid, 1);
}

static void test_pids_who_ignores_children_has_no_zombies(void **state)
{
    const int32_t pid = child_of(1);
    struct pids_waited w;

    assert_int_equal(pids_set(1, PIDS_REAPS_SELF, 1), 0);
    pids_exit(pid, 0, 0, 0);
    assert_int_equal(g_heard.children, 1); /* whoever waits looks again: ECHILD */
    assert_int_equal(wait_for(1, 0, PIDS_WAIT_EXITED, &w), -ECHILD);
}

static void test_pids_death_signal(void **state)
{
    const int32_t parent = child_of(1);
    const int32_t pid = child_of(parent);

    assert_int_equal(pids_set(pid, PIDS_DEATH_SIGNAL, SIGUSR2), 0);
    g_heard.signals = 0;
    pids_exit(parent, 0, 0, 0);
    assert_int_equal(g_heard.signals, 2); /* and SIGCHLD of the parent's end */
}

static void test_pids_stops_are_told_once(void **state)
{
    const int32_t pid = child_of(1);
    struct pids_waited w;

    pids_stopped(pid, SIGSTOP);
    assert_int_equal(wait_for(1, 0, PIDS_WAIT_EXITED, &w), 0);
    assert_int_equal(wait_for(1, 0, PIDS_WAIT_STOPPED, &w), 1);
    assert_int_equal(w.status, SIGSTOP << 8 | 0x7f);
    assert_int_equal(wait_for(1, 0, PIDS_WAIT_STOPPED, &w), 0);
    pids_stopped(pid, 0);
    assert_int_equal(wait_for(1, 0, PIDS_WAIT_CONTINUED, &w), 1);
    assert_int_equal(w.status, 0xffff);
}

static void test_pids_kill_reaches_whom_it_may(void **state)
{
    const struct siginfo_kernel info = {.signo = SIGTERM};
    const int32_t a = child_of(1);
    const int32_t b = child_of(1);

    assert_int_equal(pids_setpgid(1, a, a), 0);
    assert_int_equal(pids_setpgid(1, b, a), 0);
    assert_int_equal(pids_kill(1, -a, &info), 0);
    assert_int_equal(g_heard.signals, 2);
    assert_int_equal(pids_kill(a, -a, &info), 1); /* itself as well, and that is its own affair */
    assert_int_equal(g_heard.signals, 3);
    assert_int_equal(pids_kill(1, 9999, &info), -ESRCH);
    assert_int_equal(pids_kill(1, -1, &info), 0);
    assert_int_equal(g_heard.signals, 5);
    assert_int_equal(pids_set(a, PIDS_UID, (uint64_t)1000 << 32 | 1000), 0);
    assert_int_equal(pids_kill(a, b, &info), -EPERM);
    assert_int_equal(g_heard.signals, 5);
}

static void test_pids_groups_and_sessions(void **state)
{
    const int32_t a = child_of(1);
    const int32_t b = child_of(1);

    assert_int_equal(pids_setpgid(1, a, b), -EPERM); /* no such group */
    assert_int_equal(pids_setpgid(1, 1, 0), -EPERM); /* leads a session */
    assert_int_equal(pids_setpgid(a, b, 0), -ESRCH); /* not its child */
    assert_int_equal(pids_setsid(a), a);
    assert_int_equal(pids_setsid(a), -EPERM);
    assert_int_equal(pids_setpgid(1, b, a), -EPERM); /* another session */
    assert_int_equal(pids_setpgid(1, a, 0), -EPERM);
    assert_int_equal(pids_set(b, PIDS_EXECUTED, 1), 0);
    assert_int_equal(pids_setpgid(1, b, 0), -EACCES);
}

static void test_pids_the_limit_counts_a_user(void **state)
{
    struct pids_new n = {.parent = 1, .uid = 5, .limit = 3, .exit_signal = SIGCHLD};

    for (int i = 0; i < 3; i++) {
        assert_true(pids_create(&n) > 0);
    }
    assert_int_equal(pids_create(&n), -EAGAIN);
    n.uid = 6;
    assert_true(pids_create(&n) > 0);
    n.parent = 4242;
    assert_int_equal(pids_create(&n), -ESRCH);
}

static uint64_t serial_of(int32_t pid)
{
    struct pids_info info;

    assert_int_equal(pids_describe(pid, &info), 0);
    return info.serial;
}

static void test_pids_who_watches_hears_of_the_end_once(void **state)
{
    const int32_t pid = child_of(1);
    const uint64_t serial = serial_of(pid);
    struct pids_waited w;

    assert_int_equal(pids_watch(7, pid, serial + 1), 1); /* somebody who had the number before */
    assert_int_equal(pids_watch(7, pid, serial), 0);
    assert_int_equal(pids_watch(7, pid, serial), 0);
    assert_int_equal(pids_watch(8, pid, serial), 0);
    assert_int_equal(pids_watch(9, pid, serial), 0);
    pids_member_gone(9);
    pids_exit(pid, 0, 0, 0);
    assert_int_equal(g_heard.ends, 2);
    assert_int_equal(g_heard.pid, pid);
    assert_int_equal(g_heard.serial, serial);
    assert_int_equal(pids_watch(7, pid, serial), 1); /* nobody waited for it yet */
    assert_int_equal(wait_for(1, pid, PIDS_WAIT_EXITED, &w), 1);
    assert_int_equal(pids_watch(7, pid, serial), 1);
    assert_int_equal(g_heard.ends, 2);
}

/* Without a zombie in between, and when its enclave is killed. */
static void test_pids_who_watches_hears_of_every_kind_of_end(void **state)
{
    const int32_t killed = child_of(1);
    const int32_t reaped = child_of(1);

    assert_int_equal(pids_watch(7, killed, serial_of(killed)), 0);
    assert_int_equal(pids_watch(7, reaped, serial_of(reaped)), 0);
    pids_member_gone(MEMBER(killed));
    assert_int_equal(g_heard.ends, 1);
    assert_int_equal(pids_set(1, PIDS_REAPS_SELF, 1), 0);
    pids_exit(reaped, 0, 0, 0);
    assert_int_equal(g_heard.ends, 2);
    assert_int_equal(g_heard.pid, reaped);
}

static void test_pids_a_serial_names_one_process_only(void **state)
{
    const struct siginfo_kernel info = {.signo = SIGTERM};
    const int32_t pid = child_of(1);
    const uint64_t serial = serial_of(pid);
    struct pids_wait w = {
        .caller = 1, .id = pid, .options = PIDS_WAIT_EXITED, .serial = serial + 1};
    struct pids_waited waited;

    assert_int_equal(pids_kill_exact(1, pid, serial + 1, &info), -ESRCH);
    assert_int_equal(pids_kill_exact(1, pid, 0, &info), -ESRCH);
    assert_int_equal(pids_kill_exact(1, -1, serial, &info), -ESRCH);
    assert_int_equal(g_heard.signals, 0);
    assert_int_equal(pids_kill_exact(1, pid, serial, &info), 0);
    assert_int_equal(g_heard.signals, 1);
    assert_int_equal(pids_kill_exact(1, 1, serial_of(1), &info), 1);
    pids_exit(pid, 0, 0, 0);
    assert_int_equal(pids_wait(&w, &waited), -ECHILD);
    w.serial = serial;
    assert_int_equal(pids_wait(&w, &waited), 1);
}

static void test_pids_numbers_run_out_and_come_back(void **state)
{
    const struct pids_new n = {.parent = 1, .limit = UINT64_MAX};
    int32_t last = 0;
    int32_t r;

    for (int i = 0; i < 400; i++) { /* numbers go up while there are higher ones */
        r = pids_create(&n);
        assert_true(r > last);
        last = r;
        pids_abandon(r);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_pids_a_child_ends_and_is_waited_for_once),
        T(test_pids_a_killed_enclave_is_a_killed_process),
        T(test_pids_orphans_go_to_the_nearest_reaper),
        T(test_pids_who_ignores_children_has_no_zombies),
        T(test_pids_death_signal),
        T(test_pids_stops_are_told_once),
        T(test_pids_kill_reaches_whom_it_may),
        T(test_pids_groups_and_sessions),
        T(test_pids_the_limit_counts_a_user),
        T(test_pids_who_watches_hears_of_the_end_once),
        T(test_pids_who_watches_hears_of_every_kind_of_end),
        T(test_pids_a_serial_names_one_process_only),
        T(test_pids_numbers_run_out_and_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
