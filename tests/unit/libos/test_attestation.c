/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* /dev/attestation through system calls. */

#include <stdio.h>
#include <string.h>

#include "abi/sgx_arch.h"
#include "libos/fs/file.h"
#include "unit/libos/call.h"
#include "unit/libos/fake_host.h"
#include "unit/libos/fake_kernel.h"
#include "unit/unit.h"

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

static int64_t get(const char *name, void *dst, size_t size)
{
    char path[128];
    int64_t fd;
    int64_t n;

    (void)snprintf(path, sizeof(path), "/dev/attestation/%s", name);
    fd = SYS(open, path, O_RDONLY, 0);
    if (fd < 0) {
        return fd;
    }
    n = SYS(read, fd, dst, size);
    (void)SYS(close, fd);
    return n;
}

static int64_t put(const char *name, const void *src, size_t size)
{
    char path[128];
    int64_t fd;
    int64_t n;

    (void)snprintf(path, sizeof(path), "/dev/attestation/%s", name);
    fd = SYS(open, path, O_WRONLY, 0);
    if (fd < 0) {
        return fd;
    }
    n = SYS(write, fd, src, size);
    (void)SYS(close, fd);
    return n;
}

static void test_quote_and_report_are_over_what_was_written(void **state)
{
    struct sgx_targetinfo target = {};
    struct sgx_report report;
    uint8_t quote[200];
    uint8_t data[64];

    memset(data, 0xff, sizeof(data));
    assert_int_equal(put("user_report_data", data, 64), 64);
    assert_int_equal(get("quote", quote, sizeof(quote)), 100);
    assert_memory_equal(quote, data, 64);
    /* shorter: the rest is zeros, not what was there */
    assert_int_equal(put("user_report_data", "abc", 3), 3);
    memset(data, 0, sizeof(data));
    memcpy(data, "abc", 3);
    assert_int_equal(get("user_report_data", quote, sizeof(quote)), 64);
    assert_memory_equal(quote, data, 64);
    memset(target.mrenclave, 0x33, sizeof(target.mrenclave));
    assert_int_equal(put("target_info", &target, sizeof(target)), sizeof(target));
    assert_int_equal(get("report", &report, sizeof(report)), sizeof(report));
    assert_memory_equal(report.body.report_data, data, 64);
    assert_memory_equal(report.mac, target.mrenclave, sizeof(report.mac));
    assert_int_equal(get("my_target_info", &target, sizeof(target)), sizeof(target));
    assert_int_equal(target.mrenclave[0], 0x11);
    assert_int_equal(get("attestation_type", quote, sizeof(quote)), 4);
    assert_memory_equal(quote, "dcap", 4);
}

static void test_keys(void **state)
{
    uint8_t key[64];

    assert_int_equal(get("keys/default", key, sizeof(key)), -EACCES);
    assert_int_equal(put("keys/default", "short", 5), -EINVAL);
    assert_int_equal(put("keys/default", "0123456789abcdefX", 17), -EINVAL);
    assert_int_equal(put("keys/default", "0123456789abcdef", 16), 16);
    assert_int_equal(get("keys/default", key, sizeof(key)), 16);
    assert_memory_equal(key, "0123456789abcdef", 16);
    assert_int_equal(get("keys/_sgx_mrenclave", key, sizeof(key)), 16);
    assert_int_equal(key[0], SGX_KEYPOLICY_MRENCLAVE);
    assert_int_equal(get("keys/_sgx_mrsigner", key, sizeof(key)), 16);
    assert_int_equal(key[0], SGX_KEYPOLICY_MRSIGNER);
    assert_int_equal(put("keys/_sgx_mrsigner", "0123456789abcdef", 16), -EACCES);
    assert_int_equal(get("keys/other", key, sizeof(key)), -ENOENT);
}

/* What the agent says to a CAS, and enclaves to each other, is not for sale. */
static void test_reserved_report_data_is_refused(void **state)
{
    uint8_t data[64] = "nacre/p1 and whatever follows";
    uint8_t have[64];

    assert_int_equal(put("user_report_data", "mine", 4), 4);
    assert_int_equal(put("user_report_data", data, 64), -EPERM);
    assert_int_equal(put("user_report_data", "nacre/", 6), -EPERM);
    assert_int_equal(get("user_report_data", have, sizeof(have)), 64);
    assert_string_equal((char *)have, "mine");
    assert_int_equal(put("user_report_data", "nacre", 5), 5);
}

static void test_wrong_sizes_and_places(void **state)
{
    uint8_t data[600] = {0};
    int64_t fd;

    assert_int_equal(put("user_report_data", data, 65), -EINVAL);
    assert_int_equal(put("target_info", data, 511), -EINVAL);
    assert_int_equal(put("target_info", data, 513), -EINVAL);
    assert_int_equal(put("quote", data, 64), -EACCES);
    assert_int_equal(put("report", data, 64), -EACCES);
    fd = SYS(open, "/dev/attestation/user_report_data", O_RDWR, 0);
    assert_true(fd >= 0);
    assert_int_equal(SYS(pwrite64, fd, data, 8, 8), -EINVAL);
    assert_int_equal(SYS(read, fd, data, 10), 10);
    assert_int_equal(SYS(read, fd, data, 600), 54);
    assert_int_equal(SYS(read, fd, data, 600), 0);
    assert_int_equal(SYS(lseek, fd, 60, 0), 60);
    assert_int_equal(SYS(read, fd, data, 600), 4);
    assert_int_equal(SYS(lseek, fd, -1, 0), -EINVAL);
    assert_int_equal(SYS(close, fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_quote_and_report_are_over_what_was_written, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reserved_report_data_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_sizes_and_places, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
