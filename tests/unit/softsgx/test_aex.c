/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Asynchronous exits: which exception, what is saved, what the handler sees, what comes back. */

#include "unit/softsgx/rig.h"

#include <cpuid.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "softsgx/internal.h"

#include "unit/unit.h"

#define EXINFO_ON \
    (&(struct rig_options){.base = RIG_BASE, .threads = 2, .miscselect = SGX_MISC_EXINFO})
#define EXINFO_OFF (&(struct rig_options){.base = RIG_BASE, .threads = 2})

/* SSA[index] of thread 0, read from inside at a higher CSSA. */
static void read_ssa(struct rig *rig, unsigned index, struct sgx_gprsgx *g, struct sgx_exinfo *x)
{
    uint64_t end = rig_tcs(rig, 0) + THR_SSA + (index + 1) * 4096u;

    rig_peek_bytes(rig, end - sizeof(*g), g, sizeof(*g));
    if (x != NULL) {
        rig_peek_bytes(rig, end - sizeof(*g) - sizeof(*x), x, sizeof(*x));
    }
}

static void check_exception(uint64_t op, uint64_t rsi, const char *at, unsigned vector,
                            unsigned type)
{
    struct sgx_gprsgx g;
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, EXINFO_ON);
    x = rig_enter(&rig, 0, op, rsi, 0);
    assert_int_equal(x.ret, 0);
    assert_int_equal(x.function, ENCLU_ERESUME);
    assert_int_equal(x.vector, vector);
    read_ssa(&rig, 0, &g, NULL);
    assert_int_equal(g.exitinfo, vector | type | SGX_EXITINFO_VALID);
    if (at != NULL) {
        assert_int_equal(g.rip, rig_code(&rig, at));
    }
    assert_int_equal(g.fsbase, rig_tcs(&rig, 0) + THR_FS);
    assert_int_equal(g.gsbase, rig_tcs(&rig, 0) + THR_GS);
    rig_destroy(&rig);
}

static void test_ud2_ud(void **state)
{
    check_exception(OP_UD2, 0, test_ud2, X86_UD, SGX_EXITINFO_HW_EXCEPTION);
}

static void test_int3_bp_is_a_fault(void **state)
{
    check_exception(OP_INT3, 0, test_int3, X86_BP, SGX_EXITINFO_SW_EXCEPTION);
}

static void test_div_de(void **state)
{
    check_exception(OP_DIV0, 0, test_div, X86_DE, SGX_EXITINFO_HW_EXCEPTION);
}

static void test_syscall_ud_at_itself(void **state)
{
    check_exception(OP_SYSCALL, 0, test_syscall, X86_UD, SGX_EXITINFO_HW_EXCEPTION);
}

static void test_int80_ud_at_itself(void **state)
{
    check_exception(OP_INT80, 0, test_int80, X86_UD, SGX_EXITINFO_HW_EXCEPTION);
}

static void test_int_n_ud(void **state)
{
    check_exception(OP_INTN, 0, test_intn, X86_UD, SGX_EXITINFO_HW_EXCEPTION);
}

static void test_sysenter_ud(void **state)
{
    check_exception(OP_SYSENTER, 0, test_sysenter, X86_UD, SGX_EXITINFO_HW_EXCEPTION);
}

static void test_gp_exinfo(void **state)
{
    struct sgx_gprsgx g;
    struct sgx_exinfo e;
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, EXINFO_ON);
    x = rig_enter(&rig, 0, OP_GP, 0, 0);
    assert_int_equal(x.vector, X86_GP);
    read_ssa(&rig, 0, &g, &e);
    assert_int_equal(g.exitinfo, X86_GP | SGX_EXITINFO_HW_EXCEPTION | SGX_EXITINFO_VALID);
    assert_int_equal(g.rip, rig_code(&rig, test_gp));
    assert_int_equal(e.maddr, 0);
    assert_int_equal(e.errcd, 0);
    rig_destroy(&rig);
}

