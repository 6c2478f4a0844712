/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* execve: the new program has registered nothing. */
void membarrier_forget(void);
