/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* EENTER, EEXIT, ERESUME, the slot path and the trap path, and what is refused at the border. */

#include "unit/softsgx/rig.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "softsgx/internal.h"

#include "unit/unit.h"

#define PLAIN (&(struct rig_options){.base = RIG_BASE, .threads = 2})

static void assert_refused(struct rig_exit x, unsigned leaf, unsigned vector)
{
    assert_int_equal(x.ret, 0);
    assert_int_equal(x.function, leaf);
    assert_int_equal(x.vector, vector);
}

static void test_enter_exit_slot_returns_registers(void **state)
{
    struct rig rig;

    rig_build(&rig, PLAIN);
    assert_int_equal(*(const uint8_t *)rig_code(&rig, test_slot_exit), 0xe9);
    for (int i = 0; i < 1000; i++) {
        struct rig_exit x = rig_enter(&rig, 0, OP_NOP, 0, 0);

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
    assert_int_equal(*(const uint8_t *)rig_code(&rig, test_slot_exit), 0x0f);
    x = rig_enter(&rig, 1, OP_NOP, 0, 0);
    assert_int_equal(x.ret, 0);
    assert_int_equal(x.function, ENCLU_EEXIT);
    assert_int_equal(x.rdx, rig_tcs(&rig, 1));
    x = rig_enter(&rig, 1, OP_NOP_TRAP, 0, 0);
    assert_int_equal(x.function, ENCLU_EEXIT);
    rig_destroy(&rig);
}

static void test_slots_without_hint_or_wrong_bytes_stay(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    uint64_t offset = ENC_CODE + 1;
    struct rig rig;

    rig_pages(&rig, &(struct rig_options){.base = RIG_BASE, .threads = 1, .no_slots = true});
    assert_int_equal(sgx_backend_soft.hint_slots(rig.e, &offset, 1, &err), 0);
    offset = ENC_SIZE - 4;
    assert_int_equal(sgx_backend_soft.hint_slots(rig.e, &offset, 1, &err), -EINVAL);
    rig_sign(&rig.secs, rig.mrenclave, PLAIN, NULL, &rig.sigstruct);
    err = error_free(err);
    assert_int_equal(sgx_backend_soft.init(rig.e, &rig.sigstruct, &err), 0);
    assert_memory_equal((const void *)(RIG_BASE + ENC_CODE), test_enclave_start, 4096);
    assert_int_equal(sgx_backend_soft.hint_slots(rig.e, &offset, 1, &err), -EINVAL);
    sgx_backend_soft.destroy(rig.e);
}

static void test_enter_sets_fs_and_gs(void **state)
{
    struct rig rig;

    rig_build(&rig, PLAIN);
    for (unsigned i = 0; i < 4; i++) {
        struct rig_exit x = rig_enter(&rig, i & 1, OP_BASES, 0, 0);

        assert_int_equal(x.rsi, rig_tcs(&rig, i & 1) + THR_FS);
        assert_int_equal(x.rdx, rig_tcs(&rig, i & 1) + THR_GS);
    }
    rig_destroy(&rig);
}

static void test_aex_keeps_fs_the_enclave_set(void **state)
{
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, PLAIN);
    x = rig_enter(&rig, 0, OP_SETFS, RIG_BASE + 0x12340, 0);
    assert_refused(x, ENCLU_ERESUME, X86_UD);
    x = rig_enter(&rig, 0, OP_BASES, 0, 0);
    assert_int_equal(x.rsi, rig_tcs(&rig, 0) + THR_FS);
    (void)rig_enter(&rig, 0, OP_SKIP, 2, 0);
    x = rig_resume(&rig, 0);
    assert_int_equal(x.function, ENCLU_EEXIT);
    assert_int_equal(x.rsi, RIG_BASE + 0x12340);
    rig_destroy(&rig);
}

/* --- refusals --- */

struct spinner {
    struct rig *rig;
    uint32_t stop;
    uint32_t started;
    struct rig_exit x;
};

static void *spin(void *arg)
{
    static struct spin_args pattern;
    struct spinner *s = arg;
    struct error *err = NULL;

    if (sgx_backend_soft.thread_attach(s->rig->e, &err) == 0) {
        __atomic_store_n(&s->started, 1, __ATOMIC_SEQ_CST);
        s->x = rig_enter(s->rig, 1, OP_SPIN, (uint64_t)&pattern, (uint64_t)&s->stop);
        sgx_backend_soft.thread_detach();
    }
    return NULL;
}

