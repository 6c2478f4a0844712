/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Verbs under `nacre softsgx`: X(name, function, one-line summary). Sorted by name. */

X("root", cmd_softsgx_root, "show, make or export this machine's software root")
X("run", cmd_softsgx_run, "load and enter an enclave of another tool chain")
