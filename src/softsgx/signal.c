/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Every signal of a process that enters enclaves comes through soft_signal_entry() (entry.S) to
 * soft_on_signal(): where did it strike? Enclave code: an exception becomes #PF, #UD, ... or a
 * trapped ENCLU; anything asynchronous becomes an AEX, after which the loader's handler runs with a
 * context at the AEP. In the middle of an ENCLU: undone, finished, or put off until it is over.
 * The loader's handler runs on the host stack, never on the signal stack: it may enter the enclave
 * again, and the next signal would overwrite a frame still in use.
 */

#include "softsgx/internal.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIGNALS     65
#define UC_BYTES    304u /* the kernel's struct ucontext: up to and with the 8-byte signal mask */
#define INFO_BYTES  128u
#define RED_ZONE    128u
#define RETRIES_MAX 16u

static const int fault_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};

static struct {
    void (*handler)(int, siginfo_t *, void *);
    int flags;
} g_handlers[SIGNALS];
static struct sigaction g_previous[SIGNALS]; /* of fault signals, before softsgx came */

struct signal_out { /* entry.S knows the offsets */
    uint64_t fs;
    uint64_t frame;
    uint64_t handler;
    uint64_t sig;
    uint64_t info;
    uint64_t uc;
};

void soft_on_signal(int sig, siginfo_t *info, ucontext_t *uc, struct soft_thread *th, uint64_t fs,
                    struct signal_out *out);
void soft_on_foreign_signal(int sig, siginfo_t *info, ucontext_t *uc);
void soft_unmask_for_handler(int sig, siginfo_t *info, ucontext_t *uc);

static bool is_fault_signal(int sig)
{
    for (size_t i = 0; i < ARRAY_COUNT(fault_signals); i++) {
        if (fault_signals[i] == sig) {
            return true;
        }
    }
    return false;
}

static uint64_t fault_mask(void)
{
    uint64_t m = 0;

    for (size_t i = 0; i < ARRAY_COUNT(fault_signals); i++) {
        m |= 1ull << (fault_signals[i] - 1);
    }
    return m;
}

void soft_die(const char *line)
{
    (void)!write(STDERR_FILENO, line, strlen(line));
    abort();
}

/* Raised by the instruction, not sent by somebody. */
static bool is_synchronous(int sig, const siginfo_t *info)
{
    return is_fault_signal(sig) && info->si_code > 0;
}

static uint64_t get_mask(const ucontext_t *uc)
{
    uint64_t m;

    memcpy(&m, &uc->uc_sigmask, sizeof(m));
    return m;
}

static void set_mask(ucontext_t *uc, uint64_t m)
{
    memcpy(&uc->uc_sigmask, &m, sizeof(m));
}

/* What the kernel would have blocked while this handler runs, and never the fault signals: the
 * handler may enter an enclave that faults. */
void soft_unmask_for_handler(int sig, siginfo_t *info, ucontext_t *uc)
{
    uint64_t m = get_mask(uc);

    if ((g_handlers[sig].flags & SA_NODEFER) == 0) {
        m |= 1ull << (sig - 1);
    }
    m &= ~fault_mask();
    (void)soft_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&m, 0, 8);
}

/* --- what kind of exception --- */

static uint8_t code_byte(uint64_t rip, unsigned i)
{
    return ((const volatile uint8_t *)rip)[i];
}

void soft_classify(int sig, const ucontext_t *uc, struct soft_regs *regs, struct soft_fault *f)
{
    uint64_t trap = (uint64_t)uc->uc_mcontext.gregs[REG_TRAPNO];
    uint32_t code = (uint32_t)uc->uc_mcontext.gregs[REG_ERR];

    f->error_code = 0;
    f->addr = 0;
    switch (sig) {
    case SIGSYS: /* dispatched after the two-byte instruction */
        regs->rip -= 2;
        f->vector = X86_UD;
        return;
    case SIGTRAP:
        f->vector = trap == X86_BP ? X86_BP : X86_DB;
        if (trap == X86_BP) {
            /* INT3 is a fault inside an enclave (SDM 38.3.3); CD 03 is an illegal INT n. */
            regs->rip -= 1;
            if (code_byte(regs->rip, 0) != 0xcc) {
                regs->rip -= 1;
                f->vector = X86_UD;
            }
        }
        return;
    case SIGSEGV:
        if (trap == X86_PF) {
            f->vector = X86_PF;
            f->error_code = code;
            f->addr = (uint64_t)uc->uc_mcontext.gregs[REG_CR2];
            return;
        }
        if (trap == X86_GP && (code_byte(regs->rip, 0) == 0xcd || soft_cpuid_fault(uc) != 0)) {
            f->vector = X86_UD; /* INT n, CPUID */
            return;
        }
        break;
    default: break;
    }
    f->vector = (enum x86_vector)trap;
    f->error_code = trap == X86_GP || trap == X86_AC ? code : 0;
}

