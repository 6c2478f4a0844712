/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The software root and quoting enclave, end to end with the verifier that checks Intel's quotes.
 */

#include "unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "abi/sgx_quote.h"
#include "attest/verifier.h"
#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/state_dir.h"
#include "softsgx/keys.h"
#include "softsgx/quote.h"
#include "softsgx/root_internal.h"

#include "quote_support.h"

static const uint8_t report_key[16] = {1, 2, 3, 4, 5, 6, 7, 8};

static void a_report(struct sgx_report *ret)
{
    *ret = (struct sgx_report){
        .body =
            {
                .miscselect = SGX_MISC_EXINFO,
                .attributes = {.flags = SGX_FLAGS_INIT | SGX_FLAGS_MODE64BIT | SGX_FLAGS_KSS,
                               .xfrm = 7},
                .isv_prod_id = 77,
                .isv_svn = 5,
                .config_svn = 9,
            },
    };
    memset(ret->body.cpu_svn, 1, sizeof(ret->body.cpu_svn));
    memset(ret->body.mrenclave, 0xaa, sizeof(ret->body.mrenclave));
    memset(ret->body.mrsigner, 0xbb, sizeof(ret->body.mrsigner));
    memset(ret->body.report_data, 0xcc, sizeof(ret->body.report_data));
    assert_int_equal(crypto_aes128_cmac(report_key, &ret->body, sizeof(ret->body), ret->mac), 0);
}

static uint8_t *quote_with(const struct soft_root *root, const struct sgx_report *report,
                           size_t *ret_size)
{
    struct soft_qe *qe = NULL;
    uint8_t *quote = NULL;

    assert_int_equal(soft_qe_new(root, &qe, NULL), 0);
    assert_int_equal(soft_qe_quote(qe, report, report_key, &quote, ret_size, NULL), 0);
    (void)soft_qe_free(qe);
    return quote;
}

static void test_quote_verifies_as_up_to_date_under_the_software_root(void **state)
{
    _cleanup_(att_collateral_freep) struct att_collateral *collateral = NULL;
    _cleanup_(free_set) struct set set = {0};
    _cleanup_soft_root_ struct soft_root *root = NULL;
    _cleanup_free_ uint8_t *quote = NULL;
    struct att_policy policy = {0};
    struct att_reason why = {0};
    struct sgx_report report;
    struct att_claims claims;
    size_t size = 0;

    on_machine("m-verify");
    root = open_root();
    a_report(&report);
    quote = quote_with(root, &report, &size);
    export_set(root, "e-verify", &set);
    assert_int_equal(load_set(&set, &set.root, &collateral, &why), 0);
    if (att_verify(quote, size, collateral, time(NULL), &claims, &why) < 0) {
        fail_msg("%s: %s", att_code_sentence(why.code), why.detail);
    }
    assert_int_equal(claims.tcb_status, ATT_TCB_UpToDate);
    assert_int_equal(claims.qe_status, ATT_TCB_UpToDate);
    assert_int_equal(claims.root_class, ATT_ROOT_SOFTWARE);
    assert_string_equal(claims.root_name, SOFT_ROOT_NAME);
    assert_int_equal(claims.quote_version, 3);
    assert_int_equal(claims.advisory_count, 0);
    assert_false(claims.debug);
    assert_memory_equal(claims.mrenclave, report.body.mrenclave, 32);
    assert_memory_equal(claims.mrsigner, report.body.mrsigner, 32);
    assert_memory_equal(claims.report_data, report.body.report_data, 64);
    assert_int_equal(claims.isv_prod_id, 77);
    assert_int_equal(claims.isv_svn, 5);
    assert_int_equal(claims.config_svn, 9);
    assert_memory_equal(claims.fmspc, root->fmspc, 6);
    assert_memory_equal(claims.ppid, root->ppid, 16);
    assert_memory_equal(claims.pck_cpu_svn, soft_cpu_svn, 16);
    /* Genuine, and still refused unless somebody says in words that software is enough. */
    assert_int_equal(att_appraise(&claims, &policy, &why), -EACCES);
    assert_int_equal(why.code, ATT_ROOT_CLASS);
    policy.allow_software = true;
    assert_int_equal(att_appraise(&claims, &policy, &why), 0);
}

