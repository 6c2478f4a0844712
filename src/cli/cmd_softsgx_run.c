/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "cli/sgxs.h"
#include "core/hex.h"
#include "loader/loader.h"
#include "sign/sigstruct.h"
#include "softsgx/softsgx.h"

int cmd_softsgx_run(int argc, char **argv, struct error **err);

#define SGXS_MAX ((size_t)1 << 30)

struct run_options {
    const char *sigstruct;
    uint64_t tcs;
    uint64_t rdi, rsi, rdx;
    bool json;
};

/* What entry registers point at when nothing is said: most enclaves expect arguments there. */
#define SCRATCH_SIZE 65536
static _Alignas(4096) uint8_t scratch[3][SCRATCH_SIZE];

struct outcome {
    int ret;
    struct sgx_enclave_run run;
    uint64_t rdi, rsi, rdx;
};

static uint64_t xcr0(void)
{
    uint32_t lo;
    uint32_t hi;

    __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

/* What the SIGSTRUCT pins, and where it leaves a choice what a plain program would have. */
static void choose_attributes(const struct sgx_sigstruct *s, struct sgx_secs *secs)
{
    uint64_t free_xfrm = xcr0() & (SGX_XFRM_LEGACY | SGX_XFRM_AVX) & ~s->attribute_mask.xfrm;

    secs->attributes.flags = (s->attributes.flags & ~SGX_FLAGS_INIT) | SGX_FLAGS_MODE64BIT;
    secs->attributes.xfrm =
        (s->attributes.xfrm & s->attribute_mask.xfrm) | SGX_XFRM_LEGACY | free_xfrm;
    secs->miscselect = s->miscselect;
}

static int read_sigstruct(const char *path, struct sgx_sigstruct *ret, struct error **err)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r = fs_read_file(path, SIGSTRUCT_SIZE + 1, &data, &size, err);

    r = r < 0 ? r : sigstruct_parse(data, size, ret, err);
    if (r < 0) {
        error_wrap(err, "%s", path);
    }
    return r;
}

/* For a stream that came without: everything but the signature. */
static int build_ad_hoc(const struct loader_measurement *m, struct sgx_sigstruct *ret,
                        struct error **err)
{
    struct sigstruct_params p;

    sigstruct_params_default(&p);
    p.date = 0x20260101;
    p.attributes.xfrm = SGX_XFRM_LEGACY;
    p.attribute_mask.xfrm = SGX_XFRM_LEGACY;
    memcpy(p.mrenclave, m->mrenclave, sizeof(p.mrenclave));
    return sigstruct_build(&p, ret, err);
}

/* Signed by nobody anybody knows: a key that is forgotten again. */
static int sign_ad_hoc(struct sgx_sigstruct *s, struct error **err)
{
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    int r = crypto_rsa3072_generate(&key);

    if (r < 0) {
        return error_set_errno(err, -r, "cannot make a key for this run");
    }
    return sigstruct_sign(s, key, err);
}

/* The entry function keeps RBX, RBP, RSP and r12-r15; the enclave may change all others. */
static void enter(vdso_sgx_enter_enclave_t function, uint64_t tcs, const struct run_options *o,
                  struct outcome *x)
{
    register uint64_t r8 __asm__("r8") = 0;
    register uint64_t r9 __asm__("r9") = 0;
    uint64_t rcx = ENCLU_EENTER;

