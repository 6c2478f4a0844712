/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* EAUG, EACCEPT, EACCEPTCOPY, EMODPE, EMODPR, EMODT, removal: states and refusals. */

#include "unit/softsgx/rig.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "softsgx/internal.h"

#include "unit/unit.h"

#define AT   (RIG_BASE + ENC_DYNAMIC)
#define OFF  ((uint64_t)ENC_DYNAMIC)
#define SEC  (RIG_BASE + ENC_DATA + 0xe000) /* where SECINFOs of single leaves go */
#define RW   (SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W)
#define NEW  (RW | SGX_SECINFO_PENDING)
#define B    (&sgx_backend_soft)
#define PF_W (X86_PF_SGX | X86_PF_P | X86_PF_W | X86_PF_U)

static struct rig g_rig;

static int setup(void **state)
{
    rig_build(&g_rig,
              &(struct rig_options){.base = RIG_BASE, .threads = 2, .miscselect = SGX_MISC_EXINFO});
    return 0;
}

static int teardown(void **state)
{
    rig_destroy(&g_rig);
    return 0;
}

/* cmocka takes the fault signals for each test; softsgx takes them back. */
static void begin(void)
{
    _cleanup_error_ struct error *err = NULL;

    assert_int_equal(B->thread_attach(g_rig.e, &err), 0);
}

static void put_secinfo(uint64_t at, uint64_t flags)
{
    rig_poke(&g_rig, at, flags);
    for (unsigned i = 1; i < 8; i++) {
        rig_poke(&g_rig, at + i * 8, 0);
    }
}

struct leaf_out {
    struct rig_exit x;
    struct enclu_args args;
};

static struct leaf_out leaf(unsigned number, uint64_t op, uint64_t secinfo, uint64_t rcx,
                            uint64_t rdx)
{
    struct leaf_out out = {.args = {.rax = number, .rbx = secinfo, .rcx = rcx, .rdx = rdx}};

    out.x = rig_leaf(&g_rig, op, &out.args);
    return out;
}

/* Leaves the AEX of a faulting op_enclu/op_slot behind: skip the 3 or 5 bytes. */
static void recover(uint64_t op)
{
    assert_int_equal(rig_enter(&g_rig, 0, OP_SKIP, op == OP_SLOT ? 5 : 3, 0).function, ENCLU_EEXIT);
    assert_int_equal(rig_resume(&g_rig, 0).function, ENCLU_EEXIT);
}

static void expect_fault(unsigned number, uint64_t secinfo, uint64_t rcx, uint64_t rdx,
                         unsigned vector)
{
    static const uint64_t ops[] = {OP_ENCLU, OP_SLOT};

    for (size_t i = 0; i < ARRAY_COUNT(ops); i++) {
        struct leaf_out o = leaf(number, ops[i], secinfo, rcx, rdx);

        assert_int_equal(o.x.function, ENCLU_ERESUME);
        assert_int_equal(o.x.vector, vector);
        recover(ops[i]);
    }
}

static uint64_t leaf_code(unsigned number, uint64_t flags, uint64_t rcx, uint64_t rdx)
{
    struct leaf_out o;

    put_secinfo(SEC, flags);
    o = leaf(number, OP_SLOT, SEC, rcx, rdx);
    assert_int_equal(o.x.function, ENCLU_EEXIT);
    assert_int_equal((o.args.rflags & X86_ZF) != 0, number != ENCLU_EMODPE && o.args.rax != 0);
    return o.args.rax;
}