static void test_enter_busy_tcs_gp(void **state)
{
    struct spinner s = {0};
    struct rig rig;
    pthread_t t;
    bool busy = false;

    rig_build(&rig, PLAIN);
    s.rig = &rig;
    assert_int_equal(pthread_create(&t, NULL, spin, &s), 0);
    for (int i = 0; i < 100000 && !busy; i++) {
        if (__atomic_load_n(&s.started, __ATOMIC_SEQ_CST) != 0) {
            struct rig_exit x = rig_enter(&rig, 1, OP_NOP, 0, 0);

            busy = x.function == ENCLU_EENTER && x.vector == X86_GP;
        }
        usleep(100);
    }
    assert_true(busy);
    assert_refused(rig_resume(&rig, 1), ENCLU_ERESUME, X86_GP);
    __atomic_store_n(&s.stop, 1, __ATOMIC_SEQ_CST);
    pthread_join(t, NULL);
    assert_int_equal(s.x.function, ENCLU_EEXIT);
    assert_int_equal(s.x.rsi, 0);
    assert_int_equal(rig_enter(&rig, 1, OP_NOP, 0, 0).function, ENCLU_EEXIT);
    rig_destroy(&rig);
}

static void test_eresume_cssa_zero_gp(void **state)
{
    struct rig rig;

    rig_build(&rig, PLAIN);
    assert_refused(rig_resume(&rig, 0), ENCLU_ERESUME, X86_GP);
    rig_destroy(&rig);
}

static void test_enter_no_tcs_refused(void **state)
{
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, PLAIN);
    x = rig_call(&rig, RIG_BASE + ENC_DATA, ENCLU_EENTER, OP_NOP, 0, 0);
    assert_refused(x, ENCLU_EENTER, X86_PF);
    assert_int_equal(x.error_code, X86_PF_SGX | X86_PF_P | X86_PF_U);
    assert_int_equal(x.addr, RIG_BASE + ENC_DATA);
    x = rig_call(&rig, rig_tcs(&rig, 0) + 8, ENCLU_EENTER, OP_NOP, 0, 0);
    assert_refused(x, ENCLU_EENTER, X86_GP);
    x = rig_call(&rig, 0x1000, ENCLU_EENTER, OP_NOP, 0, 0);
    assert_refused(x, ENCLU_EENTER, X86_PF);
    x = rig_call(&rig, RIG_BASE + ENC_DYNAMIC, ENCLU_EENTER, OP_NOP, 0, 0);
    assert_refused(x, ENCLU_EENTER, X86_PF);
    assert_int_equal(x.error_code & X86_PF_SGX, X86_PF_SGX);
    x = rig_call(&rig, RIG_BASE + ENC_DATA, ENCLU_ERESUME, OP_NOP, 0, 0);
    assert_refused(x, ENCLU_ERESUME, X86_PF);
    rig_destroy(&rig);
}

static void test_enter_before_einit_gp(void **state)
{
    struct rig rig;

    rig_build(&rig, &(struct rig_options){.base = RIG_BASE, .threads = 1, .no_init = true});
    assert_refused(rig_enter(&rig, 0, OP_NOP, 0, 0), ENCLU_EENTER, X86_GP);
    rig_destroy(&rig);
}

static void test_enter_nssa_exhausted_gp(void **state)
{
    struct rig rig;

    rig_build(&rig, PLAIN);
    for (unsigned i = 0; i < 4; i++) {
        struct rig_exit x = rig_enter(&rig, 0, OP_UD2, 0, 0);

        assert_refused(x, ENCLU_ERESUME, X86_UD);
    }
    assert_refused(rig_enter(&rig, 0, OP_NOP, 0, 0), ENCLU_EENTER, X86_GP);
    rig_destroy(&rig);
}

/* A TCS whose SSA lies in `ossa`. */
static struct rig_exit enter_with_ssa(uint64_t ossa)
{
    static _Alignas(4096) struct sgx_tcs tcs;
    _cleanup_error_ struct error *err = NULL;
    struct rig rig;
    struct rig_exit x;