    *x = (struct outcome){.run = {.tcs = tcs}, .rdi = o->rdi, .rsi = o->rsi, .rdx = o->rdx};
    __asm__ volatile(
        "mov %%rsp, %%r12\n\t"
        "sub $128, %%rsp\n\t" /* red zone */
        "and $-16, %%rsp\n\t"
        "push %%r12\n\t"
        "push %[run]\n\t"
        "call *%[function]\n\t"
        "pop %%r12\n\t"
        "pop %%r12\n\t"
        "mov %%r12, %%rsp"
        : "=a"(x->ret), "+D"(x->rdi), "+S"(x->rsi), "+d"(x->rdx), "+c"(rcx), "+r"(r8), "+r"(r9)
        : [run] "r"(&x->run), [function] "b"(function)
        : "r10", "r11", "r12", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
          "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

static const char *vector_name(unsigned vector)
{
    switch (vector) {
    case X86_DE: return "#DE";
    case X86_DB: return "#DB";
    case X86_BP: return "#BP";
    case X86_BR: return "#BR";
    case X86_UD: return "#UD";
    case X86_GP: return "#GP";
    case X86_PF: return "#PF";
    case X86_MF: return "#MF";
    case X86_AC: return "#AC";
    case X86_XM: return "#XM";
    default: return "exception";
    }
}

static void print_outcome(const char *mrenclave, const struct outcome *x, bool json)
{
    bool left = x->run.function == ENCLU_EEXIT;
    const char *where = x->run.function == ENCLU_EENTER ? "EENTER" : "the enclave";

    if (json) {
        printf("{\"mrenclave\": \"%s\", \"outcome\": \"%s\", \"rdi\": %" PRIu64
               ", \"rsi\": %" PRIu64 ", \"rdx\": %" PRIu64
               ", \"vector\": %u, \"error_code\": %u, \"address\": %" PRIu64 "}\n",
               mrenclave, left ? "exit" : "exception", left ? x->rdi : 0, left ? x->rsi : 0,
               left ? x->rdx : 0, x->run.exception_vector, x->run.exception_error_code,
               (uint64_t)x->run.exception_addr);
        return;
    }
    printf("mrenclave  %s\n", mrenclave);
    if (left) {
        printf("exit       EEXIT with rdi 0x%" PRIx64 ", rsi 0x%" PRIx64 ", rdx 0x%" PRIx64 "\n",
               x->rdi, x->rsi, x->rdx);
        return;
    }
    printf("exception  %s (%u) on %s, error code 0x%x, address 0x%" PRIx64 "\n",
           vector_name(x->run.exception_vector), x->run.exception_vector, where,
           x->run.exception_error_code, (uint64_t)x->run.exception_addr);
}

static int load_and_enter(const uint8_t *stream, size_t size, const struct loader_measurement *m,
                          const struct run_options *o, struct outcome *ret, struct error **err)
{
    const struct sgx_backend *b = &sgx_backend_soft;
    struct sgx_secs secs = {.size = m->elrange, .ssa_frame_size = m->ssa_frame_pages};
    struct sgx_enclave *e = NULL;
    struct sgx_sigstruct s;
    uint64_t base = 0;
    uint64_t tcs = 0;
    int r = o->sigstruct != NULL ? read_sigstruct(o->sigstruct, &s, err) : build_ad_hoc(m, &s, err);

    if (r < 0 || (r = sgxs_base(m->elrange, &base, err)) < 0 || (r = b->probe(err)) < 0) {
        return r;
    }
    secs.base = base;
    choose_attributes(&s, &secs);
    r = b->create(&secs, &e, err);
    if (r < 0) {
        return r;
    }
    r = sgxs_load(b, e, stream, size, o->tcs, &tcs, err);
    r = r < 0 || o->sigstruct != NULL ? r : sign_ad_hoc(&s, err);
    r = r < 0 ? r : b->init(e, &s, err);
    r = r < 0 ? r : b->map(e, 0, m->elrange, PROT_READ | PROT_WRITE | PROT_EXEC, err);
    r = r < 0 ? r : b->thread_attach(e, err);
    if (r == 0) {
        enter(b->enter_function(e), base + tcs, o, ret);
        b->thread_detach();
        r = ret->ret < 0 ? error_set_errno(err, -ret->ret, "the enclave was not entered") : 0;
    }
    b->destroy(e);
    return r;
}

/* In a process of its own: an enclave may leave with any stack pointer it likes. */
static int run_apart(const uint8_t *stream, size_t size, const struct loader_measurement *m,
                     const struct run_options *o, struct error **err)
{
    char mrenclave[2 * LOADER_MEASUREMENT_SIZE + 1];
    struct outcome x = {0};
    int status = 0;
    pid_t pid;
    int r;

    hex_encode(mrenclave, m->mrenclave, sizeof(m->mrenclave));
    fflush(NULL);
    pid = fork();
    if (pid < 0) {
        error_set_errno(err, errno, "cannot fork");
        return CLI_FAILED;
    }
    if (pid == 0) {
        r = load_and_enter(stream, size, m, o, &x, err);
        if (r < 0) {
            fprintf(stderr, "nacre: %s\n", error_text(err == NULL ? NULL : *err));
        } else {
            print_outcome(mrenclave, &x, o->json);
        }
        fflush(NULL);
        _exit(r == 0 && x.run.function == ENCLU_EEXIT ? CLI_OK
              : r == -EPERM                           ? CLI_REFUSED
                                                      : CLI_FAILED);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
        error_set(err, EFAULT,
                  "the enclave left in a state its process could not go on from (%s): it was "
                  "written for another runtime",
                  strsignal(WTERMSIG(status)));
        return CLI_FAILED;
    }
    return WEXITSTATUS(status);
}

int cmd_softsgx_run(int argc, char **argv, struct error **err)
{
    struct run_options o = {
        .rdi = (uint64_t)scratch[0], .rsi = (uint64_t)scratch[1], .rdx = (uint64_t)scratch[2]};
    const struct arg_option options[] = {
        {"sig", 's', ARG_STRING, "FILE",
         "SIGSTRUCT to initialise with; without, a key for this run", &o.sigstruct},
        {"tcs", 't', ARG_U64, "N", "which of the stream's TCS pages to enter (default 0)", &o.tcs},
        {"rdi", 0, ARG_U64, "VALUE", "register on entry (default: a buffer outside)", &o.rdi},
        {"rsi", 0, ARG_U64, "VALUE", "register on entry (default: a buffer outside)", &o.rsi},
        {"rdx", 0, ARG_U64, "VALUE", "register on entry (default: a buffer outside)", &o.rdx},
        {"json", 0, ARG_FLAG, NULL, "print JSON", &o.json},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre softsgx run",
        .synopsis = "[OPTIONS] FILE.sgxs",
        .summary = "Load and enter an enclave that another tool chain made, and say what happens.",
        .options = options,
        .examples = "  nacre softsgx run test_enclave.sgxs --sig test_enclave.sig\n"
                    "  nacre softsgx run enclave.sgxs --rdi 1 --json\n",
        .notes = "FILE is a stream of ECREATE, EADD and EEXTEND records. The enclave is built, "
                 "measured,\ninitialised and entered once by the processor in software; nothing is "
                 "isolated. RDI, RSI\nand RDX point at 64 KiB of zeros each unless given. Exit "
                 "code 0 means it left by EEXIT, 1 an\nexception (printed), 3 that EINIT refused "
                 "the SIGSTRUCT.",
        .min_args = 1,
        .max_args = 1,
    };
    _cleanup_free_ uint8_t *stream = NULL;
    struct loader_measurement m;
    size_t count;
    size_t size;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    r = fs_read_file(argv[0], SGXS_MAX, &stream, &size, err);
    if (r < 0) {
        return CLI_FAILED;
    }
    r = loader_measure_sgxs(stream, size, &m, err);
    if (r < 0) {
        error_wrap(err, "%s", argv[0]);
        return CLI_FAILED;
    }
    if (o.tcs >= m.threads) {
        error_set(err, EINVAL, "%s has %u TCS pages, there is no TCS %" PRIu64, argv[0], m.threads,
                  o.tcs);
        return CLI_FAILED;
    }
    return run_apart(stream, size, &m, &o, err);
}