/* Trim, accept, remove: the page is free again. */
static void drop(uint64_t off, uint64_t pages)
{
    uint64_t result = ~0ull;

    assert_int_equal(B->modify_types(g_rig.e, off, pages * 4096, SGX_PT_TRIM, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(
        rig_accept(&g_rig, RIG_BASE + off, pages, SGX_SECINFO_TRIM | SGX_SECINFO_MODIFIED), 0);
    assert_int_equal(B->remove_pages(g_rig.e, off, pages * 4096), 0);
}

static void write_faults(uint64_t addr, unsigned code)
{
    struct rig_exit x = rig_enter(&g_rig, 0, OP_WRITE, addr, 1);

    assert_int_equal(x.function, ENCLU_ERESUME);
    assert_int_equal(x.vector, X86_PF);
    assert_int_equal(x.error_code, code);
    assert_int_equal(x.addr, addr);
    assert_int_equal(rig_enter(&g_rig, 0, OP_SKIP, 3, 0).function, ENCLU_EEXIT);
    assert_int_equal(rig_resume(&g_rig, 0).function, ENCLU_EEXIT);
}

/* --- EAUG and EACCEPT --- */

static void test_touch_augments_pending_page(void **state)
{
    begin();
    write_faults(AT, PF_W);
    write_faults(AT, PF_W);
    assert_int_equal(rig_accept(&g_rig, AT, 1, NEW), 0);
    rig_poke(&g_rig, AT, 7);
    assert_int_equal(rig_peek(&g_rig, AT), 7);
    drop(OFF, 1);
}

static void test_eaccept_unaugmented_page_augments(void **state)
{
    begin();
    assert_int_equal(rig_accept(&g_rig, AT, 64, NEW), 0);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(rig_peek(&g_rig, AT + i * 4096u), 0);
        rig_poke(&g_rig, AT + i * 4096u, i);
    }
    /* What was not accepted is still closed. */
    write_faults(AT + 64 * 4096u, PF_W);
    drop(OFF, 64);
    write_faults(AT + 3 * 4096u, PF_W);
    assert_int_equal(rig_accept(&g_rig, AT + 3 * 4096u, 1, NEW), 0);
    assert_int_equal(rig_peek(&g_rig, AT + 3 * 4096u), 0);
    drop(OFF + 3 * 4096u, 1);
}

/* Opened by the fault of the first touch, at the same place over and over. */
static void test_accepted_page_opens_within_the_stay(void **state)
{
    begin();
    for (unsigned i = 0; i < 100; i++) {
        struct accept_args a = {.first = AT, .count = 4, .secinfo = SEC, .flags = NEW};
        struct rig_exit x = rig_enter(&g_rig, 0, OP_ACCEPT_TOUCH, (uint64_t)&a, AT + 4096);

        assert_int_equal(x.function, ENCLU_EEXIT);
        assert_int_equal(a.error, 0);
        assert_int_equal(rig_peek(&g_rig, AT + 4096), AT + 4096);
        drop(OFF, 4);
    }
}

static void test_eaccept_wrong_flags_mismatch(void **state)
{
    static const uint64_t wrong[] = {
        SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_PENDING,
        RW | SGX_SECINFO_X | SGX_SECINFO_PENDING,
        RW | SGX_SECINFO_PR,
        SGX_SECINFO_TCS | SGX_SECINFO_MODIFIED,
        SGX_SECINFO_TRIM | SGX_SECINFO_MODIFIED,
    };

    begin();
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        assert_int_equal(leaf_code(ENCLU_EACCEPT, wrong[i], AT, 0), SGX_PAGE_ATTRIBUTES_MISMATCH);
    }
    assert_int_equal(leaf_code(ENCLU_EACCEPT, NEW, AT, 0), 0);
    assert_int_equal(leaf_code(ENCLU_EACCEPT, NEW, AT, 0), SGX_PAGE_ATTRIBUTES_MISMATCH);
    drop(OFF, 1);
}

static void test_eaccept_impossible_request_gp(void **state)
{
    static const uint64_t wrong[] = {
        RW,                                               /* nothing to accept */
        NEW | SGX_SECINFO_MODIFIED,                       /* REG and MODIFIED */
        NEW | SGX_SECINFO_PR,                             /* two at once */
        SGX_SECINFO_TCS | SGX_SECINFO_PENDING,            /* TCS that is new */
        SGX_SECINFO_TRIM,                                 /* not MODIFIED */
        (uint64_t)SGX_PT_SECS << 8 | SGX_SECINFO_PENDING, /* no such page to accept */
        (uint64_t)SGX_PT_VA << 8 | SGX_SECINFO_MODIFIED,
        NEW | 1ull << 6, /* reserved bits */
        NEW | 1ull << 7,
        NEW | 1ull << 16,
        NEW | 1ull << 63,
    };

    begin();
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        put_secinfo(SEC, wrong[i]);
        expect_fault(ENCLU_EACCEPT, SEC, AT, 0, X86_GP);
    }
    put_secinfo(SEC, NEW);
    rig_poke(&g_rig, SEC + 56, 1);
    expect_fault(ENCLU_EACCEPT, SEC, AT, 0, X86_GP);
}

