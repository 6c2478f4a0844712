/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "cas/audit.h"
#include "core/types.h"

#define NOW   1780000000
#define LINES 5

static char g_folder[64];
static char g_log[96];

static int setup(void **state)
{
    (void)snprintf(g_folder, sizeof(g_folder), "/tmp/nacre-audit-XXXXXX");
    if (mkdtemp(g_folder) == NULL) {
        return -1;
    }
    (void)snprintf(g_log, sizeof(g_log), "%s/audit.log", g_folder);
    return 0;
}

static int teardown(void **state)
{
    (void)unlink(g_log);
    (void)rmdir(g_folder);
    return 0;
}

static void write_lines(size_t count)
{
    _cleanup_audit_ struct audit *a = NULL;

    assert_int_equal(audit_open(g_log, &a, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(audit_append(a, NOW + (int64_t)i, "test",
                                      json_pack("{s:s, s:i}", "session", "a\"b\n", "n", (int)i),
                                      NULL),
                         0);
    }
}

static void test_append_verify_reopen(void **state)
{
    struct audit_summary sum;
    struct stat st;
    uint64_t seq;
    uint8_t hash[AUDIT_HASH_SIZE];
    _cleanup_audit_ struct audit *a = NULL;

    write_lines(LINES);
    assert_int_equal(audit_verify(g_log, NULL, &sum, NULL), 0);
    assert_int_equal(sum.lines, LINES);
    assert_false(sum.torn);
    write_lines(LINES);
    assert_int_equal(audit_open(g_log, &a, NULL), 0);
    audit_last(a, &seq, hash);
    assert_int_equal(seq, 2 * LINES);
    assert_int_equal(audit_verify(g_log, sum.last_hash, &sum, NULL), 0);
    assert_true(sum.found);
    assert_memory_equal(sum.last_hash, hash, sizeof(hash));
    hash[0] ^= 1;
    assert_int_equal(audit_verify(g_log, hash, &sum, NULL), -ENOKEY);
    assert_int_equal(stat(g_log, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_append_fields_cannot_forge_the_chain(void **state)
{
    _cleanup_audit_ struct audit *a = NULL;
    struct audit_summary sum;

    assert_int_equal(audit_open(g_log, &a, NULL), 0);
    assert_int_equal(
        audit_append(a, NOW, "test",
                     json_pack("{s:i, s:s, s:s}", "seq", 99, "event", "forged", "prev", "00"),
                     NULL),
        0);
    assert_int_equal(audit_append(a, NOW, "test", NULL, NULL), 0);
    assert_int_equal(audit_verify(g_log, NULL, &sum, NULL), 0);
    assert_int_equal(sum.lines, 2);
}

static void replace_log(const uint8_t *data, size_t size)
{
    assert_int_equal(fs_write_file_atomic(g_log, data, size, 0600, NULL), 0);
}

static void test_verify_every_changed_byte_noticed(void **state)
{
    _cleanup_free_ uint8_t *log = NULL;
    size_t size;

    write_lines(LINES);
    assert_int_equal(fs_read_file(g_log, 1 << 20, &log, &size, NULL), 0);
    for (size_t i = 0; i < size; i++) {
        struct audit_summary sum = {0};
        const uint8_t good = log[i];
        int r;

        log[i] = good == '7' ? '8' : '7';
        replace_log(log, size);
        r = audit_verify(g_log, NULL, &sum, NULL);
        /* Only the last line feed can go without the chain breaking: then the line is torn. */
        if (r != -EBADMSG && !(i == size - 1 && r == 0 && sum.torn && sum.lines == LINES - 1)) {
            fail_msg("byte %zu was changed and not noticed", i);
        }
        log[i] = good;
    }
}

static void test_verify_removed_swapped_and_cut_lines(void **state)
{
    _cleanup_free_ uint8_t *log = NULL;
    uint8_t *lines[LINES + 1];
    struct audit_summary full;
    struct audit_summary sum;
    size_t size;

    write_lines(LINES);
    assert_int_equal(audit_verify(g_log, NULL, &full, NULL), 0);
    assert_int_equal(fs_read_file(g_log, 1 << 20, &log, &size, NULL), 0);
    lines[0] = log;
    for (size_t i = 1; i <= LINES; i++) {
        lines[i] = (uint8_t *)memchr(lines[i - 1], '\n', size) + 1;
    }
    for (size_t i = 0; i < LINES; i++) { /* line i removed */
        _cleanup_free_ uint8_t *cut = malloc(size);
        const size_t head = (size_t)(lines[i] - log);
        const size_t tail = size - (size_t)(lines[i + 1] - log);

        memcpy(cut, log, head);
        memcpy(cut + head, lines[i + 1], tail);
        replace_log(cut, head + tail);
        if (i + 1 < LINES) {
            assert_int_equal(audit_verify(g_log, NULL, &sum, NULL), -EBADMSG);
        } else {
            /* A cut end leaves a good chain: what was remembered tells. */
            assert_int_equal(audit_verify(g_log, NULL, &sum, NULL), 0);
            assert_int_equal(audit_verify(g_log, full.last_hash, &sum, NULL), -ENOKEY);
        }
    }
}

static void test_open_broken_chain_refused(void **state)
{
    _cleanup_free_ uint8_t *log = NULL;
    _cleanup_error_ struct error *err = NULL;
    struct audit *a = NULL;
    size_t size;

    write_lines(2);
    assert_int_equal(fs_read_file(g_log, 1 << 20, &log, &size, NULL), 0);
    log[20] ^= 1;
    replace_log(log, size);
    assert_int_equal(audit_open(g_log, &a, &err), -EBADMSG);
    assert_non_null(strstr(error_text(err), "line 1"));
}

static void test_open_torn_line_cut_and_said(void **state)
{
    _cleanup_free_ uint8_t *log = NULL;
    size_t size;

    write_lines(3);
    assert_int_equal(fs_read_file(g_log, 1 << 20, &log, &size, NULL), 0);
    for (size_t cut = 1; cut < 100; cut += 7) {
        _cleanup_audit_ struct audit *a = NULL;
        struct audit_summary sum;
        uint64_t seq;
        uint8_t hash[AUDIT_HASH_SIZE];

        replace_log(log, size - cut);
        assert_int_equal(audit_open(g_log, &a, NULL), 0);
        audit_last(a, &seq, hash);
        assert_int_equal(seq, 3); /* two whole lines, and the one that says so */
        assert_int_equal(audit_verify(g_log, NULL, &sum, NULL), 0);
        assert_int_equal(sum.lines, 3);
    }
}

static void test_append_too_long_refused_and_log_stays_good(void **state)
{
    _cleanup_audit_ struct audit *a = NULL;
    _cleanup_free_ char *big = malloc(AUDIT_LINE_MAX + 1);
    struct audit_summary sum;

    memset(big, 'x', AUDIT_LINE_MAX);
    big[AUDIT_LINE_MAX] = '\0';
    assert_int_equal(audit_open(g_log, &a, NULL), 0);
    assert_int_equal(audit_append(a, NOW, "test", json_pack("{s:s}", "x", big), NULL), -EMSGSIZE);
    assert_int_equal(audit_append(a, NOW, "test", NULL, NULL), 0);
    assert_int_equal(audit_verify(g_log, NULL, &sum, NULL), 0);
    assert_int_equal(sum.lines, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_append_verify_reopen),
        T(test_append_fields_cannot_forge_the_chain),
        T(test_verify_every_changed_byte_noticed),
        T(test_verify_removed_swapped_and_cut_lines),
        T(test_open_broken_chain_refused),
        T(test_open_torn_line_cut_and_said),
        T(test_append_too_long_refused_and_log_stays_good),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
