/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Every row, in the order in which they run: X(name of its bench_row_NAME). */

X(getppid)
X(exit_slot)
X(exit_trap)
X(aex_eresume)
X(ereport)
X(egetkey)
X(eaccept)
X(build_4mib)
X(build_mib)
X(quote_generate)
X(quote_verify)
X(quote_verify_cold)
