/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Files and directories in memory, by system call. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libos/fs/file.h"
#include "unit/libos/call.h"
#include "unit/libos/fake_host.h"
#include "unit/libos/fake_kernel.h"
#include "unit/unit.h"

#include <asm/stat.h>

static int setup(void **state)
{
    fake_boot(-1, 1);
    return 0;
}

static int teardown(void **state)
{
    fake_shutdown();
    return 0;
}

static void test_open_write_read_back(void **state)
{
    char buf[16] = {0};
    int fd = (int)SYS(open, "/a", O_CREAT | O_RDWR, 0644);

    assert_true(fd >= 3);
    assert_int_equal(SYS(write, fd, "hello", 5), 5);
    assert_int_equal(SYS(pread64, fd, buf, 16, 0), 5);
    assert_string_equal(buf, "hello");
    assert_int_equal(SYS(lseek, fd, 1, SEEK_SET), 1);
    assert_int_equal(SYS(read, fd, buf, 2), 2);
    assert_memory_equal(buf, "el", 2);
    assert_int_equal(SYS(lseek, fd, 0, SEEK_CUR), 3);
    assert_int_equal(SYS(close, fd), 0);
    assert_int_equal(SYS(close, fd), -EBADF);
}

static void test_sparse_file_holes(void **state)
{
    int fd = (int)SYS(open, "/sparse", O_CREAT | O_RDWR, 0600);
    struct stat st;
    char c = 1;

    assert_int_equal(SYS(pwrite64, fd, "x", 1, 1 << 20), 1);
    assert_int_equal(SYS(fstat, fd, &st), 0);
    assert_int_equal(st.st_size, (1 << 20) + 1);
    assert_int_equal(st.st_blocks, 8);
    assert_int_equal(SYS(pread64, fd, &c, 1, 4096), 1);
    assert_int_equal(c, 0);
    assert_int_equal(SYS(lseek, fd, 0, SEEK_DATA), 1 << 20);
    assert_int_equal(SYS(lseek, fd, 1 << 20, SEEK_HOLE), (1 << 20) + 1);
    assert_int_equal(SYS(lseek, fd, (1 << 20) + 1, SEEK_DATA), -ENXIO);
    /* truncating down and up again must not bring the byte back */
    assert_int_equal(SYS(ftruncate, fd, 1 << 20), 0);
    assert_int_equal(SYS(ftruncate, fd, (1 << 20) + 4096), 0);
    assert_int_equal(SYS(pread64, fd, &c, 1, 1 << 20), 1);
    assert_int_equal(c, 0);
    assert_int_equal(SYS(close, fd), 0);
}

static void test_append_goes_to_the_end(void **state)
{
    int a = (int)SYS(open, "/log", O_CREAT | O_WRONLY | O_APPEND, 0600);
    int b = (int)SYS(open, "/log", O_WRONLY | O_APPEND, 0);
    struct stat st;

    assert_int_equal(SYS(write, a, "one", 3), 3);
    assert_int_equal(SYS(write, b, "two", 3), 3);
    assert_int_equal(SYS(write, a, "3", 1), 1);
    assert_int_equal(SYS(fstat, a, &st), 0);
    assert_int_equal(st.st_size, 7);
    assert_int_equal(SYS(close, a), 0);
    assert_int_equal(SYS(close, b), 0);
}

static void test_unlink_while_open_keeps_content(void **state)
{
    char buf[4];
    int fd = (int)SYS(open, "/gone", O_CREAT | O_RDWR, 0600);
    struct stat st;

    assert_int_equal(SYS(write, fd, "abc", 3), 3);
    assert_int_equal(SYS(unlink, "/gone"), 0);
    assert_int_equal(SYS(open, "/gone", O_RDONLY, 0), -ENOENT);
    assert_int_equal(SYS(pread64, fd, buf, 3, 0), 3);
    assert_int_equal(SYS(fstat, fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(SYS(close, fd), 0);
}

static void test_bad_user_pointers_fault(void **state)
{
    int fd = (int)SYS(open, "/f", O_CREAT | O_RDWR, 0600);

    assert_int_equal(SYS(write, fd, "data", 4), 4);
    assert_int_equal(SYS(pread64, fd, 8, 4, 0), -EFAULT);
    assert_int_equal(SYS(pwrite64, fd, 8, 4, 0), -EFAULT);
    assert_int_equal(SYS(open, 16, O_RDONLY, 0), -EFAULT);
    assert_int_equal(SYS(fstat, fd, 24), -EFAULT);
    assert_int_equal(SYS(close, fd), 0);
}

static void test_getdents_cookies_survive_removal(void **state)
{
    char buf[4096];
    char name[32];
    int seen = 0;

    assert_int_equal(SYS(mkdir, "/d", 0755), 0);
    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof(name), "/d/f%03d", i);
        int fd = (int)SYS(open, name, O_CREAT | O_WRONLY, 0600);

        assert_true(fd >= 0);
        assert_int_equal(SYS(close, fd), 0);
    }
    int d = (int)SYS(open, "/d", O_RDONLY | O_DIRECTORY, 0);

    for (;;) { /* remove what was listed while listing: everything must be seen exactly once */
        int64_t n = SYS(getdents64, d, buf, 600);

        assert_true(n >= 0);
        if (n == 0) {
            break;
        }
        for (int64_t at = 0; at < n;) {
            uint16_t reclen;
            const char *entry = buf + at + 19;

            memcpy(&reclen, buf + at + 16, 2);
            if (entry[0] == 'f') {
                (void)snprintf(name, sizeof(name), "/d/%s", entry);
                assert_int_equal(SYS(unlink, name), 0);
                seen++;
            }
            at += reclen;
        }
    }
    assert_int_equal(seen, 200);
    assert_int_equal(SYS(getdents64, d, buf, 8), 0);
    assert_int_equal(SYS(lseek, d, 0, SEEK_SET), 0);
    assert_int_equal(SYS(getdents64, d, buf, 8), -EINVAL);
    assert_int_equal(SYS(close, d), 0);
    assert_int_equal(SYS(rmdir, "/d"), 0);
}

