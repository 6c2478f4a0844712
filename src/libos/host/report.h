/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "core/types.h"

/* Counters at exit, for the loader to print. */
void host_report_stats(const char *text, size_t size);
