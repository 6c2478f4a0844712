/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Verbs under `nacre manifest`: X(name, function, one-line summary). Sorted by name. */

X("build", cmd_manifest_build, "write a manifest")
X("show", cmd_manifest_show, "print a manifest")