static void test_pf_exinfo(void **state)
{
    struct sgx_gprsgx g;
    struct sgx_exinfo e;
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, EXINFO_ON);
    x = rig_enter(&rig, 0, OP_WRITE, RIG_BASE + ENC_RODATA + 24, 1);
    assert_int_equal(x.vector, X86_PF);
    assert_int_equal(x.addr, RIG_BASE + ENC_RODATA + 24);
    assert_int_equal(x.error_code, X86_PF_SGX | X86_PF_P | X86_PF_W | X86_PF_U);
    read_ssa(&rig, 0, &g, &e);
    assert_int_equal(g.exitinfo, X86_PF | SGX_EXITINFO_HW_EXCEPTION | SGX_EXITINFO_VALID);
    assert_int_equal(e.maddr, RIG_BASE + ENC_RODATA + 24);
    assert_int_equal(e.errcd, x.error_code);
    rig_destroy(&rig);
}

static void test_pf_outside_no_sgx_bit(void **state)
{
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, EXINFO_ON);
    x = rig_enter(&rig, 0, OP_READ, RIG_BASE + (1ull << 36), 0);
    assert_int_equal(x.vector, X86_PF);
    assert_int_equal(x.error_code, X86_PF_U);
    assert_int_equal(x.addr, RIG_BASE + (1ull << 36));
    rig_destroy(&rig);
}

static void test_pf_gp_without_exinfo_not_valid(void **state)
{
    struct sgx_gprsgx g;
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, EXINFO_OFF);
    x = rig_enter(&rig, 0, OP_WRITE, RIG_BASE + ENC_RODATA, 1);
    assert_int_equal(x.vector, X86_PF);
    read_ssa(&rig, 0, &g, NULL);
    assert_int_equal(g.exitinfo, 0);
    x = rig_enter(&rig, 0, OP_GP, 0, 0);
    assert_int_equal(x.vector, X86_GP);
    read_ssa(&rig, 1, &g, NULL);
    assert_int_equal(g.exitinfo, 0);
    rig_destroy(&rig);
}

static void test_tcs_page_closed_to_software(void **state)
{
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, EXINFO_ON);
    x = rig_enter(&rig, 0, OP_READ, rig_tcs(&rig, 1), 0);
    assert_int_equal(x.vector, X86_PF);
    assert_int_equal(x.error_code, X86_PF_SGX | X86_PF_P | X86_PF_U);
    rig_destroy(&rig);
}

static void test_data_page_not_executable(void **state)
{
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, EXINFO_ON);
    x = rig_enter(&rig, 0, OP_CALL, RIG_BASE + ENC_DATA, 0);
    assert_int_equal(x.vector, X86_PF);
    assert_int_equal(x.error_code, X86_PF_SGX | X86_PF_P | X86_PF_I | X86_PF_U);
    rig_destroy(&rig);
}

static void test_nested_cssa(void **state)
{
    struct rig rig;

    rig_build(&rig, EXINFO_ON);
    for (unsigned depth = 0; depth < 3; depth++) {
        assert_int_equal(rig_enter(&rig, 0, OP_UD2, 0, 0).vector, X86_UD);
    }
    assert_int_equal(rig_enter(&rig, 0, OP_NOP, 0, 0).rsi, 3);
    for (unsigned depth = 3; depth > 0; depth--) {
        assert_int_equal(rig_enter(&rig, 0, OP_SKIP, 2, 0).function, ENCLU_EEXIT);
        assert_int_equal(rig_resume(&rig, 0).rsi, 0x1111);
    }
    assert_int_equal(rig_enter(&rig, 0, OP_NOP, 0, 0).rsi, 0);
    rig_destroy(&rig);
}

/* XSAVE area of the frame: MXCSR, FCW, XMM0; ERESUME brings them back, the outside saw none. */
static void test_xstate_saved_cleared_restored(void **state)
{
    uint64_t value = 0x1122334455667788ull;
    uint64_t frame;
    uint64_t v;
    uint32_t mxcsr;
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, EXINFO_ON);
    frame = rig_tcs(&rig, 0) + THR_SSA;
    x = rig_enter(&rig, 0, OP_STATE, value, 0);
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    assert_int_equal(mxcsr & 0xffc0, 0x1f80);
    assert_int_equal(x.vector, X86_UD);
    assert_int_equal(rig_peek(&rig, frame) & 0xffff, 0x027f);
    assert_int_equal(rig_peek(&rig, frame + 24) & 0xffc0, 0x3f80);
    assert_int_equal(rig_peek(&rig, frame + 160), value);
    v = rig_peek(&rig, frame + 512);
    assert_int_equal(v & ~rig.secs.attributes.xfrm, 0);
    assert_int_equal(rig_peek(&rig, frame + 520), 0);
    (void)rig_enter(&rig, 0, OP_SKIP, 2, 0);
    x = rig_resume(&rig, 0);
    assert_int_equal(x.rsi, value);
    rig_destroy(&rig);
}

