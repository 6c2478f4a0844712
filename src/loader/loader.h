/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The loader's public face: measure an enclave, choose what it runs on, build it, run it. The
 * loader is untrusted; nothing it does or leaves out can make an enclave measure or attest as
 * something it is not.
 */

#include "abi/boot_params.h"
#include "base/sgx_backend.h"

#define LOADER_MEASUREMENT_SIZE 32u

/* What makes an enclave: everything here is measured. All bytes are borrowed; those of an enclave
 * that runs are needed as long as it does, because a forked child builds it again. */
struct loader_image {
    const uint8_t *elf;
    size_t elf_size;
    const uint8_t *manifest; /* or NULL */
    size_t manifest_size;
};

struct loader_measurement {
    uint8_t mrenclave[LOADER_MEASUREMENT_SIZE];
    uint64_t size;    /* bytes of pages added and measured */
    uint64_t elrange; /* SECS.SIZE */
    uint32_t ssa_frame_pages;
    uint32_t threads;  /* measured slots */
    uint32_t segments; /* of the ELF */
};

/* MRENCLAVE offline, through the very code that builds the enclave. */
[[nodiscard]] int loader_measure(const struct loader_image *image, struct loader_measurement *ret,
                                 struct error **err);

/* MRENCLAVE of a stream of ECREATE, EADD and EEXTEND records ("SGXS"), with each record checked as
 * the processor would. */
[[nodiscard]] int loader_measure_sgxs(const uint8_t *data, size_t size,
                                      struct loader_measurement *ret, struct error **err);

/* --- what it runs on --- */

enum loader_mode {
    LOADER_MODE_AUTO, /* hardware when it works, else soft */
    LOADER_MODE_HW,   /* hardware or nothing */
    LOADER_MODE_SOFT,
};

/* NACRE_MODE (auto, hw, soft), else SCONE_MODE (auto, hw, sim). An unknown word is an error. */
[[nodiscard]] int loader_mode_from_env(enum loader_mode *ret, struct error **err);

/* The backend for a mode: probes, and says what is missing when the mode cannot be had. */
[[nodiscard]] int loader_backend_for(enum loader_mode mode, const struct sgx_backend **ret,
                                     struct error **err);

/* --- launch --- */

#define LOADER_BASE_SANITIZED 0x200000000000ull

/* ELRANGE base when nobody asks for another: 0, or a high one in sanitizer builds, whose shadow
 * memory lies low. */
uint64_t loader_default_base(void);

/* Outside the measurement. Strings are borrowed until loader_run returns. */
struct loader_options {
    uint64_t base;
    uint64_t memory_limit; /* bytes, 0: the enclave decides */
    uint32_t thread_max;
    uint32_t log_level; /* 0..4 */
    uint64_t flags;     /* BOOT_FLAG_* */
    bool debug;         /* ask for ATTRIBUTES.DEBUG where the SIGSTRUCT leaves it open */
    bool quiet;         /* do not print the backend's label */
    bool reports; /* the enclave's reports go to standard error as it is now, whatever the program
                   * does with its own: most close it before they end */
    const char *const *argv;    /* NULL-terminated, or NULL */
    const char *const *envp;    /* NULL-terminated, or NULL */
    const char *cwd;            /* or NULL */
    const char *hostname;       /* or NULL */
    const char *image_path;     /* sealed image, or NULL */
    const char *const *options; /* "name=value" for the library OS, or NULL */
};

/* One enclave of this process, built and initialised. */
struct loader;

[[nodiscard]] int loader_load(const struct sgx_backend *backend, const struct loader_image *image,
                              const struct sgx_sigstruct *sigstruct,
                              const struct loader_options *options, struct loader **ret,
                              struct error **err);

/* Enters the enclave on the calling thread and serves it until it exits. *ret_status is what the
 * enclave passed to `exit`, 0..255. -ECANCELED when it aborted, -EFAULT when it died of an
 * exception it did not handle; the message says what is known. */
[[nodiscard]] int loader_run(struct loader *l, int *ret_status, struct error **err);

/* No thread may be inside. NULL is fine. */
struct loader *loader_free(struct loader *l);

/* --- bundles --- */

struct bundle_options {
    const char *dir;
    bool quiet;
    bool stats;
};

/* Does a directory hold what a bundle needs? */
bool loader_is_bundle(const char *dir);

/* Starts the bundle in a directory (docs/formats/bundle.md) with what the environment says, and
 * serves it until it exits. As loader_run. */
[[nodiscard]] int loader_run_bundle(const struct bundle_options *options, int *ret_status,
                                    struct error **err);