static void test_operands_unaligned_or_outside_fault(void **state)
{
    static const unsigned leaves[] = {ENCLU_EACCEPT, ENCLU_EMODPE, ENCLU_EACCEPTCOPY};

    begin();
    put_secinfo(SEC, NEW);
    for (size_t i = 0; i < ARRAY_COUNT(leaves); i++) {
        uint64_t from = RIG_BASE + ENC_DATA;

        expect_fault(leaves[i], SEC + 8, AT, from, X86_GP);
        expect_fault(leaves[i], SEC, AT + 8, from, X86_GP);
        expect_fault(leaves[i], 0x1000, AT, from, X86_GP);
        expect_fault(leaves[i], SEC, 0x1000, from, X86_GP);
        expect_fault(leaves[i], RIG_BASE + ENC_SIZE, AT, from, X86_GP);
        expect_fault(leaves[i], SEC, RIG_BASE + ENC_SIZE, from, X86_GP);
        expect_fault(leaves[i], AT + 0x10000, AT, from, X86_PF); /* SECINFO on a pending page */
        expect_fault(leaves[i], rig_tcs(&g_rig, 1), AT, from, X86_PF);
    }
    expect_fault(ENCLU_EACCEPTCOPY, SEC, AT, RIG_BASE + ENC_DATA + 8, X86_GP);
    expect_fault(ENCLU_EACCEPTCOPY, SEC, AT, 0x1000, X86_GP);
}

static void test_eaccept_unmapped_range_pf(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    struct rig_exit x;

    begin();
    assert_int_equal(B->map(g_rig.e, OFF + 0x80000, 0x1000, PROT_NONE, &err), 0);
    put_secinfo(SEC, NEW);
    expect_fault(ENCLU_EACCEPT, SEC, AT + 0x80000, 0, X86_PF);
    x = rig_enter(&g_rig, 0, OP_READ, AT + 0x80000, 0);
    assert_int_equal(x.vector, X86_PF);
    assert_int_equal(x.error_code & X86_PF_SGX, 0);
    assert_int_equal(rig_enter(&g_rig, 0, OP_SKIP, 3, 0).function, ENCLU_EEXIT);
    (void)rig_resume(&g_rig, 0);
    assert_int_equal(B->map(g_rig.e, OFF + 0x80000, 0x1000, PROT_READ | PROT_WRITE, &err), 0);
    assert_int_equal(leaf_code(ENCLU_EACCEPT, NEW, AT + 0x80000, 0), 0);
    drop(OFF + 0x80000, 1);
}

/* The host takes the middle of some pages away and gives it back: nothing is lost, and nothing can
 * be reached in between. */
static void test_closed_pages_keep_their_content(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    const int all = PROT_READ | PROT_WRITE | PROT_EXEC;

    begin();
    assert_int_equal(rig_accept(&g_rig, AT, 4, NEW), 0);
    for (uint64_t i = 0; i < 4; i++) {
        rig_poke(&g_rig, AT + i * 4096, 10 + i);
    }
    assert_int_equal(B->map(g_rig.e, OFF + 4096, 2 * 4096, PROT_NONE, &err), 0);
    write_faults(AT + 4096, X86_PF_W | X86_PF_U);
    write_faults(AT + 2 * 4096, X86_PF_W | X86_PF_U);
    assert_int_equal(rig_peek(&g_rig, AT), 10);
    rig_poke(&g_rig, AT + 3 * 4096, 23);
    assert_int_equal(B->map(g_rig.e, OFF + 4096, 4096, all, &err), 0); /* one of them */
    assert_int_equal(rig_peek(&g_rig, AT + 4096), 11);
    write_faults(AT + 2 * 4096, X86_PF_W | X86_PF_U);
    assert_int_equal(B->map(g_rig.e, OFF, 4 * 4096, all, &err), 0); /* and the other */
    assert_int_equal(rig_peek(&g_rig, AT + 2 * 4096), 12);
    assert_int_equal(rig_peek(&g_rig, AT + 3 * 4096), 23);
    drop(OFF, 4);
}

static void test_unknown_leaf_gp(void **state)
{
    static const unsigned leaves[] = {
        ENCLU_EENTER, ENCLU_ERESUME, ENCLU_EVERIFYREPORT2, ENCLU_EDECCSSA, 10, 0x7fffffff};

    begin();
    for (size_t i = 0; i < ARRAY_COUNT(leaves); i++) {
        expect_fault(leaves[i], SEC, AT, 0, X86_GP);
    }
}