/* What an enclave writes into a frame is checked before it is loaded. */
static void test_eresume_bad_frame_gp(void **state)
{
    static const struct {
        uint64_t offset;
        uint64_t value;
    } bad[] = {
        {512, ~0ull},                        /* XSTATE_BV beyond XFRM */
        {520, 1ull << 63},                   /* XCOMP_BV */
        {528, 1},                            /* header reserved */
        {24, 0xffffffffull << 32 | 0x10000}, /* MXCSR reserved */
        {4096 - 184 + 136, 0x1000},          /* RIP outside ELRANGE */
        {4096 - 184 + 168, 1ull << 63},      /* FS base not canonical */
        {4096 - 184 + 176, 1ull << 63},      /* GS base not canonical */
    };
    struct rig rig;

    rig_build(&rig, EXINFO_ON);
    assert_int_equal(rig_enter(&rig, 0, OP_UD2, 0, 0).vector, X86_UD);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        uint64_t at = rig_tcs(&rig, 0) + THR_SSA + bad[i].offset;
        uint64_t good = rig_peek(&rig, at);
        struct rig_exit x;

        rig_poke(&rig, at, bad[i].value);
        x = rig_resume(&rig, 0);
        assert_int_equal(x.function, ENCLU_ERESUME);
        assert_int_equal(x.vector, X86_GP);
        rig_poke(&rig, at, good);
    }
    (void)rig_enter(&rig, 0, OP_SKIP, 2, 0);
    assert_int_equal(rig_resume(&rig, 0).function, ENCLU_EEXIT);
    rig_destroy(&rig);
}

static void test_fault_loop_registers_survive(void **state)
{
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, EXINFO_ON);
    x = rig_enter(&rig, 0, OP_FAULTLOOP, 100, 0);
    while (x.function == ENCLU_ERESUME) {
        assert_int_equal(x.vector, X86_UD);
        assert_int_equal(rig_enter(&rig, 0, OP_SKIP, 2, 0).function, ENCLU_EEXIT);
        x = rig_resume(&rig, 0);
    }
    assert_int_equal(x.function, ENCLU_EEXIT);
    assert_int_equal(x.rsi, 0);
    rig_destroy(&rig);
}

/* --- asynchronous signals --- */

static volatile int alarms;
static volatile int at_aep;
static volatile int nested_ok;
static uint32_t stop;
static struct rig *alarm_rig;

static void on_alarm(int sig, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;

    alarms++;
    if (sgx_backend_soft.is_at_aep(uc)) {
        at_aep++;
        /* Host TLS works here, and so does another entry. */
        if (rig_enter(alarm_rig, 0, OP_NOP, 0, 0).rsi == 1) {
            nested_ok++;
        }
    }
    if (alarms >= 200) {
        __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    }
}

static void tick(long microseconds)
{
    struct itimerval it = {.it_interval = {.tv_usec = microseconds},
                           .it_value = {.tv_usec = microseconds}};

    assert_int_equal(setitimer(ITIMER_REAL, &it, NULL), 0);
}

static void start_alarms(struct rig *rig)
{
    _cleanup_error_ struct error *err = NULL;

    alarm_rig = rig;
    alarms = 0;
    at_aep = 0;
    nested_ok = 0;
    stop = 0;
    assert_int_equal(sgx_backend_soft.sigaction(SIGALRM, on_alarm, SA_RESTART, &err), 0);
}

static void stop_alarms(void)
{
    _cleanup_error_ struct error *err = NULL;

    tick(0);
    assert_int_equal(sgx_backend_soft.sigaction(
                         SIGALRM, (void (*)(int, siginfo_t *, void *))(void *)SIG_IGN, 0, &err),
                     0);
}

