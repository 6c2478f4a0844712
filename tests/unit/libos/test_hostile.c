/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * A host that fails or lies. Wrappers one by one, then whole sequences with the n-th host call
 * answered wrongly for every n and every kind of lie: always an errno or the right data, never a
 * crash, a hang, or a byte too many. A read-only host directory is the most talkative part.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/hostcall.h"
#include "libos/fs/file.h"
#include "libos/fs/hostfs/hostfs.h"
#include "libos/host/host.h"
#include "libos/host/host_mem.h"
#include "unit/libos/call.h"
#include "unit/libos/fake_host.h"
#include "unit/libos/fake_kernel.h"
#include "unit/temp_dir.h"
#include "unit/unit.h"

#include <asm/stat.h>

static const char *g_root;
static char g_content[20000];

static void host_file(const char *name, const void *data, size_t size)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", g_root, name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static int group_setup(void **state)
{
    char path[256];

    for (size_t i = 0; i < sizeof(g_content); i++) {
        g_content[i] = (char)(i * 31 + i / 256);
    }
    g_root = temp_dir();
    if (g_root == NULL) {
        return -1;
    }
    host_file("file", g_content, sizeof(g_content));
    (void)snprintf(path, sizeof(path), "%s/dir", g_root);
    if (syscall(SYS_mkdir, path, 0755) < 0) {
        return -1;
    }
    host_file("dir/a", "aaa", 3);
    host_file("dir/b", "bb", 2);
    (void)snprintf(path, sizeof(path), "%s/link", g_root);
    return syscall(SYS_symlink, "dir/a", path) < 0 ? -1 : 0;
}

static void boot(int writable)
{
    int fd = (int)syscall(SYS_open, g_root, O_RDONLY | O_DIRECTORY, 0);

    assert_true(fd >= 0);
    fake_boot(fd, writable);
}

/* ---- wrappers ---- */

static void test_wrappers_refuse_impossible_answers(void **state)
{
    char buf[64];
    struct host_stat st;

    boot(0);
    int fd = host_openat(AT_FDCWD, "/dev/zero", O_RDONLY, 0);

    assert_true(fd >= 0);
    fake_host_lie(0, LIE_LONG);
    assert_int_equal(host_read(fd, buf, sizeof(buf)), -EIO);
    assert_int_equal(host_pread(fd, buf, sizeof(buf), 0), -EIO);
    assert_int_equal(host_write(fd, buf, 4), -EBADF);
    assert_int_equal(host_fstat(fd, &st), -EIO);
    assert_int_equal(host_getdents(fd, buf, sizeof(buf)), -ENOTDIR);
    fake_host_lie(0, LIE_NEGATIVE);
    assert_int_equal(host_read(fd, buf, sizeof(buf)), -EIO);
    assert_int_equal(host_openat(AT_FDCWD, "/dev/zero", O_RDONLY, 0), -EIO);
    fake_host_lie(0, LIE_WILD);
    assert_int_equal(host_openat(AT_FDCWD, "/dev/zero", O_RDONLY, 0), -EIO);
    assert_int_equal(host_socket(2, 1, 0), -EIO);
    assert_int_equal(host_readlinkat(AT_FDCWD, "/", buf, sizeof(buf)), -EIO);
    assert_int_equal(host_epoll_wait(fd, (struct epoll_event *)(void *)buf, 4, 0), -EIO);
    const void *map = NULL;
    assert_int_equal(host_map_file(fd, 0, 4096, &map), -EIO);
    assert_null(map);
    fake_host_lie(0, LIE_NONE);
    assert_int_equal(fake_host_bounce_used(), 0);
    assert_int_equal(host_close(fd), 0);
    fake_shutdown();
}

static void test_descriptor_given_out_twice_is_refused(void **state)
{
    boot(0);
    int fd = host_openat(AT_FDCWD, "/dev/zero", O_RDONLY, 0);

    assert_true(fd >= 0);
    /* LIE_ZERO: "here is descriptor 0", which is our standard input */
    fake_host_lie(0, LIE_ZERO);
    assert_int_equal(host_openat(AT_FDCWD, "/dev/null", O_RDONLY, 0), -EIO);
    assert_int_equal(host_eventfd(0, 0), -EIO);
    fake_host_lie(0, LIE_NONE);
    assert_int_equal(host_close(fd), 0);
    fake_shutdown();
}