/* The page table should have let this access pass already. Once or twice that is a race with
 * another thread; for ever would be somebody else's mprotect. */
static bool again(struct soft_thread *th, struct sgx_enclave *e, uint64_t rip, uint64_t addr)
{
    uint64_t page = soft_page_of(e, addr);

    if (th->fault_rip != rip || th->fault_cr2 != addr) {
        th->fault_rip = rip;
        th->fault_cr2 = addr;
        th->fault_count = 0;
    }
    if (th->fault_count++ > RETRIES_MAX) {
        return false;
    }
    soft_lock(&e->lock);
    (void)soft_protect_locked(e, page, 1, soft_wanted_prot(e, page, soft_epcm_load(e, page)));
    soft_unlock(&e->lock);
    return true;
}

/* A page fault inside ELRANGE: is it the EPCM's doing, the host's, or only this processor's
 * laziness? True: try again. */
static bool resolve_page_fault(struct soft_thread *th, struct sgx_enclave *e, uint64_t rip,
                               struct soft_fault *f)
{
    uint64_t need = (f->error_code & X86_PF_W) != 0   ? EPCM_W
                    : (f->error_code & X86_PF_I) != 0 ? EPCM_X
                                                      : EPCM_R;
    struct soft_fault refused;
    uint64_t open;

    if (!soft_in_elrange(e, f->addr) || f->addr < e->low) {
        return false;
    }
    open = soft_epcm_load(e, soft_page_of(e, f->addr)) >> EPCM_HOST_SHIFT & need;
    if (soft_access(e, f->addr, need, &refused) != SOFT_OK) {
        f->error_code |= refused.error_code & (X86_PF_P | X86_PF_SGX);
        return false;
    }
    if (open != 0) {
        return again(th, e, rip, f->addr);
    }
    th->fault_rip = 0;
    return true;
}

/* --- where the thread is --- */

struct place {
    bool inside;  /* enclave code; regs and fs are the enclave's */
    bool enclu;   /* and it stands at an ENCLU whose slot was rewritten */
    bool refused; /* EENTER or ERESUME (regs.rax) that was undone because it faulted */
    bool leaf;    /* a leaf runs: nobody may look now */
    struct soft_regs regs;
    uint64_t fs;
};

static bool owns(const struct soft_thread *th, const struct soft_tcs *t)
{
    return t != NULL && __atomic_load_n(&t->owner, __ATOMIC_ACQUIRE) == th;
}

static bool between(uint64_t rip, const char *from, const char *to)
{
    return rip >= (uint64_t)from && rip < (uint64_t)to;
}

/* The common code or a leaf's door: the stub's return address is on the stack. */
static void at_slot(const struct soft_thread *th, struct place *p)
{
    uint64_t back;

    memcpy(&back, (const void *)p->regs.rsp, sizeof(back));
    p->regs.rip = soft_slot_next(th->cur->enclave, back) - SOFT_SLOT_BYTES;
    p->regs.rsp += 8;
    p->inside = true;
}

static void locate_in_tramp(struct soft_thread *th, int sig, bool sync, ucontext_t *uc,
                            struct place *p)
{
    struct soft_tcs *t = th->cur;
    uint64_t trapped = p->regs.rip;
    enum soft_place where = soft_tramp_fixup(t->enclave, &p->regs);
    struct soft_thread *nobody = NULL;

    p->inside = where != SOFT_OUTSIDE;
    p->enclu = p->inside && sync && sig == SIGILL;
    if (p->inside) {
        return;
    }
    if (sync && __atomic_compare_exchange_n(&t->owner, &nobody, th, false, __ATOMIC_SEQ_CST,
                                            __ATOMIC_SEQ_CST)) {
        /* EEXIT to a non-canonical RBX: #GP at the slot, and the exit did not happen. */
        p->inside = true;
        p->fs = t->fsbase;
        p->regs.rip = soft_slot_next(t->enclave, trapped) - SOFT_SLOT_BYTES;
        return;
    }
    p->fs = th->host_fs;
    soft_regs_to_context(uc, &p->regs);
}