static void test_signals_keep_registers_and_vectors(void **state)
{
    static struct spin_args pattern;
    struct rig rig;
    struct rig_exit x;

    rig_build(&rig, EXINFO_ON);
    for (size_t i = 0; i < sizeof(pattern) / 8; i++) {
        uint64_t v = 0x9e3779b97f4a7c15ull * (i + 1);

        memcpy((uint8_t *)&pattern + i * 8, &v, 8);
    }
    start_alarms(&rig);
    tick(1000);
    x = rig_enter(&rig, 0, OP_SPIN, (uint64_t)&pattern, (uint64_t)&stop);
    stop_alarms();
    assert_int_equal(x.function, ENCLU_EEXIT);
    assert_int_equal(x.rsi, 0);
    assert_true(at_aep > 100);
    assert_int_equal(nested_ok, at_aep);
    rig_destroy(&rig);
}

static void test_signals_keep_avx512(void **state)
{
    static uint64_t pattern[8 * 32 + 8];
    struct rig rig;
    struct rig_exit x;

    if ((soft_xcr0() & SGX_XFRM_AVX512) != SGX_XFRM_AVX512) {
        print_message("# this processor has no AVX-512\n");
        skip();
    }
    rig_build(&rig, EXINFO_ON);
    for (size_t i = 0; i < ARRAY_COUNT(pattern); i++) {
        pattern[i] = 0xc2b2ae3d27d4eb4full * (i + 3);
    }
    start_alarms(&rig);
    tick(1000);
    x = rig_enter(&rig, 0, OP_SPIN512, (uint64_t)pattern, (uint64_t)&stop);
    stop_alarms();
    assert_int_equal(x.function, ENCLU_EEXIT);
    assert_int_equal(x.rsi, 0);
    assert_true(at_aep > 100);
    rig_destroy(&rig);
}

static void test_signals_during_entries_exits_and_leaves(void **state)
{
    uint64_t flags = SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W | SGX_SECINFO_PENDING;
    struct rig rig;
    uint64_t n = 0;

    rig_build(&rig, EXINFO_ON);
    assert_int_equal(rig_accept(&rig, RIG_BASE + ENC_DYNAMIC, 8, flags), 0);
    start_alarms(&rig);
    tick(200);
    while (__atomic_load_n(&stop, __ATOMIC_SEQ_CST) == 0) {
        struct rig_exit x = rig_enter(&rig, 0, OP_NOP, 0, 0);

        assert_int_equal(x.function, ENCLU_EEXIT);
        assert_int_equal(x.rdx, rig_tcs(&rig, 0));
        /* The slot's leaves: accepted already, so the answer is known. */
        assert_int_equal(rig_accept(&rig, RIG_BASE + ENC_DYNAMIC, 1, flags),
                         SGX_PAGE_ATTRIBUTES_MISMATCH);
        n++;
    }
    stop_alarms();
    assert_true(n > 0);
    assert_int_equal(nested_ok, at_aep);
    rig_destroy(&rig);
}

/* A signal sent by hand is asynchronous, whatever its number. */
static volatile int segv_seen;

static void on_segv(int sig, siginfo_t *info, void *context)
{
    segv_seen++;
}

static void test_sent_sigsegv_reaches_the_handler(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    struct rig rig;

    rig_build(&rig, EXINFO_ON);
    segv_seen = 0;
    assert_int_equal(sgx_backend_soft.sigaction(SIGSEGV, on_segv, 0, &err), 0);
    assert_int_equal(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSEGV), 0);
    assert_int_equal(segv_seen, 1);
    assert_int_equal(rig_enter(&rig, 0, OP_GP, 0, 0).vector, X86_GP);
    assert_int_equal(segv_seen, 1);
    assert_int_equal(sgx_backend_soft.sigaction(
                         SIGSEGV, (void (*)(int, siginfo_t *, void *))(void *)SIG_DFL, 0, &err),
                     0);
    rig_destroy(&rig);
}

/* --- CPUID: arch_prctl is a fake here, for machines that have no CPUID faulting --- */

#define CPUID_GET 0x1011
#define CPUID_SET 0x1012

static struct {
    bool can;  /* processor and kernel have it */
    bool on;   /* the thread's setting */
    int calls; /* that set it */
} fake;

static long fake_arch_prctl(int code, unsigned long value)
{
    if (code == CPUID_GET) {
        return fake.on;
    }
    assert_int_equal(code, CPUID_SET);
    fake.calls++;
    if (!fake.can) {
        return -ENODEV;
    }
    fake.on = value != 0;
    return 0;
}