static void test_quote_is_refused_under_intels_root_and_another_machines(void **state)
{
    _cleanup_(att_collateral_freep) struct att_collateral *other = NULL;
    _cleanup_(free_set) struct set set = {0};
    _cleanup_(free_set) struct set other_set = {0};
    _cleanup_soft_root_ struct soft_root *root = NULL;
    _cleanup_soft_root_ struct soft_root *other_root = NULL;
    _cleanup_free_ uint8_t *quote = NULL;
    struct att_collateral *none = NULL;
    struct att_reason why = {0};
    struct sgx_report report;
    struct att_claims claims;
    size_t size = 0;

    on_machine("m-one");
    root = open_root();
    export_set(root, "e-one", &set);
    assert_true(load_set(&set, &att_root_intel, &none, &why) < 0);
    assert_int_equal(why.code, ATT_ROOT_UNTRUSTED);
    assert_null(none);

    on_machine("m-two");
    other_root = open_root();
    export_set(other_root, "e-two", &other_set);
    assert_memory_not_equal(root->fmspc, other_root->fmspc, 6);
    assert_true(load_set(&other_set, &set.root, &none, &why) < 0);
    assert_int_equal(why.code, ATT_ROOT_UNTRUSTED);
    assert_int_equal(load_set(&other_set, &other_set.root, &other, &why), 0);
    a_report(&report);
    quote = quote_with(root, &report, &size);
    assert_true(att_verify(quote, size, other, time(NULL), &claims, &why) < 0);
    assert_true(why.code == ATT_ROOTS_DIFFER || why.code == ATT_FMSPC_MISMATCH);
}

static void test_each_flipped_byte_of_a_quote_is_refused(void **state)
{
    _cleanup_(att_collateral_freep) struct att_collateral *collateral = NULL;
    _cleanup_(free_set) struct set set = {0};
    _cleanup_soft_root_ struct soft_root *root = NULL;
    _cleanup_free_ uint8_t *quote = NULL;
    const int64_t now = time(NULL);
    struct att_reason why = {0};
    struct sgx_report report;
    struct att_claims claims;
    size_t size = 0;

    on_machine("m-verify");
    root = open_root();
    a_report(&report);
    quote = quote_with(root, &report, &size);
    export_set(root, "e-verify", &set);
    assert_int_equal(load_set(&set, &set.root, &collateral, &why), 0);
    assert_int_equal(att_verify(quote, size, collateral, now, &claims, &why), 0);
    for (size_t i = 0; i < size; i++) {
        quote[i] ^= (uint8_t)(1u << i % 8);
        if (att_verify(quote, size, collateral, now, &claims, &why) >= 0) {
            fail_msg("byte %zu of %zu flipped and not refused", i, size);
        }
        quote[i] ^= (uint8_t)(1u << i % 8);
    }
    assert_true(att_verify(quote, size - 2, collateral, now, &claims, &why) < 0);
}

static void test_each_flipped_byte_of_the_collateral_is_refused(void **state)
{
    _cleanup_(att_collateral_freep) struct att_collateral *good = NULL;
    _cleanup_(free_set) struct set set = {0};
    _cleanup_soft_root_ struct soft_root *root = NULL;
    _cleanup_free_ uint8_t *quote = NULL;
    struct att_reason why = {0};
    struct sgx_report report;
    struct att_claims claims;
    size_t size = 0;

    on_machine("m-verify");
    root = open_root();
    a_report(&report);
    quote = quote_with(root, &report, &size);
    export_set(root, "e-verify", &set);
    assert_int_equal(load_set(&set, &set.root, &good, &why), 0);
    assert_int_equal(att_verify(quote, size, good, time(NULL), &claims, &why), 0);
    for (size_t f = 0; f < 5; f++) {
        for (size_t i = 0; i < set.size[f]; i++) {
            _cleanup_(att_collateral_freep) struct att_collateral *c = NULL;

            /* Not bit 5: hexadecimal digits that change case stay what they are. */
            const uint8_t flip = (uint8_t)(1u << i % 5);

            set.data[f][i] ^= flip;
            if (load_set(&set, &set.root, &c, &why) == 0 &&
                att_verify(quote, size, c, time(NULL), &claims, &why) >= 0) {
                fail_msg("%s: byte %zu of %zu flipped and not refused", soft_collateral_files[f], i,
                         set.size[f]);
            }
            set.data[f][i] ^= flip;
        }
    }
}

