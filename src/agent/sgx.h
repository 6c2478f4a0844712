/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The agent's platform inside an SGX enclave: /dev/nacre of the library OS. */

#include "agent/agent.h"

struct sgx_agent {
    int fd;
    struct agent_platform platform;
    struct agent_evidence evidence;
};

[[nodiscard]] int sgx_agent_open(struct sgx_agent *ret, struct error **err);