    rig_pages(&rig, PLAIN);
    tcs = (struct sgx_tcs){.ossa = ossa,
                           .nssa = 2,
                           .oentry = ENC_CODE,
                           .ofs_base = ENC_DATA,
                           .ogs_base = ENC_DATA,
                           .fs_limit = 0xfff,
                           .gs_limit = 0xfff};
    assert_int_equal(
        sgx_backend_soft.add_pages(rig.e, 0xf0000, &tcs, 4096, SGX_SECINFO_TCS, false, &err), 0);
    soft_measure_final(rig.e->measure, rig.mrenclave);
    rig_sign(&rig.secs, rig.mrenclave, PLAIN, NULL, &rig.sigstruct);
    assert_int_equal(sgx_backend_soft.init(rig.e, &rig.sigstruct, &err), 0);
    assert_int_equal(sgx_backend_soft.thread_attach(rig.e, &err), 0);
    rig.enter = sgx_backend_soft.enter_function(rig.e);
    x = rig_call(&rig, RIG_BASE + 0xf0000, ENCLU_EENTER, OP_NOP, 0, 0);
    rig_destroy(&rig);
    return x;
}

static void test_enter_ssa_unusable_refused(void **state)
{
    struct rig_exit x = enter_with_ssa(ENC_RODATA);

    assert_refused(x, ENCLU_EENTER, X86_PF);
    assert_int_equal(x.addr, RIG_BASE + ENC_RODATA);
    assert_int_equal(x.error_code, X86_PF_SGX | X86_PF_P | X86_PF_W | X86_PF_U);
    x = enter_with_ssa(ENC_DYNAMIC);
    assert_refused(x, ENCLU_EENTER, X86_PF);
    /* And the twin: a good one enters. */
    x = enter_with_ssa(ENC_DATA + 0x1000);
    assert_int_equal(x.function, ENCLU_EEXIT);
}

static void test_enter_host_permission_missing_pf(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, PLAIN);
    assert_int_equal(sgx_backend_soft.map(rig.e, ENC_DATA, 0x1000, PROT_READ, &err), 0);
    x = rig_enter(&rig, 0, OP_WRITE, RIG_BASE + ENC_DATA, 1);
    assert_refused(x, ENCLU_ERESUME, X86_PF);
    assert_int_equal(x.error_code & X86_PF_SGX, 0);
    assert_int_equal(sgx_backend_soft.map(rig.e, ENC_DATA, 0x1000, PROT_READ | PROT_WRITE, &err),
                     0);
    x = rig_resume(&rig, 0);
    assert_int_equal(x.function, ENCLU_EEXIT);
    assert_int_equal(rig_peek(&rig, RIG_BASE + ENC_DATA), 1);
    rig_destroy(&rig);
}

/* A thread remembers what it found out about its frames; it looks again when one was taken away,
 * and neither other pages nor their return confuse it. */
static void test_enter_after_its_frame_was_closed_pf(void **state)
{
    const uint64_t frame = ENC_THREADS + THR_SSA;
    _cleanup_error_ struct error *err = NULL;
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, PLAIN);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rig_enter(&rig, 0, OP_NOP, 0, 0).function, ENCLU_EEXIT);
        assert_int_equal(sgx_backend_soft.map(rig.e, ENC_DATA + 0x8000, 0x1000, PROT_NONE, &err),
                         0);
        assert_int_equal(rig_enter(&rig, 0, OP_NOP, 0, 0).function, ENCLU_EEXIT);
        assert_int_equal(sgx_backend_soft.map(rig.e, frame, 0x1000, PROT_NONE, &err), 0);
        x = rig_enter(&rig, 0, OP_NOP, 0, 0);
        assert_refused(x, ENCLU_EENTER, X86_PF);
        assert_int_equal(x.addr, RIG_BASE + frame);
        assert_int_equal(
            sgx_backend_soft.map(rig.e, 0, ENC_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, &err), 0);
    }
    assert_int_equal(rig_enter(&rig, 0, OP_NOP, 0, 0).function, ENCLU_EEXIT);
    rig_destroy(&rig);
}