static void test_collateral_ends_after_a_year_and_begins_a_day_ago(void **state)
{
    _cleanup_(att_collateral_freep) struct att_collateral *collateral = NULL;
    _cleanup_(free_set) struct set set = {0};
    _cleanup_soft_root_ struct soft_root *root = NULL;
    _cleanup_free_ uint8_t *quote = NULL;
    const int64_t now = time(NULL);
    const int64_t day = 24 * 3600;
    struct att_reason why = {0};
    struct sgx_report report;
    struct att_claims claims;
    size_t size = 0;

    on_machine("m-verify");
    root = open_root();
    a_report(&report);
    quote = quote_with(root, &report, &size);
    export_set(root, "e-verify", &set);
    assert_int_equal(load_set(&set, &set.root, &collateral, &why), 0);
    assert_int_equal(att_verify(quote, size, collateral, now + 364 * day, &claims, &why), 0);
    assert_true(att_verify(quote, size, collateral, now + 366 * day, &claims, &why) < 0);
    assert_true(att_verify(quote, size, collateral, now - 2 * day, &claims, &why) < 0);
}

static void test_debug_enclaves_are_seen_as_such(void **state)
{
    _cleanup_(att_collateral_freep) struct att_collateral *collateral = NULL;
    _cleanup_(free_set) struct set set = {0};
    _cleanup_soft_root_ struct soft_root *root = NULL;
    _cleanup_free_ uint8_t *quote = NULL;
    const struct att_policy policy = {.allow_software = true};
    struct att_reason why = {0};
    struct sgx_report report;
    struct att_claims claims;
    size_t size = 0;

    on_machine("m-verify");
    root = open_root();
    a_report(&report);
    report.body.attributes.flags |= SGX_FLAGS_DEBUG;
    assert_int_equal(crypto_aes128_cmac(report_key, &report.body, sizeof(report.body), report.mac),
                     0);
    quote = quote_with(root, &report, &size);
    export_set(root, "e-verify", &set);
    assert_int_equal(load_set(&set, &set.root, &collateral, &why), 0);
    assert_int_equal(att_verify(quote, size, collateral, time(NULL), &claims, &why), 0);
    assert_true(claims.debug);
    assert_int_equal(att_appraise(&claims, &policy, &why), -EACCES);
    assert_int_equal(why.code, ATT_DEBUG);
}

static void test_quote_refuses_reports_the_processor_did_not_make(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_soft_root_ struct soft_root *root = NULL;
    uint8_t wrong_key[16] = {0};
    struct soft_qe *qe = NULL;
    struct sgx_report good;
    uint8_t *quote = NULL;
    size_t size = 0;

    on_machine("m-verify");
    root = open_root();
    assert_int_equal(soft_qe_new(root, &qe, NULL), 0);
    a_report(&good);
    for (size_t i = 0; i < sizeof(good.body) + sizeof(good.mac); i++) {
        struct sgx_report r = good;
        uint8_t *at =
            i < sizeof(good.body) ? (uint8_t *)&r.body + i : r.mac + (i - sizeof(good.body));

        *at ^= 1;
        assert_int_equal(soft_qe_quote(qe, &r, report_key, &quote, &size, NULL), -EACCES);
    }
    assert_int_equal(soft_qe_quote(qe, &good, wrong_key, &quote, &size, &err), -EACCES);
    assert_non_null(strstr(error_text(err), "MAC"));
    assert_null(quote);
    (void)soft_qe_free(qe);
}

static void test_target_is_the_quoting_enclave_of_the_quotes(void **state)
{
    _cleanup_soft_root_ struct soft_root *root = NULL;
    _cleanup_free_ uint8_t *quote = NULL;
    struct quote_v3_signature sig;
    struct sgx_targetinfo target;
    struct sgx_report report;
    size_t size = 0;

    on_machine("m-verify");
    root = open_root();
    a_report(&report);
    quote = quote_with(root, &report, &size);
    memcpy(&sig, quote + sizeof(struct quote_v3_fixed), sizeof(sig));
    soft_qe_target(&target);
    assert_memory_equal(target.mrenclave, sig.qe_report.mrenclave, 32);
    assert_memory_equal(&target.attributes, &sig.qe_report.attributes, sizeof(target.attributes));
    assert_int_equal(target.miscselect, sig.qe_report.miscselect);
    assert_int_equal(target.attributes.flags & SGX_FLAGS_DEBUG, 0);
}

