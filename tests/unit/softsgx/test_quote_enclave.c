/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* From EREPORT in an enclave to a verifier that knows only the software root. */

#include "unit/unit.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "sign/sigstruct.h"

#include "quote_support.h"
#include "unit/softsgx/rig.h"

#define AT_TARGET (RIG_BASE + ENC_DATA)
#define AT_DATA   (RIG_BASE + ENC_DATA + 0x200)
#define AT_REPORT (RIG_BASE + ENC_DATA + 0x400)

static void report_for(struct rig *rig, const struct sgx_targetinfo *target, const char *text,
                       struct sgx_report *ret)
{
    struct enclu_args args = {
        .rax = ENCLU_EREPORT, .rbx = AT_TARGET, .rcx = AT_DATA, .rdx = AT_REPORT};
    uint8_t data[64] = {0};
    struct rig_exit x;

    memcpy(data, text, strlen(text));
    rig_poke_bytes(rig, AT_TARGET, target, sizeof(*target));
    rig_poke_bytes(rig, AT_DATA, data, sizeof(data));
    x = rig_leaf(rig, OP_ENCLU, &args);
    assert_int_equal(x.function, ENCLU_EEXIT);
    rig_peek_bytes(rig, AT_REPORT, ret, sizeof(*ret));
}

static void check_claims(const struct att_claims *claims, const struct rig *rig)
{
    uint8_t mrsigner[32];

    sigstruct_mrsigner(rig->sigstruct.modulus, mrsigner);
    assert_int_equal(claims->tcb_status, ATT_TCB_UpToDate);
    assert_int_equal(claims->root_class, ATT_ROOT_SOFTWARE);
    assert_memory_equal(claims->mrenclave, rig->mrenclave, 32);
    assert_memory_equal(claims->mrsigner, mrsigner, 32);
    assert_int_equal(claims->isv_prod_id, 11);
    assert_int_equal(claims->isv_svn, 22);
    assert_string_equal((const char *)claims->report_data, "bound to this");
    assert_false(claims->debug);
}

static void test_enclave_report_becomes_a_quote_that_verifies(void **state)
{
    const struct sgx_backend *backend = &sgx_backend_soft;
    _cleanup_(att_collateral_freep) struct att_collateral *collateral = NULL;
    _cleanup_error_ struct error *err = NULL;
    _cleanup_(free_set) struct set set = {0};
    _cleanup_soft_root_ struct soft_root *root = NULL;
    _cleanup_free_ uint8_t *quote = NULL;
    struct att_reason why = {0};
    struct sgx_targetinfo target;
    struct sgx_targetinfo other;
    struct sgx_report report;
    struct att_claims claims;
    uint8_t *none = NULL;
    struct rig rig;
    size_t size = 0;

    on_machine("machine");
    rig_build(&rig, &(struct rig_options){
                        .base = RIG_BASE, .threads = 1, .isv_prod_id = 11, .isv_svn = 22});
    assert_int_equal(backend->quote_target(&target, &err), 0);
    report_for(&rig, &target, "bound to this", &report);
    if (backend->quote(&report, &quote, &size, &err) < 0) {
        fail_msg("%s", error_text(err));
    }
    root = open_root();
    export_set(root, "collateral", &set);
    assert_int_equal(load_set(&set, &set.root, &collateral, &why), 0);
    if (att_verify(quote, size, collateral, time(NULL), &claims, &why) < 0) {
        fail_msg("%s: %s", att_code_sentence(why.code), why.detail);
    }
    check_claims(&claims, &rig);

    /* The twins: a report for another enclave, and one changed on its way out. */
    other = target;
    other.mrenclave[0] ^= 1;
    report_for(&rig, &other, "bound to this", &report);
    assert_int_equal(backend->quote(&report, &none, &size, NULL), -EACCES);
    report_for(&rig, &target, "bound to this", &report);
    report.body.report_data[0] ^= 1;
    assert_int_equal(backend->quote(&report, &none, &size, NULL), -EACCES);
    assert_null(none);
    rig_destroy(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enclave_report_becomes_a_quote_that_verifies),
    };
    return cmocka_run_group_tests(tests, quote_setup, quote_teardown);
}
