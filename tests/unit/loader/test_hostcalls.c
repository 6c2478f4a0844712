/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The dispatcher and the calls themselves, without an enclave: the block is filled in here. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "loader/measure.h"
#include "loader/run_internal.h"

static struct loader g_loader = {.base = 0x200000000000ull, .lock = PTHREAD_MUTEX_INITIALIZER};
static struct loader_thread *g_thread;

static int setup(void **state)
{
    g_loader.backend = &measure_backend;
    return threads_add(&g_loader, g_loader.base + 0x1000, &g_thread);
}

static int teardown(void **state)
{
    threads_remove(g_thread);
    threads_free_spare(&g_loader);
    return g_loader.live_count == 0 ? 0 : -1;
}

static int64_t call(uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
    g_thread->block->number = number;
    g_thread->block->args[0] = a0;
    g_thread->block->args[1] = a1;
    g_thread->block->args[2] = a2;
    g_thread->block->args[3] = a3;
    g_thread->block->args[4] = 0;
    g_thread->block->args[5] = 0;
    return hostcall_serve(g_thread, (uint64_t[HOSTCALL_ARGS]){});
}

static void test_dispatch_numbers_outside_the_table_are_enosys(void **state)
{
    static const bool known[HOSTCALL_MAX] = {
#define X(number, name, args, description) [number] = true,
#include "abi/hostcall.tbl.h"
#undef X
    };

    for (uint32_t n = 0; n < HOSTCALL_MAX + 10; n++) {
        if (n >= HOSTCALL_MAX || !known[n]) {
            assert_int_equal(call(n, 0, 0, 0, 0), -ENOSYS);
        }
    }
    assert_int_equal(call(UINT32_MAX, 0, 0, 0, 0), -ENOSYS);
    /* never from inside a nested entry: the interrupted level could not be copied */
    g_thread->level = 1;
    assert_int_equal(call(HOSTCALL_process_fork, 0, 0, 0, 0), -EINVAL);
    g_thread->level = 0;
}