static void mac_of_this_machine(struct sgx_report *report)
{
    struct sgx_targetinfo target;
    uint8_t key[16];

    assert_int_equal(soft_quote_target(&target, NULL), 0);
    memcpy(report->key_id, soft_report_key_id(), sizeof(report->key_id));
    soft_report_key(&target, report->key_id, key);
    assert_int_equal(crypto_aes128_cmac(key, &report->body, sizeof(report->body), report->mac), 0);
}

static void *quote_in_thread(void *arg)
{
    uint8_t *quote = NULL;
    size_t size = 0;

    return soft_quote(arg, &quote, &size, NULL) == 0 ? quote : NULL;
}

#define THREADS 4

static void test_the_backend_quotes_reports_of_this_machine_from_any_thread(void **state)
{
    _cleanup_(att_collateral_freep) struct att_collateral *collateral = NULL;
    _cleanup_(free_set) struct set set = {0};
    _cleanup_soft_root_ struct soft_root *root = NULL;
    struct att_reason why = {0};
    struct sgx_report report;
    struct att_claims claims;
    pthread_t threads[THREADS];
    uint8_t *quote = NULL;
    size_t size = 0;

    on_machine("m-backend");
    a_report(&report);
    mac_of_this_machine(&report);
    assert_int_equal(soft_quote(&report, &quote, &size, NULL), 0);
    root = open_root();
    export_set(root, "e-backend", &set);
    assert_int_equal(load_set(&set, &set.root, &collateral, &why), 0);
    assert_int_equal(att_verify(quote, size, collateral, time(NULL), &claims, &why), 0);
    free(quote);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, quote_in_thread, &report), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *p = NULL;

        assert_int_equal(pthread_join(threads[i], &p), 0);
        assert_non_null(p);
        assert_int_equal(att_verify(p, size, collateral, time(NULL), &claims, &why), 0);
        free(p);
    }
    report.body.isv_svn++; /* the twin: promoted by its host */
    quote = NULL;
    assert_int_equal(soft_quote(&report, &quote, &size, NULL), -EACCES);
    assert_null(quote);
}

/* --- the root on disk --- */

static void test_root_is_made_once_and_private(void **state)
{
    _cleanup_soft_root_ struct soft_root *first = NULL;
    _cleanup_soft_root_ struct soft_root *second = NULL;
    struct soft_root_info a;
    struct soft_root_info b;
    struct dirent *entry;
    struct stat st;
    size_t keys = 0;
    DIR *dir;

    on_machine("m-once");
    first = open_root();
    second = open_root();
    soft_root_info(first, &a);
    soft_root_info(second, &b);
    assert_true(a.fresh);
    assert_false(b.fresh);
    assert_memory_equal(a.fingerprint, b.fingerprint, 32);
    assert_int_equal(a.not_after, 2524607999);
    assert_true(a.collateral_not_after > time(NULL) + 360 * 24 * 3600);
    assert_int_equal(stat(a.dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    dir = opendir(a.dir);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        const size_t len = strlen(entry->d_name);

        if (len > 4 && strcmp(entry->d_name + len - 4, ".key") == 0) {
            assert_int_equal(fstatat(dirfd(dir), entry->d_name, &st, 0), 0);
            assert_int_equal(st.st_mode & 07777, 0600);
            keys++;
        }
    }
    assert_int_equal(closedir(dir), 0);
    assert_int_equal(keys, 5);
}

#define RACERS 6

static void test_processes_that_start_at_once_agree_on_one_root(void **state)
{
    uint8_t prints[RACERS][32];
    int pipes[2];
    int gate[2];

    on_machine("m-race");
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < RACERS; i++) {
        const pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            struct soft_root *root = NULL;
            struct soft_root_info info;
            char go;

            (void)close(gate[1]);
            (void)!read(gate[0], &go, 1); /* all start when the gate closes */
            if (soft_root_open(&root, NULL) < 0) {
                _exit(1);
            }
            soft_root_info(root, &info);
            _exit(write(pipes[1], info.fingerprint, 32) == 32 ? 0 : 2);
        }
    }
    assert_int_equal(close(gate[0]) | close(gate[1]), 0);
    for (int i = 0; i < RACERS; i++) {
        int status = -1;

        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(read(pipes[0], prints, sizeof(prints)), sizeof(prints));
    for (int i = 1; i < RACERS; i++) {
        assert_memory_equal(prints[0], prints[i], 32);
    }
    assert_int_equal(close(pipes[0]) | close(pipes[1]), 0);
}

