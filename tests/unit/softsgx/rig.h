/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Builds, signs and enters the test enclave of enclave.S. Every failure of the rig ends the test.
 */

#include <asm/sgx.h>

#include "abi/sgx_arch.h"
#include "base/sgx_backend.h"
#include "softsgx/softsgx.h"

#include "unit/softsgx/layout.h"

#define RIG_BASE  0x200000000000ull /* valid with and without sanitizers */
#define RIG_BASE2 0x210000000000ull

struct rig_options {
    uint64_t base;
    uint64_t size; /* 0: ENC_SIZE */
    unsigned threads;
    uint64_t xfrm;  /* 0: all the machine has, without AMX */
    uint64_t flags; /* ATTRIBUTES besides MODE64BIT */
    uint32_t miscselect;
    bool no_slots;
    bool no_init;
    uint16_t isv_prod_id, isv_svn;
    uint16_t config_svn;
    uint8_t config_byte;
    unsigned key;      /* which of the test signers */
    uint8_t data_byte; /* goes into the measured data page: another MRENCLAVE */
};

struct rig {
    struct sgx_enclave *e;
    uint64_t base;
    unsigned threads;
    vdso_sgx_enter_enclave_t enter;
    struct sgx_secs secs;
    struct sgx_sigstruct sigstruct;
    uint8_t mrenclave[32];
};

struct enclu_args {
    uint64_t rax, rbx, rcx, rdx, rflags;
};

struct accept_args {
    uint64_t first, count, secinfo, flags, error;
};

struct spin_args {
    uint64_t gpr[16];
    uint64_t ymm[16][4];
};

/* What came back. */
struct rig_exit {
    int ret;
    uint32_t function; /* ENCLU_EEXIT, or EENTER/ERESUME with an exception */
    uint16_t vector;
    uint16_t error_code;
    uint64_t addr;
    uint64_t rdi, rsi, rdx;
};

extern const char test_enclave_start[], test_enclave_end[];
extern const char test_slot_exit[], test_slot_any[], test_slot_accept[], test_slot_exitto[],
    test_slot_loop[];
extern const char test_gp[], test_ud2[], test_int3[], test_div[], test_syscall[], test_int80[],
    test_intn[], test_sysenter[];

/* secs and pages as `o` says; signed; initialised unless o->no_init; this thread attached. */
void rig_build(struct rig *rig, const struct rig_options *o);
void rig_destroy(struct rig *rig);

uint64_t rig_tcs(const struct rig *rig, unsigned thread);
uint64_t rig_code(const struct rig *rig, const char *label);

/* EENTER (or ERESUME) of a thread's TCS. */
struct rig_exit rig_enter(struct rig *rig, unsigned thread, uint64_t op, uint64_t rsi,
                          uint64_t rdx);
struct rig_exit rig_resume(struct rig *rig, unsigned thread);
struct rig_exit rig_call(struct rig *rig, uint64_t tcs, unsigned function, uint64_t op,
                         uint64_t rsi, uint64_t rdx);

/* One ENCLU in the enclave: op is OP_ENCLU or OP_SLOT. Returns the exit; *args is updated. */
struct rig_exit rig_leaf(struct rig *rig, uint64_t op, struct enclu_args *args);

/* Reads and writes enclave memory from inside. They assert that it worked. */
uint64_t rig_peek(struct rig *rig, uint64_t addr);
void rig_poke(struct rig *rig, uint64_t addr, uint64_t value);
void rig_poke_bytes(struct rig *rig, uint64_t addr, const void *data, size_t size);
void rig_peek_bytes(struct rig *rig, uint64_t addr, void *ret, size_t size);

/* EACCEPT of pages through the slot; returns the leaf's error code. */
uint64_t rig_accept(struct rig *rig, uint64_t addr, uint64_t pages, uint64_t flags);

/* A signed SIGSTRUCT for this SECS. `edit` may change the parameters before signing. */
struct sigstruct_params;
void rig_sign(const struct sgx_secs *secs, const uint8_t mrenclave[static 32],
              const struct rig_options *o, void (*edit)(struct sigstruct_params *),
              struct sgx_sigstruct *ret);
void rig_secs(const struct rig_options *o, struct sgx_secs *ret);
/* ECREATE and EADD of everything; no EINIT. */
void rig_pages(struct rig *rig, const struct rig_options *o);