static int cpuid_fake_off(void **state)
{
    soft_arch_prctl = *state;
    return 0;
}

static int cpuid_fake_on(void **state)
{
    *state = soft_arch_prctl;
    soft_arch_prctl = fake_arch_prctl;
    fake = (__typeof__(fake)){.can = true, .on = true};
    return 0;
}

static ucontext_t context_at(const uint8_t *code, unsigned trap, unsigned error)
{
    ucontext_t uc = {0};

    uc.uc_mcontext.gregs[REG_RIP] = (greg_t)code;
    uc.uc_mcontext.gregs[REG_TRAPNO] = trap;
    uc.uc_mcontext.gregs[REG_ERR] = error;
    return uc;
}

static const uint8_t code_cpuid[] = {0x0f, 0xa2, 0xf4};
static const uint8_t code_prefixed[] = {0x66, 0xf3, 0x48, 0x0f, 0xa2, 0xf4};
static const uint8_t code_rdtsc[] = {0x0f, 0x31, 0x0f, 0xa2};
static const uint8_t code_hlt[] = {0xf4, 0x0f, 0xa2};
static const uint8_t code_lock[] = {0xf0, 0x0f, 0xa2};
static const uint8_t code_long[] = {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f, 0xa2};

static enum x86_vector vector_of(const uint8_t *code, unsigned trap, unsigned error)
{
    const ucontext_t uc = context_at(code, trap, error);
    struct soft_fault f = {0};
    struct soft_regs regs;

    soft_regs_from_context(&regs, &uc);
    soft_classify(SIGSEGV, &uc, &regs, &f);
    assert_int_equal(regs.rip, (uint64_t)code);
    assert_int_equal(f.error_code, f.vector == X86_UD ? 0 : error);
    return f.vector;
}

static void test_cpuid_fault_ud(void **state)
{
    assert_int_equal(vector_of(code_cpuid, X86_GP, 0), X86_UD);
    assert_int_equal(vector_of(code_prefixed, X86_GP, 0), X86_UD);
    assert_int_equal(vector_of(code_cpuid, X86_GP, 8), X86_GP);
    assert_int_equal(vector_of(code_cpuid, X86_PF, 4), X86_PF);
    assert_int_equal(vector_of(code_rdtsc, X86_GP, 0), X86_GP);
    assert_int_equal(vector_of(code_hlt, X86_GP, 0), X86_GP);
    assert_int_equal(vector_of(code_lock, X86_GP, 0), X86_GP);
    assert_int_equal(vector_of(code_long, X86_GP, 0), X86_GP);
}

static void test_cpuid_of_host_code_answered(void **state)
{
    ucontext_t uc = context_at(code_prefixed, X86_GP, 0);
    const ucontext_t other = context_at(code_hlt, X86_GP, 0);
    struct soft_thread *th = calloc(1, sizeof(*th));
    uint32_t want[4];

    assert_non_null(th);
    uc.uc_mcontext.gregs[REG_RAX] = (greg_t)0xffffffff00000000;
    uc.uc_mcontext.gregs[REG_RCX] = (greg_t)0xffffffff00000000;
    __cpuid_count(0, 0, want[0], want[1], want[2], want[3]);
    /* Not ours: neither attached nor inherited. */
    assert_false(soft_cpuid_in_host(th, &uc));
    soft_cpuid_arm(th);
    assert_false(fake.on);
    assert_true(soft_cpuid_in_host(th, &uc));
    assert_false(fake.on);
    assert_int_equal(uc.uc_mcontext.gregs[REG_RAX], want[0]);
    assert_int_equal(uc.uc_mcontext.gregs[REG_RBX], want[1]);
    assert_int_equal(uc.uc_mcontext.gregs[REG_RCX], want[2]);
    assert_int_equal(uc.uc_mcontext.gregs[REG_RDX], want[3]);
    assert_int_equal(uc.uc_mcontext.gregs[REG_RIP], (greg_t)code_prefixed + 5);
    uc = other;
    assert_false(soft_cpuid_in_host(th, &uc));
    assert_memory_equal(&uc, &other, sizeof(uc));
    /* A thread that inherited it sheds it, and its CPUID runs again. */
    uc = context_at(code_cpuid, X86_GP, 0);
    assert_true(soft_cpuid_in_host(NULL, &uc));
    assert_true(fake.on);
    assert_int_equal(uc.uc_mcontext.gregs[REG_RIP], (greg_t)code_cpuid);
    free(th);
}

