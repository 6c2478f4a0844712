/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The process as /proc shows it: what execve left in application memory, and CPU time. */

#include "libos/lib/strbuf.h"

/* Bytes as they stand there now: the application may have changed them, and whoever set a longer
 * title over the end of its arguments gets it, as on Linux. Unreadable memory ends the text. */
[[nodiscard]] int image_cmdline(struct strbuf *out);
[[nodiscard]] int image_environ(struct strbuf *out);
[[nodiscard]] int image_auxv(struct strbuf *out);
/* In ns, as the host claims it. */
void image_cpu_times(uint64_t *ret_user, uint64_t *ret_system);