static void test_enter_bad_call_einval(void **state)
{
    struct sgx_enclave_run run = {0};
    struct rig rig;

    rig_build(&rig, PLAIN);
    run.tcs = rig_tcs(&rig, 0);
    assert_int_equal(rig.enter(0, 0, 0, ENCLU_EREPORT, 0, 0, &run), -EINVAL);
    assert_int_equal(rig.enter(0, 0, 0, ENCLU_EEXIT, 0, 0, &run), -EINVAL);
    assert_int_equal(rig.enter(0, 0, 0, ENCLU_EENTER, 0, 0, NULL), -EINVAL);
    for (size_t i = 0; i < sizeof(run.reserved); i++) {
        run.reserved[i] = 1;
        assert_int_equal(rig.enter(0, 0, 0, ENCLU_EENTER, 0, 0, &run), -EINVAL);
        run.reserved[i] = 0;
    }
    rig_destroy(&rig);
}

static void test_enter_unattached_thread_refused(void **state)
{
    struct rig rig;

    rig_build(&rig, PLAIN);
    sgx_backend_soft.thread_detach();
    assert_int_equal(rig_enter(&rig, 0, OP_NOP, 0, 0).ret, -ESRCH);
    rig_destroy(&rig);
}

/* --- user handler: the vDSO's other way to return --- */

static int handler_calls;

static struct rig *handler_rig;

static int on_exit_repair_and_resume(long rdi, long rsi, long rdx, long rsp, long r8, long r9,
                                     struct sgx_enclave_run *run)
{
    handler_calls++;
    if (run->function == ENCLU_ERESUME) {
        assert_int_equal(run->exception_vector, X86_UD);
        assert_int_equal(rig_enter(handler_rig, 0, OP_SKIP, 2, 0).function, ENCLU_EEXIT);
        return ENCLU_ERESUME;
    }
    assert_int_equal(run->function, ENCLU_EEXIT);
    assert_int_equal(rsi, 0x1111);
    return -77;
}

static int on_exit_nonsense(long rdi, long rsi, long rdx, long rsp, long r8, long r9,
                            struct sgx_enclave_run *run)
{
    return ENCLU_EACCEPT;
}

static void test_user_handler_resumes_and_returns(void **state)
{
    struct sgx_enclave_run run = {0};
    struct rig rig;

    rig_build(&rig, PLAIN);
    handler_rig = &rig;
    run.tcs = rig_tcs(&rig, 0);
    run.user_handler = (uint64_t)on_exit_repair_and_resume;
    handler_calls = 0;
    assert_int_equal(rig.enter(OP_UD2, 0, 0, ENCLU_EENTER, 0, 0, &run), -77);
    assert_int_equal(handler_calls, 2);
    run.user_handler = (uint64_t)on_exit_nonsense;
    assert_int_equal(rig.enter(OP_NOP, 0, 0, ENCLU_EENTER, 0, 0, &run), -EINVAL);
    rig_destroy(&rig);
}

/* --- several enclaves, fork --- */

static void test_two_enclaves_in_one_process(void **state)
{
    struct rig a;
    struct rig b;

    rig_build(&a, PLAIN);
    rig_build(&b, &(struct rig_options){.base = RIG_BASE2, .threads = 2, .data_byte = 1});
    assert_memory_not_equal(a.mrenclave, b.mrenclave, 32);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(rig_enter(&a, i & 1, OP_BASES, 0, 0).rsi, rig_tcs(&a, i & 1) + THR_FS);
        assert_int_equal(rig_enter(&b, i & 1, OP_BASES, 0, 0).rsi, rig_tcs(&b, i & 1) + THR_FS);
    }
    /* One interrupted, the other used meanwhile. */
    assert_refused(rig_enter(&a, 0, OP_UD2, 0, 0), ENCLU_ERESUME, X86_UD);
    assert_refused(rig_enter(&b, 0, OP_UD2, 0, 0), ENCLU_ERESUME, X86_UD);
    (void)rig_enter(&a, 0, OP_SKIP, 2, 0);
    (void)rig_enter(&b, 0, OP_SKIP, 2, 0);
    assert_int_equal(rig_resume(&a, 0).rsi, 0x1111);
    assert_int_equal(rig_resume(&b, 0).rsi, 0x1111);
    sgx_backend_soft.destroy(b.e);
    assert_int_equal(rig_enter(&a, 0, OP_NOP, 0, 0).function, ENCLU_EEXIT);
    assert_refused(rig_call(&a, rig_tcs(&b, 0), ENCLU_EENTER, OP_NOP, 0, 0), ENCLU_EENTER, X86_PF);
    rig_destroy(&a);
}

