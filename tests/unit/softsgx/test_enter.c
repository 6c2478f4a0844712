/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* EENTER, EEXIT, ERESUME, and what is refused at the border. */

#include "rig.h"

#include "unit.h"

static void test_enter_exit_slot_returns_registers(void **state)
{
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, &(struct rig_options){.base = RIG_BASE, .threads = 2});
    for (int i = 0; i < 1000; i++) {
        x = rig_enter(&rig, 0, OP_NOP, 0, 0);
        assert_int_equal(x.ret, 0);
        assert_int_equal(x.function, ENCLU_EEXIT);
        assert_int_equal(x.rsi, 0);
        assert_int_equal(x.rdx, rig_tcs(&rig, 0));
    }
    rig_destroy(&rig);
}

static void test_enter_exit_trap_returns_registers(void **state)
{
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, &(struct rig_options){.base = RIG_BASE, .threads = 2, .no_slots = true});
    x = rig_enter(&rig, 1, OP_NOP, 0, 0);
    assert_int_equal(x.ret, 0);
    assert_int_equal(x.function, ENCLU_EEXIT);
    assert_int_equal(x.rdx, rig_tcs(&rig, 1));
    x = rig_enter(&rig, 1, OP_NOP_TRAP, 0, 0);
    assert_int_equal(x.function, ENCLU_EEXIT);
    rig_destroy(&rig);
}

static void test_enter_sets_fs_and_gs(void **state)
{
    struct rig rig;

    rig_build(&rig, &(struct rig_options){.base = RIG_BASE, .threads = 2});
    for (unsigned t = 0; t < 2; t++) {
        struct rig_exit x = rig_enter(&rig, t, OP_BASES, 0, 0);

        assert_int_equal(x.rsi, rig_tcs(&rig, t) + THR_FS);
        assert_int_equal(x.rdx, rig_tcs(&rig, t) + THR_GS);
    }
    rig_destroy(&rig);
}

static void test_ud2_surfaces_and_resumes(void **state)
{
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, &(struct rig_options){.base = RIG_BASE, .threads = 1});
    x = rig_enter(&rig, 0, OP_UD2, 0, 0);
    assert_int_equal(x.ret, 0);
    assert_int_equal(x.function, ENCLU_ERESUME);
    assert_int_equal(x.vector, X86_UD);
    x = rig_enter(&rig, 0, OP_SKIP, 2, 0);
    assert_int_equal(x.function, ENCLU_EEXIT);
    x = rig_resume(&rig, 0);
    assert_int_equal(x.function, ENCLU_EEXIT);
    assert_int_equal(x.rsi, 0x1111);
    rig_destroy(&rig);
}

static void test_accept_then_use(void **state)
{
    struct rig rig;
    struct rig_exit x;
    uint64_t at = RIG_BASE + ENC_DYNAMIC;
    uint64_t flags = SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W | SGX_SECINFO_PENDING;

    rig_build(&rig, &(struct rig_options){.base = RIG_BASE, .threads = 1});
    x = rig_enter(&rig, 0, OP_WRITE, at, 1);
    assert_int_equal(x.function, ENCLU_ERESUME);
    assert_int_equal(x.vector, X86_PF);
    assert_int_equal(x.error_code, X86_PF_SGX | X86_PF_P | X86_PF_W | X86_PF_U);
    assert_int_equal(x.addr, at);
    (void)rig_enter(&rig, 0, OP_NOP, 0, 0);
    assert_int_equal(rig_accept(&rig, at, 16, flags), 0);
    x = rig_resume(&rig, 0);
    assert_int_equal(x.function, ENCLU_EEXIT);
    for (unsigned i = 0; i < 16; i++) {
        rig_poke(&rig, at + i * 4096u, i + 1);
        assert_int_equal(rig_peek(&rig, at + i * 4096u), i + 1);
    }
    rig_destroy(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enter_exit_slot_returns_registers),
        cmocka_unit_test(test_enter_exit_trap_returns_registers),
        cmocka_unit_test(test_enter_sets_fs_and_gs),
        cmocka_unit_test(test_ud2_surfaces_and_resumes),
        cmocka_unit_test(test_accept_then_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