/* --- EACCEPTCOPY --- */

static void test_eacceptcopy_copies_and_sets_permissions(void **state)
{
    uint64_t from = RIG_BASE + ENC_DATA + 0x2000;

    begin();
    for (unsigned i = 0; i < 512; i += 37) {
        rig_poke(&g_rig, from + i * 8, i * 0x1001);
    }
    assert_int_equal(
        leaf_code(ENCLU_EACCEPTCOPY, SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_X, AT, from), 0);
    for (unsigned i = 0; i < 512; i += 37) {
        assert_int_equal(rig_peek(&g_rig, AT + i * 8), i * 0x1001);
    }
    /* EPCM: R, W (from EAUG) and X (asked). */
    rig_poke(&g_rig, AT, 0xc3);
    assert_int_equal(rig_enter(&g_rig, 0, OP_CALL, AT, 0).function, ENCLU_EEXIT);
    assert_int_equal(
        leaf_code(ENCLU_EACCEPTCOPY, SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_X, AT, from),
        SGX_PAGE_ATTRIBUTES_MISMATCH);
    drop(OFF, 1);
}

static void test_eacceptcopy_bad_request_gp(void **state)
{
    begin();
    put_secinfo(SEC, NEW);
    expect_fault(ENCLU_EACCEPTCOPY, SEC, AT, RIG_BASE + ENC_DATA, X86_GP);
    put_secinfo(SEC, SGX_SECINFO_TCS);
    expect_fault(ENCLU_EACCEPTCOPY, SEC, AT, RIG_BASE + ENC_DATA, X86_GP);
    put_secinfo(SEC, SGX_SECINFO_REG | SGX_SECINFO_W);
    expect_fault(ENCLU_EACCEPTCOPY, SEC, AT, RIG_BASE + ENC_DATA, X86_GP);
    put_secinfo(SEC, RW);
    expect_fault(ENCLU_EACCEPTCOPY, SEC, AT, rig_tcs(&g_rig, 1), X86_PF);
}

/* --- EMODPE, EMODPR --- */

static void test_emodpe_extends_at_once(void **state)
{
    begin();
    assert_int_equal(rig_accept(&g_rig, AT, 1, NEW), 0);
    rig_poke(&g_rig, AT, 0xc3);
    assert_int_equal(rig_enter(&g_rig, 0, OP_CALL, AT, 0).vector, X86_PF);
    put_secinfo(SEC, SGX_SECINFO_REG | SGX_SECINFO_X);
    assert_int_equal(leaf(ENCLU_EMODPE, OP_SLOT, SEC, AT, 0).x.function, ENCLU_EEXIT);
    assert_int_equal(rig_resume(&g_rig, 0).function, ENCLU_EEXIT);
    drop(OFF, 1);
}

static void test_emodpe_refusals(void **state)
{
    begin();
    put_secinfo(SEC, SGX_SECINFO_REG | SGX_SECINFO_X);
    expect_fault(ENCLU_EMODPE, SEC, AT, 0, X86_PF); /* pending */
    expect_fault(ENCLU_EMODPE, SEC, rig_tcs(&g_rig, 1), 0, X86_PF);
    assert_int_equal(leaf_code(ENCLU_EACCEPT, NEW, AT, 0), 0);
    drop(OFF, 1);
}

