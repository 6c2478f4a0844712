/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What this machine has of what enclaves need, hardware or software. Looks only: changes nothing,
 * creates nothing, needs no privilege. For `nacre doctor` and `nacre device`.
 */

#include "core/types.h"

enum machine_state {
    MACHINE_YES,
    MACHINE_NO,   /* missing, and the advice says what for */
    MACHINE_INFO, /* neither good nor bad */
};

enum machine_group {
    MACHINE_PROCESSOR,
    MACHINE_KERNEL,
    MACHINE_MEMORY,
    MACHINE_ATTESTATION,
    MACHINE_GROUPS_,
};

struct machine_fact {
    const char *id; /* stable, for scripts */
    enum machine_group group;
    const char *label;
    enum machine_state state;
    char value[128];
    const char *advice; /* what to do about MACHINE_NO, or NULL */
};

#define MACHINE_FACTS_MAX 40u

/* Fills ret[0..n), n <= MACHINE_FACTS_MAX, and returns n. */
size_t machine_facts(struct machine_fact ret[static MACHINE_FACTS_MAX]);

#define MACHINE_DEVICES_MAX 2u

/* The device nodes an enclave container needs, as found under `dev` (normally "/dev"): sgx_enclave
 * (and sgx_provision beside it) of the kernel's driver, else sgx/enclave (and sgx/provision) of
 * Intel's DCAP driver, else isgx of its out-of-tree driver. Returns how many; names are static and
 * relative to `dev`. */
size_t machine_devices(const char *dev, const char *ret[static MACHINE_DEVICES_MAX]);