static void test_init_replaces_only_when_forced(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_soft_root_ struct soft_root *before = NULL;
    _cleanup_soft_root_ struct soft_root *after = NULL;

    on_machine("m-init");
    assert_int_equal(soft_root_init(NULL, /*force=*/false, &err), 0);
    before = open_root();
    assert_false(before->fresh);
    assert_int_equal(soft_root_init(NULL, /*force=*/false, &err), -EEXIST);
    assert_non_null(strstr(error_text(err), "--force"));
    assert_int_equal(soft_root_init(NULL, /*force=*/true, &err), 0);
    after = open_root();
    assert_memory_not_equal(before->fmspc, after->fmspc, 6);
    assert_int_equal(access(in_dir("m-init/softsgx/root-1.new"), F_OK), -1);
}

static void test_a_crash_while_making_leaves_nothing_behind(void **state)
{
    _cleanup_soft_root_ struct soft_root *root = NULL;

    on_machine("m-crash");
    assert_int_equal(state_dir_make_private(in_dir("m-crash/softsgx/root-1.new/collateral"), NULL),
                     0);
    /* mkdir of the parents gave 0755; what state_dir_make wants is 0700 */
    assert_int_equal(chmod(in_dir("m-crash/softsgx"), 0700), 0);
    assert_int_equal(
        fs_write_file_atomic(in_dir("m-crash/softsgx/root-1.new/root.key"), "half", 4, 0600, NULL),
        0);
    root = open_root();
    assert_true(root->fresh);
    assert_int_equal(access(in_dir("m-crash/softsgx/root-1.new"), F_OK), -1);
}

static void test_a_damaged_root_is_an_error_that_says_what_to_do(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    struct soft_root *root = NULL;

    on_machine("m-damage");
    root = open_root();
    root = soft_root_free(root);
    assert_int_equal(rename(in_dir("m-damage/softsgx/root-1/att.key"),
                            in_dir("m-damage/softsgx/root-1/pck.key")),
                     0);
    assert_int_equal(soft_root_open(&root, &err), -ENOENT);
    assert_non_null(strstr(error_text(err), "--init --force"));
    assert_int_equal(
        fs_write_file_atomic(in_dir("m-damage/softsgx/root-1/att.key"), "x", 1, 0600, NULL), 0);
    assert_int_equal(soft_root_open(&root, &err), -EINVAL);
    assert_int_equal(soft_root_init(NULL, /*force=*/true, &err), 0);
    root = open_root();
    root = soft_root_free(root);
}

static void test_collateral_near_its_end_is_renewed(void **state)
{
    _cleanup_authority_ struct soft_authority a = {0};
    _cleanup_soft_root_ struct soft_root *root = NULL;
    const time_t now = time(NULL);
    const char *dir;
    int64_t until = 0;

    on_machine("m-renew");
    root = open_root();
    dir = in_dir("m-renew/softsgx/root-1/collateral");
    assert_int_equal(soft_authority_load(root->dir, &a, NULL), 0);
    assert_int_equal(soft_collateral_write(&a, dir, now - (time_t)200 * 24 * 3600, &until, NULL),
                     0);
    assert_true(until < now + (time_t)170 * 24 * 3600);
    root = soft_root_free(root);
    root = open_root();
    assert_true(root->collateral_not_after > now + (time_t)360 * 24 * 3600);
    /* Lost altogether: made again. */
    assert_int_equal(unlink(in_dir("m-renew/softsgx/root-1/collateral/pck_crl.der")), 0);
    root = soft_root_free(root);
    root = open_root();
    assert_int_equal(soft_collateral_not_after(dir, &until), 0);
}

static void test_a_lab_root_serves_two_machines_with_one_collateral(void **state)
{
    _cleanup_(att_collateral_freep) struct att_collateral *collateral = NULL;
    _cleanup_(free_set) struct set set = {0};
    _cleanup_soft_root_ struct soft_root *one = NULL;
    _cleanup_soft_root_ struct soft_root *two = NULL;
    _cleanup_free_ uint8_t *quote = NULL;
    struct att_reason why = {0};
    struct sgx_report report;
    struct att_claims claims;
    size_t size = 0;

    on_machine("m-lab-1");
    assert_int_equal(soft_root_init(in_dir("lab"), /*force=*/false, NULL), 0);
    one = open_root();
    on_machine("m-lab-2");
    assert_int_equal(soft_root_init(in_dir("lab"), /*force=*/false, NULL), 0);
    two = open_root();
    assert_memory_equal(one->fmspc, two->fmspc, 6);
    assert_memory_not_equal(one->ppid, two->ppid, 16);
    export_set(one, "e-lab", &set);
    assert_int_equal(load_set(&set, &set.root, &collateral, &why), 0);
    a_report(&report);
    quote = quote_with(two, &report, &size);
    assert_int_equal(att_verify(quote, size, collateral, time(NULL), &claims, &why), 0);
    assert_int_equal(claims.tcb_status, ATT_TCB_UpToDate);
    assert_memory_equal(claims.ppid, two->ppid, 16);
}