static void test_mapping_inside_the_enclave_is_refused(void **state)
{
    const void *p = NULL;

    boot(0);
    int fd = host_openat(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0);

    host_mem_init(0, 1ull << 47); /* everything is enclave: so is every mapping */
    assert_int_equal(host_map_file(fd, 0, 4096, &p), -EIO);
    host_mem_init(0, 0);
    assert_int_equal(host_map_file(fd, 0, 4096, &p), 0);
    host_unmap(p, 4096);
    assert_false(host_range_outside((const void *)-1l, 4096));
    assert_int_equal(host_close(fd), 0);
    fake_shutdown();
}

static void test_clock_never_goes_back(void **state)
{
    boot(0);
    uint64_t before = host_clock(1);

    fake_host_lie_about(HOSTCALL_clock_gettime);
    fake_host_lie(0, LIE_ZERO);
    assert_true(host_clock(1) >= before);
    fake_host_lie(0, LIE_NEGATIVE);
    assert_true(host_clock(1) >= before);
    fake_shutdown();
}

/* ---- the read-only host directory ---- */

static void test_reads_and_lists(void **state)
{
    static char buf[32768];
    struct stat st;

    boot(0);
    int fd = (int)SYS(open, "/file", O_RDONLY, 0);

    assert_true(fd >= 0);
    assert_int_equal(SYS(read, fd, buf, sizeof(buf)), sizeof(g_content));
    assert_memory_equal(buf, g_content, sizeof(g_content));
    assert_int_equal(SYS(pread64, fd, buf, 100, 19950), 50);
    assert_int_equal(SYS(close, fd), 0);
    fd = (int)SYS(open, "/link", O_RDONLY, 0);
    assert_int_equal(SYS(read, fd, buf, 16), 3);
    assert_int_equal(SYS(close, fd), 0);
    assert_int_equal(SYS(open, "/new", O_CREAT | O_WRONLY, 0600), -EROFS);
    assert_int_equal(SYS(open, "/file", O_WRONLY, 0), -EROFS);
    assert_int_equal(SYS(unlink, "/file"), -EROFS);
    assert_int_equal(SYS(chmod, "/file", 0600), -EROFS);
    assert_int_equal(SYS(stat, "/none", &st), -ENOENT);
    int d = (int)SYS(open, "/dir", O_RDONLY | O_DIRECTORY, 0);

    assert_int_equal(SYS(getdents64, d, buf, sizeof(buf)), 24 * 4);
    assert_int_equal(SYS(close, d), 0);
    fake_shutdown();
}

/* Once seen, a read-only file costs no exits: opening, stat, reading, missing names. */
static void test_cached_names_cost_no_exits(void **state)
{
    char buf[100];
    struct stat st;

    boot(1);
    (void)usleep(30000);
    for (int turn = 0; turn < 2; turn++) {
        uint64_t before = fake_host_calls() - fake_host_calls_of(HOSTCALL_clock_gettime);

        for (int i = 0; i < 20; i++) {
            int fd = (int)SYS(open, "/dir/../file", O_RDONLY, 0);

            assert_int_equal(SYS(pread64, fd, buf, sizeof(buf), 5000), sizeof(buf));
            assert_int_equal(SYS(close, fd), 0);
            assert_int_equal(SYS(stat, "/dir/none", &st), -ENOENT);
        }
        if (turn == 1) {
            assert_int_equal(fake_host_calls() - fake_host_calls_of(HOSTCALL_clock_gettime),
                             before);
        }
    }
    fake_shutdown();
}