static void undo_entry(struct soft_thread *th, ucontext_t *uc, struct place *p, bool sync)
{
    struct soft_tcs *t = th->last_tcs;
    bool resume = p->regs.rip >= (uint64_t)soft_eresume;

    if (between(p->regs.rip, soft_resume_counted, soft_resume_end)) {
        t->cssa++;
    }
    if (resume) {
        p->regs.rsp = th->resume_rsp;
        p->regs.rbp = th->resume_rbp;
    }
    p->regs.rax = resume ? ENCLU_ERESUME : ENCLU_EENTER;
    p->regs.rbx = t->linear;
    p->regs.rcx = (uint64_t)soft_aep;
    p->regs.rip = (uint64_t)soft_aep;
    p->fs = th->host_fs;
    p->refused = sync;
    __atomic_store_n(&t->owner, NULL, __ATOMIC_RELEASE);
    soft_regs_to_context(uc, &p->regs);
}

/* Enclave code that jumped to where nothing is, outside ELRANGE: the fetch itself faulted. Nothing
 * of the processor's own does that, whatever it was about last. */
static bool jumped_nowhere(const struct soft_thread *th, bool sync, const ucontext_t *uc)
{
    const greg_t *g = uc->uc_mcontext.gregs;

    return sync && th->leaf != LEAF_RUN && owns(th, th->cur) && g[REG_TRAPNO] == X86_PF &&
           ((uint64_t)g[REG_ERR] & X86_PF_I) != 0 && g[REG_CR2] == g[REG_RIP];
}

static void locate(struct soft_thread *th, int sig, bool sync, ucontext_t *uc, struct place *p)
{
    struct soft_tcs *t = th->cur;
    struct sgx_enclave *e = t == NULL ? NULL : t->enclave;
    uint64_t rip = p->regs.rip;

    if (e != NULL && ((soft_in_elrange(e, rip) && owns(th, t)) || jumped_nowhere(th, sync, uc))) {
        p->inside = true;
    } else if (e != NULL && e->tramp != NULL && rip - (uint64_t)e->tramp < SOFT_TRAMP_SIZE) {
        locate_in_tramp(th, sig, sync, uc, p);
    } else if (between(rip, soft_leaf_enter, soft_leaf_saved) ||
               between(rip, soft_leaf_xenter, soft_leaf_xsaved)) {
        p->regs.rax = th->regs.rax;
        p->regs.rcx = th->regs.rcx;
        at_slot(th, p);
    } else if (th->leaf == LEAF_RUN) {
        if (sync && rip == (uint64_t)soft_leaf_trap) {
            p->regs = th->regs;
            p->regs.rip = soft_slot_next(e, th->regs.rip) - SOFT_SLOT_BYTES;
            p->fs = th->leaf_fs;
            p->inside = true;
            p->enclu = true;
            th->leaf = LEAF_NONE;
            if (th->deferred != 0) {
                th->deferred = 0;
                set_mask(uc, th->deferred_mask);
            }
        } else {
            p->leaf = true;
        }
    } else if (th->leaf == LEAF_DONE) {
        p->regs = th->regs;
        p->regs.rip = soft_leaf_continues(e, th->regs.rip);
        p->fs = th->leaf_fs;
        p->inside = true;
    } else if (between(rip, soft_aep, soft_after_enclu) && owns(th, th->last_tcs)) {
        undo_entry(th, uc, p, sync);
    }
}

/* --- answers --- */

static void raise_from_enter(struct soft_thread *th, ucontext_t *uc, uint64_t leaf,
                             const struct soft_fault *f)
{
    greg_t *g = uc->uc_mcontext.gregs;

    g[REG_RAX] = (greg_t)leaf;
    g[REG_RDI] = (greg_t)f->vector;
    g[REG_RSI] = (greg_t)f->error_code;
    g[REG_RDX] = (greg_t)f->addr;
    g[REG_RIP] = (greg_t)soft_exception;
}

static void exit_enclave(struct soft_thread *th, ucontext_t *uc, struct place *p)
{
    soft_flush_open(th);
    /* Outside, the enclave's own memory reads as all ones: the next fetch is #UD (SDM, EEXIT). */
    p->regs.rip =
        soft_in_elrange(th->cur->enclave, p->regs.rbx) ? (uint64_t)soft_abort_page : p->regs.rbx;
    p->regs.rcx = (uint64_t)soft_aep;
    p->fs = th->host_fs;
    soft_regs_to_context(uc, &p->regs);
    th->leaf = LEAF_NONE;
    __atomic_store_n(&th->cur->owner, NULL, __ATOMIC_RELEASE);
}