static void test_a_lab_root_that_others_can_read_or_that_is_mixed_is_refused(void **state)
{
    _cleanup_error_ struct error *err = NULL;

    on_machine("m-lab-3");
    assert_int_equal(soft_root_init(in_dir("lab-bad"), /*force=*/false, NULL), 0);
    assert_int_equal(chmod(in_dir("lab-bad/root.key"), 0644), 0);
    on_machine("m-lab-4");
    assert_int_equal(soft_root_init(in_dir("lab-bad"), /*force=*/false, &err), -EPERM);
    assert_non_null(strstr(error_text(err), "chmod 600"));
    assert_int_equal(chmod(in_dir("lab-bad/root.key"), 0600), 0);
    /* The CA of another root. */
    assert_int_equal(rename(in_dir("m-lab-3/softsgx/root-1/pck.pem"), in_dir("lab-bad/pck_ca.pem")),
                     0);
    assert_int_equal(rename(in_dir("m-lab-3/softsgx/root-1/pck.key"), in_dir("lab-bad/pck_ca.key")),
                     0);
    assert_int_equal(soft_root_init(in_dir("lab-bad"), /*force=*/false, &err), -EBADMSG);
    assert_non_null(strstr(error_text(err), "pck_ca.pem was not issued by root.pem"));
    assert_int_equal(access(in_dir("m-lab-4/softsgx/root-1"), F_OK), -1);
    assert_int_equal(access(in_dir("m-lab-4/softsgx/root-1.new"), F_OK), -1);
}

static void test_export_holds_nothing_secret(void **state)
{
    _cleanup_soft_root_ struct soft_root *root = NULL;
    struct dirent *entry;
    size_t files = 0;
    DIR *dir;

    on_machine("m-verify");
    root = open_root();
    assert_int_equal(soft_root_export(root, in_dir("e-public"), NULL), 0);
    dir = opendir(in_dir("e-public"));
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        _cleanup_free_ uint8_t *data = NULL;
        char path[512];
        size_t size;

        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", in_dir("e-public"), entry->d_name);
        assert_int_equal(fs_read_file(path, 65536, &data, &size, NULL), 0);
        assert_null(memmem(data, size, "PRIVATE", 7));
        files++;
    }
    assert_int_equal(closedir(dir), 0);
    assert_int_equal(files, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote_verifies_as_up_to_date_under_the_software_root),
        cmocka_unit_test(test_quote_is_refused_under_intels_root_and_another_machines),
        cmocka_unit_test(test_each_flipped_byte_of_a_quote_is_refused),
        cmocka_unit_test(test_each_flipped_byte_of_the_collateral_is_refused),
        cmocka_unit_test(test_collateral_ends_after_a_year_and_begins_a_day_ago),
        cmocka_unit_test(test_debug_enclaves_are_seen_as_such),
        cmocka_unit_test(test_quote_refuses_reports_the_processor_did_not_make),
        cmocka_unit_test(test_target_is_the_quoting_enclave_of_the_quotes),
        cmocka_unit_test(test_the_backend_quotes_reports_of_this_machine_from_any_thread),
        cmocka_unit_test(test_root_is_made_once_and_private),
        cmocka_unit_test(test_processes_that_start_at_once_agree_on_one_root),
        cmocka_unit_test(test_init_replaces_only_when_forced),
        cmocka_unit_test(test_a_crash_while_making_leaves_nothing_behind),
        cmocka_unit_test(test_a_damaged_root_is_an_error_that_says_what_to_do),
        cmocka_unit_test(test_collateral_near_its_end_is_renewed),
        cmocka_unit_test(test_a_lab_root_serves_two_machines_with_one_collateral),
        cmocka_unit_test(test_a_lab_root_that_others_can_read_or_that_is_mixed_is_refused),
        cmocka_unit_test(test_export_holds_nothing_secret),
    };
    return cmocka_run_group_tests(tests, quote_setup, quote_teardown);
}