static void test_overlay_copies_up(void **state)
{
    static char buf[32768];
    struct stat before;
    struct stat after;

    boot(1);
    int ro = (int)SYS(open, "/file", O_RDONLY, 0);

    assert_int_equal(SYS(fstat, ro, &before), 0);
    int rw = (int)SYS(open, "/file", O_RDWR, 0);

    assert_int_equal(SYS(pwrite64, rw, "CHANGED", 7, 4090), 7);
    assert_int_equal(SYS(pread64, ro, buf, 7, 4090), 7); /* descriptors opened before see it too */
    assert_memory_equal(buf, "CHANGED", 7);
    assert_int_equal(SYS(pread64, ro, buf, sizeof(buf), 0), sizeof(g_content));
    assert_memory_equal(buf + 5000, g_content + 5000, 15000);
    assert_int_equal(SYS(fstat, rw, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(SYS(rename, "/dir", "/moved"), 0);
    assert_int_equal(SYS(stat, "/dir/a", &after), -ENOENT);
    assert_int_equal(SYS(stat, "/moved/a", &after), 0);
    assert_int_equal(SYS(unlink, "/moved/a"), 0);
    assert_int_equal(SYS(rmdir, "/moved"), -ENOTEMPTY);
    assert_int_equal(SYS(unlink, "/moved/b"), 0);
    assert_int_equal(SYS(rmdir, "/moved"), 0);
    assert_int_equal(SYS(mkdir, "/dir", 0755), 0); /* opaque: the old entries stay gone */
    int d = (int)SYS(open, "/dir", O_RDONLY | O_DIRECTORY, 0);

    assert_int_equal(SYS(getdents64, d, buf, sizeof(buf)), 24 * 2);
    assert_int_equal(SYS(close, d), 0);
    assert_int_equal(SYS(close, rw), 0);
    assert_int_equal(SYS(close, ro), 0);
    fake_shutdown();
    /* nothing of it reached the host */
    (void)snprintf(buf, sizeof(buf), "%s/dir/a", g_root);
    assert_int_equal(syscall(SYS_access, buf, 0), 0);
}

/* The data a sequence saw must be right or an error; returns how many calls worked. */
static int sequence(void)
{
    static char buf[32768];
    struct stat st;
    int worked = 0;
    /* A host that answers nothing leaves what was in its buffer, so any type: nobody would ever
     * open the other end of a FIFO. */
    int fd = (int)SYS(open, "/file", O_RDONLY | O_NONBLOCK, 0);

    if (fd >= 0) {
        int64_t n = SYS(pread64, fd, buf, sizeof(buf), 0);

        worked++;
        if (n > 0) {
            assert_true(n <= (int64_t)sizeof(g_content));
            assert_memory_equal(buf, g_content, (size_t)n);
            worked += n == (int64_t)sizeof(g_content) ? 1 : 0;
        }
        assert_int_equal(SYS(close, fd), 0);
    }
    worked += SYS(stat, "/dir/a", &st) == 0 ? 1 : 0;
    worked += SYS(readlink, "/link", buf, 100) == 5 ? 1 : 0;
    int d = (int)SYS(open, "/dir", O_RDONLY | O_DIRECTORY, 0);

    if (d >= 0) {
        int64_t n = SYS(getdents64, d, buf, sizeof(buf));

        assert_true(n <= (int64_t)sizeof(buf));
        worked += n == 24 * 4 ? 1 : 0;
        assert_int_equal(SYS(close, d), 0);
    }
    fd = (int)SYS(open, "/dir/b", O_RDWR, 0);
    if (fd >= 0) {
        worked += SYS(pwrite64, fd, "zz", 2, 100) == 2 ? 1 : 0;
        assert_int_equal(SYS(close, fd), 0);
    }
    return worked;
}

/* Every lie at every call of a sequence, of which `all` parts work when nobody lies. */
static void lie_everywhere(int (*sequence_)(void), int all)
{
    for (int lie = LIE_EIO; lie < LIE_RANDOM; lie++) {
        bool full = false;

        for (uint64_t n = 1; n < 60 && !full; n++) {
            boot(1);
            const uint64_t before = fake_host_calls();

            fake_host_lie(n, (enum fake_lie)lie);
            const int worked = sequence_();

            full = worked == all && fake_host_calls() - before < n;
            fake_host_lie(0, LIE_NONE);
            assert_int_equal(fake_host_bounce_used(), 0);
            fake_shutdown();
        }
        assert_true(full); /* every call of the sequence had its turn */
    }
}

static void test_lies_at_every_call(void **state)
{
    lie_everywhere(sequence, 6);
}

/* What the host's network says: links by netlink and ioctl, a datagram with control messages. What
 * comes through is well-formed whatever happened. */
static int links_are_well_formed(int s, const uint32_t *request)
{
    static _aligned_(8) uint8_t buf[32768];
    int worked = 0;

    if (SYS(sendto, s, request, 32, 0, 0, 0) != 32) {
        return 0;
    }
    for (int64_t n; (n = SYS(recvfrom, s, buf, sizeof(buf), 0x40, 0, 0)) > 0;) {
        for (int64_t at = 0; at < n;) {
            uint32_t len;
            uint16_t type;

            memcpy(&len, buf + at, 4);
            memcpy(&type, buf + at + 4, 2);
            assert_true(len >= 16 && len % 4 == 0 && len <= (uint64_t)(n - at));
            assert_true(type == 2 || type == 3 || type == 16);
            worked += type == 3 ? 1 : 0;
            at += len;
        }
    }
    return worked;
}

static int network_sequence(void)
{
    const uint32_t get_links[8] = {32, 18 | 0x301u << 16, 7, 0};
    uint16_t a[8] = {2, 0, 0x007f, 0x0100};
    uint32_t size = sizeof(a);
    uint8_t control[256];
    char data[8];
    char name[40] = "lo";
    const int one = 1;
    uint64_t iov[2] = {(uintptr_t)data, sizeof(data)};
    uint64_t h[7] = {0, 0, (uintptr_t)iov, 1, (uintptr_t)control, sizeof(control), 0};
    int worked = 0;
    int s = (int)SYS(socket, 16, 3, 0);

    worked += links_are_well_formed(s, get_links);
    assert_int_equal(SYS(close, s), 0);
    s = (int)SYS(socket, 2, 2, 0);
    if (s < 0) {
        return worked;
    }
    worked += SYS(ioctl, s, 0x8933 /* SIOCGIFINDEX */, name) == 0 ? 1 : 0;
    if (SYS(bind, s, a, 16) == 0 && SYS(getsockname, s, a, &size) == 0 &&
        SYS(setsockopt, s, 0, 8 /* IP_PKTINFO */, &one, 4) == 0 &&
        SYS(sendto, s, "message", 7, 0, a, 16) == 7) {
        const int64_t n = SYS(recvmsg, s, h, 0x40);

        assert_true(n <= (int64_t)sizeof(data));
        if (n >= 0) {
            assert_true(h[5] <= sizeof(control));
            worked += n == 7 && h[5] == 32 && memcmp(data, "message", 7) == 0 ? 1 : 0;
        }
    }
    assert_int_equal(SYS(close, s), 0);
    return worked;
}

static void test_network_lies(void **state)
{
    lie_everywhere(network_sequence, 3);
}

static void test_lies_always(void **state)
{
    for (int lie = LIE_EIO; lie < LIE_RANDOM; lie++) {
        boot(1);
        fake_host_lie(0, (enum fake_lie)lie);
        (void)sequence();
        fake_host_lie(0, LIE_NONE);
        fake_shutdown();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrappers_refuse_impossible_answers),
        cmocka_unit_test(test_descriptor_given_out_twice_is_refused),
        cmocka_unit_test(test_mapping_inside_the_enclave_is_refused),
        cmocka_unit_test(test_clock_never_goes_back),
        cmocka_unit_test(test_reads_and_lists),
        cmocka_unit_test(test_cached_names_cost_no_exits),
        cmocka_unit_test(test_overlay_copies_up),
        cmocka_unit_test(test_lies_at_every_call),
        cmocka_unit_test(test_network_lies),
        cmocka_unit_test(test_lies_always),
    };

    return cmocka_run_group_tests(tests, group_setup, NULL);
}