static void test_emodpr_restricts_until_accepted(void **state)
{
    uint64_t result = ~0ull;

    begin();
    assert_int_equal(rig_accept(&g_rig, AT, 4, NEW), 0);
    rig_poke(&g_rig, AT, 5);
    assert_int_equal(B->restrict_permissions(g_rig.e, OFF, 4 * 4096, SGX_SECINFO_R, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(rig_peek(&g_rig, AT), 5);
    write_faults(AT, PF_W);
    assert_int_equal(rig_accept(&g_rig, AT, 4, RW | SGX_SECINFO_PR), SGX_PAGE_ATTRIBUTES_MISMATCH);
    assert_int_equal(rig_accept(&g_rig, AT, 4, SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_PR),
                     0);
    write_faults(AT, PF_W);
    put_secinfo(SEC, SGX_SECINFO_REG | SGX_SECINFO_W);
    assert_int_equal(leaf(ENCLU_EMODPE, OP_ENCLU, SEC, AT, 0).x.function, ENCLU_EEXIT);
    rig_poke(&g_rig, AT, 6);
    write_faults(AT + 4096, PF_W);
    drop(OFF, 4);
}

static void test_emodpr_refusals(void **state)
{
    uint64_t result = 0;

    begin();
    assert_int_equal(B->restrict_permissions(g_rig.e, OFF, 4096, SGX_SECINFO_R, &result), -EFAULT);
    assert_int_equal(result, SGX_PG_INVLD);
    assert_int_equal(B->augment(g_rig.e, OFF, 4096), 0);
    assert_int_equal(B->restrict_permissions(g_rig.e, OFF, 4096, SGX_SECINFO_R, &result), -EFAULT);
    assert_int_equal(result, SGX_PAGE_NOT_MODIFIABLE);
    assert_int_equal(B->restrict_permissions(g_rig.e, OFF, 4096, SGX_SECINFO_W, &result), -EINVAL);
    assert_int_equal(B->restrict_permissions(g_rig.e, OFF, 4096, 1 << 4, &result), -EINVAL);
    assert_int_equal(B->restrict_permissions(g_rig.e, OFF + 1, 4096, SGX_SECINFO_R, &result),
                     -EINVAL);
    assert_int_equal(B->restrict_permissions(g_rig.e, OFF, 100, SGX_SECINFO_R, &result), -EINVAL);
    assert_int_equal(B->restrict_permissions(g_rig.e, ENC_SIZE, 4096, SGX_SECINFO_R, &result),
                     -EINVAL);
    assert_int_equal(B->restrict_permissions(g_rig.e, ENC_THREADS, 4096, SGX_SECINFO_R, &result),
                     -EFAULT);
    assert_int_equal(result, SGX_PAGE_NOT_MODIFIABLE);
    assert_int_equal(leaf_code(ENCLU_EACCEPT, NEW, AT, 0), 0);
    drop(OFF, 1);
}

/* Between EMODPR and the end of the ETRACK cycle EACCEPT must wait. */
static void test_eaccept_before_etrack_not_tracked(void **state)
{
    uint64_t result;
    uint64_t want = SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_PR;
    uint64_t page = OFF >> NACRE_PAGE_SHIFT;

    begin();
    assert_int_equal(rig_accept(&g_rig, AT, 1, NEW), 0);
    assert_int_equal(B->restrict_permissions(g_rig.e, OFF, 4096, SGX_SECINFO_R, &result), 0);
    __atomic_or_fetch(&g_rig.e->epcm[page], EPCM_UNTRACKED, __ATOMIC_SEQ_CST);
    assert_int_equal(leaf_code(ENCLU_EACCEPT, want, AT, 0), SGX_NOT_TRACKED);
    __atomic_and_fetch(&g_rig.e->epcm[page], ~EPCM_UNTRACKED, __ATOMIC_SEQ_CST);
    assert_int_equal(leaf_code(ENCLU_EACCEPT, want, AT, 0), 0);
    drop(OFF, 1);
}

/* --- EMODT --- */

static void fill_tcs(uint64_t at)
{
    uint64_t base = ENC_THREADS + ENC_STRIDE; /* thread 1's areas */

    rig_poke(&g_rig, at + 16, base + THR_SSA);
    rig_poke(&g_rig, at + 24, 2ull << 32); /* CSSA 0, NSSA 2 */
    rig_poke(&g_rig, at + 32, ENC_CODE);
    rig_poke(&g_rig, at + 48, base + THR_FS);
    rig_poke(&g_rig, at + 56, base + THR_GS);
    rig_poke(&g_rig, at + 64, 0xfffull << 32 | 0xfff);
}

static void test_emodt_makes_a_tcs(void **state)
{
    uint64_t result;
    struct rig_exit x;

    begin();
    assert_int_equal(rig_accept(&g_rig, AT, 1, NEW), 0);
    fill_tcs(AT);
    assert_int_equal(B->modify_types(g_rig.e, OFF, 4096, SGX_PT_TCS, &result), 0);
    x = rig_call(&g_rig, AT, ENCLU_EENTER, OP_NOP, 0, 0);
    assert_int_equal(x.function, ENCLU_EENTER);
    assert_int_equal(x.vector, X86_PF);
    assert_int_equal(leaf_code(ENCLU_EACCEPT, SGX_SECINFO_TCS | SGX_SECINFO_MODIFIED, AT, 0), 0);
    /* Its OGSBASE is thread 1's as well: both now leave through the trap. */
    x = rig_call(&g_rig, AT, ENCLU_EENTER, OP_NOP, 0, 0);
    assert_int_equal(x.function, ENCLU_EEXIT);
    assert_int_equal(x.rdx, AT);
    assert_int_equal(rig_enter(&g_rig, 1, OP_NOP, 0, 0).function, ENCLU_EEXIT);
    write_faults(AT, PF_W);
    drop(OFF, 1);
    x = rig_call(&g_rig, AT, ENCLU_EENTER, OP_NOP, 0, 0);
    assert_int_equal(x.function, ENCLU_EENTER);
    assert_int_equal(x.vector, X86_PF);
}

static void test_eaccept_bad_tcs_gp(void **state)
{
    static const struct {
        unsigned offset;
        uint64_t value;
    } bad[] = {
        {0, 1},                 /* STATE */
        {8, SGX_TCS_AEXNOTIFY}, /* FLAGS */
        {8, SGX_TCS_DBGOPTIN},
        {16, 0x123},          /* OSSA */
        {24, 2ull << 32 | 2}, /* CSSA >= NSSA */
        {32, ENC_SIZE},       /* OENTRY */
        {40, 1},              /* AEP */
        {48, 8},              /* OFSBASE */
        {56, 8},              /* OGSBASE */
        {4088, 1},            /* reserved */
    };

    begin();
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        uint64_t result;

        assert_int_equal(rig_accept(&g_rig, AT, 1, NEW), 0);
        fill_tcs(AT);
        rig_poke(&g_rig, AT + bad[i].offset, bad[i].value);
        assert_int_equal(B->modify_types(g_rig.e, OFF, 4096, SGX_PT_TCS, &result), 0);
        put_secinfo(SEC, SGX_SECINFO_TCS | SGX_SECINFO_MODIFIED);
        expect_fault(ENCLU_EACCEPT, SEC, AT, 0, X86_GP);
        /* A page that is half way cannot be trimmed; only the owner's EREMOVE helps. */
        assert_int_equal(B->modify_types(g_rig.e, OFF, 4096, SGX_PT_TRIM, &result), -EFAULT);
        assert_int_equal(result, SGX_PAGE_NOT_MODIFIABLE);
        g_rig.e->epcm[OFF >> NACRE_PAGE_SHIFT] = 0;
        assert_int_equal(madvise((void *)AT, 4096, MADV_DONTNEED), 0);
    }
}

static void test_emodt_refusals(void **state)
{
    uint64_t result = 0;

    begin();
    assert_int_equal(B->modify_types(g_rig.e, OFF, 4096, SGX_PT_TRIM, &result), -EFAULT);
    assert_int_equal(result, SGX_PG_INVLD);
    assert_int_equal(B->modify_types(g_rig.e, OFF, 4096, SGX_PT_REG, &result), -EINVAL);
    assert_int_equal(B->modify_types(g_rig.e, OFF, 4096, SGX_PT_SECS, &result), -EINVAL);
    assert_int_equal(B->modify_types(g_rig.e, ENC_THREADS, 4096, SGX_PT_TCS, &result), -EFAULT);
    assert_int_equal(result, SGX_PAGE_NOT_MODIFIABLE);
    assert_int_equal(B->augment(g_rig.e, OFF, 4096), 0);
    assert_int_equal(B->modify_types(g_rig.e, OFF, 4096, SGX_PT_TRIM, &result), -EFAULT);
    assert_int_equal(result, SGX_PAGE_NOT_MODIFIABLE);
    assert_int_equal(leaf_code(ENCLU_EACCEPT, NEW, AT, 0), 0);
    drop(OFF, 1);
}

static void test_trimmed_page_is_closed(void **state)
{
    uint64_t result;

    begin();
    assert_int_equal(rig_accept(&g_rig, AT, 2, NEW), 0);
    rig_poke(&g_rig, AT, 1);
    assert_int_equal(B->modify_types(g_rig.e, OFF, 2 * 4096, SGX_PT_TRIM, &result), 0);
    write_faults(AT, PF_W);
    assert_int_equal(B->remove_pages(g_rig.e, OFF, 4096), -EPERM); /* not accepted yet */
    assert_int_equal(rig_accept(&g_rig, AT, 2, SGX_SECINFO_TRIM | SGX_SECINFO_MODIFIED), 0);
    write_faults(AT, PF_W);
    assert_int_equal(B->remove_pages(g_rig.e, OFF, 2 * 4096), 0);
    assert_int_equal(B->remove_pages(g_rig.e, OFF, 4096), -ENOENT);
    assert_int_equal(B->remove_pages(g_rig.e, ENC_DATA, 4096), -EPERM); /* a live page */
    assert_int_equal(rig_accept(&g_rig, AT, 1, NEW), 0);
    assert_int_equal(rig_peek(&g_rig, AT), 0);
    drop(OFF, 1);
}

/* More islands of accepted pages than the kernel has mappings. */
#define ISLANDS 70000u

static void accept_islands(struct rig *rig, uint64_t from, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(rig_accept(rig, from + i * 8192ull, 1, NEW), 0);
    }
}

