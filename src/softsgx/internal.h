/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The inside of the processor: what an enclave, a TCS and a thread are here.
 *
 * Three kinds of code share this header:
 *   host      create, add, init, driver operations: ordinary C on a host stack;
 *   signal    everything under soft_on_signal(): host FS base, signal stack, all signals blocked;
 *   microcode ENCLU leaves called straight from enclave code through a slot: the enclave's FS base
 *             and vector registers are live, so these files are built without TLS, SSE, stack
 *             protector, sanitizers and libc (meson: ucode_sources), and use raw system calls.
 */

#include <signal.h>
#include <ucontext.h>

#include "abi/sgx_arch.h"
#include "base/error.h"
#include "base/sgx_backend.h"
#include "softsgx/asm_offsets.h"

/* --- EPCM: one 64-bit word a page, changed by compare-and-swap --- */

#define EPCM_R          (1ull << 0)
#define EPCM_W          (1ull << 1)
#define EPCM_X          (1ull << 2)
#define EPCM_RWX        7ull
#define EPCM_PENDING    (1ull << 3)
#define EPCM_MODIFIED   (1ull << 4)
#define EPCM_PR         (1ull << 5)
#define EPCM_VALID      (1ull << 6)
#define EPCM_UNTRACKED  (1ull << 7) /* EMODPR/EMODT done, ETRACK cycle not: EACCEPT must wait */
#define EPCM_PT_SHIFT   8
#define EPCM_PT_MASK    (0xffull << EPCM_PT_SHIFT)
#define EPCM_PT(type)   ((uint64_t)(type) << EPCM_PT_SHIFT)
/* What the host page table holds right now; it lags behind what the EPCM allows, never ahead. */
#define EPCM_HOST_SHIFT 16
#define EPCM_HOST_MASK  (7ull << EPCM_HOST_SHIFT)
#define EPCM_CLOSED     (1ull << 20) /* the host maps this page without any access */
#define EPCM_ENTERED                                                            \
    (1ull << 21) /* EENTER relies on it as an SSA frame: changes bump the epoch \
                  */
#define EPCM_STAY_MASK  (EPCM_HOST_MASK | EPCM_CLOSED) /* what outlives the page */
#define EPCM_SLOT_SHIFT 32                             /* PT_TCS: index of the soft_tcs */

/* SECINFO.FLAGS bits that EACCEPT compares with the EPCM: identical positions by design. */
#define EPCM_SECINFO_MASK (EPCM_RWX | EPCM_PENDING | EPCM_MODIFIED | EPCM_PR | EPCM_PT_MASK)

static inline enum sgx_page_type epcm_type(uint64_t entry)
{
    return (enum sgx_page_type)((entry & EPCM_PT_MASK) >> EPCM_PT_SHIFT);
}

/* --- registers, in GPRSGX order --- */

struct soft_regs {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rflags;
    uint64_t rip;
};

#define X86_CF           (1ull << 0)
#define X86_ZF           (1ull << 6)
#define X86_TF           (1ull << 8)
#define X86_STATUS_FLAGS 0x8d5ull /* CF PF AF ZF SF OF */
#define X86_RF           (1ull << 16)

/* What a leaf came to. */
struct soft_fault {
    enum x86_vector vector;
    uint32_t error_code;
    uint64_t addr;
};

enum soft_result {
    SOFT_OK = 0,   /* done: registers hold the outcome */
    SOFT_FAULT = 1 /* the instruction faulted: registers untouched, *ret_fault says how */
};

/* --- TCS: the processor's copy; the page itself is out of everybody's reach --- */

struct soft_tcs {
    struct soft_thread *owner; /* who is inside; NULL: not busy. Changed by locked instructions */
    uint64_t linear;           /* address of the TCS page */
    uint64_t entry;            /* base + OENTRY */
    uint64_t fsbase;
    uint64_t gsbase;
    uint32_t cssa;
    uint32_t nssa;
    uint64_t ssa; /* base + OSSA */
    uint64_t flags;
    struct sgx_enclave *enclave;
    uint64_t ossa, oentry, ofs_base, ogs_base;
    uint32_t fs_limit, gs_limit;
};

/* --- enclave --- */

struct soft_map { /* host permissions of [start, end) */
    uint64_t start, end;
    uint32_t prot;
};