static void test_cpuid_off_while_attached(void **state)
{
    struct rig rig;

    rig_build(&rig, EXINFO_OFF);
    assert_non_null(soft_self);
    assert_false(fake.on);
    assert_true(soft_self->cpuid_off);
    sgx_backend_soft.thread_detach();
    assert_true(fake.on);
    fake.calls = 0;
    assert_int_equal(sgx_backend_soft.thread_attach(rig.e, NULL), 0);
    assert_false(fake.on);
    assert_int_equal(fake.calls, 1);
    assert_int_equal(rig_enter(&rig, 0, OP_NOP, 0, 0).function, ENCLU_EEXIT);
    sgx_backend_soft.thread_detach();
    assert_true(fake.on);
    assert_int_equal(sgx_backend_soft.thread_attach(rig.e, NULL), 0);
    assert_false(fake.on);
    rig_destroy(&rig);
    assert_null(soft_self);
    assert_true(fake.on);
}

static void test_cpuid_passes_where_it_cannot_fault(void **state)
{
    struct soft_thread *th = calloc(1, sizeof(*th));
    ucontext_t uc = context_at(code_cpuid, X86_GP, 0);

    assert_non_null(th);
    fake.can = false;
    soft_cpuid_arm(th);
    assert_false(th->cpuid_off);
    assert_false(soft_cpuid_in_host(th, &uc));
    fake.calls = 0;
    soft_cpuid_disarm(th);
    assert_int_equal(fake.calls, 0);
    free(th);
}

/* Runs before anything of this process switched CPUID off. */
static void test_cpuid_switched_off_by_others_stays(void **state)
{
    struct soft_thread *th = calloc(1, sizeof(*th));
    ucontext_t uc = context_at(code_cpuid, X86_GP, 0);

    assert_non_null(th);
    fake.on = false;
    soft_cpuid_arm(th);
    assert_false(th->cpuid_off);
    assert_false(soft_cpuid_in_host(th, &uc));
    assert_false(soft_cpuid_in_host(NULL, &uc));
    soft_cpuid_disarm(th);
    assert_false(fake.on);
    assert_int_equal(fake.calls, 0);
    free(th);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cpuid_switched_off_by_others_stays, cpuid_fake_on,
                                        cpuid_fake_off),
        cmocka_unit_test_setup_teardown(test_cpuid_passes_where_it_cannot_fault, cpuid_fake_on,
                                        cpuid_fake_off),
        cmocka_unit_test_setup_teardown(test_cpuid_fault_ud, cpuid_fake_on, cpuid_fake_off),
        cmocka_unit_test_setup_teardown(test_cpuid_of_host_code_answered, cpuid_fake_on,
                                        cpuid_fake_off),
        cmocka_unit_test_setup_teardown(test_cpuid_off_while_attached, cpuid_fake_on,
                                        cpuid_fake_off),
        cmocka_unit_test(test_ud2_ud),
        cmocka_unit_test(test_int3_bp_is_a_fault),
        cmocka_unit_test(test_div_de),
        cmocka_unit_test(test_syscall_ud_at_itself),
        cmocka_unit_test(test_int80_ud_at_itself),
        cmocka_unit_test(test_int_n_ud),
        cmocka_unit_test(test_sysenter_ud),
        cmocka_unit_test(test_gp_exinfo),
        cmocka_unit_test(test_pf_exinfo),
        cmocka_unit_test(test_pf_outside_no_sgx_bit),
        cmocka_unit_test(test_pf_gp_without_exinfo_not_valid),
        cmocka_unit_test(test_tcs_page_closed_to_software),
        cmocka_unit_test(test_data_page_not_executable),
        cmocka_unit_test(test_nested_cssa),
        cmocka_unit_test(test_xstate_saved_cleared_restored),
        cmocka_unit_test(test_eresume_bad_frame_gp),
        cmocka_unit_test(test_fault_loop_registers_survive),
        cmocka_unit_test(test_signals_keep_registers_and_vectors),
        cmocka_unit_test(test_signals_keep_avx512),
        cmocka_unit_test(test_signals_during_entries_exits_and_leaves),
        cmocka_unit_test(test_sent_sigsegv_reaches_the_handler),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