static void test_more_islands_than_mappings(void **state)
{
    uint64_t from = RIG_BASE2 + 0x1000000;
    struct rig rig;

    rig_build(&rig, &(struct rig_options){.base = RIG_BASE2, .size = 1ull << 31, .threads = 1});
    accept_islands(&rig, from, ISLANDS);
    for (unsigned i = 0; i < ISLANDS; i += 997) {
        assert_int_equal(rig_peek(&rig, from + i * 8192ull), 0);
        rig_poke(&rig, from + i * 8192ull, i);
        rig_poke(&rig, from + i * 8192ull + 8, i);
        assert_int_equal(rig_peek(&rig, from + i * 8192ull), i);
    }
    /* What lies between was perhaps opened with them; accepted, it is zero as any new page. */
    for (unsigned i = ISLANDS - 100; i < ISLANDS - 1; i++) {
        uint64_t between = from + i * 8192ull + 4096;
        struct rig_exit x = rig_enter(&rig, 0, OP_WRITE, between, 1);

        if (x.function == ENCLU_ERESUME) {
            assert_int_equal(rig_enter(&rig, 0, OP_SKIP, 3, 0).function, ENCLU_EEXIT);
            assert_int_equal(rig_resume(&rig, 0).function, ENCLU_EEXIT);
        }
        assert_int_equal(rig_accept(&rig, between, 1, NEW), 0);
        assert_int_equal(rig_peek(&rig, between), 0);
    }
    B->destroy(rig.e);
}