struct soft_maps { /* immutable once published; replaced as a whole */
    struct soft_maps *older;
    size_t count;
    struct soft_map range[];
};

struct soft_identity { /* what EINIT fixed: the SECS fields of reports and keys */
    struct sgx_attributes attributes;
    uint32_t miscselect;
    uint8_t mrenclave[32];
    uint8_t mrsigner[32];
    uint8_t config_id[64];
    uint8_t isv_ext_prod_id[16];
    uint8_t isv_family_id[16];
    uint16_t isv_prod_id;
    uint16_t isv_svn;
    uint16_t config_svn;
};

#define SOFT_TCS_MAX 65536u

struct sgx_enclave {
    uint64_t base;
    uint64_t size;
    uint64_t low; /* first usable address: base, or vm.mmap_min_addr when that is higher */
    uint64_t ssa_frame_size; /* bytes */
    uint64_t xfrm;
    bool initialized;
    bool debug;
    int pid; /* who created it: after fork the child has no such memory */
    uint64_t *epcm;
    uint8_t *touched;           /* one byte for 512 pages: some page there has been open */
    struct soft_tcs **gs_table; /* page number of GS base -> TCS; see slots.c */
    struct soft_maps *maps;
    int lock;
    uint8_t *tramp; /* trampoline area, NULL: slots stay as they are */
    uint64_t stub_count;
    uint64_t *slots; /* hinted offsets */
    size_t slot_count;
    struct sgx_secs secs;
    struct soft_identity id;
    struct soft_measure *measure; /* until EINIT */
};

/* --- thread: lives at the bottom of its 128 KiB slot, found from any stack pointer in it --- */

struct soft_thread {
    uint64_t host_fs;
    struct soft_tcs *cur; /* meaningful while RIP is in the enclave or its trampoline */
    /* What EENTER found out about the last TCS, valid while the global epoch stands still. */
    uint64_t last_linear;
    uint64_t last_epoch;
    struct soft_tcs *last_tcs;
    uint64_t last_gpr; /* GPRSGX of SSA[last_cssa] */
    uint32_t last_cssa;
    uint32_t leaf;     /* enum soft_leaf_state of a leaf called through a slot */
    uint32_t deferred; /* a signal waits for the leaf to end */
    uint32_t flush;    /* pages accepted but not yet opened in the host page table */
    uint64_t resume_rsp, resume_rbp;
    uint64_t resume_xstate, resume_xfrm;
    uint64_t resume_fs, resume_gs;
    uint64_t leaf_fs;
    uint64_t iret[5];
    struct soft_regs regs;
    uint64_t vector, error_code, fault_addr; /* of a refused EENTER or ERESUME */
    uint64_t xsave_mask;
    uint64_t pad[6];
    uint8_t xsave[SOFT_XSAVE_SIZE];
    /* C only from here. */
    struct sgx_enclave *flush_enclave;
    uint64_t flush_first, flush_last; /* page numbers, inclusive */
    uint64_t deferred_mask;
    volatile uint32_t hold;        /* in host code that holds the enclave's lock: signals wait */
    uint64_t fault_rip, fault_cr2; /* the last fault that was answered with "try again" */
    uint32_t fault_count;
    stack_t old_stack;
    uint32_t attach_count;
    uint64_t sud_start; /* 0: not armed */
    bool cpuid_off;     /* by us; detaching switches it on again */
    struct soft_thread *next_free;
};

enum soft_leaf_state {
    SOFT_LEAF_NONE = LEAF_NONE,
    SOFT_LEAF_RUN = LEAF_RUN,
    SOFT_LEAF_DONE = LEAF_DONE
};

extern __thread struct soft_thread *soft_self;
/* Bumped whenever something EENTER has checked may have changed. */
extern uint64_t soft_epoch;
/* All thread slots live here. */
extern uint64_t soft_arena_start;
extern uint64_t soft_arena_size;

static inline uint64_t soft_rdfsbase(void)
{
    uint64_t v;

    __asm__ volatile("rdfsbase %0" : "=r"(v));
    return v;
}

static inline uint64_t soft_rdgsbase(void)
{
    uint64_t v;

    __asm__ volatile("rdgsbase %0" : "=r"(v));
    return v;
}

/* --- helpers for code that must not call libc --- */