static bool canonical(uint64_t addr)
{
    return (uint64_t)((int64_t)(addr << 16) >> 16) == addr;
}

static bool at_enclu(const struct place *p)
{
    return p->enclu || (code_byte(p->regs.rip, 0) == 0x0f && code_byte(p->regs.rip, 1) == 0x01 &&
                        code_byte(p->regs.rip, 2) == 0xd7);
}

/* An exception of enclave code. */
static void on_enclave_fault(struct soft_thread *th, int sig, ucontext_t *uc, struct place *p)
{
    struct soft_fault f;
    uint64_t next;

    if (sig == SIGILL && at_enclu(p)) {
        next = p->regs.rip + (p->enclu ? SOFT_SLOT_BYTES : 3);
        if ((uint32_t)p->regs.rax == ENCLU_EEXIT && canonical(p->regs.rbx)) {
            exit_enclave(th, uc, p);
            return;
        }
        if (soft_enclu_leaf(th, th->cur, &p->regs, &f) == SOFT_OK) {
            p->regs.rip = next;
            soft_regs_to_context(uc, &p->regs);
            return;
        }
    } else {
        soft_classify(sig, uc, &p->regs, &f);
        if (f.vector == X86_PF && resolve_page_fault(th, th->cur->enclave, p->regs.rip, &f)) {
            soft_regs_to_context(uc, &p->regs);
            return;
        }
    }
    soft_aex(th, uc, &p->regs, p->fs, &f);
    p->fs = th->host_fs;
    raise_from_enter(th, uc, ENCLU_ERESUME, &f);
}

/* The kernel asks again when the leaf is over. SIGILL stays open, because a leaf that faults ends
 * in one; a SIGILL that somebody sends in just these nanoseconds is lost. */
static void put_off(struct soft_thread *th, int sig, siginfo_t *info, ucontext_t *uc)
{
    uint64_t mask = get_mask(uc);

    if (th->deferred == 0) {
        th->deferred_mask = mask;
        th->deferred = 1;
    }
    set_mask(uc, ~(1ull << (SIGILL - 1)));
    (void)soft_syscall(SYS_rt_tgsigqueueinfo, getpid(), soft_syscall(SYS_gettid, 0, 0, 0, 0), sig,
                       (long)info);
}

/* Copies the signal frame to the host stack; rt_sigreturn works from there just as well. */
static void relocate(int sig, const siginfo_t *info, const ucontext_t *uc, struct signal_out *out)
{
    const uint8_t *fp = (const uint8_t *)uc->uc_mcontext.fpregs;
    uint64_t sp = (uint64_t)uc->uc_mcontext.gregs[REG_RSP] - RED_ZONE;
    uint32_t magic = 0;
    uint32_t size = 512;
    uint64_t copy;

    if (fp != NULL) {
        memcpy(&magic, fp + 464, sizeof(magic));
        if (magic == 0x46505853u) {
            memcpy(&size, fp + 468, sizeof(size));
        }
        sp = (sp - size) & ~63ull;
        memcpy((void *)sp, fp, size);
    }
    copy = (sp - UC_BYTES - INFO_BYTES) & ~63ull;
    memcpy((void *)copy, uc, UC_BYTES);
    memcpy((void *)(copy + UC_BYTES), info, INFO_BYTES);
    if (fp != NULL) {
        memcpy((uint8_t *)copy + offsetof(ucontext_t, uc_mcontext.fpregs), &sp, sizeof(sp));
    }
    out->frame = copy;
    out->handler = (uint64_t)g_handlers[sig].handler;
    out->sig = (uint64_t)sig;
    out->info = copy + UC_BYTES;
    out->uc = copy;
}

/* A fault of host code: the loader's handler, or whoever was there before softsgx. */
static void on_host_fault(int sig, siginfo_t *info, ucontext_t *uc, const struct soft_thread *th)
{
    if (sig == SIGSEGV && soft_cpuid_in_host(th, uc)) {
        return;
    }
    if (g_handlers[sig].handler != NULL) {
        soft_unmask_for_handler(sig, info, uc);
        g_handlers[sig].handler(sig, info, uc);
        return;
    }
    /* Put it back: the instruction faults again and meets it. */
    (void)sigaction(sig, &g_previous[sig], NULL);
}