static void test_no_exits_for_memory_files(void **state)
{
    char buf[64];
    struct stat st;
    int fd = (int)SYS(open, "/quiet", O_CREAT | O_RDWR, 0600);

    for (int i = 0; i < 40; i++) { /* until the clock is calibrated: 20 ms and a reading after */
        (void)usleep(1000);
        assert_int_equal(SYS(pwrite64, fd, "x", 1, i + 64), 1);
    }
    uint64_t before = fake_host_calls();

    for (int i = 0; i < 100; i++) {
        assert_int_equal(SYS(pread64, fd, buf, 64, 0), 64);
        assert_int_equal(SYS(stat, "/quiet", &st), 0);
        int other = (int)SYS(open, "/quiet", O_RDONLY, 0);

        assert_int_equal(SYS(close, other), 0);
        assert_int_equal(SYS(stat, "/nothing/here", &st), -ENOENT);
    }
    assert_true(fake_host_calls() - before <= 8);
    assert_int_equal(SYS(close, fd), 0);
}

static void test_proc_self_basics(void **state)
{
    char buf[512] = {0};
    int fd = (int)SYS(open, "/proc/self/status", O_RDONLY, 0);

    assert_true(fd >= 0);
    assert_true(SYS(read, fd, buf, 511) > 0);
    assert_non_null(strstr(buf, "Name:\ttest"));
    assert_int_equal(SYS(close, fd), 0);
    assert_true(SYS(readlink, "/proc/self/fd/1", buf, 511) > 0);
    assert_int_equal(SYS(readlink, "/proc/self/fd/77", buf, 511), -ENOENT);
    assert_int_equal(SYS(readlink, "/proc/self", buf, 511), 1);
    assert_int_equal(SYS(open, "/proc/2/status", O_RDONLY, 0), -ENOENT);
    fd = (int)SYS(open, "/proc/sys/vm/overcommit_memory", O_RDONLY, 0);
    assert_int_equal(SYS(read, fd, buf, 511), 2);
    assert_int_equal(SYS(close, fd), 0);
}

static void test_devices(void **state)
{
    char buf[64];
    int fd = (int)SYS(open, "/dev/null", O_RDWR, 0);

    assert_int_equal(SYS(write, fd, buf, 64), 64);
    assert_int_equal(SYS(read, fd, buf, 64), 0);
    assert_int_equal(SYS(close, fd), 0);
    fd = (int)SYS(open, "/dev/zero", O_RDONLY, 0);
    memset(buf, 1, sizeof(buf));
    assert_int_equal(SYS(read, fd, buf, 64), 64);
    assert_int_equal(buf[63], 0);
    assert_int_equal(SYS(close, fd), 0);
    fd = (int)SYS(open, "/dev/full", O_WRONLY, 0);
    assert_int_equal(SYS(write, fd, buf, 1), -ENOSPC);
    assert_int_equal(SYS(close, fd), 0);
}

/* Every allocation in turn fails: an errno each time, never a crash, and the tree stays usable. */
static void test_allocation_failures(void **state)
{
    int worked = 0;

    for (uint64_t n = 1; n < 200 && worked < 3; n++) {
        fake_alloc_fail_at(n);
        int64_t r[4];

        r[0] = SYS(mkdir, "/sweep", 0755);
        int fd =
            (int)SYS(open, "/sweep/a-name-that-is-longer-than-the-short-name-field-of-a-dentry",
                     O_CREAT | O_RDWR, 0600);
        r[1] = fd >= 0 ? SYS(pwrite64, fd, "x", 1, 1 << 20) : fd;
        r[2] = SYS(symlink, "/target", "/sweep/link");
        r[3] = SYS(rename, "/sweep/link", "/sweep/link2");
        fake_alloc_fail_at(0);
        worked += r[0] == 0 && r[1] == 1 && r[2] == 0 && r[3] == 0 ? 1 : 0;
        if (fd >= 0) {
            assert_int_equal(SYS(close, fd), 0);
        }
        (void)SYS(unlink, "/sweep/a-name-that-is-longer-than-the-short-name-field-of-a-dentry");
        (void)SYS(unlink, "/sweep/link");
        (void)SYS(unlink, "/sweep/link2");
        int64_t gone = SYS(rmdir, "/sweep");

        assert_true(gone == 0 || gone == -ENOENT);
    }
    assert_int_equal(worked, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open_write_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sparse_file_holes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_append_goes_to_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unlink_while_open_keeps_content, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_user_pointers_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(test_getdents_cookies_survive_removal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_exits_for_memory_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_proc_self_basics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_devices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_allocation_failures, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