long soft_syscall(long nr, long a, long b, long c, long d);
void soft_copy(void *dst, const void *src, size_t size);
void soft_zero(void *dst, size_t size);
void soft_lock(int *lock);
void soft_unlock(int *lock);
/* For host code: nobody may interrupt the holder and come back into the processor. */
void soft_host_lock(struct sgx_enclave *e, sigset_t *ret_old);
void soft_host_unlock(struct sgx_enclave *e, const sigset_t *old);

static inline void soft_bump_epoch(void)
{
    (void)__atomic_add_fetch(&soft_epoch, 1, __ATOMIC_SEQ_CST);
}

static inline bool soft_in_elrange(const struct sgx_enclave *e, uint64_t addr)
{
    return addr - e->base < e->size;
}

static inline uint64_t soft_page_of(const struct sgx_enclave *e, uint64_t addr)
{
    return (addr - e->base) >> NACRE_PAGE_SHIFT;
}

static inline uint64_t soft_epcm_load(const struct sgx_enclave *e, uint64_t page)
{
    return __atomic_load_n(&e->epcm[page], __ATOMIC_ACQUIRE);
}

static inline bool soft_epcm_swap(struct sgx_enclave *e, uint64_t page, uint64_t *expected,
                                  uint64_t desired)
{
    return __atomic_compare_exchange_n(&e->epcm[page], expected, desired, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_ACQUIRE);
}

/* --- ecreate.c: who is there --- */

/* Locks that guard more than one enclave; a forked child starts with all of them free. */
struct soft_locks {
    int registry, tcs, threads, handlers;
};
extern struct soft_locks soft_locks;

#define SOFT_ENCLAVE_MAX 64
int soft_register(struct sgx_enclave *e);
void soft_unregister(struct sgx_enclave *e);
struct sgx_enclave *soft_find(uint64_t addr);
uint64_t soft_highest_end(void);

/* --- epcm.c (microcode) --- */

/* Host permissions (R/W/X as EPCM bits) that `map` gave the page's address. */
uint64_t soft_map_prot(const struct sgx_enclave *e, uint64_t page);
/* What the host page table should hold for this entry. */
uint64_t soft_wanted_prot(const struct sgx_enclave *e, uint64_t page, uint64_t entry);
/* NACRE_SOFTSGX_STRICT=1: never open a page the EPCM does not allow, not even at the map limit. */
extern bool soft_strict;
/* Brings the host page table up to date for `page` and its neighbours in the same situation. */
int soft_apply(struct sgx_enclave *e, uint64_t page);
/* Same for a whole range. */
int soft_apply_range(struct sgx_enclave *e, uint64_t first, uint64_t count);
/* mprotect of one run and the HOST bits of its entries. Lock held. */
int soft_protect_locked(struct sgx_enclave *e, uint64_t first, uint64_t count, uint64_t prot);
int soft_apply_range_locked(struct sgx_enclave *e, uint64_t first, uint64_t count);
/* Same for those parts of a range (of any size) where a page ever was open. */
/* Pages the host closes (`prot` 0) or opens again up to `prot`, that of the range they lie in. What
 * the entries were is or-ed to *seen. Lock held. */
int soft_close_locked(struct sgx_enclave *e, uint64_t first, uint64_t count, uint64_t prot,
                      uint64_t *seen);
/* The first chunk of 512 pages from `chunk` on where one was; `end`: none before it. */
uint64_t soft_touched_from(const struct sgx_enclave *e, uint64_t chunk, uint64_t end);
int soft_reapply_locked(struct sgx_enclave *e, uint64_t first, uint64_t count);
/* Whole pages inside ELRANGE, above vm.mmap_min_addr? -EINVAL. */
int soft_check_range(const struct sgx_enclave *e, uint64_t offset, size_t size);
/* EAUG as the driver's page fault handler does it. False: this page is not his to add. */
bool soft_eaug(struct sgx_enclave *e, uint64_t page);
/* May enclave software (or microcode on its behalf) use this address? Opens the page in the host's
 * table when it may. `need`: EPCM_R, EPCM_W, EPCM_X. */
enum soft_result soft_access(struct sgx_enclave *e, uint64_t addr, uint64_t need,
                             struct soft_fault *ret_fault);
/* The operand rules all leaves share: alignment (#GP), inside ELRANGE (#GP), EPCM (#PF). */
enum soft_result soft_operand(struct sgx_enclave *e, uint64_t addr, uint64_t align, uint64_t need,
                              struct soft_fault *ret_fault);