static void test_before_einit_refused(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    struct sgx_enclave *e = NULL;
    struct sgx_secs secs;
    uint64_t result;

    rig_secs(&(struct rig_options){.base = RIG_BASE2}, &secs);
    assert_int_equal(B->create(&secs, &e, &err), 0);
    assert_int_equal(B->augment(e, OFF, 4096), -EINVAL);
    assert_int_equal(B->restrict_permissions(e, OFF, 4096, SGX_SECINFO_R, &result), -EINVAL);
    assert_int_equal(B->modify_types(e, OFF, 4096, SGX_PT_TRIM, &result), -EINVAL);
    assert_int_equal(B->remove_pages(e, OFF, 4096), -EINVAL);
    B->destroy(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_touch_augments_pending_page),
        cmocka_unit_test(test_eaccept_unaugmented_page_augments),
        cmocka_unit_test(test_accepted_page_opens_within_the_stay),
        cmocka_unit_test(test_eaccept_wrong_flags_mismatch),
        cmocka_unit_test(test_eaccept_impossible_request_gp),
        cmocka_unit_test(test_operands_unaligned_or_outside_fault),
        cmocka_unit_test(test_closed_pages_keep_their_content),
        cmocka_unit_test(test_eaccept_unmapped_range_pf),
        cmocka_unit_test(test_unknown_leaf_gp),
        cmocka_unit_test(test_eacceptcopy_copies_and_sets_permissions),
        cmocka_unit_test(test_eacceptcopy_bad_request_gp),
        cmocka_unit_test(test_emodpe_extends_at_once),
        cmocka_unit_test(test_emodpe_refusals),
        cmocka_unit_test(test_emodpr_restricts_until_accepted),
        cmocka_unit_test(test_emodpr_refusals),
        cmocka_unit_test(test_eaccept_before_etrack_not_tracked),
        cmocka_unit_test(test_emodt_makes_a_tcs),
        cmocka_unit_test(test_eaccept_bad_tcs_gp),
        cmocka_unit_test(test_emodt_refusals),
        cmocka_unit_test(test_trimmed_page_is_closed),
        cmocka_unit_test(test_more_islands_than_mappings),
        cmocka_unit_test(test_before_einit_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