static void test_files_open_write_read_back(void **state)
{
    char path[] = "/tmp/nacre-test-hostcall-XXXXXX";
    char buffer[16] = {};
    struct stat st;
    int64_t map;
    int64_t fd;
    const int own = mkstemp(path);

    assert_true(own >= 0);
    close(own);
    fd = call(HOSTCALL_openat, (uint64_t)AT_FDCWD, (uint64_t)path, O_RDWR, 0);
    assert_true(fd >= 0);
    assert_true((fcntl((int)fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(call(HOSTCALL_write, (uint64_t)fd, (uint64_t) "hello", 5, 0), 5);
    assert_int_equal(call(HOSTCALL_pwrite, (uint64_t)fd, (uint64_t) "J", 1, 0), 1);
    assert_int_equal(call(HOSTCALL_lseek, (uint64_t)fd, 0, SEEK_SET, 0), 0);
    assert_int_equal(call(HOSTCALL_read, (uint64_t)fd, (uint64_t)buffer, 16, 0), 5);
    assert_string_equal(buffer, "Jello");
    assert_int_equal(call(HOSTCALL_fstat, (uint64_t)fd, (uint64_t)&st, 0, 0), 0);
    assert_int_equal(st.st_size, 5);
    assert_int_equal(call(HOSTCALL_fsync, (uint64_t)fd, 1, 0, 0), 0);
    map = call(HOSTCALL_map_file, (uint64_t)fd, 0, 4096, 0);
    assert_true(map > 0);
    assert_memory_equal((const void *)map, "Jello", 5);
    assert_int_equal(call(HOSTCALL_unmap, (uint64_t)map, 4096, 0, 0), 0);
    assert_int_equal(call(HOSTCALL_unmap, g_loader.base, 4096, 0, 0), -EINVAL);
    assert_int_equal(call(HOSTCALL_close, (uint64_t)fd, 0, 0, 0), 0);
    assert_int_equal(call(HOSTCALL_close, (uint64_t)fd, 0, 0, 0), -EBADF);
    assert_int_equal(call(HOSTCALL_unlinkat, (uint64_t)AT_FDCWD, (uint64_t)path, 0, 0), 0);
    assert_int_equal(call(HOSTCALL_openat, (uint64_t)AT_FDCWD, (uint64_t)path, 0, 0), -ENOENT);
}

static void test_bad_pointers_are_efault(void **state)
{
    int p[2];

    assert_int_equal(call(HOSTCALL_pipe, 8, 0, 0, 0), -EFAULT);
    assert_int_equal(call(HOSTCALL_pipe, (uint64_t)p, 0, 0, 0), 0);
    assert_true((fcntl(p[0], F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(call(HOSTCALL_write, (uint64_t)p[1], 8, 4, 0), -EFAULT);
    assert_int_equal(call(HOSTCALL_write, (uint64_t)p[1], (uint64_t) "abcd", 4, 0), 4);
    assert_int_equal(call(HOSTCALL_read, (uint64_t)p[0], 8, 4, 0), -EFAULT);
    close(p[0]);
    assert_int_equal(call(HOSTCALL_write, (uint64_t)p[1], (uint64_t) "x", 1, 0), -EPIPE);
    close(p[1]);
}

static void test_pending_signal_turns_sleeping_calls_back(void **state)
{
    uint32_t word = 0;
    int p[2];
    char c;

    assert_int_equal(pipe(p), 0);
    g_thread->block->signals = 1;
    assert_int_equal(call(HOSTCALL_read, (uint64_t)p[0], (uint64_t)&c, 1, 0), -EINTR);
    assert_int_equal(call(HOSTCALL_sleep, UINT64_MAX, 0, 0, 0), -EINTR);
    assert_int_equal(call(HOSTCALL_futex_wait, (uint64_t)&word, 0, (uint64_t)-1, 0), -EINTR);
    assert_int_equal(call(HOSTCALL_poll, 0, 0, (uint64_t)-1, 0), -EINTR);
    assert_int_equal(call(HOSTCALL_accept, (uint64_t)p[0], 0, 0, 0), -EINTR);
    /* Calls that do not sleep go through. */
    assert_int_equal(call(HOSTCALL_close, (uint64_t)p[0], 0, 0, 0), 0);
    g_thread->block->signals = 0;
    assert_int_equal(call(HOSTCALL_futex_wait, (uint64_t)&word, 1, (uint64_t)-1, 0), -EAGAIN);
    assert_int_equal(call(HOSTCALL_futex_wait, (uint64_t)&word, 0, 1000000, 0), -ETIMEDOUT);
    assert_int_equal(call(HOSTCALL_futex_wake, (uint64_t)&word, 1, 0, 0), 0);
    assert_int_equal(call(HOSTCALL_sleep, 1000, 0, 0, 0), 0);
    close(p[1]);
}

static void test_poll_and_epoll_with_timeouts(void **state)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1122334455667788};
    struct epoll_event got[2];
    struct pollfd pfd = {.events = POLLIN};
    const int64_t ep = call(HOSTCALL_epoll_create, 0, 0, 0, 0);
    const int64_t ev = call(HOSTCALL_eventfd, 0, EFD_NONBLOCK, 0, 0);
    uint64_t one = 1;

    assert_true(ep >= 0 && ev >= 0);
    pfd.fd = (int)ev;
    assert_int_equal(
        call(HOSTCALL_epoll_ctl, (uint64_t)ep, EPOLL_CTL_ADD, (uint64_t)ev, (uint64_t)&event), 0);
    assert_int_equal(call(HOSTCALL_poll, (uint64_t)&pfd, 1, 1000000, 0), 0);
    assert_int_equal(call(HOSTCALL_epoll_wait, (uint64_t)ep, (uint64_t)got, 2, 1000000), 0);
    assert_int_equal(call(HOSTCALL_write, (uint64_t)ev, (uint64_t)&one, 8, 0), 8);
    assert_int_equal(call(HOSTCALL_poll, (uint64_t)&pfd, 1, (uint64_t)-1, 0), 1);
    assert_int_equal(call(HOSTCALL_epoll_wait, (uint64_t)ep, (uint64_t)got, 2, (uint64_t)-1), 1);
    assert_true(got[0].data.u64 == event.data.u64);
    close((int)ep);
    close((int)ev);
}

static void test_sockets_by_address(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    uint32_t size = sizeof(addr);
    const int64_t server = call(HOSTCALL_socket, AF_UNIX, SOCK_STREAM, 0, 0);
    const int64_t client = call(HOSTCALL_socket, AF_UNIX, SOCK_STREAM, 0, 0);
    int64_t conn;
    char buffer[8];

    (void)snprintf(addr.sun_path + 1, 64, "nacre-test-%d", getpid()); /* abstract */
    assert_true(server >= 0 && client >= 0);
    assert_true((fcntl((int)server, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(call(HOSTCALL_bind, (uint64_t)server, (uint64_t)&addr, sizeof(addr), 0), 0);
    assert_int_equal(call(HOSTCALL_listen, (uint64_t)server, 1, 0, 0), 0);
    assert_int_equal(call(HOSTCALL_connect, (uint64_t)client, (uint64_t)&addr, sizeof(addr), 0), 0);
    conn = call(HOSTCALL_accept, (uint64_t)server, 0, 0, SOCK_NONBLOCK);
    assert_true(conn >= 0);
    assert_int_equal(
        call(HOSTCALL_getsockname, (uint64_t)conn, (uint64_t)&addr, (uint64_t)&size, 0), 0);
    assert_int_equal(call(HOSTCALL_recvfrom, (uint64_t)conn, (uint64_t)buffer, 8, 0), -EAGAIN);
    assert_int_equal(call(HOSTCALL_sendto, (uint64_t)client, (uint64_t) "ping", 4, 0), 4);
    assert_int_equal(call(HOSTCALL_recvfrom, (uint64_t)conn, (uint64_t)buffer, 8, 0), 4);
    assert_int_equal(call(HOSTCALL_shutdown, (uint64_t)client, SHUT_RDWR, 0, 0), 0);
    close((int)conn);
    /* No SIGPIPE: the enclave raises its own. */
    assert_int_equal(call(HOSTCALL_sendto, (uint64_t)client, (uint64_t) "ping", 4, 0), -EPIPE);
    close((int)client);
    close((int)server);
}

static void test_edmm_ranges_are_checked_before_any_backend(void **state)
{
    const uint32_t calls[] = {HOSTCALL_augment, HOSTCALL_restrict_permissions,
                              HOSTCALL_modify_types, HOSTCALL_remove_pages, HOSTCALL_map};

    for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
        assert_int_equal(call(calls[i], 1, 4096, 1, 0), -EINVAL);
        assert_int_equal(call(calls[i], 0, 4095, 1, 0), -EINVAL);
        assert_int_equal(call(calls[i], 0, 0, 1, 0), -EINVAL);
        assert_int_equal(call(calls[i], ENCLAVE_SIZE, 4096, 1, 0), -EINVAL);
        assert_int_equal(call(calls[i], UINT64_MAX & ~0xfffull, 8192, 1, 0), -EINVAL);
    }
    assert_int_equal(call(HOSTCALL_restrict_permissions, 0, 4096, 8, 0), -EINVAL);
    assert_int_equal(call(HOSTCALL_modify_types, 0, 4096, SGX_PT_REG, 0), -EINVAL);
    assert_int_equal(call(HOSTCALL_map, 0, 4096, 8, 0), -EINVAL);
    assert_int_equal(call(HOSTCALL_augment, 0, 4096, 0, 0), -EOPNOTSUPP); /* the measuring one */
    assert_int_equal(call(HOSTCALL_modify_types, 0, 4096, SGX_PT_TRIM, 0), -EOPNOTSUPP);
}

static void test_threads_one_for_a_tcs_and_memory_used_again(void **state)
{
    struct loader_thread *a;
    struct loader_thread *b;
    const uint64_t tcs = g_loader.base + 0x5000;

    assert_int_equal(threads_add(&g_loader, tcs, &a), 0);
    assert_int_equal(threads_add(&g_loader, tcs, &b), -EBUSY);
    assert_int_equal(call(HOSTCALL_thread_create, tcs, 0, 0, 0), -EBUSY);
    assert_int_equal(call(HOSTCALL_thread_create, tcs + 1, 0, 0, 0), -EINVAL);
    assert_int_equal(call(HOSTCALL_thread_create, g_loader.base + ENCLAVE_SIZE, 0, 0, 0), -EINVAL);
    assert_int_equal(call(HOSTCALL_thread_kick, tcs, 0, 0, 0), 0); /* not running yet: filed */
    assert_true((a->block->signals & 1ull << (HOST_SIGNAL_KICK - 1)) != 0);
    assert_int_equal(call(HOSTCALL_thread_kick, tcs + 4096, 0, 0, 0), -ESRCH);
    threads_remove(a);
    assert_int_equal(threads_add(&g_loader, tcs + 8192, &b), 0);
    assert_ptr_equal(a, b);
    assert_int_equal(b->block->signals, 0);
    assert_int_equal(b->block->buffer_size, HOSTCALL_BUFFER_SIZE);
    g_loader.thread_max = g_loader.live_count;
    assert_int_equal(threads_add(&g_loader, tcs, &a), -EAGAIN);
    g_loader.thread_max = 0;
    threads_remove(b);
}

static void test_time_and_timer(void **state)
{
    const int64_t a = call(HOSTCALL_clock_gettime, CLOCK_MONOTONIC, 0, 0, 0);
    const int64_t b = call(HOSTCALL_clock_gettime, CLOCK_MONOTONIC, 0, 0, 0);
    sigset_t set;

    assert_true(a > 0 && b >= a);
    assert_int_equal(call(HOSTCALL_clock_gettime, 9999, 0, 0, 0), -EINVAL);
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    assert_int_equal(call(HOSTCALL_set_timer, (uint64_t)b + 1000000, 0, 0, 0), 0);
    assert_int_equal(sigwaitinfo(&set, NULL), SIGALRM);
    assert_int_equal(call(HOSTCALL_set_timer, 0, 0, 0, 0), 0);
    assert_int_equal(timer_delete(g_loader.timer), 0);
    g_loader.have_timer = false;
}

static void test_exit_of_the_main_thread_is_handed_up(void **state)
{
    g_thread->is_main = true;
    assert_int_equal(call(HOSTCALL_exit, 0x1234, 0, 0, 0), 0);
    assert_int_equal(g_thread->end, THREAD_EXITS);
    assert_int_equal(g_thread->exit_status, 0x34);
    g_thread->end = THREAD_GOES_ON;
}

static void test_params_carry_everything_in_bounds(void **state)
{
    const char *const argv[] = {"prog", "", "a b", NULL};
    const char *const envp[] = {"A=1", NULL};
    const struct loader_options options = {
        .argv = argv, .envp = envp, .cwd = "/", .memory_limit = 5, .log_level = 3};
    struct boot_params *p;

    assert_int_equal(params_make(&options, &p, NULL), 0);
    assert_true(p->magic == BOOT_PARAMS_MAGIC);
    assert_int_equal(p->header_size, sizeof(*p));
    assert_int_equal(p->argv.count, 3);
    assert_int_equal(p->argv.size, 5 + 1 + 4);
    assert_memory_equal((const char *)p + p->argv.offset, "prog\0\0a b", 10);
    assert_int_equal(p->envp.count, 1);
    assert_string_equal((const char *)p + p->cwd.offset, "/");
    assert_int_equal(p->hostname.count, 0);
    assert_int_equal(p->size, sizeof(*p) + 10 + 4 + 2);
    assert_int_equal(p->image_fd, -1);
    params_free(p);
}

static void test_params_too_much_is_refused(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    static const char *many[BOOT_STRINGS_MAX + 2];
    char *big = malloc(BOOT_PARAMS_MAX);
    struct loader_options options = {.argv = many};
    struct boot_params *p;

    assert_non_null(big);
    for (size_t i = 0; i <= BOOT_STRINGS_MAX; i++) {
        many[i] = "x";
    }
    assert_int_equal(params_make(&options, &p, &err), -E2BIG);
    memset(big, 'x', BOOT_PARAMS_MAX - 1);
    big[BOOT_PARAMS_MAX - 1] = '\0';
    many[0] = big;
    many[1] = NULL;
    assert_int_equal(params_make(&options, &p, &err), -E2BIG);
    assert_non_null(strstr(error_text(err), "2048 KiB"));
    big[BOOT_PARAMS_MAX - 1 - sizeof(struct boot_params)] = '\0'; /* to the byte */
    assert_int_equal(params_make(&options, &p, &err), 0);
    assert_int_equal(p->size, BOOT_PARAMS_MAX);
    params_free(p);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dispatch_numbers_outside_the_table_are_enosys),
        cmocka_unit_test(test_files_open_write_read_back),
        cmocka_unit_test(test_bad_pointers_are_efault),
        cmocka_unit_test(test_pending_signal_turns_sleeping_calls_back),
        cmocka_unit_test(test_poll_and_epoll_with_timeouts),
        cmocka_unit_test(test_sockets_by_address),
        cmocka_unit_test(test_edmm_ranges_are_checked_before_any_backend),
        cmocka_unit_test(test_threads_one_for_a_tcs_and_memory_used_again),
        cmocka_unit_test(test_time_and_timer),
        cmocka_unit_test(test_exit_of_the_main_thread_is_handed_up),
        cmocka_unit_test(test_params_carry_everything_in_bounds),
        cmocka_unit_test(test_params_too_much_is_refused),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as signals_install does */
    return cmocka_run_group_tests(tests, setup, teardown);
}