/* Remembers that `page` was opened by EACCEPT/EMODPE, to be applied together with neighbours. */
void soft_open_later(struct soft_thread *th, struct sgx_enclave *e, uint64_t page);
void soft_flush_open(struct soft_thread *th);

static inline enum soft_result soft_gp(struct soft_fault *ret)
{
    ret->vector = X86_GP;
    ret->error_code = 0;
    ret->addr = 0;
    return SOFT_FAULT;
}

static inline enum soft_result soft_pf(struct soft_fault *ret, uint64_t addr, uint32_t code)
{
    ret->vector = X86_PF;
    ret->error_code = code;
    ret->addr = addr;
    return SOFT_FAULT;
}

/* RAX and flags as leaves with an error code leave them. */
static inline void soft_set_result(struct soft_regs *r, uint64_t code)
{
    r->rax = code;
    r->rflags &= ~X86_STATUS_FLAGS;
    if (code != 0) {
        r->rflags |= X86_ZF;
    }
}

/* --- leaves: registers in, registers out; called for the thread inside `tcs` --- */

typedef enum soft_result soft_leaf_fn(struct soft_thread *th, struct soft_tcs *tcs,
                                      struct soft_regs *regs, struct soft_fault *ret_fault);

soft_leaf_fn soft_ereport;
soft_leaf_fn soft_egetkey;
soft_leaf_fn soft_eaccept;
soft_leaf_fn soft_emodpe;
soft_leaf_fn soft_eacceptcopy;

/* enclu.c (microcode): any leaf but EEXIT. */
enum soft_result soft_enclu_leaf(struct soft_thread *th, struct soft_tcs *tcs,
                                 struct soft_regs *regs, struct soft_fault *ret_fault);
/* What the trampoline calls, with th->regs filled. 0: done; else: fault, let the trap path do it.
 */
int soft_leaf_call(struct soft_thread *th);
void soft_leaf_deferred(struct soft_thread *th);

/* --- tcs.c --- */

int soft_tcs_add(struct sgx_enclave *e, uint64_t page, const struct sgx_tcs *tcs,
                 uint32_t *ret_slot);
void soft_tcs_remove(struct sgx_enclave *e, uint32_t slot);
void soft_tcs_remove_all(struct sgx_enclave *e);
extern struct soft_tcs *soft_tcs_arena;
/* Called by entry.S when the thread's remembered TCS does not serve. 0: it serves now; else the
 * fault is in th->vector and friends. */
int soft_eenter_check(struct soft_thread *th, uint64_t linear);
int soft_eresume_check(struct soft_thread *th, uint64_t linear, uint64_t rsp, uint64_t rbp);

/* --- aex.c --- */

/* Saves the enclave's state to SSA and turns *uc into the state at the AEP. */
void soft_aex(struct soft_thread *th, ucontext_t *uc, const struct soft_regs *regs, uint64_t fsbase,
              const struct soft_fault *fault);
void soft_regs_from_context(struct soft_regs *r, const ucontext_t *uc);
void soft_regs_to_context(ucontext_t *uc, const struct soft_regs *r);

/* --- thread.c, signal.c, sud.c, cpuid.c --- */

int soft_thread_attach(struct sgx_enclave *e, struct error **err);
void soft_thread_detach(void);
int soft_install_fault_handlers(struct error **err);
int soft_sigaction(int sig, void (*handler)(int, siginfo_t *, void *), int flags,
                   struct error **err);
int soft_sud_arm(struct soft_thread *th, uint64_t start, struct error **err);
void soft_sud_disarm(struct soft_thread *th);
int soft_sud_probe(struct error **err);
/* Which exception a signal stands for; may step RIP back to the instruction. */
void soft_classify(int sig, const ucontext_t *uc, struct soft_regs *regs, struct soft_fault *f);
/* Makes CPUID fault on this thread where kernel and processor can; does nothing where not. */
void soft_cpuid_arm(struct soft_thread *th);
void soft_cpuid_disarm(struct soft_thread *th);
/* Length of the CPUID that faulted because it is switched off, 0: it is something else. */
unsigned soft_cpuid_fault(const ucontext_t *uc);
/* A fault of host code (th: NULL when the thread is not attached). True: it was such a CPUID, and
 * the context goes on with its answer. */
