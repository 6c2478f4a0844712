/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit/softsgx/rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crypto.h"
#include "sign/sigstruct.h"
#include "softsgx/internal.h"

#include "unit/temp_dir.h"
#include "unit/unit.h"

#define B (&sgx_backend_soft)

static void must(int r, struct error *err)
{
    if (r < 0) {
        print_message("# %s\n", error_text(err));
    }
    assert_true(r >= 0);
}

static void state_dir(void)
{
    const char *dir = temp_dir();

    assert_non_null(dir);
    assert_int_equal(setenv("NACRE_STATE_DIR", dir, 1), 0);
}

void rig_secs(const struct rig_options *o, struct sgx_secs *ret)
{
    *ret = (struct sgx_secs){
        .size = o->size != 0 ? o->size : ENC_SIZE,
        .base = o->base,
        .ssa_frame_size = 1,
        .miscselect = o->miscselect,
        .config_svn = o->config_svn,
        .attributes = {.flags = SGX_FLAGS_MODE64BIT | o->flags,
                       .xfrm = o->xfrm != 0 ? o->xfrm : (soft_xcr0() & 0xe7)},
    };
    memset(ret->config_id, o->config_byte, sizeof(ret->config_id));
}

static void add(struct rig *rig, uint64_t offset, const void *src, size_t size, uint64_t flags,
                bool measure)
{
    _cleanup_error_ struct error *err = NULL;

    must(B->add_pages(rig->e, offset, src, size, flags, measure, &err), err);
}

static void add_thread(struct rig *rig, unsigned thread)
{
    static _Alignas(4096) uint8_t zero[0x5000];
    _Alignas(4096) struct sgx_tcs tcs;
    uint64_t at = ENC_THREADS + (uint64_t)thread * ENC_STRIDE;

    memset(&tcs, 0, sizeof(tcs));
    tcs.ossa = at + THR_SSA;
    tcs.nssa = 4;
    tcs.oentry = ENC_CODE;
    tcs.ofs_base = at + THR_FS;
    tcs.ogs_base = at + THR_GS;
    tcs.fs_limit = 0xfff;
    tcs.gs_limit = 0xfff;
    add(rig, at + THR_TCS, &tcs, sizeof(tcs), SGX_SECINFO_TCS, true);
    add(rig, at + THR_SSA, zero, 0x4000, SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W, true);
    add(rig, at + THR_GS, zero, 0x5000, SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W, false);
}

void rig_pages(struct rig *rig, const struct rig_options *o)
{
    static _Alignas(4096) uint8_t data[0x10000];
    _cleanup_error_ struct error *err = NULL;
    uint64_t slots[] = {
        ENC_CODE + (uint64_t)(test_slot_exit - test_enclave_start),
        ENC_CODE + (uint64_t)(test_slot_any - test_enclave_start),
        ENC_CODE + (uint64_t)(test_slot_accept - test_enclave_start),
        ENC_CODE + (uint64_t)(test_slot_exitto - test_enclave_start),
        ENC_CODE + (uint64_t)(test_slot_loop - test_enclave_start),
    };

    state_dir();
    *rig = (struct rig){.base = o->base, .threads = o->threads};
    rig_secs(o, &rig->secs);
    must(B->create(&rig->secs, &rig->e, &err), err);
    add(rig, ENC_CODE, test_enclave_start, (size_t)(test_enclave_end - test_enclave_start),
        SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_X, true);
    memset(data, 0, sizeof(data));
    data[0] = o->data_byte;
    add(rig, ENC_DATA, data, sizeof(data), SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W, true);
    add(rig, ENC_RODATA, data, 0x1000, SGX_SECINFO_REG | SGX_SECINFO_R, true);
    for (unsigned i = 0; i < o->threads; i++) {
        add_thread(rig, i);
    }
    if (!o->no_slots) {
        must(B->hint_slots(rig->e, slots, ARRAY_COUNT(slots), &err), err);
    }
    must(B->map(rig->e, 0, rig->secs.size, PROT_READ | PROT_WRITE | PROT_EXEC, &err), err);
    soft_measure_final(rig->e->measure, rig->mrenclave);
}

void rig_sign(const struct sgx_secs *secs, const uint8_t mrenclave[static 32],
              const struct rig_options *o, void (*edit)(struct sigstruct_params *),
              struct sgx_sigstruct *ret)
{
    static struct evp_pkey_st *keys[2];
    _cleanup_error_ struct error *err = NULL;
    struct sigstruct_params p;

    if (keys[o->key] == NULL) {
        must(crypto_rsa3072_generate(&keys[o->key]), NULL);
    }
    sigstruct_params_default(&p);
    p.date = 0x20260101;
    p.attributes = secs->attributes;
    p.attribute_mask = (struct sgx_attributes){.flags = ~0ull, .xfrm = ~0ull};
    p.miscselect = secs->miscselect;
    p.miscmask = ~0u;
    p.isv_prod_id = o->isv_prod_id;
    p.isv_svn = o->isv_svn;
    memcpy(p.mrenclave, mrenclave, 32);
    if (edit != NULL) {
        edit(&p);
    }
    must(sigstruct_build(&p, ret, &err), err);
    must(sigstruct_sign(ret, keys[o->key], &err), err);
}

