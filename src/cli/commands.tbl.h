/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Every verb: X(name, function, one-line summary). Sorted by name. */

X("measure", cmd_measure, "print the MRENCLAVE of an enclave")
X("version", cmd_version, "print nacre's version")
