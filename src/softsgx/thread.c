/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Host threads that enter enclaves. Each gets one slot of the arena: its record, the microcode's
 * stack and its signal stack, found from any stack pointer inside by masking.
 */

#include "softsgx/internal.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ASSERT_TH(field, offset) \
    _Static_assert(offsetof(struct soft_thread, field) == (offset), "asm_offsets.h")
ASSERT_TH(host_fs, TH_HOST_FS);
ASSERT_TH(cur, TH_CUR);
ASSERT_TH(last_linear, TH_LAST_LINEAR);
ASSERT_TH(last_epoch, TH_LAST_EPOCH);
ASSERT_TH(last_tcs, TH_LAST_TCS);
ASSERT_TH(last_gpr, TH_LAST_GPR);
ASSERT_TH(last_cssa, TH_LAST_CSSA);
ASSERT_TH(leaf, TH_LEAF);
ASSERT_TH(deferred, TH_DEFERRED);
ASSERT_TH(flush, TH_FLUSH);
ASSERT_TH(resume_rsp, TH_RESUME_RSP);
ASSERT_TH(resume_rbp, TH_RESUME_RBP);
ASSERT_TH(resume_xstate, TH_RESUME_XSTATE);
ASSERT_TH(resume_xfrm, TH_RESUME_XFRM);
ASSERT_TH(resume_fs, TH_RESUME_FS);
ASSERT_TH(resume_gs, TH_RESUME_GS);
ASSERT_TH(leaf_fs, TH_LEAF_FS);
ASSERT_TH(iret, TH_IRET);
ASSERT_TH(regs, TH_REGS);
ASSERT_TH(vector, TH_VECTOR);
ASSERT_TH(error_code, TH_ERROR_CODE);
ASSERT_TH(fault_addr, TH_FAULT_ADDR);
ASSERT_TH(xsave_mask, TH_XSAVE_MASK);
ASSERT_TH(xsave, TH_XSAVE);
_Static_assert(sizeof(struct soft_thread) + 4096 < SOFT_USTACK_TOP, "room for a microcode stack");
_Static_assert(offsetof(struct sgx_gprsgx, ursp) == GPR_URSP, "asm_offsets.h");
_Static_assert(offsetof(struct sgx_gprsgx, urbp) == GPR_URBP, "asm_offsets.h");
_Static_assert(offsetof(struct sgx_gprsgx, rip) == R_RIP - TH_REGS, "same order");
_Static_assert(offsetof(struct sgx_enclave_run, tcs) == RUN_TCS, "asm/sgx.h");
_Static_assert(offsetof(struct sgx_enclave_run, function) == RUN_FUNCTION, "asm/sgx.h");
_Static_assert(offsetof(struct sgx_enclave_run, exception_vector) == RUN_VECTOR, "asm/sgx.h");
_Static_assert(offsetof(struct sgx_enclave_run, exception_error_code) == RUN_ERROR, "asm/sgx.h");
_Static_assert(offsetof(struct sgx_enclave_run, exception_addr) == RUN_ADDR, "asm/sgx.h");
_Static_assert(offsetof(struct sgx_enclave_run, user_handler) == RUN_HANDLER, "asm/sgx.h");
_Static_assert(offsetof(struct sgx_enclave_run, reserved) == RUN_RESERVED, "asm/sgx.h");
_Static_assert(sizeof(struct sgx_enclave_run) == RUN_END, "asm/sgx.h");

#define THREADS_MAX 32768u

__thread struct soft_thread *soft_self;
uint64_t soft_epoch = 1;
uint64_t soft_arena_start;
uint64_t soft_arena_size;
static uint32_t threads_used;
static struct soft_thread *threads_free;

static int arena_map(void)
{
    size_t size = (size_t)THREADS_MAX * SOFT_SLOT_SIZE;
    uint8_t *p;
    uint64_t start;

    if (soft_arena_size != 0) {
        return 0;
    }
    p = mmap(NULL, size + SOFT_SLOT_SIZE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        return -errno;
    }
    start = ((uint64_t)p + SOFT_SLOT_SIZE - 1) & ~(uint64_t)(SOFT_SLOT_SIZE - 1);
    soft_arena_start = start;
    __atomic_store_n(&soft_arena_size, size, __ATOMIC_RELEASE);
    return 0;
}

static struct soft_thread *slot_get(void)
{
    struct soft_thread *th = NULL;

    soft_lock(&soft_locks.threads);
    if (arena_map() == 0) {
        if (threads_free != NULL) {
            th = threads_free;
            threads_free = th->next_free;
        } else if (threads_used < THREADS_MAX) {
            th = (struct soft_thread *)(soft_arena_start +
                                        (uint64_t)threads_used++ * SOFT_SLOT_SIZE);
        }
    }
    soft_unlock(&soft_locks.threads);
    if (th != NULL) {
        memset(th, 0, sizeof(*th));
        th->last_linear = ~0ull;
        th->host_fs = soft_rdfsbase();
        /* What host code called for a leaf may clobber. */
        th->xsave_mask = soft_xcr0() & (SGX_XFRM_LEGACY | SGX_XFRM_AVX | SGX_XFRM_AVX512);
    }
    return th;
}

static void slot_put(struct soft_thread *th)
{
    soft_lock(&soft_locks.threads);
    th->next_free = threads_free;
    threads_free = th;
    soft_unlock(&soft_locks.threads);
}

int soft_thread_attach(struct sgx_enclave *e, struct error **err)
{
    struct soft_thread *th = soft_self;
    stack_t ss;
    int r;

    if (th == NULL) {
        th = slot_get();
        if (th == NULL) {
            return error_set(err, ENOMEM, "softsgx: no room for another thread (%u at most)",
                             THREADS_MAX);
        }
        ss = (stack_t){
            .ss_sp = (uint8_t *)th + SOFT_ALTSTACK_OFF,
            .ss_size = SOFT_SLOT_SIZE - SOFT_ALTSTACK_OFF,
        };
        if (sigaltstack(&ss, &th->old_stack) < 0) {
            r = errno;
            slot_put(th);
            return error_set_errno(err, r, "softsgx: cannot set the signal stack");
        }
        soft_self = th;
    }
    r = soft_install_fault_handlers(err);
    if (r == 0) {
        r = soft_sud_arm(th, soft_highest_end(), err);
    }
    if (r < 0) {
        if (th->attach_count == 0) {
            th->attach_count = 1;
            soft_thread_detach();
        }
        return r;
    }
    soft_cpuid_arm(th);
    th->attach_count++;
    return 0;
}

void soft_thread_detach(void)
{
    struct soft_thread *th = soft_self;

    if (th == NULL) {
        return;
    }
    soft_cpuid_disarm(th);
    soft_sud_disarm(th);
    soft_self = NULL;
    if ((th->old_stack.ss_flags & SS_ONSTACK) == 0) {
        (void)sigaltstack(&th->old_stack, NULL);
    }
    slot_put(th);
}