bool soft_cpuid_in_host(const struct soft_thread *th, ucontext_t *uc);
/* arch_prctl(2), -Exxx when it fails; tests put a fake here. */
extern long (*soft_arch_prctl)(int code, unsigned long value);
/* For what cannot be answered any other way: writes the line to stderr and aborts. */
_noreturn_ void soft_die(const char *line);
bool soft_is_at_aep(const ucontext_t *uc);

/* --- entry.S --- */

extern const char soft_ucode_start[], soft_ucode_end[];
extern const char soft_abort_page[];
extern const char soft_aep[], soft_after_enclu[], soft_exception[];
extern const char soft_eresume[], soft_resume_counted[], soft_resume_end[];
int soft_enter(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int function,
               unsigned long r8, unsigned long r9, struct sgx_enclave_run *run);
void soft_signal_entry(int sig, siginfo_t *info, void *uc);
extern const char soft_leaf_enter[], soft_leaf_saved[], soft_leaf_xenter[], soft_leaf_xsaved[];
extern const char soft_leaf_trap[];

/* --- slots.c --- */

int soft_slots_map(struct sgx_enclave *e);
void soft_slots_unmap(struct sgx_enclave *e);
int soft_slots_rewrite(struct sgx_enclave *e);
void soft_gs_register(struct sgx_enclave *e, struct soft_tcs *tcs);
void soft_gs_unregister(struct sgx_enclave *e, struct soft_tcs *tcs);
/* Where the architecture says a thread is whose RIP was found in the trampoline area. */
enum soft_place {
    SOFT_AT_SLOT,     /* inside, the ENCLU not begun */
    SOFT_BEHIND_SLOT, /* inside, the ENCLU done */
    SOFT_OUTSIDE,     /* EEXIT happened */
};
/* Puts the registers there. */
enum soft_place soft_tramp_fixup(const struct sgx_enclave *e, struct soft_regs *regs);
/* The enclave address behind the slot of the stub that `stub_rip` lies in. */
uint64_t soft_slot_next(const struct sgx_enclave *e, uint64_t stub_rip);
/* Where enclave code goes on after a leaf that will return to `stub_rip`: behind the slot, or at
 * the slot when the stub is to run again. */
uint64_t soft_leaf_continues(const struct sgx_enclave *e, uint64_t stub_rip);
#define SOFT_SLOT_BYTES 5u
#define SOFT_TRAMP_SIZE 0x4000u

/* --- measurement --- */

struct soft_measure *soft_measure_new(void);
void soft_measure_create(struct soft_measure *m, uint32_t ssa_frame_size, uint64_t size);
void soft_measure_add(struct soft_measure *m, uint64_t offset, uint64_t secinfo_flags);
void soft_measure_extend(struct soft_measure *m, uint64_t offset, const uint8_t *page);
void soft_measure_final(struct soft_measure *m, uint8_t ret[static 32]);
struct soft_measure *soft_measure_free(struct soft_measure *m);

/* --- operations behind the vtable --- */

int soft_create(const struct sgx_secs *secs, struct sgx_enclave **ret, struct error **err);
int soft_add_pages(struct sgx_enclave *e, uint64_t offset, const void *src, size_t size,
                   uint64_t secinfo_flags, bool measure, struct error **err);
int soft_hint_slots(struct sgx_enclave *e, const uint64_t *offsets, size_t count,
                    struct error **err);
int soft_init(struct sgx_enclave *e, const struct sgx_sigstruct *sigstruct, struct error **err);
int soft_map_pages(struct sgx_enclave *e, uint64_t offset, size_t size, int prot,
                   struct error **err);
int soft_augment(struct sgx_enclave *e, uint64_t offset, size_t size);
int soft_restrict_permissions(struct sgx_enclave *e, uint64_t offset, size_t size,
                              uint64_t secinfo_perm, uint64_t *ret_result);
int soft_modify_types(struct sgx_enclave *e, uint64_t offset, size_t size, enum sgx_page_type type,
                      uint64_t *ret_result);
int soft_remove_pages(struct sgx_enclave *e, uint64_t offset, size_t size);
void soft_destroy(struct sgx_enclave *e);

/* xstate.c: sizes and offsets of XSAVE components, standard format. */
uint64_t soft_xcr0(void);
uint32_t soft_xsave_size(uint64_t xfrm);
void soft_xstate_component(unsigned i, uint32_t *ret_offset, uint32_t *ret_size);