void rig_build(struct rig *rig, const struct rig_options *o)
{
    _cleanup_error_ struct error *err = NULL;

    rig_pages(rig, o);
    rig_sign(&rig->secs, rig->mrenclave, o, NULL, &rig->sigstruct);
    if (!o->no_init) {
        must(B->init(rig->e, &rig->sigstruct, &err), err);
    }
    must(B->thread_attach(rig->e, &err), err);
    rig->enter = B->enter_function(rig->e);
}

void rig_destroy(struct rig *rig)
{
    B->thread_detach();
    B->destroy(rig->e);
    rig->e = NULL;
}

uint64_t rig_tcs(const struct rig *rig, unsigned thread)
{
    return rig->base + ENC_THREADS + (uint64_t)thread * ENC_STRIDE + THR_TCS;
}

uint64_t rig_code(const struct rig *rig, const char *label)
{
    return rig->base + ENC_CODE + (uint64_t)(label - test_enclave_start);
}

/* The enclave leaves through the outside stack it was first entered with, also when ERESUME came
 * from somewhere else. So all entries of one nesting level use one place. */
#define LEVELS      4
#define LEVEL_STACK 65536
static __thread _Alignas(64) uint8_t entry_stack[LEVELS][LEVEL_STACK];
static __thread unsigned level;

struct rig_exit rig_call(struct rig *rig, uint64_t tcs, unsigned function, uint64_t op,
                         uint64_t rsi, uint64_t rdx)
{
    struct sgx_enclave_run run = {.tcs = tcs};
    struct rig_exit x = {0};
    void *f = (void *)rig->enter;
    uint8_t *top;
    register uint64_t r8 __asm__("r8") = 0;
    register uint64_t r9 __asm__("r9") = 0;
    uint64_t fn = function;

    assert_true(level < LEVELS);
    top = entry_stack[level++] + LEVEL_STACK;
    /* The vDSO's contract lets the enclave change every register but RBX, RBP, RSP. */
    __asm__ volatile("mov %%rsp, %%r12\n\t"
                     "mov %[top], %%rsp\n\t"
                     "push %%r12\n\t"
                     "push %[run]\n\t"
                     "call *%[f]\n\t"
                     "pop %%r12\n\t"
                     "pop %%rsp"
                     : "=a"(x.ret), "+D"(op), "+S"(rsi), "+d"(rdx), "+c"(fn), "+r"(r8), "+r"(r9)
                     : [run] "r"(&run), [f] "b"(f), [top] "r"(top)
                     : "r10", "r11", "r12", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
                       "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
                       "xmm14", "xmm15");
    level--;
    x.function = run.function;
    x.vector = run.exception_vector;
    x.error_code = run.exception_error_code;
    x.addr = run.exception_addr;
    x.rdi = op;
    x.rsi = rsi;
    x.rdx = rdx;
    return x;
}

struct rig_exit rig_enter(struct rig *rig, unsigned thread, uint64_t op, uint64_t rsi, uint64_t rdx)
{
    return rig_call(rig, rig_tcs(rig, thread), ENCLU_EENTER, op, rsi, rdx);
}

struct rig_exit rig_resume(struct rig *rig, unsigned thread)
{
    return rig_call(rig, rig_tcs(rig, thread), ENCLU_ERESUME, 0, 0, 0);
}

struct rig_exit rig_leaf(struct rig *rig, uint64_t op, struct enclu_args *args)
{
    return rig_enter(rig, 0, op, (uint64_t)args, 0);
}

uint64_t rig_peek(struct rig *rig, uint64_t addr)
{
    struct rig_exit x = rig_enter(rig, 0, OP_READ, addr, 0);

    assert_int_equal(x.function, ENCLU_EEXIT);
    return x.rdx;
}

void rig_poke(struct rig *rig, uint64_t addr, uint64_t value)
{
    struct rig_exit x = rig_enter(rig, 0, OP_WRITE, addr, value);

    assert_int_equal(x.function, ENCLU_EEXIT);
}

void rig_poke_bytes(struct rig *rig, uint64_t addr, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t v;

        memcpy(&v, (const uint8_t *)data + i, 8);
        rig_poke(rig, addr + i, v);
    }
}

void rig_peek_bytes(struct rig *rig, uint64_t addr, void *ret, size_t size)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t v = rig_peek(rig, addr + i);

        memcpy((uint8_t *)ret + i, &v, 8);
    }
}

uint64_t rig_accept(struct rig *rig, uint64_t addr, uint64_t pages, uint64_t flags)
{
    struct accept_args a = {
        .first = addr,
        .count = pages,
        .secinfo = rig->base + ENC_DATA + 0xf000,
        .flags = flags,
    };
    struct rig_exit x = rig_enter(rig, 0, OP_ACCEPT, (uint64_t)&a, 0);

    assert_int_equal(x.function, ENCLU_EEXIT);
    return a.error;
}
