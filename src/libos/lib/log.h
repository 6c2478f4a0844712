/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "core/types.h"

/* What libos_log lets through; the host's wish at the start. */
void log_set_level(uint32_t level);