/* What the loader does for fork(): the child builds an enclave of its own at the same place. */
static int child(struct rig *old)
{
    struct rig rig;
    struct rig_exit x;

    sgx_backend_soft.destroy(old->e);
    rig_build(&rig, PLAIN);
    x = rig_enter(&rig, 0, OP_NOP, 0, 0);
    if (x.function != ENCLU_EEXIT) {
        return 1;
    }
    x = rig_enter(&rig, 0, OP_SYSCALL, 0, 0);
    if (x.function != ENCLU_ERESUME || x.vector != X86_UD) {
        return 2;
    }
    return memcmp(rig.mrenclave, old->mrenclave, 32) == 0 ? 0 : 3;
}

static void test_fork_child_builds_its_own(void **state)
{
    struct rig rig;
    int status = -1;
    pid_t pid;

    rig_build(&rig, PLAIN);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(child(&rig));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(rig_enter(&rig, 0, OP_NOP, 0, 0).function, ENCLU_EEXIT);
    rig_destroy(&rig);
}

/* The processor leaves and fetches all ones from where it may not look: the process gets SIGILL. */
static void eexit_into_elrange(uint64_t op)
{
    struct rig rig;
    int status = -1;
    pid_t pid;

    rig_build(&rig, PLAIN);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rig mine;

        sgx_backend_soft.destroy(rig.e);
        (void)signal(SIGILL, SIG_DFL);
        rig_build(&mine, PLAIN);
        (void)rig_enter(&mine, 0, op, rig_code(&mine, test_ud2), 0);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGILL);
    rig_destroy(&rig);
}

static void test_eexit_into_elrange_is_no_entry(void **state)
{
    eexit_into_elrange(OP_EXITTO);
    eexit_into_elrange(OP_EXITTO_SLOT);
}

static void test_eexit_non_canonical_gp(void **state)
{
    static const uint64_t ops[] = {OP_EXITTO, OP_EXITTO_SLOT};
    struct rig rig;

    rig_build(&rig, PLAIN);
    for (size_t i = 0; i < ARRAY_COUNT(ops); i++) {
        struct rig_exit x = rig_enter(&rig, 0, ops[i], 1ull << 63, 0);

        assert_refused(x, ENCLU_ERESUME, X86_GP);
    }
    rig_destroy(&rig);
}

static void test_destroy_frees_the_range(void **state)
{
    struct rig rig;

    for (int i = 0; i < 20; i++) {
        rig_build(&rig, PLAIN);
        assert_int_equal(rig_enter(&rig, 0, OP_NOP, 0, 0).function, ENCLU_EEXIT);
        rig_destroy(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enter_exit_slot_returns_registers),
        cmocka_unit_test(test_enter_exit_trap_returns_registers),
        cmocka_unit_test(test_slots_without_hint_or_wrong_bytes_stay),
        cmocka_unit_test(test_enter_sets_fs_and_gs),
        cmocka_unit_test(test_aex_keeps_fs_the_enclave_set),
        cmocka_unit_test(test_enter_busy_tcs_gp),
        cmocka_unit_test(test_eresume_cssa_zero_gp),
        cmocka_unit_test(test_enter_no_tcs_refused),
        cmocka_unit_test(test_enter_before_einit_gp),
        cmocka_unit_test(test_enter_nssa_exhausted_gp),
        cmocka_unit_test(test_enter_ssa_unusable_refused),
        cmocka_unit_test(test_enter_host_permission_missing_pf),
        cmocka_unit_test(test_enter_after_its_frame_was_closed_pf),
        cmocka_unit_test(test_enter_bad_call_einval),
        cmocka_unit_test(test_enter_unattached_thread_refused),
        cmocka_unit_test(test_user_handler_resumes_and_returns),
        cmocka_unit_test(test_two_enclaves_in_one_process),
        cmocka_unit_test(test_fork_child_builds_its_own),
        cmocka_unit_test(test_eexit_into_elrange_is_no_entry),
        cmocka_unit_test(test_eexit_non_canonical_gp),
        cmocka_unit_test(test_destroy_frees_the_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
