/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What the loader needs of a processor with SGX and of the driver that feeds it. Two things stand
 * behind this table: the Linux driver (`kernel`: /dev/sgx_enclave and the vDSO entry) and softsgx
 * (`soft`). A third, which only hashes, measures enclaves offline. The loader never asks which.
 *
 * Shapes follow the driver's UAPI <asm/sgx.h>, so that the kernel backend is a thin shim: offsets
 * are from the enclave base, sizes are multiples of 4096.
 */

#include <asm/sgx.h>
#include <signal.h>
#include <ucontext.h>

#include "abi/sgx_arch.h"
#include "base/error.h"

struct sgx_enclave; /* opaque, one per backend */

struct sgx_backend {
    const char *name;  /* "soft", "kernel", "measure" */
    const char *label; /* one honest sentence, printed at every start; NULL for none */

    /* Can enclaves run here? 0, or -Exxx and what is missing. */
    int (*probe)(struct error **err);

    /* ECREATE. secs->base and secs->size name the ELRANGE, which is reserved (PROT_NONE) from
     * vm.mmap_min_addr up; MRENCLAVE, MRSIGNER and the ISV fields in it are ignored. */
    int (*create)(const struct sgx_secs *secs, struct sgx_enclave **ret, struct error **err);

    /* EADD of size / 4096 pages from `src` (borrowed, page aligned), EEXTEND of each when
     * `measure`. secinfo_flags: R, W, X and page type (enum sgx_page_type << 8). */
    int (*add_pages)(struct sgx_enclave *e, uint64_t offset, const void *src, size_t size,
                     uint64_t secinfo_flags, bool measure, struct error **err);

    /* Tells of ENCLU instructions at these offsets that sit in a 5-byte slot `0f 01 d7 66 90` whose
     * code allows 8 bytes below RSP to be overwritten and holds GS base as EENTER set it. A hint:
     * softsgx rewrites them after EINIT, the others ignore the call. Before init. */
    int (*hint_slots)(struct sgx_enclave *e, const uint64_t *offsets, size_t count,
                      struct error **err);

    /* EINIT. */
    int (*init)(struct sgx_enclave *e, const struct sgx_sigstruct *sigstruct, struct error **err);

    /* Host page permissions (mmap PROT_*) of a range: the upper bound the EPCM narrows. */
    int (*map)(struct sgx_enclave *e, uint64_t offset, size_t size, int prot, struct error **err);

    /* EDMM, as the driver's ioctls and page faults do it. `augment` is a hint (the driver EAUGs on
     * fault). Each returns 0 or -Exxx; *ret_result, when not NULL, is the leaf's error code. */
    int (*augment)(struct sgx_enclave *e, uint64_t offset, size_t size);
    int (*restrict_permissions)(struct sgx_enclave *e, uint64_t offset, size_t size,
                                uint64_t secinfo_perm, uint64_t *ret_result);
    int (*modify_types)(struct sgx_enclave *e, uint64_t offset, size_t size,
                        enum sgx_page_type type, uint64_t *ret_result);
    int (*remove_pages)(struct sgx_enclave *e, uint64_t offset, size_t size);

    /* Every thread that will enter calls attach once before and detach once after; also again in
     * the child after fork. */
    int (*thread_attach)(struct sgx_enclave *e, struct error **err);
    void (*thread_detach)(void);

    /* EENTER/ERESUME with the vDSO's contract (see <asm/sgx.h> __vdso_sgx_enter_enclave). */
    vdso_sgx_enter_enclave_t (*enter_function)(struct sgx_enclave *e);

    /* All handlers of a process that enters enclaves are installed through this: with softsgx the
     * AEX happens before the handler runs, as it does on hardware. The handler sees a context
     * outside the enclave. SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP and SIGSYS that an enclave
     * raised never reach it: they return from `enter` as exceptions. */
    int (*sigaction)(int sig, void (*handler)(int, siginfo_t *, void *), int flags,
                     struct error **err);

    /* True when the context stands at the AEP: the signal interrupted the enclave. */
    bool (*is_at_aep)(const ucontext_t *uc);

    /* Quoting. `target`: whom to direct the EREPORT to. `quote`: a DCAP quote of the report,
     * malloc'd, the caller's. */
    int (*quote_target)(struct sgx_targetinfo *ret, struct error **err);
    int (*quote)(const struct sgx_report *report, uint8_t **ret_quote, size_t *ret_size,
                 struct error **err);

    /* EREMOVE of everything. No thread may be inside. */
    void (*destroy)(struct sgx_enclave *e);
};