void soft_on_signal(int sig, siginfo_t *info, ucontext_t *uc, struct soft_thread *th, uint64_t fs,
                    struct signal_out *out)
{
    bool sync = is_synchronous(sig, info);
    struct place p = {.fs = fs};
    int saved = errno;

    *out = (struct signal_out){0};
    soft_regs_from_context(&p.regs, uc);
    locate(th, sig, sync, uc, &p);
    if ((p.leaf || th->hold != 0) && !sync) {
        if (sig != SIGILL) {
            put_off(th, sig, info, uc);
        }
    } else if (p.inside && sync) {
        on_enclave_fault(th, sig, uc, &p);
    } else if (p.refused) {
        struct soft_fault f;

        soft_classify(sig, uc, &p.regs, &f);
        raise_from_enter(th, uc, p.regs.rax, &f);
    } else if (sync) {
        on_host_fault(sig, info, uc, th);
    } else {
        if (p.inside) {
            soft_aex(th, uc, &p.regs, p.fs, NULL);
            p.fs = th->host_fs;
        }
        if (g_handlers[sig].handler != NULL) {
            relocate(sig, info, uc, out);
        }
    }
    out->fs = p.fs;
    errno = saved;
}

void soft_on_foreign_signal(int sig, siginfo_t *info, ucontext_t *uc)
{
    int saved = errno;

    if (is_synchronous(sig, info)) {
        on_host_fault(sig, info, uc, NULL);
    } else if (g_handlers[sig].handler != NULL) {
        soft_unmask_for_handler(sig, info, uc);
        g_handlers[sig].handler(sig, info, uc);
    }
    errno = saved;
}

bool soft_is_at_aep(const ucontext_t *uc)
{
    return (uint64_t)uc->uc_mcontext.gregs[REG_RIP] == (uint64_t)soft_aep &&
           uc->uc_mcontext.gregs[REG_RAX] == ENCLU_ERESUME;
}

/* --- installation --- */

static void (*entry_address(void))(int, siginfo_t *, void *)
{
    void (*entry)(int, siginfo_t *, void *);

    __asm__("lea soft_signal_entry(%%rip), %0" : "=r"(entry));
    return entry;
}

static int install(int sig, int flags, struct sigaction *ret_old)
{
    struct sigaction sa = {
        .sa_sigaction = entry_address(),
        .sa_flags = (flags & ~(SA_NODEFER | SA_RESETHAND)) | SA_SIGINFO | SA_ONSTACK,
    };

    (void)sigfillset(&sa.sa_mask);
    return sigaction(sig, &sa, ret_old) < 0 ? -errno : 0;
}

/* With every attach: somebody (a library, a test framework) may have taken them meanwhile. */
int soft_install_fault_handlers(struct error **err)
{
    int r = 0;

    soft_lock(&soft_locks.handlers);
    for (size_t i = 0; i < ARRAY_COUNT(fault_signals) && r == 0; i++) {
        struct sigaction now;

        r = sigaction(fault_signals[i], NULL, &now) < 0 ? -errno : 0;
        if (r == 0 && ((now.sa_flags & SA_SIGINFO) == 0 || now.sa_sigaction != entry_address())) {
            r = install(fault_signals[i], 0, &g_previous[fault_signals[i]]);
        }
    }
    soft_unlock(&soft_locks.handlers);
    return r < 0 ? error_set_errno(err, -r, "softsgx: cannot install its fault handlers") : 0;
}

int soft_sigaction(int sig, void (*handler)(int, siginfo_t *, void *), int flags,
                   struct error **err)
{
    struct sigaction sa = {.sa_sigaction = handler};
    bool own = sa.sa_handler != SIG_DFL && sa.sa_handler != SIG_IGN;
    int r;

    if (sig <= 0 || sig >= SIGNALS) {
        return error_set(err, EINVAL, "no such signal: %d", sig);
    }
    r = soft_install_fault_handlers(err);
    if (r < 0) {
        return r;
    }
    g_handlers[sig].flags = flags;
    __atomic_store_n(&g_handlers[sig].handler, own ? handler : NULL, __ATOMIC_SEQ_CST);
    if (own) {
        r = install(sig, flags, NULL);
    } else if (!is_fault_signal(sig)) {
        r = sigaction(sig, &sa, NULL) < 0 ? -errno : 0;
    }
    return r < 0 ? error_set_errno(err, -r, "cannot handle signal %d", sig) : 0;
}
