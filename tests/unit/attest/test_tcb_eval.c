/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* How statuses combine, as whole tables, and which level a platform reaches. */

#include <string.h>

#include "attest/tcb_internal.h"
#include "unit/unit.h"

enum {
    U = ATT_TCB_UpToDate,
    S = ATT_TCB_SWHardeningNeeded,
    C = ATT_TCB_ConfigurationNeeded,
    CS = ATT_TCB_ConfigurationAndSWHardeningNeeded,
    O = ATT_TCB_OutOfDate,
    OC = ATT_TCB_OutOfDateConfigurationNeeded,
    R = ATT_TCB_Revoked,
    N = ATT_TCB_TCB_NOT_SUPPORTED,
    TR = ATT_TCB_TDRelaunchAdvised,
    TRC = ATT_TCB_TDRelaunchAdvisedConfigurationNeeded,
};

static void test_converge_any_revoked_wins_and_out_of_date_pulls_down(void **state)
{
    static const int platforms[] = {U, S, C, CS, O, OC, R, N};
    static const int parts[] = {U, O, R, N};
    static const int want[8][4] = {
        /* part:  U   O   R  N */
        {U, O, R, N},   /* UpToDate */
        {S, O, R, N},   /* SWHardeningNeeded */
        {C, OC, R, N},  /* ConfigurationNeeded */
        {CS, OC, R, N}, /* ConfigurationAndSWHardeningNeeded */
        {O, O, R, N},   /* OutOfDate */
        {OC, OC, R, N}, /* OutOfDateConfigurationNeeded */
        {R, R, R, N},   /* Revoked */
        {N, N, N, N},   /* no level */
    };

    for (size_t i = 0; i < ARRAY_COUNT(platforms); i++) {
        for (size_t j = 0; j < ARRAY_COUNT(parts); j++) {
            assert_int_equal(
                tcb_converge((enum att_tcb_status)platforms[i], (enum att_tcb_status)parts[j]),
                want[i][j]);
        }
    }
}

static void test_relaunch_is_advised_only_when_it_would_help(void **state)
{
    static const int all[] = {U, S, C, CS, O, OC, R, N};
    static const int want[8][8] = {
        /* current: U    S    C    CS   O   OC  R  N */
        {U, U, U, U, O, O, R, N},           /* launch UpToDate */
        {S, S, S, S, O, O, R, N},           /* SWHardeningNeeded */
        {C, C, C, C, OC, OC, R, N},         /* ConfigurationNeeded */
        {CS, CS, CS, CS, OC, OC, R, N},     /* ConfigurationAndSWHardeningNeeded */
        {TR, TR, TRC, TRC, O, O, R, N},     /* OutOfDate */
        {TRC, TRC, TRC, TRC, OC, OC, R, N}, /* OutOfDateConfigurationNeeded */
        {R, R, R, R, R, R, R, N},           /* Revoked */
        {N, N, N, N, N, N, N, N},           /* no level */
    };

    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        for (size_t j = 0; j < ARRAY_COUNT(all); j++) {
            enum att_tcb_status have =
                tcb_relaunch((enum att_tcb_status)all[i], (enum att_tcb_status)all[j]);

            if ((int)have != want[i][j]) {
                fail_msg(
                    "launch %s, current %s: %s", att_tcb_status_name((enum att_tcb_status)all[i]),
                    att_tcb_status_name((enum att_tcb_status)all[j]), att_tcb_status_name(have));
            }
        }
    }
}

static void test_find_level_wants_every_component_and_the_pce(void **state)
{
    struct tcb_level levels[2] = {{.pce_svn = 13, .status = ATT_TCB_UpToDate},
                                  {.pce_svn = 5, .status = ATT_TCB_OutOfDate}};
    struct tcb_info info = {.level_count = 2, .levels = levels};
    struct pck pck = {.pce_svn = 13};

    memset(levels[0].sgx, 7, sizeof(levels[0].sgx));
    memset(levels[1].sgx, 3, sizeof(levels[1].sgx));
    memset(pck.components, 7, sizeof(pck.components));
    assert_ptr_equal(tcb_find_level(&info, &pck, NULL), &levels[0]);
    pck.pce_svn = 12;
    assert_ptr_equal(tcb_find_level(&info, &pck, NULL), &levels[1]);
    pck.pce_svn = 4;
    assert_null(tcb_find_level(&info, &pck, NULL));
    pck.pce_svn = 14;
    for (size_t i = 0; i < TCB_COMPONENTS; i++) {
        pck.components[i] = 6;
        assert_ptr_equal(tcb_find_level(&info, &pck, NULL), &levels[1]);
        pck.components[i] = 2;
        assert_null(tcb_find_level(&info, &pck, NULL));
        pck.components[i] = 8;
    }
    assert_ptr_equal(tcb_find_level(&info, &pck, NULL), &levels[0]);
}

static void test_find_level_tdx_components_start_where_the_module_ends(void **state)
{
    struct tcb_level level = {0};
    struct tcb_info info = {.tdx = true, .level_count = 1, .levels = &level};
    struct pck pck = {0};
    uint8_t svn[16] = {1, 0, 5};

    level.tdx[0] = 2;
    level.tdx[2] = 5;
    assert_null(tcb_find_level(&info, &pck, svn)); /* module 1 < 2 counts */
    svn[0] = 2;
    assert_ptr_equal(tcb_find_level(&info, &pck, svn), &level);
    svn[0] = 0;
    svn[1] = 1; /* a module identity judges the first two bytes */
    assert_ptr_equal(tcb_find_level(&info, &pck, svn), &level);
    svn[2] = 4;
    assert_null(tcb_find_level(&info, &pck, svn));
}

static void test_find_isv_level_takes_the_first_at_or_below(void **state)
{
    struct isv_levels levels = {.count = 2, .levels = {{.isv_svn = 8}, {.isv_svn = 6}}};

    assert_ptr_equal(tcb_find_isv_level(&levels, 9), &levels.levels[0]);
    assert_ptr_equal(tcb_find_isv_level(&levels, 8), &levels.levels[0]);
    assert_ptr_equal(tcb_find_isv_level(&levels, 7), &levels.levels[1]);
    assert_null(tcb_find_isv_level(&levels, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_converge_any_revoked_wins_and_out_of_date_pulls_down),
        cmocka_unit_test(test_relaunch_is_advised_only_when_it_would_help),
        cmocka_unit_test(test_find_level_wants_every_component_and_the_pce),
        cmocka_unit_test(test_find_level_tdx_components_start_where_the_module_ends),
        cmocka_unit_test(test_find_isv_level_takes_the_first_at_or_below),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
