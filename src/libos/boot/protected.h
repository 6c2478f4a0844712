/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The protected start: the measured manifest names an agent, and nothing the host says reaches the
 * application except through it. The agent runs first, alone, from memory; /dev/nacre is its way
 * to apply what the CAS gave it and to become the application (abi/agent_device.h).
 */

#include "seal/manifest.h"

struct fs_config;

/* Brings up the agent's file system and loads the agent. `config` is kept for the application's
 * root. The manifest's bytes stay where they are: measured pages. The reason of a failure is
 * logged. */
[[nodiscard]] int protected_start(const struct manifest *m, const void *bytes, size_t size,
                                  const struct fs_config *config);
